"""A receiver as a process of its own, on a store that is worth a kill: for test_load.py.

    python receiving_process.py (aiohttp | uvicorn) PORT DATABASE

It prints the port that it listens on, and serves until it is ended.
"""

import asyncio
import queue
import sqlite3
import sys
import threading
from pathlib import Path

import uvicorn

from hamsa_async.webhooks import ASGIApp, Delivery, Receiver, Secrets, serving

SECRETS = Secrets(master="m" * 32)

Waiting = tuple[Delivery, "asyncio.Future[None]"]


class Database:
    """Keeps deliveries in SQLite: whatever waits goes into one commit, synchronised to disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    async def put(self, delivery: Delivery, /) -> None:
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((delivery, kept))
        await kept

    def _write(self) -> None:
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS inbox (key TEXT PRIMARY KEY, reference TEXT, body BLOB)"
        )
        connection.commit()
        while True:
            many = [self._queue.get()]
            while not self._queue.empty():
                many.append(self._queue.get())
            with connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO inbox VALUES (?, ?, ?)",
                    [(one.key, one.reference, one.body) for one, _ in many],
                )
            for _, kept in many:
                kept.get_loop().call_soon_threadsafe(kept.set_result, None)


class Announced(uvicorn.Server):
    """uvicorn, which says where it listens."""

    async def startup(self, sockets: list[object] | None = None) -> None:
        await super().startup(sockets)
        say(self.servers[0].sockets[0].getsockname()[1])


def say(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


async def with_aiohttp(receiver: Receiver, port: int) -> None:
    async with serving(receiver, port=port) as url:
        say(int(url.split(":")[2].partition("/")[0]))
        await asyncio.Event().wait()


async def with_uvicorn(receiver: Receiver, port: int) -> None:
    config = uvicorn.Config(ASGIApp(receiver), port=port, log_config=None, access_log=False)
    await Announced(config).serve()


async def main(kind: str, port: str, path: str) -> None:
    servers = {"aiohttp": with_aiohttp, "uvicorn": with_uvicorn}
    await servers[kind](Receiver(Database(Path(path)), SECRETS), int(port))


asyncio.run(main(*sys.argv[1:]))
