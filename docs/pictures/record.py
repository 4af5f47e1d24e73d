"""Record the README's picture: a real campaign of the example list against FakeHamsa.

Usage: python docs/pictures/record.py docs/pictures/campaign.svg
"""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from rich.console import Console

import hamsa_async.testing
from hamsa_async import HamsaClient
from hamsa_async.cli.board import LiveBoard
from hamsa_async.cli.words import counts_table
from hamsa_async.dialer import Campaign, Dialer, EventKind
from hamsa_async.dialer.report import MEANINGS
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

EXAMPLE = Path(hamsa_async.testing.__file__).parent / "examples" / "contacts.csv"


async def record(console: Console) -> None:
    """Run the campaign; print the board half way and the counts at the end."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            FakeHamsa(latency=(0.05, 0.4), call_seconds=(0.5, 3.0)) as fake,
            HamsaClient(FAKE_API_KEY, base_url=fake.base_url) as client,
            Dialer(client, journal=Path(folder) / "journal.db") as dialer,
        ):
            # As `--fake` has it: who did not answer is not called again an hour later.
            campaign = Campaign(
                name="example", voice_agent_id=FAKE_AGENT_ID, rate=8.0, retries=(), breaker=False
            )
            loaded = await dialer.load(campaign, EXAMPLE)
            hidden = Console(file=io.StringIO(), width=console.width)
            run = dialer.run(loaded)
            board = LiveBoard(hidden, loaded, run.spent)
            console.print("[bold green]$[/bold green] hamsa campaign run --fake")
            placed = 0
            async for event in run:
                board.show(event)
                placed += event.kind is EventKind.PLACED
                if placed == 20 and event.kind is EventKind.PLACED:
                    console.print(board.picture())
            console.print()
            reasons = await dialer.journal.reasons(loaded.record.id)
            outcomes = await dialer.journal.outcomes(loaded.record.id)
            console.print(counts_table(run.counts, reasons, MEANINGS, outcomes))
            console.print()
            console.print("done")
            rung_twice = fake.ledger.rung_twice()
            console.print(
                f"the fake server's own ledger: {len(fake.ledger.rings)} rings,"
                f" {len(rung_twice)} numbers rung twice; no phone rang",
                style="dim",
            )


def main() -> None:
    """Write the picture."""
    console = Console(
        record=True, width=92, file=io.StringIO(), force_terminal=True, highlight=False
    )
    asyncio.run(record(console))
    console.save_svg(sys.argv[1], title="hamsa campaign run --fake")


if __name__ == "__main__":
    main()
