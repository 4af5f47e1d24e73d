"""A campaign proved after the fact, and each thing that must not be found out."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import AttemptState, SqliteJournal
from hamsa_async.dialer.book import STATES_AFTER
from hamsa_async.dialer.verify import Verification, verify
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

ONE_A_DAY = """
name = "one_a_day"
title = "A test's"
version = "1"
covers = "anywhere"

[[cap]]
calls = 1
per = "24 hours"
"""


async def prove(world: Any) -> Verification:
    async with await SqliteJournal.open(world.path) as journal:
        record = await journal.campaign("eid")
        rows = sum((await journal.counts(record.id)).values())
        return await verify(journal, record, world.hamsa.conversations, rows=rows)


async def test_a_campaign_that_is_as_it_must_be(world: Any) -> None:
    """All rows, all calls, by day; nothing is found."""
    world.calls_end()
    world.fake.faults.for_number(world.number(1), "status_400")
    await world.run(world.rows(6), wait=True)
    proved = await prove(world)
    assert proved.findings == []
    assert proved.foreign == []
    assert proved.calls == 5
    (day,) = proved.days.values()
    assert (day.attempts, day.calls, dict(day.outcomes)) == (6, 5, {"completed": 5})


async def test_costs_add_up_by_day(world: Any, raw: sqlite3.Connection) -> None:
    """Tenths are tenths: what conversations say, and started minutes where they say nothing."""
    world.calls_end()
    await world.run(world.rows(6), wait=True, price_per_minute="0.1")
    raw.execute("UPDATE calls SET cost = 0.1 WHERE rowid % 2")
    raw.execute("UPDATE calls SET duration = 61 WHERE cost IS NULL")
    proved = await prove(world)
    assert proved.findings == []
    (day,) = proved.days.values()
    assert day.cost == Decimal("0.9")
    (shown,) = proved.as_json()["days"].values()
    assert shown["cost"] == "0.9"
    # An attempt that is in no day.
    raw.execute("UPDATE attempts SET contact = 99 WHERE id = (SELECT attempt FROM calls LIMIT 1)")
    assert any("the days cost" in finding for finding in (await prove(world)).findings)


async def test_a_call_that_nobody_wrote_down(world: Any) -> None:
    """A call that carries an attempt's reference, and is not that attempt's, rang all the same."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before", count=1)
    await world.run(world.rows(3), concurrency=1)
    ((attempt,),) = world.ask("SELECT id FROM attempts WHERE state = 'unknown'")
    async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as late:
        await late.voice_agents.call(
            to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID, reference=attempt
        )
    (finding,) = (await prove(world)).findings
    assert "that phone rang" in finding
    assert world.number(0) not in finding


async def test_somebody_elses_call_is_named(world: Any) -> None:
    """A call to one of the numbers that carries nothing of ours is named, and no finding."""
    world.calls_end()
    await world.run(world.rows(2), wait=True)
    call = await world.hamsa.voice_agents.call(
        to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID
    )
    proved = await prove(world)
    assert proved.findings == []
    assert proved.foreign == [call.id]


async def test_a_call_that_the_server_does_not_have(world: Any, raw: sqlite3.Connection) -> None:
    """What the journal calls placed must be on the server."""
    await world.run(world.rows(2))
    raw.execute(
        "UPDATE attempts SET call_id = 'nowhere' WHERE phone_number = ?", (world.number(0),)
    )
    raw.execute(
        "UPDATE contacts SET call_id = 'nowhere' WHERE phone_number = ?", (world.number(0),)
    )
    findings = (await prove(world)).findings
    assert any(
        "nowhere" in finding and "not in the server's list" in finding for finding in findings
    )


async def test_two_calls_at_once(world: Any, raw: sqlite3.Connection) -> None:
    """A number that was called again before its call had ended is found."""
    world.calls_end()
    await world.run(world.rows(1), wait=True)
    raw.execute(
        "INSERT INTO attempts (id, campaign, contact, phone_number, state, intended_at, outcome)"
        " SELECT 'att_zzz', campaign, contact, phone_number, 'ended', intended_at, 'completed'"
        " FROM attempts"
    )
    findings = (await prove(world)).findings
    assert any("had ended" in finding for finding in findings)


