"""Lists for people and programs, written while they are read: memory does not grow with them.

On a terminal a list is a table that drops the columns for which there is no room; elsewhere
every row is one line with all columns, for `grep`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
from rich.cells import cell_len
from rich.table import Table

from hamsa_async.cli.documents import document
from hamsa_async.cli.exits import Exit, before_dialing
from hamsa_async.cli.output import complain, machine, nobody_reads, people, results
from hamsa_async.errors import HamsaError

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

_AT_ONCE: Final = 50  # rows that are put into columns together
_GAP: Final = "  "


@attrs.frozen(kw_only=True)
class Column:
    """A column.

    Attributes:
        name: What stands above it.
        width: How wide it is at least, so that it stays where it is.
        needs: How wide a terminal must be for it.
        right: Whether it is flush right.
    """

    name: str
    width: int = 0
    needs: int = 0
    right: bool = False


@attrs.frozen(kw_only=True)
class Listing(Generic[T]):
    """How things of one kind are listed.

    Attributes:
        kind: What they are called, in the plural.
        columns: Their columns; the last one may be wrapped.
        cells: A row's cells for people.
    """

    kind: str
    columns: Sequence[Column]
    cells: Callable[[T], Sequence[str]]

    async def show(
        self, rows: AsyncIterable[T], *, as_json: bool, limit: int | None = None
    ) -> Exit:
        """Show rows as they come.

        Args:
            rows: The rows.
            as_json: Write one JSON document, also when reading fails in the middle of it.
            limit: How many to show. That there are more is said.

        Raises:
            HamsaError: Nothing was read.
        """
        sink: _Sink[T] = _Document(self.kind) if as_json else _Sheet(self)
        taken, more = 0, False
        try:
            async for row in rows:
                if nobody_reads():
                    return Exit.DONE
                more = taken == limit
                if more:
                    break
                sink.take(row)
                taken += 1
        except (HamsaError, asyncio.CancelledError) as error:
            if not taken:
                raise
            text, code = _after(error)
            sink.end({"error": text, "exit_code": code.value})
            complain(text)
            return code
        sink.end({"more": more})
        if not (taken or as_json):
            people().print(f"no {self.kind} found")
        if more and not as_json:
            people().print(f"there are more than {taken}: see --limit", style="dim")
        return Exit.DONE


def _after(error: HamsaError | asyncio.CancelledError) -> tuple[str, Exit]:
    if isinstance(error, HamsaError):
        return str(error), before_dialing(error)
    return "interrupted; the list goes on", Exit.INTERRUPTED


class _Sink(Protocol[T_contra]):
    """Takes rows, and in the end what is to be said about all of them."""

    def take(self, row: T_contra, /) -> None:
        """Write it, or keep it until there are some."""

    def end(self, about: dict[str, Any], /) -> None:
        """Write the rest."""


class _Document(_Sink[T]):
    """A JSON document with a list as its first member."""

    def __init__(self, kind: str) -> None:
        self._target = machine()
        self._before = f'{{"{kind}": [\n'

    def take(self, row: T, /) -> None:
        self._target.write(self._before + json.dumps(document(row), ensure_ascii=False))
        self._before = ",\n"

    def end(self, about: dict[str, Any], /) -> None:
        opening = self._before if self._before != ",\n" else "\n"
        self._target.write(f"{opening}], {json.dumps(about, ensure_ascii=False)[1:]}\n")


class _Sheet(_Sink[T]):
    """Rows in columns, some at a time."""

    def __init__(self, listing: Listing[T]) -> None:
        self._columns = listing.columns
        self._cells = listing.cells
        self._print = _print_table if sys.stdout.isatty() else _print_lines
        self._rows: list[Sequence[str]] = []
        self._header = True

    def take(self, row: T, /) -> None:
        self._rows.append(self._cells(row))
        if len(self._rows) == _AT_ONCE:
            self._put()

    def end(self, _: dict[str, Any], /) -> None:
        self._put()

    def _put(self) -> None:
        if self._rows:
            self._print(self._columns, self._rows, header=self._header)
            sys.stdout.flush()
            self._rows, self._header = [], False


def _print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, header: bool) -> None:
    console = results()
    kept = [at for at, column in enumerate(columns) if column.needs <= console.width]
    table = Table(box=None, pad_edge=False, show_header=header, header_style="bold")
    for at in kept:
        column, last = columns[at], at == kept[-1]
        table.add_column(
            column.name,
            min_width=None if last else column.width,
            justify="right" if column.right else "left",
            no_wrap=not last,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[at] for at in kept))
    console.print(table)


def _print_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, header: bool) -> None:
    lines = [[column.name for column in columns], *rows] if header else rows
    for line in lines:
        sys.stdout.write(_GAP.join(map(_pad, line, columns)).rstrip() + "\n")


def _pad(text: str, column: Column) -> str:
    blank = " " * max(column.width - cell_len(text), 0)
    return blank + text if column.right else text + blank
