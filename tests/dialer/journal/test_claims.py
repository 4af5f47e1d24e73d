"""The lock of a campaign's one dialer."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.claims import CampaignLocks
from hamsa_async.errors import CampaignRunningError, JournalError


def test_one_holder_at_a_time(path: Path) -> None:
    """A lock that is held is taken by nobody else, until it is let go."""
    mine, theirs = CampaignLocks(path), CampaignLocks(path)
    assert mine.take(1)
    assert not mine.take(1)
    assert not theirs.take(1)
    assert theirs.is_taken(1)
    assert mine.is_taken(1)
    assert theirs.take(2)
    mine.let_all_go()
    assert theirs.take(1)
    theirs.let_all_go()


def test_looking_is_not_holding(path: Path) -> None:
    """Whoever looks whether a campaign runs never keeps it from running."""
    looker, stop = CampaignLocks(path), threading.Event()

    def look() -> None:
        while not stop.is_set():
            looker.is_taken(1)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(200):
            locks = CampaignLocks(path)
            assert locks.take(1)
            locks.let_go(1)
    finally:
        stop.set()
        thread.join()


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder that takes no lock file is an error that says so."""
    (tmp_path / "journal.db.campaign-1.lock").mkdir()
    with pytest.raises(JournalError, match="cannot be locked"):
        CampaignLocks(tmp_path / "journal.db").take(1)


async def test_who_has_it(journal: Any, path: Path) -> None:
    """The error names the process that runs the campaign, and since when."""
    record = await journal.add_campaign("eid", {})
    await journal.claim(record)
    async with await SqliteJournal.open(path) as other:
        assert await other.is_claimed(record)
        with pytest.raises(CampaignRunningError, match=r"eid is being run by process .* since"):
            await other.claim(record)
        await journal.begin_run(record.id)
        with pytest.raises(CampaignRunningError, match=r"by process \d+ on .*, since \d{4}-"):
            await other.claim(record)
        await journal.release(record)
        assert not await other.is_claimed(record)
        await asyncio.gather(other.claim(record))
        # What a process that is gone left open is no run of the one that loads now.
        await other.campaign("eid")
        await other.recover(record.id)
        assert (await other.last_run(record.id)).reason == "crashed"


def test_the_holder_is_named(path: Path) -> None:
    """Whoever is turned away learns which process holds the lock, also after an earlier crash."""
    path.with_name(f"{path.name}.campaign-1.holder").write_text("process 1 on gone, since then")
    mine, theirs = CampaignLocks(path), CampaignLocks(path)
    assert mine.take(1)
    assert f"process {os.getpid()} on " in theirs.holder(1)
    assert theirs.holder(2) == "another process"
    mine.let_all_go()
    assert theirs.holder(1) == "another process"
