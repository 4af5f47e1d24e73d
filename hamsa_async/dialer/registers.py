"""A do-not-call register's file -> its numbers: one number a line, or any list with a column."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from hamsa_async.dialer.columns import Naming, is_phone_header
from hamsa_async.dialer.contact_list import ContactList
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.csv_file import read_lines
from hamsa_async.dialer.list_file import ListKind, kind_of, open_list, text_of
from hamsa_async.dialer.numbers import NumberProblem, normalise
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.errors import ContactListError


async def read_numbers(
    path: Path,
    *,
    country: str | None = None,
    naming: Naming | None = None,
    on_invalid: Callable[[Row], object],
) -> AsyncGenerator[list[str], None]:
    """The numbers of a register, E.164, as they are read.

    Args:
        path: Its file: one number a line, or whatever else a contact list can be.
        country: ISO alpha-2 code for numbers without `+`.
        naming: Which column holds the numbers, where its header does not say it.
        on_invalid: Called with each row that is no number.

    Raises:
        ContactListError: It cannot be read.
    """
    with _read_twice(path) as file:
        source: Any = _bare_numbers(file) if _is_bare(file, country) else file
        listed = ContactList(source, naming=naming or Naming(), on_invalid=on_invalid)
        chunks = read_chunks(listed, country=country, size=2_000)
        async with aclosing(chunks):
            async for rows in chunks:
                # A register is no contact list: what else stands in a row does not matter.
                yield [row.phone_number for row in rows if row.state != "invalid"]


@contextlib.contextmanager
def _read_twice(path: Path) -> Iterator[Path]:
    """A file that can be opened twice: what a pipe holds is kept meanwhile."""
    if not (path.exists() and (path.is_fifo() or path.is_char_device())):
        yield path
        return
    with tempfile.NamedTemporaryFile() as kept:
        with open_list(path) as piped:
            shutil.copyfileobj(piped, kept)
        kept.flush()
        try:
            yield Path(kept.name)
        except ContactListError as error:
            raise ContactListError(str(error).replace(kept.name, str(path))) from None


def _is_bare(path: Path, country: str | None) -> bool:
    """Whether the first line is a number rather than a header."""
    with open_list(path) as file:
        if kind_of(file) is not ListKind.TABLE:
            return False
        text, _ = text_of(file)
        with text:
            first = next((line for line in read_lines(text) if line.strip()), "")
    if is_phone_header(first):
        return False
    try:
        normalise(first.strip(), country=country)
    except NumberProblem:
        return sum(map(str.isdigit, first)) >= 6
    return True


def _bare_numbers(path: Path) -> Iterator[dict[str, str]]:
    with open_list(path) as file:
        text, _ = text_of(file)
        with text:
            for line in read_lines(text):
                if line.strip():
                    yield {"phone_number": line.strip()}
