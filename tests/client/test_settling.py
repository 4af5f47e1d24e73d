"""What a look proves, as pure decisions: tables, and worlds made up by hypothesis."""

import asyncio
import pickle
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamsa_async import Call, Evidence, NotFoundError, NotSeen, StillUnknown, UnknownReason
from hamsa_async._looking import look
from hamsa_async._settling import (
    _IN_WORDS,
    Absence,
    Candidate,
    Doubt,
    Look,
    Settled,
    Span,
    decide,
    find_control,
    read_number,
    same_number,
    to_look_at,
)
from hamsa_async.errors import ConfigurationError
from hamsa_async.models import Conversation, ConversationSummary, Page
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.calls import REFERENCE_PARAM
from hamsa_async.models.conversations import CallParams

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = "+971501234567"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TAKEN = Span(begin=NOON, end=NOON + MINUTE)
DOUBT = Doubt(to_number=NUMBER, begun_at=TAKEN.begin, ended_at=TAKEN.end, reference="ours")
EMPTY = Look(
    at=NOON + HOUR,
    taken=TAKEN,
    span=TAKEN.wider(HOUR),
    dates=Span(begin=NOON + HOUR, end=NOON + HOUR),
    crowded=False,
    unreadable=0,
    control="later",
    candidates=(),
    named=None,
)


def candidate(call_id: str, reference: str | None = None, at: datetime | None = NOON) -> Candidate:
    return Candidate(call_id=call_id, created_at=at, reference=reference, call=Call(id=call_id))


def settled(
    *seen: Candidate,
    doubt: Doubt = DOUBT,
    bound: Sequence[str] = (),
    first: Absence | None = None,
    lag: float = 900,
    **changes: Any,
) -> Settled:
    shown = attrs.evolve(EMPTY, candidates=seen, **changes)
    return decide(doubt, shown, bound=bound, first=first, lag=lag)


def summary_of(outcome: Settled) -> object:
    """An outcome in a word: what was found by what, or why it is unknown."""
    if isinstance(outcome, Call):
        return (outcome.id, outcome.evidence)
    return outcome.reason if isinstance(outcome, StillUnknown) else NotSeen


OURS, THEIRS, BARE = candidate("a", "ours"), candidate("b", "theirs"), candidate("c")
LATE = candidate("d", at=NOON + HOUR / 2)
UNDATED = candidate("e", at=None)
CASES: Mapping[str, tuple[dict[str, Any], object]] = {
    "ours": ({"seen": [OURS]}, ("a", Evidence.REFERENCE)),
    "ours among others": ({"seen": [BARE, THEIRS, OURS, LATE]}, ("a", Evidence.REFERENCE)),
    "ours at any time": (
        {"seen": [candidate("a", "ours", at=NOON + HOUR)]},
        ("a", Evidence.REFERENCE),
    ),
    "ours, twice": ({"seen": [OURS, candidate("z", "ours")]}, UnknownReason.SEVERAL),
    "ours, of another attempt": ({"seen": [OURS], "bound": ["a"]}, UnknownReason.SEEN_ONCE),
    "theirs": ({"seen": [THEIRS]}, UnknownReason.SEEN_ONCE),
    "bare": ({"seen": [BARE]}, ("c", Evidence.NUMBER_AND_TIME)),
    "bare beside theirs": ({"seen": [THEIRS, BARE]}, ("c", Evidence.NUMBER_AND_TIME)),
    "bare, of another attempt": ({"seen": [BARE], "bound": ["c"]}, UnknownReason.SEEN_ONCE),
    "two bare": ({"seen": [BARE, LATE]}, UnknownReason.SEVERAL),
    "bare at another time": ({"seen": [LATE]}, UnknownReason.OUT_OF_TIME),
    "bare at no time": ({"seen": [UNDATED]}, UnknownReason.OUT_OF_TIME),
    "bare where not all was seen": ({"seen": [BARE], "crowded": True}, UnknownReason.CROWDED),
    "bare, no date": ({"seen": [BARE], "dates": None}, ("c", Evidence.NUMBER_AND_TIME)),
    "named": ({"named": candidate("n")}, ("n", Evidence.CALL_ID)),
    "named, ours": ({"named": candidate("n", "ours")}, ("n", Evidence.REFERENCE)),
    "named, among others": (
        {"seen": [BARE, LATE], "named": candidate("n")},
        ("n", Evidence.CALL_ID),
    ),
    "named, of another attempt": (
        {"named": candidate("n"), "bound": ["n"]},
        UnknownReason.SEEN_ONCE,
    ),
    "nothing": ({}, UnknownReason.SEEN_ONCE),
    "nothing, no date": ({"dates": None}, UnknownReason.NO_SERVER_DATE),
    "nothing, crowded": ({"crowded": True}, UnknownReason.CROWDED),
    "nothing, a null number": ({"unreadable": 1}, UnknownReason.UNREADABLE_NUMBER),
    "nothing, no control": ({"control": None}, UnknownReason.NO_CONTROL),
    "nothing, but an id": (
        {"doubt": attrs.evolve(DOUBT, call_id="n")},
        UnknownReason.ID_NOT_SHOWN,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_look_proves(case: str) -> None:
    """The rules, one by one."""
    given_, expected = CASES[case]
    arguments = dict(given_)
    assert summary_of(settled(*arguments.pop("seen", ()), **arguments)) == expected


FIRST = Absence(
    span=TAKEN.wider(HOUR), dates=Span(begin=NOON + MINUTE, end=NOON + 2 * MINUTE), control="later"
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, UnknownReason.SEEN_ONCE), (899, UnknownReason.SEEN_ONCE), (900, NotSeen), (1e6, NotSeen)],
)
def test_two_looks_lie_the_lag_apart(seconds: float, expected: object) -> None:
    """From the last answer of the first to the first answer of the second, by the server's."""
    begin = FIRST.dates.end + timedelta(seconds=seconds)
    dates = Span(begin=begin, end=begin + HOUR)
    outcome = settled(first=FIRST, dates=dates)
    assert summary_of(outcome) == expected
    if isinstance(outcome, StillUnknown):
        assert outcome.first_look == FIRST
        assert outcome.ask_again_at == EMPTY.at + timedelta(seconds=901 - seconds)
    else:
        assert isinstance(outcome, NotSeen)
        assert (outcome.first_look_at, outcome.as_of) == (FIRST.dates.begin, dates.end)
        assert (outcome.begin, outcome.end) == (FIRST.span.begin, FIRST.span.end)


