"""What was last said of a campaign's pace, and how it is found."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import EventKind, SqliteJournal
from hamsa_async.dialer.journal.sqlite import _LAST_PACE

FROZEN = Path(__file__).resolve().parents[2] / "journals" / "v3.db"


async def test_the_last_word_of_each_campaign(journal: SqliteJournal) -> None:
    """Nothing, where nothing was said; else the newest, whatever was said since of other things."""
    one, other = [await journal.add_campaign(name, {}) for name in ("one", "other")]
    assert await journal.last_pace(one.id) is None
    for rate in (1.0, 2.0):
        await journal.note(one.id, EventKind.PACED, {"rate": rate})
    await journal.note(other.id, EventKind.PACED, {"rate": 9.0})
    await journal.note(one.id, EventKind.WAITING, {})
    last = await journal.last_pace(one.id)
    assert last is not None
    assert (last.kind, last.campaign, last.data) == (EventKind.PACED, "one", {"rate": 2.0})


@pytest.mark.parametrize("was", ["new", "version 3"])
async def test_it_is_found_without_reading_all_events(path: Path, was: str) -> None:
    """A million calls are four million events; also in a journal that an earlier version made."""
    if was == "version 3":
        path.write_bytes(FROZEN.read_bytes())
    async with await SqliteJournal.open(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        plan: list[Any] = connection.execute(f"EXPLAIN QUERY PLAN {_LAST_PACE}", (1,)).fetchall()
    (way,) = [line[3] for line in plan if " e " in f"{line[3]} "]
    assert "USING INDEX paces" in way
