"""`hamsa campaign check | plan | run | append | status | explain | report`, and the rest."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TextIO

from cyclopts import App, Parameter

from hamsa_async.cli.exits import MEANINGS as EXITS
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal, read_name
from hamsa_async.cli.output import counted, machine, people, print_json, results
from hamsa_async.cli.standing import standing_of, standing_table
from hamsa_async.cli.steering import ask_dialer
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
_BESIDE_THE_JOURNAL: Final = ("", "-wal", "-shm")

app: App = App(name="campaign", help="Call a list of contacts, each once; see how far it is.")

# Loaded when they are typed: none of it is needed to pause a campaign, or to see how far it is.
for _module, _name, _epilogue in (
    ("campaign_lists", "check", None),
    ("campaign_lists", "plan", None),
    ("campaign_lists", "run", f"{_STATES}\n\n{_CODES}"),
    ("campaign_lists", "append", None),
    ("campaign_proof", "verify", None),
    ("campaign_proof", "reconcile", None),
    ("campaign_persons", "explain", None),
    ("campaign_persons", "forget", None),
):
    app.command(f"hamsa_async.cli.{_module}:{_name}", name=_name, help_epilogue=_epilogue)


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
