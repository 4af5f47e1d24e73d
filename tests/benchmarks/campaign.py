"""A campaign with its journal, `call_many`, and a bare aiohttp loop, side by side in one run.

    python tests/benchmarks/campaign.py --calls 3000 --rounds 3

Rounds are interleaved. What can be compared is CPU per call of this process (user and system,
the journal's thread included) and calls per second, as ratios within one run: neither means
much from one machine to another.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp

from hamsa_async import HamsaClient
from hamsa_async.dialer import Campaign, Dialer, SqliteJournal
from hamsa_async.models import AgentDetails, Project

AGENT = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"
SERVER = Path(__file__).with_name("canned_server.py")


def rows(calls: int) -> Iterator[dict[str, object]]:
    """Synthetic contacts with a few params."""
    for number in range(calls):
        yield {
            "to_number": f"+97150{number:07d}",
            "voice_agent_id": AGENT,
            "params": {"name": "somebody", "day": "Thursday", "time": "10:30"},
        }


async def bare(base_url: str, calls: int, in_flight: int) -> None:
    """What a careful person writes by hand: a session, workers, `json=` and `r.json()`."""
    source = rows(calls)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": "Token key"}
    ) as session:

        async def work() -> None:
            for row in source:
                body = {
                    "toNumber": row["to_number"],
                    "voiceAgentId": row["voice_agent_id"],
                    "params": row["params"],
                }
                async with session.post(f"{base_url}/v1/voice-agents/call", json=body) as response:
                    answer = await response.json()
                    assert answer["data"]["id"]

        await asyncio.gather(*(work() for _ in range(in_flight)))


async def call_many(base_url: str, calls: int, in_flight: int) -> None:
    """The client's own stream of calls, without a journal."""
    async with (
        HamsaClient("key", base_url=base_url, concurrency_limit=in_flight) as hamsa,
        hamsa.voice_agents.call_many(rows(calls)) as results,
    ):
        placed = 0
        async for result in results:
            placed += result.call is not None
        assert placed == calls


class _Api:
    """The client with the two reads that the canned server does not know."""

    def __init__(self, client: HamsaClient) -> None:
        self.config = client.config
        self.voice_agents = client.voice_agents
        self.projects = self
        self.voice_agents.get = self._agent  # type: ignore[method-assign]

    async def current(self) -> Project:
        return Project(id="benchmark")

    async def _agent(self, voice_agent_id: str) -> AgentDetails:
        return AgentDetails(id=voice_agent_id)


async def campaign(base_url: str, calls: int, in_flight: int, meter: "Meter") -> None:
    """A campaign on a journal on disk; loading the list is not counted, dialing is."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            HamsaClient("key", base_url=base_url, concurrency_limit=in_flight) as client,
            await SqliteJournal.open(Path(folder) / "journal.db") as journal,
            Dialer(_Api(client), journal=journal) as dialer,
        ):
            contacts = (
                {"phone_number": row["to_number"], **row["params"]}  # type: ignore[dict-item]
                for row in rows(calls)
            )
            settings = Campaign(
                name="benchmark", voice_agent_id=AGENT, rate=None, concurrency=in_flight
            )
            loaded = await dialer.load(settings, contacts)
            meter.start()
            run = dialer.run(loaded)
            async for _ in run:
                pass
            meter.stop()
            assert sum(run.counts.values()) == calls, run.counts


class Meter:
    """CPU and wall seconds between `start` and `stop`."""

    def start(self) -> None:
        """Begin."""
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """End."""
        self.cpu = time.process_time() - self.cpu
        self.wall = time.perf_counter() - self.wall


@contextlib.contextmanager
def serving(delay: float) -> Iterator[str]:
    """The canned server, in a process of its own and on the other core where there is one."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--delay", str(delay)], stdout=subprocess.PIPE, text=True
    )
    try:
        if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
            os.sched_setaffinity(process.pid, cores[1:])
            os.sched_setaffinity(0, cores[:1])
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def measure(base_url: str, calls: int, in_flight: int, rounds: int) -> list[dict[str, object]]:
    """Run every way `rounds` times, interleaved; give medians and ratios to `bare`."""
    simple: dict[str, Callable[[str, int, int], Awaitable[None]]] = {
        "bare aiohttp": bare,
        "call_many": call_many,
    }
    taken: dict[str, list[Meter]] = {name: [] for name in (*simple, "campaign")}
    for _ in range(rounds):
        for name, way in simple.items():
            meter = Meter()
            meter.start()
            asyncio.run(way(base_url, calls, in_flight))
            meter.stop()
            taken[name].append(meter)
        meter = Meter()
        asyncio.run(campaign(base_url, calls, in_flight, meter))
        taken["campaign"].append(meter)
    base = taken["bare aiohttp"]
    return [
        {
            "way": name,
            "in_flight": in_flight,
            "cpu_us": statistics.median(meter.cpu for meter in meters) / calls * 1e6,
            "calls_s": calls / statistics.median(meter.wall for meter in meters),
            "cpu_x": [meter.cpu / other.cpu for meter, other in zip(meters, base, strict=True)],
            "to_many": [
                meter.cpu / other.cpu
                for meter, other in zip(meters, taken["call_many"], strict=True)
            ],
        }
        for name, meters in taken.items()
    ]


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=0.05, help="the server's, in seconds")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with serving(options.delay) as base_url:
        lines = [
            line
            for in_flight in options.in_flight
            for line in measure(base_url, options.calls, in_flight, options.rounds)
        ]
    if options.json:
        print(json.dumps(lines, indent=1))
        return
    print("| way | in flight | CPU us a call | CPU x bare | CPU x call_many | calls/s |")
    print("|---|---|---|---|---|---|")
    for line in lines:
        print(
            f"| {line['way']} | {line['in_flight']} | {line['cpu_us']:.0f} |"
            f" {spread(line['cpu_x'])} | {spread(line['to_many'])} | {line['calls_s']:.0f} |"  # type: ignore[arg-type]
        )


if __name__ == "__main__":
    main()
