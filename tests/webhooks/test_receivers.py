"""What a receiver answers and stores, over real sockets, under each of its servers."""

import asyncio
import gzip
import json
import logging
import re
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import fastapi
import pytest
import uvicorn
from aiohttp import web

from hamsa_async import ConfigurationError
from hamsa_async.webhooks import (
    ASGIApp,
    CallEnded,
    Delivery,
    Receiver,
    Secrets,
    aiohttp_app,
    parse,
    serving,
)

# Seconds for which aiohttp throws away what is left of a body that nobody reads.
LINGERING = 0.2

MASTER = "m" * 32
SECRETS = Secrets(shared="s3cret", master=MASTER)
AUTH = {"Authorization": "Token s3cret"}


class Memory:
    """A store that keeps what it is given, or does what a test makes it do."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.puts = 0
        self.failing = False
        self.open = threading.Event()
        self.open.set()
        self.most_at_once = 0
        self._at_once = 0

    async def put(self, delivery: Delivery, /) -> None:
        self.puts += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            while not self.open.is_set():
                await asyncio.sleep(0.01)
            if self.failing:
                raise OSError(28, "no space left for +971500000123")
            self.deliveries.append(delivery)
        finally:
            self._at_once -= 1

    @property
    def keys(self) -> list[str]:
        return [delivery.key for delivery in self.deliveries]


class Served:
    """A receiver that is being served."""

    def __init__(self, url: str, receiver: Receiver, store: Memory) -> None:
        self.url, self.receiver, self.store = url, receiver, store
        self.port = int(url.rpartition(":")[2].partition("/")[0])

    async def post(
        self, body: bytes | Any, headers: dict[str, str] | None = None, path: str = ""
    ) -> int:
        """POST once over a connection of its own."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                self.url + path, data=body, headers=AUTH if headers is None else headers
            ) as answer,
        ):
            assert answer.content_type == "application/json" or answer.status == 404
            await answer.read()
            return answer.status

    async def raw(self, sent: bytes) -> bytes:
        """Write bytes, and read all that is answered until the connection's end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            async with asyncio.timeout(60):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def event(number: int = 0, kind: str = "call.ended", **more: Any) -> bytes:
    return json.dumps({"eventType": kind, "callId": f"call-{number}", **more}).encode()


@asynccontextmanager
async def by_itself(receiver: Receiver) -> AsyncIterator[str]:
    async with serving(receiver, port=0) as url:
        yield url


@asynccontextmanager
async def in_aiohttp(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.add_subapp("/hooks/hamsa", aiohttp_app(receiver))
    runner = web.AppRunner(app, lingering_time=LINGERING)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/hamsa"
    finally:
        await runner.cleanup()


@contextmanager
def _uvicorn(app: Any) -> Iterator[int]:
    """Run uvicorn in a thread, with a loop of its own."""
    config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@asynccontextmanager
async def in_fastapi(receiver: Receiver) -> AsyncIterator[str]:
    app = fastapi.FastAPI()
    app.add_route("/hooks/hamsa", ASGIApp(receiver))
    app.mount("/hooks/hamsa", ASGIApp(receiver))
    with _uvicorn(app) as port:
        yield f"http://127.0.0.1:{port}/hooks/hamsa"


@asynccontextmanager
async def in_uvicorn(receiver: Receiver) -> AsyncIterator[str]:
    with _uvicorn(ASGIApp(receiver)) as port:
        yield f"http://127.0.0.1:{port}/webhook"


SERVERS = {
    "by_itself": by_itself,
    "in_aiohttp": in_aiohttp,
    "in_fastapi": in_fastapi,
    "in_uvicorn": in_uvicorn,
}

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture(autouse=True)
def _short_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hamsa_async.webhooks.server._LINGERING", LINGERING)


@pytest.fixture(params=sorted(SERVERS))
def serve(request: pytest.FixtureRequest) -> Serve:
    """Serve a receiver with such options, under one of the servers."""

    @asynccontextmanager
    async def serve(**options: Any) -> AsyncIterator[Served]:
        store = Memory()
        receiver = Receiver(store, SECRETS, **options)
        async with SERVERS[request.param](receiver) as url:
            try:
                yield Served(url, receiver, store)
            finally:
                store.open.set()

    return serve


LIMIT = 2_000


def head(*lines: str, auth: str = "Token s3cret", path: str = "/hooks/hamsa") -> bytes:
    """The head of a POST, for every path that the servers have."""
    return "\r\n".join(
        [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: {auth}", *lines, "", ""]
    ).encode()


def status_of(said: bytes) -> int:
    assert said.startswith(b"HTTP/1.1 "), said
    return int(said[9:12])


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


# -- what is stored


async def test_an_event_is_stored_as_it_came(serve: Serve) -> None:
    body = event(1, data={"data": {"conversationId": "c1", "outcomeResult": {"ok": True}}})
    async with serve() as served:
        assert await served.post(body) == 200
        (delivery,) = served.store.deliveries
    assert delivery.body == body
    assert delivery.reference is None
    assert isinstance(delivery.event, CallEnded)
    assert delivery.event == parse(body)
    assert delivery.received_at.tzinfo is not None
    assert delivery.key not in repr(delivery.body)


async def test_a_calls_own_secret_names_the_call(serve: Serve) -> None:
    auth = SECRETS.auth_for("attempt 1")
    headers = {"Authorization": f"{auth.auth_key} {auth.auth_secret}"}
    async with serve() as served:
        assert await served.post(event(1, "call.answered"), headers) == 200
        (delivery,) = served.store.deliveries
    assert delivery.reference == delivery.event.reference == "attempt 1"


async def test_nothing_is_answered_before_it_is_stored(serve: Serve) -> None:
    """While the store keeps a delivery waiting, its sender waits too."""
    async with serve(answer_within=60.0) as served:
        served.store.open.clear()
        posting = asyncio.create_task(served.post(event(1)))
        await until(lambda: served.store.puts == 1)
        await asyncio.sleep(0.1)
        assert not posting.done()
        served.store.open.set()
        assert await posting == 200


async def test_what_is_not_stored_is_not_taken(serve: Serve) -> None:
    """A store that fails makes a 503, and the same event is stored when it comes again."""
    async with serve() as served:
        served.store.failing = True
        assert await served.post(event(1)) == 503
        assert await served.post(event(1)) == 503
        served.store.failing = False
        assert await served.post(event(1)) == 200
        assert await served.post(event(1)) == 200
        assert (served.store.puts, len(served.store.keys)) == (3, 1)


async def test_a_store_that_is_slow_is_not_waited_for_for_ever(serve: Serve) -> None:
    """The answer is 503 in time; what was begun is stored, once, and then known."""
    async with serve(answer_within=0.2) as served:
        served.store.open.clear()
        assert await served.post(event(1)) == 503
        assert await served.post(event(1)) == 503
        served.store.open.set()
        await until(lambda: bool(served.store.keys))
        assert await served.post(event(1)) == 200
        assert served.store.puts == 1


async def test_a_sender_who_goes_does_not_undo_it(serve: Serve) -> None:
    async with serve(answer_within=60.0) as served:
        served.store.open.clear()
        body = event(1)
        path = "/" + served.url.split("/", 3)[3]
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head(f"Content-Length: {len(body)}", path=path) + body)
        await until(lambda: served.store.puts == 1)
        writer.transport.abort()
        served.store.open.set()
        await until(lambda: bool(served.store.keys))


async def test_an_event_that_comes_again_is_stored_once(serve: Serve) -> None:
    async with serve() as served:
        assert [await served.post(event(1)) for _ in range(3)] == [200] * 3
        assert served.store.puts == 1
        assert served.receiver.counts["repeated"] == 2


async def test_the_same_event_at_the_same_time_is_stored_once(serve: Serve) -> None:
    async with serve(answer_within=60.0) as served:
        served.store.open.clear()
        posting = [asyncio.create_task(served.post(event(1))) for _ in range(5)]
        await until(lambda: served.store.puts == 1)
        await asyncio.sleep(0.1)
        served.store.open.set()
        assert await asyncio.gather(*posting) == [200] * 5
        assert served.store.puts == 1


async def test_another_event_is_another_whatever_they_share(serve: Serve) -> None:
    """Type, call and time may be equal; so may all of it, of two calls."""
    at = {"timestamp": "2026-03-11T08:17:21Z"}
    said = [event(1, "transcription.update", **at, data={"text": text}) for text in "ab"]
    auth = {"Authorization": f"Token {SECRETS.auth_for('a1').auth_secret}"}
    async with serve() as served:
        for body in said:
            assert await served.post(body) == 200
        assert await served.post(said[0], auth) == 200
        assert len(set(served.store.keys)) == 3


async def test_its_memory_has_an_end(serve: Serve) -> None:
    """What is forgotten here is the store's to know: it is given it again."""
    async with serve(remembered=2) as served:
        for number in (1, 2, 3, 1):
            assert await served.post(event(number)) == 200
        assert served.store.puts == 4
        assert served.store.keys[0] == served.store.keys[3]
        assert len(served.receiver._stored) == 2


