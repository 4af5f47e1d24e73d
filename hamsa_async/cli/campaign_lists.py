"""`hamsa campaign check | plan | run | append`: what is done with a list of contacts."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from hamsa_async.cli.appending import append_contacts
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.options import CheckOptions, ListOptions, PlanOptions, RunOptions
from hamsa_async.cli.planning import check_list, plan_list
from hamsa_async.cli.running import run_campaign

_AS_TYPED: Final = RunOptions()
_READ_SO: Final = ListOptions()
_CHECKED_SO: Final = CheckOptions()
_PLANNED_SO: Final = PlanOptions()


async def check(
    contacts: Path,
    /,
    *,
    options: CheckOptions = _CHECKED_SO,
    reading: ListOptions = _READ_SO,
) -> Exit:
    """Say what a list holds: its columns, who would be called, which rows are no contacts and why.

    Needs no key. Ends with 3 where --strict is given and something is found.

    Args:
        contacts: The list: CSV, TSV, JSON lines, XLSX or ODS; `-` is standard input.
        options: What it is checked against.
        reading: How it is read.
    """
    return await check_list(contacts, options, reading)


async def plan(
    contacts: Path,
    /,
    *,
    options: PlanOptions = _PLANNED_SO,
    reading: ListOptions = _READ_SO,
) -> Exit:
    """Say who would be called when, by the rules of a run; nobody is called.

    Needs no key. Ends with 3 where --strict is given and something is found.

    Args:
        contacts: The list: CSV, TSV, JSON lines, XLSX or ODS; `-` is standard input.
        options: What the plan is made by.
        reading: How the list is read.
    """
    return await plan_list(contacts, options, reading)


async def run(
    contacts: Path | None = None,
    /,
    *,
    options: RunOptions = _AS_TYPED,
    reading: ListOptions = _READ_SO,
) -> Exit:
    """Call every contact of a list once; resume by running the name again.

    Stopped at any moment, also by a crash, it goes on where it was: nobody is called twice. What
    may have rung without proof is `unknown`, and is not called again.

    Args:
        contacts: The list: CSV, TSV, JSON lines, XLSX or ODS; `-` is standard input. Without it
            the campaign's list in the journal is resumed.
        options: What is dialed, and how.
        reading: How the list is read.
    """
    return await run_campaign(contacts, options, reading)


async def append(
    name: str,
    contacts: Path,
    /,
    *,
    journal: Path | None = None,
    max_invalid: Annotated[float, Parameter(show_default=False)] = 0.5,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    reading: ListOptions = _READ_SO,
) -> Exit:
    """Append a list to a campaign, also while another process dials it; nobody is withdrawn.

    Rows whose number or contact_id the campaign has are skipped, so appending a list twice is
    safe. Without a key the list is not compared with the agent.

    Args:
        name: The campaign.
        contacts: The list: CSV, TSV, JSON lines, XLSX or ODS; `-` is standard input.
        journal: The journal; by default yours.
        max_invalid: The largest share of rows that may be no contacts. [default: 0.5]
        as_json: Print one JSON document on stdout.
        reading: How the list is read.
    """
    return await append_contacts(
        name,
        contacts,
        reading,
        journal=journal,
        max_invalid=max_invalid,
        as_json=as_json,
    )
