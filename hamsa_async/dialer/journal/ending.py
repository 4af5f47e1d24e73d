"""Placed calls and how they end, as functions of the transaction that it is written in."""

import json
import random
import sqlite3
from typing import Any, Final

from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.pseudonyms import is_pseudonym
from hamsa_async.dialer.journal.records import CallEnd, OpenCall
from hamsa_async.dialer.journal.sql import one_of, quoted
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.dialer.machine import (
    OPEN_ATTEMPTS,
    UNSEEN,
    AttemptState,
    ContactState,
    Happening,
    move,
    sources,
)
from hamsa_async.dialer.retries import Ended, Retries

DECLINED: Final = "declined"
"""The reason of a contact whose call has ended and who declined."""

_OPEN: Final = (
    # Written by a version that did not say: as long as a call can last, and a quarter of an hour.
    "SELECT id, call_id, placed_at, settled_at, coalesce(ends_by, settled_at + 1500000)"
    " FROM attempts INDEXED BY open_attempts"
    # The first condition is the index's own, word for word: without it it is not used.
    f" WHERE {one_of('state', OPEN_ATTEMPTS)} AND state = '{AttemptState.PLACED}'"
    " AND campaign = ?"
)
_LAPSED: Final = (
    "SELECT id, campaign, contact, ends_by FROM attempts INDEXED BY open_attempts"
    f" WHERE {one_of('state', OPEN_ATTEMPTS)} AND state = '{AttemptState.PLACED}'"
    " AND phone_number = ? AND ends_by <= ?"
)
# An end that was not seen gives way to one that was.
_END_ATTEMPT: Final = (
    f"UPDATE attempts SET state = '{AttemptState.ENDED}', outcome = ?, ended_at = ?"
    f" WHERE id = ? AND (state IN ({quoted(sources(AttemptState.ENDED))})"
    f" OR (state = '{AttemptState.ENDED}' AND outcome = '{UNSEEN}' AND ? <> '{UNSEEN}'))"
)
_CONTACT: Final = (
    "SELECT c.id, c.row, c.list, c.state, c.attempts, c.max_attempts, c.expires_at,"
    " c.phone_number, c.call_id"
    " FROM attempts AS a JOIN contacts AS c ON c.id = a.contact WHERE a.id = ?"
)
_SAME_ENDS: Final = (
    "SELECT count(*) FROM attempts WHERE phone_number = ? AND contact = ? AND outcome = ?"
    f" AND state = '{AttemptState.ENDED}'"
)
_MOVE: Final = (
    "UPDATE contacts SET state = ?, outcome = ?, due_at = ?, reason = ?, detail = NULL WHERE id = ?"
)
_DECLINED: Final = "UPDATE attempts SET declined_at = ? WHERE id = ?"
_EVENT: Final = (
    "INSERT INTO events (at, kind, campaign, contact, attempt, data) VALUES (?, ?, ?, ?, ?, ?)"
)
_KEEP: Final = (
    "INSERT INTO calls (id, attempt, phone_number, placed_at, status, duration, cost, recording,"
    " transcript, result, looked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, status = excluded.status,"
    " duration = excluded.duration, cost = excluded.cost, recording = excluded.recording,"
    " transcript = excluded.transcript, result = excluded.result, looked_at = excluded.looked_at"
)


def open_calls(connection: sqlite3.Connection, campaign: int) -> list[OpenCall]:
    """The campaign's placed calls whose end was not seen, in the order in which they were."""
    found = connection.execute(_OPEN, (campaign,)).fetchall()
    calls = [
        OpenCall(
            attempt_id=attempt,
            call_id=call_id,
            placed_at=None if placed_at is None else to_moment(placed_at),
            settled_at=to_moment(settled_at),
            ends_by=to_moment(ends_by),
        )
        for attempt, call_id, placed_at, settled_at, ends_by in found
    ]
    return sorted(calls, key=lambda call: call.settled_at)


