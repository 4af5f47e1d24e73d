"""What the client's tests share: a fake, a client of it, and a server that says what it is told."""

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from hamsa_async import AttemptSettled, Event, HamsaClient, RetryPolicy, Timeouts
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

NUMBER = "+971500000123"
PLACED = b'{"success":true,"message":"success","data":{"id":"call-1","status":"PENDING"}}'
QUICK = RetryPolicy(wait_initial=0, cooldown=0.01)


class Heard(list[Event]):
    """A hook that remembers."""

    def __call__(self, event: Event, /) -> None:
        self.append(event)

    @property
    def settled(self) -> list[AttemptSettled]:
        return [event for event in self if isinstance(event, AttemptSettled)]


def http(status: int = 200, body: bytes = PLACED, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection:
    """One connection of a `RawServer`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read_request(self) -> bytes:
        """Read one whole request; `b""` at the end of the connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            return head + await self.reader.readexactly(length)
        return b""

    def say(self, raw: bytes) -> None:
        self.writer.write(raw)

    def end(self) -> None:
        """Send a FIN at once, past whatever the loop thinks of it."""
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as sock:
            sock.shutdown(socket.SHUT_WR)


Serve = Callable[[Connection], Awaitable[None]]


class RawServer:
    """Counts requests and does with each connection what the test says."""

    def __init__(self, serve: Serve | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.serve = serve or self.answer_all
        self.tls = tls
        self.requests: list[bytes] = []
        self.connections: list[Connection] = []
        self.answer = http()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def posts(self) -> int:
        return sum(request.startswith(b"POST") for request in self.requests)

    async def next_request(self, connection: Connection) -> bytes:
        request = await connection.read_request()
        if request:
            self.requests.append(request)
        return request

    async def answer_all(self, connection: Connection) -> None:
        while await self.next_request(connection):
            connection.say(self.answer)

    async def start(self) -> "RawServer":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection = Connection(reader, writer)
        self.connections.append(connection)
        try:
            await self.serve(connection)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def aclose(self) -> None:
        self._server.close()
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def fake() -> AsyncIterator[FakeHamsa]:
    async with FakeHamsa() as fake:
        yield fake


@pytest.fixture
def connect(stack: AsyncExitStack, heard: Heard) -> Callable[..., Awaitable[HamsaClient]]:
    """Make a client of a server, or of a base URL; it is closed at the test's end."""

    async def connect(server: Any, **options: Any) -> HamsaClient:
        base_url = server if isinstance(server, str) else server.base_url
        options = {"retry": QUICK, "hooks": [heard], "grace_period": 0.0, **options}
        key = options.pop("api_key", FAKE_API_KEY)
        client = HamsaClient(key, base_url=base_url, **options)
        stack.push_async_callback(client.aclose)
        return client

    return connect


@pytest.fixture
def raw_server(stack: AsyncExitStack) -> Callable[..., Awaitable[RawServer]]:
    async def start(serve: Serve | None = None, **options: Any) -> RawServer:
        server = RawServer(serve, **options)
        await server.start()
        stack.push_async_callback(server.aclose)
        return server

    return start


@pytest.fixture
def place() -> Callable[..., Awaitable[Any]]:
    """Place a call with all that the test does not care about filled in."""

    async def place(client: HamsaClient, number: str = NUMBER, **options: Any) -> Any:
        options = {"voice_agent_id": FAKE_AGENT_ID, **options}
        return await client.voice_agents.call(to_number=number, **options)

    return place


@pytest.fixture
def impatient() -> Timeouts:
    """Gives up on an answer soon."""
    return Timeouts(response=0.2, connect=0.2)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server context with a certificate that nobody trusts."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def say() -> Callable[..., bytes]:
    """Write an HTTP answer."""
    return http
