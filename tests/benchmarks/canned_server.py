"""A server that gives one canned answer to every request, after a delay: never the limit.

It is no fake of the API (FakeHamsa is): it parses nothing but the end of a request.

    python tests/benchmarks/canned_server.py --delay 0.05
"""

import argparse
import asyncio
import json
from itertools import count
from typing import cast

_LENGTH = b"content-length: "


def answer(number: int) -> bytes:
    """A fresh job, as the API's page prints it, with an id of its own."""
    agent = {
        "id": "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10",
        "agentName": "Clinic reminder",
        "greetingMessage": "Hello {{name}}, this is the clinic. " * 4,
        "preamble": "You remind people of their visits, politely and briefly. " * 10,
        "lang": "ar",
        "pokeMessages": ["Are you still there?", "I can hear you."],
        "realTime": False,
        "silenceThreshold": 800,
        "interrupt": True,
        "tools": {"genderDetection": False, "smartCallEnd": True},
        "params": {"name": "somebody"},
        "createdAt": "2025-11-04T09:30:00.000Z",
        "updatedAt": "2026-02-18T13:05:44.120Z",
    }
    data = {
        "id": f"c7b9a2d4-6f13-4e58-a0c7-{number:012d}",
        "title": "Clinic reminder",
        "model": "Hamsa",
        "type": "VOICE_AGENTS",
        "processingType": "real-time",
        "status": "PENDING",
        "totalCost": None,
        "jobResponse": None,
        "agentDetails": agent,
        "voiceAgentId": agent["id"],
        "createdAt": "2026-03-11T08:15:02.417Z",
        "updatedAt": "2026-03-11T08:15:02.417Z",
    }
    body = json.dumps({"success": True, "message": "success", "data": data}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Canned(asyncio.Protocol):
    """One connection: an answer for every whole request."""

    numbers = count(1)
    delay = 0.0

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._unread += data
        while (length := self._request_length()) is not None and len(self._unread) >= length:
            self._unread = self._unread[length:]
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self._write)
            else:
                self._write()

    def _write(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer(next(self.numbers)))

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
    Canned.delay = delay
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    asyncio.run(serve(parser.parse_args().delay))
