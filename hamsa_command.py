"""The console script `hamsa`: hears Ctrl-C before the package is there to hear it better.

It stands beside the package, not in it: a package's own imports come before any module of its,
and take half a second, in which an impatient person would get a traceback.
"""

import os
import signal
from types import FrameType

_INTERRUPTED = 130
_LAST_WORDS = b"hamsa: interrupted before anything was done\n"


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End the process here and now: there is nothing yet to wind up."""
    try:
        os.write(2, _LAST_WORDS)
    finally:
        os._exit(_INTERRUPTED)


def main() -> None:
    """Run the command and exit with its code."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What was ignored when we were started (`nohup`, a shell's background job) stays so.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    from hamsa_async.cli import main as run  # noqa: PLC0415 - heard from here on

    run()
