"""A budget of calls, of calls a day and of money, over the campaign's whole life."""

import asyncio
import contextlib
import math
import sqlite3
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.dialer.budget import Budget, CallsMade, EndedCalls, Spending, cost_of
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.journal.records import CallEnd, Verdict
from hamsa_async.dialer.machine import AttemptState
from hamsa_async.dialer.retries import Retries
from hamsa_async.dialer.spending import spent_by
from hamsa_async.errors import ConfigurationError

HUNG = 60.0
NOW = datetime(2040, 1, 15, 12, tzinfo=UTC)
LONGEST = timedelta(minutes=5)  # of a call by the fake's agent
CAIRO = clock_of("Africa/Cairo")


class Clock:
    """The time of the dialer and of its server, which a test may set, and let go faster."""

    def __init__(self, world: Any, start: datetime | None = None, *, speed: float = 1) -> None:
        self._speed = speed
        self.set(start or datetime.now(UTC))
        world.fake.clock = self

    def __call__(self) -> datetime:
        return self._at + (datetime.now(UTC) - self._real) * self._speed

    def set(self, moment: datetime) -> None:
        self._at, self._real = moment, datetime.now(UTC)

    def pass_by(self, **span: float) -> None:
        self.set(self() + timedelta(**span))


async def read(run: Any, listen: Any = lambda _: None) -> list[Any]:
    events = []
    async with asyncio.timeout(HUNG):
        async for event in run:
            events.append(event)
            listen(event)
    return events


# -- what decides


@pytest.mark.parametrize(
    ("given", "words"),
    [
        *[({"max_calls": bad}, "max_calls must be a whole number") for bad in (0, -1, 1.5, True)],
        ({"max_calls_per_day": 0, "zone": "Asia/Dubai"}, "max_calls_per_day must be"),
        ({"max_calls_per_day": 5}, "needs budget_zone"),
        ({"zone": "Asia/Dubai"}, "how many calls a day"),
        ({"max_calls_per_day": 5, "zone": "Dubai"}, "budget_zone: there is no time zone 'Dubai'"),
        ({"max_cost": 5}, "needs price_per_minute"),
        *[({"price_per_minute": bad}, "price_per_minute") for bad in (0, -1, "x", math.nan, "inf")],
        ({"price_per_minute": 1, "max_cost": "0.0"}, "max_cost must be an amount"),
    ],
)
def test_what_is_no_budget(world: Any, given: dict[str, Any], words: str) -> None:
    """Each is refused with what is wrong, by a budget and by a campaign."""
    with pytest.raises(ConfigurationError, match=words):
        Budget(**given)
    settings = {("budget_zone" if name == "zone" else name): each for name, each in given.items()}
    with pytest.raises(ConfigurationError, match=words):
        world.campaign(**settings)


def test_a_budget_is_kept_to_the_digit() -> None:
    """Amounts are as they are written, also after a way through JSON."""
    budget = Budget(
        max_calls=3, max_calls_per_day=2, zone="Asia/Dubai", max_cost="0.30", price_per_minute=0.1
    )
    assert budget.price_per_minute == Decimal("0.1")
    assert Budget.from_json(budget.as_json()) == budget
    assert not Budget.from_json(None)


@given(
    st.sampled_from(sorted(available_timezones())),
    st.integers(0, 7 * 366 * 24 * 3600),
)
def test_a_day_is_its_zones(zone: str, seconds: int) -> None:
    """Any moment lies in its day, and a day is of one date from its begin to its end."""
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    day = Budget(max_calls_per_day=1, zone=zone).day_of(now)
    assert day is not None
    begins, ends = day
    assert begins <= now < ends
    clock = clock_of(zone)
    dates = [each.astimezone(clock).date() for each in (begins, ends - timedelta(microseconds=1))]
    assert set(dates) == {now.astimezone(clock).date()}


