"""Where a campaign stands, for `status` and `report`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
from rich.console import Group, RenderableType
from rich.text import Text

from hamsa_async.cli.output import shown
from hamsa_async.cli.words import clock, counts_table, pace_words
from hamsa_async.dialer import ContactState, DialerEvent, SqliteJournal
from hamsa_async.dialer.budget import Budget, Spent
from hamsa_async.dialer.journal import CampaignRecord, RunRecord
from hamsa_async.dialer.journal.records import ListRecord
from hamsa_async.dialer.machine import Asked
from hamsa_async.dialer.report import MEANINGS
from hamsa_async.dialer.spending import spent_by


@attrs.frozen(kw_only=True)
class Standing:
    """A campaign's counts, and whether somebody runs it."""

    name: str
    settings: Mapping[str, Any]
    created_at: datetime
    running: bool
    last_run: RunRecord | None
    counts: Mapping[ContactState, int]
    reasons: Mapping[tuple[ContactState, str], int]
    outcomes: Mapping[tuple[ContactState, str], int]
    next_at: datetime | None
    asked: Asked | None
    """What another process asked of whoever dials it."""

    asked_reason: str | None
    """Why, where it was no person."""

    lists: Sequence[ListRecord]
    """The lists that its rows are of."""

    pace: DialerEvent | None
    """What was last said of the pace of its last run."""

    spent: Spent | None
    """What was spent of the last run's budget, where it had one."""

    others_known_since: datetime | None
    """How far back the journal knows of calls that others placed."""

    def as_json(self) -> dict[str, Any]:
        """The same as JSON."""
        run = self.last_run
        return {
            "campaign": self.name,
            "settings": dict(self.settings),
            "created_at": self.created_at.isoformat(),
            "running": self.running,
            "last_run": None
            if run is None
            else {
                "pid": run.pid,
                "host": run.host,
                "began_at": run.began_at.isoformat(),
                "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
                "ending": run.ending,
                "reason": run.reason,
            },
            "lists": [
                {
                    "number": each.number,
                    "name": each.name,
                    "appended": each.appended,
                    "at": each.at.isoformat(),
                }
                for each in self.lists
            ],
            "rows_total": sum(self.counts.values()),
            "counts": dict(self.counts),
            "reasons": [
                {"state": state, "reason": reason, "count": count}
                for (state, reason), count in self.reasons.items()
            ],
            "outcomes": [
                {"state": state, "outcome": outcome, "count": count}
                for (state, outcome), count in self.outcomes.items()
            ],
            "asked": self.asked,
            "asked_reason": self.asked_reason,
            "pace": None
            if self.pace is None
            else {"at": self.pace.at.isoformat(), **self.pace.data},
            "budget": None if self.spent is None else self.spent.budget.as_json(),
            "spent": None if self.spent is None else self.spent.as_json(),
            "others_known_since": None
            if self.others_known_since is None
            else self.others_known_since.isoformat(),
            "next_at": None if self.next_at is None else self.next_at.isoformat(),
        }


async def standing_of(journal: SqliteJournal, record: CampaignRecord) -> Standing:
    """Look where a campaign stands."""
    following = await journal.next_due(record.id)
    last_run = await journal.last_run(record.id)

    budget = Budget.from_json(None if last_run is None else last_run.budget)
    return Standing(
        name=record.name,
        settings=record.settings,
        created_at=record.created_at,
        running=await journal.is_claimed(record),
        last_run=last_run,
        pace=await _pace_of(journal, record, last_run),
        counts=await journal.counts(record.id),
        reasons=await journal.reasons(record.id),
        outcomes=await journal.outcomes(record.id),
        next_at=None if following is None else following[0],
        asked=await journal.asked(record.id),
        lists=await journal.lists(record.id),
        asked_reason=await journal.asked_reason(record.id),
        spent=await spent_by(journal, record.id, budget, datetime.now(UTC)) if budget else None,
        others_known_since=(await journal.looked())[0],
    )


async def _pace_of(
    journal: SqliteJournal, record: CampaignRecord, run: RunRecord | None
) -> DialerEvent | None:
    last = await journal.last_pace(record.id)
    # An earlier run's pace says nothing of the last one.
    return last if last is not None and run is not None and last.at >= run.began_at else None


def standing_table(standing: Standing) -> RenderableType:
    """Show it to a person."""
    return Group(
        Text(f"campaign {standing.name}: {_activity(standing)}", style="bold"),
        *_pace_line(standing),
        counts_table(standing.counts, standing.reasons, MEANINGS, standing.outcomes),
        *([] if standing.spent is None else [Text(f"spent: {standing.spent}")]),
        Text(
            "calls that others placed are not known"
            if standing.others_known_since is None
            else f"calls that others placed are known since {clock(standing.others_known_since)}",
            style="dim",
        ),
        Text(""),
    )


def _pace_line(standing: Standing) -> list[Text]:
    if standing.pace is None or not standing.running:
        return []
    return [Text(pace_words(standing.pace.data))]


def _activity(standing: Standing) -> str:
    run = standing.last_run
    if standing.running and standing.asked is Asked.PAUSE:
        why = "" if standing.asked_reason is None else f" ({shown(standing.asked_reason)})"
        return f"is paused{why}: hamsa campaign resume lets it go on"
    if standing.running:
        if run is None or run.ended_at is not None:
            return "is being loaded"
        return f"is being run by process {run.pid} on {run.host} since {clock(run.began_at)}"
    if run is None:
        return "has not been run"
    if run.ended_at is None:
        return f"its process {run.pid} ended without a word; running it again resumes"
    why = f" ({run.reason})" if run.reason else ""
    until = f"; next at {clock(standing.next_at)}" if standing.next_at is not None else ""
    return f"{run.ending} at {clock(run.ended_at)}{why}{until}"