@pytest.mark.parametrize("moved", [-HOUR, -2 * MINUTE, 2 * MINUTE, HOUR])
def test_a_first_look_at_another_time_is_none(moved: timedelta) -> None:
    """A clock of ours that jumped in between shows that it may have looked in the wrong place."""
    first = attrs.evolve(
        FIRST, span=Span(begin=FIRST.span.begin + moved, end=FIRST.span.end + moved)
    )
    outcome = settled(first=first, lag=0)
    assert summary_of(outcome) is UnknownReason.SEEN_ONCE
    assert isinstance(outcome, StillUnknown)
    assert outcome.first_look is not None
    assert outcome.first_look.span == EMPTY.span


# -- numbers


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        (NUMBER, "971501234567"),
        ("971501234567", "971501234567"),
        ("00971501234567", "971501234567"),
        (" +971 50 123-4567 ", "971501234567"),
        ("+971 (50) 123.4567", "971501234567"),
        ("٩٧١٥٠١٢٣٤٥٦٧", "971501234567"),
        ("0501234567", "501234567"),
        ("", None),
        ("+", None),
        ("anonymous", None),
        ("+97150***4567", None),
        ("sip:971501234567@example.com", None),
        ("000000", None),
        ("123456", None),
        (None, None),
        (971501234567, None),
    ],
)
def test_a_number_is_read_however_it_is_written(text: object, digits: str | None) -> None:
    """Or not at all: what cannot be compared counts as no number."""
    assert read_number(text) == digits


def test_a_number_without_its_country_is_the_same() -> None:
    """It is looked into, where calling it another one would prove too much."""
    assert same_number("971501234567", "501234567")
    assert same_number("501234567", "971501234567")
    assert not same_number("971501234567", "971501234568")
    assert not same_number("971501234567", "971501234")


# -- spans


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_halves_cover_the_whole_and_come_to_an_end(begin: int, length: int) -> None:
    """To the last one that cannot be cut; the moment between two is in both."""
    span = Span(
        begin=NOON + timedelta(microseconds=begin),
        end=NOON + timedelta(microseconds=begin + length),
    )
    halves = span.halves()
    if halves is None:
        assert length <= 1000
        return
    assert halves[0].begin == span.begin
    assert halves[0].end == halves[1].begin
    assert halves[1].end == span.end
    assert all(half.end - half.begin < span.end - span.begin for half in halves)


def test_a_clock_that_steps_back_during_the_request() -> None:
    """The span is none that ends before it begins, and a control is later than both ends."""
    odd = attrs.evolve(DOUBT, begun_at=NOON + MINUTE, ended_at=NOON)
    assert odd.taken_in(0.0) == TAKEN
    assert odd.later({"a": NOON + MINUTE / 2, "b": NOON + MINUTE}) == {"b": NOON + MINUTE}