async def test_a_call_without_a_number_that_carries_our_reference(world: Any) -> None:
    """A row whose number cannot be read may be a ring of ours all the same."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before", count=1)
    await world.run(world.rows(1), concurrency=1)
    ((attempt,),) = world.ask("SELECT id FROM attempts WHERE state = 'unknown'")
    world.fake.null_numbers = {world.number(0)}
    await world.hamsa.voice_agents.call(
        to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID, reference=attempt
    )
    (finding,) = (await prove(world)).findings
    assert "that phone rang" in finding
    assert world.number(0) not in finding


def again(raw: sqlite3.Connection, attempt: str, millis: int) -> None:
    """Write down one more call to whoever was called, so long after the first, with its events."""
    raw.execute(
        "INSERT INTO attempts (id, campaign, contact, phone_number, state, intended_at, ended_at,"
        " outcome) SELECT ?, campaign, contact, phone_number, 'ended', intended_at + ?,"
        " ended_at + ?, outcome FROM attempts WHERE id LIKE 'att_0%'",
        (attempt, millis, millis),
    )
    raw.executemany(
        "INSERT INTO events (at, kind, campaign, contact, attempt) SELECT 0, ?, campaign, contact,"
        " ? FROM attempts WHERE id = ?",
        [(kind, attempt, attempt) for kind in ("intended", "placed", "ended")],
    )
    raw.execute("UPDATE contacts SET attempts = attempts + 1")


@pytest.mark.parametrize(
    ("minutes", "policy", "words"),
    [
        ((30,), "none", ["min_gap"]),
        ((61, 122), "none", []),
        ((61, 122), "one_a_day", ["cap_24_hours", "cap_24_hours"]),
        ((24 * 60 + 1,), "one_a_day", []),
    ],
)
async def test_a_number_that_was_rung_beyond_its_cap(
    world: Any, raw: sqlite3.Connection, minutes: Sequence[int], policy: str, words: list[str]
) -> None:
    """Each call that came too early is found, and the rule that was against it is named."""
    pack = world.path.with_name("one_a_day.toml")
    pack.write_text(ONE_A_DAY, encoding="utf-8")
    world.calls_end()
    await world.run(world.rows(1), wait=True, policy=str(pack) if policy == "one_a_day" else policy)
    for place, later in enumerate(minutes):
        again(raw, f"att_later{place}", later * 60_000)
    findings = (await prove(world)).findings
    assert [finding.split("against ")[1].split()[0] for finding in findings] == words
    assert all(world.number(0) not in finding for finding in findings)


async def test_a_call_of_others_counts(world: Any, raw: sqlite3.Connection) -> None:
    """Whoever called a number: less than the gap later it was called too early."""
    world.calls_end()
    await world.run(world.rows(1), wait=True)
    call = await world.hamsa.voice_agents.call(
        to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID
    )
    raw.execute("UPDATE attempts SET intended_at = intended_at + 60000")
    proved = await prove(world)
    assert proved.foreign == [call.id]
    (finding,) = proved.findings
    assert "min_gap" in finding


async def test_a_call_that_was_taken_over_is_nobodys_breach(world: Any) -> None:
    """Others called twice within the gap; one of their calls is the contact's. We did nothing."""
    world.calls_end()
    for _ in range(2):
        await world.hamsa.voice_agents.call(to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID)
    await world.run(world.rows(1), wait=True)
    assert world.ask("SELECT count(*) FROM events WHERE kind = 'taken_over'") == [(1,)]
    proved = await prove(world)
    assert (proved.findings, len(proved.foreign)) == ([], 1)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("UPDATE attempts SET state = 'refused', outcome = NULL", "events lead to ended"),
        (
            (
                "INSERT INTO events (at, kind, campaign, contact, attempt) SELECT 0, 'lost',"
                " campaign, contact, id FROM attempts"
            ),
            "cannot be after ended",
        ),
    ],
)
async def test_an_attempt_that_is_not_where_its_events_lead(
    world: Any, raw: sqlite3.Connection, spoil: str, words: str
) -> None:
    """The events, which are only added to, prove where each attempt must be."""
    world.calls_end()
    await world.run(world.rows(1), wait=True)
    assert (await prove(world)).findings == []
    raw.execute(spoil)
    assert any(words in finding for finding in (await prove(world)).findings)


def test_every_event_about_an_attempt_has_its_state() -> None:
    """Each state can be reached by an event, and each event leads to states that there are."""
    assert frozenset().union(*STATES_AFTER.values()) == frozenset(AttemptState)