async def test_only_so_many_are_stored_at_once(serve: Serve) -> None:
    async with serve(concurrency=3, answer_within=60.0) as served:
        served.store.open.clear()
        posting = [asyncio.create_task(served.post(event(number))) for number in range(12)]
        await until(lambda: served.store.puts == 3)
        await asyncio.sleep(0.1)
        served.store.open.set()
        assert await asyncio.gather(*posting) == [200] * 12
        assert served.store.most_at_once == 3


async def test_who_finds_no_slot_in_time_is_told_so(serve: Serve) -> None:
    async with serve(concurrency=1, answer_within=0.3) as served:
        served.store.open.clear()
        statuses = await asyncio.gather(*(served.post(event(number)) for number in range(3)))
        assert statuses == [503] * 3
        assert served.receiver.counts["too_busy"] == 2
        assert served.store.puts == 1


# -- what is refused


async def test_a_wrong_secret_is_refused_before_the_body_is_read(serve: Serve) -> None:
    async with serve() as served:
        path = "/" + served.url.split("/", 3)[3]
        for headers in ({}, {"Authorization": "Token wrong"}, {"Authorization": ""}):
            assert await served.post(event(1), headers) == 401
        # No body follows, and the answer comes all the same.
        said = await served.raw(head("Content-Length: 500", auth="Token wrong", path=path))
        assert status_of(said) == 401
        assert b"s3cret" not in said
        assert served.store.puts == 0


