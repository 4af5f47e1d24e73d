"""What webhooks said, kept as it came, as functions of the transaction that keeps it."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from hamsa_async._settling import read_number
from hamsa_async.dialer.api import WebhookDelivery
from hamsa_async.dialer.journal.pseudonyms import IS_PSEUDONYM, KEY, is_pseudonym, known_as
from hamsa_async.dialer.journal.records import HeardEvent
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import AttemptState
from hamsa_async.models.webhooks import WebhookEvent

_PUT: Final = (
    "INSERT OR IGNORE INTO inbox (key, at, attempt, call_id, event, body) VALUES (?, ?, ?, ?, ?, ?)"
)
# An event that names no attempt may name a call of one.
_WAITING: Final = (
    "SELECT i.number, a.id, i.call_id, i.event, a.state FROM inbox AS i JOIN attempts AS a"
    " ON a.id = coalesce(i.attempt, (SELECT min(id) FROM attempts WHERE call_id = i.call_id))"
    " WHERE i.taken_at IS NULL AND a.campaign = ? AND i.number > ? ORDER BY i.number LIMIT ?"
)
_OF_FORGOTTEN: Final = (
    f"SELECT EXISTS (SELECT 1 FROM attempts WHERE id = ? AND {IS_PSEUDONYM})"
    f" OR EXISTS (SELECT 1 FROM attempts WHERE call_id = ? AND {IS_PSEUDONYM})"
)
_TAKE: Final = "UPDATE inbox SET taken_at = ? WHERE number = ?"


def put_delivery(connection: sqlite3.Connection, delivery: WebhookDelivery) -> None:
    """Keep a delivery; one that is there already is not kept twice."""
    event = delivery.event
    reference = delivery.reference or event.reference
    connection.execute(
        _PUT,
        (
            delivery.key,
            to_millis(delivery.received_at),
            reference,
            event.call_id,
            str(event.type),
            b"" if _tells_of_forgotten(connection, reference, event) else delivery.body,
        ),
    )


def _tells_of_forgotten(
    connection: sqlite3.Connection, reference: str | None, event: WebhookEvent
) -> bool:
    """Whether an event is late: all that was known of its person was erased."""
    if connection.execute(KEY).fetchone() is None:
        return False  # nobody was ever forgotten
    values = (reference, event.call_id)
    (found,) = connection.execute(_OF_FORGOTTEN, values).fetchone()
    number = getattr(event, "to_number", None)
    return bool(found) or (
        isinstance(number, str) and is_pseudonym(known_as(connection, _e164(number)))
    )


def _e164(number: str) -> str:
    return f"+{read_number(number) or ''}"


def waiting_events(
    connection: sqlite3.Connection, campaign: int, after: int, limit: int
) -> list[HeardEvent]:
    """Events about a campaign's attempts that nobody has acted on, in the order they came."""
    found = connection.execute(_WAITING, (campaign, after, limit))
    return [_event(row) for row in found]


def _event(row: tuple[Any, ...]) -> HeardEvent:
    number, attempt, call_id, event, state = row
    return HeardEvent(
        number=number,
        attempt_id=attempt,
        call_id=call_id,
        event=event,
        state=AttemptState(state),
    )


def take_events(connection: sqlite3.Connection, now: int, numbers: Iterable[int]) -> None:
    """Write down that events were acted on."""
    connection.executemany(_TAKE, [(now, number) for number in numbers])
