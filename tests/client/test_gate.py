"""429 over real sockets: few requests while it cools down, no burst after it, nobody gives up."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async import CooldownStarted, HamsaClient, RetryPolicy, RetryScheduled, Timeouts
from hamsa_async.testing import FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]


async def test_a_storm_of_429s_sends_next_to_nothing_while_it_cools_down(
    heard: Any, connect: Connect, place: Place
) -> None:
    """Two hundred tasks: those in flight confirm the 429, then silence, a probe, and no burst."""
    async with FakeHamsa(retry_after="0.5") as fake:
        client = await connect(fake, concurrency_limit=50)
        await asyncio.gather(*(place(client) for _ in range(150)))
        fake.reset()
        heard.clear()
        fake.capacity = 0
        tasks = [asyncio.create_task(place(client, reference=str(n))) for n in range(200)]
        while not heard.settled:
            await asyncio.sleep(0.001)
        fake.capacity = None
        await asyncio.gather(*tasks)
        begin = fake.ledger.post_log[0].at
        silence = [
            post
            for post in fake.ledger.post_log
            if begin + timedelta(seconds=0.3) < post.at < begin + timedelta(seconds=0.45)
        ]
        assert silence == []
        refused = [post for post in fake.ledger.post_log if post.status == 429]
        assert len(refused) <= 50
        assert len(fake.ledger.rings) == 200
        # The probe went alone: whoever came second came after its answer.
        after = [post for post in fake.ledger.post_log if post.status == 200]
        assert after[0].reference == "0"
        cooldowns = [event for event in heard if isinstance(event, CooldownStarted)]
        assert [event.gate for event in cooldowns] == ["dials"]
        assert any(isinstance(event, RetryScheduled) for event in heard)


async def test_against_a_rate_limit_all_calls_are_placed_with_few_requests_more(
    connect: Connect, place: Place
) -> None:
    """120 calls at a server that lets 40 a second through: at most a third more POSTs."""
    async with FakeHamsa(rate_limit=40, retry_after="0.2", latency=(0.02, 0.03)) as fake:
        client = await connect(fake, concurrency_limit=20, retry=RetryPolicy())
        calls = await asyncio.gather(*(place(client) for _ in range(120)))
        assert len({call.id for call in calls}) == len(fake.ledger.rings) == 120
        assert fake.ledger.posts <= 160


async def test_while_it_cools_down_nothing_is_sent_but_what_was_under_way(
    heard: Any, connect: Connect, place: Place
) -> None:
    """Two hundred tasks, one 429 that asks for a minute: those in flight end, and then silence."""
    async with FakeHamsa(capacity=0, retry_after="60", latency=(0.0, 0.01)) as fake:
        client = await connect(fake, concurrency_limit=50)
        tasks = [asyncio.create_task(place(client)) for _ in range(200)]
        while not any(isinstance(event, CooldownStarted) for event in heard):
            await asyncio.sleep(0.001)
        while client._transport._exchanges:
            await asyncio.sleep(0.001)
        under_way = fake.ledger.posts
        assert under_way <= 50
        fake.capacity = None
        await asyncio.sleep(0.2)
        assert fake.ledger.posts == under_way
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_after_a_cooldown_they_come_one_by_one_and_not_in_a_burst(
    heard: Any, connect: Connect, place: Place
) -> None:
    """A server slow enough to hold fifty at once never has more than a few after a 429."""
    async with FakeHamsa(retry_after="0.1", latency=(0.02, 0.02)) as fake:
        client = await connect(fake, concurrency_limit=50)
        await asyncio.gather(*(place(client) for _ in range(100)))
        assert fake.max_in_flight == 50
        fake.capacity = 0
        tasks = [asyncio.create_task(place(client)) for _ in range(200)]
        while not any(isinstance(event, CooldownStarted) for event in heard):
            await asyncio.sleep(0.001)
        while fake.in_flight:
            await asyncio.sleep(0.001)
        fake.reset()
        fake.capacity = None
        await asyncio.gather(*tasks[:60])
        assert fake.max_in_flight <= 25
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.mark.parametrize(
    "rate", [150, pytest.param(10, marks=pytest.mark.slow)], ids=["scaled", "as slow as that"]
)
async def test_five_hundred_calls_at_a_slow_server_are_all_placed_and_reads_go_on(
    rate: int, connect: Connect, place: Place
) -> None:
    """At most a third more requests than calls; no read waits for the dials."""
    async with FakeHamsa(rate_limit=rate, retry_after=str(10 / rate)) as fake:
        client = await connect(fake, retry=RetryPolicy())
        calls = [asyncio.create_task(place(client)) for _ in range(500)]
        read_during = 0
        while not all(call.done() for call in calls):
            waiting = sum(not call.done() for call in calls)
            async with asyncio.timeout(1 if rate == 10 else 20):
                await client.projects.current()
            read_during += waiting > 100
            await asyncio.sleep(0.01)
        assert len({call.result().id for call in calls}) == len(fake.ledger.rings) == 500
        assert fake.ledger.posts <= 500 * 4 / 3
        assert read_during > 5


async def test_a_read_is_not_held_up_by_the_gate_of_dials_nor_a_dial_by_that_of_reads(
    heard: Any, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Each has a gate of its own."""
    client = await connect(fake)
    fake.faults.next("rate_limited", retry_after="100")
    waiting = asyncio.create_task(place(client))
    while not heard.settled:
        await asyncio.sleep(0.001)
    assert (await client.projects.current()).id
    waiting.cancel()
    await asyncio.wait([waiting])
    other = await connect(fake)
    fake.faults.next("status_429", on="read", retry_after="100")
    reading = asyncio.create_task(other.projects.current())
    while len([event for event in heard if isinstance(event, CooldownStarted)]) < 2:
        await asyncio.sleep(0.001)
    assert (await place(other)).id
    reading.cancel()
    await asyncio.wait([reading])
    gates = [event.gate for event in heard if isinstance(event, CooldownStarted)]
    assert gates == ["dials", "reads"]


async def test_the_deadline_ends_the_waiting_with_the_429(connect: Connect, place: Place) -> None:
    """429 until the deadline: the refusal is raised, with the number of requests it took."""
    from hamsa_async import RateLimitedError

    async with FakeHamsa(capacity=0, retry_after="0.05") as fake:
        client = await connect(fake, timeouts=Timeouts(deadline=0.3))
        with pytest.raises(RateLimitedError) as caught:
            await place(client, reference="r")
        assert caught.value.attempts == fake.ledger.posts > 1
        assert caught.value.retry_at is not None
        assert caught.value.reference == "r"


async def test_attempt_waits_out_a_cooldown_however_long(fake: FakeHamsa, connect: Connect) -> None:
    """A dialer's worker stands in line; it is no failure to be told to wait."""
    from hamsa_async import CallRequest
    from hamsa_async.errors import RateLimitedError

    client = await connect(fake, timeouts=Timeouts(deadline=0.05))
    fake.faults.next("rate_limited", retry_after="0.3")
    request = CallRequest(to_number="+971500000123", voice_agent_id="9c1f7b2e")
    fake.agents = None

    async def intend() -> None: ...

    try:
        await client.voice_agents.attempt(request, before_send=intend)
    except RateLimitedError as error:
        assert error.attempts == 1
    assert (await client.voice_agents.attempt(request, before_send=intend)).id
    assert fake.ledger.posts == 2
