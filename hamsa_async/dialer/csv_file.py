"""Delimited text -> a table: whatever spreadsheets and exports make of the delimiter."""

import csv
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, TextIO

from hamsa_async.dialer.columns import Naming
from hamsa_async.dialer.list_file import NOT_TEXT
from hamsa_async.dialer.tables import Table
from hamsa_async.errors import ContactListError

_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_LINE: Final = 1 << 20
_EMPTY: Final = "it is empty: the first line must hold the headers"


def read_text(text: TextIO, naming: Naming, header_row: int | None) -> Table:
    """Read delimited text (CSV, TSV and their like) as a table. Blocks.

    Args:
        text: The text, from its start.
        naming: What is said about the columns, to find the delimiter by.
        header_row: The line that holds the headers; by default the first that is not blank.

    Raises:
        ContactListError: There is no header, or it is no CSV.
    """
    lines = read_lines(text)
    before, first = _first_line(lines, header_row)
    if not first:
        raise ContactListError(
            _EMPTY if header_row is None else f"there is no line {header_row} that holds headers"
        )
    # strict: otherwise a quote that nobody closes swallows the rest of the list silently.
    reader = csv.reader(chain([first], lines), delimiter=_delimiter(first, naming), strict=True)
    records = _records(reader, before)
    _, header = next(records, (0, None))
    if header is None:
        raise ContactListError(_EMPTY)
    return Table(header=header, records=records)


def read_lines(text: TextIO) -> Iterator[str]:
    """The lines of a text, none longer than memory should hold at once.

    Raises:
        ContactListError: One is too long, or no text.
    """
    number = 0
    try:
        while line := text.readline(_LONGEST_LINE):
            number += 1
            if "\0" in line:
                raise ContactListError(NOT_TEXT)
            if len(line) == _LONGEST_LINE:
                raise ContactListError(f"line {number} is too long for a contact: {NOT_TEXT}")
            yield line
    except UnicodeError:
        raise ContactListError(NOT_TEXT) from None
    except OSError as error:
        raise ContactListError(f"it cannot be read to its end ({error.strerror})") from None


def _records(reader: Any, before: int) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            what = f"line {line} is no CSV ({error}): is a quote not closed, or not doubled?"
            raise ContactListError(what) from None
        if cells is None:
            return
        if any(map(str.strip, cells)):
            yield line, cells


def _first_line(lines: Iterator[str], header_row: int | None) -> tuple[int, str]:
    """How many lines come before the header, and its first line; empty where there is none."""
    for before, line in enumerate(lines):
        if header_row is None and line.strip():
            return before, line
        if header_row == before + 1:
            return before, line.strip() and line
    return 0, ""


def _delimiter(first_line: str, naming: Naming) -> str:
    """The delimiter that finds a phone column in the first line, else the one that cuts most."""

    def worth(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([first_line], delimiter=delimiter), [])
        return any(map(naming.names_phone, cells)), len(cells)

    try:
        return max(_DELIMITERS, key=worth)
    except csv.Error:
        return _DELIMITERS[0]  # reading with it says what is wrong, and where
