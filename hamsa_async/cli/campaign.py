"""`hamsa campaign check | plan | run | append | status | explain | report`, and the rest."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TextIO

from cyclopts import App, Parameter

from hamsa_async.cli.appending import append_contacts
from hamsa_async.cli.arguments import find_journal, read_name
from hamsa_async.cli.erasing import forget_number
from hamsa_async.cli.exits import MEANINGS as EXITS
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.explaining import explain_number
from hamsa_async.cli.options import CheckOptions, ListOptions, PlanOptions, RunOptions
from hamsa_async.cli.output import counted, machine, people, print_json, results
from hamsa_async.cli.planning import check_list, plan_list
from hamsa_async.cli.reconciling import Word, reconcile_campaign
from hamsa_async.cli.running import run_campaign
from hamsa_async.cli.standing import standing_of, standing_table
from hamsa_async.cli.steering import ask_dialer
from hamsa_async.cli.verifying import verify_campaign
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal import CampaignRecord
from hamsa_async.dialer.machine import Asked
from hamsa_async.dialer.report import MEANINGS, write_csv, write_json
from hamsa_async.errors import CampaignError, JournalError

_STATES: Final = "States of a contact:\n\n" + "\n".join(
    f"- {state}: {meaning}" for state, meaning in MEANINGS.items()
)
_CODES: Final = "Exit codes, the first that applies:\n\n" + "\n".join(
    f"- {code.value}: {meaning}" for code, meaning in EXITS.items()
)
_AS_TYPED: Final = RunOptions()
_READ_SO: Final = ListOptions()
_CHECKED_SO: Final = CheckOptions()
_PLANNED_SO: Final = PlanOptions()
_BESIDE_THE_JOURNAL: Final = ("", "-wal", "-shm")

app: App = App(name="campaign", help="Call a list of contacts, each once; see how far it is.")


@app.command
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


@app.command
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


@app.command(help_epilogue=f"{_STATES}\n\n{_CODES}")
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


@app.command
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


@app.command(help_epilogue=_STATES)
async def status(
    name: str | None = None,
    /,
    *,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Show how far a campaign is, or all of them; also while they run.

    Args:
        name: The campaign; all of them without it.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        records = (
            await opened.campaigns() if name is None else [await _campaign(opened, read_name(name))]
        )
        standings = [await standing_of(opened, record) for record in records]
    if as_json:
        documents = [standing.as_json() for standing in standings]
        print_json({"campaigns": documents} if name is None else documents[0])
        return Exit.DONE
    if not standings:
        people().print(f"journal {opened.path} has no campaigns yet")
    console = results()
    for standing in standings:
        console.print(standing_table(standing))
    return Exit.DONE


@app.command
async def pause(name: str, /, *, journal: Path | None = None) -> Exit:
    """Dial nobody of a campaign until it is resumed; what is at the wire settles.

    Args:
        name: The campaign.
        journal: The journal; by default yours.
    """
    return await ask_dialer(name, journal, Asked.PAUSE)


@app.command
async def resume(name: str, /, *, journal: Path | None = None) -> Exit:
    """Let a paused campaign go on.

    Args:
        name: The campaign.
        journal: The journal; by default yours.
    """
    return await ask_dialer(name, journal, None)


@app.command
async def stop(name: str, /, *, journal: Path | None = None) -> Exit:
    """End a campaign's run as Ctrl-C does: what is at the wire settles, and it can be resumed.

    Args:
        name: The campaign.
        journal: The journal; by default yours.
    """
    return await ask_dialer(name, journal, Asked.STOP)


@app.command
async def verify(
    name: str,
    /,
    *,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Prove a campaign from its journal and the server's own list of calls. Only reads.

    Every call on the server has an intent or is named as somebody else's, every call of the
    journal is on the server, nobody was called twice at once, counts and costs add up. Ends with
    3 where something is found.

    Args:
        name: The campaign.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    return await verify_campaign(name, journal, as_json=as_json)


@app.command
async def reconcile(
    name: str,
    attempt: str | None = None,
    /,
    *,
    journal: Path | None = None,
    lag: float = 900.0,
    placed: str | None = None,
    absent: bool = False,
    accept_absent: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Settle calls that may have rung, by evidence or by your word, and list those in doubt.

    Nobody is dialed. Ends with 4 while anything is in doubt.

    Args:
        name: The campaign.
        attempt: The id of an attempt in doubt that you know about.
        journal: The journal; by default yours.
        lag: Seconds by which the list of calls may be late: absence is believed of two looks
            that lie so far apart. Shorter is riskier.
        placed: The attempt became this call: its id, as the dashboard or the list has it.
        absent: The attempt became no call. Its contact will be called again.
        accept_absent: Believe of all that were looked for as well as can be, and not seen, that
            there was no call. Those contacts will be called again.
        as_json: Print one JSON document on stdout, with whole numbers.
    """
    word = Word(attempt=attempt, placed=placed, absent=absent, accept_absent=accept_absent)
    return await reconcile_campaign(name, journal, lag=lag, word=word, as_json=as_json)