def test_a_look_goes_an_hour_further_and_as_far_as_a_control() -> None:
    """A control that nobody reads shows nothing."""
    assert to_look_at(TAKEN, [], 0.0) == TAKEN.wider(HOUR)
    quarters = Span(begin=NOON + MINUTE, end=NOON + 31 * MINUTE).outward(15 * MINUTE)
    assert quarters == Span(begin=NOON, end=NOON + 45 * MINUTE)
    assert quarters.outward(15 * MINUTE) == quarters
    assert to_look_at(TAKEN, [NOON + 2 * MINUTE, NOON + 9 * HOUR], 0.0).end == NOON + HOUR * 31 / 30
    assert to_look_at(TAKEN, [NOON + 9 * HOUR], 60.0).end == NOON + 10 * HOUR + MINUTE


def test_a_control_is_later_by_the_servers_clock_too() -> None:
    """Ours may have jumped; without a moment of the server's it is none."""
    rows = [
        ConversationSummary(id="early", created_at=NOON - MINUTE),
        ConversationSummary(id="undated"),
        ConversationSummary(id="not ours", created_at=NOON + 2 * MINUTE),
        ConversationSummary(id="third", created_at=NOON + 9 * MINUTE),
        ConversationSummary(id="second", created_at=NOON + 3 * MINUTE),
    ]
    assert find_control(rows, {"early", "undated", "second", "third"}, TAKEN) == "second"
    assert find_control(rows, {"early", "undated"}, TAKEN) is None


def test_a_moment_without_a_zone_is_refused() -> None:
    """Nobody could say what it means to the server."""
    with pytest.raises(ConfigurationError, match="aware"):
        attrs.evolve(DOUBT, begun_at=datetime(2026, 3, 1))  # noqa: DTZ001 - it is what is refused


@pytest.mark.parametrize("number", ["", "anonymous", "+971", "+97150***4567"])
def test_a_number_that_cannot_be_compared_is_refused(number: str) -> None:
    """It would be found nowhere, and so be called absent."""
    with pytest.raises(ConfigurationError, match="to_number"):
        attrs.evolve(DOUBT, to_number=number)


def test_every_reason_has_its_words() -> None:
    """And each of what is for a person can come about."""
    assert set(_IN_WORDS) == set(UnknownReason)
    said = {
        summary_of(settled(*case.get("seen", ()), **{k: v for k, v in case.items() if k != "seen"}))
        for case, _ in CASES.values()
    }
    assert set(UnknownReason) <= said


def test_a_server_that_shows_fewer_rows_than_it_was_asked_for() -> None:
    """Where it says that there are more, its page is none that the answer fits on."""
    world = world_of([(5, "+15550001111", None), (5, "+15550001112", None), (0, NUMBER, None)], 0)
    world.shows, world.says = 2, True
    assert isinstance(look_twice(world, DOUBT, set(), {"call-0"}), Call)


def test_values_survive_pickle_and_show_no_number() -> None:
    """A journal of the user's may keep them, a log may print them."""
    outcome = settled(BARE, LATE)
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    assert NUMBER[1:] not in repr(outcome) + str(outcome) + str(pickle.dumps(outcome))


# -- worlds

MINUTES = st.integers(-90, 90)
ROWS = st.lists(
    st.tuples(
        MINUTES,
        st.sampled_from([NUMBER, NUMBER[1:], "0501234567", "+971507654321", "+15550001111", None]),
        st.sampled_from([None, "ours", "theirs"]),
    ),
    max_size=12,
)


@attrs.frozen
class Listed:
    """A list that is not read yet."""

    world: "World"
    span: Span

    async def page(self, number: int) -> Page[ConversationSummary]:
        assert number == 1
        world = self.world
        world.asked += 1
        rows = [row for row in world.rows if row.created_at in self.span]
        return Page(
            items=rows[: world.shows],
            number=1,
            size=MOST,
            filtered=len(rows) if world.says else None,
            at=None if world.asked in world.undated else world.server_now(),
        )


MOST = 3
"""How many rows a page may have in these worlds."""


@attrs.define(eq=False)
class World:
    """A server with calls: as little of the API as a look needs."""

    rows: list[ConversationSummary]
    references: Mapping[str, str | None]
    ahead: timedelta
    undated: frozenset[int] = frozenset()
    asked: int = 0
    shows: int = MOST
    says: bool = False

    def server_now(self) -> datetime:
        return NOON + 3 * HOUR + self.ahead

    def list(self, *, start_time: datetime, end_time: datetime, page_size: int) -> Listed:
        return Listed(self, Span(begin=start_time, end=end_time))

    async def get(self, conversation_id: str) -> Conversation:
        for row in self.rows:
            if row.id == conversation_id:
                reference = self.references[row.id]
                params = {} if reference is None else {REFERENCE_PARAM: reference}
                return Conversation(
                    id=row.id,
                    created_at=row.created_at,
                    call_params=row.call_params,
                    agent_details=AgentDetails(params=params),
                )
        raise NotFoundError("?")


