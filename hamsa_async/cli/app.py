"""The commands, put together, and what becomes of their errors."""

import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from hamsa_async import __version__
from hamsa_async.cli import call, campaign, fake, journal
from hamsa_async.cli.exits import Exit, before_dialing
from hamsa_async.cli.output import complain
from hamsa_async.errors import HamsaError

app = App(
    name="hamsa",
    help="Outbound calls by Hamsa's voice agents: nobody is rung twice, nobody is lost.",
    version=__version__,
    help_epilogue=(
        "The key is read from HAMSA_API_KEY or HAMSA_API_KEY_FILE, the server from"
        " HAMSA_BASE_URL or HAMSA_REGION (eu, uae)."
    ),
    result_action="return_value",
)
app.command(call.call)
app.command(campaign.app)
app.command(journal.app)
app.command(fake.fake)


def run_command(tokens: Sequence[str]) -> int:
    """Run a command line; give its exit code. Errors are one line on stderr."""
    try:
        ended = asyncio.run(_run(tokens))
    except CycloptsError as error:
        complain(f"{error} See hamsa --help.")
        return Exit.CANNOT
    except HamsaError as error:
        complain(str(error))
        return before_dialing(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        complain("ended at once; running it again resumes")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; nothing more can be said there.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.CANNOT
    except Exception:  # noqa: BLE001 - the last resort: a defect of ours
        traceback.print_exc()
        complain("a defect of this program; what was dialed is in the journal. Please report it")
        return Exit.OUR_BUG
    return int(ended) if isinstance(ended, int) else 0


async def _run(tokens: Sequence[str]) -> object:
    return await app.run_async(list(tokens), exit_on_error=False, print_error=False)
