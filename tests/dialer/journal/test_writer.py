"""The writer: many writes to a commit, in order, and none after one that failed."""

import asyncio
import sqlite3
import threading
from typing import Any

import pytest

from hamsa_async.dialer.journal.schema import open_database
from hamsa_async.dialer.journal.thread import ThreadedConnection, opened
from hamsa_async.dialer.journal.writer import GroupWriter
from hamsa_async.errors import JournalError


@pytest.fixture
async def writer(path: Any) -> Any:
    made = GroupWriter(open_database(path, create=True), path)
    await made.write(lambda connection: connection.execute("CREATE TABLE t (x)") and None)
    yield made
    await made.aclose()


def insert(value: int) -> Any:
    def write(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (value,))
        return value

    return write


async def test_writes_are_made_in_order_and_grouped(writer: Any, raw: Any) -> None:
    """What comes while a commit is under way is one commit together, in the order given."""
    before = raw.execute("PRAGMA data_version").fetchone()
    answers = await asyncio.gather(*(writer.write(insert(value)) for value in range(500)))
    assert answers == list(range(500))
    assert raw.execute("SELECT x FROM t ORDER BY rowid").fetchall() == [(x,) for x in range(500)]
    commits = raw.execute("PRAGMA data_version").fetchone()[0] - before[0]
    assert commits <= 3


async def test_a_write_whose_caller_left_is_made_before_later_ones(writer: Any, raw: Any) -> None:
    """Cancelling the caller does not take the write back, nor change its place."""
    left = asyncio.create_task(writer.write(insert(1)))
    await asyncio.sleep(0)
    left.cancel()
    await writer.write(insert(2))
    assert raw.execute("SELECT x FROM t ORDER BY rowid").fetchall() == [(1,), (2,)]
    assert left.cancelled()


async def test_after_a_failure_nothing_is_written(writer: Any, raw: Any) -> None:
    """A group fails as a whole, and everything after it too."""

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO nowhere VALUES (1)")

    ends = await asyncio.gather(
        writer.write(insert(1)),
        writer.write(fail),
        writer.write(insert(2)),
        return_exceptions=True,
    )
    assert all(isinstance(end, JournalError) for end in ends)
    assert "no such table: nowhere" in str(ends[1])
    with pytest.raises(JournalError, match="after it failed"):
        await writer.write(insert(3))
    assert raw.execute("SELECT x FROM t").fetchall() == []


async def test_a_failing_rollback_hangs_nobody(path: Any) -> None:
    """Whatever the connection does, each caller gets an answer."""

    class Broken:
        in_transaction = True

        def execute(self, statement: str) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        def close(self) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    writer = GroupWriter(Broken(), path)
    with pytest.raises(JournalError, match="the disk failed or is full"):
        await writer.write(insert(1))
    await writer.aclose()


async def test_closing_writes_what_is_queued(path: Any, raw: Any) -> None:
    """What was given before the close is on disk after it; nothing is taken any more."""
    writer = GroupWriter(open_database(path, create=True), path)
    raw.execute("CREATE TABLE t (x)")
    last = asyncio.create_task(writer.write(insert(1)))
    await asyncio.sleep(0)
    await writer.aclose()
    assert await last == 1
    with pytest.raises(JournalError, match="closed"):
        await writer.write(insert(2))
    assert raw.execute("SELECT x FROM t").fetchall() == [(1,)]


async def test_another_process_waits_for_the_lock(writer: Any, raw: Any) -> None:
    """A write waits while another connection has the lock, and does not fail."""
    raw.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(writer.write(insert(1)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    raw.execute("COMMIT")
    assert await waiting == 1


async def test_steps_of_a_thread_never_overlap(path: Any) -> None:
    """A step whose caller was cancelled comes to its end before the next, and before the close."""
    connection = await ThreadedConnection.open(
        lambda: open_database(path, create=True), path, name="test"
    )
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def slow(_: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()
        seen.append("slow")

    task = asyncio.create_task(connection.run(slow))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    following = asyncio.create_task(connection.run(lambda _: seen.append("next")))
    closing = asyncio.create_task(connection.aclose())
    await asyncio.sleep(0.02)
    assert seen == []
    go_on.set()
    await asyncio.gather(following, closing)
    assert seen == ["slow", "next"]
    with pytest.raises(JournalError, match="closed"):
        await connection.run(slow)
    await connection.aclose()


async def test_a_connection_that_nobody_waits_for_is_closed() -> None:
    """Cancelled while it opens, a connection is closed when it is there."""
    go_on, made = threading.Event(), []

    def connect() -> sqlite3.Connection:
        go_on.wait()
        made.append(sqlite3.connect(":memory:", check_same_thread=False))
        return made[0]

    task = asyncio.create_task(opened(connect))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    go_on.set()
    while not made:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")