def test_days_on_which_clocks_change() -> None:
    """In Cairo a day begins at one o'clock, in Havana midnight comes twice: the first counts."""
    cairo = Budget(max_calls_per_day=1, zone="Africa/Cairo").day_of(
        datetime(2027, 4, 30, 12, tzinfo=UTC)
    )
    assert cairo == (datetime(2027, 4, 29, 22, tzinfo=UTC), datetime(2027, 4, 30, 21, tzinfo=UTC))
    havana = Budget(max_calls_per_day=1, zone="America/Havana").day_of(
        datetime(2027, 11, 7, 5, 30, tzinfo=UTC)
    )
    assert havana == (datetime(2027, 11, 7, 4, tzinfo=UTC), datetime(2027, 11, 8, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("outcome", "cost", "duration", "expected"),
    [
        ("completed", 0.1, 600.0, "0.1"),
        ("completed", None, 0.0, "0"),
        ("completed", None, 1.0, "0.30"),
        ("completed", None, 60.0, "0.30"),
        ("completed", None, 60.5, "0.60"),
        ("completed", math.nan, 61, "0.60"),
        ("completed", -1.0, 1, "0.30"),
        ("no_answer", None, None, "0"),
        ("failed", None, None, "0"),
        ("completed", None, None, None),
        ("unseen", None, None, None),
    ],
)
def test_what_a_call_cost(
    outcome: str, cost: float | None, duration: float | None, expected: str | None
) -> None:
    """What its conversation says, else started minutes; what nobody knows is not guessed."""
    found = cost_of(outcome, cost, duration, Decimal("0.30"))
    assert found == (None if expected is None else Decimal(expected))


def test_tenths_add_up() -> None:
    """Three times 0.1 is 0.3, so the third call fits."""
    spending = Spending(Budget(max_cost="0.3", price_per_minute="0.1"))
    spending.recount(CallsMade(calls=2, ended=[EndedCalls(calls=2, cost=0.1)]), NOW)
    assert spending.refusal(timedelta(minutes=1), NOW) is None
    spending.take("a", timedelta(minutes=1))
    refusal = spending.refusal(timedelta(minutes=1), NOW)
    assert refusal is not None
    assert refusal.reason == "max_cost: up to 0.3 of 0.3 is spent, and a call can cost 0.1"
    assert not refusal.freed_by_ends or spending.spent(NOW).cost == Decimal("0.2")


@attrs.define
class Naive:
    """The same book, kept as one would with pencil and paper: what really was spent."""

    calls: list[datetime] = attrs.field(factory=list)
    cost: Decimal = Decimal(0)


@given(
    st.lists(st.tuples(st.sampled_from("tsruehkd"), st.integers(0, 300)), max_size=80),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 20),
)
def test_never_beyond(steps: list[tuple[str, int]], most: int, a_day: int, cost: int) -> None:
    """Whatever happens in whatever order, no more is really spent than was allowed."""
    budget = Budget(
        max_calls=most,
        max_calls_per_day=a_day,
        zone="Asia/Dubai",
        max_cost=cost,
        price_per_minute=1,
    )
    spending, real, now = Spending(budget), Naive(), NOW
    spending.recount(CallsMade(calls=0), now)
    at_door, live, count = [], [], 0
    for step, number in steps:
        if (
            step == "t"
            and spending.refusal(timedelta(minutes=5), now, in_hand=len(at_door)) is None
        ):
            count += 1
            at_door.append(f"att_{count}")
            spending.take(at_door[-1], LONGEST)
        elif step in "su" and at_door:
            live.append(at_door.pop(0))
            spending.made(now)
            real.calls.append(now)
        elif step == "r" and at_door:
            spending.leave(at_door.pop(0))
        elif step in "eh" and live:
            spending.ended(live.pop(0), "completed", None, float(number))
            real.cost += math.ceil(number / 60)
        elif step == "k" and not at_door:
            day = budget.day_of(now)
            assert day is not None
            made = CallsMade(
                calls=len(real.calls),
                since=sum(each >= day[0] for each in real.calls),
                ended=[EndedCalls(calls=1, cost=float(real.cost))],
                open=dict.fromkeys(live, LONGEST),
            )
            spending = Spending(budget)
            spending.recount(made, now)
        elif step == "d":
            now += timedelta(hours=number / 10)
    zone = clock_of("Asia/Dubai")
    days = Counter(each.astimezone(zone).date() for each in real.calls)
    assert len(real.calls) <= most
    assert max(days.values(), default=0) <= a_day
    assert real.cost <= cost
    assert real.cost + 5 * len(live) <= cost


