"""A run begins small: a canary, a look at it, and a rate that is earned."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer import (
    ContactState,
    DialerEvent,
    Ending,
    EventKind,
    Run,
    SqliteJournal,
)
from hamsa_async.dialer.machine import AttemptState
from hamsa_async.dialer.plan import Pacing, plan
from hamsa_async.dialer.ramp import CLEAN_MINUTES, LEAST_RATE, MINUTE, START_RATE, Ramp
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.dialer.stage import Stage
from hamsa_async.errors import ConfigurationError

HUNG = 60.0
LONG = timedelta(hours=1)
"""A minute that does not end while a test lasts."""

SHORT = timedelta(seconds=0.05)
FAST = 50.0
"""Where the climb begins in tests over sockets."""

RATE = 500.0
PLACED, REFUSED, UNKNOWN, NOT_SENT = (
    AttemptState.PLACED,
    AttemptState.REFUSED,
    AttemptState.UNKNOWN,
    AttemptState.NOT_SENT,
)

# -- pure


def climbing(cap: float = 20.0, **settings: Any) -> Ramp:
    return Ramp(now=0.0, cap=cap, **{"canary": 0, **settings})


def test_the_rate_doubles_with_each_clean_minute() -> None:
    """1, 2, 4, 8, 16, and then the cap; never past it."""
    ramp = climbing()
    rates = [ramp.rate]
    for minute in range(1, 9):
        ramp.settled(f"att_{minute}", PLACED, MINUTE * minute - 1)
        assert not ramp.tick(MINUTE * minute - 0.5)
        ramp.tick(MINUTE * minute)
        rates.append(ramp.rate)
    assert rates == [1, 2, 4, 8, 16, 20, 20, 20, 20]
    assert (ramp.stage, ramp.due) == (Stage.FULL, None)


def test_a_cap_below_the_start() -> None:
    """There is nothing to climb; but a 429 lowers it, and it climbs back."""
    ramp = climbing(0.5)
    assert (ramp.stage, ramp.rate) == (Stage.FULL, 0.5)
    ramp.settled("a", REFUSED, 5.0, returned=True, limited=True)
    assert (ramp.stage, ramp.rate, ramp.reason) == (
        Stage.CLIMB,
        0.25,
        "the API had too many requests (429)",
    )
    ramp.settled("b", PLACED, 6.0)
    ramp.tick(5.0 + MINUTE)
    assert (ramp.stage, ramp.rate) == (Stage.FULL, 0.5)


@pytest.mark.parametrize(
    ("state", "more"),
    [(UNKNOWN, {}), (NOT_SENT, {"returned": True}), (REFUSED, {"returned": True, "limited": True})],
)
def test_what_begins_the_minute_again(state: AttemptState, more: dict[str, bool]) -> None:
    """A doubt, a request not sent, a 429: the minute counts from there."""
    ramp = climbing()
    ramp.settled("a", PLACED, 1.0)
    ramp.settled("b", state, 30.0, **more)
    rate = ramp.rate
    assert ramp.reason
    ramp.settled("c", PLACED, 31.0)
    ramp.tick(MINUTE)
    assert ramp.rate == rate
    ramp.tick(30.0 + MINUTE)
    assert ramp.rate == 2 * rate


@pytest.mark.parametrize(("refused", "clean"), [(1, True), (2, True), (3, False)])
def test_refusals_are_a_share(refused: int, clean: bool) -> None:
    """Some bad rows are in every list; half of a minute's requests are not some."""
    ramp = climbing()
    for number in range(3):
        ramp.settled(f"good_{number}", PLACED, 1.0)
    for number in range(refused):
        ramp.settled(f"bad_{number}", REFUSED, 1.0)
    ramp.tick(MINUTE)
    assert (ramp.rate == 2 * START_RATE) == clean
    assert ("requests were refused" in ramp.reason) != clean


def test_calls_that_fail_are_a_share_too() -> None:
    """Those that failed or were cut off, of those that ended; not one that is tried again."""
    ramp = climbing()
    for number in range(4):
        ramp.settled(f"att_{number}", PLACED, 1.0, again=number == 3)
    ramp.ended("att_0", "completed", 60.0)
    ramp.ended("att_1", "completed", 2.0)
    ramp.ended("att_3", "failed", None)
    ramp.ended("before", "failed", None)
    ramp.tick(MINUTE)
    assert ramp.rate == START_RATE
    assert ramp.reason == (
        "the minute began again: 1 of 2 calls that ended had failed or were cut off"
    )


