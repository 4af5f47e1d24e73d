"""The rules in the transaction that writes an intent: what they are told, what they answer."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from hamsa_async.dialer.journal.pseudonyms import known_as
from hamsa_async.dialer.journal.records import Candidate
from hamsa_async.dialer.journal.sql import one_of
from hamsa_async.dialer.journal.times import to_moment
from hamsa_async.dialer.machine import MAY_HAVE_RUNG, OPEN_ATTEMPTS
from hamsa_async.dialer.policy import History

MIN_GAP: Final = timedelta(minutes=60)
"""Between two calls to one number, whoever placed them."""

# An attempt may have rung at any moment up to its end.
_CALLS: Final = (
    "SELECT intended_at, coalesce(ended_at, settled_at, intended_at), state, declined_at"
    " FROM attempts"
    f" WHERE phone_number = ? AND {one_of('state', MAY_HAVE_RUNG)}"
)
# Calls of others. One that is ours after all was seen before its answer was written down.
_FOREIGN: Final = (
    "SELECT k.placed_at, k.placed_at + 1000 * coalesce(k.duration, 0), k.status, NULL"
    " FROM calls AS k"
    " WHERE k.phone_number = ? AND k.attempt IS NULL AND k.placed_at IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.call_id = k.id)"
)
_REGISTERS: Final = "SELECT max(dated_at) FROM registers"
_SUPPRESSED: Final = "SELECT min(since) FROM suppressed WHERE phone_number = ?"


@attrs.frozen(kw_only=True)
class Ruling:
    """What the rules say of a contact at a moment.

    Attributes:
        allowed: Whether it may be dialed.
        reason: The code of the rule that holds it.
        detail: The same as a sentence, without the number.
        due_at: When to look again; `None`, where it is held: never.
        zone: The time zones that the person may be in, where rules asked for them.
        zone_source: Who says so.
    """

    allowed: bool
    reason: str | None = None
    detail: str | None = None
    due_at: datetime | None = None
    zone: str | None = None
    zone_source: str | None = None


Judge: TypeAlias = Callable[[Candidate, History, datetime], Ruling]
"""Judges a contact by what is known of its number. Pure: it runs in a transaction."""


def calls_to(connection: sqlite3.Connection, known_as: str) -> tuple[datetime, ...]:
    """The moments at which a number may have rung, as the journal calls it; oldest first."""
    calls = connection.execute(_CALLS, (known_as,)).fetchall()
    calls += connection.execute(_FOREIGN, (known_as,)).fetchall()
    return tuple(sorted(to_moment(at) for at, *_ in calls))


def history_of(connection: sqlite3.Connection, phone_number: str) -> History:
    """What the journal knows of a number, over all of its campaigns."""
    phone_number = known_as(connection, phone_number)
    calls = connection.execute(_CALLS, (phone_number,)).fetchall()
    calls += connection.execute(_FOREIGN, (phone_number,)).fetchall()
    (registers,) = connection.execute(_REGISTERS).fetchone()
    (since,) = connection.execute(_SUPPRESSED, (phone_number,)).fetchone()
    last = max((end for _, end, *_ in calls), default=None)
    declined = max((at for *_, at in calls if at is not None), default=None)
    return History(
        calls=tuple(sorted(to_moment(at) for at, *_ in calls)),
        is_open=any(state in OPEN_ATTEMPTS for _, _, state, _ in calls),
        declined_at=None if declined is None else to_moment(declined),
        gap_until=None if last is None else to_moment(int(last)) + MIN_GAP,
        suppressed_since=None if since is None else to_moment(since),
        registers_at=None if registers is None else to_moment(registers),
    )