def test_an_end_that_was_counted_already() -> None:
    """Told of after the journal was counted, which knew it, an end adds nothing."""
    spending = Spending(Budget(max_cost=9, price_per_minute=1))
    spending.recount(CallsMade(calls=1, ended=[EndedCalls(calls=1, cost=2.0)]), NOW)
    spending.ended("att_1", "completed", 2.0, 100.0)
    spending.take("att_2", LONGEST)
    for _ in range(2):
        spending.ended("att_2", "completed", None, 100.0)
    assert (spending.spent(NOW).cost, spending.spent(NOW).cost_at_most) == (4, 4)


def test_a_clock_that_is_set_back_counts_anew() -> None:
    """Calls of a day that was not counted are not taken for none."""
    budget = Budget(max_calls_per_day=5, zone="Asia/Dubai")
    spending = Spending(budget)
    spending.recount(CallsMade(calls=0), NOW)
    assert spending.refusal(None, NOW) is None
    assert spending.refusal(None, NOW - timedelta(days=1)) is not None
    spending.recount(CallsMade(calls=5, since=5), NOW - timedelta(days=1))
    assert spending.refusal(None, NOW) is None
    assert spending.refusal(None, NOW - timedelta(days=1)) is not None


# -- money


async def test_live_calls_count_at_their_longest(world: Any) -> None:
    """12 for calls of 5 minutes at 1 a minute: two are placed, and a third waits for an end."""
    world.calls_end()
    world.fake.call_seconds = (70, 70)  # a fifth of it rings: they talk 56 seconds
    waiting: list[int] = []

    def listen(event: Any) -> None:
        if event.kind is EventKind.WAITING and event.data["reason"] == "max_cost":
            waiting.append(len(world.fake.ledger.rings))

    async with world.dialer(clock=Clock(world, speed=200)) as dialer:
        campaign = world.campaign(max_cost=12, price_per_minute=1)
        run = dialer.run(campaign, world.rows(20))
        events = await read(run, listen)
    assert run.finish.ending is Ending.HALTED
    assert run.finish.reason == "max_cost: up to 8 of 12 is spent, and a call can cost 5"
    assert run.finish.by_budget
    # A call can cost 5, so one that fits begins while no more than 7 are spent.
    assert len(world.fake.ledger.rings) == 8
    assert waiting[0] == 2
    spent = run.spent()
    assert (spent.calls, spent.cost, spent.cost_at_most) == (8, 8, 8)
    assert [each.kind for each in events].count(EventKind.ENDED) == 8
    await world.judge(20)


async def test_not_waiting_for_what_may_free_a_budget(world: Any) -> None:
    """Told not to wait, the run ends for now; once calls have ended, the next one goes on."""
    world.calls_end()
    world.fake.call_seconds = (200, 200)
    run, _ = await world.run(world.rows(9), max_cost=10, price_per_minute=1)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.finish.reason == "max_cost: up to 10 of 10 is spent, and a call can cost 5"
    assert len(world.fake.ledger.rings) == 2
    run, _ = await world.run(max_cost=16, price_per_minute=1)
    assert len(world.fake.ledger.rings) == 3
    clock = Clock(world)
    clock.pass_by(seconds=700)
    async with world.dialer(clock=clock) as dialer:
        run = dialer.run(world.campaign(max_cost=19, price_per_minute=1), wait=False)
        await read(run)
    # Three calls of three started minutes are over, and two of five at the most have begun.
    assert len(world.fake.ledger.rings) == 5
    assert (run.spent().cost, run.spent().cost_at_most) == (9, 19)
    await world.judge(9)


async def test_doubt_counts_at_its_longest(world: Any) -> None:
    """What may have rung may have cost as much as it can, resumes included."""
    world.fake.faults.at_rate("drop_after", 1.0)
    run, _ = await world.run(world.rows(9), max_cost=14, price_per_minute=1)
    assert len(world.fake.ledger.rings) == 2
    assert run.counts[ContactState.UNKNOWN] == 2
    world.fake.faults.clear()
    run, _ = await world.run(max_cost=14, price_per_minute=1)
    assert len(world.fake.ledger.rings) == 2
    assert run.spent().cost_at_most == 10
    await world.judge(9)


