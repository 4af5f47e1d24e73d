"""A loop whose time passes only where nobody has anything to do, and processes that die in it.

Everything runs in one thread, in one order: what fails once fails again.
"""

import asyncio
import contextlib
import contextvars
import selectors
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import attrs

from hamsa_async.dialer.journal import sqlite as sqlite_journal
from hamsa_async.dialer.journal.schema import explained
from hamsa_async.dialer.journal.sql import transaction
from hamsa_async.errors import JournalError

MOMENT = 0.002  # seconds that a commit takes: long enough to die in


class _Selector(selectors.SelectSelector):
    """Waits for nothing: whenever there is nothing to do, it is later."""

    def __init__(self, loop: "VirtualLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            msg = "everybody waits for something that never comes"
            raise RuntimeError(msg)
        if not ready and timeout:
            self._loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. What would run in a thread runs at once, between two steps."""

    now = 0.0

    def __init__(self) -> None:
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def pass_time(self, seconds: float) -> None:
        """Let what runs run for so long."""
        self.run_until_complete(asyncio.sleep(seconds))


@attrs.define(eq=False)
class Process:
    """What dies as one: a dialer, its journal, its locks. The server goes on."""

    is_dead: bool = False
    journals: list[Any] = attrs.field(factory=list)

    def die(self, loop: VirtualLoop, *tasks: "asyncio.Task[Any]") -> None:
        """From this moment on it writes nothing and asks nothing; the system takes its locks."""
        self.is_dead = True
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        for journal in self.journals:
            for locks in (journal._locks, journal._single_calls):
                for lock in locks._held.values():
                    lock.release()
                locks._held.clear()
            loop.run_until_complete(journal.aclose())


PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("PROCESS")


class OneThreadWriter:
    """Groups writes as `GroupWriter` does, and can die before a commit and after it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._process = PROCESS.get()
        self._queue: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._working: asyncio.Task[None] | None = None
        self._broken: Exception | None = None
        connection.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here

    async def write(self, write: Callable[[sqlite3.Connection], Any]) -> Any:
        return await self.queue(write)

    def queue(self, write: Callable[[sqlite3.Connection], Any]) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((write, future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return future

    async def aclose(self) -> None:
        if self._working is not None:
            await asyncio.wait([self._working])
        self._connection.close()

    async def _work(self) -> None:
        while self._queue:
            group, self._queue = self._queue, []
            await asyncio.sleep(MOMENT)
            results = self._commit([write for write, _ in group])
            await asyncio.sleep(MOMENT)
            error = self._error()
            for place, (_, future) in enumerate(group):
                if future.done():
                    continue
                if error is None:
                    future.set_result(results[place])
                else:
                    future.set_exception(error)

    def _commit(self, writes: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        if self._error() is not None:
            return []
        try:
            with explained(self._path), transaction(self._connection):
                return [write(self._connection) for write in writes]
        except Exception as error:
            self._broken = error
            return []

    def _error(self) -> Exception | None:
        return JournalError("the process is dead") if self._process.is_dead else self._broken


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Meanwhile journals are opened that live in the loop's own thread."""
    opened = sqlite_journal.SqliteJournal.__init__

    def remember(journal: Any, *args: Any) -> None:
        opened(journal, *args)
        PROCESS.get().journals.append(journal)

    with (
        mock.patch.object(sqlite_journal, "GroupWriter", OneThreadWriter),
        mock.patch.object(sqlite_journal.SqliteJournal, "__init__", remember),
    ):
        yield
