"""The `hamsa` command. Needs the extra `dialer`."""

import sys

_NEEDS = frozenset({"cyclopts", "filelock", "phonenumbers", "platformdirs", "rich"})


def main() -> None:
    """Run the command and exit with its code."""
    try:
        from hamsa_async.cli.app import run_command
    except ModuleNotFoundError as error:
        if error.name not in _NEEDS:
            raise
        print(
            f"hamsa: {error.name} is missing: install the command with"
            " pip install 'hamsa-async[dialer]'",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.exit(run_command(sys.argv[1:]))