async def test_a_refused_call_costs_nothing(world: Any) -> None:
    """A refusal gives back what was kept for it, and so does a request that was not sent."""
    for place in range(3):
        world.fake.faults.for_number(world.number(place), "status_400")
    run, _ = await world.run(world.rows(9), max_cost=5, price_per_minute=1, concurrency=4)
    assert len(world.fake.ledger.rings) == 1
    assert run.counts[ContactState.REFUSED] == 3
    assert run.spent().cost_at_most == 5


class Telling:
    """A client whose conversations say what the call cost."""

    def __init__(self, real: Any, cost: float) -> None:
        self.config, self.projects, self.voice_agents = (
            real.config,
            real.projects,
            real.voice_agents,
        )
        self.conversations = self
        self.list = real.conversations.list
        self._get = real.conversations.get
        self._cost = cost

    async def get(self, call_id: str) -> Any:
        conversation = await self._get(call_id)
        return attrs.evolve(conversation, extra={**conversation.extra, "totalCost": self._cost})


async def test_what_the_conversation_says_counts(world: Any) -> None:
    """A cost that the API tells goes before any price; a ceiling too low for one call halts."""
    world.calls_end()
    telling = Telling(world.hamsa, 0.1)
    run, _ = await world.run(
        world.rows(9), client=telling, wait=True, max_cost="5.25", price_per_minute=1, live_calls=1
    )
    # The first two fit with 5 each beside 0.1 and 0.2; the fourth would not.
    assert run.finish.ending is Ending.HALTED
    assert len(world.fake.ledger.rings) == 3
    assert run.spent().cost == Decimal("0.3")
    run, _ = await world.run(wait=True, max_cost="4.99", price_per_minute=1)
    assert len(world.fake.ledger.rings) == 3
    assert run.finish.by_budget


async def test_own_agents_count_as_long_as_the_api_allows(world: Any) -> None:
    """The campaign's agent allows five minutes, a row's own may allow ten."""
    world.fake.agents["other"] = {}
    rows = world.rows(9, agent_id="other")
    run, _ = await world.run(rows, max_cost=29, price_per_minute=1)
    assert len(world.fake.ledger.rings) == 2
    assert run.spent().cost_at_most == 20
    async with await SqliteJournal.open(world.path) as journal:
        spent = await spent_by(journal, 1, world.campaign(price_per_minute=1).budget, NOW)
    assert spent.cost_at_most == 20


async def test_what_others_settle_frees_a_budget(world: Any) -> None:
    """Another process finds a call in doubt and its end: the run hears of it, and goes on."""
    world.fake.faults.for_number(world.number(0), "drop_after")
    world.fake.list_lag = math.inf  # so the run cannot find it
    done = asyncio.Event()

    async def settle() -> None:
        async with await SqliteJournal.open(world.path) as journal:
            (record,) = await journal.campaigns()
            (doubt,) = await journal.doubts(record.id)
            (ring,) = world.fake.ledger.rings_of(world.number(0))
            verdict = Verdict(
                state=AttemptState.PLACED,
                evidence={"kind": "person"},
                call_id=ring.call_id,
                ends_by=datetime.now(UTC) + timedelta(hours=1),
            )
            await journal.settle_doubt(record.id, doubt.attempt_id, verdict)
            end = CallEnd(
                call_id=ring.call_id,
                outcome="completed",
                ended_at=datetime.now(UTC),
                duration=59.0,
            )
            await journal.end_call(
                record.id, doubt.attempt_id, end, Retries.read((), max_attempts=1)
            )
        done.set()

    async with world.dialer(settle_every=timedelta(seconds=0.1)) as dialer:
        run = dialer.run(
            world.campaign(max_cost=9, price_per_minute=1, concurrency=1), world.rows(2)
        )
        settling = None
        async with asyncio.timeout(HUNG):
            async for event in run:
                if event.kind is EventKind.WAITING and settling is None:
                    assert event.data["reason"] == "max_cost"
                    settling = asyncio.create_task(settle())
                if event.kind is EventKind.PLACED and event.row == 2:
                    assert done.is_set()
                    run.stop()
    assert settling is not None
    await settling
    assert run.spent().cost_at_most == 6