def test_a_minute_without_a_call_proves_nothing() -> None:
    """A night outside the window earns no rate."""
    ramp = climbing()
    for minute in range(1, 100):
        assert not ramp.tick(MINUTE * minute)
    assert ramp.rate == START_RATE
    # Nor does one look at the end of the night count it for minutes.
    ramp.settled("a", PLACED, MINUTE * 99.5)
    ramp.tick(MINUTE * 5_000)
    assert ramp.rate == 2 * START_RATE
    assert ramp.due == MINUTE * 5_001


def test_429s_that_come_together_count_once() -> None:
    """Twenty under way meet the same wall; a minute later the wall is a new one."""
    ramp = climbing(64.0)
    for number in range(20):
        ramp.settled(f"att_{number}", REFUSED, 1.0 + number, returned=True, limited=True)
    assert ramp.rate == 0.5
    ramp.settled("late", REFUSED, 1.0 + MINUTE, returned=True, limited=True)
    assert ramp.rate == 0.25
    for number in range(2, 50):
        ramp.settled("later", REFUSED, 1.0 + number * MINUTE, returned=True, limited=True)
    assert ramp.rate == LEAST_RATE


def test_a_ramp_that_is_off() -> None:
    """A canary alone: before it and after it the rate is what was asked for."""
    ramp = Ramp(now=0.0, cap=20.0, canary=1, climbs=False)
    ramp.settled("a", REFUSED, 0.5, returned=True, limited=True)
    assert ramp.rate == 20.0
    ramp.settled("a", PLACED, 1.0)
    ramp.look(1.0)
    ramp.tick(1.0 + MINUTE)
    assert ramp.stage is Stage.LOOK
    ramp.tick(1.0 + 2 * MINUTE)
    assert (ramp.stage, ramp.rate) == (Stage.FULL, 20.0)


def canary(count: int = 5, **settings: Any) -> Ramp:
    return Ramp(now=0.0, cap=20.0, canary=count, **settings)


def test_no_more_than_the_canary_is_begun() -> None:
    """Those in hand count; those that were not sent make room again."""
    ramp = canary(3)
    assert [ramp.has_room(in_hand) for in_hand in range(5)] == [True, True, True, False, False]
    ramp.settled("a", NOT_SENT, 1.0, returned=True)
    ramp.settled("b", PLACED, 1.0)
    ramp.settled("c", REFUSED, 2.0)
    assert [ramp.has_room(in_hand) for in_hand in range(3)] == [True, False, False]
    ramp.settled("d", PLACED, 3.0)
    assert not ramp.has_room(0)
    assert ramp.stage is Stage.CANARY
    assert ramp.look(4.0)
    assert not ramp.has_room(0)
    assert ramp.picture()["calls"] == {"placed": 2, "refused": 1}
    assert ramp.picture()["soonest"] == 4.0 + CLEAN_MINUTES * MINUTE


def test_a_call_that_was_cut_off_has_not_failed() -> None:
    ramp = canary()
    for number in range(5):
        ramp.settled(f"att_{number}", PLACED, 1.0)
    ramp.look(10.0)
    ramp.ended("att_0", "failed", None)
    ramp.ended("att_1", "completed", 1.0)
    ramp.ended("att_2", "completed", 60.0)
    assert ramp.picture()["calls"] == {"cut_off": 1, "ended": 1, "failed": 1, "placed": 2}


def test_a_look_that_is_not_clean_begins_again() -> None:
    """Two of five fail in the first minute: two clean ones must follow."""
    ramp = canary()
    for number in range(5):
        ramp.settled(f"att_{number}", PLACED, 1.0)
    ramp.look(10.0)
    ramp.ended("att_0", "failed", None)
    ramp.ended("att_1", "failed", None)
    assert ramp.picture()["calls"] == {"failed": 2, "placed": 3}
    for minute in (1, 2):
        ramp.tick(10.0 + minute * MINUTE)
        assert ramp.stage is Stage.LOOK
    assert "2 of 2 calls that ended had failed" in ramp.reason
    assert ramp.tick(10.0 + 3 * MINUTE)
    assert (ramp.stage, ramp.rate) == (Stage.CLIMB, START_RATE)


