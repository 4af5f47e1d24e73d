"""Calls that others placed, as functions of the transaction that they are noted in."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.ending import Written
from hamsa_async.dialer.journal.pseudonyms import known_as
from hamsa_async.dialer.journal.records import SeenCall
from hamsa_async.dialer.journal.sql import one_of, quoted
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.dialer.machine import (
    LASTS,
    NEVER_DIALED,
    OPEN_ATTEMPTS,
    AttemptState,
    ContactState,
    Happening,
    move,
)

EVIDENCE: Final = "number+agent"
"""What ties a call to a contact that no attempt of this journal had placed."""

LIVE: Final = "live"
"""As a status in `calls`: it had not ended when it was seen."""

_IS_OURS: Final = "SELECT 1 FROM attempts WHERE call_id = ?"
_KEEP: Final = (
    "INSERT INTO calls (id, phone_number, agent_id, listed_at, placed_at, status, duration,"
    " looked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
    " agent_id = excluded.agent_id, listed_at = excluded.listed_at, status = excluded.status,"
    " duration = excluded.duration, looked_at = excluded.looked_at"
)
# Calls of others that a look noted, by a campaign's agent to those whom it has still to call.
_NOTED: Final = (
    "SELECT k.id, k.phone_number, k.agent_id, k.listed_at, k.placed_at, k.status, k.duration"
    " FROM calls AS k JOIN contacts AS c ON c.campaign = ? AND c.key = 'number:' || k.phone_number"
    " WHERE k.attempt IS NULL AND k.placed_at >= ? AND k.agent_id = coalesce(c.agent_id, ?)"
    f" AND c.state IN ({quoted(NEVER_DIALED)})"
    " AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.call_id = k.id) ORDER BY k.placed_at"
)
_CONTACT: Final = (
    "SELECT id, row, list, state FROM contacts WHERE campaign = ? AND key = 'number:' || ?"
    f" AND state IN ({quoted(NEVER_DIALED)}) AND coalesce(agent_id, ?) = ?"
    " AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.phone_number = contacts.phone_number"
    f" AND {one_of('a.state', OPEN_ATTEMPTS)})"
)
_TAKE: Final = (
    "INSERT INTO attempts (id, campaign, contact, phone_number, state, intended_at, settled_at,"
    " call_id, placed_at, ends_by, evidence)"
    f" VALUES (?, ?, ?, ?, '{AttemptState.PLACED}', ?, ?, ?, ?, ?, ?)"
)
_MOVE: Final = (
    "UPDATE contacts SET state = ?, reason = NULL, detail = NULL, due_at = NULL, call_id = ?,"
    " attempts = attempts + 1 WHERE id = ?"
)


def note_calls(
    connection: sqlite3.Connection,
    now: int,
    campaign: int,
    agent_id: str,
    calls: Iterable[SeenCall],
) -> list[tuple[str, Written]]:
    """Note calls that no attempt of this journal placed.

    One by the campaign's agent to a contact of its that is still to be called is taken for that
    contact's: whoever placed it, the person was called. Gives those, by the new attempt's id.
    """
    taken = []
    for call in calls:
        if connection.execute(_IS_OURS, (call.call_id,)).fetchone() is not None:
            continue
        placed_at = to_millis(call.placed_at)
        listed_at = to_millis(call.listed_at)
        number = known_as(connection, call.phone_number)
        values = (
            *(call.call_id, number, call.agent_id, listed_at, placed_at),
            *(call.status, call.duration, now),
        )
        connection.execute(_KEEP, values)
        attempt = f"att_of_{call.call_id}"
        written = _take(connection, campaign, agent_id, call, attempt)
        if written is not None:
            taken.append((attempt, written))
    return taken


def noted_calls(
    connection: sqlite3.Connection, campaign: int, agent_id: str, since: datetime
) -> list[SeenCall]:
    """Calls of others by a campaign's agent to contacts of its that are still to be called.

    They were noted in looks for other campaigns, or for single calls.
    """
    found = connection.execute(_NOTED, (campaign, to_millis(since), agent_id))
    return [
        SeenCall(
            call_id=call_id,
            phone_number=phone_number,
            agent_id=agent,
            listed_at=to_moment(listed_at),
            placed_at=to_moment(placed_at),
            ends_by=to_moment(placed_at) + LASTS,
            status=status,
            duration=duration,
        )
        for call_id, phone_number, agent, listed_at, placed_at, status, duration in found
    ]


def _take(
    connection: sqlite3.Connection,
    campaign: int,
    agent_id: str,
    call: SeenCall,
    attempt: str,
) -> Written | None:
    values = (campaign, call.phone_number, agent_id, call.agent_id)
    found = connection.execute(_CONTACT, values).fetchone()
    if found is None:
        return None
    contact, row, of_list, state = found
    placed_at = to_millis(call.placed_at)
    connection.execute(
        _TAKE,
        (
            *(attempt, campaign, contact, call.phone_number, placed_at, placed_at),
            *(call.call_id, to_millis(call.listed_at), to_millis(call.ends_by)),
            json.dumps({"kind": EVIDENCE}),
        ),
    )
    connection.execute("UPDATE calls SET attempt = ? WHERE id = ?", (attempt, call.call_id))
    moved = move(ContactState(state), Happening.FOUND)
    connection.execute(_MOVE, (moved.value, call.call_id, contact))
    data = {"call_id": call.call_id, "evidence": EVIDENCE}
    return Written(EventKind.TAKEN_OVER, contact, (row, of_list), data)
