"""Lists end, whatever the server says, and give every row once."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from hamsa_async import ConfigurationError, Page, Pages
from hamsa_async._operations import Paging
from hamsa_async.models import AgentDetails


@attrs.frozen
class Row:
    id: str | None
    text: str = ""


def rows(*names: object) -> list[Row]:
    return [Row(str(name)) for name in names]


class Server:
    """Gives pages as a function says, and notes what it was asked for."""

    def __init__(self, give: Any, *, total: int | None = None, filtered: int | None = None) -> None:
        self.give = give
        self.total = total
        self.filtered = filtered
        self.asked: list[Mapping[str, int]] = []

    async def __call__(self, counts: Mapping[str, int], number: int, size: int) -> Page[Row]:
        self.asked.append(counts)
        assert len(self.asked) < 100, "it loops"
        items: Sequence[Row] = self.give(counts)
        return Page(
            items=tuple(items), number=number, size=size, total=self.total, filtered=self.filtered
        )


def of(
    server: Server, paging: Paging = Paging.PAGE, size: int = 2, most: int | None = None
) -> Pages[Row]:
    return Pages(server, paging=paging, page_size=size, most=most)


async def ids(pages: Pages[Row]) -> list[str | None]:
    return [row.id async for row in pages]


ALL = rows(*range(5))
DIALECTS = {
    Paging.PAGE: lambda c: ALL[(c["page"] - 1) * c["perPage"] :][: c["perPage"]],
    Paging.PAGE_IN_SKIP: lambda c: ALL[(c["skip"] - 1) * c["take"] :][: c["take"]],
    Paging.ROWS_IN_SKIP: lambda c: ALL[c["skip"] :][: c["take"]],
}
FIRST_TWO = {
    Paging.PAGE: [{"page": 1, "perPage": 2}, {"page": 2, "perPage": 2}],
    Paging.PAGE_IN_SKIP: [{"skip": 1, "take": 2}, {"skip": 2, "take": 2}],
    Paging.ROWS_IN_SKIP: [{"skip": 0, "take": 2}, {"skip": 2, "take": 2}],
}


@pytest.mark.parametrize("paging", Paging)
@pytest.mark.parametrize("total", [None, 5, 0, 3, 1000, -1])
async def test_every_dialect_gives_every_row(paging: Paging, total: int | None) -> None:
    """Each way of counting asks for the right pages, whatever the total says."""
    server = Server(DIALECTS[paging], total=total)
    assert await ids(of(server, paging)) == ["0", "1", "2", "3", "4"]
    assert server.asked[:2] == FIRST_TWO[paging]
    assert len(server.asked) == (4 if total == 1000 else 3)


@pytest.mark.parametrize("paging", Paging)
async def test_one_page_by_its_number(paging: Paging) -> None:
    """A page is asked for by its number from 1, and the first one by awaiting the list."""
    server = Server(DIALECTS[paging], total=5)
    pages = of(server, paging)
    second = await pages.page(2)
    assert ([row.id for row in second], second.number, second.total) == (["2", "3"], 2, 5)
    first = await pages
    assert (len(first), first.number, first.size) == (2, 1, 2)
    assert len(await pages.page(9)) == 0


async def test_each_iteration_begins_anew() -> None:
    """A list can be read again."""
    server = Server(DIALECTS[Paging.PAGE])
    pages = of(server)
    assert await ids(pages) == await ids(pages)


async def test_an_empty_list_takes_one_request() -> None:
    """An empty first page is the end, also where the total says otherwise."""
    for total in (None, 0, 7):
        server = Server(lambda _: [], total=total)
        assert await ids(of(server)) == []
        assert len(server.asked) == 1


async def test_a_server_that_gives_less_than_asked_is_read_to_its_end() -> None:
    """A cap on the size of pages is no end where the totals promise more."""
    server = Server(lambda c: ALL[c["skip"] :][:1], total=5)
    assert await ids(of(server, Paging.ROWS_IN_SKIP)) == ["0", "1", "2", "3", "4"]
    by_filter = Server(lambda c: ALL[c["skip"] :][:1], total=1, filtered=5)
    assert await ids(of(by_filter, Paging.ROWS_IN_SKIP)) == ["0", "1", "2", "3", "4"]


async def test_a_server_that_ignores_the_page_ends() -> None:
    """The same page again and again is given once."""
    server = Server(lambda _: ALL[:2], total=1000)
    assert await ids(of(server)) == ["0", "1"]
    assert len(server.asked) == 2


async def test_a_server_that_goes_round_in_circles_ends() -> None:
    """Pages that come back later end the list as well."""
    server = Server(lambda c: ALL[:2] if c["page"] % 2 else ALL[2:4], total=1000)
    assert await ids(of(server)) == ["0", "1", "2", "3"]
    assert len(server.asked) == 3


async def test_rows_that_move_to_a_later_page_are_given_once() -> None:
    """New rows at the top push others down; those are not given again."""
    shifted = {1: rows("b", "a"), 2: rows("a", "z"), 3: rows("y")}
    server = Server(lambda c: shifted[c["page"]])
    assert await ids(of(server)) == ["b", "a", "z", "y"]


async def test_a_page_keeps_rows_that_were_there_before() -> None:
    """Page by page, nothing is taken out."""
    shifted = {1: rows("b", "a"), 2: rows("a", "z"), 3: rows("y")}
    server = Server(lambda c: shifted[c["page"]])
    pages = [[row.id for row in page] async for page in of(server).by_page()]
    assert pages == [["b", "a"], ["a", "z"], ["y"]]


@pytest.mark.parametrize("row_id", [None, "", [7]])
async def test_rows_without_an_id_whose_repr_is_the_same(row_id: Any) -> None:
    """A model's `repr` shows a part of it; no row is lost for that, whatever stands as its id."""
    agents = [
        AgentDetails(id=row_id, agent_name="Sara", greeting_message=text) for text in ("one", "two")
    ]
    assert repr(agents[0]) == repr(agents[1])
    pages: Pages[Any] = of(Server(lambda counts: agents if counts["page"] == 1 else []))
    assert [agent.greeting_message async for agent in pages] == ["one", "two"]


async def test_rows_without_an_id_are_told_apart_by_what_they_have() -> None:
    """They cannot loop either."""
    server = Server(lambda _: [Row(None, "a"), Row(None, "b")], total=1000)
    assert [row.text async for row in of(server)] == ["a", "b"]


async def test_leaving_early_asks_for_no_more() -> None:
    """A page is asked for when the last one is used up, not before."""
    server = Server(DIALECTS[Paging.PAGE])
    async for row in of(server):
        if row.id == "1":
            break
    assert len(server.asked) == 1


async def test_sizes_and_numbers_that_cannot_be_asked_for() -> None:
    """They are refused before anything is sent."""
    server = Server(DIALECTS[Paging.PAGE])
    for size, most in ((0, None), (201, 200), (-1, 200), ("5", None)):
        with pytest.raises(ConfigurationError, match="page_size must be"):
            of(server, size=size, most=most)  # type: ignore[arg-type]
    for number in (0, -1, "1"):
        with pytest.raises(ConfigurationError, match="counted from 1"):
            await of(server).page(number)  # type: ignore[arg-type]
    assert server.asked == []
