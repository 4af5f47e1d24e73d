"""`hamsa dnc add | remove | import | export | check | stats`: who is not called."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

from cyclopts import App, Parameter
from rich.table import Table

from hamsa_async._masking import mask_number
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal
from hamsa_async.cli.output import counted, machine, people, print_json, results, visible
from hamsa_async.cli.typed_numbers import read_country, read_number
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.pseudonyms import FORGOTTEN, is_pseudonym
from hamsa_async.dialer.journal.suppression import OPERATOR, Suppression, summary_of
from hamsa_async.errors import ConfigurationError, JournalError

app: App = App(
    name="dnc",
    help="The do-not-call list: one per journal, effective at once in every running campaign.",
)

# Loaded when it is typed: nothing else here reads a file.
app.command("hamsa_async.cli.registers:import_", name="import")

_AsJson = Annotated[bool, Parameter(name="--json")]


@app.command
async def add(
    *numbers: str,
    source: str = OPERATOR,
    country: str | None = None,
    journal: Path | None = None,
) -> Exit:
    """Put numbers on the list: no campaign calls them from now on.

    Args:
        numbers: The numbers.
        source: Who says so.
        country: The country (`AE`) of numbers that are written without their country code.
        journal: The journal; by default yours.
    """
    given = _numbers(numbers, country)
    async with await SqliteJournal.open(find_journal(journal, make_folder=True)) as opened:
        new = await opened.suppressions.add(given, source=source)
    people().print(f"{new} added, {len(given) - new} there already; no campaign calls them")
    return Exit.DONE


@app.command
async def remove(
    *numbers: str,
    source: str | None = None,
    country: str | None = None,
    journal: Path | None = None,
) -> Exit:
    """Take numbers off the list. Ends with 3 where one of them was not on it.

    Args:
        numbers: The numbers.
        source: Whose word is taken away; by default everybody's.
        country: The country (`AE`) of numbers that are written without their country code.
        journal: The journal; by default yours.
    """
    given = _numbers(numbers, country)
    missing = 0
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        for number in given:
            gone = await opened.suppressions.remove(number, source=source)
            left = await opened.suppressions.find(number)
            missing += not gone
            people().print(_removed(number, gone, left))
    return Exit.FAILURES if missing else Exit.DONE


def _removed(number: str, gone: Sequence[Suppression], left: Sequence[Suppression]) -> str:
    shown = mask_number(number)
    if left:
        sources = visible(", ".join(each.source for each in left))
        return f"{shown} is still on the list: {sources}"
    return f"{shown} is no longer on the list" if gone else f"{shown} was not on the list"


@app.command
async def export(file: Path | None = None, /, *, journal: Path | None = None) -> Exit:
    """Write the whole list as CSV, with whole numbers: number, source, since.

    Of numbers that were forgotten only a hash is left: they are not written, and it is said how
    many they are.

    Args:
        file: Where to; by default stdout.
        journal: The journal; by default yours.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        if file is None:
            await _write(opened, machine())
            return Exit.DONE
        try:
            with file.open("x", encoding="utf-8", newline="") as target:
                written = await _write(opened, target)
        except OSError as error:
            raise JournalError(f"{file} cannot be written: {error.strerror}") from error
    people().print(f"{counted(written, 'row')} written to {file}")
    return Exit.DONE


async def _write(journal: SqliteJournal, target: TextIO) -> int:
    """Write the list; give the number of its rows."""
    writer = csv.writer(target)
    writer.writerow(["phone_number", "source", "since"])
    written = forgotten = 0
    async for each in journal.suppressions.all():
        if is_pseudonym(each.phone_number):
            forgotten += each.source == FORGOTTEN
            continue
        writer.writerow([each.phone_number, each.source, each.since.isoformat()])
        written += 1
    if forgotten:
        people().print(
            f"{counted(forgotten, 'forgotten number')} not written: of each only a hash is left,"
            " which means nothing outside this journal"
        )
    return written


@app.command
async def check(
    *numbers: str,
    country: str | None = None,
    journal: Path | None = None,
    as_json: _AsJson = False,
) -> Exit:
    """Say whether numbers are on the list, who says so, and since when. Ends with 3 where one is.

    Args:
        numbers: The numbers.
        country: The country (`AE`) of numbers that are written without their country code.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    given = _numbers(numbers, country)
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        found = {number: await opened.suppressions.find(number) for number in given}
    code = Exit.FAILURES if any(found.values()) else Exit.DONE
    if as_json:
        print_json({"numbers": [_as_json(*item) for item in found.items()]})
        return code
    console = results()
    for number, entries in found.items():
        console.print(f"{mask_number(number)}: {_entries(entries)}")
    return code


def _entries(entries: Sequence[Suppression]) -> str:
    if not entries:
        return "not on the list"
    return "; ".join(f"{visible(each.source)} since {_utc(each.since)}" for each in entries)


def _as_json(number: str, entries: Sequence[Suppression]) -> dict[str, Any]:
    return {
        "phone_number": number,
        "suppressed": bool(entries),
        "entries": [{"source": each.source, "since": each.since.isoformat()} for each in entries],
    }


@app.command
async def stats(*, journal: Path | None = None, as_json: _AsJson = False) -> Exit:
    """Show how many numbers each source names, and of when each register is.

    Args:
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        found = await opened.suppressions.stats()
    if as_json:
        print_json(summary_of(found))
        return Exit.DONE
    if not found:
        people().print("the do-not-call list is empty")
        return Exit.DONE
    table = Table(box=None, pad_edge=False)
    for name in ("source", "numbers", "register of", "imported at", "last added at"):
        table.add_column(name, justify="right" if name == "numbers" else "left")
    for each in found:
        table.add_row(
            visible(each.source),
            str(each.numbers),
            "" if each.dated_at is None else str(each.dated_at.date()),
            _utc(each.imported_at),
            _utc(each.last_at),
        )
    results().print(table)
    return Exit.DONE


def _numbers(texts: Sequence[str], country: str | None) -> list[str]:
    if not texts:
        raise ConfigurationError("NUMBERS are needed")
    code = read_country(country)
    return [read_number(text, what=mask_number(text), country=code) for text in texts]


def _utc(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