@pytest.mark.parametrize("bad", [REFUSED, UNKNOWN, PLACED])
def test_half_of_a_canary_that_dies(bad: AttemptState) -> None:
    """Nobody more is called where nobody looks; where somebody does, it is theirs to say."""
    for asks in (False, True):
        ramp = canary(4, asks=asks)
        for number in range(4):
            ramp.settled(f"att_{number}", bad if number % 2 else PLACED, 1.0)
            if bad is PLACED and number % 2:
                ramp.ended(f"att_{number}", "completed", 1.0)
        assert (ramp.verdict is None) == asks
        assert ramp.look(2.0) == asks
        if not asks:
            assert ramp.verdict.startswith("canary: 2 of 4 calls went wrong (2 ")
        assert ramp.go_on(3.0) == asks
        assert ramp.is_over == asks


def test_canary_of_a_run_without_a_breaker() -> None:
    """However badly it goes, it goes on, when two minutes are clean."""
    ramp = canary(2, halts=False)
    for number in range(2):
        ramp.settled(f"att_{number}", REFUSED, 1.0)
    assert ramp.verdict is None
    ramp.look(1.0)
    for minute in (1, 2):
        ramp.tick(1.0 + minute * MINUTE)
    assert ramp.is_over


def test_a_doubt_that_is_found_is_no_bad_sign() -> None:
    ramp = canary(4)
    ramp.settled("a", UNKNOWN, 1.0)
    ramp.found("a")
    for number in range(2):
        ramp.settled(f"att_{number}", PLACED, 1.0)
    ramp.settled("b", UNKNOWN, 1.0)
    assert ramp.verdict is None


def test_only_a_look_can_be_ended_by_word() -> None:
    """Before and after it, to go on means nothing; and clean minutes do not end one that asks."""
    ramp = canary(1, asks=True)
    assert not ramp.go_on(0.5)
    ramp.settled("a", REFUSED, 1.0)
    ramp.look(1.0)
    assert ramp.due is None
    assert not ramp.tick(1_000.0)
    assert ramp.go_on(2_000.0)
    assert ramp.due == 2_000.0 + MINUTE
    assert not ramp.go_on(2_001.0)


_STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 200.0),
        st.sampled_from(["placed", "refused", "unknown", "not_sent", "429", "failed", "go_on"]),
    ),
    max_size=60,
)


def tick(ramp: Ramp, now: float, clean_since: float) -> float:
    """Judge the minutes until now; what is gained is earned. Since when it is clean."""
    while ramp.due is not None and ramp.due <= now and ramp.verdict is None:
        at, before, held = ramp.due, ramp.rate, ramp.stage is Stage.LOOK
        ramp.tick(at)
        if ramp.rate > before or (held and ramp.is_over):
            assert at - clean_since >= MINUTE * (CLEAN_MINUTES if held else 1) - 1e-6
            assert ramp.rate <= before * 2
            clean_since = at
    return clean_since


@given(_STEPS, st.floats(0.01, 100.0), st.integers(0, 6), st.booleans(), st.booleans())
def test_whatever_happens(
    steps: Sequence[tuple[float, str]], cap: float, size: int, climbs: bool, asks: bool
) -> None:
    """The rate is within its bounds, at most doubles, and is earned by a minute without a bad sign.

    Before the canary was looked at, no more than its calls are made.
    """
    ramp = Ramp(now=0.0, cap=cap, canary=size, climbs=climbs, asks=asks)
    now, clean_since, calls, live = 0.0, 0.0, 0, [""]
    for number, (pause, what) in enumerate(steps):
        now += pause
        clean_since = tick(ramp, now, clean_since)
        is_looked_at = ramp.stage is Stage.LOOK and ramp.verdict is None
        if what == "go_on":
            assert ramp.go_on(now) == is_looked_at
        elif what == "failed":
            ramp.ended(live.pop() if live else "", "failed", None)
        elif ramp.has_room(0):
            before, was_over, returned = ramp.rate, ramp.is_over, what in {"429", "not_sent"}
            state = REFUSED if what == "429" else AttemptState(what)
            live.append(f"att_{number}")
            ramp.settled(live[-1], state, now, returned=returned, limited=what == "429")
            assert min(LEAST_RATE, cap) <= ramp.rate <= before
            calls += not (returned or was_over)
            assert was_over or calls <= size
            clean_since = now if what in {"429", "not_sent", "unknown"} else clean_since
        else:
            ramp.look(now)
        assert (ramp.stage is Stage.FULL) <= (ramp.rate == cap)


