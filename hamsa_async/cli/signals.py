"""What SIGINT, SIGTERM and SIGHUP do, from the first import to the last line.

The first of them asks: whoever listens winds up. A second Ctrl-C ends the process at once,
whatever it is doing: the journal is made for that. Only Ctrl-C is heard twice: a supervisor or a
closing terminal often says the others more than once. A signal that was ignored when we were
started (`nohup`, a shell's background job) stays ignored.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NoReturn

INTERRUPTED: Final = 130
"""The exit code of what was interrupted."""

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_ECHO: Final = 0.2  # seconds in which the same Ctrl-C may be delivered twice (by a parent, say)
_UNWINDING: Final = 10.0  # seconds that a command gets to end after it was cancelled
_SHOW_CURSOR: Final = b"\x1b[?25h"
_LAST_WORDS: Final = "ended at once; what was in flight counts as unknown when it is run again"


class Interruptions:
    """The process's ear for signals. There is one: `install` begins to listen."""

    def __init__(self) -> None:
        self._first_at: float | None = None
        self._listener: Callable[[str], None] | None = None
        self._gentle: Callable[[str], None] | None = None
        self._last_acts: list[Callable[[], None]] = []
        self._last_words, self._last_code = _LAST_WORDS, INTERRUPTED

    def install(self) -> None:
        """Begin to listen. Until a loop is attached there is nothing to wind up: we just leave."""
        self._set(self._hear)

    def ignore(self) -> None:
        """Listen no more, and let nothing happen: the command is over."""
        self._set(signal.SIG_IGN)

    def _set(self, handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)

    @property
    def heard(self) -> bool:
        """Whether somebody has asked to wind up."""
        return self._first_at is not None

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """From here on a signal cancels this task, unless somebody asked to be told instead."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def deliver(name: str) -> None:
            if self._gentle is None:
                task.cancel()
                # A thread that reads a pipe in which nothing comes cannot be cancelled.
                loop.call_later(_UNWINDING, self._end_at_once)
            else:
                self._gentle(name)

        def listen(name: str) -> None:
            loop.call_soon_threadsafe(deliver, name)

        self._listener = listen
        try:
            yield
        finally:
            self._listener = _nothing_left_to_stop

    @contextlib.contextmanager
    def told_to(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Meanwhile the first signal is told to a listener, by name; nothing is cancelled."""
        self._gentle = listener
        try:
            yield
        finally:
            self._gentle = None

    @contextlib.contextmanager
    def ends_with(self, last_words: str, code: int = INTERRUPTED) -> Iterator[None]:
        """Meanwhile ending at once is told so, and gives this exit code."""
        before = self._last_words, self._last_code
        self._last_words, self._last_code = last_words, code
        try:
            yield
        finally:
            self._last_words, self._last_code = before

    @contextlib.contextmanager
    def last_act(self, act: Callable[[], None]) -> Iterator[None]:
        """Meanwhile this is done also when the process ends at once."""
        self._last_acts.append(act)
        try:
            yield
        finally:
            self._last_acts.remove(act)

    def _hear(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self._first_at is not None:
            if number == signal.SIGINT and now - self._first_at > _ECHO:
                self._end_at_once()
            return
        self._first_at = now
        if self._listener is None:
            _leave("interrupted before anything was done", INTERRUPTED)
        else:
            self._listener(signal.Signals(number).name)

    def _end_at_once(self) -> None:
        # No stack is unwound and no stream is flushed: whatever hangs could hang there as well.
        for act in self._last_acts:
            with contextlib.suppress(Exception):
                act()
        _leave(self._last_words, self._last_code)


def _leave(last_words: str, code: int) -> NoReturn:
    """End the process here and now."""
    with contextlib.suppress(OSError):
        line = f"hamsa: {last_words}\n".encode()
        os.write(2, (_SHOW_CURSOR + b"\n" if os.isatty(2) else b"") + line)
    os._exit(code)


def _nothing_left_to_stop(_: str) -> None:
    """The command is over; its code says how."""


INTERRUPTIONS: Final = Interruptions()
