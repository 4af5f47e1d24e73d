"""Erasing data from a journal: a person who asks for it, and what has become old."""

import asyncio
import functools
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from hamsa_async._masking import mask_number
from hamsa_async.dialer.journal.forgetting import (
    Forgotten,
    OpenAttempt,
    Person,
    Traces,
    find,
    forget,
)
from hamsa_async.dialer.journal.overwriting import Overwritten, overwrite
from hamsa_async.dialer.journal.purging import (
    CHUNK,
    Purged,
    look_away,
    look_back,
    purge_contacts,
    purge_deliveries,
)
from hamsa_async.dialer.journal.schema import open_database
from hamsa_async.dialer.journal.sql import transaction
from hamsa_async.dialer.journal.thread import BREATH, ThreadedConnection
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import IN_DOUBT, AttemptState
from hamsa_async.errors import JournalError

T = TypeVar("T")


class _Writes(Protocol):
    async def write(self, write: Callable[[sqlite3.Connection], T]) -> T: ...


class _Reads(Protocol):
    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T: ...


class Erasure:
    """Erases what a journal holds of people. Every step is durable when it returns."""

    def __init__(
        self,
        path: Path,
        writer: _Writes,
        reader: _Reads,
        clock: Callable[[], datetime],
        is_dialed: Callable[[], Awaitable[bool]],
    ) -> None:
        self._path = path
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._is_dialed = is_dialed

    async def forget(self, number: str) -> Forgotten:
        """Erase a person from every campaign, and never call them again.

        Their rows, states and counts stay. A keyed hash of the number goes on the do-not-call
        list. `overwrite` then sees to the bytes.

        Args:
            number: E.164.

        Raises:
            JournalError: A call to them may be under way, or is in doubt. Nothing was erased.

        Cancellation:
            It may have been done or not; to do it again is harmless.
        """
        # A journal needs no libphonenumber but for this, and whoever reads a number has it.
        from hamsa_async.dialer.numbers import digits_as_written  # noqa: PLC0415

        person = Person(number=number, written=digits_as_written(number))
        # The long search holds nobody off; what came meanwhile is searched in the transaction.
        traces = await self._reader.run(
            lambda connection: find(connection, person, beyond=Traces())
        )
        found = await self._writer.write(
            lambda connection: forget(connection, to_millis(self._clock()), person, traces)
        )
        if isinstance(found, OpenAttempt):
            raise JournalError(
                f"journal {self._path}: {mask_number(number)} cannot be forgotten yet:"
                f" {_way_out(found)}. Nothing was erased"
            )
        return found

    async def purge(
        self, older_than: timedelta, *, progress: Callable[[int, int], None] | None = None
    ) -> Purged:
        """Let go of params, transcripts, recordings, results and webhooks' texts that are old.

        Only of contacts that nothing more is done about, and that nothing happened to since.
        Numbers, contact_ids, states, outcomes and costs stay, and so do all counts.

        Args:
            older_than: How long ago the last thing must have happened.
            progress: Told how many rows were looked at, and of how many.

        Cancellation:
            At once; what was let go by then is gone, and the rest is there.
        """
        moment = self._clock()
        now, before = to_millis(moment), to_millis(moment - older_than)
        connection = await ThreadedConnection.open(
            functools.partial(open_database, self._path, create=False),
            self._path,
            name="hamsa-journal-purge",
        )
        try:
            contacts, deliveries = await connection.run(lambda each: look_back(each, before))
            steps: list[Callable[[sqlite3.Connection], Purged]] = [
                *(functools.partial(_step, purge_contacts, now, at) for at in _starts(contacts)),
                *(
                    functools.partial(_step, purge_deliveries, before, at)
                    for at in _starts(deliveries)
                ),
            ]
            purged = Purged()
            for done, step in enumerate(steps, 1):
                purged += await connection.run(step)
                if progress is not None:
                    progress(done, len(steps))
                await asyncio.sleep(BREATH)
            await connection.run(look_away)
        finally:
            await connection.aclose()
        return purged

    async def overwrite(self) -> Overwritten:
        """See to it that what was erased is in no byte of the journal's files any more.

        What others keep from being done now is said, and done when it is asked for again.

        Cancellation:
            At once; it goes on to its end.
        """
        in_use = await self._is_dialed()
        return await asyncio.to_thread(overwrite, self._path, in_use=in_use)

    def copies(self) -> list[Path]:
        """Copies beside the journal, made before it was brought up to date: nothing erases them."""
        return sorted(self._path.parent.glob(f"{self._path.name}.v*.bak"))


def _starts(last: int) -> range:
    return range(0, last, CHUNK)


def _step(
    purge: Callable[[sqlite3.Connection, int, int], Purged],
    moment: int,
    after: int,
    connection: sqlite3.Connection,
) -> Purged:
    with transaction(connection):
        return purge(connection, moment, after)


def _way_out(found: OpenAttempt) -> str:
    """What is to be done about an open attempt."""
    whose = f"campaign {found.campaign}"
    if found.state in IN_DOUBT:
        return (
            f"whether a call of {whose} rang is in doubt; settle it first: hamsa campaign"
            f" reconcile {found.campaign}, or with your word, hamsa campaign reconcile"
            f" {found.campaign} {found.attempt_id} --placed CALL_ID | --absent"
        )
    if found.state is AttemptState.INTENDED:
        return (
            f"{whose} is placing a call to it; run this again when that is over (where no dialer"
            f" runs, run the campaign first, or hamsa campaign reconcile {found.campaign})"
        )
    until = "run the campaign, which looks for its end, and then this again"
    if found.ends_by is not None:
        ends_by = found.ends_by.astimezone(UTC)
        until = (
            f"run this again when its end was seen, or after {ends_by:%Y-%m-%d %H:%M} UTC, when it"
            " must be over"
        )
    return f"a call of {whose} is not over, as far as is known; {until}"


__all__ = ["Erasure", "Forgotten", "Overwritten", "Purged"]
