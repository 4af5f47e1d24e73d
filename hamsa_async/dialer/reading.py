"""A contact list of any kind -> rows that the journal can stage, a chunk at a time.

A *reader* makes records of a file (`_READERS`; more formats are more entries), the header says
what the columns are (`columns`), and each record is judged by itself (`judging`). Only what
makes the list as a whole unusable is an error.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from hamsa_async.dialer.columns import Columns, read_header
from hamsa_async.dialer.contacts import Contact, Row
from hamsa_async.dialer.csv_file import csv_records
from hamsa_async.dialer.items import ItemJudge
from hamsa_async.dialer.judging import judge
from hamsa_async.dialer.numbers import region_of
from hamsa_async.dialer.records import record_of_cells
from hamsa_async.errors import ConfigurationError, ContactListError

_Reader: TypeAlias = Callable[[Path], Generator[list[str], None, None]]
_Chunks: TypeAlias = Generator[Columns | list[Row], None, None]

_READERS: Final[Mapping[str, _Reader]] = {".csv": csv_records}
"""Which reader makes records of a file, by its suffix; any other file is read as CSV."""

Source: TypeAlias = (
    str | Path | Iterable[Mapping[str, Any] | Contact] | AsyncIterable[Mapping[str, Any] | Contact]
)
"""A contact list: the path of a CSV file, or mappings or `Contact`s from any iterable."""


def read_chunks(
    source: Source,
    *,
    country: str | None = None,
    size: int = 500,
    on_columns: Callable[[Columns], object] | None = None,
) -> AsyncGenerator[list[Row], None]:
    """Read a contact list as lists of at most `size` rows; memory does not grow with the list.

    Files are read, and rows judged, in a thread. Nothing is read ahead: a chunk is made when it
    is asked for. An iterable is advanced on the event loop, where it was made. Rows come in the
    order of the list; each record that is not blank is one row, good or not.
    Leaving early and closing the generator (`contextlib.aclosing`) closes the file, or the
    generator that was given; after a cancellation it is closed as soon as the thread's step ends.

    Args:
        source: The path of a CSV file, or an iterable or async iterable of mappings (their keys
            are judged as the headers of a file are) or `Contact`s.
        country: ISO alpha-2 code for numbers without `+` in rows that name no country.
        size: How many rows make a chunk.
        on_columns: Called on the event loop, once, before the first row, with what the headers
            were taken for (those of the first mapping, where mappings are read).

    Raises:
        ConfigurationError: At once: an unknown country, a `size` below 1, or a source of a kind
            that cannot be read.
        ContactListError: While reading: the list as a whole cannot be read or used. Rows that
            came before are sound, but they are not the whole list.
    """
    region = None if country is None else region_of(country)
    if size < 1:
        raise ConfigurationError(f"size must be 1 or more, not {size}")
    notice = on_columns or _no_notice
    if isinstance(source, str | Path):
        return _from_file(Path(source), region, size, notice)
    if isinstance(source, AsyncIterable):
        return _from_async_items(source, region, size, notice)
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes | bytearray):
        return _from_items(source, region, size, notice)
    raise ConfigurationError(
        "contacts must be a path or an iterable of mappings or Contacts,"
        f" not a {type(source).__name__}"
    )


def _no_notice(_columns: Columns) -> None:
    return None


async def _from_file(
    path: Path, region: str | None, size: int, notice: Callable[[Columns], object]
) -> AsyncGenerator[list[Row], None]:
    """Step a generator that blocks in a thread, and close it whatever happens."""
    loop = asyncio.get_running_loop()
    chunks = _file_chunks(path, region, size)
    # A thread of its own: each of a pool's threads would keep the last chunk that it made.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hamsa-list")
    step: asyncio.Future[Columns | list[Row] | None] | None = None
    try:
        while True:
            step = loop.run_in_executor(thread, next, chunks, None)
            chunk = await asyncio.shield(step)
            if chunk is None:
                return
            if isinstance(chunk, Columns):
                notice(chunk)
            else:
                yield chunk
    finally:
        # A generator cannot be closed while a thread runs it: a cancelled step closes it later.
        if step is None or step.done():
            chunks.close()
        else:
            step.add_done_callback(lambda ended: _close_after(ended, chunks))
        thread.shutdown(wait=False)


def _close_after(ended: asyncio.Future[Any], chunks: _Chunks) -> None:
    if not ended.cancelled():
        ended.exception()  # nobody waits for it any more; unread, asyncio would report it
    chunks.close()


def _file_chunks(path: Path, region: str | None, size: int) -> _Chunks:
    """The columns of a file, then its rows. Blocks; whatever is wrong is a `ContactListError`."""
    try:
        yield from _columns_and_rows(path, region, size)
    except ContactListError as error:
        raise ContactListError(f"contact list {str(path)!r}: {error}") from None


def _columns_and_rows(path: Path, region: str | None, size: int) -> _Chunks:
    reader = _READERS.get(path.suffix.lower(), csv_records)
    with closing(reader(path)) as records:
        header = next(records, None)
        if header is None:
            raise ContactListError("it is empty: the first line must hold the headers")
        columns = read_header(header)
        yield columns
        numbered = enumerate(records, start=1)
        while batch := list(islice(numbered, size)):
            yield [judge(row, record_of_cells(row, cells, columns), region) for row, cells in batch]


async def _from_items(
    items: Iterable[object], region: str | None, size: int, notice: Callable[[Columns], object]
) -> AsyncGenerator[list[Row], None]:
    judge = ItemJudge(region)
    iterator = iter(items)
    try:
        while batch := list(islice(iterator, size)):
            yield await _judged(judge, batch, notice)
    finally:
        if isinstance(items, Generator):
            items.close()


async def _from_async_items(
    items: AsyncIterable[object],
    region: str | None,
    size: int,
    notice: Callable[[Columns], object],
) -> AsyncGenerator[list[Row], None]:
    judge = ItemJudge(region)
    batch: list[object] = []
    try:
        async for item in items:
            batch.append(item)
            if len(batch) == size:
                yield await _judged(judge, batch, notice)
                batch = []
        if batch:
            yield await _judged(judge, batch, notice)
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _judged(
    judge: ItemJudge, batch: Sequence[object], notice: Callable[[Columns], object]
) -> list[Row]:
    """Judge a batch in a thread; tell of the columns when the first mapping was understood."""
    told = judge.columns is not None
    rows = await asyncio.to_thread(judge.rows, batch)
    if judge.columns is not None and not told:
        notice(judge.columns)
    return rows
