"""Events come faster than one disk write each, and the receiver is killed: nothing is lost.

The judge is the database of the process that was killed. What the sender was told is stored must
be in it; what it was not told, it sends again, as anybody would who sends webhooks for good.
"""

import asyncio
import json
import os
import re
import resource
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import attrs
import pytest

from hamsa_async.webhooks import Secrets

pytestmark = pytest.mark.crash

PROCESS = Path(__file__).with_name("receiving_process.py")
MASTER = "m" * 32
SECRETS = Secrets(master=MASTER)
AT_ONCE = 64
AGAIN = 0.1  # seconds before what was not taken is sent again
HAMSA_WAITS = aiohttp.ClientTimeout(total=5)


@attrs.define
class Process:
    """A receiver that can be killed, and comes back at the same place."""

    kind: str
    database: Path
    port: int = 0
    process: asyncio.subprocess.Process | None = None
    rest: asyncio.Future[bytes] | None = None

    async def start(self) -> None:
        if self.kind == "serve":
            what = ["-m", "hamsa_async.cli", "serve", "--port", str(self.port)]
            what += ["--journal", str(self.database)]
        else:
            what = [str(PROCESS), self.kind, str(self.port), str(self.database)]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            *what,
            env={**os.environ, "HAMSA_WEBHOOK_SECRET": MASTER},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if self.kind == "serve" else None,
        )
        said = self.process.stderr or self.process.stdout
        assert said is not None
        line = (await said.readline()).decode()
        found = re.search(r":(\d+)/webhook", line) or re.search(r"(\d+)", line)
        assert found, line
        self.port = int(found[1])
        self.rest = asyncio.ensure_future(said.read())  # or it would wait for a reader

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        # To its end, or the transport is left open.
        await self.process.wait()
        if self.rest is not None:
            await self.rest

    def stored(self) -> dict[str, str]:
        """Every body that is stored, with the reference that was proven for it."""
        reference = "attempt" if self.kind == "serve" else "reference"
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute(f"SELECT body, {reference} FROM inbox").fetchall()
        stored = {json.loads(body)["callId"]: reference for body, reference in rows}
        assert len(stored) == len(rows), "an event is stored twice"
        return stored


@asynccontextmanager
async def receiving(kind: str, database: Path) -> AsyncIterator[Process]:
    process = Process(kind, database)
    await process.start()
    try:
        yield process
    finally:
        await process.kill()


@attrs.define
class Sender:
    """Sends each event until it is taken, some of them twice, and knows what was taken."""

    process: Process
    taken: set[str] = attrs.field(factory=set)
    refused: int = 0
    longest: float = 0.0
    # Before the request and not in its pool: what waits here is not yet on Hamsa's clock.
    slots: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def send_all(self, count: int, rate: float) -> None:
        """Send so many, so many a second or as fast as it goes, whatever becomes of each."""
        connector = aiohttp.TCPConnector(limit=0)
        begun = time.monotonic()
        async with (
            aiohttp.ClientSession(connector=connector, timeout=HAMSA_WAITS) as http,
            asyncio.TaskGroup() as sending,
        ):
            for number in range(count):
                await asyncio.sleep(begun + number / rate - time.monotonic())
                for _ in range(2 if number % 20 == 0 else 1):
                    sending.create_task(self._send(http, f"call-{number}"))

    async def _send(self, http: aiohttp.ClientSession, call: str) -> None:
        auth = SECRETS.auth_for(f"of {call}")
        headers = {"Authorization": f"{auth.auth_key} {auth.auth_secret}"}
        turns = [{"Agent": "Hello"}, {"User": "Goodbye"}] * 10
        payload = {"conversationId": call, "transcription": turns, "outcomeResult": {}}
        event = {"eventType": "call.ended", "callId": call, "data": {"data": payload}}
        body = json.dumps(event).encode()
        while True:
            async with self.slots:
                if await self._is_taken(http, body, headers):
                    break
            self.refused += 1
            await asyncio.sleep(AGAIN)
        self.taken.add(call)

    async def _is_taken(
        self, http: aiohttp.ClientSession, body: bytes, headers: dict[str, str]
    ) -> bool:
        url = f"http://127.0.0.1:{self.process.port}/webhook"
        begun = time.monotonic()
        try:
            async with http.post(url, data=body, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return False
        self.longest = max(self.longest, time.monotonic() - begun)
        assert answer.status in {200, 503}
        return answer.status == 200


async def kill_midway(sender: Sender, process: Process, after: int) -> None:
    """Kill it when so many are taken; what was taken by then is on its disk."""
    while len(sender.taken) < after:
        await asyncio.sleep(0.005)
    await process.kill()
    taken = set(sender.taken)
    assert taken <= process.stored().keys()
    await process.start()


async def nothing_is_lost(kind: str, database: Path, *, count: int, rate: float, kills: int) -> str:
    async with receiving(kind, database) as process:
        sender = Sender(process)
        used = time.process_time(), _of_children()
        begun = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.send_all(count, rate))
            for kill in range(kills):
                await kill_midway(sender, process, count * (kill + 1) // (kills + 1))
        seconds = time.monotonic() - begun
        mine = time.process_time() - used[0]
        stored = process.stored()
    its = _of_children() - used[1]
    assert len(sender.taken) == count
    assert sender.refused > 0, "nothing was sent while the receiver was dead"
    assert stored == {f"call-{number}": f"of call-{number}" for number in range(count)}
    return (
        f"{kind}: {count} events in {seconds:.0f} s, {kills} kills, {sender.refused} sent again,"
        f" the longest answer {sender.longest:.2f} s; CPU of the receiver {its:.0f} s,"
        f" of the sender {mine:.0f} s"
    )


def _of_children() -> float:
    """Seconds of CPU that processes of ours which have ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("kind", ["aiohttp", "uvicorn", "serve"])
async def test_a_receiver_killed_midway_loses_nothing(kind: str, tmp_path: Path) -> None:
    await nothing_is_lost(kind, tmp_path / "inbox.db", count=400, rate=400, kills=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["aiohttp", "uvicorn", "serve"])
async def test_a_minute_of_500_events_a_second(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = await nothing_is_lost(kind, tmp_path / "inbox.db", count=30_000, rate=500, kills=2)
    with capsys.disabled():
        print(f"\n{said}")  # noqa: T201 - what was measured is for whoever asked for it
