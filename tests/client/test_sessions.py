"""One client, one loop; a session of the caller's is used as it must be and never closed."""

import asyncio
import gc
import gzip
import logging
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from hamsa_async import (
    Certainty,
    ConfigurationError,
    HamsaClient,
    NotEndedError,
    NotSentError,
    OutcomeUnknownError,
)
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]


@pytest.fixture
def borrow(stack: AsyncExitStack) -> Callable[..., Awaitable[aiohttp.ClientSession]]:
    async def borrow(**options: Any) -> aiohttp.ClientSession:
        return await stack.enter_async_context(aiohttp.ClientSession(**options))

    return borrow


@pytest.fixture
def distant() -> Iterator[FakeHamsa]:
    """A fake on a thread and a loop of its own, which outlives those of the client."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    fake = FakeHamsa()
    asyncio.run_coroutine_threadsafe(fake.start(), loop).result()
    yield fake
    asyncio.run_coroutine_threadsafe(fake.aclose(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_client_serves_one_loop_and_another_is_refused_before_anything_is_sent(
    distant: FakeHamsa,
) -> None:
    """Four `asyncio.run` with one client that nobody closed: only the first one's calls ring."""
    client = HamsaClient(FAKE_API_KEY, base_url=distant.base_url)

    async def ask(numbers: range) -> list[Any]:
        calls = [
            client.voice_agents.call(to_number=f"+97150000{n:04}", voice_agent_id=FAKE_AGENT_ID)
            for n in numbers
        ]
        return await asyncio.gather(*calls, client.projects.current(), return_exceptions=True)

    first = asyncio.run(ask(range(10)))
    assert not [end for end in first if isinstance(end, Exception)]
    asked = sum(distant.requests.values())
    assert asked == 11
    for _ in range(3):
        for end in asyncio.run(ask(range(20))):
            assert type(end) is ConfigurationError
            assert end.certainty is Certainty.NOT_SENT
            assert "event loop" in str(end)
    with warnings.catch_warnings():
        # Its sockets' loop is gone and closes them no more; they go when they are collected.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(client.aclose())
        gc.collect()
    assert sum(distant.requests.values()) == asked
    assert len(distant.ledger.rings) == distant.ledger.posts == 10
    assert not distant.ledger.rung_twice()


def test_a_client_whose_loop_is_gone_can_still_be_closed() -> None:
    """`asyncio.run(client.aclose())` from another loop raises nothing."""

    async def use() -> tuple[HamsaClient, FakeHamsa]:
        async with FakeHamsa() as fake:
            client = HamsaClient(FAKE_API_KEY, base_url=fake.base_url)
            await client.projects.current()
            return client, fake

    client, _ = asyncio.run(use())
    asyncio.run(client.aclose())
    asyncio.run(client.aclose())


async def test_a_client_of_another_loop_is_as_it_was_when_it_cannot_be_closed_here(
    fake: FakeHamsa,
) -> None:
    """Its owner still waits for calls with it."""
    client = HamsaClient(FAKE_API_KEY, base_url=fake.base_url)
    call = await client.voice_agents.call(to_number="+971500000123", voice_agent_id=FAKE_AGENT_ID)
    with pytest.raises(ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, client.aclose())
    with pytest.raises(NotEndedError, match=r"within 0\.01 s"):
        await client.conversations.wait(call.id, timeout=0.01)
    await client.aclose()


async def test_a_session_made_on_another_loop_is_refused_before_anything_is_sent(
    fake: FakeHamsa,
) -> None:
    """The session's loop counts, not the one of the first call."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), loop))
    client = HamsaClient(FAKE_API_KEY, base_url=fake.base_url, session=session)
    with pytest.raises(ConfigurationError, match="another event loop"):
        await client.projects.current()
    assert not fake.requests
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    loop.close()


async def test_a_retrying_middleware_of_the_session_repeats_no_call(
    fake: FakeHamsa, connect: Connect, place: Place, borrow: Any
) -> None:
    """One POST on a 503, whatever the session's middlewares would make of it."""

    async def retrying(request: Any, handler: Any) -> Any:
        for _ in range(3):
            response = await handler(request)
            if response.status < 500:
                break
        return response

    session = await borrow(middlewares=(retrying,))
    client = await connect(fake, session=session)
    fake.faults.next("status_503", count=9)
    with pytest.raises(OutcomeUnknownError) as caught:
        await place(client)
    assert caught.value.status == 503
    assert fake.ledger.posts == 1


async def test_raise_for_status_of_the_session_does_not_apply(
    fake: FakeHamsa, connect: Connect, place: Place, borrow: Any
) -> None:
    """The status is read from the answer, and the table says what it proves."""
    client = await connect(fake, session=await borrow(raise_for_status=True))
    fake.faults.next("status_503")
    with pytest.raises(OutcomeUnknownError) as caught:
        await place(client)
    assert caught.value.status == 503


async def test_the_timeouts_of_the_session_do_not_apply(
    connect: Connect, place: Place, borrow: Any
) -> None:
    """A short total timeout of the session's makes no unknowns."""
    async with FakeHamsa(latency=(0.1, 0.1)) as fake:
        session = await borrow(timeout=aiohttp.ClientTimeout(total=0.01))
        assert (await place(await connect(fake, session=session))).id


