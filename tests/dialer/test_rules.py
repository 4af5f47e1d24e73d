"""Rules in a run: judged in the transaction that writes the intent, as a plan says they are."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from hamsa_async.dialer import (
    Campaign,
    Contact,
    ContactState,
    DialerEvent,
    Ending,
    EventKind,
    Run,
    SqliteJournal,
    runner,
)
from hamsa_async.dialer.opt_out import (
    DNC_FIELD,
    REFUSAL_FIELD,
    asks_not_to_be_called,
    declines,
)
from hamsa_async.dialer.plan import Pacing, plan
from hamsa_async.dialer.policy import History
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.dialer.rules import Rules
from hamsa_async.errors import ConfigurationError

CALLER = "+97142000000"
PACK = """
name = "{name}"
title = "A test's"
version = "1"
covers = "anywhere"
"""


@attrs.define
class Clock:
    """A clock that stands still until a test sets it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def at(text: str) -> datetime:
    """A moment in Dubai. 2026-12-01 is a Tuesday."""
    return datetime.fromisoformat(f"{text}+04:00").astimezone(UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(at("2026-12-01T07:00"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run looks at the clock all the time: it is set, not waited for."""
    monkeypatch.setattr(runner, "_LOOK_AT_CLOCK", 0.001)


@pytest.fixture
def pack(tmp_path: Path) -> Any:
    """Write a pack of one's own; give what `--policy` calls it."""

    def write(rules: str, name: str = "own") -> str:
        path = tmp_path / f"{name}.toml"
        path.write_text(PACK.format(name=name) + rules)
        return str(path)

    return write


async def dial(
    world: Any, clock: Clock, contacts: Any, *, wait: bool = True, **settings: Any
) -> tuple[Run, list[DialerEvent]]:
    """Run a campaign; when it waits, its time comes."""
    world.calls_end(*settings.pop("outcomes", ()))
    settings = {"from_number": CALLER, "concurrency": 1, **settings}
    accept = settings.pop("accept_changes", False)
    async with world.dialer(clock=clock) as dialer:
        campaign = world.campaign(**settings)
        run = dialer.run(campaign, contacts, wait=wait, accept_changes=accept)
        events = []
        async for event in run:
            events.append(event)
            if event.kind is EventKind.WAITING and "until" in event.data:
                clock.now = datetime.fromisoformat(event.data["until"])
        return run, events


def reasons(world: Any) -> dict[str, tuple[str, str | None]]:
    rows = world.ask("SELECT phone_number, state, reason FROM contacts")
    return {number: (state, reason) for number, state, reason in rows}


def rings(world: Any) -> list[str]:
    return [ring.phone_number for ring in world.fake.ledger.rings]


PEOPLE = [
    {"phone": "+447400123456"},
    {"phone": "+966501234567"},
    {"phone": "+971501234567"},
    {"phone": "+971501234567"},
    {"phone": "+201001234567"},
    {"phone": "+971501234568", "not_before": "2026-12-01T11:00:00+04:00"},
    {"phone": "+971501234569", "timezone": "Asia/Karachi"},
    {"phone": "+970599123456"},
    {"phone": "+962790123456", "not_after": "2026-12-01T06:00:00+04:00"},
    {"phone": "+962790123457", "not_after": "2026-12-01T08:00:00+04:00"},
    {"phone": "+12125550123"},
    {"phone": "+80012345678"},
    {"phone": "junk"},
]


@pytest.mark.parametrize(
    "start",
    ["2026-12-01T07:00", "2026-12-01T12:00", "2026-12-01T22:30", "2026-12-04T11:00"],
)
@pytest.mark.parametrize("priorities", [(), (None, 1, 100, 50, 100), (7, 7, None)])
async def test_plan_and_run_agree(
    world: Any, clock: Clock, pack: Any, start: str, priorities: tuple[int | None, ...]
) -> None:
    """The same list, rules and clock: the same people, in the same order, for the same reasons."""
    clock.now = began = at(start)
    people = [
        {**person, "priority": priority}
        for person, priority in zip(PEOPLE, itertools.cycle(priorities or (None,)), strict=False)
    ]
    policies = ("service_calls", pack('[hours]\nevery_day = ["00:00-23:00"]\nfriday = []\n'))
    campaign = Campaign(name="eid", voice_agent_id="a", policy=policies, from_number=CALLER)
    rows = [row async for chunk in read_chunks(people) for row in chunk]
    planned = plan(
        rows,
        campaign.read_policy(),
        at=began,
        pacing=Pacing(rate=None),
        caller_of=campaign.caller_of,
    )
    sequence = sorted(
        (each for each in planned if each.first_call_at is not None),
        key=lambda each: each.turn or 0,
    )
    await dial(world, clock, people, policy=policies)
    assert rings(world) == [each.phone_number for each in sequence]
    assert len(sequence) >= 7
    intended = dict(world.ask("SELECT phone_number, intended_at FROM attempts"))
    for each in sequence:
        assert each.first_call_at is not None
        assert intended[each.phone_number] == each.first_call_at.timestamp() * 1000
    states = {
        row: (state, reason)
        for row, state, reason in world.ask("SELECT row, state, reason FROM contacts")
    }
    never = [each for each in planned if each.first_call_at is None]
    assert len(never) >= 4
    for each in never:
        assert (each.row, states[each.row]) == (each.row, (each.state, each.reason))


async def test_whose_time_comes_goes_by_priority(world: Any) -> None:
    """In the midst of others it is their turn at once, or after all of these; as planned."""
    began, every = at("2026-12-01T12:00"), timedelta(minutes=10)
    soon, later = began + timedelta(minutes=5), began + timedelta(minutes=25)
    people = [
        *world.rows(6, priority=5),
        *world.rows(1, start=6, priority=9, not_before=later.isoformat()),
        *world.rows(1, start=7, priority=1, not_before=soon.isoformat()),
        *world.rows(1, start=8),
    ]
    rows = [row async for chunk in read_chunks(people) for row in chunk]
    pacing = Pacing(rate=1 / every.total_seconds())
    planned = plan(rows, world.campaign().read_policy(), at=began, pacing=pacing)
    sequence = sorted(planned, key=lambda each: each.turn or 0)

    def clock() -> datetime:
        """Each call takes its time."""
        return began + every * len(rings(world))

    async with world.dialer(clock=clock) as dialer:
        run = dialer.run(world.campaign(concurrency=1), people, wait=False)
        [_ async for _ in run]
    assert rings(world) == [each.phone_number for each in sequence]
    assert rings(world) == [world.number(place) for place in (0, 1, 2, 6, 3, 4, 5, 7, 8)]


async def test_outside_the_hours_nobody_is_called(world: Any, clock: Clock) -> None:
    """Without waiting the run ends, says when to come back, and why everybody waits."""
    run, _ = await dial(world, clock, world.rows(3), wait=False, policy="ae_telemarketing")
    assert run.finish is not None
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.finish.next_at == at("2026-12-01T09:00")
    assert run.finish.reason == "outside_hours"
    assert rings(world) == []
    (detail,) = {detail for (detail,) in world.ask("SELECT detail FROM contacts")}
    assert "Tue 07:00 in Asia/Dubai" in detail
    clock.now = at("2026-12-01T09:00")
    await dial(world, clock, None, wait=False, policy="ae_telemarketing")
    assert len(rings(world)) == 3
    assert set(world.ask("SELECT zone, zone_source FROM attempts")) == {("Asia/Dubai", "table")}


async def test_what_rules_skip_and_that_other_rules_judge_anew(world: Any, clock: Clock) -> None:
    """Never is said with its reason; a campaign with another policy thinks again."""
    clock.now = at("2026-12-01T12:00")
    people = [{"phone": "+966501234567"}, {"phone": "+971501234567"}]
    _, events = await dial(world, clock, people, policy="ae_telemarketing")
    assert reasons(world)["+966501234567"] == ("skipped", "country_not_covered")
    (skipped,) = [event for event in events if event.kind is EventKind.SKIPPED]
    assert skipped.data == {"reason": "country_not_covered"}
    both = ("ae_telemarketing", "service_calls")
    await dial(world, clock, None, policy=both, accept_changes=True)
    # The pack for the Emirates has nothing to say of a Saudi number; the other one has.
    assert sorted(rings(world)) == ["+966501234567", "+971501234567"]


async def test_a_cap_holds_across_campaigns(world: Any, clock: Clock) -> None:
    """Once a day in the Emirates is once a day, whichever campaign calls."""
    clock.now = at("2026-12-01T10:00")
    await dial(world, clock, world.rows(1), name="one", policy="ae_telemarketing")
    clock.now = at("2026-12-01T15:00")
    run, _ = await dial(
        world, clock, world.rows(1), name="two", wait=False, policy="ae_telemarketing"
    )
    assert run.finish is not None
    assert (run.finish.reason, run.finish.next_at) == ("cap_day", at("2026-12-02T09:00"))
    clock.now = at("2026-12-02T09:00")
    await dial(world, clock, None, name="two", policy="ae_telemarketing")
    clock.now = at("2026-12-03T12:00")
    run, _ = await dial(
        world, clock, world.rows(1), name="three", wait=False, policy="ae_telemarketing"
    )
    assert run.finish is not None
    assert (run.finish.reason, run.finish.next_at) == ("cap_7_days", at("2026-12-08T09:00"))
    assert len(rings(world)) == 2


async def test_do_not_call_holds_at_once_and_under_every_policy(world: Any, clock: Clock) -> None:
    """A number that somebody else adds while the campaign is loaded is not dialed."""
    rows = world.rows(4)
    async with world.dialer(clock=clock) as dialer:
        loaded = await dialer.load(world.campaign(), rows)
        async with await SqliteJournal.open(world.path, create=False) as beside:
            assert await beside.suppressions.add([world.number(2)]) == 1
        run = dialer.run(loaded, wait=False)
        events = [event async for event in run]
    assert sorted(rings(world)) == [world.number(place) for place in (0, 1, 3)]
    assert reasons(world)[world.number(2)] == ("skipped", "dnc")
    assert [event.row for event in events if event.kind is EventKind.SKIPPED] == [3]
    assert await world.problems() == []


async def test_a_caller_number_that_a_pack_forbids(world: Any, clock: Clock) -> None:
    """Everybody would be refused: nothing is loaded, and nobody is called."""
    for caller in ("+442079460117", "hamsa-default", ("+97142000000", "+442079460117")):
        with pytest.raises(ConfigurationError, match=r"must start with \+971"):
            await dial(world, clock, world.rows(1), policy="ae_telemarketing", from_number=caller)
    assert rings(world) == []
    clock.now = at("2026-12-01T12:00")
    own = [{"phone": world.number(1), "from_number": "+442079460117"}, {"phone": world.number(2)}]
    run, _ = await dial(world, clock, own, policy="ae_telemarketing", wait=False)
    assert reasons(world)[world.number(1)] == ("deferred", "caller_number")
    assert rings(world) == [world.number(2)]
    assert run.finish is not None
    assert run.finish.ending is Ending.NOTHING_NOW


async def test_an_old_register_stops_the_calls_until_a_new_one_comes(
    world: Any, clock: Clock
) -> None:
    """Nobody is called by an old one, nobody is lost, and a new one frees them."""
    clock.now = at("2026-12-01T12:00")

    async def numbers(*given: str) -> AsyncIterator[list[str]]:
        yield list(given)

    async def import_register(dated: datetime) -> None:
        async with await SqliteJournal.open(world.path, clock=clock) as journal:
            await journal.suppressions.take_over(
                numbers(world.number(1)), source="tdra", dated_at=dated, replace=True
            )

    await import_register(clock.now - timedelta(days=32))
    run, _ = await dial(world, clock, world.rows(2), wait=False, policy="ae_telemarketing")
    assert run.finish is not None
    assert run.finish.reason == "register_too_old"
    assert rings(world) == []
    await import_register(clock.now)
    clock.now += timedelta(minutes=5)
    await dial(world, clock, None, wait=False, policy="ae_telemarketing")
    assert rings(world) == [world.number(0)]
    assert reasons(world)[world.number(1)] == ("skipped", "dnc")


async def test_consent_is_kept_and_judged(world: Any, clock: Clock) -> None:
    """What the list says of consent and zone is in the journal, and another list changes it."""
    clock.now = at("2026-12-01T20:00")
    people = [
        {"phone": "+12125550123", "consent": "yes", "consent_at": "2026-01-01T00:00:00Z"},
        {"phone": "+12125550124", "consent": ""},
    ]
    settings: dict[str, Any] = {"policy": "us_federal", "from_number": "+12025550100"}
    await dial(world, clock, people, **settings)
    assert rings(world) == ["+12125550123"]
    assert reasons(world)["+12125550124"] == ("skipped", "no_consent")
    assert world.ask("SELECT zone, zone_source FROM attempts") == [
        ("America/New_York", "phonenumbers")
    ]
    (kept,) = world.ask("SELECT consent, consent_at FROM contacts WHERE consent IS NOT NULL")
    assert kept == (1, datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


async def test_whose_time_runs_out_before_the_hours_begin(world: Any, clock: Clock) -> None:
    """They wait until then, and are expired, not called and not lost."""
    people = [{"phone": world.number(1), "not_after": "2026-12-01T08:00:00+04:00"}]
    await dial(world, clock, people, policy="ae_telemarketing")
    assert reasons(world)[world.number(1)] == ("expired", "expired")
    assert rings(world) == []
    assert clock.now == at("2026-12-01T08:00")


async def test_a_pack_of_ones_own(world: Any, clock: Clock, pack: Any) -> None:
    """Its file is read when the campaign is made, and a mistake is told there."""
    own = pack("min_gap_minutes = 240\n")
    clock.now = at("2026-12-01T12:00")
    await dial(world, clock, world.rows(1), name="one", policy=own)
    clock.now += timedelta(minutes=90)
    run, _ = await dial(world, clock, world.rows(1), name="two", policy=own, wait=False)
    assert run.finish is not None
    assert run.finish.next_at == at("2026-12-01T16:00")
    with pytest.raises(ConfigurationError, match="line"):
        world.campaign(policy=pack("hour = 1\n", name="bad"))


async def test_what_the_journal_knows_of_a_number(world: Any, clock: Clock) -> None:
    """Calls of every campaign, and since when it is not to be called."""
    clock.now = at("2026-12-01T12:00")
    await dial(world, clock, world.rows(1), policy="none")
    async with await SqliteJournal.open(world.path, clock=clock) as journal:
        gap = clock.now + timedelta(minutes=60)
        known = History(calls=(clock.now,), gap_until=gap)
        assert await journal.history(world.number(0)) == known
        await journal.suppressions.add([world.number(0)])
        history = await journal.history(world.number(0))
        assert history.suppressed_since == clock.now
        record = await journal.campaign("eid")
        assert record is not None
        contact = await journal.contact(record.id, world.number(0))
        assert contact is not None
        assert contact.row == 1
        assert await journal.contact(record.id, world.number(1)) is None


async def test_states_add_up_under_rules(world: Any, clock: Clock) -> None:
    """Whatever rules say of whom, every row ends in one state."""
    await dial(world, clock, PEOPLE, policy="service_calls")
    counts = world.state_counts()
    assert sum(counts.values()) == len(PEOPLE)
    assert set(counts) <= {
        *(ContactState.DONE, ContactState.SKIPPED, ContactState.EXPIRED, ContactState.INVALID),
    }
    assert await world.problems() == []


async def test_who_says_so_in_a_call_is_called_no_more(world: Any, clock: Clock) -> None:
    """The outcome puts the number on the list, in the transaction that writes it."""
    clock.now = at("2026-12-01T12:00")
    # The fake's outcomes hold the params of the call.
    people = [
        Contact(phone_number=world.number(1), params={"do_not_call": "yes"}),
        Contact(phone_number=world.number(2), params={"do_not_call": False}),
        Contact(phone_number=world.number(3)),
    ]
    _, events = await dial(world, clock, people, name="one")
    (ended,) = [event for event in events if event.data.get("dnc")]
    assert (ended.kind, ended.row) == (EventKind.ENDED, 1)
    async with await SqliteJournal.open(world.path) as journal:
        (found,) = await journal.suppressions.find(world.number(1))
        assert found.source == "call"
        assert await journal.suppressions.find(world.number(2)) == []
    clock.now = at("2026-12-02T12:00")
    await dial(world, clock, world.rows(4), name="two")
    assert rings(world).count(world.number(1)) == 1
    assert rings(world).count(world.number(2)) == 2
    rows = world.ask("SELECT phone_number FROM contacts WHERE state = 'skipped'")
    assert rows == [(world.number(1),)]


async def test_a_refusal_is_final_where_a_pack_says_so(world: Any, clock: Clock) -> None:
    """Whoever declined is not tried again, nor called by another campaign under such a pack."""
    clock.now = at("2026-12-01T12:00")
    people = [
        Contact(phone_number=world.number(1), params={"declined": "yes"}),
        Contact(phone_number=world.number(2), params={"declined": "no"}),
        Contact(phone_number=world.number(3), params={"declined": "yes", "do_not_call": "yes"}),
    ]
    began = clock.now
    _, events = await dial(world, clock, people, name="one", retries=("completed: 2h",))
    declined = [each for each in events if each.data.get("declined")]
    assert [(each.kind, each.row) for each in declined] == [(EventKind.ENDED, 1)]
    assert reasons(world) == {
        world.number(1): ("done", "declined"),
        world.number(2): ("done", None),
        world.number(3): ("done", "dnc"),
    }
    async with await SqliteJournal.open(world.path) as journal:
        history = await journal.history(world.number(1))
        assert history.declined_at == began
        assert (await journal.history(world.number(2))).declined_at is None
        await journal.suppressions.remove(world.number(3))
        assert (await journal.history(world.number(3))).declined_at == began
    clock.now = at("2026-12-08T12:00")
    await dial(world, clock, world.rows(4), name="two", policy="ae_telemarketing")
    found = world.ask("SELECT phone_number, state, reason FROM contacts WHERE campaign = 2")
    assert {number: reason for number, _, reason in found if reason is not None} == {
        world.number(1): "declined",
        world.number(3): "declined",
    }
    clock.now = at("2026-12-15T12:00")
    await dial(world, clock, world.rows(2), name="three", policy="none")
    assert rings(world).count(world.number(1)) == 2
    assert await world.problems() == []


async def test_a_refusal_by_the_value_of_a_field(world: Any, clock: Clock) -> None:
    """Any field that was agreed with the agent, with the values that mean no."""
    clock.now = at("2026-12-01T12:00")
    people = [
        Contact(phone_number=world.number(1), params={"interest": "Not now"}),
        Contact(phone_number=world.number(2), params={"interest": "very"}),
        Contact(phone_number=world.number(3), params={"declined": "yes"}),
    ]
    await dial(world, clock, people, refusal_field="interest=none, not now")
    assert [reason for _, reason in reasons(world).values()] == ["declined", None, None]


@pytest.mark.parametrize(
    ("result", "field", "declined"),
    [
        (None, REFUSAL_FIELD, False),
        ({}, REFUSAL_FIELD, False),
        ({"declined": ""}, REFUSAL_FIELD, False),
        ({"declined": "no"}, REFUSAL_FIELD, False),
        ({"declined": True}, REFUSAL_FIELD, True),
        ({"declined": "perhaps"}, REFUSAL_FIELD, True),
        ({"a": {"b": "NONE "}}, "a.b=none", True),
        ({"a": {"b": "much"}}, "a.b=none", False),
        ({"a": False}, "a=false", True),
        ({"a": False}, "a=true", False),
        ({"a": 0}, "a=0,1", True),
        ({"a": None}, "a=none", False),
        ({"a": ["none"]}, "a=none", False),
    ],
)
def test_ways_to_decline(result: dict[str, Any] | None, field: str, declined: bool) -> None:
    """A yes, or one of the values; in doubt about a yes the person declined."""
    assert declines(result, field) is declined


@pytest.mark.parametrize("field", ["=x", "a=", "a= , ", " =x", "a..b", ".a=x", "a."])
def test_no_refusal_field(world: Any, field: str) -> None:
    with pytest.raises(ConfigurationError, match="refusal field"):
        world.campaign(refusal_field=field)


@pytest.mark.parametrize("field", ["wishes..stop", ".stop", "stop."])
def test_no_dnc_field(world: Any, field: str) -> None:
    """A field that no outcome can have would let those be called who asked not to be."""
    with pytest.raises(ConfigurationError, match="dnc field"):
        world.campaign(dnc_field=field)


async def test_a_row_caps_its_own_attempts(world: Any, clock: Clock) -> None:
    """The row's or the campaign's number, whichever is less."""
    clock.now = at("2026-12-01T12:00")
    people = world.rows(1)
    for place, most in enumerate([1, 2, 100], start=1):
        people += world.rows(1, start=place, max_attempts=str(most))
    settings = {"retries": ("no_answer: 2h, 2h, 2h, 2h",), "max_attempts": 3}
    await dial(world, clock, people, outcomes=("NO_ANSWER",), **settings)
    assert [rings(world).count(world.number(place)) for place in range(4)] == [3, 1, 2, 3]
    assert await world.problems() == []


async def test_the_field_that_says_so_is_the_campaigns(world: Any, clock: Clock) -> None:
    """Another name, also one within an object, and whatever is no `no` counts as yes."""
    people = [
        Contact(phone_number=world.number(1), params={"wishes": {"stop": "please"}}),
        Contact(phone_number=world.number(2), params={"wishes": {"stop": "لا"}}),
        Contact(phone_number=world.number(3), params={"do_not_call": "yes"}),
    ]
    await dial(world, clock, people, dnc_field="wishes.stop")
    async with await SqliteJournal.open(world.path) as journal:
        listed = [each.phone_number async for each in journal.suppressions.all()]
    assert listed == [world.number(1)]


@pytest.mark.parametrize(
    ("result", "asked"),
    [
        (None, False),
        ({}, False),
        ({"do_not_call": None}, False),
        ({"do_not_call": ""}, False),
        ({"do_not_call": "No"}, False),
        ({"do_not_call": 0}, False),
        ({"do_not_call": True}, True),
        ({"do_not_call": "نعم"}, True),
        ({"do_not_call": "never again"}, True),
        ({"do_not_call": {"asked": True}}, True),
        ({"do_not_call": []}, False),
    ],
)
def test_ways_to_say_so(result: dict[str, Any] | None, asked: bool) -> None:
    """In doubt a person is not called again."""
    assert asks_not_to_be_called(result, DNC_FIELD) is asked


async def test_who_is_tried_again_and_then_held_for_good(world: Any, clock: Clock) -> None:
    """Somebody who was called keeps the record of that call: done, not skipped."""
    clock.now = at("2026-12-01T12:00")
    world.calls_end("NO_ANSWER")
    async with world.dialer(clock=clock) as dialer:
        run = dialer.run(world.campaign(from_number=CALLER), world.rows(1))
        async for event in run:
            if event.kind is EventKind.RETRIED:
                await dialer.journal.suppressions.add([world.number(0)])
            if event.kind is EventKind.WAITING and "until" in event.data:
                clock.now = datetime.fromisoformat(event.data["until"])
    assert len(rings(world)) == 1
    assert reasons(world)[world.number(0)] == ("done", "dnc")
    assert await world.problems() == []


async def test_who_is_held_is_held_in_batches(
    world: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside the hours a list is held in a few writes; each contact has its reason and event."""
    holds: list[int] = []
    hold = SqliteJournal.hold

    async def counted(self: Any, campaign: int, candidates: Any, judge: Any = None) -> Any:
        holds.append(len(candidates))
        return await hold(self, campaign, candidates, judge)

    monkeypatch.setattr(SqliteJournal, "hold", counted)
    run, events = await dial(world, clock, world.rows(450), wait=False, policy="ae_telemarketing")
    assert run.counts == {ContactState.DEFERRED: 450}
    assert {state for state, _ in reasons(world).values()} == {"deferred"}
    told = [event.row for event in events if event.kind is EventKind.DEFERRED]
    assert told == list(range(1, 451))
    assert sum(holds) == 450
    assert max(holds) <= 200
    assert len(holds) <= 4


async def test_who_is_held_between_others_keeps_nobody_back(world: Any, clock: Clock) -> None:
    """Whom no rule holds is called in their turn, whoever is held before and after them."""
    # At 07:00 in Dubai it is 10:00 in Bangkok.
    zones = ["Asia/Dubai", "Asia/Dubai", "Asia/Bangkok", "Asia/Dubai", "Asia/Bangkok"]
    people = [{**row, "timezone": zone} for row, zone in zip(world.rows(5), zones, strict=True)]
    run, _ = await dial(world, clock, people, wait=False, policy="ae_telemarketing")
    assert rings(world) == [world.number(2), world.number(4)]
    assert run.counts == {ContactState.DEFERRED: 3, ContactState.PLACED: 2}


async def test_holding_ends_at_the_first_that_may_be_dialed(world: Any, clock: Clock) -> None:
    """A batch moves whom a rule holds at its head, and nobody after one that may be dialed."""
    zones = ["Asia/Dubai", "Asia/Bangkok", "Asia/Dubai"]
    people = [{**row, "timezone": zone} for row, zone in zip(world.rows(3), zones, strict=True)]
    async with world.dialer(clock=clock) as dialer:
        settings = world.campaign(policy="ae_telemarketing", from_number=CALLER)
        loaded = await dialer.load(settings, people)
        journal, campaign = dialer.journal, loaded.record.id
        candidates = await journal.pending(campaign, after=0, limit=10)
        held = await journal.hold(campaign, candidates, Rules.of(settings).ruling)
    assert [each.event.row for each in held] == [1]
    assert [state for state, _ in reasons(world).values()] == ["deferred", "pending", "pending"]