def lapse(connection: sqlite3.Connection, now: int, phone_number: str) -> None:
    """End the calls to a number that can last no longer, though nobody saw their end."""
    for attempt, campaign, contact, ends_by in connection.execute(
        _LAPSED, (phone_number, now)
    ).fetchall():
        connection.execute(_END_ATTEMPT, (UNSEEN, ends_by, attempt, UNSEEN))
        state = move(ContactState.PLACED, Happening.ENDED).value
        connection.execute(_MOVE, (state, UNSEEN, None, None, contact))
        data = json.dumps({"outcome": UNSEEN})
        connection.execute(_EVENT, (now, EventKind.ENDED.value, campaign, contact, attempt, data))


class Written:
    """What the writing of an end came to, for its event."""

    def __init__(
        self, kind: EventKind, contact: int, row: tuple[int, int], data: dict[str, Any]
    ) -> None:
        self.kind = kind
        self.contact = contact
        self.row: int = row[0]
        self.list_number: int = row[1]
        self.data = data


def end_call(
    connection: sqlite3.Connection,
    now: int,
    attempt_id: str,
    end: CallEnd,
    retries: Retries,
    *,
    wish: str | None = None,
    declined: bool = False,
) -> Written | None:
    """Write down how a call ended, and whether its contact is tried again.

    Whoever had a wish about being called, by its reason (`DECLINED`, say), is not.
    Gives `None` where its end is known already: what comes late or twice changes nothing.
    """
    ended_at = min(to_millis(end.ended_at), now)
    values = (end.outcome, ended_at, attempt_id, end.outcome)
    if connection.execute(_END_ATTEMPT, values).rowcount != 1:
        return None
    contact, place, of_list, *found = connection.execute(_CONTACT, (attempt_id,)).fetchone()
    state, attempts, max_attempts, expires_at, phone_number, call_id = found
    row = (place, of_list)
    _keep(connection, now, attempt_id, phone_number, end)
    if declined:
        connection.execute(_DECLINED, (ended_at, attempt_id))
    data: dict[str, Any] = {"call_id": end.call_id, "outcome": end.outcome}
    if state != ContactState.PLACED or call_id != end.call_id:
        # An end that was not seen has become one, or a later call has taken the contact over.
        if state == ContactState.DONE and call_id == end.call_id:
            connection.execute(_MOVE, (state, end.outcome, None, wish, contact))
        return Written(EventKind.CORRECTED, contact, row, data)
    (nth,) = connection.execute(_SAME_ENDS, (phone_number, contact, end.outcome)).fetchone()
    ended = Ended(
        outcome=end.outcome,
        at=to_moment(ended_at),
        duration=end.duration,
        result=end.result or {},
        nth=nth,
        attempts=attempts,
        max_attempts=max_attempts,
    )
    again = retries.due(ended, draw=random.random()) if wish is None else None
    if again is None or (expires_at is not None and to_millis(again) >= expires_at):
        happening, kind, due_at = Happening.ENDED, EventKind.ENDED, None
    else:
        happening, kind, due_at = Happening.RETRIED, EventKind.RETRIED, to_millis(again)
        data["until"] = again.isoformat()
    moved = move(ContactState.PLACED, happening).value
    connection.execute(_MOVE, (moved, end.outcome, due_at, wish, contact))
    return Written(kind, contact, row, data)


def _keep(
    connection: sqlite3.Connection, now: int, attempt_id: str, phone_number: str, end: CallEnd
) -> None:
    if end.outcome == UNSEEN:
        return
    (placed_at,) = connection.execute(
        "SELECT coalesce(placed_at, settled_at) FROM attempts WHERE id = ?", (attempt_id,)
    ).fetchone()
    said = (end.recording, _json(end.transcript), _json(end.result))
    if is_pseudonym(phone_number):
        said = (None, None, None)  # whoever was forgotten stays so
    connection.execute(
        _KEEP,
        (
            *(end.call_id, attempt_id, phone_number, placed_at, end.outcome, end.duration),
            *(end.cost, *said, now),
        ),
    )


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