@pytest.mark.parametrize(
    "habits",
    [
        {"auto_decompress": False},
        {"headers": {"Content-Type": "text/plain", "Accept": "text/html", "User-Agent": "me"}},
        {"skip_auto_headers": ["Content-Type", "User-Agent"]},
        {"version": aiohttp.HttpVersion10},
        {"base_url": "http://127.0.0.1:9/"},
        {"trust_env": True},
    ],
    ids=lambda habits: next(iter(habits)),
)
async def test_the_sessions_own_habits_do_not_apply(
    raw_server: Any, connect: Connect, place: Place, borrow: Any, habits: Any
) -> None:
    """What is written is ours, and an answer is read whatever its encoding."""
    server = await raw_server()
    zipped = gzip.compress(b'{"data":{"id":"call-1"}}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(zipped)}\r\n\r\n"
    server.answer = head.encode() + zipped
    client = await connect(server, session=await borrow(**habits))
    assert (await place(client)).id == "call-1"
    (request,) = server.requests
    lines = request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert b"content-type: application/json" in lines
    assert b"accept: application/json" in lines
    assert sum(line.startswith(b"user-agent: hamsa-async/") for line in lines) == 1


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Expect"])
async def test_a_session_that_misdescribes_bodies_is_refused(borrow: Any, name: str) -> None:
    """When the client is made: ours would be cut short, or begun before it is handed over."""
    session = await borrow(headers={name: "100-continue"})
    with pytest.raises(ConfigurationError, match=name.lower()):
        HamsaClient(FAKE_API_KEY, session=session)


async def test_a_small_pool_lowers_the_limit_and_says_so(
    connect: Connect, place: Place, borrow: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for a connection: that would count as response time."""
    async with FakeHamsa(latency=(0.005, 0.01)) as fake:
        session = await borrow(connector=aiohttp.TCPConnector(limit=50, limit_per_host=5))
        client = await connect(fake, session=session, concurrency_limit=64)
        assert client.config.concurrency_limit == 5
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.action == "concurrency_lowered"  # type: ignore[attr-defined]
        await asyncio.gather(*(place(client) for _ in range(100)))
        assert fake.max_in_flight == 5
        assert len(fake.ledger.rings) == 100


async def test_a_large_pool_changes_nothing(
    fake: FakeHamsa, connect: Connect, borrow: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No limit, or a larger one, is no reason to lower ours."""
    for limit in (0, 100):
        session = await borrow(connector=aiohttp.TCPConnector(limit=limit))
        client = await connect(fake, session=session)
        assert client.config.concurrency_limit == 100
    assert caplog.records == []


async def test_a_session_with_auth_is_refused_when_the_client_is_made(borrow: Any) -> None:
    """Its own header would clash with the key's at every request."""
    with pytest.warns(DeprecationWarning, match="auth"):
        session = await borrow(auth=aiohttp.BasicAuth("user", "session-secret"))
    with pytest.raises(ConfigurationError) as caught:
        HamsaClient(FAKE_API_KEY, session=session)
    assert "session-secret" not in str(caught.value)


async def test_a_closed_session_is_refused(borrow: Any) -> None:
    """When the client is made; one that is closed later makes calls *not sent*."""
    session = await borrow()
    await session.close()
    with pytest.raises(ConfigurationError, match="closed"):
        HamsaClient(FAKE_API_KEY, session=session)


async def test_a_session_that_its_owner_closed_meanwhile_sends_nothing(
    fake: FakeHamsa, connect: Connect, place: Place, borrow: Any
) -> None:
    """Provably not sent, and the error says so."""
    session = await borrow()
    client = await connect(fake, session=session)
    await session.close()
    with pytest.raises(NotSentError):
        await place(client)
    assert fake.ledger.posts == 0


async def test_a_borrowed_session_is_never_closed(
    fake: FakeHamsa, connect: Connect, place: Place, borrow: Any
) -> None:
    """Not by `aclose`, and an unclosed client of one warns of nothing."""
    session = await borrow()
    async with await connect(fake, session=session) as client:
        await place(client)
    assert not session.closed
    await (await session.get(f"{fake.base_url}/_fake/ledger")).read()
    HamsaClient(FAKE_API_KEY, base_url=fake.base_url, session=session)


async def test_no_cookie_is_kept_and_no_redirect_followed(
    raw_server: Any, connect: Connect, say: Callable[..., bytes]
) -> None:
    """What a server sets is not said back to it."""
    server = await raw_server()
    server.answer = say(200, b'{"data":{"id":"p"}}', "Set-Cookie: a=b; Path=/")
    client = await connect(server)
    for _ in range(2):
        await client.projects.current()
    assert len(server.requests) == 2
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_connections_are_kept_and_used_again(
    raw_server: Any, connect: Connect, place: Place
) -> None:
    """Twenty calls one after the other take one connection."""
    server = await raw_server()
    client = await connect(server)
    for _ in range(20):
        await place(client)
    assert (len(server.connections), server.posts) == (1, 20)
