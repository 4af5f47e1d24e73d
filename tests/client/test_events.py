"""What hooks are told of a call: each step in its order, each call's end once."""

import asyncio
import contextvars
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from hamsa_async import (
    Answer,
    AttemptBegan,
    AttemptSent,
    AttemptSettled,
    Call,
    CallEnded,
    CallQueued,
    CallRequest,
    Certainty,
    ConfigurationError,
    CooldownStarted,
    Event,
    HamsaClient,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RetryPolicy,
    RetryScheduled,
    ServerError,
)
from hamsa_async._wire import build_call, parse_call
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]

NUMBER = "+971500000123"
MASKED = "+9715******23"

TRY = [AttemptBegan, AttemptSent, AttemptSettled]
UNSENT = [AttemptBegan, AttemptSettled]


def story(heard: Iterable[Event]) -> list[type[Event]]:
    """What was told, by kind."""
    return [type(event) for event in heard]


def only(heard: Iterable[Event], kind: type[Any]) -> Any:
    """The one event of its kind."""
    (event,) = [event for event in heard if isinstance(event, kind)]
    return event


def check_books(heard: Iterable[Event]) -> None:
    """One end for each call and each try, no end without a begin, nothing after a call's end."""
    begun: Counter[int] = Counter()
    open_tries: set[tuple[int, int]] = set()
    open_calls: set[int] = set()
    for event in heard:
        match event:
            case CallQueued():
                assert event.number not in open_calls
                open_calls.add(event.number)
            case CooldownStarted():
                pass
            case CallEnded():
                assert event.attempts == begun[event.number]
                assert event.number not in {number for number, _ in open_tries}
                open_calls.remove(event.number)
            case AttemptBegan():
                assert event.number in open_calls
                begun[event.number] += 1
                assert event.attempt == begun[event.number]
                open_tries.add((event.number, event.attempt))
            case AttemptSent():
                assert (event.number, event.attempt) in open_tries
            case AttemptSettled():
                open_tries.remove((event.number, event.attempt))
            case RetryScheduled():
                assert event.attempts == begun[event.number]
                assert event.number in open_calls
    assert (open_tries, open_calls) == (set(), set())


