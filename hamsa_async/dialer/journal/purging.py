"""Letting old data go: what was said in calls, and what the list said of those who were called.

It goes in chunks that others can write between. Who is still to be called keeps everything, and
so does whoever something happened to lately. Numbers and contact_ids stay: by them nobody is
called twice.
"""

import sqlite3
from typing import Final

import attrs

from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.sql import quoted
from hamsa_async.dialer.machine import ContactState

CHUNK: Final = 500  # rows per transaction: a longer one holds off a running dialer's intents

FINAL: Final = frozenset(
    {
        ContactState.DONE,
        ContactState.REFUSED,
        ContactState.SKIPPED,
        ContactState.EXPIRED,
        ContactState.INVALID,
    }
)
"""The states of contacts that nothing more is done about."""

# Everything that happens to a contact is an event; a row that nothing ever happened to is as old
# as its campaign's newest list.
_LOOK_BACK: Final = (
    "CREATE TEMP TABLE lately (contact INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE loaded_lately (campaign INTEGER PRIMARY KEY)",
    (
        "INSERT OR IGNORE INTO temp.lately SELECT contact FROM main.events"
        " WHERE at > :before AND contact IS NOT NULL"
    ),
    (
        "INSERT OR IGNORE INTO temp.loaded_lately"
        " SELECT id FROM main.campaigns WHERE created_at > :before"
        " UNION SELECT campaign FROM main.events"
        f" WHERE at > :before AND kind = '{EventKind.LIST_LOADED}'"
    ),
)
_FORGET_LOOK: Final = ("DROP TABLE temp.lately", "DROP TABLE temp.loaded_lately")
_CONTACTS: Final = (
    "UPDATE main.contacts SET params = '{}', erased_at = :now"
    " WHERE id > :after AND id <= :upto AND erased_at IS NULL"
    f" AND state IN ({quoted(FINAL)}) AND id NOT IN (SELECT contact FROM temp.lately)"
    " AND (attempts > 0 OR campaign NOT IN (SELECT campaign FROM temp.loaded_lately))"
)
_CALLS: Final = (
    "UPDATE main.calls SET recording = NULL, transcript = NULL, result = NULL"
    " WHERE id IN (SELECT a.call_id FROM main.contacts AS c JOIN main.attempts AS a"
    " ON a.phone_number = c.phone_number AND a.contact = c.id"
    " WHERE c.id > :after AND c.id <= :upto AND c.erased_at = :now AND a.call_id IS NOT NULL)"
    " AND (recording IS NOT NULL OR transcript IS NOT NULL OR result IS NOT NULL)"
)
# What tells of nobody in the journal is of nobody who is to be called.
_DELIVERIES: Final = (
    "UPDATE main.inbox SET body = '' WHERE number > :after AND number <= :upto"
    " AND length(body) > 0 AND at <= :before AND NOT EXISTS (SELECT 1 FROM main.attempts AS a"
    " JOIN main.contacts AS c ON c.id = a.contact WHERE a.id = coalesce(inbox.attempt,"
    " (SELECT min(id) FROM main.attempts WHERE call_id = inbox.call_id))"
    " AND c.erased_at IS NULL)"
)


@attrs.frozen(kw_only=True)
class Purged:
    """What was let go.

    Attributes:
        contacts: Contacts whose params were.
        calls: Calls whose recording, transcript or result was.
        deliveries: Texts of webhooks.
    """

    contacts: int = 0
    calls: int = 0
    deliveries: int = 0

    def __add__(self, more: "Purged") -> "Purged":
        """Both."""
        return Purged(
            contacts=self.contacts + more.contacts,
            calls=self.calls + more.calls,
            deliveries=self.deliveries + more.deliveries,
        )


def look_back(connection: sqlite3.Connection, before: int) -> tuple[int, int]:
    """See whom something happened to since; give the last contact and the last delivery.

    Only tables of the connection's own are written: nobody is held off.
    """
    for statement in _LOOK_BACK:
        connection.execute(statement, {"before": before} if ":before" in statement else {})
    contacts, deliveries = connection.execute(
        "SELECT (SELECT coalesce(max(id), 0) FROM main.contacts),"
        " (SELECT coalesce(max(number), 0) FROM main.inbox)"
    ).fetchone()
    return contacts, deliveries


def look_away(connection: sqlite3.Connection) -> None:
    """Forget what `look_back` saw."""
    for statement in _FORGET_LOOK:
        connection.execute(statement)


def purge_contacts(connection: sqlite3.Connection, now: int, after: int) -> Purged:
    """Purge a chunk of contacts and their calls."""
    values = {"now": now, "after": after, "upto": after + CHUNK}
    contacts = connection.execute(_CONTACTS, values).rowcount
    calls = connection.execute(_CALLS, values).rowcount if contacts else 0
    return Purged(contacts=contacts, calls=calls)


def purge_deliveries(connection: sqlite3.Connection, before: int, after: int) -> Purged:
    """Purge a chunk of the inbox."""
    values = {"before": before, "after": after, "upto": after + CHUNK}
    return Purged(deliveries=connection.execute(_DELIVERIES, values).rowcount)
