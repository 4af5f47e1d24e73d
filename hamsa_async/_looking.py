"""Looks at the list of calls, so that doubt about one can be settled.

What a look proves is decided in `_settling`. The API is seen through two small Protocols: the
client's resource is one, a function may be.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import attrs

from hamsa_async._settling import (
    Candidate,
    Doubt,
    Look,
    Span,
    find_control,
    number_of,
    read_number,
    same_number,
    speaks_for,
    to_look_at,
)
from hamsa_async.errors import NotFoundError
from hamsa_async.models.conversations import Conversation, ConversationSummary
from hamsa_async.models.pages import Page

_MOST_ROWS: Final = 200


class CallList(Protocol):
    """A list of calls that is not read yet."""

    async def page(self, number: int) -> Page[ConversationSummary]:
        """Read one page, from 1."""


class CallReads(Protocol):
    """Reads about calls. `Conversations` is one."""

    def list(self, *, start_time: datetime, end_time: datetime, page_size: int) -> CallList:
        """List the calls that were created between two moments, both included."""

    async def get(self, conversation_id: str) -> Conversation:
        """Read one call in full; raises `NotFoundError` where there is none."""


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.define
class _Reading:
    """What the answers of one look hold together."""

    pages: list[Page[ConversationSummary]] = attrs.field(factory=list)
    crowded: bool = False

    def rows(self) -> Sequence[ConversationSummary]:
        """Every row once, as it was shown last."""
        return tuple({row.id: row for page in self.pages for row in page}.values())

    def dates(self) -> Span | None:
        """The server's clock at the first and the last answer, if all of them said it."""
        dates = [page.at for page in self.pages if page.at is not None]
        if len(dates) < len(self.pages):
            return None
        return Span(begin=min(dates), end=max(dates))


async def look(
    calls: CallReads,
    doubt: Doubt,
    *,
    bound: Container[str],
    placed: Mapping[str, datetime],
    now: Callable[[], datetime] = _now,
    step: timedelta | None = None,
) -> Look:
    """Look for the call of an attempt whose outcome is unknown. Only reads.

    Args:
        calls: The API.
        doubt: The attempt.
        bound: Ids of calls that belong to other attempts: they are not read in detail.
        placed: Ids of calls that were placed, of which one may be a control; see `Doubt.later`.
        now: Our clock.
        step: Widen what is read to whole steps of time, so that looks for attempts of about the
            same time ask the same questions, which `calls` may answer from one reading.

    Raises:
        HamsaError: A read failed; nothing is concluded.
    """
    ahead = await _server_ahead(calls, doubt, now)
    taken = doubt.taken_in(ahead or 0.0)
    later = doubt.later(placed)
    span = to_look_at(taken, later.values(), ahead or 0.0)
    if step is not None:
        span = span.outward(step)
    named = await _named(calls, doubt)
    reading = await _read(calls, span)
    rows = reading.rows()
    numbers = [number_of(row) for row in rows]
    ours = read_number(doubt.to_number)
    assert ours is not None
    candidates = [
        await _in_full(calls, row)
        for row, number in zip(rows, numbers, strict=True)
        if number is not None and same_number(ours, number) and row.id not in bound
    ]
    return Look(
        at=now(),
        taken=taken,
        span=span,
        dates=None if ahead is None else reading.dates(),
        crowded=reading.crowded,
        unreadable=numbers.count(None),
        control=find_control(rows, later, taken),
        candidates=tuple(candidates),
        named=named,
    )


async def _server_ahead(
    calls: CallReads, doubt: Doubt, now: Callable[[], datetime]
) -> float | None:
    """Ask what time it is there, before it is decided which span to read."""
    page = await calls.list(
        start_time=doubt.begun_at, end_time=doubt.begun_at + timedelta(hours=1), page_size=1
    ).page(1)
    return None if page.at is None else (page.at - now()).total_seconds()


async def _named(calls: CallReads, doubt: Doubt) -> Candidate | None:
    if doubt.call_id is None:
        return None
    try:
        conversation = await calls.get(doubt.call_id)
    except NotFoundError:
        return None
    return Candidate.of(conversation) if speaks_for(doubt, conversation) else None


async def _read(calls: CallReads, span: Span) -> _Reading:
    """Read all calls of a span, in halves where they do not fit on one page.

    A second page is never asked for: rows move between pages when calls are added meanwhile.
    """
    reading = _Reading()
    waiting = [span]
    while waiting and not reading.crowded:
        part = waiting.pop()
        page = await calls.list(
            start_time=part.begin, end_time=part.end, page_size=_MOST_ROWS
        ).page(1)
        halves = () if _is_whole(page) else part.halves()
        if halves:
            waiting += reversed(halves)
            continue
        reading.crowded = halves is None
        reading.pages.append(page)
    return reading


def _is_whole(page: Page[ConversationSummary]) -> bool:
    """Whether all rows of the span are on it: it has room left, and no more are said to be."""
    return len(page) < _MOST_ROWS and (page.filtered or 0) <= len(page)


async def _in_full(calls: CallReads, row: ConversationSummary) -> Candidate:
    try:
        return Candidate.of(await calls.get(row.id))
    except NotFoundError:  # listed, and not to be read: it carries no reference then
        return Candidate.of(row)