def check_masked(heard: Iterable[Event]) -> None:
    """No event shows the number or the key, whatever one does with it."""
    for event in heard:
        shown = f"{event!r} {getattr(event, 'error', None)!s}"
        assert NUMBER[1:] not in shown
        assert FAKE_API_KEY not in shown


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something that the server or the client has to come to."""
    async with asyncio.timeout(30):
        while not reached():
            await asyncio.sleep(0.005)


async def cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


# -- calls that come to their end


async def test_a_call_that_is_placed(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake)
    call = await place(client, reference="order-17")
    assert story(heard) == [CallQueued, *TRY, CallEnded]
    queued, began, sent, settled, ended = heard
    assert len({event.number for event in heard}) == 1
    assert {event.operation for event in heard} == {"voice_agents.call"}
    assert (queued.reference, queued.to_number) == ("order-17", MASKED)
    assert queued.base_url == fake.base_url
    assert (began.attempt, sent.attempt, settled.attempt) == (1, 1, 1)
    assert (settled.certainty, settled.status) == (Certainty.PLACED, 200)
    assert (settled.call_id, settled.error, settled.abandoned) == (call.id, None, False)
    assert (settled.reference, settled.to_number) == ("order-17", MASKED)
    assert (ended.attempts, ended.error) == (1, None)
    assert 0 <= settled.seconds <= ended.seconds
    check_books(heard)
    check_masked(heard)


async def test_a_read_that_is_tried_again(fake: FakeHamsa, heard: Any, connect: Connect) -> None:
    client = await connect(fake)
    fake.faults.next("status_503", on="read")
    await client.projects.current()
    assert story(heard) == [CallQueued, *TRY, RetryScheduled, *TRY, CallEnded]
    queued, _, _, failed, retry, _, _, settled, ended = heard
    assert (queued.operation, queued.to_number) == ("projects.current", None)
    assert (failed.status, type(failed.error), failed.certainty) == (503, ServerError, None)
    assert retry.error is failed.error
    assert (retry.attempts, retry.wait) == (1, 0)
    assert (settled.attempt, settled.status, settled.error) == (2, 200, None)
    assert (ended.attempts, ended.error) == (2, None)
    check_books(heard)


async def test_a_read_that_fails_for_good(fake: FakeHamsa, heard: Any, connect: Connect) -> None:
    client = await connect(fake, retry=RetryPolicy(attempts=2, wait_initial=0))
    fake.faults.next("status_503", on="read", count=2)
    with pytest.raises(ServerError) as raised:
        await client.projects.current()
    assert story(heard) == [CallQueued, *TRY, RetryScheduled, *TRY, CallEnded]
    assert heard[-1].error is raised.value
    check_books(heard)


async def test_a_429_goes_through_the_gate(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake)
    fake.faults.next("rate_limited", retry_after="0.05")
    await place(client)
    cooldown = only(heard, CooldownStarted)
    assert (cooldown.gate, cooldown.seconds) == ("dials", pytest.approx(0.05))
    assert cooldown.retry_at.utcoffset() is not None
    heard.remove(cooldown)
    assert story(heard) == [CallQueued, *TRY, RetryScheduled, *TRY, CallEnded]
    refused = heard.settled[0]
    assert (refused.certainty, refused.status) == (Certainty.REFUSED, 429)
    assert isinstance(refused.error, RateLimitedError)
    assert only(heard, RetryScheduled).wait == pytest.approx(0.05)
    assert heard[-1].attempts == 2
    check_books(heard)
    check_masked(heard)


async def test_a_call_that_is_not_sent(
    free_port: int, heard: Any, connect: Connect, place: Place
) -> None:
    """Its tries began, and none was handed to a connection."""
    client = await connect(f"http://127.0.0.1:{free_port}")
    with pytest.raises(NotSentError) as raised:
        await place(client)
    retries = [event for event in heard if isinstance(event, RetryScheduled)]
    assert story(heard) == [
        CallQueued,
        *[*UNSENT, RetryScheduled] * len(retries),
        *UNSENT,
        CallEnded,
    ]
    assert retries
    assert {event.certainty for event in heard.settled} == {Certainty.NOT_SENT}
    assert heard[-1].error is raised.value
    check_books(heard)
    check_masked(heard)


async def test_a_call_of_unknown_outcome(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake)
    fake.faults.next("drop_after")
    with pytest.raises(OutcomeUnknownError) as raised:
        await place(client)
    assert story(heard) == [CallQueued, *TRY, CallEnded]
    (settled,) = heard.settled
    assert (settled.certainty, settled.status) == (Certainty.UNKNOWN, None)
    assert settled.error is heard[-1].error is raised.value
    check_masked(heard)


async def test_a_renewed_key_is_tried_at_once(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    keys = itertools.chain(["old"], itertools.repeat(FAKE_API_KEY))

    async def ask() -> str:
        return next(keys)

    client = await connect(fake, api_key=ask)
    await place(client)
    assert story(heard) == [CallQueued, *TRY, *TRY, CallEnded]
    assert [event.status for event in heard.settled] == [401, 200]
    check_books(heard)


async def test_a_call_on_a_closed_client(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake)
    await client.aclose()
    with pytest.raises(NotSentError):
        await place(client)
    assert story(heard) == [CallQueued, CallEnded]
    assert heard[-1].attempts == 0
    assert isinstance(heard[-1].error, NotSentError)


async def test_closing_ends_the_queue_and_what_is_in_flight(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake, concurrency_limit=1)
    fake.faults.next("hang")
    calls = [asyncio.create_task(place(client)) for _ in range(3)]
    await until(lambda: fake.ledger.posts == 1)
    await client.aclose()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in results] == [OutcomeUnknownError, NotSentError, NotSentError]
    ends = {event.number: event for event in heard if isinstance(event, CallEnded)}
    assert {ends[number].error for number in ends} == set(results)
    check_books(heard)


async def test_what_is_refused_before_it_is_a_call_is_not_told(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake)
    with pytest.raises(ConfigurationError):
        await place(client, timeout=-1)
    assert heard == []


# -- callers who leave


async def test_cancelled_in_the_queue(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    client = await connect(fake, concurrency_limit=1)
    fake.faults.next("hang")
    first = asyncio.create_task(place(client))
    await until(lambda: fake.ledger.posts == 1)
    waiting = asyncio.create_task(place(client))
    await asyncio.sleep(0)
    await cancelled(waiting)
    ended = only(heard, CallEnded)
    assert (ended.attempts, type(ended.error)) == (0, asyncio.CancelledError)
    await client.aclose()
    await asyncio.wait([first])
    check_books(heard)


async def test_cancelled_before_it_is_handed(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    """Its try has begun; nothing is written, and its end is told when that is certain."""
    client = await connect(fake)
    task = asyncio.create_task(place(client))
    while AttemptBegan not in story(heard):
        await asyncio.sleep(0)
    assert AttemptSent not in story(heard)
    await cancelled(task)
    await until(lambda: CallEnded in story(heard))
    assert story(heard) == [CallQueued, *UNSENT, CallEnded]
    (settled,) = heard.settled
    assert (settled.certainty, settled.abandoned) == (Certainty.NOT_SENT, True)
    assert isinstance(heard[-1].error, asyncio.CancelledError)
    assert fake.ledger.posts == 0
    check_books(heard)


async def test_cancelled_after_it_was_handed(
    raw_server: Callable[..., Awaitable[Any]], heard: Any, connect: Connect, place: Place
) -> None:
    """The call's end waits for the exchange's, which has the id of the call that rang."""
    answering = asyncio.Event()

    async def hold(connection: Any) -> None:
        while await server.next_request(connection):
            await answering.wait()
            connection.say(server.answer)

    server = await raw_server(hold)
    client = await connect(server, grace_period=30)
    task = asyncio.create_task(place(client, reference="order-17"))
    await until(lambda: AttemptSent in story(heard))
    await cancelled(task)
    assert CallEnded not in story(heard)
    answering.set()
    await client.aclose()
    assert story(heard) == [CallQueued, *TRY, CallEnded]
    (settled,) = heard.settled
    assert (settled.certainty, settled.abandoned) == (Certainty.PLACED, True)
    assert (server.posts, settled.call_id) == (1, "call-1")
    assert isinstance(heard[-1].error, asyncio.CancelledError)
    check_books(heard)


async def test_cancelled_in_the_turn_in_which_its_answer_comes(
    fake: FakeHamsa, heard: Any, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Its caller was cancelled, and did not know yet when the exchange ended: told once, and so."""
    client = await connect(fake)
    request = build_call(CallRequest(to_number=NUMBER, voice_agent_id=FAKE_AGENT_ID))

    def leave(answer: Answer) -> Call:
        task.cancel()
        return parse_call(answer)

    async def send() -> None:
        await client._sender.send(request, leave)

    task = asyncio.create_task(send())
    await asyncio.wait([task])
    assert task.cancelled()
    assert story(heard) == [CallQueued, *TRY, CallEnded]
    (settled,) = heard.settled
    assert (settled.certainty, settled.abandoned) == (Certainty.PLACED, True)
    assert [record.action for record in caplog.records if record.levelno >= logging.WARNING] == [  # type: ignore[attr-defined]
        "attempt_settled"
    ]