async def test_absence_frees_nothing(world: Any) -> None:
    """A call that somebody says there was none of may show all the same, and have cost."""
    world.fake.faults.for_number(world.number(0), "drop_before")
    settings = {"max_cost": 5, "price_per_minute": 1}
    await world.run(world.rows(3), **settings)
    async with world.dialer() as dialer:
        (record,) = await dialer.journal.campaigns()
        (doubt,) = await dialer.journal.doubts(record.id)
        await dialer.settle_by_word(record, doubt.attempt_id, placed=None)
    run, _ = await world.run(**settings)
    assert run.finish.ending is Ending.HALTED
    assert world.fake.ledger.rings == []
    assert run.spent().cost_at_most == 5


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_a_journal_of_before_there_were_budgets(world: Any, version: str) -> None:
    """Calls of runs that did not say how long one can last count as long as the API allows."""
    frozen = Path(__file__).parents[1] / "journals" / f"{version}.db"
    world.path.write_bytes(frozen.read_bytes())
    async with await SqliteJournal.open(world.path) as journal:
        (record,) = await journal.campaigns()
        spent = await spent_by(journal, record.id, Budget(price_per_minute=1), NOW)
        assert (spent.calls, spent.cost_at_most) == (3, 30)
        last = await journal.last_run(record.id)
        assert not Budget.from_json(last.budget)
        world.fake.project_id = (await journal.identity()).project_id
    with contextlib.closing(sqlite3.connect(world.path)) as connection, connection:
        connection.execute("UPDATE identity SET base_url = ?", (world.fake.base_url,))
    run, _ = await world.run(name=record.name, max_cost=35, price_per_minute=1, concurrency=1)
    assert run.finish.reason == "max_cost: up to 35 of 35 is spent, and a call can cost 5"
    assert len(world.fake.ledger.rings) == 1


# -- days


def changing_day() -> tuple[datetime, datetime]:
    """A day in Cairo that has 23 hours, some years ahead, as it begins and ends."""
    day, budget = date(2040, 1, 1), Budget(max_calls_per_day=1, zone="Africa/Cairo")
    while True:
        found = budget.day_of(datetime.combine(day, time(12), CAIRO))
        assert found is not None
        if found[1] - found[0] == timedelta(hours=23):
            return found
        day += timedelta(days=1)


async def test_midnight_on_a_day_on_which_clocks_change(world: Any) -> None:
    """Three calls a day, as Cairo's clocks have days; the run says until when, and waits."""
    world.calls_end()
    begins, ends = changing_day()
    clock = Clock(world, begins - timedelta(seconds=30))
    untils: list[datetime] = []

    def listen(event: Any) -> None:
        if event.kind is EventKind.WAITING and event.data["reason"] == "max_calls_per_day":
            untils.append(datetime.fromisoformat(event.data["until"]))
            clock.set(untils[-1])

    async with world.dialer(clock=clock) as dialer:
        campaign = world.campaign(max_calls_per_day=3, budget_zone="Africa/Cairo")
        run = dialer.run(campaign, world.rows(8))
        await read(run, listen)
    assert run.finish.ending is Ending.DONE
    assert untils == [begins, ends]
    days = Counter(ring.at.astimezone(CAIRO).date() for ring in world.fake.ledger.rings)
    assert list(days.values()) == [3, 3, 2]
    await world.judge(8)


async def test_a_day_counts_all_runs(world: Any) -> None:
    """A run that does not wait says until when; others of the day, and restarts, count with it."""
    begins, ends = changing_day()
    settings: dict[str, Any] = {"budget_zone": "Africa/Cairo"}
    for moment, limit, rings in (
        (begins - timedelta(seconds=9), 2, 2),
        (begins + timedelta(seconds=1), 3, 5),
        (ends - timedelta(seconds=9), 4, 6),
        (ends - timedelta(seconds=9), 4, 6),
        (ends, 4, 9),
    ):
        async with world.dialer(clock=Clock(world, moment)) as dialer:
            settings["max_calls_per_day"] = limit
            campaign = world.campaign(**settings, retries=())
            run = dialer.run(campaign, world.rows(9), wait=False)
            await read(run)
        assert len(world.fake.ledger.rings) == rings
        if rings < 9:
            assert run.finish.ending is Ending.NOTHING_NOW
            assert run.finish.next_at == (begins if moment < begins else ends)
            assert (
                run.finish.reason == f"max_calls_per_day: {limit} were made today in Africa/Cairo"
            )


