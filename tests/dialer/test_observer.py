"""How placed calls end: seen in sweeps of the list, written down once, tried again or not."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.dialer.journal.records import CallEnd
from hamsa_async.dialer.retries import Retries

LIST = "GET /v1/voice-agents/conversations/minimal-list"
HUNG = 30.0  # seconds; nothing here takes that long


async def _read(run: Any) -> None:
    async with asyncio.timeout(HUNG):
        async for _ in run:
            pass


class Clock:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def test_a_run_waits_for_the_ends(world: Any) -> None:
    """A run is over when every call has ended; each contact has its outcome."""
    world.fake.call_seconds = (0.05, 0.4)
    world.fake.outcomes = {"COMPLETED": 1, "FORWARDED": 1, "TERMINATED": 1}
    async with asyncio.timeout(HUNG):
        run, events = await world.run(world.rows(30), wait=True, concurrency=10)
    assert run.finish.ending is Ending.DONE
    assert run.counts == {ContactState.DONE: 30}
    told = Counter(event.data["outcome"] for event in events if event.kind is EventKind.ENDED)
    server = Counter(call.outcome.lower() for call in world.fake._calls.placed)
    assert told == server
    assert Counter(dict(world.ask("SELECT outcome, count(*) FROM contacts GROUP BY 1"))) == server
    await world.judge(30)


async def test_details_are_read_once_and_kept(world: Any) -> None:
    """Of each ended call duration, transcript and outcome are in the journal, asked for once."""
    world.calls_end()
    run, _ = await world.run(world.rows(8, name="سارة"), wait=True)
    asked = {route: n for route, n in world.fake.requests.items() if "/conversation/" in route}
    assert list(asked.values()) == [8]
    kept = world.ask("SELECT attempt, transcript, result FROM calls")
    assert len(kept) == 8
    for attempt, transcript, result in kept:
        assert "nobody calling" in transcript
        assert "سارة" in result
        assert attempt in result
    async with await SqliteJournal.open(world.path) as journal:
        rows = [row async for row in journal.rows(run.loaded.record.id)]
    assert {row.outcome for row in rows} == {"completed"}
    assert all(row.duration is not None and row.result["name"] == "سارة" for row in rows)
    assert "سارة" not in repr(rows)


async def test_one_look_is_for_all_open_calls(world: Any) -> None:
    """450 open calls cost three requests a look, not 450, and those that ended cost none later."""
    await world.run(world.rows(450), concurrency=30)
    world.fake.requests.clear()
    async with world.dialer(look_every=timedelta(hours=1)) as dialer:
        run = dialer.run(world.campaign(sweep=False), None)
        async with asyncio.timeout(HUNG):
            async for event in run:
                if event.kind is EventKind.WAITING:
                    while world.fake.requests[LIST] < 3:
                        await asyncio.sleep(0.01)
                    await asyncio.sleep(0.1)
                    run.stop()
    assert world.fake.requests[LIST] == 3
    assert run.finish.ending is Ending.INTERRUPTED
    assert run.counts == {ContactState.PLACED: 450}


async def test_interrupted_while_waiting_it_resumes(world: Any) -> None:
    """Stopped while it waits for ends, a run is resumable, and rings nobody again."""
    world.fake.outcomes = {"COMPLETED": 1}
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), world.rows(5))
        async with asyncio.timeout(HUNG):
            async for event in run:
                if event.kind is EventKind.WAITING:
                    assert event.data == {"reason": "calls_open", "live": 5, "unknown": 0}
                    run.stop("enough")
    assert run.finish.ending is Ending.INTERRUPTED
    assert run.counts == {ContactState.PLACED: 5}
    clock = Clock()
    clock.ahead = timedelta(seconds=700)
    world.fake.clock = clock
    async with asyncio.timeout(HUNG):
        run, _ = await world.run(wait=True)
    assert run.counts == {ContactState.DONE: 5}
    await world.judge(5)


async def test_without_waiting_calls_are_left_open(world: Any) -> None:
    """Told not to wait, a run ends with its calls open, and says so."""
    run, _ = await world.run(world.rows(3), wait=False)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.finish.reason == "calls_open"
    assert run.finish.next_at is None


async def test_live_calls_are_capped(world: Any) -> None:
    """No more calls are live at once than the campaign says, those from before included."""
    world.fake.call_seconds = (0.1, 0.3)
    world.fake.outcomes = {"COMPLETED": 1}
    world.fake.capacity = 4
    async with asyncio.timeout(HUNG):
        run, events = await world.run(world.rows(20), wait=True, concurrency=10, live_calls=4)
    assert run.counts == {ContactState.DONE: 20}
    # The server would have answered 429 to a fifth.
    assert EventKind.RETURNED not in {event.kind for event in events}
    live = most = 0
    for event in events:
        live += (event.kind is EventKind.PLACED) - (event.kind is EventKind.ENDED)
        most = max(most, live)
    assert most == 4
    await world.judge(20)


async def test_the_cap_counts_calls_from_before(world: Any) -> None:
    """Calls that an earlier run left open take up their places."""
    await world.run(world.rows(3), wait=False)
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(live_calls=4), world.rows(9), accept_changes=True)
        async with asyncio.timeout(HUNG):
            async for event in run:
                if event.kind is EventKind.PLACED:
                    await asyncio.sleep(0.2)
                    run.stop()
    assert len(world.fake.ledger.rings) == 4


async def test_a_cap_is_lifted_with_the_rate(world: Any) -> None:
    """Unpaced, calls are not capped unless that is asked for."""
    assert world.campaign().live_calls is None
    from hamsa_async.dialer import Campaign

    assert Campaign(name="x", voice_agent_id="a").live_calls == 10
    assert Campaign(name="x", voice_agent_id="a", rate=None).live_calls is None
    assert Campaign(name="x", voice_agent_id="a", rate=None, live_calls=3).live_calls == 3


async def test_a_list_that_cannot_be_read_for_a_while(world: Any) -> None:
    """Failed looks are told once and made good by the next; nothing is lost or guessed."""
    world.calls_end()
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(sweep=False), world.rows(4))
        world.fake.faults.next("status_404", on="read", count=3)
        run = dialer.run(loaded)
        async with asyncio.timeout(HUNG):
            kinds = [event.kind async for event in run]
    assert kinds.count(EventKind.LOOK_FAILED) == kinds.count(EventKind.LOOKED) == 1
    assert run.counts == {ContactState.DONE: 4}


async def test_an_end_that_nobody_sees_holds_nothing_for_ever(world: Any) -> None:
    """A call that shows no end is over when it can last no longer, and is not called again."""
    clock = Clock()
    async with world.dialer(clock=clock) as dialer:
        run = dialer.run(world.campaign(live_calls=2), world.rows(3))
        async with asyncio.timeout(HUNG):
            async for event in run:
                if event.kind is EventKind.PLACED:
                    # The agent's calls last 300 s at the most; the leeway is a quarter of an hour.
                    clock.ahead += timedelta(seconds=300 + 16 * 60)
    assert run.counts == {ContactState.DONE: 3}
    assert world.ask("SELECT DISTINCT outcome FROM contacts") == [("unseen",)]
    assert await world.problems() == []


async def test_the_lock_of_a_call_without_an_end_opens_by_time(world: Any) -> None:
    """Another campaign may call the number once the call cannot last any longer, and the gap."""
    await world.run(world.rows(1), name="first")
    run, _ = await world.run(world.rows(1), name="second")
    assert run.finish.reason == "number_open"
    clock = Clock()
    clock.ahead = timedelta(seconds=300) + timedelta(minutes=16)
    async with world.dialer(clock=clock) as dialer:
        run = dialer.run(world.campaign("second"), wait=False)
        async for _ in run:
            pass
        assert run.finish.reason == "min_gap"
        clock.ahead += timedelta(hours=1)
        run = dialer.run(world.campaign("second"), wait=False)
        async for _ in run:
            pass
        assert run.counts == {ContactState.PLACED: 1}
    assert world.ask("SELECT state, outcome FROM attempts ORDER BY intended_at") == [
        ("ended", "unseen"),
        ("placed", None),
    ]
    # The first campaign sees the truth later, and nobody is called for it.
    world.fake.clock = clock
    clock.ahead += timedelta(hours=1)
    run, _ = await world.run(name="first", wait=True)
    assert run.counts == {ContactState.DONE: 1}
    assert len(world.fake.ledger.rings) == 2


async def test_nobody_there_is_tried_again(world: Any) -> None:
    """Fresh contacts go first; whoever did not answer follows, each time a new attempt."""
    world.calls_end("NO_ANSWER")
    clock = Clock()
    rows = world.rows(3)
    async with world.dialer(clock=clock) as dialer:
        for expected in (1, 2, 3, 3):
            run = dialer.run(world.campaign(), rows, wait=False)
            async for _ in run:
                pass
            # Let the ends of these be seen, which no waiting run would stop at.
            run = dialer.run(world.campaign(), wait=True)
            async with asyncio.timeout(HUNG):
                async for event in run:
                    if event.kind is EventKind.WAITING and event.data["reason"] != "calls_open":
                        run.stop()
            assert len(world.fake.ledger.rings) == 3 * expected
            clock.ahead += timedelta(hours=5)
    assert run.counts == {ContactState.DONE: 3}
    assert world.ask("SELECT DISTINCT attempts, outcome FROM contacts") == [(3, "no_answer")]
    assert await world.problems() == []


async def test_a_retry_keeps_the_gap_and_the_list_out(world: Any) -> None:
    """A row that is gone from a new list is tried no more, and keeps its record."""
    world.calls_end("NO_ANSWER")
    rows, retried = world.rows(2), 0
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), rows)
        async with asyncio.timeout(HUNG):
            async for event in run:
                retried += event.kind is EventKind.RETRIED
                if retried == 2:
                    run.stop()
        assert run.counts == {ContactState.RETRY: 2}
        loaded = await dialer.load(world.campaign(), rows[:1], accept_changes=True)
        assert loaded.counts == {ContactState.RETRY: 1, ContactState.DONE: 1}
        # A list brings nobody back who was called.
        loaded = await dialer.load(
            world.campaign(), [{**row, "city": "Ajman"} for row in rows], accept_changes=True
        )
        assert loaded.counts == {ContactState.RETRY: 1, ContactState.DONE: 1}
    assert await world.problems() == []


async def test_an_end_that_comes_twice_or_late_changes_nothing(world: Any) -> None:
    """The first end that was seen counts; only one that was not seen gives way."""
    await world.run(world.rows(1))
    ((attempt, call_id),) = world.ask("SELECT id, call_id FROM attempts")
    retries = Retries.read(["no_answer: 1h"], max_attempts=3)

    def end(outcome: str) -> CallEnd:
        return CallEnd(call_id=call_id, outcome=outcome, ended_at=datetime.now(UTC))

    async with await SqliteJournal.open(world.path) as journal:
        (record,) = await journal.campaigns()

        async def write(outcome: str) -> Any:
            event = await journal.end_call(record.id, attempt, end(outcome), retries)
            return event and event.kind

        assert await write("unseen") is EventKind.ENDED
        assert await write("unseen") is None
        assert await write("no_answer") is EventKind.CORRECTED
        assert await write("completed") is None
    assert world.states() == {world.number(0): "done"}
    assert world.ask("SELECT outcome FROM contacts") == [("no_answer",)]
    assert await world.problems() == []


async def test_events_are_only_added(world: Any, raw: Any) -> None:
    """What happened to an attempt can be read again for ever: no event is changed or removed."""
    import sqlite3

    await world.run(world.rows(1))
    for statement in ("DELETE FROM events", "UPDATE events SET at = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="only added"):
            raw.execute(statement)


async def test_a_journal_that_cannot_write_an_end_stops_the_run(world: Any) -> None:
    """When an end cannot be written down nobody more is dialed, and the run says why."""
    from hamsa_async.errors import JournalError

    world.calls_end()

    async def refuse(*args: object) -> None:
        raise JournalError("the disk is full")

    async with await SqliteJournal.open(world.path) as journal:
        journal.end_call = refuse  # type: ignore[method-assign]
        async with world.dialer(journal=journal) as dialer:
            run = dialer.run(world.campaign(rate=20.0), world.rows(200))
            with pytest.raises(JournalError, match="the disk is full"):
                await _read(run)
    assert len(world.fake.ledger.rings) < 200
