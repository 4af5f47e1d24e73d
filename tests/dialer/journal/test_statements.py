"""What the statements of a dial make SQLite do, as SQLite explains it."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer.journal import dialing, ending, sqlite
from hamsa_async.dialer.journal.schema import open_database

WRITES = {
    "intend": dialing._INTEND,
    "dial": dialing._DIAL,
    "settle_attempt": dialing._SETTLE_ATTEMPT,
    "settle_contact": dialing._SETTLE_CONTACT,
    "event": dialing._EVENT,
    "end": ending._MOVE,
}


def explained(path: Path, statement: str) -> list[str]:
    with contextlib.closing(open_database(path, create=True)) as connection:
        values = (None,) * statement.count("?")
        return [row[1] for row in connection.execute(f"EXPLAIN {statement}", values)]


@pytest.mark.parametrize("name", WRITES)
def test_a_write_builds_no_table(tmp_path: Path, name: str) -> None:
    """No write of a dial makes a table of its own on the way: that cost a third of them all."""
    steps = explained(tmp_path / "journal.db", WRITES[name])
    assert "OpenEphemeral" not in steps


async def test_open_attempts_are_found_by_their_index(journal: Any) -> None:
    """What is open is read without a look at every attempt that ever was."""
    plan = await journal._reader.fetch(f"EXPLAIN QUERY PLAN {ending._OPEN}", 1)
    assert [row[3] for row in plan] == ["SCAN attempts USING INDEX open_attempts"]


@pytest.mark.parametrize(
    "statement",
    [
        sqlite._REPORT,
        sqlite._ATTEMPTS,
        sqlite._EVENTS,
        f"{sqlite._CANDIDATE} WHERE {sqlite._RANG}",
    ],
)
async def test_a_page_is_read_where_the_last_one_ended(journal: Any, statement: str) -> None:
    """No page sorts what follows it: a list of a million has a thousand of them."""
    values = (1,) * statement.count("?")
    plan = await journal._reader.fetch(f"EXPLAIN QUERY PLAN {statement}", *values)
    assert "USE TEMP B-TREE FOR ORDER BY" not in [row[3] for row in plan]
