"""The do-not-call list of a journal: one for all of its campaigns, effective at once.

It is asked in the transaction that writes an intent, so that a number that was added by another
process a moment ago is not dialed. A number may be there from several *sources* (a register, the
operator, a call); it is called only when none of them names it any more.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.dialer.journal.pseudonyms import FORGOTTEN, known_as
from hamsa_async.dialer.journal.thread import BREATH
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.errors import ConfigurationError

T = TypeVar("T")

OPERATOR: Final = "operator"
"""The source of numbers that somebody added by hand."""

CALL: Final = "call"
"""The source of numbers whose owners said so in a call."""

_CHUNK: Final = 2_000  # numbers per transaction: a longer one holds off a running dialer's intents
_PAGE: Final = 1_000

_ADD: Final = (
    "INSERT INTO suppressed (phone_number, source, since, stamp) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (phone_number, source) DO UPDATE SET stamp = excluded.stamp"
)
_OF_ATTEMPT: Final = "SELECT phone_number FROM attempts WHERE id = ?"
_FIND: Final = (
    "SELECT phone_number, source, since FROM suppressed WHERE phone_number = ? ORDER BY since"
)
_ALL: Final = (
    "SELECT phone_number, source, since FROM suppressed WHERE (phone_number, source) > (?, ?)"
    " ORDER BY phone_number, source LIMIT ?"
)
_STATS: Final = (
    "SELECT s.source, count(*), min(s.since), max(s.since), r.dated_at, r.imported_at"
    " FROM suppressed AS s LEFT JOIN registers AS r ON r.source = s.source GROUP BY s.source"
    " UNION ALL SELECT source, 0, NULL, NULL, dated_at, imported_at FROM registers AS r"
    " WHERE NOT EXISTS (SELECT 1 FROM suppressed AS s WHERE s.source = r.source) ORDER BY 1"
)
_DROP_OLD: Final = (
    "DELETE FROM suppressed WHERE (phone_number, source) IN (SELECT phone_number, source"
    " FROM suppressed WHERE source = ? AND stamp < ? LIMIT ?)"
)
_REGISTER: Final = (
    "INSERT INTO registers (source, dated_at, imported_at) VALUES (?, ?, ?)"
    " ON CONFLICT (source) DO UPDATE SET dated_at = excluded.dated_at,"
    " imported_at = excluded.imported_at"
)


@attrs.frozen(kw_only=True)
class Suppression:
    """One source's word that a number is not to be called.

    Attributes:
        phone_number: E.164; of a number that was forgotten, `forgotten:` and its hash.
        source: Who says so.
        since: Since when.
    """

    phone_number: str = attrs.field(repr=mask_number)
    source: str
    since: datetime


@attrs.frozen(kw_only=True)
class SourceStats:
    """What one source says.

    Attributes:
        source: Its name.
        numbers: How many numbers it names.
        first_at: Since when the first of them is there.
        last_at: Since when the last one is.
        dated_at: The date of the register, where it is one.
        imported_at: When that was imported.
    """

    source: str
    numbers: int
    first_at: datetime | None
    last_at: datetime | None
    dated_at: datetime | None
    imported_at: datetime | None


class _Writes(Protocol):
    async def write(self, write: Callable[[sqlite3.Connection], T]) -> T: ...


class _Reads(Protocol):
    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T: ...

    async def fetch(self, query: str, *values: object) -> list[Any]: ...


class Suppressions:
    """The do-not-call list of a journal. Every write is durable when it returns."""

    def __init__(self, writer: _Writes, reader: _Reads, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock

    async def add(self, numbers: Iterable[str], *, source: str = OPERATOR) -> int:
        """Name numbers as not to be called, from now on; how many of them were new.

        A number that the source has named before keeps its date.

        Args:
            numbers: E.164.
            source: Who says so.
        """
        return await self._add(numbers, source, to_millis(self._clock()))

    async def take_over(
        self,
        chunks: AsyncIterator[Sequence[str]],
        *,
        source: str,
        dated_at: datetime,
        replace: bool,
    ) -> tuple[int, int]:
        """Import a register; how many of its numbers were new, and how many are gone.

        It goes in steps that others can write between. Numbers are added as they come, and only
        when the register was read to its end are those taken away that it no longer names: what
        breaks off in between leaves too many that are not called, never too few.

        Args:
            chunks: Its numbers, E.164.
            source: Its name.
            dated_at: Of when it is.
            replace: Whether numbers that it named before and does not name now are called again.
        """
        now = to_millis(self._clock())
        stamp = await self._next_stamp(source, now)
        new = 0
        async for numbers in chunks:
            new += await self._add(numbers, source, now, stamp)
            await asyncio.sleep(BREATH)
        gone = await self._drop_older(source, stamp) if replace else 0
        values = (source, to_millis(dated_at), now)
        await self._writer.write(lambda connection: _execute(connection, _REGISTER, values))
        return new, gone

    async def remove(self, number: str, *, source: str | None = None) -> Sequence[Suppression]:
        """Let a number be called again; what was taken away.

        Args:
            number: E.164.
            source: Whose word is taken away; by default everybody's.
        """
        found = [each for each in await self.find(number) if source in {None, each.source}]

        def write(connection: sqlite3.Connection) -> None:
            for each in found:
                values = (each.phone_number, each.source)
                connection.execute(
                    "DELETE FROM suppressed WHERE phone_number = ? AND source = ?", values
                )

        if found:
            await self._writer.write(write)
        return found

    async def find(self, number: str) -> Sequence[Suppression]:
        """Who says that a number is not to be called, the first first.

        A number that was forgotten is found by its hash, which stands in its place.
        """
        found = await self._reader.run(
            lambda connection: connection.execute(_FIND, (known_as(connection, number),)).fetchall()
        )
        return [_suppression(row) for row in found]

    async def all(self) -> AsyncIterator[Suppression]:
        """Everything on the list, by number, in short reads."""
        after = ("", "")
        while True:
            found = await self._reader.fetch(_ALL, *after, _PAGE)
            for row in found:
                yield _suppression(row)
            if len(found) < _PAGE:
                return
            after = (found[-1][0], found[-1][1])

    async def stats(self) -> Sequence[SourceStats]:
        """What each source says."""
        return [
            SourceStats(
                source=source,
                numbers=numbers,
                first_at=_moment(first),
                last_at=_moment(last),
                dated_at=_moment(dated),
                imported_at=_moment(imported),
            )
            for source, numbers, first, last, dated, imported in await self._reader.fetch(_STATS)
        ]

    async def _add(
        self, numbers: Iterable[str], source: str, since: int, stamp: int | None = None
    ) -> int:
        if source == FORGOTTEN:
            raise ConfigurationError(
                f"the source {FORGOTTEN!r} is kept for people who were forgotten: choose another"
            )
        given, new = list(dict.fromkeys(numbers)), 0
        for start in range(0, len(given), _CHUNK):
            chunk = given[start : start + _CHUNK]

            def write(connection: sqlite3.Connection, chunk: Sequence[str] = chunk) -> int:
                rows = [
                    (known_as(connection, number), source, since, since if stamp is None else stamp)
                    for number in chunk
                ]
                before = _count(connection, source, [row[0] for row in rows])
                connection.executemany(_ADD, rows)
                return len(rows) - before

            new += await self._writer.write(write)
        return new

    async def _next_stamp(self, source: str, now: int) -> int:
        """A stamp later than any of the source's: two imports may come in one millisecond."""
        found = await self._reader.fetch(
            "SELECT max(stamp) FROM suppressed WHERE source = ?", source
        )
        last = found[0][0]
        return now if last is None else max(now, last + 1)

    async def _drop_older(self, source: str, stamp: int) -> int:
        values = (source, stamp, _CHUNK)
        gone = 0
        while True:
            count = await self._writer.write(
                lambda connection: _execute(connection, _DROP_OLD, values)
            )
            gone += count
            if count < _CHUNK:
                return gone
            await asyncio.sleep(BREATH)


def suppress_number_of(connection: sqlite3.Connection, now: int, attempt_id: str) -> None:
    """Put the number of an attempt on the list, in the transaction that writes its outcome."""
    (number,) = connection.execute(_OF_ATTEMPT, (attempt_id,)).fetchone()
    connection.execute(_ADD, (number, CALL, now, now))


def _execute(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> int:
    return connection.execute(statement, values).rowcount


def _count(connection: sqlite3.Connection, source: str, numbers: Sequence[str]) -> int:
    """How many of these numbers the source names already."""
    found = 0
    for number in numbers:
        found += (
            connection.execute(
                "SELECT 1 FROM suppressed WHERE phone_number = ? AND source = ?", (number, source)
            ).fetchone()
            is not None
        )
    return found


def _suppression(row: tuple[str, str, int]) -> Suppression:
    number, source, since = row
    return Suppression(phone_number=number, source=source, since=to_moment(since))


def _moment(millis: int | None) -> datetime | None:
    return None if millis is None else to_moment(millis)


def summary_of(stats: Sequence[SourceStats]) -> Mapping[str, Any]:
    """The list in numbers, as JSON."""
    return {
        "sources": [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in attrs.asdict(each).items()
            }
            for each in stats
        ],
    }
