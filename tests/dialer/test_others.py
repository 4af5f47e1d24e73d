"""Calls that others placed: nobody is called again for what this journal does not know."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import ContactState, EventKind, SqliteJournal
from hamsa_async.dialer.journal.schema import MIGRATIONS, open_database
from hamsa_async.dialer.single import single_call
from hamsa_async.dialer.verify import verify
from hamsa_async.errors import CampaignError
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

LIST = "GET /v1/voice-agents/conversations/minimal-list"
OTHER_AGENT = "5d1a0c3e-0f9b-4f0e-8f6a-b5b0f1a6c7d2"


async def read(run: Any) -> None:
    async with asyncio.timeout(60):
        async for _ in run:
            pass


async def call(world: Any, place: int, agent: str = OTHER_AGENT) -> None:
    """Somebody else calls one of our numbers."""
    world.fake.agents.setdefault(agent, {})
    async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as other:
        await other.voice_agents.call(to_number=world.number(place), voice_agent_id=agent)


async def test_an_older_copy_of_the_journal_rings_nobody_again(world: Any, tmp_path: Any) -> None:
    """Restored from before, a journal learns from the server whom it has called since."""
    copy = tmp_path / "copy.db"
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=2), world.rows(40), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED and len(world.fake.ledger.rings) >= 8:
                if not copy.exists():
                    await dialer.journal.back_up(copy)
                if len(world.fake.ledger.rings) >= 30:
                    run.stop()
    rung = len(world.fake.ledger.rings)
    assert rung < 40
    for end in ("", "-wal", "-shm"):
        world.path.with_name(world.path.name + end).unlink(missing_ok=True)
    copy.rename(world.path)
    run, events = await world.run()
    assert run.counts == {ContactState.PLACED: 40}
    assert len(world.fake.ledger.rings) == 40
    kinds = [event.kind for event in events]
    assert kinds.count(EventKind.TAKEN_OVER) + kinds.count(EventKind.FOUND) >= 15
    await world.judge(40)


async def test_a_journal_that_is_lost_rings_nobody_again(world: Any) -> None:
    """With no journal at all, the same list and agent call those that were not called yet."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), world.rows(30), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED and len(world.fake.ledger.rings) >= 10:
                run.stop()
    for file in world.path.parent.glob("journal.db*"):
        file.unlink()
    run, _ = await world.run(world.rows(30), name="anew")
    assert run.counts == {ContactState.PLACED: 30}
    await world.judge(30)


async def test_two_journals_side_by_side(world: Any) -> None:
    """One after the other, and the first again: each learns what the other has called meanwhile."""
    first, second = world.path, world.path.with_name("second.db")

    async def dial(path: Any, until: int) -> Any:
        async with world.dialer(journal=path) as dialer:
            run = dialer.run(world.campaign(concurrency=2), world.rows(40), wait=False)
            async for event in run:
                if event.kind is EventKind.PLACED and len(world.fake.ledger.rings) >= until:
                    run.stop()
        return run

    await dial(first, 10)
    await dial(second, 25)
    await dial(first, 33)
    ends = [await dial(path, 40) for path in (second, first)]
    assert [run.counts for run in ends] == [{ContactState.PLACED: 40}] * 2
    assert len(world.fake.ledger.rings) == 40
    await world.judge(40)
    world.path = second
    await world.judge(40)


async def test_two_journals_in_the_same_moment_are_told_of(world: Any) -> None:
    """Neither knows of the other's calls then: people ring twice, and `verify` names the calls."""
    world.calls_end()
    second = world.path.with_name("second.db")
    async with world.dialer() as dialer, world.dialer(journal=second) as other:
        for each in (other, dialer):  # as if both had looked before either dialed
            await read(each.run(world.campaign(sweep=False), world.rows(3)))
        record = await dialer.journal.campaign("eid")
        proved = await verify(dialer.journal, record, world.hamsa.conversations, rows=3)
    own = {call_id for (call_id,) in world.ask("SELECT call_id FROM attempts")}
    strangers = {ring.call_id for ring in world.fake.ledger.rings} - own
    assert len(strangers) == 3
    assert set(proved.foreign) == strangers


