"""A clock that is wrong calls people at the wrong hour: it is compared, and nobody is called."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer import ContactState, DialerEvent, EventKind, Run, SqliteJournal
from hamsa_async.dialer.skew import TOLERANCE, Reading
from hamsa_async.errors import CampaignError, HamsaError

HUNG = 60.0
OFTEN = timedelta(seconds=0.05)
TICK = timedelta(seconds=1)
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)

# -- pure


def read_at(ours: float, *, out: float = 0.0, back: float = 0.0, part: float = 0.0) -> Reading:
    """What is read where our clock is ahead by some seconds, and the answer takes its time."""
    served = T0 + timedelta(seconds=part)
    mine = served + timedelta(seconds=ours)
    return Reading(
        asked_at=mine - timedelta(seconds=out),
        answered_at=mine + timedelta(seconds=back),
        said=served.replace(microsecond=0),
    )


@given(
    st.floats(-90_000, 90_000),
    st.floats(0, 60),
    st.floats(0, 60),
    st.floats(0, 0.999),
)
def test_what_an_answer_shows(ours: float, out: float, back: float, part: float) -> None:
    """Never more than the truth; and all of it but the answer's way and the cut second."""
    reading = read_at(ours, out=out, back=back, part=part)
    found = reading.ahead.total_seconds()
    assert abs(found) <= abs(ours) + 1e-3
    assert found * ours >= 0
    assert abs(found) >= abs(ours) - out - back - 1 - 1e-3
    assert not (reading.is_off and abs(ours) < TOLERANCE.total_seconds() - 1e-3)
    if abs(ours) > TOLERANCE.total_seconds() + out + back + 1.001:
        assert reading.is_off


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (125.0, "this machine's clock is 2 min 4 s ahead of the server's"),
        (-125.0, "this machine's clock is 2 min 5 s behind the server's"),
        (7_384.0, "this machine's clock is 2 h 3 min ahead of the server's"),
        (-200_000.0, "this machine's clock is 2 d 7 h behind the server's"),
    ],
)
def test_it_says_by_how_much(ours: float, words: str) -> None:
    assert read_at(ours).words == words


def test_a_server_that_does_not_say() -> None:
    reading = Reading(asked_at=T0, answered_at=T0, said=None)
    assert reading.ahead is None
    assert not reading.is_off


# -- over real sockets


@attrs.define
class Clock:
    """This machine's clock, which may be set."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@contextlib.asynccontextmanager
async def running(
    world: Any, clock: Clock, contacts: Any, *, compare: bool | None = True, **settings: Any
) -> AsyncIterator[Run]:
    async with (
        asyncio.timeout(HUNG),
        world.dialer(clock=clock, compare_clocks=compare, compare_every=OFTEN) as dialer,
    ):
        yield dialer.run(world.campaign(**settings), contacts, wait=False)


async def through(
    world: Any, clock: Clock, contacts: Any, **settings: Any
) -> tuple[Run, list[DialerEvent]]:
    async with running(world, clock, contacts, **settings) as run:
        return run, [event async for event in run]


def about_clock(events: list[DialerEvent]) -> list[EventKind]:
    return [event.kind for event in events if event.kind.startswith("clock")]


@pytest.mark.parametrize("minutes", [3, -3, 600, -600])
async def test_wrong_from_the_start(world: Any, minutes: int) -> None:
    """Nothing is dialed, not a look at others either; set right, the same run dials."""
    clock = Clock(timedelta(minutes=minutes))
    with pytest.raises(CampaignError, match="ahead of" if minutes > 0 else "behind") as caught:
        await through(world, clock, world.rows(3))
    assert "set the clock" in str(caught.value)
    assert world.fake.ledger.posts == 0
    assert world.state_counts() == {"pending": 3}
    clock.ahead = timedelta()
    run, events = await through(world, clock, world.rows(3))
    assert run.counts == {ContactState.PLACED: 3}
    assert about_clock(events) == []
    await world.judge(3)


@pytest.mark.parametrize("seconds", [110, -110])
async def test_a_little_off_is_right(world: Any, seconds: int) -> None:
    run, events = await through(world, Clock(timedelta(seconds=seconds)), world.rows(3))
    assert run.counts == {ContactState.PLACED: 3}
    assert about_clock(events) == []


async def test_on_this_machine_it_is_the_same_clock(world: Any) -> None:
    """Nobody asks, unless told to."""
    clock = Clock(timedelta(hours=10))
    run, events = await through(world, clock, world.rows(3), compare=None)
    assert run.counts == {ContactState.PLACED: 3}
    assert about_clock(events) == []


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
async def test_a_clock_that_jumps(
    world: Any, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the jump on nobody rings, until it is right again; no time that it told is kept."""
    reads, pending = [], SqliteJournal.pending

    async def counted(self: Any, *given: Any, **more: Any) -> Any:
        reads.append(given)
        return await pending(self, *given, **more)

    monkeypatch.setattr(SqliteJournal, "pending", counted)
    clock, rings, events, began = Clock(), [], [], datetime.now(UTC)
    async with running(world, clock, world.rows(60), rate=100.0, concurrency=2) as run:
        async for event in run:
            events.append(event)
            if event.kind is EventKind.PLACED and event.row == 10:
                clock.ahead = jump
                rings.append(len(world.fake.ledger.rings))
            if event.kind is EventKind.CLOCK_OFF:
                assert "1 h" in event.data["reason"] or "59 min" in event.data["reason"]
                await asyncio.sleep(0.3)
                rings.append(len(world.fake.ledger.rings))
                clock.ahead = timedelta()
    # One may have been intended in the moment before it jumped.
    assert rings[1] - rings[0] <= 1
    assert rings[1] < 60
    assert len(reads) < 20  # those who wait are not taken up again and again
    assert about_clock(events) == [EventKind.CLOCK_OFF, EventKind.CLOCK_RIGHT]
    assert all(began - TICK <= event.at <= datetime.now(UTC) + TICK for event in events)
    assert run.counts == {ContactState.PLACED: 60}
    await world.judge(60)


