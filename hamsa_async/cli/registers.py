"""`hamsa dnc import`: take over a register of numbers that are not called."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from pathlib import Path

from hamsa_async.cli.arguments import read_naming
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal
from hamsa_async.cli.lists import InvalidRows
from hamsa_async.cli.output import complain, counted, people
from hamsa_async.cli.typed_numbers import read_country
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.list_file import STDIN
from hamsa_async.dialer.registers import read_numbers
from hamsa_async.errors import ConfigurationError


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
