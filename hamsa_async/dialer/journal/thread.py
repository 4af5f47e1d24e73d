"""A connection with a thread of its own: steps run one after the other, whoever waits for them."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from hamsa_async._pull import see_through
from hamsa_async.dialer.journal.schema import explained
from hamsa_async.errors import JournalError

T = TypeVar("T")

BREATH: Final = 0.005
"""Seconds between transactions of long work: others look for the lock now and then."""


async def opened(connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """Open a connection in a thread.

    Cancellation:
        At once; the connection is closed when it is there.
    """
    opening = asyncio.get_running_loop().run_in_executor(None, connect)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise


def _close_late(opening: "asyncio.Future[sqlite3.Connection]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class ThreadedConnection:
    """Runs steps on a connection, in a thread, in the order given.

    A connection must not be used by two threads at once, nor closed under one that uses it.
    So a caller who is cancelled leaves its step behind, and the next one waits for it.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, name: str) -> None:
        self._connection = connection
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._closed = False

    @classmethod
    async def open(
        cls, connect: Callable[[], sqlite3.Connection], path: Path, *, name: str
    ) -> Self:
        """Open a connection, and give it a thread."""
        return cls(await opened(connect), path, name=name)

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run a step.

        Raises:
            JournalError: SQLite or the system refused.

        Cancellation:
            At once. A step that has begun comes to its end.
        """
        if self._closed:
            raise JournalError(f"journal {self._path}: it is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._explained, step)

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """Run a query and give its rows."""
        return await self.run(lambda connection: connection.execute(query, values).fetchall())

    def _explained(self, step: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self._path):
            return step(self._connection)

    async def aclose(self) -> None:
        """Close the connection behind the last step."""
        if self._closed:
            return
        self._closed = True
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        await see_through(closing)

    def _close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