async def test_a_jump_that_the_server_confirms(world: Any) -> None:
    """A laptop that slept: its clock is right, and the run goes on without a word."""
    clock = Clock(timedelta(seconds=-100))
    async with running(world, clock, world.rows(40), rate=100.0, concurrency=1) as run:
        events = []
        async for event in run:
            events.append(event)
            if event.kind is EventKind.PLACED and event.row == 5:
                clock.ahead = timedelta()
    assert about_clock(events) == []
    assert run.counts == {ContactState.PLACED: 40}


async def test_a_jump_while_the_rules_are_judged(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was intended by a clock that jumped under it is taken back, and not sent."""
    clock, intend, rings, events = Clock(), SqliteJournal.intend, 0, []

    async def intend_and_sleep(self: Any, campaign: int, candidate: Any, *more: Any) -> Any:
        answer = await intend(self, campaign, candidate, *more)
        if candidate.phone_number == world.number(5) and not rings:
            clock.ahead = timedelta(hours=3)
        return answer

    monkeypatch.setattr(SqliteJournal, "intend", intend_and_sleep)
    async with running(world, clock, world.rows(20), rate=50.0, concurrency=1) as run:
        async for event in run:
            events.append(event)
            if event.kind is EventKind.CLOCK_OFF:
                rings = len(world.fake.ledger.rings)
                clock.ahead = timedelta()
    kinds = [event.kind for event in events if event.row == 6]
    assert kinds[:2] == [EventKind.INTENDED, EventKind.RETURNED]
    assert rings == 5
    assert run.counts == {ContactState.PLACED: 20}
    await world.judge(20)


class Unreadable:
    """A client whose list of calls cannot be read, for a while."""

    def __init__(self, hamsa: Any) -> None:
        self._hamsa = hamsa
        self.is_down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hamsa, name)

    @property
    def conversations(self) -> Any:
        return self

    def list(self, **given: Any) -> Any:
        if self.is_down:
            raise HamsaError("the list is down")
        return self._hamsa.conversations.list(**given)

    async def get(self, call_id: str) -> Any:
        return await self._hamsa.conversations.get(call_id)


async def test_a_server_that_cannot_be_asked(world: Any) -> None:
    """At the start it is told; after a jump nobody is called until it can be."""
    clock, client, events = Clock(), Unreadable(world.hamsa), []
    client.is_down = True
    async with (
        asyncio.timeout(HUNG),
        world.dialer(client, clock=clock, compare_clocks=True, compare_every=OFTEN) as dialer,
    ):
        campaign = world.campaign(sweep=False, rate=100.0, concurrency=1)
        run = dialer.run(campaign, world.rows(40), wait=True)
        rings = 0
        async for event in run:
            events.append(event)
            if event.kind is EventKind.PLACED and event.row == 5:
                clock.ahead = timedelta(seconds=60)
            if event.kind is EventKind.CLOCK_UNKNOWN and "nobody" in event.data["reason"]:
                rings = len(world.fake.ledger.rings)
                await asyncio.sleep(0.3)
                assert len(world.fake.ledger.rings) == rings
                client.is_down = False
            # Whoever was held back in the moment of the jump gets a turn after the others.
            if [each.kind for each in events].count(EventKind.PLACED) == 40:
                run.stop()
    kinds = about_clock(events)
    assert kinds[0] is EventKind.CLOCK_UNKNOWN
    assert kinds[-1] is EventKind.CLOCK_RIGHT
    assert 5 <= rings <= 6
    assert len(world.fake.ledger.rings) == 40
    await world.judge(40)


async def test_a_server_without_a_date(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice, once; nobody is refused for what cannot be known."""
    monkeypatch.setattr(type(world.fake._clock), "http_date", lambda _: "")
    clock = Clock(timedelta(hours=5))
    run, events = await through(world, clock, world.rows(4), rate=20.0)
    assert about_clock(events) == [EventKind.CLOCK_UNKNOWN]
    assert run.counts == {ContactState.PLACED: 4}
