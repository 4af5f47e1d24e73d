"""The `hamsa` command. Needs the extra `dialer`."""

import gc
import os
import sys
import threading
from importlib.util import find_spec
from typing import Final

from hamsa_async.errors import ConfigurationError

_NEEDS: Final = ("cyclopts", "platformdirs", "rich")  # the dialer's own it says itself


def main() -> None:
    """Run the command and exit with its code."""
    # What is slow to import, or may be missing, is imported here, where a Ctrl-C is one line too.
    from hamsa_async.cli.signals import INTERRUPTIONS  # noqa: PLC0415

    try:
        INTERRUPTIONS.install()
        _check_needs()
        from hamsa_async.cli.app import run_command  # noqa: PLC0415

        gc.freeze()  # what is imported stays: the collector need not look at it again
        code = run_command(sys.argv[1:])
    except ConfigurationError as error:  # a part of the extra is missing
        print(f"hamsa: {error}", file=sys.stderr)
        code = 2
    # What comes now is too late to change the code, and must not change it.
    INTERRUPTIONS.ignore()
    if any(
        not each.daemon for each in threading.enumerate() if each is not threading.main_thread()
    ):
        # One still waits for a list that never comes, and Python would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _check_needs() -> None:
    """Say what is missing, before any of it is imported."""
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"{missing[0]} is missing: install the command with pip install 'hamsa-async[dialer]'"
        )