async def test_cancelled_at_any_turn_of_the_loop(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    """Whenever it was: an end for each call and each try, after all else of that call."""
    client = await connect(fake, concurrency_limit=2, grace_period=30)
    for turns in range(100):
        tasks = [asyncio.create_task(place(client)) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await client.aclose()
    assert sum(isinstance(event, CallQueued) for event in heard) == 300 - 3  # turn 0: never began
    check_books(heard)
    check_masked(heard)


# -- hooks


async def test_a_hook_that_raises_harms_nobody(
    fake: FakeHamsa,
    heard: Any,
    connect: Connect,
    place: Place,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing(event: Event) -> None:
        raise RuntimeError(type(event).__name__)

    client = await connect(fake, hooks=[failing, heard])
    await place(client)
    assert story(heard) == [CallQueued, *TRY, CallEnded]
    failures = [
        str(record.exc_info[1])
        for record in caplog.records
        if getattr(record, "action", None) == "hook_failed" and record.exc_info
    ]
    assert failures == [kind.__name__ for kind in story(heard)]


async def test_the_begin_is_told_in_the_callers_own_context(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """So a hook sees what is current there: a trace, a request's id."""
    asked_by = contextvars.ContextVar("asked_by", default="nobody")
    seen: dict[str, tuple[str, Any]] = {}

    def hook(event: Event) -> None:
        if isinstance(event, CallQueued):
            seen[str(event.reference)] = asked_by.get(), asyncio.current_task()

    async def one(name: str) -> Any:
        asked_by.set(name)
        await place(client, reference=name)
        return asyncio.current_task()

    client = await connect(fake, hooks=[hook])
    tasks = await asyncio.gather(*(one(name) for name in "abc"))
    assert seen == {name: (name, task) for name, task in zip("abc", tasks, strict=True)}


async def test_clients_of_one_process_count_together(
    fake: FakeHamsa, heard: Any, connect: Connect, place: Place
) -> None:
    """A hook that listens to two of them cannot take one's calls for the other's."""
    clients = [await connect(fake), await connect(fake)]
    clients.append(clients[0].with_options(timeout=30))
    await asyncio.gather(*(place(client) for client in clients * 10))
    numbers = [event.number for event in heard if isinstance(event, CallQueued)]
    assert len(set(numbers)) == 30
    check_books(heard)
