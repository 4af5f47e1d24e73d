"""One thread that writes, and groups what it is given into one commit.

Callers wait for their write's commit, not for their turn: while one group is being synced to
disk the next one gathers. After each commit the file's lock is left free for a moment:
writers that commit back to back starve every other process.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from hamsa_async._pull import see_through
from hamsa_async.dialer.journal.schema import explained
from hamsa_async.dialer.journal.sql import transaction
from hamsa_async.errors import JournalError

T = TypeVar("T")

_BREATH: Final = 0.001  # seconds that the lock is left free after a commit

_Future = asyncio.Future[Any]
_Group = list[tuple[Callable[[sqlite3.Connection], Any], _Future]]
_Results = list[tuple[_Future, Any]]


class GroupWriter:
    """Runs writes on one connection, in the order given, many to a transaction.

    A write is a function of the connection. It must look before it writes: what it raises rolls
    back its whole group, and each write of the group then fails with it. Nothing is written
    after that: what cannot be written down must not be dialed.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Callable[[sqlite3.Connection], Any], _Future]] = deque()
        self._something = threading.Event()
        self._gathering = False
        self._closing = False
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="hamsa-journal", daemon=True)
        self._thread.start()

    async def write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Run a write; return once it is on disk (synced).

        Raises:
            JournalError: It could not be written, nor can anything after it.

        Cancellation:
            The write is made all the same, before all later ones; only its result is not
            waited for.
        """
        return await self.queue(write)

    def queue(self, write: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Take a write, to be made after all that were taken before; give its `write`."""
        future: asyncio.Future[T] = self._loop.create_future()
        if (refusal := self._refusal()) is not None:
            future.set_exception(refusal)
            return future
        self._queue.append((write, future))
        if not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._hand_over)
        return future

    def _refusal(self) -> JournalError | None:
        if self._broken is not None:
            # Whichever of several writers is heard first, the reason is the one that counts.
            refusal = JournalError(f"{self._broken}; nothing is written after it failed")
            refusal.__cause__ = self._broken
            return refusal
        return JournalError(f"journal {self._path}: it is closed") if self._closing else None

    def _hand_over(self) -> None:
        """Wake the thread when all have asked who do so in this turn of the loop.

        Answers come in bursts. Woken by the first of one, the thread would sync it alone.
        """
        self._gathering = False
        self._something.set()

    async def aclose(self) -> None:
        """Write what is queued, then end the thread and close the connection."""
        self._closing = True
        self._something.set()
        await see_through(asyncio.to_thread(self._thread.join))

    def _serve(self) -> None:
        while True:
            self._something.wait()
            self._something.clear()
            while self._queue:
                group = [self._queue.popleft() for _ in range(len(self._queue))]
                self._tell(*self._commit(group))
                time.sleep(_BREATH)
            if self._closing and not self._queue:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
                return

    def _commit(self, group: _Group) -> tuple[_Results, BaseException | None]:
        if self._broken is None:
            try:
                with explained(self._path), transaction(self._connection):
                    return [(future, write(self._connection)) for write, future in group], None
            except BaseException as error:  # noqa: BLE001 - handed to those who wait
                self._broken = error
        return [(future, None) for _, future in group], self._broken

    def _tell(self, results: _Results, error: BaseException | None) -> None:
        # The loop may be gone; then nobody waits for these.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_deliver, results, error)


def _deliver(results: _Results, error: BaseException | None) -> None:
    for future, result in results:
        if future.done():
            continue  # its caller has left
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
