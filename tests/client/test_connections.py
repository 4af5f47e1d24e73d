"""Below HTTP: connections that do not come about, and answers older than the question."""

import asyncio
import json
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
import uvloop

from hamsa_async import (
    Certainty,
    HamsaClient,
    NotSentError,
    OutcomeUnknownError,
    ServerError,
    Timeouts,
)
from hamsa_async._handover import MarkedBody
from hamsa_async.testing import FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]
Say = Callable[..., bytes]


async def not_sent(client: HamsaClient, place: Place, **options: Any) -> NotSentError:
    with pytest.raises(NotSentError) as caught:
        await place(client, reference="ref-1", **options)
    assert caught.value.certainty is Certainty.NOT_SENT
    assert caught.value.reference == "ref-1"
    assert caught.value.status is None
    return caught.value


async def test_a_refused_port_is_not_sent_and_tried_three_times(
    free_port: int, connect: Connect, place: Place
) -> None:
    """Nobody listens: nothing was sent, provably; the error names where nobody does."""
    client = await connect(f"http://127.0.0.1:{free_port}")
    error = await not_sent(client, place)
    assert f"no connection to 127.0.0.1:{free_port}" in str(error)
    assert error.attempts == 3
    assert isinstance(error.__cause__, OSError)


async def test_a_name_that_does_not_resolve_is_not_sent(connect: Connect, place: Place) -> None:
    """No address: nothing was sent, provably."""
    error = await not_sent(await connect("https://nobody.invalid"), place)
    assert error.attempts == 3


async def test_a_certificate_that_nobody_trusts_is_not_sent(
    certificate: ssl.SSLContext, raw_server: Any, connect: Connect, place: Place
) -> None:
    """The handshake fails before a request could leave."""
    server = await raw_server(tls=certificate)
    error = await not_sent(await connect(server), place)
    assert error.attempts == 3
    assert server.requests == []


@pytest.mark.parametrize("timeouts", [Timeouts(connect=0.1), Timeouts(response=0.1)], ids=str)
async def test_a_host_that_does_not_answer_the_dial_is_not_sent(
    timeouts: Timeouts, connect: Connect, place: Place
) -> None:
    """The connect timeout, and the response timeout while connecting, prove that nothing left."""
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):  # its queue is full now, and it drops who knocks
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        client = await connect(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeouts=timeouts)
        error = await not_sent(client, place)
    assert error.attempts == 3


