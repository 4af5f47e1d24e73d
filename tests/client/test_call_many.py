"""`call_many`: results as they settle, failures as values, bounded memory, nothing lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from hamsa_async import (
    CallRequest,
    CallResult,
    Certainty,
    ConfigurationError,
    HamsaClient,
    NotSentError,
    OutcomeUnknownError,
)
from hamsa_async.testing import FAKE_AGENT_ID, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]


def row(n: int, **more: Any) -> dict[str, Any]:
    return {"to_number": f"+97150{n:07}", "voice_agent_id": FAKE_AGENT_ID, **more}


async def collect(client: HamsaClient, rows: Any) -> list[CallResult]:
    async with client.voice_agents.call_many(rows) as results:
        return [result async for result in results]


async def test_every_row_has_its_result_with_row_and_index(
    fake: FakeHamsa, connect: Connect
) -> None:
    """Mappings and requests alike; exactly one of call and error is set."""
    rows = [row(n) if n % 2 else CallRequest(**row(n)) for n in range(250)]
    results = await collect(await connect(fake), rows)
    assert sorted(result.index for result in results) == list(range(250))
    assert all(result.row is rows[result.index] for result in results)
    assert {result.certainty for result in results} == {Certainty.PLACED}
    rung = {ring.phone_number: ring.call_id for ring in fake.ledger.rings}
    for result in results:
        assert result.call is not None
        assert rung[CallRequest.of(result.row).to_number] == result.call.id


async def test_results_come_as_they_settle(fake: FakeHamsa, connect: Connect) -> None:
    """A slow first row holds up nobody behind it."""
    fake.faults.for_number("+971500000000", "slow", seconds=0.2)
    results = await collect(await connect(fake), [row(n) for n in range(10)])
    assert results[-1].index == 0


async def test_a_failure_is_a_value_and_so_is_a_bad_row(fake: FakeHamsa, connect: Connect) -> None:
    """Doubt, a refusal, a bad number, a stranger of a row: the others are placed."""
    fake.faults.for_number("+971500000001", "drop_after")
    fake.faults.for_number("+971500000002", "status_422")
    rows = [row(0), row(1), row(2), {"to_number": "0501"}, 7, row(5, colour="red"), row(6)]
    results = {result.index: result for result in await collect(await connect(fake), rows)}
    assert isinstance(results[1].error, OutcomeUnknownError)
    assert results[2].error is not None
    assert results[2].error.status == 422
    for index in (3, 4, 5):
        assert isinstance(results[index].error, ConfigurationError)
        assert results[index].row is rows[index]
    assert results[0].call
    assert results[6].call


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_no_to_everything_ends_the_stream_and_the_rest_is_not_sent(
    status: int, fake: FakeHamsa, connect: Connect
) -> None:
    """After a 401, 402 or 403 no further call leaves; each row has its result all the same."""
    fake.faults.for_number("+971500000003", f"status_{status}")
    client = await connect(fake, concurrency_limit=2)
    results = await collect(client, (row(n, reference=f"r{n}") for n in range(50)))
    assert len(results) == 50
    rest = [result for result in results if isinstance(result.error, NotSentError)]
    assert len(rest) >= 50 - 3 - 1 - 2
    assert {result.certainty for result in rest} == {Certainty.NOT_SENT}
    assert all(result.error.reference == f"r{result.index}" for result in rest)  # type: ignore[union-attr]
    assert fake.ledger.posts == 50 - len(rest)


async def test_leaving_early_settles_what_is_in_flight_and_keeps_it(connect: Connect) -> None:
    """What rang after the reader had left is in `unread`; no further row is read."""
    read: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(1000):
            read.append(n)
            yield row(n)

    async with FakeHamsa(latency=(0.01, 0.05)) as fake:
        client = await connect(fake, concurrency_limit=8)
        async with client.voice_agents.call_many(rows()) as results:
            first = await anext(results)
        seen = {first.index} | {result.index for result in results.unread}
        assert seen == set(read)
        assert len(read) <= 8 + 8
        assert len(fake.ledger.rings) == len(read)


async def test_a_source_that_fails_is_heard_after_the_results_before_it(
    fake: FakeHamsa, connect: Connect
) -> None:
    """Its own exception, once all rows that it gave have their results."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from (row(n) for n in range(20))
        raise LookupError("row 21")

    results: list[CallResult] = []
    client = await connect(fake)
    with pytest.raises(LookupError, match="row 21"):  # noqa: PT012 - the block is what is tested
        async with client.voice_agents.call_many(rows()) as stream:
            async for result in stream:
                results.append(result)  # noqa: PERF401 - the results before it are the point
    assert sorted(result.index for result in results) == list(range(20))
    assert all(result.call for result in results)


