"""Attempts in doubt and how they are settled, as functions of the transaction that writes it."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.ending import Written
from hamsa_async.dialer.journal.records import DoubtRecord, Verdict
from hamsa_async.dialer.journal.sql import one_of, quoted
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.dialer.machine import (
    IN_DOUBT,
    OPEN_ATTEMPTS,
    AttemptState,
    ContactState,
    Happening,
    move,
    sources,
)

_CONTROLS: Final = 50  # later calls of ours, of which the list must show one

_DOUBTS: Final = (
    "SELECT a.id, c.row, c.list, a.phone_number, a.state, a.intended_at, a.settled_at, a.call_id,"
    " a.server_ahead, a.first_look, a.looked_at, a.evidence"
    " FROM attempts AS a INDEXED BY open_attempts JOIN contacts AS c ON c.id = a.contact"
    # The first condition is the index's own, word for word: without it it is not used.
    f" WHERE {one_of('a.state', OPEN_ATTEMPTS)} AND a.state IN ({quoted(IN_DOUBT)})"
    " AND a.campaign = ? ORDER BY a.id"
)
_BOUND: Final = (
    "SELECT call_id FROM attempts WHERE phone_number = ? AND call_id IS NOT NULL AND id <> ?"
)
_LATER: Final = (
    "SELECT call_id, intended_at FROM attempts WHERE call_id IS NOT NULL AND intended_at >= ?"
    f" AND state IN ('{AttemptState.PLACED}', '{AttemptState.ENDED}')"
    " ORDER BY intended_at LIMIT ?"
)
_NOTE: Final = (
    "UPDATE attempts SET first_look = ?, looked_at = coalesce(looked_at, ?), evidence = ?"
    f" WHERE id = ? AND state IN ({quoted(IN_DOUBT)})"
)
_SETTLE: Final = {
    state: (
        f"UPDATE attempts SET state = '{state}', evidence = ?, call_id = coalesce(?, call_id),"
        f" placed_at = ?, ends_by = ? WHERE id = ? AND state IN ({quoted(sources(state))})"
    )
    for state in (AttemptState.ABSENT, AttemptState.REVIEW)
} | {
    AttemptState.PLACED: (
        f"UPDATE attempts SET state = '{AttemptState.PLACED}', evidence = ?, call_id = ?,"
        " placed_at = ?, ends_by = ? WHERE id = ? AND state IN"
        f" ({quoted(sources(AttemptState.PLACED) - {AttemptState.INTENDED})})"
    )
}
_CONTACT: Final = (
    "SELECT c.id, c.row, c.list, c.state, c.outcome FROM attempts AS a"
    " JOIN contacts AS c ON c.id = a.contact WHERE a.id = ?"
)
_MOVE: Final = (
    "UPDATE contacts SET state = ?, reason = ?, detail = NULL, due_at = ?, call_id = ? WHERE id = ?"
)

_HAPPENINGS: Final[Mapping[AttemptState, Happening]] = {
    AttemptState.PLACED: Happening.FOUND,
    AttemptState.ABSENT: Happening.ABSENT,
    AttemptState.REVIEW: Happening.REVIEWED,
}
_KINDS: Final[Mapping[AttemptState, EventKind]] = {
    AttemptState.PLACED: EventKind.FOUND,
    AttemptState.ABSENT: EventKind.ABSENT,
    AttemptState.REVIEW: EventKind.REVIEWED,
}


def doubts(connection: sqlite3.Connection, campaign: int) -> list[DoubtRecord]:
    """The campaign's attempts in doubt, oldest first."""
    return [_doubt(row) for row in connection.execute(_DOUBTS, (campaign,))]


def _doubt(row: tuple[Any, ...]) -> DoubtRecord:
    attempt, place, of_list, number, state, intended_at, settled_at, call_id, *found = row
    ahead, first, looked, said = found
    return DoubtRecord(
        attempt_id=attempt,
        row=place,
        list_number=of_list,
        phone_number=number,
        state=AttemptState(state),
        begun_at=to_moment(intended_at),
        ended_at=to_moment(settled_at),
        call_id=call_id,
        server_ahead=ahead,
        first_look=None if first is None else json.loads(first),
        looked_at=None if looked is None else to_moment(looked),
        evidence={} if said is None else json.loads(said),
    )