async def test_a_proxy_that_refuses_is_not_sent_and_its_password_is_not_shown(
    raw_server: Any,
    connect: Connect,
    place: Place,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """502 to CONNECT: the request never left, and the error does not quote the proxy's URL."""
    proxy = await raw_server()
    proxy.answer = say(502, b"", "Connection: close")
    monkeypatch.setenv("https_proxy", f"http://user:proxy-secret@127.0.0.1:{proxy.port}")
    error = await not_sent(await connect("https://api.invalid"), place)
    assert [request.split()[0] for request in proxy.requests] == [b"CONNECT"] * 3
    assert "proxy-secret" not in f"{error!r}{error.__cause__!r}"


async def test_a_server_that_is_back_after_a_refusal_gets_the_call_once(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """*Not sent* is tried again, and the phone rings once."""
    client = await connect(fake)
    await fake.pause_listening()

    async def resume() -> None:
        await fake.resume_listening()

    from hamsa_async import CallRequest

    tries: list[int] = []

    async def before_send() -> None:
        tries.append(1)

    request = CallRequest(to_number="+971500000123", voice_agent_id="x")
    with pytest.raises(NotSentError):
        await client.voice_agents.attempt(request, before_send=before_send)
    await resume()
    await place(client)
    assert len(tries) == 1
    assert fake.ledger.posts == 1


# -- an answer that is older than the question


class Numbered:
    """Answers the n-th POST with the id `call-n`, and can speak out of turn."""

    def __init__(self, server: Any, say: Say) -> None:
        self.server = server
        self.say = say
        server.serve = self.serve

    async def serve(self, connection: Any) -> None:
        while await self.server.next_request(connection):
            body = json.dumps({"data": {"id": f"call-{self.server.posts}"}}).encode()
            connection.say(self.say(200, body))


UNASKED = {
    "200": (200, b'{"data":{"id":"stale"}}', ()),
    "400": (400, b"", ("Connection: close",)),
    "408": (408, b"", ()),
    "429": (429, b"", ("Retry-After: 0",)),
    "429-date": (429, b"{}", (f"Retry-After: {format_datetime(datetime.now(UTC), usegmt=True)}",)),
}


@pytest.mark.parametrize("seen", [True, False], ids=["read by the loop", "in the kernel"])
@pytest.mark.parametrize("unasked", UNASKED)
@pytest.mark.parametrize("kept", [1, 5])
async def test_an_answer_nobody_asked_for_never_answers_a_post(  # noqa: PLR0917 - fixtures
    unasked: str,
    seen: bool,
    kept: int,
    raw_server: Any,
    connect: Connect,
    place: Place,
    say: Say,
) -> None:
    """What an edge says on idle connections is not taken for ours, and nobody rings twice."""
    server = await raw_server()
    Numbered(server, say)
    client = await connect(server)
    await fill_pool(server, client, place, kept)
    status, body, headers = UNASKED[unasked]
    for connection in server.connections:
        connection.say(say(status, body, *headers))
    if seen:
        await asyncio.sleep(0.02)
    else:
        time.sleep(0.02)  # the loop is busy: nobody reads it
    call = await place(client)
    assert call.id == f"call-{kept + 1}"
    assert server.posts == kept + 1


@pytest.mark.parametrize("seen", [True, False], ids=["read by the loop", "in the kernel"])
@pytest.mark.parametrize("unasked", UNASKED)
@pytest.mark.parametrize("kept", [1, 5])
async def test_an_answer_nobody_asked_for_never_answers_a_read_either(  # noqa: PLR0917 - fixtures
    unasked: str,
    seen: bool,
    kept: int,
    raw_server: Any,
    connect: Connect,
    place: Place,
    say: Say,
) -> None:
    """Doubt is settled by reads: what they say must be the answer to what they asked."""
    server = await raw_server()
    Numbered(server, say)
    client = await connect(server)
    await fill_pool(server, client, place, kept)
    status, body, headers = UNASKED[unasked]
    for connection in server.connections:
        connection.say(say(status, body, *headers))
    if seen:
        await asyncio.sleep(0.02)
    else:
        time.sleep(0.02)  # the loop is busy: nobody reads it
    call = await client.conversations.get("any")
    assert call.id == f"call-{kept}"  # numbered by POSTs, and this is none
    assert len(server.requests) == kept + 1


async def test_a_read_has_an_empty_body_that_shows_in_its_length_alone(
    raw_server: Any, connect: Connect
) -> None:
    """It is there for its mark: no type, and nothing after the headers."""
    server = await raw_server()
    await (await connect(server)).conversations.get("any")
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == b""
    assert b"Content-Length: 0" in head
    assert b"content-type" not in head.lower()
    assert b"transfer-encoding" not in head.lower()


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_read_is_not_repeated_behind_the_policys_back(
    kept: int, raw_server: Any, connect: Connect
) -> None:
    """Aiohttp sends a GET again by itself when its connection ends; one attempt is one request."""

    async def hang_up(connection: Any) -> None:
        while await server.next_request(connection):
            if len(server.requests) > kept:
                return
            connection.say(server.answer)

    server = await raw_server(hang_up)
    client = await connect(server)
    for _ in range(kept):
        await client.conversations.get("any")
    with pytest.raises(ServerError) as caught:
        await client.conversations.get("any")
    assert caught.value.attempts == len(server.requests) - kept == 3


async def fill_pool(server: Any, client: HamsaClient, place: Place, kept: int) -> None:
    """Have `kept` idle connections in the pool."""
    gate = asyncio.Event()
    inner = server.serve

    async def hold(connection: Any) -> None:
        read = server.next_request

        async def held(connection: Any) -> bytes:
            request: bytes = await read(connection)
            if len(server.requests) >= kept:
                gate.set()
            await gate.wait()
            return request

        server.next_request = held
        await inner(connection)

    server.serve = hold if kept > 1 else inner
    await asyncio.gather(*(place(client) for _ in range(kept)))
    assert len(server.connections) == kept
    assert server.posts == kept


@pytest.mark.parametrize("busy", [True, False], ids=["in the kernel", "read by the loop"])
@pytest.mark.parametrize("kept", [1, 5])
async def test_a_connection_that_the_server_closed_is_not_written_to(  # noqa: PLR0917 - fixtures
    busy: bool, kept: int, raw_server: Any, connect: Connect, place: Place, say: Say
) -> None:
    """A FIN that waits in the kernel is seen before the write: one ring, no doubt."""
    server = await raw_server()
    Numbered(server, say)
    client = await connect(server)
    await fill_pool(server, client, place, kept)
    for connection in server.connections:
        connection.end()
    if busy:
        time.sleep(0.02)
    else:
        await asyncio.sleep(0.02)
    call = await place(client)
    assert call.id == f"call-{kept + 1}"
    assert server.posts == kept + 1


async def test_a_server_that_always_speaks_first_is_not_sent_to_and_does_not_hold_us(
    raw_server: Any, connect: Connect, place: Place, say: Say
) -> None:
    """It answers before it is asked, on every connection: not sent, after a bounded number."""

    async def speak_first(connection: Any) -> None:
        connection.say(say(429, b""))
        await server.next_request(connection)

    server = await raw_server(speak_first)
    error = await not_sent(await connect(server, concurrency_limit=3), place)
    assert error.attempts == 3
    assert server.posts == 0


@asynccontextmanager
async def idle_client() -> AsyncIterator[tuple[Any, HamsaClient]]:
    """A numbered server and a client with one idle connection to it."""
    posts: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                posts.append(head)
                body = json.dumps({"data": {"id": f"call-{len(posts)}"}}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with HamsaClient("k", base_url=f"http://127.0.0.1:{port}") as client:
        await client.voice_agents.call(to_number="+971500000123", voice_agent_id="a")
        yield (posts, writers), client
    server.close()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("busy", [True, False])
def test_the_look_at_the_connection_works_on_both_loops(
    runner: Callable[..., Any], busy: bool
) -> None:
    """Asyncio's and uvloop's transports tell both what the look asks them."""

    async def main() -> None:
        async with idle_client() as ((posts, writers), client):
            writers[0].write(b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n")
            if busy:
                time.sleep(0.02)
            else:
                await asyncio.sleep(0.02)
            call = await client.voice_agents.call(to_number="+971500000123", voice_agent_id="a")
            assert call.id == "call-2"
            assert len(posts) == 2

    runner(main())


async def test_on_tls_the_first_tickets_are_no_obstacle_and_a_kept_connection_is_looked_at(  # noqa: PLR0917 - fixtures
    certificate: ssl.SSLContext,
    raw_server: Any,
    connect: Connect,
    place: Place,
    say: Say,
    stack: AsyncExitStack,
) -> None:
    """TLS 1.3 sends tickets before the first answer; a FIN on a kept one is seen all the same."""
    server = await raw_server(tls=certificate)
    Numbered(server, say)
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=trusting)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    client = await connect(server, session=session)
    await place(client)
    await place(client)
    assert len(server.connections) == 1
    server.connections[0].end()
    time.sleep(0.02)
    assert (await place(client)).id == "call-3"
    assert len(server.connections) == 2
    assert server.posts == 3


async def test_what_we_touch_of_aiohttp_is_as_it_was(raw_server: Any, say: Say) -> None:
    """Fails when aiohttp writes bodies another way, or tells less of its connections."""
    looks: list[dict[str, Any]] = []

    class Spy(MarkedBody):
        async def write_with_length(self, writer: Any, content_length: int | None) -> None:
            connection = writer.protocol
            looks.append(
                {
                    "answered": connection._payload is not None,
                    "should_close": connection.should_close,
                    "fileno": connection.transport.get_extra_info("socket").fileno(),
                    "length": content_length,
                }
            )
            await super().write_with_length(writer, content_length)

    server = await raw_server()
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            body = Spy(b"{}")
            assert not body.handed
            async with session.post(server.base_url, data=body) as response:
                await response.read()
            assert body.handed
        assert [look["answered"] for look in looks] == [False, True]
        assert [look["should_close"] for look in looks] == [False, False]
        assert [look["length"] for look in looks] == [2, 2]
        assert all(look["fileno"] > 0 for look in looks)
        ((kept, _),) = next(iter(session.connector._conns.values()))  # type: ignore[union-attr]
        server.connections[0].say(say(408, b""))
        await asyncio.sleep(0.02)
        assert kept.should_close
    assert server.requests[0].endswith(b"{}")
    assert b"Content-Type: application/json" in server.requests[0]


async def test_a_body_is_handed_once_and_a_sealed_one_never(raw_server: Any) -> None:
    """Whoever repeats a request for us, or is late with it, is refused."""
    server = await raw_server()
    async with aiohttp.ClientSession() as session:
        body = MarkedBody(b"{}")
        await (await session.post(server.base_url, data=body)).read()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(server.base_url, data=body)
        sealed = MarkedBody(b"{}")
        sealed.sealed = True
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(server.base_url, data=sealed)
        late = MarkedBody(b"{}", not_after=time.time() - 1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(server.base_url, data=late)
    assert server.posts == 1


async def test_a_server_that_closes_at_accept_leaves_doubt_or_proof_but_no_ring_twice(
    raw_server: Any, connect: Connect, place: Place
) -> None:
    """Closed before it read: whatever is said of it, no server ever reads two."""

    async def hang_up(connection: Any) -> None:
        connection.writer.close()

    server = await raw_server(hang_up)
    client = await connect(server)
    for _ in range(20):
        with pytest.raises((OutcomeUnknownError, NotSentError)):
            await place(client)
    assert server.posts == 0


def test_python_is_one_that_we_measured() -> None:
    """Where a body is written within the turn depends on it: 3.12 changed it, 3.14 does again."""
    assert sys.version_info[:2] in {(3, 11), (3, 12), (3, 13), (3, 14)}