# -- over real sockets


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hamsa_async.dialer.ramp.START_RATE", FAST)


@contextlib.asynccontextmanager
async def running(
    world: Any,
    contacts: Any = None,
    *,
    minute: timedelta = SHORT,
    ask: bool = False,
    client: Any = None,
    **settings: Any,
) -> AsyncIterator[Run]:
    """A run with a ramp, in a dialer of its own."""
    settings = {"rate": RATE, "canary": 5, "ramp": True, "breaker": True, **settings}
    async with asyncio.timeout(HUNG), world.dialer(client, clean_minute=minute) as dialer:
        yield dialer.run(world.campaign(**settings), contacts, wait=False, ask=ask)


async def through(world: Any, *given: Any, **settings: Any) -> tuple[Run, list[DialerEvent]]:
    async with running(world, *given, **settings) as run:
        return run, [event async for event in run]


def paces(events: Sequence[DialerEvent]) -> list[dict[str, Any]]:
    return [event.data for event in events if event.kind is EventKind.PACED]


def stages(events: Sequence[DialerEvent]) -> list[str]:
    """Each once: where a look was late, it is told anew when it can be over."""
    return [stage for stage, _ in itertools.groupby(pace["stage"] for pace in paces(events))]


async def test_nobody_else_rings_until_somebody_has_looked(world: Any, fast: None) -> None:
    """The ledger has the canary's rings and no others, until the word is given."""
    seen = []
    async with running(world, world.rows(40), ask=True, minute=LONG, ramp=False) as run:
        async for event in run:
            if event.data.get("asks"):
                assert event.data["calls"] == {"placed": 5}
                await asyncio.sleep(0.3)
                seen.append(len(world.fake.ledger.rings))
                run.go_on()
    assert seen == [5]
    assert run.counts == {ContactState.PLACED: 40}
    await world.judge(40)


async def test_clean_minutes_do_it_where_nobody_looks(world: Any, fast: None) -> None:
    """Canary, look, climb: as the journal tells it, in this order, and in that of the plan."""
    run, events = await through(world, world.rows(30), rate=1_000.0, concurrency=1)
    planned = plan(
        [row async for chunk in read_chunks(world.rows(30)) for row in chunk],
        world.campaign().read_policy(),
        at=datetime.now(UTC),
        pacing=Pacing(rate=1_000.0, canary=5, ramp=True),
    )
    turns = sorted(planned, key=lambda each: each.turn or 0)
    assert [ring.phone_number for ring in world.fake.ledger.rings] == [
        each.phone_number for each in turns
    ]
    assert run.finish.ending is Ending.NOTHING_NOW
    assert stages(events)[:3] == ["canary", "look", "climb"]
    kinds = [event.kind for event in events if event.kind in {EventKind.PLACED, EventKind.PACED}]
    assert kinds[:7] == [EventKind.PACED, *[EventKind.PLACED] * 5, EventKind.PACED]
    look = paces(events)[1]
    climb = next(pace for pace in paces(events) if pace["stage"] == "climb")
    assert look["calls"] == {"placed": 5}
    assert "until" in look
    assert climb["rate"] == FAST
    assert "passed" not in look
    assert len(climb["passed"]) == 16
    rates = [pace["rate"] for pace in paces(events)]
    assert rates == sorted(rates)
    assert max(rates) > FAST
    await world.judge(30)


async def test_canary_that_is_refused_ends_the_run(world: Any, fast: None) -> None:
    """It costs the canary, not the list; the next run begins with a canary again."""
    world.fake.faults.at_rate("status_400", 1.0)
    run, _ = await through(world, world.rows(50), concurrency=1)
    assert run.finish.ending is Ending.HALTED
    assert run.finish.reason == "canary: 3 of 5 calls went wrong (3 refused)"
    assert run.counts == {ContactState.REFUSED: 3, ContactState.PENDING: 47}
    world.fake.faults.clear()
    run, events = await through(world, minute=SHORT)
    assert stages(events)[0] == "canary"
    assert run.counts == {ContactState.REFUSED: 3, ContactState.PLACED: 47}
    await world.judge(50)