def bound_calls(connection: sqlite3.Connection, number: str, attempt_id: str) -> frozenset[str]:
    """The ids of calls to a number that belong to other attempts."""
    return frozenset(each for (each,) in connection.execute(_BOUND, (number, attempt_id)))


def later_calls(connection: sqlite3.Connection, moment: datetime) -> dict[str, datetime]:
    """Some calls that were begun then or later, and when."""
    found = connection.execute(_LATER, (to_millis(moment), _CONTROLS))
    return {call_id: to_moment(begun_at) for call_id, begun_at in found}


def note_look(
    connection: sqlite3.Connection,
    now: int,
    attempt_id: str,
    first_look: Mapping[str, Any] | None,
    evidence: Mapping[str, Any],
) -> None:
    """Write down what a look has shown that settles nothing."""
    first = None if first_look is None else json.dumps(first_look)
    connection.execute(_NOTE, (first, now, json.dumps(dict(evidence)), attempt_id))


def settle_doubt(
    connection: sqlite3.Connection, now: int, attempt_id: str, verdict: Verdict
) -> Written | None:
    """Settle a doubt. Gives `None` where it is settled already, or its call is another's."""
    state = verdict.state
    if state is AttemptState.PLACED and _is_bound(connection, verdict.call_id, attempt_id):
        return None
    values = (
        json.dumps(dict(verdict.evidence)),
        verdict.call_id,
        None if verdict.placed_at is None else to_millis(verdict.placed_at),
        None if verdict.ends_by is None else to_millis(verdict.ends_by),
        attempt_id,
    )
    if not _may_open(connection, attempt_id, state):
        return None
    if connection.execute(_SETTLE[state], values).rowcount != 1:
        return None
    if state is AttemptState.PLACED:
        connection.execute(
            "UPDATE calls SET attempt = ? WHERE id = ?", (attempt_id, verdict.call_id)
        )
    contact, *row, before, outcome = connection.execute(_CONTACT, (attempt_id,)).fetchone()
    data: dict[str, Any] = {"evidence": verdict.evidence.get("kind")}
    if verdict.call_id is not None:
        data["call_id"] = verdict.call_id
    again = outcome is not None and state is AttemptState.ABSENT
    happening = Happening.ABSENT_AGAIN if again else _HAPPENINGS[state]
    absent = state is AttemptState.ABSENT
    moved = (
        move(ContactState(before), happening).value,
        None if state is AttemptState.PLACED else str(verdict.evidence.get("kind")),
        now if absent else None,
        verdict.call_id,
        contact,
    )
    connection.execute(_MOVE, moved)
    if again:
        data["again"] = True
    if before != ContactState.UNKNOWN:
        data["was"] = before
    return Written(_KINDS[state], contact, (row[0], row[1]), data)


def _is_bound(connection: sqlite3.Connection, call_id: str | None, attempt_id: str) -> bool:
    query = "SELECT 1 FROM attempts WHERE call_id = ? AND id <> ?"
    return connection.execute(query, (call_id, attempt_id)).fetchone() is not None


def _may_open(connection: sqlite3.Connection, attempt_id: str, state: AttemptState) -> bool:
    """Whether settling leaves the number with one open attempt at the most.

    An absence that was believed let the number be dialed again; a call that shows after all
    cannot take its place beside the open one. `verify` finds it.
    """
    if state not in OPEN_ATTEMPTS:
        return True
    query = (
        f"SELECT 1 FROM attempts WHERE {one_of('state', OPEN_ATTEMPTS)} AND id <> ?"
        " AND phone_number = (SELECT phone_number FROM attempts WHERE id = ?)"
    )
    return connection.execute(query, (attempt_id, attempt_id)).fetchone() is None
