"""One page of a list."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Generic, TypeVar

import attrs

from hamsa_async._values import frozen

_T = TypeVar("_T")


@frozen(kw_only=True)
class Page(Generic[_T]):
    """One page of a list, with what the API says of the whole.

    `len(page)` and `for row in page` are about its rows.
    """

    items: Sequence[_T] = attrs.field(repr=False)
    number: int
    """Which page it is, from 1."""

    size: int
    """How many rows a page was asked to have. It may have fewer before the last, too."""

    total: int | None = None
    """How many rows there are in all, as the API says; `None` where it does not. In some lists
    it counts rows that the filter leaves out."""

    filtered: int | None = None
    """What the API calls so. Its meaning is not certain: the rows that the filter leaves, or
    those on this page."""

    at: datetime | None = None
    """The server's clock as it answered, cut to the second; `None` where it did not say."""

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[_T]:
        return iter(self.items)
