"""Thousands of calls at once: bounded, all placed, and waiting counts towards no timeout."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hamsa_async import HamsaClient, NotSentError, Timeouts
from hamsa_async.testing import FAKE_AGENT_ID, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]
NUMBER = "+971500000123"


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


@pytest.mark.skipif(sys.version_info < (3, 12), reason="loops have no eager tasks before 3.12")
async def test_a_loop_that_begins_tasks_at_once(connect: Connect, place: Place) -> None:
    """`asyncio.eager_task_factory` changes nothing: calls, streams and waits end as ever."""
    async with FakeHamsa(scripts={NUMBER: [(0, "NO_ANSWER")]}) as fake:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        client = await connect(fake)
        calls = await asyncio.gather(*(place(client, NUMBER) for _ in range(3)))
        rows = [{"to_number": NUMBER, "voice_agent_id": FAKE_AGENT_ID}] * 3
        async with client.voice_agents.call_many(rows) as results:
            calls += [result.call async for result in results if result.call is not None]
        assert len({call.id for call in calls}) == fake.ledger.posts == 6
        async with client.conversations.watch([call.id for call in calls]) as updates:
            assert [update.error async for update in updates if update.is_last] == [None] * 6
        # What fails before it waits for anything must not be taken for what still runs.
        await client.aclose()
        with pytest.raises(NotSentError):
            await place(client, NUMBER)