async def test_a_calls_secret_speaks_of_no_other_call(serve: Serve) -> None:
    auth = {"Authorization": f"Token {SECRETS.auth_for('a1').auth_secret}"}
    body = event(1, data={"outcomeResult": {"_hamsa_reference": "a2"}})
    async with serve() as served:
        assert await served.post(body, auth) == 401
        assert served.store.puts == 0


@pytest.mark.parametrize("junk", [b"", b"{}", b"[1]", b"\xff", b'{"eventType": 1', b"[" * 1_000])
async def test_junk_is_refused(serve: Serve, junk: bytes) -> None:
    async with serve() as served:
        assert await served.post(junk) == 400
        assert served.store.puts == 0


async def test_an_unknown_event_is_stored(serve: Serve) -> None:
    async with serve() as served:
        assert await served.post(event(1, "call.transferred")) == 200
        assert served.store.deliveries[0].event.type == "call.transferred"


async def test_a_body_over_the_limit_is_refused(serve: Serve) -> None:
    """Told by its length before it is read, or found out while it comes, and not read on."""
    async with serve(body_limit=LIMIT) as served:
        path = "/" + served.url.split("/", 3)[3]
        # Ten times what fits, of which not a byte follows.
        said = await served.raw(head(f"Content-Length: {LIMIT * 10}", path=path))
        assert status_of(said) == 413
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        # Without a last chunk: whoever wanted all of it would wait.
        said = await served.raw(head("Transfer-Encoding: chunked", path=path) + chunk * 4)
        assert status_of(said) == 413
        fits = event(1, padding="x" * (LIMIT - 200))
        assert await served.post(fits) == 200
        assert served.store.puts == 1


