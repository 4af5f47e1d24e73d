"""`aclose()`: the queue is sent away, what has begun settles, the rest is said to be unknown."""

import asyncio
import gc
import inspect
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hamsa_async import (
    Certainty,
    ConfigurationError,
    HamsaClient,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
)
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]


async def posted(fake: FakeHamsa, count: int) -> None:
    while fake.ledger.posts < count:
        await asyncio.sleep(0.001)


async def test_the_queue_ends_as_not_sent_and_what_has_begun_settles(
    heard: Any, connect: Connect, place: Place
) -> None:
    """Two in flight are heard to their end; eight in line learn that nothing was sent."""
    async with FakeHamsa(latency=(0.1, 0.1)) as fake:
        client = await connect(fake, concurrency_limit=2, grace_period=5)
        tasks = [asyncio.create_task(place(client, reference=str(n))) for n in range(10)]
        await posted(fake, 2)
        await client.aclose()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [end.id for end in ends[:2]] == [ring.call_id for ring in fake.ledger.rings]  # type: ignore[union-attr]
        for n, end in enumerate(ends[2:], start=2):
            assert isinstance(end, NotSentError)
            assert (end.certainty, end.reference) == (Certainty.NOT_SENT, str(n))
        assert fake.ledger.posts == 2
        assert len(heard.settled) == 2


@pytest.mark.parametrize("where", ["gate", "pace", "pause", "key"])
async def test_wherever_a_call_waits_closing_ends_it_at_once(
    where: str, fake: FakeHamsa, connect: Connect, place: Place, free_port: int
) -> None:
    """At a closed gate, for its moment, between two tries, for a key: not sent, and no hang."""
    key = asyncio.Event()

    async def slow_key() -> str:
        await key.wait()
        return FAKE_API_KEY

    options: dict[str, Any] = {
        "gate": {"retry": RetryPolicy(cooldown=60), "concurrency_limit": 1},
        "pace": {"rate": 0.01},
        "pause": {"retry": RetryPolicy(wait_initial=1000, wait_max=1000)},
        "key": {"api_key": slow_key},
    }[where]
    if where == "gate":
        fake.faults.next("rate_limited", retry_after=None)
    server = f"http://127.0.0.1:{free_port}" if where == "pause" else fake
    client = await connect(server, **options)
    if where == "pace":
        await place(client)
    tasks = [asyncio.create_task(place(client)) for _ in range(3)]
    await asyncio.sleep(0.05)
    before = fake.ledger.posts
    await client.aclose()
    key.set()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(end, NotSentError)
    assert fake.ledger.posts == before


async def test_what_hangs_past_the_grace_period_ends_as_unknown_each_with_its_event(
    heard: Any, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Their callers hear that it may have rung; so do the hooks, once each."""
    fake.faults.next("hang", count=5)
    client = await connect(fake, grace_period=0.05)
    tasks = [asyncio.create_task(place(client, reference=str(n))) for n in range(5)]
    await posted(fake, 5)
    await client.aclose()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(end, OutcomeUnknownError)
    assert sorted(event.reference for event in heard.settled) == list("01234")
    assert {event.certainty for event in heard.settled} == {Certainty.UNKNOWN}


async def test_a_gathered_list_with_one_bad_number_loses_no_id(
    heard: Any, connect: Connect, place: Place
) -> None:
    """Without `return_exceptions` the block is left by the error; hooks have every id."""
    async with FakeHamsa(latency=(0.05, 0.1)) as fake:
        client = await connect(fake, grace_period=5)
        with pytest.raises(ConfigurationError):  # noqa: PT012 - the block is what is tested
            async with client:
                numbers = [f"+97150000{n:04}" for n in range(30)]
                await asyncio.gather(
                    *(place(client, number) for number in numbers),
                    failing(fake, place, client),
                )
        assert len(fake.ledger.rings) == 30
        assert {event.call_id for event in heard.settled} == {
            ring.call_id for ring in fake.ledger.rings
        }


async def failing(fake: FakeHamsa, place: Place, client: HamsaClient) -> None:
    await posted(fake, 30)
    await place(client, "0501234567")


async def test_a_second_cancellation_ends_closing_at_once_and_leaves_nothing(
    heard: Any, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """A second Ctrl-C while the grace period runs, and a third: all is told and closed."""
    fake.faults.next("hang", count=3)
    client = await connect(fake, grace_period=60)
    tasks = [asyncio.create_task(place(client)) for _ in range(3)]
    await posted(fake, 3)
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0.01)
    closing.cancel()
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert len(heard.settled) == 3
    assert client._transport._session is not None
    assert client._transport._session.closed
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(end, OutcomeUnknownError)


async def test_closing_is_idempotent_also_at_the_same_time(connect: Connect, place: Place) -> None:
    """Twice at once and once more."""
    async with FakeHamsa(latency=(0.05, 0.05)) as fake:
        client = await connect(fake, grace_period=5)
        call = asyncio.create_task(place(client))
        await posted(fake, 1)
        await asyncio.gather(client.aclose(), client.aclose())
        await client.aclose()
        assert (await call).id == fake.ledger.rings[0].call_id


async def test_a_closed_client_sends_nothing(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Calls and reads after `aclose()` are not sent."""
    client = await connect(fake)
    await client.aclose()
    with pytest.raises(NotSentError):
        await place(client)
    with pytest.raises(NotSentError):
        await client.projects.current()
    assert fake.ledger.posts == 0
    assert client._transport._session is None


async def test_a_call_that_was_writing_its_intent_when_the_client_closed_is_not_sent(
    fake: FakeHamsa, connect: Connect
) -> None:
    """Between `before_send` and the wire the client is looked at once more."""
    from hamsa_async import CallRequest

    client = await connect(fake)
    go = asyncio.Event()
    request = CallRequest(to_number="+971500000123", voice_agent_id=FAKE_AGENT_ID)
    task = asyncio.create_task(client.voice_agents.attempt(request, before_send=go.wait))  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    await client.aclose()
    go.set()
    with pytest.raises(NotSentError):
        await task
    assert fake.ledger.posts == 0
    assert client._transport._session is None


async def test_leaving_the_block_cancelled_still_hears_what_has_begun(
    heard: Any, connect: Connect, place: Place
) -> None:
    """The caller is gone at once; the client waits for the id within its grace period."""
    async with FakeHamsa(latency=(0.1, 0.1)) as fake:
        client = await connect(fake, grace_period=5)

        async def main() -> None:
            async with client:
                await place(client, reference="r")

        task = asyncio.create_task(main())
        await posted(fake, 1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        (event,) = heard.settled
        assert event.abandoned
        assert event.call_id == fake.ledger.rings[0].call_id


async def test_a_client_that_nobody_closed_says_where_it_was_made(fake: FakeHamsa) -> None:
    """`ResourceWarning` with file and line, at once when it is dropped."""
    client = HamsaClient(FAKE_API_KEY, base_url=fake.base_url)
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    await client.projects.current()
    session = client._transport._session
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
    texts = [str(each.message) for each in caught if each.category is ResourceWarning]
    assert any(f"HamsaClient made at {__file__}:{line}" in text for text in texts)
    assert session is not None
    await session.close()
    gc.collect()


async def test_a_client_that_never_asked_anything_needs_no_closing(fake: FakeHamsa) -> None:
    """Nothing was opened, so there is nothing to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HamsaClient(FAKE_API_KEY, base_url=fake.base_url)
        gc.collect()