async def test_a_call_by_another_agent_holds_the_number(world: Any) -> None:
    """A colleague's call keeps the number closed while it may last, and for the gap after it."""
    await call(world, 0)
    await call(world, 1)
    run, events = await world.run(world.rows(3))
    assert run.counts == {ContactState.PLACED: 1, ContactState.DEFERRED: 2}
    held = {event.data["reason"] for event in events if event.kind is EventKind.DEFERRED}
    assert held == {"number_open"}
    later = datetime.now(UTC) + timedelta(minutes=20)
    world.fake.clock = lambda: later
    async with world.dialer(clock=lambda: later) as dialer:
        run = dialer.run(world.campaign(), wait=False)
        events = [event async for event in run]
    assert {event.data["reason"] for event in events if event.kind is EventKind.DEFERRED} == {
        "min_gap"
    }
    late = datetime.now(UTC) + timedelta(minutes=90)
    world.fake.clock = lambda: late
    async with world.dialer(clock=lambda: late) as dialer:
        run = dialer.run(world.campaign(), wait=False)
        async for _ in run:
            pass
    assert len(world.fake.ledger.rings_of(world.number(0))) == 2
    assert await world.problems() == []


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_server_whose_clock_is_off(world: Any, hours: int) -> None:
    """The gap after somebody else's call is counted by our clock, whatever the server's says."""
    world.fake.clock = lambda: datetime.now(UTC) + timedelta(hours=hours)
    world.fake._clock._latest = world.fake.clock()  # or it would stand still for an hour
    world.calls_end()
    await call(world, 0)
    run, events = await world.run(world.rows(2))
    assert run.counts == {ContactState.PLACED: 1, ContactState.DEFERRED: 1}
    (deferred,) = [event for event in events if event.kind is EventKind.DEFERRED]
    until = datetime.fromisoformat(deferred.data["until"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=3)


async def test_the_next_look_begins_where_the_last_one_ended(world: Any) -> None:
    """A journal looks a week back once, and from then on from its last look minus an hour."""
    asked = []
    real = world.hamsa.conversations.list

    class Client:
        config = world.hamsa.config
        projects = world.hamsa.projects
        voice_agents = world.hamsa.voice_agents

        class conversations:  # noqa: N801
            get = world.hamsa.conversations.get

            @staticmethod
            def list(**query: Any) -> Any:
                asked.append(query["start_time"])
                return real(**query)

    now = datetime.now(UTC)
    await world.run(world.rows(1), client=Client)
    await world.run(name="another", contacts=world.rows(1, start=5), client=Client)
    # The sweeps for the ends of calls have another page in view.
    back = [now - moment for moment in asked]
    assert timedelta(days=7) - timedelta(minutes=1) < back[0] < timedelta(days=7, minutes=1)
    assert any(timedelta(minutes=55) < each < timedelta(minutes=65) for each in back[1:])
    async with await SqliteJournal.open(world.path) as journal:
        begin, end = await journal.looked()
    assert now - begin > timedelta(days=6)
    assert abs(end - now) < timedelta(minutes=2)


async def test_a_list_that_cannot_be_read_starts_no_run(world: Any) -> None:
    """Nobody is dialed blindly, unless that is asked for."""
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(), world.rows(3))
        world.fake.faults.next("status_404", on="read", count=9)
        with pytest.raises(CampaignError, match="--no-sweep"):
            await read(dialer.run(loaded, wait=False))
    assert world.fake.ledger.posts == 0
    assert world.ask("SELECT ending FROM runs") == [("interrupted",)]
    world.fake.faults.clear()
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(sweep=False))
        world.fake.requests.clear()
        async for _ in dialer.run(loaded, wait=False):
            pass
    assert len(world.fake.ledger.rings) == 3


