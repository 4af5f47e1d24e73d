"""A workbook (XLSX, ODS) -> a table: the sheet and the row in which the phone column stands.

A cell's stored value counts, not how it is shown: 971501234567 that is shown as 9.71E+11 is
whole. What was already text when it was saved as `9.71E+11` is damaged.
"""

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, BinaryIO, Final

from hamsa_async._masking import mask_text
from hamsa_async.dialer.columns import Naming, trim
from hamsa_async.dialer.tables import Table
from hamsa_async.errors import ConfigurationError, ContactListError

_SEARCHED: Final = 50  # rows in which the header is looked for
_LARGEST: Final = 1 << 30  # bytes, unpacked: a workbook is read as a whole
_SHOWN: Final = 60
_NOT_ONE: Final = "it is no workbook that can be read: save it as .xlsx, .ods or CSV UTF-8"


def read_workbook(
    file: BinaryIO, naming: Naming, sheet: str | None, header_row: int | None
) -> Table:
    """Read one sheet of a workbook as a table. Blocks, and holds the sheet in memory.

    Args:
        file: The workbook.
        naming: What is said about the columns, to find the header by.
        sheet: The sheet's name, or its number from 1; by default the one visible sheet that
            has a phone column.
        header_row: The row that holds the headers, from 1; by default the first in which a
            phone column is recognised.

    Raises:
        ContactListError: It cannot be read, or no header was found, or more than one sheet
            could be meant.
    """
    sheets = _sheets(file, sheet)
    found = [(name, rows, _header_at(rows, naming, header_row)) for name, rows in sheets]
    usable = [(name, rows, at) for name, rows, at in found if at is not None]
    if len(usable) > 1:
        names = ", ".join(repr(name) for name, _, _ in usable)
        raise ContactListError(f"several sheets could be the list: {names}; name one with --sheet")
    if not usable:
        raise ContactListError(_no_header([(name, rows) for name, rows, _ in found], header_row))
    ((name, rows, at),) = usable
    return Table(
        header=[_text(cell) for cell in rows[at]],
        records=_records(rows, at + 1),
        notices=(*_others(sheets, name), *_skipped(rows[:at])),
    )


def _records(rows: Sequence[Sequence[Any]], start: int) -> Iterator[tuple[int, list[str]]]:
    for number, row in enumerate(rows[start:], start=start + 1):
        cells = [_text(cell) for cell in row]
        if any(map(str.strip, cells)):
            yield number, cells


def _sheets(file: BinaryIO, wanted: str | None) -> list[tuple[str, list[list[Any]]]]:
    """The sheets that may be meant, each with its rows."""
    calamine = _calamine()
    _refuse_bomb(file)
    try:
        book = calamine.load_workbook(file)
        names = _meant(book, calamine, wanted)
        return [
            (name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in names
        ]
    except calamine.PasswordError:
        raise ContactListError("it has a password: save it without one") from None
    except (calamine.CalamineError, calamine.XmlError, calamine.ZipError, OSError):
        raise ContactListError(_NOT_ONE) from None


def _calamine() -> Any:
    try:
        import python_calamine  # noqa: PLC0415 - most lists are no workbooks
    except ImportError:
        raise ConfigurationError(
            "workbooks need the package python-calamine, which is not installed:"
            " pip install 'hamsa-async[dialer]'"
        ) from None
    return python_calamine


def _refuse_bomb(file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            size = sum(each.file_size for each in packed.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        size = 0  # an .xls is no zip; what is broken, the reader says
    file.seek(0)
    if size > _LARGEST:
        raise ContactListError(f"it is too large for a workbook ({size >> 20} MiB): save it as CSV")


def _meant(book: Any, calamine: Any, wanted: str | None) -> list[str]:
    shown = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible is calamine.SheetVisibleEnum.Visible
        and sheet.typ is calamine.SheetTypeEnum.WorkSheet
    ]
    if wanted is None:
        return shown
    if wanted in book.sheet_names:
        return [wanted]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(book.sheet_names):
        return [book.sheet_names[int(wanted) - 1]]
    names = ", ".join(repr(name) for name in book.sheet_names)
    raise ContactListError(f"there is no sheet {wanted!r}; there is: {names}")


def _header_at(rows: Sequence[Sequence[Any]], naming: Naming, given: int | None) -> int | None:
    if given is not None:
        return given - 1 if given <= len(rows) else None
    for at, row in enumerate(rows[:_SEARCHED]):
        if any(naming.names_phone(_text(cell)) for cell in row):
            return at
    return None


def _no_header(sheets: Sequence[tuple[str, Sequence[Sequence[Any]]]], given: int | None) -> str:
    filled = [name for name, rows in sheets if rows]
    if not filled:
        return "it is empty: a row must hold the headers"
    names = ", ".join(repr(name) for name in filled)
    if given is not None:
        return f"there is no row {given} in sheet {names}"
    return (
        f"no row of sheet {names} has a column with the phone numbers: name one of them"
        " 'phone_number', or say which row holds the headers (--header-row) and which column"
        " it is (--map HEADER=phone_number)"
    )


def _others(sheets: Sequence[tuple[str, Any]], taken: str) -> tuple[str, ...]:
    others = [name for name, rows in sheets if name != taken and rows]
    if not others:
        return ()
    names = ", ".join(repr(name) for name in others)
    return (f"Sheet {taken!r} was read; not read: {names}.",)


def _skipped(rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    texts = [" ".join(filter(None, map(trim, map(_text, row)))) for row in rows]
    titles = [repr(mask_text(text[:_SHOWN])) for text in texts if text]
    if not titles:
        return ()
    return (f"Above the headers stands what was skipped: {', '.join(titles)}.",)


def _text(cell: Any) -> str:
    """A cell's stored value, as the text that it would have in a CSV file."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # every number of a sheet is a float; 5 is meant
    if isinstance(cell, datetime) and not (cell.hour or cell.minute or cell.second):
        return cell.date().isoformat()
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    return str(cell)
