"""`journal check`: each rule finds what it is there for."""

import sqlite3
from typing import Any

import pytest

from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.examination import RULES

# What is spoiled, and the rule that says so; it may be that others say so as well.
SPOILED = {
    "UPDATE contacts SET state = 'asleep' WHERE id = 1": "contacts in a state that there is not",
    "UPDATE attempts SET state = 'asleep'": "attempts in a state that there is not",
    "UPDATE attempts SET campaign = 2": "attempts whose contact is not of their campaign",
    "UPDATE attempts SET phone_number = '+971500000000' WHERE id = (SELECT min(id) FROM"
    " attempts)": "attempts at another number than their contact's",
    "UPDATE contacts SET state = 'dialing' WHERE state = 'placed'": (
        "contacts that are dialing without an attempt that is intended"
    ),
    "UPDATE contacts SET state = 'unknown' WHERE state = 'placed'": (
        "contacts that are unknown without an attempt that is unknown"
    ),
    "UPDATE contacts SET state = 'review' WHERE state = 'placed'": (
        "contacts that are review without an attempt that is review"
    ),
    "UPDATE contacts SET call_id = 'another' WHERE state = 'placed'": (
        "contacts that are placed without an attempt that is placed with its call id"
    ),
    "UPDATE contacts SET state = 'done', outcome = 'completed' WHERE state = 'placed'": (
        "contacts that are done without an attempt that is ended with its outcome"
    ),
    "UPDATE contacts SET state = 'pending' WHERE state = 'unknown'": (
        "attempts that are unknown whose contact is not unknown"
    ),
    "UPDATE contacts SET state = 'pending' WHERE state = 'placed'": (
        "attempts that are placed whose contact is not placed"
    ),
    "UPDATE attempts SET state = 'intended' WHERE state = 'unknown'": (
        "attempts that are intended whose contact is not dialing"
    ),
    "UPDATE attempts SET state = 'review' WHERE state = 'unknown'": (
        "attempts that are review whose contact is not review"
    ),
    "UPDATE attempts SET state = 'ended' WHERE state = 'placed'": (
        "ended attempts without an outcome"
    ),
    "UPDATE attempts SET call_id = 'one'": "calls of more than one attempt",
    "UPDATE contacts SET state = 'deferred', due_at = NULL WHERE state = 'refused'": (
        "contacts that are deferred without a time"
    ),
    "UPDATE contacts SET state = 'retry', due_at = NULL WHERE state = 'refused'": (
        "contacts that are retry without a time"
    ),
    "UPDATE contacts SET attempts = attempts + 1 WHERE state = 'refused'": (
        "contacts whose number of attempts is not what was attempted"
    ),
    "DROP TRIGGER events_are_not_removed; DELETE FROM events WHERE kind = 'intended'": (
        "attempts that no event tells of"
    ),
    "UPDATE contacts SET contact_id = 'c', phone_number = 'forgotten:1' WHERE state = 'refused'": (
        "contacts that were forgotten and still hold something, or are to be called"
    ),
    "UPDATE contacts SET state = 'pending', erased_at = 1 WHERE state = 'refused'": (
        "contacts that were purged and are to be called"
    ),
}


@pytest.fixture
async def used(world: Any) -> Any:
    """A journal that has been through something, and is sound."""
    world.fake.faults.for_number(world.number(1), "drop_after")
    world.fake.faults.for_number(world.number(2), "status_400")
    await world.run(world.rows(6), concurrency=1)
    assert await world.problems() == []
    return world


@pytest.mark.parametrize("spoil", SPOILED)
async def test_each_rule_finds_what_breaks_it(
    used: Any, raw: sqlite3.Connection, spoil: str
) -> None:
    """A journal that is spoiled in one way is told so in words."""
    triggers = raw.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for statement in spoil.split("; "):
        raw.execute(statement)
    for (trigger,) in triggers:
        raw.execute(trigger.replace("CREATE TRIGGER", "CREATE TRIGGER IF NOT EXISTS"))
    assert any(SPOILED[spoil] in problem for problem in await used.problems())


async def test_two_open_attempts_at_a_number(used: Any, raw: sqlite3.Connection) -> None:
    """Without the index that forbids it, both the index and the attempts are missed."""
    raw.execute("DROP INDEX open_attempts")
    assert await used.problems() == ["it has no index open_attempts"]
    raw.execute("UPDATE attempts SET state = 'unknown', phone_number = '+971500000000'")
    raw.execute("CREATE INDEX open_attempts ON attempts (phone_number)")
    assert any("more than one open attempt" in problem for problem in await used.problems())


def test_every_rule_has_its_test() -> None:
    """A rule that nothing breaks proves nothing."""
    untested = {name for name, _ in RULES} - set(SPOILED.values())
    assert untested == {"numbers with more than one open attempt"}


async def test_a_damaged_file(used: Any, raw: sqlite3.Connection) -> None:
    """A page that was overwritten is found."""
    (page,) = raw.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'attempts_of_number'"
    ).fetchone()
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with used.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x0a" + b"\xff" * 60)
    async with await SqliteJournal.open(used.path) as journal:
        problems = await journal.problems()
    assert problems
    assert all("damaged" in problem for problem in problems)


async def test_what_returned_does_not_count_as_an_attempt(used: Any) -> None:
    """`attempts` counts placed, refused and unknown, not what came back to be called."""
    used.fake.faults.for_number(used.number(9), "status_429", count=1, retry_after="0.01")
    await used.run(used.rows(1, start=9), name="limited")
    assert await used.problems() == []
    counted = dict(used.ask("SELECT state, max(attempts) FROM contacts GROUP BY state"))
    assert counted == {"placed": 1, "refused": 1, "unknown": 1}
    assert used.ask("SELECT count(*) FROM attempts WHERE status = 429") == [(1,)]
