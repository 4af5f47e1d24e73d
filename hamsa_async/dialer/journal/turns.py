"""Whose turn it is: the order in which a campaign's contacts are dialed.

By priority first. Within one, those who wait for no time come in the list's order, then those
whose time has come: deferred ones before those tried again. `plan` goes by the same order.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias

from hamsa_async.dialer.contacts import HIGHEST
from hamsa_async.dialer.journal.times import to_moment
from hamsa_async.dialer.machine import ContactState

BEFORE_ALL: Final = -(HIGHEST + 1)
"""A rank before that of any contact."""

# In the order in which they get their turn: fresh ones before those tried again.
_WAITING: Final = (ContactState.DEFERRED, ContactState.RETRY)

_RANK: Final = "SELECT rank FROM contacts WHERE id = ?"
# Rank by rank: SQLite does not use both columns of the index for `(rank, id) > (?, ?)`.
_PENDING: Final = (
    f"campaign = ? AND state = '{ContactState.PENDING}' AND rank = ? AND id > ? ORDER BY id LIMIT ?"
)
_NEXT_RANK: Final = {
    state: f"SELECT min(rank) FROM contacts WHERE campaign = ? AND state = '{state}' AND rank > ?"
    for state in (ContactState.PENDING, *_WAITING)
}
_DUE: Final = {
    state: (
        f"campaign = ? AND state = '{state}' AND rank = ? AND due_at <= ?"
        " ORDER BY due_at, id LIMIT ?"
    )
    for state in _WAITING
}
_FIRST: Final = {
    state: (
        "SELECT due_at, coalesce(reason, state) FROM contacts WHERE campaign = ?"
        f" AND state = '{state}' AND rank = ? AND due_at > ?"
    )
    for state in _WAITING
}


Select: TypeAlias = Callable[[str, tuple[Any, ...]], list[Any]]
"""Selects contacts by a condition and its values."""


def pending(
    connection: sqlite3.Connection, campaign: int, after: int, limit: int, select: Select
) -> list[Any]:
    """Those of one rank who wait for no time, past contact `after`, as `select` gives them."""
    found = connection.execute(_RANK, (after,)).fetchone()
    last = BEFORE_ALL if found is None else found[0]
    more = select(_PENDING, (campaign, last, after, limit))
    if more:
        return more
    (rank,) = connection.execute(_NEXT_RANK[ContactState.PENDING], (campaign, last)).fetchone()
    return [] if rank is None else select(_PENDING, (campaign, rank, 0, limit))


def due(
    connection: sqlite3.Connection,
    campaign: int,
    now: int,
    limit: int,
    *,
    before: int | None,
    select: Select,
) -> list[Any]:
    """Those of the first rank whose time has come, as `select` gives them.

    Args:
        connection: The journal.
        campaign: Whose contacts.
        now: The moment.
        limit: How many at the most.
        before: Only ranks before this one.
        select: See `Select`.
    """
    for rank in _ranks(connection, campaign, before):
        for state in _WAITING:
            found = select(_DUE[state], (campaign, rank, now, limit))
            if found:
                return found
    return []


def next_due(
    connection: sqlite3.Connection,
    campaign: int,
    condition: str,
    *,
    before: int | None,
    after: int,
) -> tuple[datetime, str] | None:
    """When the first of those is due who wait for a time past `after`, and why; see `due`."""
    found = [
        first
        for rank in _ranks(connection, campaign, before)
        for state in _WAITING
        if (
            first := connection.execute(
                f"{_FIRST[state]}{condition} ORDER BY due_at LIMIT 1", (campaign, rank, after)
            ).fetchone()
        )
    ]
    if not found:
        return None
    moment, why = min(found)
    return to_moment(moment), why


def _ranks(connection: sqlite3.Connection, campaign: int, before: int | None) -> Iterator[int]:
    """The ranks of those who wait, in order: a hundred at the most, each found by one look."""
    last = BEFORE_ALL
    while True:
        found = [
            rank
            for state in _WAITING
            for (rank,) in connection.execute(_NEXT_RANK[state], (campaign, last))
            if rank is not None
        ]
        if not found or (before is not None and min(found) >= before):
            return
        last = min(found)
        yield last
