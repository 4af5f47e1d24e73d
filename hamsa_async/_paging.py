"""Lists: one page at a time, or every row, whichever way the API counts."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Hashable, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from hamsa_async._operations import Paging
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.pages import Page

T = TypeVar("T")

Ask = Callable[[Mapping[str, int], int, int], Awaitable[Page[T]]]
"""Asks for a page: what to put into the request, which page it is, and how long it may be."""

_COUNTS: Final[Mapping[Paging, Callable[[int, int, int], Mapping[str, int]]]] = {
    Paging.PAGE: lambda number, size, _: {"page": number, "perPage": size},
    Paging.PAGE_IN_SKIP: lambda number, size, _: {"skip": number, "take": size},
    Paging.ROWS_IN_SKIP: lambda _, size, before: {"skip": before, "take": size},
}


class Pages(Generic[T]):
    """A list that is not read yet.

        first = await hamsa.conversations.list()             # one page, with totals
        third = await hamsa.conversations.list().page(3)
        async for call in hamsa.conversations.list(): ...    # every row of every page

    Nothing is asked before it is awaited or iterated over; each iteration begins anew.

    Iterating reads a page when the last one is used up. It ends at an empty page, at a page
    that brings no row that was not seen before, or at a short page unless the API's totals say
    that there is more. Totals alone never end it. So it ends, whatever the server says, after
    at most one page more than there are rows.

    Pages are not a snapshot. A row that moves to a later page meanwhile, because others came
    before it, is given once. One that moves to an earlier page, because others went, may be
    missed: ask for a span of time that is over where that matters.
    """

    def __init__(self, ask: Ask[T], *, paging: Paging, page_size: int, most: int | None) -> None:
        if not isinstance(page_size, int) or not 1 <= page_size <= (most or page_size):
            bound = "1 or more" if most is None else f"from 1 to {most}"
            raise ConfigurationError(f"page_size must be {bound}")
        self._ask = ask
        self._counts = _COUNTS[paging]
        self._size = page_size

    def __await__(self) -> Generator[Any, Any, Page[T]]:
        return self.page(1).__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _RowByRow(_Walk(self._page, self._size))

    async def page(self, number: int) -> Page[T]:
        """Read one page.

        Args:
            number: Which one, from 1. Behind the last one they are empty.

        Raises:
            ConfigurationError: `number` is not 1 or more.
            HamsaError: Nothing was learnt; a read may always be tried again.
        """
        if not isinstance(number, int) or number < 1:
            raise ConfigurationError("pages are counted from 1")
        return await self._page(number, (number - 1) * self._size)

    def by_page(self) -> AsyncIterator[Page[T]]:
        """Read page after page, as iterating over the rows does, with repeated rows in them.

        Raises:
            HamsaError: Nothing was learnt; a read may always be tried again.
        """
        return _PageByPage(_Walk(self._page, self._size))

    async def _page(self, number: int, before: int) -> Page[T]:
        return await self._ask(self._counts(number, self._size, before), number, self._size)


class _Walk(Generic[T]):
    """A walk through the pages of a list, from the first to the last."""

    def __init__(self, read: Callable[[int, int], Awaitable[Page[T]]], size: int) -> None:
        self._read = read
        self._size = size
        self._number = 0
        self._received = 0
        self._seen: set[Hashable] = set()
        self._over = False

    async def next(self) -> tuple[Page[T], list[T]] | None:
        """The next page, and those of its rows that were on none before; `None` at the end."""
        if self._over:
            return None
        page = await self._read(self._number + 1, self._received)
        fresh = {name: row for row in page.items if (name := _name_of(row)) not in self._seen}
        self._seen |= fresh.keys()
        self._number += 1
        self._received += len(page.items)
        short = len(page.items) < self._size
        self._over = not fresh or (short and not _promises_more(page, self._received))
        return (page, list(fresh.values())) if fresh else None


class _PageByPage(AsyncIterator[Page[T]]):
    def __init__(self, walk: _Walk[T]) -> None:
        self._walk = walk

    async def __anext__(self) -> Page[T]:
        step = await self._walk.next()
        if step is None:
            raise StopAsyncIteration
        return step[0]


class _RowByRow(AsyncIterator[T]):
    def __init__(self, walk: _Walk[T]) -> None:
        self._walk = walk
        self._ready: deque[T] = deque()

    async def __anext__(self) -> T:
        if not self._ready:
            step = await self._walk.next()
            if step is None:
                raise StopAsyncIteration
            self._ready.extend(step[1])
        return self._ready.popleft()


def _name_of(row: Any) -> Hashable:
    """What tells rows apart: the id, else all that a row has. Its `repr` shows a part only."""
    name = getattr(row, "id", None)
    return name if name and isinstance(name, str) else repr(attrs.asdict(row))


def _promises_more(page: Page[Any], received: int) -> bool:
    return max(page.total or 0, page.filtered or 0) > received
