"""A way: one manner of doing the same work, in a process of its own.

Only the standard library is imported here; a way brings what it needs when it is opened, so that
what one needs is not in the process of another.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AGENT = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"

Row = dict[str, Any]
Call = Callable[[Row], Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much is to be done in a block, and where."""

    base_url: str
    calls: int
    in_flight: int


class Meter:
    """Tells a way when it is its turn, and what a block took: CPU and wall seconds."""

    def turns(self) -> Iterator[None]:
        """Wait for each turn. The loop stands still meanwhile, on purpose."""
        print("ready", flush=True)
        for _ in sys.stdin:
            yield

    def start(self) -> None:
        """Begin, with no garbage from before."""
        gc.collect()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """End, and report."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        print(json.dumps({"cpu": cpu, "wall": wall}), flush=True)


Run = Callable[[Work, Meter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A target of the design: a bound on the ratio to another way, in the same round."""

    against: str
    bound: float
    at_least: bool = False
    rate: bool = False
    """Of calls per second instead of CPU."""
    in_flight: int | None = None
    """Where it holds; `None`: everywhere."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One manner of doing the work."""

    name: str
    run: Run
    against: str
    """The way that its CPU is divided by."""
    goals: Sequence[Goal] = ()
    uvloop: bool = False
    orjson: bool = True
    """`False`: the process cannot import it, as if it were not installed."""
    path: Path | None = None
    """A folder of packages that come before the installed ones."""
    share: float = 1.0
    """How much of the calls it makes: a slow one says as much with fewer."""


# -- the work, the same for every way


def rows(calls: int, *, first: int = 0) -> Iterator[Row]:
    """Synthetic calls, as arguments of `voice_agents.call()`; 388 bytes each by `json=`."""
    for number in range(first, first + calls):
        yield {
            "to_number": f"+97150{number:07d}",
            "voice_agent_id": AGENT,
            "params": {
                "name": "somebody",
                "day": "Thursday",
                "time": "10:30",
                "clinic": "the branch at the park, second floor",
                "note": "please bring the card, the letter and whatever was prescribed"
                " before; parking is behind the building, at gate B 2",
            },
            "reference": f"6b1f4a7e-2c35-4d09-9e81-{number:012d}",
        }


def as_body(row: Row) -> dict[str, Any]:
    """Write a row as the API's JSON, as one would by hand."""
    return {
        "toNumber": row["to_number"],
        "voiceAgentId": row["voice_agent_id"],
        "params": {**row["params"], "_hamsa_reference": row["reference"]},
    }


async def pull(call: Call, source: Iterable[Row], in_flight: int) -> None:
    """Make every call of `source`, by so many workers that take the next one when free."""
    left = iter(source)

    async def work() -> None:
        for row in left:
            assert await call(row), "an answer without an id"

    await asyncio.gather(*(work() for _ in range(in_flight)))


def pulled(opened: Callable[[Work], AbstractAsyncContextManager[Call]]) -> Run:
    """Make a way of something that is opened once and then makes calls."""

    async def run(work: Work, meter: Meter) -> None:
        async with opened(work) as call:
            await pull(call, rows(work.calls), work.in_flight)
            for _ in meter.turns():
                # Again, since connections and caches have gone cold while others had their turn.
                await pull(call, rows(work.in_flight), work.in_flight)
                measured = list(rows(work.calls))
                meter.start()
                await pull(call, measured, work.in_flight)
                meter.stop()

    return run


@contextlib.asynccontextmanager
async def bare_aiohttp(work: Work) -> AsyncIterator[Call]:
    """Open what a careful person writes by hand: one session, `json=` and `r.json()`."""
    import aiohttp

    url = f"{work.base_url}/v1/voice-agents/call"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": "Token key"}
    ) as session:

        async def call(row: Row) -> str:
            async with session.post(url, json=as_body(row)) as response:
                answer = await response.json()
                return answer["data"]["id"]

        yield call


@contextlib.asynccontextmanager
async def this_client(
    work: Work, *, hooks: Sequence[Callable[[Any], None]] = ()
) -> AsyncIterator[Call]:
    """Open this client with all that it does."""
    from hamsa_async import HamsaClient

    async with HamsaClient(
        "key", base_url=work.base_url, concurrency_limit=work.in_flight, hooks=hooks
    ) as hamsa:

        async def call(row: Row) -> str:
            return (await hamsa.voice_agents.call(**row)).id

        yield call


# -- in its own process


def measure_here(way: Way, work: Work) -> None:
    """Do the work one way, a block at each turn."""
    if not way.orjson:
        sys.modules["orjson"] = None  # type: ignore[assignment]  # importing it fails from now on
    if len(own := cores()) > 1:
        os.sched_setaffinity(0, own[:1])
    if way.uvloop:
        import uvloop

        uvloop.run(way.run(work, Meter()))
    else:
        asyncio.run(way.run(work, Meter()))
    assert way.orjson or sys.modules["orjson"] is None


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
