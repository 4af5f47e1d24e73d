"""`voice_agents.settle`: doubt ends by evidence or stays; nobody is dialed, nobody rings twice."""

# ruff: noqa: PLR0917 - fixtures

import asyncio
import json
import pickle
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import (
    Call,
    Certainty,
    ConfigurationError,
    Evidence,
    HamsaClient,
    NotSeen,
    NotSentError,
    OutcomeUnknownError,
    ServerError,
    StillUnknown,
    Timeouts,
    UnknownReason,
)
from hamsa_async._converter import structure
from hamsa_async._placed import PlacedCalls
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]

NUMBER = "+971501234567"
OTHER = "+971507654321"
HOUR = timedelta(hours=1)


class Clock:
    """The server's clock, which differs from ours by as much as the test says."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.stopped: datetime | None = None

    def __call__(self) -> datetime:
        return self.stopped or datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fake(clock: Clock) -> Any:
    async with FakeHamsa(clock=clock, call_seconds=(3600, 3600)) as fake:
        yield fake
        assert fake.ledger.rung_twice() == {}


@pytest.fixture
async def hamsa(fake: FakeHamsa, connect: Connect) -> HamsaClient:
    return await connect(fake)


@pytest.fixture
def doubt(fake: FakeHamsa, place: Place) -> Callable[..., Awaitable[OutcomeUnknownError]]:
    """Place a call that ends in doubt: it rang (`drop_after`), or it never did (`drop_before`)."""

    async def doubt(
        hamsa: HamsaClient, number: str = NUMBER, *, fault: str = "drop_after", **options: Any
    ) -> OutcomeUnknownError:
        fake.faults.for_number(number, fault, count=1)
        with pytest.raises(OutcomeUnknownError) as caught:
            await place(hamsa, number, **options)
        return caught.value

    return doubt


@pytest.fixture
def settle(fake: FakeHamsa) -> Callable[..., Awaitable[Any]]:
    """Settle, and see that this dialed nobody."""

    async def settle(hamsa: HamsaClient, error: Any, *, lag: float = 0) -> Any:
        posts = fake.ledger.posts
        try:
            return await hamsa.voice_agents.settle(error, lag=lag)
        finally:
            assert fake.ledger.posts == posts

    return settle


@pytest.fixture
def place_as_stranger(fake: FakeHamsa) -> Callable[..., Awaitable[str]]:
    """Let somebody else call: another client, of which ours knows nothing."""

    async def place(number: str = NUMBER, **options: Any) -> str:
        async with HamsaClient(FAKE_API_KEY, base_url=fake.base_url) as stranger:
            call = await stranger.voice_agents.call(
                to_number=number, voice_agent_id=FAKE_AGENT_ID, **options
            )
        return call.id

    return place


def ring_of(fake: FakeHamsa, number: str = NUMBER) -> str:
    (ring,) = fake.ledger.rings_of(number)
    return ring.call_id


def answered_at_all(settled: Any, reason: UnknownReason) -> StillUnknown:
    assert isinstance(settled, StillUnknown), settled
    assert settled.reason is reason
    return settled


# -- it was placed


async def test_a_call_that_carries_the_reference_is_it(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any
) -> None:
    """Whatever the list holds besides, and again whenever it is asked."""
    error = await doubt(hamsa, reference="visit-17")
    for _ in range(2):
        call = await settle(hamsa, error)
        assert isinstance(call, Call)
        assert (call.id, call.evidence) == (ring_of(fake), Evidence.REFERENCE)
    assert call.voice_agent_id == FAKE_AGENT_ID
    assert call.status == "PENDING"
    assert call.agent_details is not None


@pytest.mark.parametrize("reference", [None, "visit-17"])
async def test_the_only_call_at_that_time_is_taken_for_it(
    reference: str | None,
    fake: FakeHamsa,
    hamsa: HamsaClient,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """Without a reference, or where the server gives none back: the weaker evidence, named so."""
    fake.echo_params = False
    error = await doubt(hamsa, reference=reference)
    await place(hamsa, OTHER)
    call = await settle(hamsa, error)
    assert (call.id, call.evidence) == (ring_of(fake), Evidence.NUMBER_AND_TIME)


@pytest.mark.parametrize("rang", [True, False])
async def test_an_agent_described_on_the_spot(
    rang: bool, fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """It has no id to filter by, so none is filtered by; its params carry the reference."""
    fault = "drop_after" if rang else "drop_before"
    fake.faults.for_number(NUMBER, fault, count=1)
    with pytest.raises(OutcomeUnknownError) as caught:
        await hamsa.voice_agents.call(
            to_number=NUMBER, agent_details={"agentName": "Noor"}, reference="visit-17"
        )
    await place(hamsa, OTHER)
    first = await settle(hamsa, caught.value)
    second = await settle(hamsa, caught.value)
    if rang:
        assert (first.id, first.evidence) == (ring_of(fake), Evidence.REFERENCE)
    else:
        answered_at_all(first, UnknownReason.SEEN_ONCE)
        assert isinstance(second, NotSeen)


async def test_the_route_for_registered_numbers_is_settled_alike(
    fake: FakeHamsa, hamsa: HamsaClient, settle: Any
) -> None:
    fake.faults.for_number(NUMBER, "drop_after", count=1)
    with pytest.raises(OutcomeUnknownError, match=r"voice_agents\.settle\(error\)") as caught:
        await hamsa.voice_agents.call_from_number(
            to_number=NUMBER, from_number="+97145000000", voice_agent_id=FAKE_AGENT_ID
        )
    assert (await settle(hamsa, caught.value)).id == ring_of(fake)


async def test_an_id_that_came_with_the_doubt_is_read_at_once(
    fake: FakeHamsa,
    connect: Connect,
    raw_server: Any,
    say: Any,
    doubt: Any,
    settle: Any,
    place_as_stranger: Any,
) -> None:
    """A 500 may name the call all the same. It is believed though others are about as well."""
    hamsa = await connect(fake)
    server = await raw_server()
    call_id = await place_as_stranger()
    server.answer = say(500, json.dumps({"data": {"id": call_id}}).encode())
    failing = await connect(server)
    with pytest.raises(OutcomeUnknownError) as caught:
        await failing.voice_agents.call(to_number=NUMBER, voice_agent_id=FAKE_AGENT_ID)
    call = await settle(hamsa, caught.value)
    assert (call.id, call.evidence) == (call_id, Evidence.CALL_ID)


@pytest.mark.parametrize("whose", ["nobody's", "another number's", "another reference's"])
async def test_an_id_that_leads_to_no_such_call_forbids_to_believe_in_absence(
    whose: str,
    fake: FakeHamsa,
    hamsa: HamsaClient,
    doubt: Any,
    settle: Any,
    place: Place,
    place_as_stranger: Any,
) -> None:
    error = await doubt(hamsa, fault="drop_before", reference="visit-17")
    error.call_id = {
        "nobody's": "0000",
        "another number's": await place_as_stranger(OTHER),
        "another reference's": await place_as_stranger(reference="visit-18"),
    }[whose]
    await place(hamsa, "+971500000001")
    for _ in range(3):
        still = answered_at_all(await settle(hamsa, error), UnknownReason.ID_NOT_SHOWN)
        assert still.for_a_person
        assert still.first_look is None
    fake.ledger.clear()


@pytest.mark.parametrize("hours", [-7, -1, 1, 7])
@pytest.mark.parametrize("rang", [True, False])
async def test_a_clock_that_is_hours_off(
    hours: int,
    rang: bool,
    fake: FakeHamsa,
    hamsa: HamsaClient,
    clock: Clock,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """Ours or the server's: the `Date` of the answers tells, for presence and for absence."""
    clock.ahead = hours * HOUR
    fake._clock._latest = clock()  # a server that was started by that clock
    error = await doubt(hamsa, fault="drop_after" if rang else "drop_before")
    await place(hamsa, OTHER)
    first, second = await settle(hamsa, error), await settle(hamsa, error)
    if rang:
        assert (first.id, first.evidence) == (ring_of(fake), Evidence.NUMBER_AND_TIME)
        return
    answered_at_all(first, UnknownReason.SEEN_ONCE)
    assert isinstance(second, NotSeen)
    assert abs(second.as_of - clock()) < timedelta(minutes=5)