async def test_a_source_that_fails_when_nobody_reads_any_more_is_logged(
    fake: FakeHamsa, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Leaving early is no reason to lose the error without a word."""

    def rows() -> Iterator[dict[str, Any]]:
        yield row(0)
        raise LookupError("secret row")

    client = await connect(fake)
    async with client.voice_agents.call_many(rows()) as stream:
        await asyncio.sleep(0.05)
    assert len(stream.unread) == 1
    (record,) = caplog.records
    assert record.action == "source_failed"  # type: ignore[attr-defined]
    assert "secret row" not in record.getMessage()


async def test_a_source_that_is_cancelled_from_outside_does_not_pass_for_a_whole_list(
    fake: FakeHamsa, connect: Connect
) -> None:
    """A `CancelledError` that nobody sent us ends the stream with an error."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        yield row(0)
        raise asyncio.CancelledError

    results: list[CallResult] = []
    client = await connect(fake)
    with pytest.raises(RuntimeError, match="cancelled"):  # noqa: PT012 - the block is what is tested
        async with client.voice_agents.call_many(rows()) as stream:
            async for result in stream:
                results.append(result)  # noqa: PERF401
    assert len(results) == 1


async def test_a_source_is_read_only_as_far_as_calls_can_be_made_of_it(
    fake: FakeHamsa, connect: Connect
) -> None:
    """A hundred thousand rows are never read further than twice the concurrency ahead."""
    read = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal read
        for n in range(100_000):
            read += 1
            yield row(n)

    client = await connect(fake, concurrency_limit=10)
    async with client.voice_agents.call_many(rows()) as results:
        for given in range(1, 301):
            await anext(results)
            await asyncio.sleep(0)
            assert read - given <= 2 * 10
        await asyncio.sleep(0.05)  # a reader who dawdles
        assert read - 300 <= 2 * 10


async def test_an_async_source_is_read_by_one_worker_at_a_time(
    fake: FakeHamsa, connect: Connect
) -> None:
    """An async generator allows one reader; a slow one idles the others, no more."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for n in range(40):
            await asyncio.sleep(0)
            yield row(n)

    results = await collect(await connect(fake), rows())
    assert sorted(result.index for result in results) == list(range(40))


async def test_leaving_while_the_source_makes_a_row_ends_at_once(
    fake: FakeHamsa, connect: Connect
) -> None:
    """A source that would wait for ever holds up nobody who leaves."""
    closed = asyncio.Event()

    async def rows() -> AsyncIterator[dict[str, Any]]:
        yield row(0)
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()

    client = await connect(fake)
    async with client.voice_agents.call_many(rows()) as results:
        assert (await anext(results)).call
    assert closed.is_set()
    assert results.unread == []


async def test_cancelling_the_reader_is_prompt_and_every_ring_is_heard_of(
    heard: Any, connect: Connect
) -> None:
    """The block ends at once; requests that were handed end in their events."""
    async with FakeHamsa(latency=(0.05, 0.1)) as fake:
        client = await connect(fake, concurrency_limit=5, grace_period=5)

        async def read_on() -> None:
            await collect(client, (row(n, reference=str(n)) for n in range(1000)))

        task = asyncio.create_task(read_on())
        while fake.ledger.posts < 12:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(asyncio.all_tasks()) <= 2 + 5 + 10  # ours, the exchanges, the server's
        await client.aclose()
        rings = {ring.reference: ring.call_id for ring in fake.ledger.rings}
        assert {event.reference: event.call_id for event in heard.settled} == rings


async def test_an_empty_source_ends_at_once(fake: FakeHamsa, connect: Connect) -> None:
    """No rows, no results, no hang."""
    assert await collect(await connect(fake), []) == []


async def test_a_stream_is_entered_once_and_before_it_is_read(
    fake: FakeHamsa, connect: Connect
) -> None:
    """Both mistakes are said, and place no call."""
    client = await connect(fake)
    stream = client.voice_agents.call_many([row(0)])
    with pytest.raises(ConfigurationError, match="async with"):
        await anext(stream)
    async with stream:
        pass
    with pytest.raises(ConfigurationError, match="once"):
        await stream.__aenter__()


async def test_closing_the_client_under_a_stream_gives_the_rest_as_not_sent(
    connect: Connect,
) -> None:
    """Nobody hangs: the rows behind end as values."""
    async with FakeHamsa(latency=(0.02, 0.02)) as fake:
        client = await connect(fake, concurrency_limit=4, grace_period=5)
        async with client.voice_agents.call_many([row(n) for n in range(40)]) as stream:
            results = [await anext(stream)]
            await client.aclose()
            results += [result async for result in stream]
        assert len(results) == 40
        placed = [result for result in results if result.call]
        assert len(placed) == len(fake.ledger.rings)
        assert {r.certainty for r in results} == {Certainty.PLACED, Certainty.NOT_SENT}


async def test_the_log_stays_quiet_about_a_stream_that_went_well(
    fake: FakeHamsa, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing at INFO or above."""
    caplog.set_level(logging.INFO)
    await collect(await connect(fake), [row(0)])
    assert [r for r in caplog.records if r.name == "hamsa_async"] == []
