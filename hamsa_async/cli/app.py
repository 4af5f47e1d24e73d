"""The commands, put together, and what becomes of their errors."""

import asyncio
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.exceptions import (
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from hamsa_async import __version__
from hamsa_async._masking import mask_text
from hamsa_async.cli.exits import Exit, before_dialing
from hamsa_async.cli.output import complain, forgive, print_json
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.errors import HamsaError

app: App = App(
    name="hamsa",
    help="Outbound calls by Hamsa's voice agents: nobody is rung twice, nobody is lost.",
    version=__version__,
    help_epilogue=(
        "The key is read from HAMSA_API_KEY or HAMSA_API_KEY_FILE, the server from"
        " HAMSA_BASE_URL or HAMSA_REGION (eu, uae). hamsa campaign run --fake shows it all"
        " without a key and without a phone that rings."
    ),
    # A flag is there or it is not: no --no-yes, and no [default: False].
    default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
    result_action="return_value",
)

# Each group's commands, and where they are: a command is loaded when it is typed.
_GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Call": {"campaign": "campaign:app", "call": "call:call"},
    "Look at your account": {
        "whoami": "whoami:whoami",
        "agents": "agents:app",
        "numbers": "numbers:app",
        "conversations": "conversations:app",
    },
    "On this machine": {
        "policy": "policy:app",
        "dnc": "dnc:app",
        "journal": "journal:app",
        "serve": "serving:serve",
        "fake": "fake:fake",
    },
}


def _assemble() -> None:
    for title, commands in _GROUPS.items():
        group = Group.create_ordered(title)
        for name, place in commands.items():
            app.command(f"hamsa_async.cli.{place}", name=name, group=group)
    besides = Group.create_ordered("Besides")
    for flag in ("--help", "--version"):
        app[flag].group = besides


_assemble()


def run_command(tokens: Sequence[str]) -> int:
    """Run a command line; give its exit code. Errors are one line on stderr."""
    # What the client logs is in what the command says; Python would print it once more.
    logging.getLogger("hamsa_async").addHandler(logging.NullHandler())
    stdout, _ = forgive()
    try:
        ended = asyncio.run(_run(tokens))
        code = ended if isinstance(ended, Exit) else Exit.DONE
    except CycloptsError as error:
        code = _fail(tokens, Exit.CANNOT, _usage(error, tokens))
    except HamsaError as error:
        code = _fail(tokens, before_dialing(error), str(error))
    except asyncio.CancelledError:
        code = _fail(tokens, Exit.INTERRUPTED, "interrupted; running it again resumes")
    except Exception:  # noqa: BLE001 - the last resort: a defect of ours
        traceback.print_exc()
        text = "a defect of this program; what was dialed is in the journal. Please report it"
        code = _fail(tokens, Exit.OUR_BUG, text)
    sys.stdout.flush()
    if stdout.failure is not None and not isinstance(stdout.failure, BrokenPipeError):
        complain(f"the output could not be written to its end: {stdout.failure.strerror}")
        code = code or Exit.CANNOT
    return int(code)


async def _run(tokens: Sequence[str]) -> object:
    with INTERRUPTIONS.attached():
        # A lone `-` would be taken for an option; as a path `./-` is the same.
        given = ["./-" if each == "-" else each for each in tokens]
        _describe(given)
        return await app.run_async(given, exit_on_error=False, print_error=False)


def _describe(tokens: Sequence[str]) -> None:
    """Load the commands of the last one typed: help, or a mistake, says what each is for."""
    _, apps, _ = app.parse_commands([each for each in tokens if each not in app.help_flags])
    apps[-1].resolved_commands()


def _fail(tokens: Sequence[str], code: Exit, text: str) -> Exit:
    complain(text)
    if "--json" in tokens:
        print_json({"error": text, "exit_code": code.value})
    return code


def _usage(error: CycloptsError, tokens: Sequence[str]) -> str:
    """What is wrong with a command line, and where to read on."""
    command = " ".join(["hamsa", *(error.command_chain or ())])
    name = error.argument.name if error.argument is not None else ""
    option = name if name.startswith("-") else name.upper()
    match error:
        case MissingArgumentError():
            what = f"{option} needs a value" if option in tokens else f"{option} is needed"
        case RepeatArgumentError():
            what = f"{error.token.keyword} is given twice"
        case UnusedCliTokensError():
            what = f"too many arguments, from {(error.unused_tokens or [''])[0]!r} on"
        case UnknownCommandError():  # the list of all of them is where it says to read on
            what = str(error).partition(" Available commands")[0].rstrip(".")
        case _:
            what = str(error).rstrip(".")
    return f"{mask_text(what)}; see {command} --help"