@pytest.mark.parametrize("jumped", [-1, 1])
@pytest.mark.parametrize("heard", [True, False])
async def test_a_clock_that_was_an_hour_off_and_was_put_right_since(
    jumped: int,
    heard: bool,
    fake: FakeHamsa,
    hamsa: HamsaClient,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """What the server said then is on the error. Without that it is not bound, nor absent."""
    error = await doubt(hamsa)
    error.begun_at += jumped * HOUR
    error.ended_at += jumped * HOUR
    error.server_ahead = -jumped * HOUR.total_seconds() if heard else None
    await place(hamsa, OTHER)
    for _ in range(2):
        settled = await settle(hamsa, error)
        if heard:
            assert (settled.id, settled.evidence) == (ring_of(fake), Evidence.NUMBER_AND_TIME)
        else:
            assert answered_at_all(settled, UnknownReason.OUT_OF_TIME).candidates == (
                ring_of(fake),
            )


async def test_what_the_server_said_last_is_on_the_error(
    fake: FakeHamsa, hamsa: HamsaClient, clock: Clock, doubt: Any, place: Place
) -> None:
    """Its own answer's `Date`, or that of the answer before; nothing before the first one."""
    assert (await doubt(hamsa, fault="drop_before")).server_ahead is None
    clock.ahead = 3 * HOUR
    await place(hamsa, OTHER)
    for fault in ("drop_before", "status_500"):
        error = await doubt(hamsa, "+971500000009", fault=fault)
        assert error.server_ahead == pytest.approx(3 * 3600, abs=60)
        assert error.begun_at is not None
        assert error.ended_at is not None
        assert error.begun_at <= error.ended_at <= datetime.now(UTC)


async def test_a_caller_who_was_cancelled_settles_by_the_event(
    fake: FakeHamsa, connect: Connect, heard: Any, place: Place, settle: Any
) -> None:
    """The error of the call that went on without them is in its `AttemptSettled`."""
    hamsa = await connect(fake, timeouts=Timeouts(response=0.3), grace_period=5)
    fake.faults.for_number(NUMBER, "hang")
    task = asyncio.create_task(place(hamsa, reference="visit-17", number=NUMBER))
    async with asyncio.timeout(30):
        while not fake.ledger.rings:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        while not heard.settled:
            await asyncio.sleep(0.01)
    (event,) = heard.settled
    assert event.abandoned
    assert event.certainty is Certainty.UNKNOWN
    call = await settle(hamsa, event.error)
    assert (call.id, call.evidence) == (ring_of(fake), Evidence.REFERENCE)


# -- whose call it is


async def test_a_call_with_another_reference_is_not_it(
    fake: FakeHamsa,
    hamsa: HamsaClient,
    doubt: Any,
    settle: Any,
    place: Place,
    place_as_stranger: Any,
) -> None:
    """Somebody else's call to the same person neither hides ours nor stands for it."""
    theirs = await place_as_stranger(reference="visit-18")
    error = await doubt(hamsa, fault="drop_before", reference="visit-17")
    await place(hamsa, OTHER)
    answered_at_all(await settle(hamsa, error), UnknownReason.SEEN_ONCE)
    assert isinstance(await settle(hamsa, error), NotSeen)
    assert ring_of(fake) == theirs


async def test_a_call_that_this_client_was_answered_is_not_it(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """It belongs to the attempt that got its id."""
    placed = await place(hamsa, NUMBER)
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    await settle(hamsa, error)
    assert isinstance(await settle(hamsa, error), NotSeen)
    assert ring_of(fake) == placed.id


async def test_two_calls_that_carry_nothing_are_for_a_person(
    fake: FakeHamsa,
    hamsa: HamsaClient,
    doubt: Any,
    settle: Any,
    place: Place,
    place_as_stranger: Any,
) -> None:
    """Which of them is ours cannot be told, so none is taken."""
    theirs = await place_as_stranger()
    error = await doubt(hamsa, reference="visit-17")
    fake.echo_params = False
    await place(hamsa, OTHER)
    for _ in range(2):
        still = answered_at_all(await settle(hamsa, error), UnknownReason.SEVERAL)
        assert set(still.candidates) == {ring.call_id for ring in fake.ledger.rings_of(NUMBER)}
        assert theirs in still.candidates
        assert still.for_a_person
        assert theirs in str(still)
    fake.echo_params = True  # an outcome may lag: later its reference is there
    assert (await settle(hamsa, error)).evidence is Evidence.REFERENCE
    assert len(fake.ledger.rings_of(NUMBER)) == 2  # one ours, one the stranger's
    fake.ledger.clear()


async def test_a_call_from_another_time_is_neither_taken_nor_passed_over(
    fake: FakeHamsa,
    hamsa: HamsaClient,
    clock: Clock,
    doubt: Any,
    settle: Any,
    place: Place,
    place_as_stranger: Any,
) -> None:
    """Half an hour before: a person may know what it is."""
    clock.ahead = -HOUR / 2
    fake._clock._latest = clock()
    theirs = await place_as_stranger()
    clock.ahead = timedelta(0)
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    for _ in range(3):
        still = answered_at_all(await settle(hamsa, error), UnknownReason.OUT_OF_TIME)
        assert still.candidates == (theirs,)


async def test_one_ring_is_not_found_for_two_attempts(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """Two in doubt to one number, one of which rang, settled at once by two tasks."""
    errors = [await doubt(hamsa), await doubt(hamsa, fault="drop_before")]
    await place(hamsa, OTHER)
    settled = await asyncio.gather(*(settle(hamsa, error) for error in errors))
    found = [one for one in settled if isinstance(one, Call)]
    assert [call.id for call in found] == [ring_of(fake)]
    (rest,) = (one for one in settled if not isinstance(one, Call))
    answered_at_all(rest, UnknownReason.SEEN_ONCE)
    whose = errors[settled.index(found[0])]
    assert (await settle(hamsa, whose)).id == ring_of(fake)  # its own attempt finds it again


# -- it was not seen


async def test_absence_is_believed_of_two_looks(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """The value says as of when, over which range, with which control, and whose risk it is."""
    error = await doubt(hamsa, fault="drop_before", reference="visit-17")
    control = await place(hamsa, OTHER)
    first = answered_at_all(await settle(hamsa, error), UnknownReason.SEEN_ONCE)
    assert error.first_look == first.first_look
    seen = await settle(hamsa, error)
    assert isinstance(seen, NotSeen)
    assert seen.control == control.id
    assert seen.reference == "visit-17"
    assert seen.begin <= error.begun_at - HOUR + timedelta(minutes=2)
    assert seen.end >= error.ended_at + HOUR - timedelta(minutes=2)
    assert first.first_look is not None
    assert seen.first_look_at == first.first_look.dates.begin
    assert "at your own risk" in str(seen)
    assert fake.ledger.rings_of(NUMBER) == []


async def test_the_second_look_may_not_come_before_the_lag_is_over(
    fake: FakeHamsa,
    hamsa: HamsaClient,
    clock: Clock,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """However often it is asked; the first look stays the first, by the server's clock."""
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    first = answered_at_all(await settle(hamsa, error, lag=40), UnknownReason.SEEN_ONCE)
    for ahead in (0, 20):
        clock.ahead = timedelta(seconds=ahead)
        still = answered_at_all(await settle(hamsa, error, lag=40), UnknownReason.SEEN_ONCE)
        assert still.first_look == first.first_look
        assert datetime.now(UTC) < still.ask_again_at
        assert still.ask_again_at <= datetime.now(UTC) + timedelta(seconds=41 - ahead)
    clock.ahead = timedelta(seconds=45)
    assert isinstance(await settle(hamsa, still, lag=40), NotSeen)


async def test_by_default_the_lag_is_a_quarter_of_an_hour(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, place: Place
) -> None:
    """And `settle` comes back at once, with the moment to ask again."""
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    for _ in range(2):
        still = await hamsa.voice_agents.settle(error)
        answered_at_all(still, UnknownReason.SEEN_ONCE)
        wait = (still.ask_again_at - datetime.now(UTC)).total_seconds()
        assert 600 < wait <= 902


async def test_without_a_later_call_the_list_proves_nothing(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """One from before is none; nor is one that the list does not show yet."""
    await place(hamsa, "+971500000001")
    error = await doubt(hamsa, fault="drop_before")
    for _ in range(3):
        still = answered_at_all(await settle(hamsa, error), UnknownReason.NO_CONTROL)
        assert still.first_look is None
    fake.list_lag = {OTHER: 3600.0}
    await place(hamsa, OTHER)
    answered_at_all(await settle(hamsa, error), UnknownReason.NO_CONTROL)
    fake.list_lag = 0.0
    answered_at_all(await settle(hamsa, error), UnknownReason.SEEN_ONCE)


async def test_a_later_call_of_somebody_elses_is_no_control(
    hamsa: HamsaClient, doubt: Any, settle: Any, place_as_stranger: Any
) -> None:
    """What we do not know to be placed later shows nothing."""
    error = await doubt(hamsa, fault="drop_before")
    await place_as_stranger(OTHER)
    answered_at_all(await settle(hamsa, error), UnknownReason.NO_CONTROL)


async def test_a_call_that_was_cancelled_for_its_caller_is_a_control(
    fake: FakeHamsa, hamsa: HamsaClient, heard: Any, doubt: Any, settle: Any, place: Place
) -> None:
    """Its id was heard, though nobody waited for it."""
    error = await doubt(hamsa, fault="drop_before")
    fake.latency = (0.05, 0.05)
    task = asyncio.create_task(place(hamsa, OTHER))
    async with asyncio.timeout(30):
        while not fake.ledger.rings_of(OTHER):
            await asyncio.sleep(0.01)
        task.cancel()
        while not any(event.abandoned for event in heard.settled):
            await asyncio.sleep(0.01)
    answered_at_all(await settle(hamsa, error), UnknownReason.SEEN_ONCE)


async def test_a_control_may_come_much_later(
    fake: FakeHamsa,
    hamsa: HamsaClient,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """Three hours after: the look then goes as far as to it."""
    error = await doubt(hamsa, fault="drop_before")
    error.begun_at -= 3 * HOUR
    error.ended_at -= 3 * HOUR
    control = await place(hamsa, OTHER)
    await settle(hamsa, error)
    seen = await settle(hamsa, error)
    assert isinstance(seen, NotSeen)
    assert seen.control == control.id


async def test_a_list_that_lags_hides_nobody(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """While a call is not listed, no later one is either, so nothing is concluded."""
    fake.list_lag = 3600.0
    error = await doubt(hamsa)
    await place(hamsa, OTHER)
    for _ in range(3):
        answered_at_all(await settle(hamsa, error), UnknownReason.NO_CONTROL)
    fake.list_lag = 0.0
    assert (await settle(hamsa, error)).id == ring_of(fake)


async def test_a_call_that_alone_is_listed_late_is_what_no_lag_covers(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """The known limit of believing in absence: later the list shows what was not seen."""
    fake.list_lag = {NUMBER: 3600.0}
    error = await doubt(hamsa, reference="visit-17")
    await place(hamsa, OTHER)
    await settle(hamsa, error)
    assert isinstance(await settle(hamsa, error), NotSeen)
    fake.list_lag = 0.0
    assert (await settle(hamsa, error)).id == ring_of(fake)


async def test_a_call_that_appears_between_the_looks_is_found(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """That is what the second look is for."""
    fake.list_lag = {NUMBER: 3600.0}
    error = await doubt(hamsa)
    await place(hamsa, OTHER)
    still = answered_at_all(await settle(hamsa, error), UnknownReason.SEEN_ONCE)
    fake.list_lag = 0.0
    call = await settle(hamsa, still)
    assert (call.id, call.evidence) == (ring_of(fake), Evidence.NUMBER_AND_TIME)


async def test_a_row_without_a_number_may_be_the_one(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """Ours or not: absence is not believed while the list has one."""
    for number, fault in ((NUMBER, "drop_after"), ("+971500000001", "drop_before")):
        error = await doubt(hamsa, number, fault=fault)
        await place(hamsa, f"+9715{number[-8:]}1")
        fake.null_numbers = {NUMBER}
        for _ in range(3):
            still = answered_at_all(await settle(hamsa, error), UnknownReason.UNREADABLE_NUMBER)
            assert still.first_look is None
    fake.null_numbers = ()
    answered_at_all(await settle(hamsa, error), UnknownReason.SEEN_ONCE)


async def test_a_look_that_cannot_be_believed_does_not_undo_the_first(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """It is only not the second one."""
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    first = await settle(hamsa, error)
    fake.null_numbers = {OTHER}
    still = answered_at_all(await settle(hamsa, error), UnknownReason.UNREADABLE_NUMBER)
    assert still.first_look == first.first_look is not None
    fake.null_numbers = ()
    assert isinstance(await settle(hamsa, still), NotSeen)


async def place_many(fake: FakeHamsa, clock: Clock, count: int, apart: timedelta) -> None:
    async with HamsaClient(FAKE_API_KEY, base_url=fake.base_url) as stranger:
        for index in range(count):
            await stranger.voice_agents.call(
                to_number=f"+97156{index:07}", voice_agent_id=FAKE_AGENT_ID
            )
            if clock.stopped is not None:
                clock.stopped += apart


@pytest.mark.parametrize("rang", [True, False])
async def test_more_calls_than_fit_on_a_page_are_read_in_halves(
    rang: bool,
    fake: FakeHamsa,
    hamsa: HamsaClient,
    clock: Clock,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """Only first pages are ever asked for: rows move between pages."""
    asked: list[str] = []
    error = await doubt(hamsa, fault="drop_after" if rang else "drop_before")
    await place(hamsa, OTHER)
    clock.stopped = datetime.now(UTC)
    await place_many(fake, clock, 450, timedelta(seconds=0.1))
    listing = hamsa.voice_agents._conversations.list

    def noting(**options: Any) -> Any:
        asked.append(options)  # type: ignore[arg-type]
        pages = listing(**options)
        one = pages.page

        async def page(number: int) -> Any:
            assert number == 1
            return await one(number)

        pages.page = page  # type: ignore[method-assign]
        return pages

    hamsa.voice_agents._conversations.list = noting  # type: ignore[method-assign]
    first = await settle(hamsa, error)
    assert len(asked) > 5
    if rang:
        assert first.id == ring_of(fake)
    else:
        assert isinstance(await settle(hamsa, error), NotSeen)


@pytest.mark.parametrize("rang", [True, False])
async def test_a_full_page_that_cannot_be_halved(
    rang: bool,
    fake: FakeHamsa,
    hamsa: HamsaClient,
    clock: Clock,
    doubt: Any,
    settle: Any,
    place: Place,
) -> None:
    """200 calls in one millisecond: ours may be behind them."""
    clock.stopped = datetime.now(UTC)
    error = await doubt(hamsa, fault="drop_after" if rang else "drop_before")
    await place_many(fake, clock, 200, timedelta(0))
    clock.stopped = None
    await place(hamsa, OTHER)
    for _ in range(3):
        still = answered_at_all(await settle(hamsa, error), UnknownReason.CROWDED)
        assert still.first_look is None


async def test_when_the_list_cannot_be_read_nothing_is_concluded(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """The read's own error is raised; what was known before stays known."""
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    first = await settle(hamsa, error)
    for what in ("the clock", "the list"):
        if what == "the list":
            fake.faults.next("slow", on="read", seconds=0)  # so one read goes well before
        fake.faults.next("status_500", on="read", count=3)
        with pytest.raises(ServerError):
            await settle(hamsa, error)
        assert error.first_look == first.first_look
    assert isinstance(await settle(hamsa, error), NotSeen)


async def test_a_call_that_is_listed_and_not_to_be_read_is_a_candidate(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any
) -> None:
    """It carries nothing then; its row is enough for the weaker evidence."""
    error = await doubt(hamsa, reference="visit-17")
    fake.faults.for_number(NUMBER, "status_404", on="read")
    call = await settle(hamsa, error)
    assert (call.id, call.evidence) == (ring_of(fake), Evidence.NUMBER_AND_TIME)


# -- through pickle, and elsewhere

ELSEWHERE = """
import asyncio, pickle, sys
from pathlib import Path
from hamsa_async import HamsaClient
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

async def main(base_url, path, control):
    async with HamsaClient(FAKE_API_KEY, base_url=base_url) as hamsa:
        await hamsa.voice_agents.call(to_number=control, voice_agent_id=FAKE_AGENT_ID)
        doubt = pickle.loads(Path(path).read_bytes())
        settled = await hamsa.voice_agents.settle(doubt, lag=0)
    Path(path).write_bytes(pickle.dumps(settled))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("rang", [True, False])
async def test_other_processes_settle_what_this_one_left(
    rang: bool, fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, tmp_path: Path
) -> None:
    """The error goes to a second process, what that could not settle to a third."""
    path = tmp_path / "doubt"
    error = await doubt(hamsa, fault="drop_after" if rang else "drop_before", reference="r-1")
    path.write_bytes(pickle.dumps(error))
    for control in ("+971500000001", "+971500000002"):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", ELSEWHERE, fake.base_url, str(path), control
        )
        assert await process.wait() == 0
        settled = pickle.loads(path.read_bytes())
        if rang:
            assert (settled.id, settled.evidence) == (ring_of(fake), Evidence.REFERENCE)
            return
    assert isinstance(settled, NotSeen)
    assert fake.ledger.rings_of(NUMBER) == []


async def test_nothing_shows_the_whole_number(
    fake: FakeHamsa, hamsa: HamsaClient, doubt: Any, settle: Any, place: Place
) -> None:
    """Neither `str` nor `repr` nor the bytes of a pickle; the attribute has it, whole."""
    error = await doubt(hamsa, fault="drop_before")
    await place(hamsa, OTHER)
    still = await settle(hamsa, error)
    for value in (error, still, await settle(hamsa, error)):
        again = pickle.loads(pickle.dumps(value))
        said = [str(value), repr(value), repr(vars(value)) if value is error else ""]
        said += [str(pickle.dumps(value)), repr(again)]
        assert not any(NUMBER[1:] in text for text in said), said
    assert again == await settle(hamsa, error) or isinstance(again, NotSeen)
    assert pickle.loads(pickle.dumps(error)).to_number == error.to_number == NUMBER
    assert pickle.loads(pickle.dumps(still)) == still
    assert str(error.to_number) == NUMBER
    assert "+9715" in repr(error.to_number)


# -- what it does not take


async def test_errors_of_other_operations_are_not_for_it(
    connect: Connect, raw_server: Any, say: Any
) -> None:
    """Their text says where to look instead, and so does the refusal."""
    server = await raw_server()
    server.answer = say(500, b"{}")
    hamsa = await connect(server)
    with pytest.raises(OutcomeUnknownError, match="looked for what it makes") as caught:
        await hamsa.voice_agents.create(agent_name="Noor")
    assert "settle" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="in the list of its resource"):
        await hamsa.voice_agents.settle(caught.value)
    with pytest.raises(ConfigurationError, match="takes an OutcomeUnknownError"):
        await hamsa.voice_agents.settle(NotSentError("?"))  # type: ignore[arg-type]
    assert len(server.requests) == 1


@pytest.mark.parametrize("lag", [-1, float("nan"), float("inf"), True, "900", None])
async def test_a_lag_is_a_number_of_seconds(
    lag: Any, fake: FakeHamsa, hamsa: HamsaClient, doubt: Any
) -> None:
    error = await doubt(hamsa)
    before = sum(fake.requests.values())
    with pytest.raises(ConfigurationError, match="lag must be"):
        await hamsa.voice_agents.settle(error, lag=lag)
    assert sum(fake.requests.values()) == before


# -- what is remembered


async def test_a_client_remembers_so_many_calls_and_no_more() -> None:
    """Memory does not grow with the calls that were placed or found."""
    placed = PlacedCalls(most=3)
    for index in range(10):
        placed.answered(f"call-{index}", float(index))
    assert list(placed.moments()) == ["call-7", "call-8", "call-9"]
    doubts: list[Any] = [object() for _ in range(10)]
    for index, doubt in enumerate(doubts):
        placed.found(f"found-{index}", doubt)
    assert placed.bound(doubts[9]) == {"call-7", "call-8", "call-9", "found-7", "found-8"}


def test_evidence_is_never_the_servers_word() -> None:
    """A field of that name in an answer is one that we do not know."""
    call = structure({"id": "call-1", "evidence": "reference"}, Call, at="$.data")
    assert call.evidence is None
    assert call.extra == {"evidence": "reference"}
