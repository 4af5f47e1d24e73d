"""A contact list of any kind -> rows that the journal can stage, a chunk at a time.

A reader makes records of a file (`csv_file`, `sheets`, `json_lines`), the header says what the
columns are (`columns`), and each record is judged by itself (`judging`). Only what makes the
list as a whole unusable is an error.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO, TypeAlias

import attrs

from hamsa_async.dialer.columns import Columns, Naming, read_header
from hamsa_async.dialer.contact_list import ContactList, Source
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.csv_file import read_text
from hamsa_async.dialer.items import ItemJudge
from hamsa_async.dialer.json_lines import read_json_lines
from hamsa_async.dialer.judging import judge
from hamsa_async.dialer.list_file import STDIN, ListKind, kind_of, open_list, text_of
from hamsa_async.dialer.numbers import region_of
from hamsa_async.dialer.records import record_of_cells
from hamsa_async.dialer.sheets import read_workbook
from hamsa_async.dialer.tables import Table
from hamsa_async.errors import ConfigurationError, ContactListError

_Chunks: TypeAlias = Generator[Columns | list[Row], None, None]
_Notice: TypeAlias = Callable[[Columns], object]

_INVALID: Final = "invalid"


def read_chunks(
    source: Source,
    *,
    country: str | None = None,
    variables: Iterable[str] = (),
    size: int = 500,
    on_columns: _Notice | None = None,
) -> AsyncGenerator[list[Row], None]:
    """Read a contact list as lists of at most `size` rows; memory does not grow with the list.

    (A workbook is the exception: its sheet is held as a whole.)
    Files are read, and rows judged, in a thread. Nothing is read ahead: a chunk is made when it
    is asked for. An iterable is advanced on the event loop, where it was made. Rows come in the
    order of the list; each record that is not blank is one row, good or not.
    Leaving early and closing the generator (`contextlib.aclosing`) closes the file, or the
    generator that was given; after a cancellation it is closed as soon as the thread's step ends.

    Args:
        source: The list.
        country: ISO alpha-2 code for numbers without `+` in rows that name no country.
        variables: What the agent's texts ask for: reserved columns among them are passed on.
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
    given = source if isinstance(source, ContactList) else ContactList(source)
    work = _Work(
        given=given,
        naming=attrs.evolve(given.naming, variables=given.naming.variables | set(variables)),
        region=region,
        size=size,
        notice=on_columns or _no_notice,
    )
    chunks = work.chunks()
    return chunks if given.on_invalid is None else _telling(chunks, given.on_invalid)


def _no_notice(_columns: Columns) -> None:
    return None


async def _telling(
    chunks: AsyncGenerator[list[Row], None], on_invalid: Callable[[Row], object]
) -> AsyncGenerator[list[Row], None]:
    try:
        async for rows in chunks:
            for row in rows:
                if row.state == _INVALID:
                    on_invalid(row)
            yield rows
    finally:
        await chunks.aclose()


@attrs.frozen(kw_only=True)
class _Work:
    """One reading of one list."""

    given: ContactList
    naming: Naming
    region: str | None
    size: int
    notice: _Notice

    def chunks(self) -> AsyncGenerator[list[Row], None]:
        source = self.given.source
        if isinstance(source, str | Path):
            return self._from_file(Path(source))
        if isinstance(source, AsyncIterable):
            return self._from_async_items(source)
        return self._from_items(source)

    # -- files

    async def _from_file(self, path: Path) -> AsyncGenerator[list[Row], None]:
        """Step a generator that blocks in a thread, and close it whatever happens."""
        loop = asyncio.get_running_loop()
        chunks = self._file_chunks(path)
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
                    self.notice(chunk)
                else:
                    yield chunk
        finally:
            # A generator cannot be closed while a thread runs it: a cancelled step closes it later.
            if step is None or step.done():
                chunks.close()
            else:
                step.add_done_callback(lambda ended: _close_after(ended, chunks))
            thread.shutdown(wait=False)

    def _file_chunks(self, path: Path) -> _Chunks:
        """The columns of a file, then its rows. Blocks; what is wrong is a `ContactListError`."""
        try:
            with open_list(path) as file:
                yield from self._read(file)
        except ContactListError as error:
            name = "standard input" if path == STDIN else repr(str(path))
            raise ContactListError(f"contact list {name}: {error}") from None

    def _read(self, file: BinaryIO) -> _Chunks:
        given, kind = self.given, kind_of(file)
        if kind is ListKind.SHEET:
            table = read_workbook(file, self.naming, given.sheet, given.header_row)
            yield from self._of_table(table)
            return
        if given.sheet is not None:
            raise ContactListError("it has no sheets: leave out --sheet")
        text, notices = text_of(file)
        with text:
            if kind is ListKind.LINES:
                yield from self._of_lines(text, notices)
            else:
                table = read_text(text, self.naming, given.header_row)
                yield from self._of_table(attrs.evolve(table, notices=notices))

    def _of_table(self, table: Table) -> _Chunks:
        columns = read_header(table.header, self.naming)
        columns = attrs.evolve(columns, notices=table.notices)
        yield columns
        numbered = enumerate(table.records, start=1)
        while batch := list(islice(numbered, self.size)):
            yield [
                judge(row, record_of_cells(row, cells, columns, line), self.region)
                for row, (line, cells) in batch
            ]

    def _of_lines(self, text: TextIO, notices: tuple[str, ...]) -> _Chunks:
        if self.given.header_row is not None:
            raise ContactListError("JSON lines have no header: leave out --header-row")
        lines = read_json_lines(text)
        items = ItemJudge(self.region, self.naming)
        told = False
        while batch := list(islice(lines, self.size)):
            rows = [items.row(item, line) for line, item in batch]
            if items.columns is not None and not told:
                told = True
                yield attrs.evolve(items.columns, notices=notices)
            yield rows

    # -- what a program gives

    async def _from_items(self, items: Iterable[object]) -> AsyncGenerator[list[Row], None]:
        judge = ItemJudge(self.region, self.naming)
        iterator = iter(items)
        try:
            while batch := list(islice(iterator, self.size)):
                yield await self._judged(judge, batch)
        finally:
            if isinstance(items, Generator):
                items.close()

    async def _from_async_items(
        self, items: AsyncIterable[object]
    ) -> AsyncGenerator[list[Row], None]:
        judge = ItemJudge(self.region, self.naming)
        batch: list[object] = []
        try:
            async for item in items:
                batch.append(item)
                if len(batch) == self.size:
                    yield await self._judged(judge, batch)
                    batch = []
            if batch:
                yield await self._judged(judge, batch)
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    async def _judged(self, judge: ItemJudge, batch: Sequence[object]) -> list[Row]:
        """Judge a batch in a thread; tell of the columns once the first mapping is understood."""
        told = judge.columns is not None
        rows = await asyncio.to_thread(judge.rows, batch)
        if judge.columns is not None and not told:
            self.notice(judge.columns)
        return rows


def _close_after(ended: asyncio.Future[Any], chunks: _Chunks) -> None:
    if not ended.cancelled():
        ended.exception()  # nobody waits for it any more; unread, asyncio would report it
    chunks.close()