async def test_a_chunked_body_is_taken(serve: Serve) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        body = event(1, data={"text": "x" * 500})
        for at in range(0, len(body), 100):
            yield body[at : at + 100]

    async with serve() as served:
        assert await served.post(pieces()) == 200
        assert served.store.deliveries[0].body == event(1, data={"text": "x" * 500})


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_a_body_may_be_encoded(serve: Serve, encoding: str, encode: Any) -> None:
    async with serve() as served:
        headers = {**AUTH, "Content-Encoding": encoding}
        assert await served.post(encode(event(1)), headers) == 200
        assert served.store.deliveries[0].body == event(1)
        # The same event in another dress.
        assert await served.post(event(1)) == 200
        assert served.store.puts == 1


async def test_a_body_that_grows_over_the_limit_is_refused(serve: Serve) -> None:
    bomb = gzip.compress(event(1, padding=" " * 5_000_000))
    async with serve(body_limit=100_000) as served:
        assert len(bomb) < 100_000
        assert await served.post(bomb, {**AUTH, "Content-Encoding": "gzip"}) == 413
        assert served.store.puts == 0


async def test_what_cannot_be_decoded_is_refused(serve: Serve) -> None:
    async with serve() as served:
        assert await served.post(event(1), {**AUTH, "Content-Encoding": "rot13"}) == 415
        for wrong in (event(1), gzip.compress(event(1))[:-12]):
            status = await served.post(wrong, {**AUTH, "Content-Encoding": "gzip"})
            assert status in {400, 415}
        assert served.store.puts == 0


async def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    """Whoever sends a byte now and then holds no slot for longer than an answer may take."""
    async with serve(answer_within=0.2, concurrency=1) as served:
        path = "/" + served.url.split("/", 3)[3]
        said = await served.raw(head("Content-Length: 50", path=path) + b"{")
        assert status_of(said) == 408
        assert await served.post(event(1)) == 200


async def test_a_body_that_is_cut_short_is_nothing(serve: Serve) -> None:
    async with serve() as served:
        path = "/" + served.url.split("/", 3)[3]
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head("Content-Length: 500", path=path) + event(1))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await until(lambda: served.receiver.counts["cut"] == 1)
        assert await served.post(event(2)) == 200
        assert served.store.puts == 1


async def test_other_methods(serve: Serve) -> None:
    async with serve() as served, aiohttp.ClientSession() as http:
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            async with http.request(method, served.url, headers=AUTH) as answer:
                assert answer.status == 405
                assert answer.headers["Allow"] == "POST"
        for method in ("GET", "HEAD"):
            async with http.request(method, served.url + "/health") as answer:
                assert answer.status == 200
        assert served.store.puts == 0


async def test_a_connection_serves_many(serve: Serve) -> None:
    """It is kept through good and bad deliveries whose bodies were read."""
    async with serve() as served:
        path = "/" + served.url.split("/", 3)[3]
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for body, status in ((event(1), 200), (b"junk", 400), (event(2), 200), (event(1), 200)):
            writer.write(head(f"Content-Length: {len(body)}", path=path) + body)
            said = await reader.readuntil(b"\r\n\r\n")
            assert status_of(said) == status
            (length,) = re.findall(rb"(?i)content-length: (\d+)", said)
            await reader.readexactly(int(length))
        writer.close()
        assert served.store.puts == 2


