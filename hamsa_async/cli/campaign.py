"""`hamsa campaign run | status | report`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from hamsa_async.cli.arguments import find_journal
from hamsa_async.cli.exits import MEANINGS as EXITS
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.output import people, print_json, results
from hamsa_async.cli.running import RunOptions, run_campaign
from hamsa_async.cli.standing import standing_of, standing_table
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.report import MEANINGS, write_csv, write_json
from hamsa_async.errors import CampaignError, JournalError

_STATES = "\n".join(f"- {state}: {meaning}" for state, meaning in MEANINGS.items())
_CODES = "\n".join(f"- {code.value}: {meaning}" for code, meaning in EXITS.items())

app = App(name="campaign", help="Call a list of contacts, each once; see how far it is.")


@app.command(help_epilogue=f"Exit codes, the first that applies:\n\n{_CODES}")
async def run(  # noqa: PLR0913 - a command's options
    contacts: Path | None = None,
    /,
    *,
    agent: str | None = None,
    name: str | None = None,
    policy: str | None = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    journal: Path | None = None,
    concurrency: int = 5,
    rate: str | None = None,
    country: str | None = None,
    param: Annotated[list[str] | None, Parameter(negative=())] = None,
    max_invalid: float = 0.5,
    accept_changes: Annotated[bool, Parameter(negative=())] = False,
    no_wait: Annotated[bool, Parameter(negative=())] = False,
    yes: Annotated[bool, Parameter(negative=(), name=("--yes", "-y"))] = False,
    as_json: Annotated[bool, Parameter(negative=(), name="--json")] = False,
    fake: Annotated[bool, Parameter(negative=())] = False,
) -> Exit:
    """Call every contact of a list once; resume by running the name again.

    Stopped at any moment, also by a crash, it goes on where it was: nobody is called twice. What
    may have rung without proof is `unknown`, and is not called again.

    Args:
        contacts: The list, a CSV file. Without it the campaign's list in the journal is resumed.
        agent: The id of the agent that speaks.
        name: The campaign's name.
        policy: The rules to dial by; `none` is the only pack so far, and must be typed.
        from_: The caller number, or `hamsa-default` for Hamsa's fallback, a foreign number.
        journal: The file that remembers who was called; yours by default.
        concurrency: Requests in flight at the API's door, not conversations.
        rate: Call starts per second (1 by default), or `none` for unpaced.
        country: The country (`AE`) of numbers written without their country code.
        param: A param for every call, as name=value; may be repeated.
        max_invalid: The largest share of rows that may be no contacts.
        accept_changes: Take over a list or settings that differ from the journal's.
        no_wait: End with 7 rather than wait for deferred contacts.
        yes: Ask nothing. Needed where there is no terminal.
        as_json: Print one JSON document on stdout: counts, ending, rows.
        fake: Dial an embedded fake server, with a journal of its own: no key, no phone rings.
    """
    return await run_campaign(
        RunOptions(
            contacts=contacts,
            agent=agent,
            name=name,
            policy=policy,
            from_number=from_,
            journal=journal,
            concurrency=concurrency,
            rate=rate,
            country=country,
            params=param,
            max_invalid=max_invalid,
            accept_changes=accept_changes,
            wait=not no_wait,
            yes=yes,
            as_json=as_json,
            fake=fake,
        )
    )


@app.command(help_epilogue=f"States of a contact:\n\n{_STATES}")
async def status(
    name: str | None = None,
    /,
    *,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(negative=(), name="--json")] = False,
) -> Exit:
    """Show how far a campaign is, or all of them; also while they run.

    Args:
        name: The campaign; all of them without it.
        journal: The journal; yours by default.
        as_json: Print one JSON document on stdout.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        records = await opened.campaigns()
        if name is not None:
            records = [record for record in records if record.name == name]
            if not records:
                raise _no_campaign(name, opened)
        standings = [await standing_of(opened, record) for record in records]
    if as_json:
        documents = [standing.as_json() for standing in standings]
        print_json(documents[0] if name is not None else {"campaigns": documents})
        return Exit.DONE
    console = results()
    if not standings:
        people().print(f"journal {opened.path} has no campaigns yet")
    for standing in standings:
        console.print(standing_table(standing))
    return Exit.DONE


@app.command(help_epilogue=f"States of a contact:\n\n{_STATES}")
async def report(
    name: str,
    /,
    *,
    journal: Path | None = None,
    format: Literal["csv", "json"] = "csv",  # noqa: A002 - the option's name
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
) -> Exit:
    """Write every row of a campaign's list and what became of it, with whole numbers.

    Args:
        name: The campaign.
        journal: The journal; yours by default.
        format: How to write it.
        output: Where to write it; stdout by default.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        record = await opened.campaign(name)
        if record is None:
            raise _no_campaign(name, opened)
        head: dict[str, Any] = (await standing_of(opened, record)).as_json()

        async def write(target: Any) -> int:
            rows = opened.rows(record.id)
            return (
                await write_csv(rows, target)
                if format == "csv"
                else await write_json(head, rows, target)
            )

        if output is None:
            await write(sys.stdout)
            return Exit.DONE
        try:
            with output.open("w", encoding="utf-8", newline="") as target:
                written = await write(target)
        except OSError as error:
            msg = f"the report cannot be written to {output}: {error.strerror}"
            raise JournalError(msg) from error
    people().print(f"{written} rows written to {output}", markup=False)
    return Exit.DONE


def _no_campaign(name: str, journal: SqliteJournal) -> CampaignError:
    return CampaignError(f"journal {journal.path} has no campaign {name!r}: see campaign status")
