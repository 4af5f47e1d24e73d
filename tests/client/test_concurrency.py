"""Thousands of calls at once: bounded, all placed, and waiting counts towards no timeout."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hamsa_async import HamsaClient, Timeouts
from hamsa_async.testing import FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]


async def test_five_thousand_gathered_calls_are_bounded_and_all_placed(
    connect: Connect, place: Place
) -> None:
    """Never more in flight than the limit, also where queueing takes longer than a timeout."""
    async with FakeHamsa(latency=(0.02, 0.02)) as fake:
        # The queue takes a second at the least; a busy machine may take one for a connection too.
        client = await connect(fake, timeouts=Timeouts(response=5.0, connect=5.0, deadline=1.0))
        numbers = [f"+9715{n:08}" for n in range(5000)]
        calls = await asyncio.gather(*(place(client, number) for number in numbers))
        assert len({call.id for call in calls}) == 5000
        assert 50 < fake.max_in_flight <= client.config.concurrency_limit
        assert len(fake.ledger.rings) == fake.ledger.posts == 5000
        assert not fake.ledger.rung_twice()


async def test_reads_have_slots_of_their_own(connect: Connect, place: Place) -> None:
    """A call that hangs holds up no read."""
    async with FakeHamsa() as fake:
        fake.faults.next("hang")
        client = await connect(fake, concurrency_limit=1)
        hanging = asyncio.create_task(place(client))
        while not fake.ledger.posts:
            await asyncio.sleep(0.001)
        assert (await client.projects.current()).id == fake.project_id
        hanging.cancel()
        await asyncio.wait([hanging])


async def test_a_rate_spaces_the_starts(connect: Connect, place: Place) -> None:
    """Fifty a second: the last of eleven starts is no sooner than 0.2 s after the first."""
    async with FakeHamsa() as fake:
        client = await connect(fake, rate=50)
        await asyncio.gather(*(place(client) for _ in range(11)))
        first, *_, last = [post.at for post in fake.ledger.post_log]
        assert (last - first).total_seconds() > 0.17
