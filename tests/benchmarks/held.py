"""What a list costs that may not be called now: outside its hours each contact is put off.

    python tests/benchmarks/held.py --contacts 100000

No server is needed: nobody is called. CPU is the whole process's, and that of the loop's own
thread; how late a task comes that wants to run every 5 ms is beside it.
"""

import argparse
import asyncio
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from campaign import _Api
from long_campaign import probing
from ways import AGENT

from hamsa_async import HamsaClient
from hamsa_async.dialer import Campaign, Dialer, SqliteJournal

NIGHT = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)  # two in the morning in Dubai


async def measure(many: int) -> str:
    """Put a list off, and give a line of the table."""
    begun = time.monotonic()

    def clock() -> datetime:
        return NIGHT + timedelta(seconds=time.monotonic() - begun)

    settings = Campaign(
        name="held",
        voice_agent_id=AGENT,
        policy="ae_telemarketing",
        from_number="+97142345678",
        rate=None,
        sweep=False,
    )
    draw = random.Random(7)
    contacts = (
        {
            "phone_number": f"+97150{number:07d}",
            "consent": "yes",
            "consent_at": "2026-11-01T00:00:00Z",
        }
        for number in draw.sample(range(10_000_000), many)
    )
    with tempfile.TemporaryDirectory() as folder:
        async with (
            HamsaClient("key", base_url="http://127.0.0.1:9") as client,
            await SqliteJournal.open(Path(folder) / "journal.db", clock=clock) as journal,
            Dialer(_Api(client), journal=journal, clock=clock) as dialer,
        ):
            run = dialer.run(await dialer.load(settings, contacts), wait=False)
            async with probing() as probe:
                wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
                async for _ in run:
                    pass
                wall = time.perf_counter() - wall
                cpu = (time.process_time() - cpu) / many * 1e6
                own = (time.thread_time() - own) / many * 1e6
            assert sum(run.counts.values()) == many, run.counts
            most = probe.found(0.0)["own_most"]
    return f"| {many:,} | {cpu:.0f} | {own:.0f} | {wall:.1f} | {most:.0f} |"


def main() -> None:
    """Measure, and print a table for the docs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=100_000)
    given = parser.parse_args()
    columns = (
        *("contacts", "CPU us each", "of it on the loop", "seconds"),
        "own CPU of a tick, most, ms",
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    print(asyncio.run(measure(given.contacts)))


if __name__ == "__main__":
    main()
