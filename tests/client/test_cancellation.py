"""A caller who is cancelled leaves at once; no POST that the server saw goes unaccounted for."""

import asyncio
import gc
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hamsa_async import AttemptSettled, Certainty, HamsaClient, NotSentError
from hamsa_async.testing import FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]


def check_books(fake: FakeHamsa, heard: Any) -> None:
    """Every POST has one event with the server's own id; what has none was not sent."""
    rings = {ring.reference: ring.call_id for ring in fake.ledger.rings}
    assert len(rings) == fake.ledger.posts == len(fake.ledger.rings)
    placed = {
        event.reference: event.call_id
        for event in heard.settled
        if event.certainty is Certainty.PLACED
    }
    assert placed == rings
    calls = [event for event in heard.settled if event.operation == "voice_agents.call"]
    assert {event.certainty for event in calls} <= {Certainty.PLACED, Certainty.NOT_SENT}
    references = [event.reference for event in calls]
    assert len(references) == len(set(references))


async def slots_are_all_back(client: HamsaClient) -> bool:
    doors = client._transport.doors.values()
    return all(door.slots.taken == 0 for door in doors)


@pytest.mark.parametrize("warm", [True, False], ids=["kept connections", "new connections"])
async def test_cancelled_at_any_turn_of_the_loop(
    warm: bool, heard: Any, connect: Connect, place: Place
) -> None:
    """One call after the other, each cancelled a turn later: sent and heard of, or not sent."""
    connector = aiohttp.TCPConnector(force_close=not warm)
    async with FakeHamsa() as fake, aiohttp.ClientSession(connector=connector) as session:
        client = await connect(fake, concurrency_limit=1, grace_period=5, session=session)
        for turns in [*range(60)] * 2:
            task = asyncio.create_task(place(client, reference=f"{len(heard)}-{turns}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        # The one slot was given back every time.
        await place(client, reference="last")
        assert await slots_are_all_back(client)
        await client.aclose()
        check_books(fake, heard)
        assert any(event.certainty is Certainty.NOT_SENT for event in heard.settled)
        assert any(event.abandoned and event.call_id for event in heard.settled)


@pytest.mark.parametrize("limit", [8, 400])
async def test_hundreds_cancelled_at_random_instants(
    limit: int, heard: Any, connect: Connect, place: Place
) -> None:
    """In the queue, connecting, sent, answered: the books add up whenever it was."""
    draw = random.Random(limit)
    async with FakeHamsa(latency=(0.0, 0.01)) as fake:
        client = await connect(fake, concurrency_limit=limit, grace_period=5)

        async def one(n: int) -> None:
            task = asyncio.create_task(place(client, reference=str(n)))
            await asyncio.sleep(draw.random() * 0.15)
            task.cancel()
            await asyncio.wait([task])

        for start in (0, 400):
            await asyncio.gather(*(one(n) for n in range(start, start + 400)))
        await client.projects.current()
        await client.aclose()
        assert await slots_are_all_back(client)
        check_books(fake, heard)


async def test_a_task_group_that_fails_loses_no_call(
    heard: Any, connect: Connect, place: Place
) -> None:
    """One bad call cancels its siblings in flight; each that rang is heard of."""
    async with FakeHamsa(latency=(0.01, 0.05)) as fake:
        fake.faults.for_number("+971500000999", "status_422")
        client = await connect(fake, grace_period=5)
        with pytest.raises(ExceptionGroup):  # noqa: PT012 - the block is what is tested
            async with asyncio.TaskGroup() as group:
                for n in range(60):
                    group.create_task(place(client, f"+9715000001{n:02}", reference=str(n)))
                group.create_task(place(client, "+971500000999"))
        await client.aclose()
        rings = {ring.call_id for ring in fake.ledger.rings}
        assert len(rings) == 60
        told = {event.call_id for event in heard.settled if event.call_id}
        assert told == rings


def open_sockets() -> set[str]:
    """What the system says of this process, whatever the loop thinks."""
    found = set()
    for file in Path("/dev/fd").iterdir():
        with suppress(OSError):
            found.add(str(file.readlink()))
    return {target for target in found if target.startswith("socket:")}


def open_transports() -> int:
    return sum(
        isinstance(thing, asyncio.Transport) and not thing.is_closing()
        for thing in gc.get_objects()
    )


async def test_task_groups_cancelled_at_random_instants_lose_no_call_and_leave_nothing(
    heard: Any, connect: Connect, place: Place
) -> None:
    """Fifty groups of ten: each POST has its id; no task, socket or transport is left."""
    draw = random.Random(50)
    tasks, transports = asyncio.all_tasks(), open_transports()

    async def group(first: int) -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(first, first + 10):
                group.create_task(place(client, reference=str(n)))

    async def one(first: int) -> None:
        task = asyncio.create_task(group(first))
        until = draw.randrange(1600)  # by what has happened, not by the clock of any machine
        while len(heard) < until and not task.done():
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async with FakeHamsa(latency=(0.0, 0.05)) as fake:
        sockets = open_sockets()
        client = await connect(fake, concurrency_limit=100, grace_period=5)
        await asyncio.gather(*(one(10 * n) for n in range(50)))
        await client.aclose()
        assert await slots_are_all_back(client)
        check_books(fake, heard)
        assert 0 < fake.ledger.posts < 500
        assert any(event.certainty is Certainty.NOT_SENT for event in heard.settled)
        assert any(event.abandoned and event.call_id for event in heard.settled)
        for _ in range(500):  # the fake has its ends to close too
            if open_sockets() <= sockets:
                break
            await asyncio.sleep(0.001)
        assert open_sockets() <= sockets
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    gc.collect()
    assert open_transports() <= transports


async def test_a_batch_whose_maker_left_is_known_by_its_id(heard: Any, connect: Connect) -> None:
    """It rings a whole list, so its id must not go with the one who asked for it."""
    async with FakeHamsa(agents=None) as fake:
        fake.faults.next("slow", on="write", seconds=0.05)
        client = await connect(fake, grace_period=5)
        making = client.campaigns.create(
            name="March",
            phone_number="+971500000123",
            voice_agent_id="a",
            recipients=[{"phone_number": "+971500000124"}],
        )
        task = asyncio.create_task(making)
        while not fake._catalogue.campaigns.rows:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        await client.aclose()
        (batch_id,) = fake._catalogue.campaigns.rows
        (event,) = heard.settled
        assert event.abandoned
        assert event.made_id == batch_id
        assert event.call_id is None


async def test_before_it_is_handed_nothing_is_sent_and_nobody_waits_for_it(
    heard: Any, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Cancelled in the queue there is no request, and no event of one."""
    fake.faults.next("hang", rings=False)
    client = await connect(fake, concurrency_limit=1)
    first = asyncio.create_task(place(client, reference="first"))
    queued = asyncio.create_task(place(client, reference="queued"))
    while not fake.ledger.posts:
        await asyncio.sleep(0.001)
    queued.cancel()
    await asyncio.wait([queued])
    assert heard.settled == []
    first.cancel()
    await asyncio.wait([first])
    await client.aclose()
    assert [event.reference for event in heard.settled] == ["first"]
    assert fake.ledger.posts == 1


async def test_an_answer_in_the_very_turn_of_the_cancellation_reaches_the_log(
    heard: Any,
    connect: Connect,
    place: Place,
    fake: FakeHamsa,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Too late to be marked as abandoned, the id is in a warning all the same."""
    client = await connect(fake)
    task = asyncio.create_task(place(client, reference="turn"))

    def leave(event: Any) -> None:
        if isinstance(event, AttemptSettled):
            task.cancel()

    client._transport.teller._hooks += (leave,)
    await asyncio.wait([task])
    assert task.cancelled()
    (event,) = heard.settled
    assert event.call_id == fake.ledger.rings[0].call_id
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.action for record in warned] == ["answer_missed"]  # type: ignore[attr-defined]
    assert event.call_id in warned[0].getMessage()


async def test_before_send_cancelled_midway_gives_the_slot_back(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """The intent was not written, so nothing is sent and nothing is held."""
    from hamsa_async import CallRequest

    client = await connect(fake, concurrency_limit=1)
    reached = asyncio.Event()

    async def never() -> None:
        reached.set()
        await asyncio.Event().wait()

    request = CallRequest(to_number="+971500000123", voice_agent_id="x")
    task = asyncio.create_task(client.voice_agents.attempt(request, before_send=never))
    await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    await place(client)
    assert fake.ledger.posts == 1


async def test_what_before_send_raises_is_raised_and_nothing_is_sent(
    heard: Any, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """The same exception, no request, no event, the slot free."""
    from hamsa_async import CallRequest

    client = await connect(fake, concurrency_limit=1)

    async def full() -> None:
        raise OSError("disk full")

    request = CallRequest(to_number="+971500000123", voice_agent_id="x")
    with pytest.raises(OSError, match="disk full"):
        await client.voice_agents.attempt(request, before_send=full)
    assert heard.settled == []
    assert fake.ledger.posts == 0
    await place(client)


async def test_a_cancelled_read_ends_with_its_caller(
    heard: Any, fake: FakeHamsa, connect: Connect
) -> None:
    """Nothing is lost by not hearing the end of a read."""
    fake.faults.next("hang", on="read", rings=False)
    client = await connect(fake)
    task = asyncio.create_task(client.projects.current())
    while not fake.requests["GET /v1/projects/by-api-key"]:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    while not heard:
        await asyncio.sleep(0)
    assert heard.settled[0].abandoned
    assert len(client._transport._exchanges) == 0


async def test_nothing_of_a_cancelled_call_complains_when_it_is_collected(
    fake: FakeHamsa, connect: Connect, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """No exception that nobody retrieved, no task destroyed while pending."""
    client = await connect(fake, concurrency_limit=2)
    await fake.pause_listening()
    tasks = [asyncio.create_task(place(client)) for _ in range(20)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError | NotSentError)
    await client.aclose()
    gc.collect()
    await asyncio.sleep(0)
    assert [record for record in caplog.records if record.name == "asyncio"] == []
