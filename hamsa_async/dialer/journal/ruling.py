"""The rules in the transaction that writes an intent: what they are told, what they answer."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from hamsa_async.dialer.journal.records import Candidate
from hamsa_async.dialer.journal.sql import quoted
from hamsa_async.dialer.journal.times import to_moment
from hamsa_async.dialer.machine import MAY_HAVE_RUNG, OPEN_ATTEMPTS
from hamsa_async.dialer.policy import History

MIN_GAP: Final = timedelta(minutes=60)
"""Between two calls to one number, whoever placed them."""

# An attempt may have rung at any moment up to its end.
_CALLS: Final = (
    "SELECT intended_at AS began, coalesce(ended_at, settled_at, intended_at),"
    f" state IN ({quoted(OPEN_ATTEMPTS)}) AND coalesce(ends_by > ?, 1) FROM attempts"
    f" WHERE phone_number = ? AND state IN ({quoted(MAY_HAVE_RUNG)})"
    # Calls that somebody else placed count like our own.
    " UNION ALL SELECT placed_at, placed_at, 0 FROM calls"
    " WHERE phone_number = ? AND attempt IS NULL AND placed_at IS NOT NULL ORDER BY began"
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


def history_of(connection: sqlite3.Connection, now: int, phone_number: str) -> History:
    """What the journal knows of a number, over all of its campaigns."""
    calls = connection.execute(_CALLS, (now, phone_number, phone_number)).fetchall()
    (registers,) = connection.execute(_REGISTERS).fetchone()
    (since,) = connection.execute(_SUPPRESSED, (phone_number,)).fetchone()
    last = max((end for _, end, _ in calls), default=None)
    return History(
        calls=tuple(to_moment(at) for at, _, _ in calls),
        is_open=any(is_open for _, _, is_open in calls),
        gap_until=None if last is None else to_moment(last) + MIN_GAP,
        suppressed_since=None if since is None else to_moment(since),
        registers_at=None if registers is None else to_moment(registers),
    )
