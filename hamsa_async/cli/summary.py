"""What is printed when a run is over."""

import sys
from collections.abc import Mapping
from typing import Final, Self

import attrs
from rich.console import Console
from rich.table import Table

from hamsa_async._masking import mask_number
from hamsa_async.cli.board import cell_of, clock, counts_table
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.output import complain, machine, people, results, shown, visible
from hamsa_async.cli.standing import standing_of
from hamsa_async.dialer import ContactState, Ending, Finish, Loaded, SqliteJournal
from hamsa_async.dialer.budget import Spent
from hamsa_async.dialer.finish import CALLS_OPEN, DOUBTS_OPEN, LIST_UNREADABLE
from hamsa_async.dialer.journal import CampaignRecord, Journal, ReportRow
from hamsa_async.dialer.report import MEANINGS, write_json

_SHOWN_ROWS: Final = 60
# A column of the shown rows, and how wide a terminal must be for it.
_ROW_COLUMNS: Final[Mapping[str, int]] = {
    "row": 0,
    "contact_id": 0,
    "phone_number": 0,
    "state": 0,
    "outcome": 80,
    "reason": 0,
    "attempts": 140,
    "call_id": 130,
}
_LEAST_REASON: Final = 12  # narrower, a reason stands in letters below each other


@attrs.frozen(kw_only=True)
class Summary:
    """A run that is over, and where that leaves its campaign."""

    journal: Journal
    record: CampaignRecord
    finish: Finish
    counts: Mapping[ContactState, int]
    spent: Spent | None = None

    @classmethod
    async def make(
        cls, journal: Journal, loaded: Loaded, finish: Finish, spent: Spent | None
    ) -> Self:
        """Look at what the journal says."""
        record = await journal.campaign(loaded.campaign.name)
        assert record is not None
        counts = await journal.counts(record.id)
        return cls(journal=journal, record=record, finish=finish, counts=counts, spent=spent)

    async def print(self, *, kept: bool) -> None:
        """Show it to a person: the counts, and the rows where they are few.

        Args:
            kept: Whether the journal stays, so that it can be asked later.
        """
        console = results()
        reasons = await self.journal.reasons(self.record.id)
        outcomes = await self.journal.outcomes(self.record.id)
        console.print()
        console.print(counts_table(self.counts, reasons, MEANINGS, outcomes))
        if self.spent is not None and self.spent.budget:
            console.print(f"spent: {self.spent}")
        if sum(self.counts.values()) <= _SHOWN_ROWS:
            console.print()
            console.print(await self._rows(console))
        else:
            way = f"hamsa campaign report {visible(self.record.name)}" if kept else "add --json"
            people().print(f"each row: {way}", style="dim")

    async def print_json(self, code: Exit) -> None:
        """Print the one JSON document of the run."""
        assert isinstance(self.journal, SqliteJournal)
        finish = self.finish
        head = {
            **(await standing_of(self.journal, self.record)).as_json(),
            "running": False,
            "ending": finish.ending,
            "reason": finish.reason,
            "next_at": None if finish.next_at is None else finish.next_at.isoformat(),
            "exit_code": code.value,
        }
        await write_json(head, self.journal.rows(self.record.id), machine())

    def tell_the_end(self, code: Exit, *, resumable: bool) -> None:
        """Say on stderr how it ended, with the exit code where it is not 0."""
        sys.stdout.flush()
        finish = self.finish
        if code is Exit.DONE:
            people().print("done")
            return
        texts = {
            Ending.DONE: "done",
            Ending.NOTHING_NOW: _nothing_now(finish),
            Ending.INTERRUPTED: f"interrupted ({finish.reason})",
            Ending.HALTED: f"halted: {finish.reason}",
        }
        more = [
            f"{self.counts[state]} {state}"
            for state in (
                ContactState.UNKNOWN,
                ContactState.REVIEW,
                ContactState.REFUSED,
                ContactState.EXPIRED,
            )
            if self.counts.get(state)
        ]
        if resumable and finish.ending is not Ending.DONE and not _waits_in_vain(finish):
            more.append(f"run --name {self.record.name} again to go on")
        complain("; ".join([texts[finish.ending], *more]) + f" (exit code {code.value})")

    async def _rows(self, console: Console) -> Table:
        names = [name for name, width in _ROW_COLUMNS.items() if console.width >= width]
        table = Table(box=None, pad_edge=False)
        for name in names:
            table.add_column(
                name,
                justify="right" if name in {"row", "attempts"} else "left",
                no_wrap=name != "reason",
                min_width=_LEAST_REASON if name == "reason" else None,
                overflow="fold" if name == "reason" else "ellipsis",
            )
        async for row in self.journal.rows(self.record.id):
            cells = _cells(row)
            table.add_row(*(cells[name] for name in names))
        return table


_TO_BE_SEEN: Final[Mapping[str, str]] = {
    CALLS_OPEN: "calls have not ended",
    DOUBTS_OPEN: "calls may have rung, and evidence of them is still looked for",
    LIST_UNREADABLE: "the list of calls cannot be read, and nothing is left but to look",
}
"""What a run ends for that only had to look, by its reason."""


def _waits_in_vain(finish: Finish) -> bool:
    """Whether neither time nor another run helps, but only somebody who finds out."""
    if finish.ending is not Ending.NOTHING_NOW or finish.by_budget:
        return False
    return finish.next_at is None and finish.reason not in _TO_BE_SEEN


def _nothing_now(finish: Finish) -> str:
    outstanding = _TO_BE_SEEN.get(finish.reason or "")
    if outstanding is not None:
        return f"nothing to do now: {outstanding}"
    if finish.next_at is None and finish.by_budget:
        return f"nothing to do now ({finish.reason}) before calls that are open have ended"
    if finish.next_at is not None:
        return f"nothing to do now ({finish.reason}); next at {clock(finish.next_at)}"
    return (
        f"nothing to do ({finish.reason}): what is left has numbers at which another campaign's"
        " call may have rung; no time frees them, somebody must find out"
    )


def _cells(row: ReportRow) -> dict[str, str]:
    return {
        "row": cell_of(row.row, row.list_number),
        "contact_id": shown(row.contact_id),
        "phone_number": visible(mask_number(row.phone_number)),
        "state": row.state,
        "outcome": shown(row.outcome),
        "reason": shown(row.reason),
        "attempts": str(row.attempts),
        "call_id": visible(row.call_id or ""),
    }