async def test_many_calls_of_others(world: Any) -> None:
    """More than a page of them is read to the end."""
    for place in range(230):
        world.fake.agents.setdefault(OTHER_AGENT, {})
        await world.hamsa.voice_agents.call(
            to_number=world.number(place), voice_agent_id=OTHER_AGENT
        )
    run, _ = await world.run(world.rows(231))
    assert run.counts == {ContactState.PLACED: 1, ContactState.DEFERRED: 230}
    assert len(world.fake.ledger.rings) == 231


@pytest.mark.parametrize("first", ["another campaign", "a single call"])
async def test_whoever_looks_first_takes_nothing_from_the_others(
    world: Any, tmp_path: Any, first: str
) -> None:
    """After an older copy is restored, a look for one campaign serves those that run later."""
    copy = tmp_path / "copy.db"
    hours_ago = datetime.now(UTC) - timedelta(hours=3)
    world.fake.clock = lambda: hours_ago
    world.fake._clock._latest = hours_ago  # or it would stand still
    async with world.dialer(clock=lambda: hours_ago) as dialer:
        loaded = await dialer.load(world.campaign("late", retries=()), world.rows(4))
        await dialer.load(world.campaign("early"), world.rows(1, start=9))
        await dialer.journal.back_up(copy)
        await read(dialer.run(loaded, wait=False))
    for end in ("", "-wal", "-shm"):
        world.path.with_name(world.path.name + end).unlink(missing_ok=True)
    copy.rename(world.path)
    world.fake.clock = lambda: datetime.now(UTC)
    if first == "another campaign":
        await world.run(name="early")
    else:
        async with await SqliteJournal.open(world.path) as journal, single_call(journal) as single:
            await single.look_first(world.hamsa.conversations, FAKE_AGENT_ID)
    run, events = await world.run(name="late", retries=())
    assert set(run.counts) <= {ContactState.PLACED, ContactState.DONE}
    assert [event.kind for event in events].count(EventKind.TAKEN_OVER) == 4
    assert not world.fake.ledger.rung_twice()
    assert await world.problems() == []


async def test_a_call_of_long_ago_is_nobodys(world: Any) -> None:
    """What was noted more than a week ago is not taken for the call of a contact of today."""
    long_ago = datetime.now(UTC) - timedelta(days=8)
    world.fake.clock = lambda: long_ago
    world.fake._clock._latest = long_ago  # or it would stand still
    await call(world, 0, FAKE_AGENT_ID)
    async with world.dialer(clock=lambda: long_ago + timedelta(hours=2)) as dialer:
        await read(dialer.run(world.campaign("before"), world.rows(1, start=9), wait=False))
    world.fake.clock = lambda: datetime.now(UTC)
    await world.run(world.rows(1, start=8), name="between")
    run, events = await world.run(world.rows(1), name="today")
    assert run.counts == {ContactState.PLACED: 1}
    assert EventKind.TAKEN_OVER not in {event.kind for event in events}


async def test_a_journal_of_before_calls_named_their_agent(world: Any) -> None:
    """What version 3 noted still holds its number, and is taken for nobody's call."""
    steps = {version: step for version, step in MIGRATIONS.items() if version <= 3}
    with contextlib.closing(open_database(world.path, create=True, migrations=steps)) as old:
        old.execute(
            "INSERT INTO calls (id, phone_number, placed_at, status, looked_at)"
            " VALUES ('call', ?, ?, 'live', 0)",
            (world.number(0), datetime.now(UTC).timestamp() * 1000),
        )
    run, _ = await world.run(world.rows(1), sweep=False)
    assert run.counts == {ContactState.DEFERRED: 1}
    async with world.dialer() as dialer:
        await read(dialer.run(world.campaign(), wait=False))
    assert await world.problems() == []
    assert world.fake.ledger.rings == []
