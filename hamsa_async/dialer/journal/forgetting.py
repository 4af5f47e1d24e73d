"""Forgetting a person: what the journal holds of a number, and how it is erased.

Rows, states and counts stay; only whose they are is gone. It is the one exception to what the
journal never changes, and an event itself.
"""

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.ending import lapse
from hamsa_async.dialer.journal.pseudonyms import DETAIL, FORGOTTEN, known_as, new_pseudonym
from hamsa_async.dialer.journal.sql import quoted
from hamsa_async.dialer.journal.staging import DNC, WITHDRAWN
from hamsa_async.dialer.journal.times import to_moment
from hamsa_async.dialer.machine import (
    DIALABLE,
    OPEN_ATTEMPTS,
    AttemptState,
    ContactState,
    Happening,
    move,
)

# Texts that are no codes may hold what somebody said or typed.
_CODE_ONLY: Final = f"CASE WHEN reason GLOB '*[^a-z0-9_.]*' THEN '{FORGOTTEN}' ELSE reason END"
# A row that is no contact has its number as it was written.
_CONTACTS: Final = (
    "SELECT id, phone_number = :number, phone_number FROM contacts WHERE id > :contact AND"
    f" (phone_number = :number OR state = '{ContactState.INVALID}' OR key GLOB 'invalid:*')"
)
_CALLS: Final = (
    "SELECT id FROM calls WHERE rowid > :call AND phone_number = :number"
    " UNION SELECT call_id FROM attempts WHERE phone_number = :number AND call_id IS NOT NULL"
)
_INBOX: Final = (
    "SELECT number FROM inbox WHERE number > :delivery AND length(body) > 0 AND ("
    "attempt IN (SELECT id FROM attempts WHERE phone_number = :number)"
    " OR call_id IN (SELECT call_id FROM attempts WHERE phone_number = :number)"
    " OR call_id IN (SELECT id FROM calls WHERE phone_number = :number)"
    " OR instr(CAST(body AS BLOB), :digits) > 0)"
)
_LAST: Final = (
    "SELECT (SELECT coalesce(max(id), 0) FROM contacts),"
    " (SELECT coalesce(max(number), 0) FROM inbox),"
    " (SELECT coalesce(max(number), 0) FROM events),"
    " (SELECT coalesce(max(rowid), 0) FROM calls)"
)
_OPEN: Final = (
    "SELECT p.name, a.id, a.state, a.ends_by FROM attempts AS a"
    " JOIN campaigns AS p ON p.id = a.campaign"
    f" WHERE a.phone_number = ? AND a.state IN ({quoted(OPEN_ATTEMPTS)})"
)
_CONTACT: Final = "SELECT campaign, state FROM contacts WHERE id = ?"
_IS_KEY: Final = "SELECT 1 FROM contacts WHERE campaign = ? AND key = ?"
_ERASE_CONTACT: Final = (
    "UPDATE contacts SET key = ?, phone_number = ?, state = ?, erased_at = ?,"
    f" reason = CASE WHEN ? OR reason = '{WITHDRAWN}' THEN '{DNC}' ELSE {_CODE_ONLY} END,"
    f" detail = '{DETAIL}', contact_id = NULL, params = '{{}}', due_at = NULL,"
    " not_before = NULL, expires_at = NULL, timezone = NULL, consent = NULL, consent_at = NULL,"
    " consent_source = NULL WHERE id = ?"
)
_ERASE_ATTEMPTS: Final = (
    f"UPDATE attempts SET phone_number = :pseudonym, reason = {_CODE_ONLY}, first_look = NULL,"
    " evidence = CASE WHEN evidence IS NOT NULL"
    " THEN json_object('kind', json_extract(evidence, '$.kind')) END,"
    " zone = NULL, zone_source = NULL WHERE phone_number = :number"
)
_ERASE_CALL: Final = (
    "UPDATE calls SET phone_number = ?, recording = NULL, transcript = NULL, result = NULL"
    " WHERE id = ?"
)
_ERASE_DELIVERY: Final = "UPDATE inbox SET body = '' WHERE number = ?"
_ERASE_REASON: Final = (
    f"UPDATE events SET data = json_set(data, '$.reason', '{FORGOTTEN}') WHERE number = ?"
)
# Each source keeps its word, its date and its count.
_ERASE_SUPPRESSIONS: Final = (
    "UPDATE OR REPLACE suppressed SET phone_number = :pseudonym WHERE phone_number = :number"
)
_SUPPRESS: Final = (
    f"INSERT OR IGNORE INTO suppressed VALUES (:pseudonym, '{FORGOTTEN}', :now, :now)"
)
_TELL: Final = "INSERT INTO events (at, kind, campaign, contact, data) VALUES (?, ?, ?, ?, ?)"
_SKIPPED: Final = f'{{"reason":"{DNC}"}}'


@attrs.frozen(kw_only=True)
class Person:
    """Whom to forget.

    Attributes:
        number: E.164.
        written: Its digits, in all the ways in which a list may have them.
    """

    number: str = attrs.field(repr=False)
    written: Collection[str] = attrs.field(repr=False)

    @property
    def digits(self) -> bytes:
        """What any text that has the number has."""
        return self.number.removeprefix("+").encode()