async def test_a_closed_receiver_takes_no_more(serve: Serve) -> None:
    async with serve() as served:
        assert await served.post(event(1)) == 200
        await served.receiver.aclose()
        assert await served.post(event(2)) == 503
        assert served.store.puts == 1


async def test_what_comes_while_it_closes_reaches_no_store(serve: Serve) -> None:
    """A body that was still on its way when the receiver was closed is not taken."""
    body = event(1)
    async with serve(answer_within=60.0) as served:
        path = "/" + served.url.split("/", 3)[3]
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head(f"Content-Length: {len(body)}", path=path) + body[:5])
        await until(lambda: served.receiver._slots._value < 256)
        await served.receiver.aclose()
        writer.write(body[5:])
        assert status_of(await reader.readuntil(b"\r\n\r\n")) == 503
        writer.close()
        assert served.store.puts == 0


# -- what is logged


async def test_no_log_shows_a_number_or_a_secret(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="hamsa_async")
    number = "971500000123"
    auth = SECRETS.auth_for("a1").auth_secret
    async with serve(body_limit=LIMIT) as served:
        told = {"toNumber": f"+{number}", "outcomeResult": {"_hamsa_reference": "a2"}}
        await served.post(event(1, f"call +{number}", data=told))
        await served.post(event(2, data=told), {"Authorization": f"Token {auth}"})
        await served.post(f"{number} {auth}".encode())
        await served.post(event(3), {"Authorization": f"Token {number}.x"})
        await served.post(event(4, padding=number * LIMIT))
        served.store.failing = True
        await served.post(event(5, data=told))
        counts = dict(served.receiver.counts)
    assert counts == {"stored": 1, "refused": 2, "junk": 1, "too_large": 1, "not_stored": 1}
    actions = {getattr(record, "action", "") for record in caplog.records}
    assert actions >= {f"webhook_{action}" for action in counts} | {"webhook_store_failed"}
    for secret in (number, auth, "s3cret", MASTER):
        assert secret not in caplog.text
        assert not any(secret in repr(vars(record)) for record in caplog.records)


# -- as a server of its own


async def test_what_is_being_stored_when_it_stops_is_stored() -> None:
    """A server that ends finishes what it has begun, and answers it."""
    store = Memory()
    receiver = Receiver(store, SECRETS, answer_within=60.0)
    store.open.clear()
    async with serving(receiver, port=0) as url:
        served = Served(url, receiver, store)
        posting = asyncio.create_task(served.post(event(1)))
        await until(lambda: store.puts == 1)
        asyncio.get_running_loop().call_later(0.1, store.open.set)
    assert await posting == 200
    assert len(store.keys) == 1


async def test_headers_that_do_not_come_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hamsa_async.webhooks.server._IDLE", 0.2)
    receiver = Receiver(Memory(), SECRETS)
    async with serving(receiver, port=0) as url:
        served = Served(url, receiver, Memory())
        assert await served.raw(b"POST /webhook HTTP/1.1\r\nHost:") == b""


async def test_a_port_that_is_taken_and_a_path_that_is_none() -> None:
    receiver = Receiver(Memory(), SECRETS)
    async with serving(receiver, port=0) as url:
        port = Served(url, receiver, Memory()).port
        with pytest.raises(OSError, match="use"):
            async with serving(Receiver(Memory(), SECRETS), port=port):
                pass
    for path in ("", "/", "webhook", "/{x}"):
        with pytest.raises(ConfigurationError):
            async with serving(receiver, port=0, path=path):
                pass


@pytest.mark.parametrize(
    "options",
    [{"body_limit": 0}, {"concurrency": 0}, {"answer_within": 0}, {"remembered": -1}],
)
def test_numbers_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Receiver(Memory(), SECRETS, **options)


async def test_a_websocket_is_no_webhook() -> None:
    with pytest.raises(NotImplementedError, match="websocket"):
        await ASGIApp(Receiver(Memory(), SECRETS))({"type": "websocket"}, None, None)  # type: ignore[arg-type]
