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

_LENGTH = b"content-length: "
_ID = "c7b9a2d4-6f13-4e58-a0c7-%012d"

AGENT = {
    "id": "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10",
    "agentName": "Clinic reminder",
    "greetingMessage": "Hello {{name}}, this is the clinic. " * 4,
    "description": None,
    "preamble": "You remind people of their visits, politely and briefly. " * 12,
    "lang": "ar",
    "pokeMessages": ["Are you still there?", "I can hear you."],
    "realTime": False,
    "silenceThreshold": 800,
    "interrupt": True,
    "outcome": "Say whether the visit was confirmed, moved or cancelled.",
    "projectId": "0d9e6c1b-7a42-4f85-b3d0-5e8f2a6c4b17",
    "apiKeyId": "5f2c8e9a-1b64-4d37-9c50-8a7d3e1f6b42",
    "voiceRecordId": "e4a1b7c3-9d26-4f08-8e5b-2c6f0d9a3b71",
    "voiceRecord": {"id": "e4a1b7c3-9d26-4f08-8e5b-2c6f0d9a3b71", "name": "Salma"},
    "tools": {"genderDetection": False, "smartCallEnd": True},
    "params": {"name": "somebody", "day": "Thursday", "time": "10:30"},
    "createdAt": "2025-11-04T09:30:00.000Z",
    "updatedAt": "2026-02-18T13:05:44.120Z",
}

CALL = {
    "success": True,
    "message": "success",
    "data": {
        "id": _ID,
        "title": "Clinic reminder",
        "model": "Hamsa",
        "type": "VOICE_AGENTS",
        "processingType": "real-time",
        "webhookUrl": None,
        "totalCost": None,
        "usageTime": None,
        "fromLng": None,
        "toLng": None,
        "mediaUrl": None,
        "jobResponse": None,
        "fromScript": None,
        "toScript": None,
        "status": "PENDING",
        "relevantJobId": None,
        "agentDetails": AGENT,
        "apiKeyId": AGENT["apiKeyId"],
        "billingId": None,
        "systemModelKey": None,
        "voiceAgentId": AGENT["id"],
        "createdAt": "2026-03-11T08:15:02.417Z",
        "updatedAt": "2026-03-11T08:15:02.417Z",
    },
}


def http(body: bytes, *, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """Write an answer."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Canned:
    """An answer that was written once, but for the number in its id."""

    def __init__(self, shape: dict[str, Any], *, status: str = "200 OK") -> None:
        whole = http(json.dumps(shape).encode().replace(b"%012d", b"#" * 12), status=status)
        self._before, self._after = whole.split(b"#" * 12)

    def numbered(self, number: int) -> bytes:
        """Write it with the id of this number."""
        return b"%b%012d%b" % (self._before, number, self._after)


HAMSA = Canned(CALL)
OF_PATHS: dict[bytes, Canned] = {}


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
            answer = OF_PATHS.get(path, HAMSA).numbered(Connection.answers)
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