@attrs.frozen(kw_only=True)
class Traces:
    """Where the journal has something of a person, as far as it was searched."""

    contacts: Sequence[int] = ()
    deliveries: Sequence[int] = ()
    events: Sequence[int] = ()
    calls: Collection[str] = frozenset()
    upto: tuple[int, int, int, int] = (0, 0, 0, 0)
    """The last contact, delivery, event and call that were looked at."""

    def and_(self, more: "Traces") -> "Traces":
        """Both."""
        return Traces(
            contacts=[*self.contacts, *more.contacts],
            deliveries=[*self.deliveries, *more.deliveries],
            events=[*self.events, *more.events],
            calls={*self.calls, *more.calls},
            upto=more.upto,
        )


@attrs.frozen(kw_only=True)
class OpenAttempt:
    """Why a person cannot be forgotten yet."""

    campaign: str
    attempt_id: str
    state: AttemptState
    ends_by: datetime | None
    """When a placed call is over at the latest."""


@attrs.frozen(kw_only=True)
class Forgotten:
    """What was erased.

    Attributes:
        rows: Rows of lists.
        campaigns: How many campaigns they are in.
        attempts: Attempts.
        calls: Calls, those of others included.
        deliveries: What webhooks said.
        suppressions: Entries of the do-not-call list, which now name a hash.
        again: Whether the number was forgotten before.
    """

    rows: int
    campaigns: int
    attempts: int
    calls: int
    deliveries: int
    suppressions: int
    again: bool


def find(connection: sqlite3.Connection, person: Person, *, beyond: Traces) -> Traces:
    """Search for a person, past what was searched before. Only reads, but all of it."""
    contact, delivery, event, call = beyond.upto
    values: dict[str, Any] = {
        "number": person.number,
        "digits": person.digits,
        "contact": contact,
        "delivery": delivery,
        "event": event,
        "call": call,
    }
    upto = connection.execute(_LAST).fetchone()
    contacts = [
        row
        for row, is_it, text in connection.execute(_CONTACTS, values)
        if is_it or _digits(text) in person.written
    ]
    found = set(beyond.contacts).union(contacts)
    return Traces(
        contacts=contacts,
        deliveries=[number for (number,) in connection.execute(_INBOX, values)],
        events=list(_wordy_events(connection, event, found)),
        calls={each for (each,) in connection.execute(_CALLS, values)},
        upto=upto,
    )


def _wordy_events(
    connection: sqlite3.Connection, after: int, contacts: Collection[int]
) -> Sequence[int]:
    """Events of contacts whose reason is in words."""
    if not contacts:
        return []
    found = connection.execute(
        "SELECT number, contact FROM events WHERE number > ? AND contact IS NOT NULL"
        " AND data IS NOT NULL AND json_extract(data, '$.reason') GLOB '*[^a-z0-9_.]*'",
        (after,),
    )
    return [number for number, contact in found if contact in contacts]


def _digits(text: str) -> str:
    return "".join(str(int(sign)) for sign in text if sign.isdecimal())


def forget(
    connection: sqlite3.Connection, now: int, person: Person, traces: Traces
) -> Forgotten | OpenAttempt:
    """Erase a person, unless a call to them may be under way: its lock is their number."""
    lapse(connection, now, person.number)
    found = connection.execute(_OPEN, (person.number,)).fetchone()
    if found is not None:
        name, attempt, state, ends_by = found
        return OpenAttempt(
            campaign=name,
            attempt_id=attempt,
            state=AttemptState(state),
            ends_by=None if ends_by is None else to_moment(ends_by),
        )
    again = known_as(connection, person.number) != person.number
    traces = traces.and_(find(connection, person, beyond=traces))
    pseudonym = new_pseudonym(connection, person.number)
    campaigns = {_erase_contact(connection, now, contact, pseudonym) for contact in traces.contacts}
    values = {"number": person.number, "pseudonym": pseudonym, "now": now}
    attempts = connection.execute(_ERASE_ATTEMPTS, values).rowcount
    connection.executemany(_ERASE_CALL, [(pseudonym, call) for call in traces.calls])
    connection.executemany(_ERASE_DELIVERY, [(number,) for number in traces.deliveries])
    connection.executemany(_ERASE_REASON, [(number,) for number in traces.events])
    suppressions = connection.execute(_ERASE_SUPPRESSIONS, values).rowcount
    connection.execute(_SUPPRESS, values)
    return Forgotten(
        rows=len(traces.contacts),
        campaigns=len(campaigns),
        attempts=attempts,
        calls=len(traces.calls),
        deliveries=len(traces.deliveries),
        suppressions=suppressions,
        again=again,
    )


def _erase_contact(connection: sqlite3.Connection, now: int, contact: int, pseudonym: str) -> int:
    """Erase a row; give its campaign. Whoever was to be called is not any more."""
    campaign, state = connection.execute(_CONTACT, (contact,)).fetchone()
    waits = state in DIALABLE
    after = move(ContactState(state), Happening.SKIPPED) if waits else state
    key = _free_key(connection, campaign, pseudonym)
    connection.execute(_ERASE_CONTACT, (key, pseudonym, after, now, waits, contact))
    if waits:
        kind = EventKind.GIVEN_UP if state == ContactState.RETRY else EventKind.SKIPPED
        connection.execute(_TELL, (now, kind.value, campaign, contact, _SKIPPED))
    connection.execute(_TELL, (now, EventKind.FORGOTTEN.value, campaign, contact, None))
    return int(campaign)


def _free_key(connection: sqlite3.Connection, campaign: int, pseudonym: str) -> str:
    """The key that the row would have in a list that comes again: see `listing`."""
    nth = 1
    while True:
        key = f"{ContactState.SKIPPED}:{pseudonym}:{nth}"
        if connection.execute(_IS_KEY, (campaign, key)).fetchone() is None:
            return key
        nth += 1