async def test_canary_whose_calls_fail(world: Any, fast: None) -> None:
    """What shows only when they end is seen in the look."""
    world.calls_end("FAILED")
    run, _ = await through(world, world.rows(50), minute=LONG, retries=(), ramp=False)
    assert run.finish.ending is Ending.HALTED
    assert "failed" in run.finish.reason
    assert len(world.fake.ledger.rings) == 5
    await world.judge(50)


async def test_canary_that_was_passed_is_not_made_again(world: Any, fast: None) -> None:
    """For the same agent, texts, caller numbers and params; others must show it again."""
    _, events = await through(world, world.rows(8), max_calls=6, rate=FAST)
    assert stages(events) == ["canary", "look", "full"]
    _, events = await through(world, max_calls=7)
    assert stages(events)[0] == "climb"
    assert paces(events)[0]["reason"] == "the canary was passed before"
    # A run without a canary does not forget it.
    _, events = await through(world, max_calls=7, canary=0)
    assert paces(events)[0]["passed"]
    async with world.dialer(clean_minute=SHORT) as dialer:
        run = dialer.run(
            world.campaign(rate=RATE, canary=5, ramp=True, params={"k": "v"}),
            accept_changes=True,
            wait=False,
        )
        events = [event async for event in run]
    assert stages(events)[0] == "canary"


async def test_stopped_while_it_is_looked_at(world: Any, fast: None) -> None:
    """At once, and the next run begins with the canary."""
    async with running(world, world.rows(20), minute=LONG) as run:
        async for event in run:
            if event.data.get("stage") == "look":
                run.stop("enough")
    assert run.finish.ending is Ending.INTERRUPTED
    assert run.counts == {ContactState.PLACED: 5, ContactState.PENDING: 15}
    async with await SqliteJournal.open(world.path) as journal:
        (record,) = await journal.campaigns()
        last = await journal.last_pace(record.id)
    assert last.data["stage"] == "look"
    _, events = await through(world)
    assert stages(events)[0] == "canary"
    await world.judge(20)


async def test_an_api_that_has_too_many_requests(world: Any, fast: None) -> None:
    """A 429 lowers the pace, once, and nobody is lost by it."""
    world.fake.faults.at_rate("status_429", 0.2)
    run, events = await through(world, world.rows(30), minute=LONG, canary=0, rate=RATE)
    lowered = [pace for pace in paces(events) if "429" in pace["reason"]]
    assert [pace["rate"] for pace in lowered] == [FAST / 2]
    assert run.counts == {ContactState.PLACED: 30}
    await world.judge(30)


async def test_no_more_budget_than_a_canary(world: Any, fast: None) -> None:
    """Where nobody more can be called, nobody is asked whether to go on."""
    run, events = await through(world, world.rows(6), ask=True, canary=3, max_calls=3)
    assert run.finish.ending is Ending.HALTED
    assert "max_calls" in run.finish.reason
    assert "look" not in stages(events)
    assert len(world.fake.ledger.rings) == 3


async def test_no_more_contacts_than_a_canary(world: Any, fast: None) -> None:
    """There is nobody left to wait for a look."""
    run, events = await through(world, world.rows(5), minute=LONG, ramp=False)
    assert stages(events) == ["canary"]
    assert run.counts == {ContactState.PLACED: 5}


async def test_on_this_machine_there_is_none_by_itself(world: Any, fast: None) -> None:
    """What `--fake` and a test dial is nobody's phone."""
    run, events = await through(world, world.rows(20), minute=LONG, canary=None, ramp=None)
    assert paces(events) == []
    assert run.counts == {ContactState.PLACED: 20}


@pytest.mark.parametrize(
    "bad",
    [
        *({"canary": -1}, {"canary": 1.5}, {"canary": True}),
        *({"rate": None, "canary": 1}, {"rate": None, "ramp": True}),
    ],
)
def test_settings_that_cannot_work(world: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="canary"):
        world.campaign(**bad)
