"""CPU per call: this client, aiohttp written by hand, and bare sockets, in one run.

    python tests/benchmarks/call.py
    python tests/benchmarks/call.py --only client --in-flight 64

Every way makes the same calls (388 bytes by `json=`) and reads the same 2.3 KB, by as many workers
as requests are in flight. All of an answer is read as JSON, and the call's id taken.
"""

import asyncio
import collections
import contextlib
import functools
import json
from collections.abc import AsyncIterator
from typing import cast

import harness
from ways import Call, Goal, Row, Way, Work, as_body, bare_aiohttp, pulled, rows, this_client


@contextlib.asynccontextmanager
async def tuned_aiohttp(work: Work) -> AsyncIterator[Call]:
    """Open the fastest aiohttp that we know: bytes by orjson both ways, and no cookies."""
    import aiohttp
    import orjson

    url = f"{work.base_url}/v1/voice-agents/call"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=60),
        headers={"Authorization": "Token key", "Content-Type": "application/json"},
    ) as session:

        async def call(row: Row) -> str:
            async with session.post(url, data=orjson.dumps(as_body(row))) as response:
                answer = orjson.loads(await response.read())
                return answer["data"]["id"]

        yield call


class Wire(asyncio.Protocol):
    """One connection, one question at a time; it knows HTTP only as far as this server goes."""

    def __init__(self) -> None:
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a request; the answer's body comes by the future."""
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Give the body out when it is whole."""
        self._got = self._got + data if self._got else data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        place = self._got.find(b"Content-Length: ", 0, end) + 16
        length = int(self._got[place : self._got.find(b"\r\n", place)])
        if len(self._got) >= end + 4 + length:
            body, self._got = self._got[end + 4 :], b""
            self._answer.set_result(body)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@contextlib.asynccontextmanager
async def sockets(work: Work) -> AsyncIterator[Call]:
    """Open nothing but asyncio's own transport: what no HTTP client can be faster than."""
    import orjson

    host, port = work.base_url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/voice-agents/call HTTP/1.1\r\nHost: {host}:{port}\r\n"
        "Authorization: Token key\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ).encode()
    free: list[Wire] = []
    loop = asyncio.get_running_loop()

    async def call(row: Row) -> str:
        body = orjson.dumps(as_body(row))
        wire = free.pop() if free else (await loop.create_connection(Wire, host, int(port)))[1]
        answer = orjson.loads(await wire.ask(head % len(body) + body))
        free.append(wire)
        return answer["data"]["id"]

    yield call
    for wire in free:
        wire.close()


def client_with_a_hook(work: Work) -> contextlib.AbstractAsyncContextManager[Call]:
    """Open this client with somebody who hears every event."""
    return this_client(work, hooks=[collections.deque(maxlen=1).append])


def ways_on(loop: str) -> list[Way]:
    """Give the ways on one event loop: each is divided by bare aiohttp on the same."""
    mark = "" if loop == "asyncio" else f", {loop}"
    bare = f"bare{mark}"
    way = functools.partial(Way, against=bare, uvloop=loop == "uvloop")
    return [
        way(name=bare, run=pulled(bare_aiohttp)),
        way(name=f"tuned{mark}", run=pulled(tuned_aiohttp)),
        way(
            name=f"client{mark}",
            run=pulled(this_client),
            goals=[Goal(against=bare, bound=1.00)],
        ),
        way(
            name=f"client without orjson{mark}",
            run=pulled(this_client),
            goals=[Goal(against=bare, bound=1.15)],
            orjson=False,
        ),
        way(name=f"client with a hook{mark}", run=pulled(client_with_a_hook)),
        way(name=f"sockets{mark}", run=pulled(sockets)),
    ]


WAYS = [*ways_on("asyncio"), *ways_on("uvloop")]


def main() -> None:
    """Measure and print."""
    body = json.dumps(as_body(next(rows(1)))).encode()
    assert len(body) == 388, len(body)
    options = harness.parser_for(__doc__, calls=1000, blocks=12).parse_args()
    harness.run(__file__, WAYS, options, "aiohttp", "orjson", "uvloop")


if __name__ == "__main__":
    main()
