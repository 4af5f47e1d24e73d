"""A contact list's file, opened: what kind it is, and its text where it is one.

The first bytes decide, not the name: an export called `.csv` may be a workbook.
"""

import codecs
import contextlib
import enum
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from hamsa_async.errors import ContactListError

STDIN: Final = Path("-")
"""As a path: standard input."""

_AS_CP1256: Final = (
    "It is not UTF-8 and was read as Windows Arabic (cp1256): look at the names, and save it as"
    " CSV UTF-8 if they are wrong."
)
NOT_TEXT: Final = "it is not readable as text: save it as CSV UTF-8"


class ListKind(enum.Enum):
    """What a file holds."""

    TABLE = "text with a header and delimiters"
    LINES = "JSON lines"
    SHEET = "a workbook"


# The most special first: the first four are all OSErrors; a NUL in a path is a ValueError.
_OPENING: Final[Sequence[tuple[type[Exception], str]]] = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory: give a file"),
    (PermissionError, "this user may not read it: change its permissions"),
    (OSError, "it cannot be read"),
    (ValueError, "this cannot be the path of a file"),
)

_ZIP: Final = b"PK\x03\x04"  # .xlsx and .ods
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, and a workbook with a password
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON: Final = re.compile(rb"\{|\[\s*\{")
_ARABIC_LETTER: Final = re.compile("[\u0621-\u064a\u067e-\u06af]")
_OTHER_LETTER: Final = re.compile("[\u00c0-\u0192]")
_MIXED_WORD: Final = re.compile("[A-Za-z][\u0621-\u06d2]|[\u0621-\u06d2][A-Za-z]")
_FIRST: Final = 1 << 16
_BLOCK: Final = 1 << 20


@contextlib.contextmanager
def open_list(path: Path) -> Iterator[BinaryIO]:
    """Open a list's file to be read from its start; `-` is standard input, to its end. Blocks.

    Raises:
        ContactListError: It cannot be opened.
    """
    with _open(path) as file:
        yield file


def _open(path: Path) -> BinaryIO:
    try:
        if path == STDIN:
            return _kept(sys.stdin.buffer)
        file = path.open("rb")
        if file.seekable():
            return file
        with file:  # a named pipe, or a shell's <(...)
            return _kept(file)
    except (OSError, ValueError) as error:
        what = next(text for kind, text in _OPENING if isinstance(error, kind))
        raise ContactListError(what) from None


def _kept(stream: BinaryIO) -> BinaryIO:
    """A stream as a file, which can be read again: what it holds is seen only at its end."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - its reader closes it
    try:
        shutil.copyfileobj(stream, file, _BLOCK)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def kind_of(file: BinaryIO) -> ListKind:
    """Say what a file holds, by its first bytes; it is left at its start.

    Raises:
        ContactListError: It cannot be read.
    """
    start = _read(file, _FIRST)
    file.seek(0)
    if start.startswith((_ZIP, _OLE)):
        return ListKind.SHEET
    text = start.removeprefix(codecs.BOM_UTF8).replace(b"\0", b"").lstrip(b" \t\r\n\xff\xfe")
    return ListKind.LINES if _JSON.match(text) else ListKind.TABLE


def text_of(file: BinaryIO) -> tuple[TextIO, tuple[str, ...]]:
    """The text of a file, read as what it is written in, and what to say about that.

    UTF-8 with or without a byte order mark; UTF-16 with one; else the Arabic code page of
    Windows, where that makes mostly Arabic of it. Closing the text closes the file;
    whoever asks for it does.

    Raises:
        ContactListError: It is none of these.
    """
    encoding, notices = _encoding_of(file)
    file.seek(0)
    return io.TextIOWrapper(file, encoding=encoding, newline=""), notices


def _encoding_of(file: BinaryIO) -> tuple[str, tuple[str, ...]]:
    start = _read(file, 2)
    if start in _UTF_16:
        return "utf-16", ("It is written in UTF-16 and was read so.",)
    file.seek(0)
    if _decodes(file, "utf-8"):
        return "utf-8-sig", ()
    file.seek(0)
    if _decodes(file, "cp1256") and _is_arabic(file):
        return "cp1256", (_AS_CP1256,)
    raise ContactListError(NOT_TEXT)


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := _read(file, _BLOCK):
            if b"\0" in block:
                return False
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_arabic(file: BinaryIO) -> bool:
    """Whether it makes mostly Arabic words: any bytes are *some* text of cp1256.

    `MUÑOZ` from a Western code page would be an Arabic letter between Latin ones.
    """
    arabic = other = 0
    file.seek(0)
    while block := _read(file, _BLOCK):
        text = block.decode("cp1256")
        arabic += len(_ARABIC_LETTER.findall(text))
        other += len(_OTHER_LETTER.findall(text)) + len(_MIXED_WORD.findall(text))
    return arabic > 4 * other


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise ContactListError(f"it cannot be read ({error.strerror})") from None
