"""How resources make their lists."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hamsa_async._operations import Operation
from hamsa_async._paging import Pages
from hamsa_async._requests import Query, build
from hamsa_async._sender import Sender
from hamsa_async.models.pages import Page
from hamsa_async.options import Answer, RequestOptions

T = TypeVar("T")

ReadPage = Callable[[Answer, int, int], Page[T]]


def by_query(
    sender: Sender,
    operation: Operation,
    read: ReadPage[T],
    *,
    page_size: int,
    query: Query,
    options: RequestOptions,
    most: int | None = None,
) -> Pages[T]:
    """Make a list whose filter and page stand in the query.

    Raises:
        ConfigurationError: `page_size` is not from 1 to `most`, or a value of the query cannot
            be written.
    """
    build(operation, query=query)  # what is wrong with it is said now, not at the first page

    async def ask(counts: Mapping[str, int], number: int, size: int) -> Page[T]:
        request = build(operation, query={**query, **counts})
        return await sender.send(
            request, lambda answer: read(answer, number, size), options=options
        )

    return _pages(operation, ask, page_size, most)


def by_body(
    sender: Sender,
    operation: Operation,
    read: ReadPage[T],
    *,
    page_size: int,
    query: Query,
    body: Mapping[str, Any],
    options: RequestOptions,
) -> Pages[T]:
    """Make a list whose filter and page stand in a body.

    Raises:
        ConfigurationError: `page_size` is not 1 or more, or a value cannot be written.
    """
    build(operation, query=query, body=body)

    async def ask(counts: Mapping[str, int], number: int, size: int) -> Page[T]:
        request = build(operation, query=query, body={**body, **counts})
        return await sender.send(
            request, lambda answer: read(answer, number, size), options=options
        )

    return _pages(operation, ask, page_size, None)


def _pages(operation: Operation, ask: Any, page_size: int, most: int | None) -> Pages[T]:
    assert operation.paging is not None
    return Pages(ask, paging=operation.paging, page_size=page_size, most=most)