@pytest.mark.parametrize("wait", [True, False])
async def test_nobody_waits_for_who_cannot_be_paid(world: Any, wait: bool) -> None:
    """Whose retry comes in an hour is not waited for where the last call was made."""
    world.calls_end("NO_ANSWER")
    async with world.dialer() as dialer:
        first = dialer.run(world.campaign(), world.rows(2), wait=False)
        await read(first)
        run = dialer.run(world.campaign(max_calls=2), world.rows(2), wait=wait)
        async with asyncio.timeout(30):
            await read(run)
    assert run.finish.ending is Ending.HALTED
    assert run.finish.reason == "max_calls: 2 were made"
    assert len(world.fake.ledger.rings) == 2


async def test_in_hand_over_midnight(world: Any) -> None:
    """Who waits at the door while a day begins is of the new day."""
    world.calls_end()
    begins, _ = changing_day()
    clock = Clock(world, begins - timedelta(seconds=30))
    settings = {"max_calls_per_day": 4, "budget_zone": "Africa/Cairo"}
    world.fake.faults.next("rate_limited", retry_after="1")

    def listen(event: Any) -> None:
        if event.kind is EventKind.RUN_BEGAN:
            asyncio.get_running_loop().call_later(0.4, lambda: clock.pass_by(seconds=40))

    async with world.dialer(clock=clock) as dialer:
        run = dialer.run(world.campaign(**settings), world.rows(9), wait=False)
        await read(run, listen)
    assert run.finish.ending is Ending.NOTHING_NOW
    days = Counter(ring.at.astimezone(CAIRO).date() for ring in world.fake.ledger.rings)
    assert max(days.values()) <= 4
    assert run.spent().calls == len(world.fake.ledger.rings)


# -- what is shown


async def test_memory_and_journal_agree(world: Any) -> None:
    """What a run counted as it went is what the journal counts afterwards."""
    clock = Clock(world, NOW, speed=200)
    world.fake.call_seconds = (20, 200)
    world.fake.outcomes = {"COMPLETED": 0.6, "NO_ANSWER": 0.2, "FAILED": 0.2}
    world.fake.faults.for_number(world.number(3), "drop_after")
    world.fake.faults.for_number(world.number(4), "status_400")
    ended: list[Any] = []

    def listen(event: Any) -> None:
        if event.kind is EventKind.ENDED:
            ended.append(event)
            if len(ended) == 8:
                run.stop()

    async with world.dialer(clock=clock) as dialer:
        campaign = world.campaign(
            max_cost="40",
            price_per_minute="0.35",
            max_calls_per_day=18,
            budget_zone="Asia/Dubai",
            max_calls=40,
            retries=(),
        )
        run = dialer.run(campaign, world.rows(15))
        await read(run, listen)
        counted = await spent_by(dialer.journal, 1, campaign.budget, clock())
        assert counted == run.spent()
        last = await dialer.journal.last_run(1)
        assert Budget.from_json(last.budget) == campaign.budget
    assert counted.calls == counted.calls_today == 14
    assert 0 < counted.cost < counted.cost_at_most


def test_what_was_spent_in_words() -> None:
    """Of each budget what was spent and what may be."""
    budget = Budget(
        max_calls=9, max_calls_per_day=4, zone="Asia/Dubai", max_cost="20", price_per_minute="0.5"
    )
    spending = Spending(budget)
    made = CallsMade(
        calls=3,
        since=2,
        ended=[EndedCalls(calls=1, outcome="completed", duration=61.0)],
        open={"a": timedelta(minutes=5), "b": None},
    )
    spending.recount(made, NOW)
    words = "3 of 9 calls; 2 of 4 today (Asia/Dubai); cost 1.0, at most 8.5 of 20"
    assert str(spending.spent(NOW)) == words
    assert str(Spending(Budget(max_calls=9)).spent(NOW)) == "0 of 9 calls"
