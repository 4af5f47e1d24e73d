"""`not_after`: what has not begun by then never does, wherever it waits."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hamsa_async import CallRequest, Certainty, HamsaClient, NotSentError, RetryPolicy
from hamsa_async._limits import Pace
from hamsa_async.testing import FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]


def soon(seconds: float = 0.1) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def is_too_late(call: Awaitable[Any]) -> None:
    with pytest.raises(NotSentError, match="not_after") as caught:
        await call
    assert caught.value.certainty is Certainty.NOT_SENT
    assert caught.value.reference == "r"


async def test_a_moment_that_is_past_sends_nothing(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Also in another time zone than ours."""
    client = await connect(fake)
    await is_too_late(place(client, reference="r", not_after=soon(-1)))
    assert fake.ledger.posts == 0
    ahead = soon(60).astimezone()
    assert (await place(client, reference="r", not_after=ahead)).id


async def test_while_it_waits_in_the_queue(fake: FakeHamsa, connect: Connect, place: Place) -> None:
    """The slot comes too late, and goes to the next."""
    fake.faults.next("slow", seconds=0.3)
    client = await connect(fake, concurrency_limit=1)
    first = asyncio.create_task(place(client))
    while not fake.ledger.posts:
        await asyncio.sleep(0.001)
    await is_too_late(place(client, reference="r", not_after=soon()))
    await first
    await place(client)
    assert fake.ledger.posts == 2


async def test_while_it_waits_at_the_gate(fake: FakeHamsa, connect: Connect, place: Place) -> None:
    """A cool-down outlasts it: it is not sent, also after a 429 of its own."""
    fake.faults.next("rate_limited", retry_after="30")
    client = await connect(fake)
    await is_too_late(place(client, reference="r", not_after=soon()))
    assert fake.ledger.posts == 1
    await is_too_late(place(client, reference="r", not_after=soon()))
    assert fake.ledger.posts == 1


async def test_while_it_waits_for_its_pace(fake: FakeHamsa, connect: Connect, place: Place) -> None:
    """The client's rate, or a pace of the caller's own."""
    client = await connect(fake, rate=0.1)
    await place(client)
    await is_too_late(place(client, reference="r", not_after=soon()))
    pace = Pace(0.1)
    await pace.wait()
    other = await connect(fake)
    request = CallRequest(
        to_number="+971500000123", voice_agent_id="x", reference="r", not_after=soon()
    )
    await is_too_late(other.voice_agents.attempt(request, before_send=never_asked, pace=pace))
    assert fake.ledger.posts == 1


async def never_asked() -> None:
    raise AssertionError("nothing may be intended")


async def test_while_it_waits_for_its_key_no_intent_is_written(fake: FakeHamsa) -> None:
    """`before_send` is not asked for a call that comes too late."""

    async def slow_key() -> str:
        await asyncio.sleep(0.15)
        return FAKE_API_KEY

    async with HamsaClient(slow_key, base_url=fake.base_url) as client:
        request = CallRequest(
            to_number="+971500000123", voice_agent_id="x", reference="r", not_after=soon()
        )
        await is_too_late(client.voice_agents.attempt(request, before_send=never_asked))
    assert fake.ledger.posts == 0


async def test_while_its_intent_is_written(fake: FakeHamsa, connect: Connect) -> None:
    """The last look is after `before_send`."""
    client = await connect(fake)

    async def slow_disk() -> None:
        await asyncio.sleep(0.15)

    request = CallRequest(
        to_number="+971500000123", voice_agent_id="x", reference="r", not_after=soon()
    )
    await is_too_late(client.voice_agents.attempt(request, before_send=slow_disk))
    assert fake.ledger.posts == 0


async def test_while_it_connects(connect: Connect, place: Place) -> None:
    """A connection that comes too late is not written to."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        client = await connect(f"http://127.0.0.1:{listening.getsockname()[1]}")
        task = asyncio.create_task(place(client, reference="r", not_after=soon()))
        await asyncio.sleep(0.15)
        listening.accept()[0].close()  # there is room now, and the kernel knocks again
        await is_too_late(task)
        listening.setblocking(False)
        received = b""
        while True:
            try:
                peer, _ = listening.accept()
            except BlockingIOError:
                break
            with peer:
                peer.setblocking(False)
                with suppress(BlockingIOError):
                    received += peer.recv(1)
        assert received == b""


async def test_while_it_pauses_before_another_try(
    free_port: int, connect: Connect, place: Place
) -> None:
    """No try begins after it."""
    client = await connect(
        f"http://127.0.0.1:{free_port}", retry=RetryPolicy(attempts=50, wait_initial=0.05)
    )
    await is_too_late(place(client, reference="r", not_after=soon()))
