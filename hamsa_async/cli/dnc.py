"""`hamsa dnc add | remove | import | export | check | stats`: who is not called."""

import csv
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, TextIO

from cyclopts import App, Parameter
from rich.table import Table

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import find_journal, read_country, read_naming, read_number
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.lists import InvalidRows
from hamsa_async.cli.output import complain, counted, machine, people, print_json, results, visible
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.pseudonyms import FORGOTTEN, is_pseudonym
from hamsa_async.dialer.journal.suppression import OPERATOR, Suppression, summary_of
from hamsa_async.dialer.list_file import STDIN
from hamsa_async.dialer.registers import read_numbers
from hamsa_async.errors import ConfigurationError, JournalError

app: App = App(
    name="dnc",
    help="The do-not-call list: one per journal, effective at once in every running campaign.",
)

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


@app.command(name="import")
async def import_(
    file: Path,
    /,
    *,
    source: str | None = None,
    dated: str | None = None,
    replace: bool = False,
    country: str | None = None,
    map: tuple[str, ...] = (),  # noqa: A002 - the option's name
    invalid: Path | None = None,
    journal: Path | None = None,
) -> Exit:
    """Take over a register, one number a line or a list with a column of numbers.

    Rows that are no numbers go to `invalid.csv`, and the command then ends with 3.

    Args:
        file: The register.
        source: Its name; by default the file's.
        dated: The date of the register (2027-01-31); by default today's, in UTC.
        replace: Let numbers be called again that this source named before and names no more;
            nobody, where a row is no number.
        country: The country (`AE`) of numbers that are written without their country code.
        map: What a column is, as HEADER=phone_number, where its header does not say it.
        invalid: Where rows that are no numbers go. [default: invalid.csv]
        journal: The journal; by default yours.
    """
    if file == STDIN:
        raise ConfigurationError("a register is imported from a file, not from standard input")
    dated_at = _date(dated)
    path = find_journal(journal, make_folder=True)
    rejects = InvalidRows(invalid, read=[file, path])
    async with await SqliteJournal.open(path) as opened:
        with rejects as bad:
            numbers = read_numbers(
                file,
                country=read_country(country),
                naming=read_naming(map, ()),
                on_invalid=bad.add,
            )
            read = _Counted(numbers, bad, whole=replace)
            try:
                new, gone = await opened.suppressions.take_over(
                    read.chunks(), source=source or file.stem, dated_at=dated_at, replace=replace
                )
            except _NotWholeError as error:
                complain(str(error))
                return Exit.FAILURES
    people().print(
        f"{read.count} numbers read, {new} new, {gone} gone; the register is of {dated_at.date()}"
    )
    return Exit.FAILURES if bad.count else Exit.DONE


class _NotWholeError(Exception):
    """A register was not understood in full: whom it no longer names is not known."""


class _Counted:
    """Counts what is read of a register.

    Args:
        numbers: What is read.
        bad: What is not.
        whole: Whether it breaks off at the end where something could not be read, so that nobody
            is taken off the list for a row that was not understood.
    """

    def __init__(self, numbers: AsyncIterator[list[str]], bad: InvalidRows, *, whole: bool) -> None:
        self._numbers = numbers
        self._bad = bad
        self._whole = whole
        self.count = 0

    async def chunks(self) -> AsyncIterator[list[str]]:
        async for chunk in self._numbers:
            self.count += len(chunk)
            yield chunk
        if self._whole and (self._bad.count or not self.count):
            raise _NotWholeError(
                f"nobody was taken off the list: {counted(self.count, 'number')} of the file"
                f" on it now, {counted(self._bad.count, 'row')} of it not read, which may have"
                " numbers that it named before; mend the file, or say how it is read (--country,"
                " --map), and import it again"
            )


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


def _date(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        raise ConfigurationError(f"--dated {text!r} is no date such as 2027-01-31") from None
    moment = datetime.combine(day, time(), UTC)
    if moment > datetime.now(UTC):
        raise ConfigurationError(f"--dated {text}: a register cannot be of the future")
    return moment


def _utc(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
