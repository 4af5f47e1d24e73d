"""A CSV file -> its records: whatever spreadsheets and exports make of encoding and delimiter."""

import csv
from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, TextIO

from hamsa_async.dialer.columns import is_phone_header
from hamsa_async.errors import ContactListError

_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_LINE: Final = 1 << 20
_NOT_TEXT: Final = "it is not readable as text: save it as CSV UTF-8"

# The most special first: the first four are all OSErrors; a NUL in a path is a ValueError.
_OPENING: Final[Sequence[tuple[type[Exception], str]]] = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory: give a file"),
    (PermissionError, "this user may not read it: change its permissions"),
    (OSError, "it cannot be read"),
    (ValueError, "this cannot be the path of a file"),
)


def csv_records(path: Path) -> Generator[list[str], None, None]:
    """The records of a CSV file that are not blank, the header first. Blocks.

    Raises:
        ContactListError: The file cannot be read, or is no CSV. Which file, the caller knows.
    """
    with _open(path) as file:
        lines = _lines(file)
        blank_lines, first = _first_line(lines)
        if not first:
            return
        # strict: otherwise a quote that nobody closes swallows the rest of the list silently.
        reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
        while True:
            line = blank_lines + reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                what = f"line {line} is no CSV ({error}): is a quote not closed, or not doubled?"
                raise ContactListError(what) from None
            if cells is None:
                return
            if any(map(str.strip, cells)):
                yield cells


def _open(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except (OSError, ValueError) as error:
        what = next(text for kind, text in _OPENING if isinstance(error, kind))
        raise ContactListError(what) from None


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a text, none longer than memory should hold at once."""
    number = 0
    try:
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if "\0" in line:
                raise ContactListError(_NOT_TEXT)
            if len(line) == _LONGEST_LINE:
                raise ContactListError(f"line {number} is too long for a contact: {_NOT_TEXT}")
            yield line
    except UnicodeDecodeError:
        raise ContactListError(_NOT_TEXT) from None
    except OSError as error:
        raise ContactListError(f"it cannot be read to its end ({error.strerror})") from None


def _first_line(lines: Iterator[str]) -> tuple[int, str]:
    """How many blank lines come first, and the line after them; empty where there is none."""
    for blank_lines, line in enumerate(lines):
        if line.strip():
            return blank_lines, line
    return 0, ""


def _delimiter(first_line: str) -> str:
    """The delimiter that finds a phone column in the first line, else the one that cuts most."""

    def worth(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([first_line], delimiter=delimiter), [])
        return any(map(is_phone_header, cells)), len(cells)

    try:
        return max(_DELIMITERS, key=worth)
    except csv.Error:
        return _DELIMITERS[0]  # reading with it says what is wrong, and where
