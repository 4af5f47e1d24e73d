"""`hamsa campaign reconcile`: settle what is in doubt, by evidence or by a person's word."""

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from rich.table import Table

from hamsa_async._masking import mask_number
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal, journal_option, read_name
from hamsa_async.cli.output import people, print_json, results, visible
from hamsa_async.cli.words import cell_of
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import AttemptState, Dialer
from hamsa_async.dialer.journal.records import DoubtRecord
from hamsa_async.errors import CampaignError, ConfigurationError


@attrs.frozen(kw_only=True)
class Word:
    """What a person says about attempts in doubt."""

    attempt: str | None = None
    placed: str | None = None
    absent: bool = False
    accept_absent: bool = False

    def __attrs_post_init__(self) -> None:
        if sum((self.placed is not None, self.absent, self.accept_absent)) > 1:
            raise ConfigurationError("give one of --placed, --absent and --accept-absent")
        if (self.placed is not None or self.absent) and self.attempt is None:
            raise ConfigurationError(
                "--placed and --absent are about one attempt: give its id, as the list has it"
            )
        if self.attempt is not None and self.placed is None and not self.absent:
            raise ConfigurationError("say what became of the attempt: --placed CALL_ID or --absent")


async def reconcile_campaign(
    name: str, journal: Path | None, *, lag: float, word: Word, as_json: bool
) -> Exit:
    """Look into a campaign's doubts, take a person's word, and list what is left.

    Raises:
        HamsaError: Nothing was settled.
    """
    if lag < 0:
        raise ConfigurationError("--lag must be 0 seconds or more")
    path = find_journal(journal)
    async with HamsaClient() as client, Dialer(client, journal=path, create=False) as dialer:
        record = await dialer.journal.campaign(read_name(name))
        if record is None:
            raise CampaignError(f"journal {path} has no campaign {name!r}")
        if word.attempt is not None:
            await dialer.settle_by_word(record, word.attempt, placed=word.placed)
        else:
            await dialer.reconcile(
                record, lag=timedelta(seconds=lag), accept_absent=word.accept_absent
            )
        left = await dialer.journal.doubts(record.id)
    if as_json:
        print_json({"campaign": record.name, "in_doubt": [_as_json(each) for each in left]})
    elif left:
        results().print(_table(left))
        people().print(
            f"settle one with: hamsa campaign reconcile {shlex.quote(visible(record.name))} ATTEMPT"
            f"{journal_option(journal)} --placed CALL_ID | --absent",
            style="dim",
        )
    else:
        results().print(f"campaign {visible(record.name)}: nothing is in doubt")
    return Exit.UNKNOWNS if left else Exit.DONE


def _as_json(record: DoubtRecord) -> dict[str, Any]:
    return {
        "attempt": record.attempt_id,
        "row": record.row,
        "list_number": record.list_number,
        "phone_number": record.phone_number,
        "state": record.state,
        "begun_at": record.begun_at.isoformat(),
        "first_looked_at": _moment(record.looked_at),
        "evidence": dict(record.evidence),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _table(records: Sequence[DoubtRecord]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("attempt", "row", "phone_number", "state", "evidence"):
        table.add_column(column, overflow="fold")
    for record in records:
        evidence = record.evidence
        what = str(evidence.get("text") or evidence.get("kind") or "not looked into yet")
        if record.state is AttemptState.UNKNOWN and evidence.get("kind") == "seen_once":
            what = f"{what} (run this again later)"
        table.add_row(
            record.attempt_id,
            cell_of(record.row, record.list_number),
            mask_number(record.phone_number),
            record.state,
            visible(what),
        )
    return table
