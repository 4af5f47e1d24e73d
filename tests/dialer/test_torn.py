"""A journal whose last page was torn: by a power cut, or by a disk that had lied about it."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import ContactState, EventKind, SqliteJournal
from hamsa_async.errors import JournalError

SCRIPT = Path(__file__).with_name("dialing_process.py")
ROWS = 80
AT_ONCE = 6
PAGE = 4096
FRAME = 24 + PAGE  # of the write-ahead log: its header, and a page


async def killed_midway(world: Any) -> None:
    """Let a process dial, and kill it while calls are on their way."""
    world.fake.latency = (0.01, 0.02)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), world.fake.base_url, str(world.path), "eid"),
        *map(str, (0, ROWS, AT_ONCE)),
    )
    async with asyncio.timeout(60):
        while len(world.fake.ledger.rings) < ROWS // 2 and process.returncode is None:
            await asyncio.sleep(0.002)
    process.kill()
    await process.wait()


def tear_half_a_frame(log: bytearray) -> None:
    """The last page was written half."""
    del log[len(log) - FRAME // 2 :]


def spoil_the_last_frame(log: bytearray) -> None:
    """The last page is there, and is not what was written."""
    log[-PAGE // 2 :] = bytes(PAGE // 2)


def lose_many_frames(log: bytearray) -> None:
    """The disk said that it had them, and had not: what was synced is gone."""
    frames = (len(log) - 32) // FRAME
    del log[32 + FRAME * (frames - 30) :]


@pytest.mark.crash
@pytest.mark.parametrize("tear", [tear_half_a_frame, spoil_the_last_frame, lose_many_frames])
async def test_a_torn_log(world: Any, tear: Callable[[bytearray], None]) -> None:
    """It is sound up to the last commit that is whole; what came after is learnt of the server."""
    await killed_midway(world)
    log = world.path.with_name("journal.db-wal")
    content = bytearray(log.read_bytes())
    assert len(content) > 40 * FRAME
    tear(content)
    log.write_bytes(content)
    assert await world.problems() == []
    before = len(world.fake.ledger.rings)
    run, events = await world.run()
    assert run.counts.keys() <= {ContactState.PLACED, ContactState.UNKNOWN}
    assert len(world.fake.ledger.rings) > before
    if tear is lose_many_frames:
        kinds = [event.kind for event in events]
        assert EventKind.TAKEN_OVER in kinds
        assert kinds.count(EventKind.TAKEN_OVER) + kinds.count(EventKind.FOUND) > AT_ONCE
    await world.judge(ROWS)


async def test_a_torn_page_of_the_file(world: Any) -> None:
    """A page that is gone is said to be damaged, and nobody is called for it."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=2), world.rows(ROWS), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED and event.row == ROWS // 2:
                run.stop()
    size = world.path.stat().st_size
    assert not world.path.with_name("journal.db-wal").exists()
    posts = world.fake.ledger.posts
    backup = world.path.read_bytes()
    for spoiled in (backup[: size - PAGE // 2], _without_attempts(world, backup)):
        world.path.write_bytes(spoiled)
        with pytest.raises(JournalError, match="damaged"):
            await world.run()
        assert world.fake.ledger.posts == posts
        for end in ("-wal", "-shm"):
            world.path.with_name(world.path.name + end).unlink(missing_ok=True)
    world.path.write_bytes(backup)
    run, _ = await world.run()
    assert run.counts == {ContactState.PLACED: ROWS}
    await world.judge(ROWS)


def _without_attempts(world: Any, content: bytes) -> bytes:
    """The file with the first page of its attempts overwritten."""
    ((page,),) = world.ask("SELECT rootpage FROM sqlite_master WHERE name = 'attempts'")
    start = (page - 1) * PAGE
    return content[:start] + b"\x0a" * PAGE + content[start + PAGE :]


async def test_a_full_disk_in_the_middle_of_settling(world: Any) -> None:
    """Results that find no room are in doubt, and are found when there is room again."""
    world.calls_end()
    async with (
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=journal) as dialer,
    ):
        real, left = journal.settle, [5]

        async def settle(*args: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                journal._writer._connection.execute("PRAGMA max_page_count = 1")
            return await real(*args)

        journal.settle = settle
        # So many that the file must grow, whatever room its pages have left.
        run = dialer.run(world.campaign(concurrency=4), world.rows(100))
        with pytest.raises(JournalError, match="make room"):
            async for _ in run:
                pass
    assert 0 < len(world.fake.ledger.rings) < 100
    run, _ = await world.run(wait=True)
    assert run.counts == {ContactState.DONE: 100}
    await world.judge(100)
