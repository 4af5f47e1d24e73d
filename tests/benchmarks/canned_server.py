"""A server that gives canned answers, after a delay: never the limit.

It is no fake of the API (FakeHamsa is): it looks at a request's path and for its end.
`GET /spent` tells what it has used, so that a benchmark can show that it was not the limit.

    python tests/benchmarks/canned_server.py --delay 0.05
"""

import argparse
import asyncio
import json
import time
from collections.abc import Coroutine
from typing import Any, cast

from canned_answers import CALL, OF_PEERS, http

_LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """One connection: an answer for every whole request."""

    answers = 0
    delay = 0.0

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._unread = self._unread + data if self._unread else data
        while (length := self._request_length()) is not None and len(self._unread) >= length:
            request, self._unread = self._unread, self._unread[length:]
            if request.startswith(b"GET /spent "):
                self._transport.write(http(json.dumps(self._spent()).encode()))
                continue
            Connection.answers += 1
            path = request[: request.find(b" ", 5)].partition(b" ")[2]
            answer = OF_PEERS.get(path, CALL).numbered(Connection.answers)
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self._write, answer)
            else:
                self._transport.write(answer)

    def _spent(self) -> dict[str, float]:
        return {"cpu": time.process_time(), "answers": self.answers}

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _request_length(self) -> int | None:
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._unread[:end].lower()
        place = head.find(_LENGTH)
        body = 0 if place < 0 else int(head[place + len(_LENGTH) :].split(b"\r\n", 1)[0])
        return end + 4 + body


async def serve(delay: float) -> None:
    """Serve until the process is ended; the port is the first line of stdout."""
    Connection.delay = delay
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is: the server should cost less than any client."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    run(serve(parser.parse_args().delay))