def world_of(rows: list[tuple[int, str | None, str | None]], hours: int) -> World:
    ahead = timedelta(hours=hours)
    return World(
        rows=[
            ConversationSummary(
                id=f"call-{index}",
                created_at=NOON + ahead + minute * MINUTE,
                call_params=CallParams(user_number=number),
            )
            for index, (minute, number, _) in enumerate(rows)
        ],
        references={f"call-{index}": row[2] for index, row in enumerate(rows)},
        ahead=ahead,
    )


def look_twice(world: World, doubt: Doubt, bound: set[str], later: set[str]) -> Settled:
    """Two looks with no lag between them."""

    async def settle() -> Settled:
        placed = {row.id: row.created_at - world.ahead for row in world.rows if row.id in later}  # type: ignore[operator]
        first = None
        for _ in range(2):
            seen = await look(world, doubt, bound=bound, placed=placed, now=lambda: NOON + 3 * HOUR)
            outcome = decide(doubt, seen, bound=bound, first=first, lag=0)
            if not isinstance(outcome, StillUnknown):
                return outcome
            first = outcome.first_look
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hamsa_async._looking._MOST_ROWS", MOST)
        return asyncio.run(settle())


def named(ids: set[int]) -> set[str]:
    return {f"call-{index}" for index in ids}


@settings(max_examples=400)
@given(
    rows=ROWS,
    bound=st.sets(st.integers(0, 11)),
    later=st.sets(st.integers(0, 11)),
    hours=st.integers(-5, 5),
    reference=st.sampled_from([None, "ours"]),
)
def test_absence_is_believed_only_where_nothing_speaks_against_it(
    rows: list[tuple[int, str | None, str | None]],
    bound: set[int],
    later: set[int],
    hours: int,
    reference: str | None,
) -> None:
    """Said anew without the code: nobody who may be ours, no number unread, a later call."""
    world, doubt = world_of(rows, hours), attrs.evolve(DOUBT, reference=reference)
    outcome = look_twice(world, doubt, named(bound), named(later))
    # An hour before noon to an hour after a minute past, or after the first later call.
    controls = [row[0] for index, row in enumerate(rows) if index in later and row[0] >= 1]
    reach = max(61, min(controls, default=0) + 60)
    wide = [(index, row) for index, row in enumerate(rows) if -60 <= row[0] <= reach]
    our_numbers = {NUMBER, NUMBER[1:], "0501234567"}
    may_be_ours = [
        index
        for index, (_, number, carried) in wide
        if number in our_numbers and index not in bound and carried in {None, reference}
    ]
    unread = any(number is None for _, (_, number, _) in wide)
    crowds = any(sum(row[0] == minute for row in rows) >= MOST for minute, _, _ in rows)
    if isinstance(outcome, NotSeen):
        assert not may_be_ours
        assert not unread
        assert controls
        assert int(outcome.control.removeprefix("call-")) in later
    elif isinstance(outcome, Call):
        assert int(outcome.id.removeprefix("call-")) in may_be_ours
    elif not crowds:
        assert may_be_ours or unread or not controls
        assert outcome.reason is not UnknownReason.SEEN_ONCE


@settings(max_examples=400)
@given(rows=ROWS, minute=st.integers(0, 1), hours=st.integers(-5, 5), data=st.data())
def test_a_call_that_is_listed_is_never_said_to_be_absent(
    rows: list[tuple[int, str | None, str | None]], minute: int, hours: int, data: st.DataObject
) -> None:
    """Whatever stands beside it: it is found, or it is still unknown."""
    carried = data.draw(st.sampled_from([None, "ours"]))
    place = data.draw(st.integers(0, len(rows)))
    rows = [*rows[:place], (minute, NUMBER, carried), *rows[place:]]
    later = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    others = set(range(len(rows))) - {place}
    bound = {index for index in others if data.draw(st.booleans())}
    outcome = look_twice(world_of(rows, hours), DOUBT, named(bound), named(later - {place}))
    assert not isinstance(outcome, NotSeen)
    if isinstance(outcome, Call) and outcome.evidence is Evidence.REFERENCE:
        assert rows[int(outcome.id.removeprefix("call-"))][2] == "ours"


@given(undated=st.sets(st.integers(1, 6), min_size=1))
def test_an_answer_without_a_date_costs_belief(undated: set[int]) -> None:
    """One of those that were used: nobody knows as of when the list is."""
    world = world_of([(5, "+15550001111", None)], 0)
    world.undated = frozenset(undated)
    outcome = look_twice(world, DOUBT, set(), {"call-0"})
    # Two answers a look: the server's clock, then the list.
    if undated & {1, 2, 3, 4}:
        assert isinstance(outcome, StillUnknown)
    else:
        assert isinstance(outcome, NotSeen)