@app.command
async def explain(
    name: str,
    number: str,
    /,
    *,
    policy: tuple[str, ...] = (),
    at: str | None = None,
    country: str | None = None,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Say what every rule says of a number, and when it may be called next.

    Args:
        name: The campaign.
        number: The number.
        policy: The rules to judge by, in the place of the campaign's own.
        at: The moment to judge by, an ISO time with an offset; by default now.
        country: The country (`AE`) of a number that is written without its country code; by
            default the campaign's.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    return await explain_number(
        name,
        number,
        journal=journal,
        policy=policy,
        at=at,
        country=country,
        as_json=as_json,
    )


@app.command
async def forget(
    number: str,
    /,
    *,
    country: str | None = None,
    journal: Path | None = None,
    yes: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Erase a person from the journal, all of its campaigns. It cannot be undone.

    Their rows, states and counts stay, and so does a keyed hash of the number, so that they are
    still not called. Ends with 3 where something is left in the journal's files that cannot be
    overwritten now: then run it again, as it says.

    Args:
        number: Their number.
        country: The country (`AE`) of a number that is written without its country code.
        journal: The journal; by default yours.
        yes: Do not ask. Needed where there is no terminal.
        as_json: Print one JSON document on stdout: what was erased, and what is left.
    """
    return await forget_number(number, country=country, journal=journal, yes=yes, as_json=as_json)


@app.command(help_epilogue=_STATES)
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
        journal: The journal; by default yours.
        format: How to write it.
        output: Where to write it, as UTF-8; by default stdout.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        record = await _campaign(opened, read_name(name))
        if output is None:
            await _write(opened, record, format, machine())
            return Exit.DONE
        if any(_same_file(output, f"{opened.path}{end}") for end in _BESIDE_THE_JOURNAL):
            raise JournalError(f"{output} is the journal itself: write the report elsewhere")
        try:
            with output.open("w", encoding="utf-8", newline="") as target:
                written = await _write(opened, record, format, target)
        except OSError as error:
            raise JournalError(
                f"the report cannot be written to {output}: {error.strerror}"
            ) from error
    people().print(f"{counted(written, 'row')} written to {output}")
    return Exit.DONE


async def _write(journal: SqliteJournal, record: CampaignRecord, form: str, target: TextIO) -> int:
    rows = journal.rows(record.id)
    if form == "csv":
        return await write_csv(rows, target)
    head: dict[str, Any] = (await standing_of(journal, record)).as_json()
    return await write_json(head, rows, target)


async def _campaign(journal: SqliteJournal, name: str) -> CampaignRecord:
    record = await journal.campaign(name)
    if record is None:
        raise CampaignError(
            f"journal {journal.path} has no campaign {name!r}: hamsa campaign status lists them"
        )
    return record


def _same_file(path: Path, other: str) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there
        return False
