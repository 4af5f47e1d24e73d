"""What a long campaign does to the loop and to memory, from the first row to the last call.

    python tests/benchmarks/long_campaign.py --contacts 1000000 --calls 50000

A list is read into a journal on disk, and so many of its contacts are called; the rest stays
pending. All of it is in one process, which has one core where there are two; the server, which
answers after 50 ms, has the other.

A task wants to run every 5 ms. How late it comes is what the loop was held up by: by ourselves,
by the garbage collector, or by others on this machine. So beside the wall's time there is the
CPU that the loop's own thread took meanwhile, which is our own share. Memory is the most above
what it was before the first row.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import harness
from lists import memory
from ways import AGENT, cores, rows

EVERY = 0.005  # seconds
_LONGEST = 50  # milliseconds that the loop may be held up by ourselves


class Probe:
    """Sees how late it comes, and the most memory."""

    def __init__(self) -> None:
        # Counted by millisecond: a list of every look would be most of what grows.
        self._late: Counter[int] = Counter()
        self._own: Counter[int] = Counter()
        self.longest_collection = 0.0
        self.memory = 0.0
        self._collecting = 0.0

    async def look(self) -> None:
        """Look until it is cancelled."""
        looks = 0
        while True:
            due, cpu = time.perf_counter() + EVERY, time.thread_time()
            await asyncio.sleep(EVERY)
            self._late[round((time.perf_counter() - due) * 1e3)] += 1
            self._own[round((time.thread_time() - cpu) * 1e3)] += 1
            looks += 1
            if looks % 100 == 0:
                self.memory = max(self.memory, memory())

    def collecting(self, phase: str, _: object) -> None:
        """See what CPU the garbage collector takes; for `gc.callbacks`."""
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            took = time.thread_time() - self._collecting
            self.longest_collection = max(self.longest_collection, took)

    def found(self, before: float) -> dict[str, float]:
        """Give what was seen."""
        most = max(self.memory, memory())
        late = sorted(self._late.elements())
        return {
            "late_most": late[-1],
            "late_999": late[len(late) * 999 // 1000],
            "own_most": max(self._own),
            "over": sum(count for own, count in self._own.items() if own > _LONGEST),
            "collection": self.longest_collection * 1e3,
            "memory": most - before,
        }


@contextlib.asynccontextmanager
async def probing() -> AsyncIterator[Probe]:
    """Look at the loop meanwhile."""
    probe = Probe()
    gc.callbacks.append(probe.collecting)
    looking = asyncio.create_task(probe.look())
    try:
        yield probe
    finally:
        looking.cancel()
        gc.callbacks.remove(probe.collecting)


def contacts(many: int) -> Iterator[dict[str, str]]:
    """A list of so many people."""
    for row in rows(many):
        yield {"phone_number": row["to_number"], **row["params"]}


async def call_many(base_url: str, calls: int, in_flight: int) -> dict[str, float]:
    """The same calls without a journal."""
    from hamsa_async import HamsaClient

    async with HamsaClient("key", base_url=base_url, concurrency_limit=in_flight) as client:
        for some in (4 * in_flight, calls):
            gc.collect()
            before = memory()
            async with probing() as probe, client.voice_agents.call_many(rows(some)) as results:
                async for _ in results:
                    pass
        return probe.found(before)


async def measure(base_url: str, many: int, calls: int, in_flight: int) -> dict[str, object]:
    """Read the list, then call some of it."""
    from campaign import _Api

    from hamsa_async import HamsaClient
    from hamsa_async.dialer import Campaign, Dialer, EventKind, SqliteJournal
    from hamsa_async.dialer.observer import LOOK_EVERY

    with tempfile.TemporaryDirectory() as folder:
        async with (
            HamsaClient("key", base_url=base_url, concurrency_limit=in_flight) as client,
            await SqliteJournal.open(Path(folder) / "journal.db") as journal,
            Dialer(_Api(client), journal=journal, look_every=LOOK_EVERY) as dialer,
        ):

            def settings(name: str) -> Campaign:
                return Campaign(
                    name=name,
                    voice_agent_id=AGENT,
                    rate=None,
                    concurrency=in_flight,
                    sweep=False,
                    breaker=False,
                )

            async def dial(loaded: object, most: int) -> None:
                run = dialer.run(loaded, wait=False)
                placed = 0
                async for event in run:
                    placed += event.kind is EventKind.PLACED
                    if placed == most:
                        run.stop()

            # As the command does: what was imported does not become garbage.
            gc.freeze()
            # Imports and connections, which a longer list does not make more of.
            warm = ({"phone_number": f"+97155{at:07d}"} for at in range(4 * in_flight))
            await dial(await dialer.load(settings("warm"), warm), 4 * in_flight)
            gc.collect()
            before = memory()
            async with probing() as reading:
                loaded = await dialer.load(settings("long"), contacts(many))
            async with probing() as dialing:
                await dial(loaded, calls)
        return {
            "reading": reading.found(before),
            "dialing": dialing.found(before),
            "call_many": await call_many(base_url, calls, in_flight),
        }


def main() -> None:
    """Measure, and print a table for the docs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, nargs="+", default=(64, 512))
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.base_url is not None:
        (in_flight,) = given.in_flight
        work = measure(given.base_url, given.contacts, given.calls, in_flight)
        print(json.dumps(asyncio.run(work)))
        return
    columns = (
        *("what", "in flight", "latest tick, ms", "99.9 %, ms", "own CPU of a tick, most, ms"),
        *("over 50 ms", "of it garbage, most, ms", "memory above the start, MB"),
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for in_flight in given.in_flight:
        with harness.serving(0.05) as server:
            done = subprocess.run(
                [
                    *("taskset", "-c", str(cores()[0]), sys.executable, __file__),
                    *("--contacts", str(given.contacts), "--calls", str(given.calls)),
                    *("--in-flight", str(in_flight), "--base-url", server.base_url),
                ],
                stdout=subprocess.PIPE,
                check=True,
            )
        for what, found in json.loads(done.stdout).items():
            many = given.contacts if what == "reading" else given.calls
            print(
                f"| {what} {many:,} | {in_flight} | {found['late_most']:.0f} |"
                f" {found['late_999']:.0f} | {found['own_most']:.0f} | {found['over']} |"
                f" {found['collection']:.0f} | {found['memory']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
