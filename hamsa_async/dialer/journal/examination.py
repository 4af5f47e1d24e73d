"""`hamsa journal check`: what must hold in every journal, asked of the file."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.pseudonyms import IS_PSEUDONYM
from hamsa_async.dialer.journal.schema import MIGRATIONS
from hamsa_async.dialer.journal.sql import one_of, quoted
from hamsa_async.dialer.machine import DIALABLE, OPEN_ATTEMPTS, AttemptState, ContactState

# What counts as an attempt of a contact. One that returned it does not.
_COUNTED: Final = quoted(
    {EventKind.PLACED, EventKind.REFUSED, EventKind.LOST, EventKind.TAKEN_OVER}
)


def _without_attempt(contact: ContactState, attempt: AttemptState, more: str = "") -> str:
    """Contacts in a state that no attempt of theirs accounts for."""
    return (
        f"SELECT count(*) FROM contacts AS c WHERE c.state = '{contact}' AND NOT EXISTS"
        " (SELECT 1 FROM attempts AS a WHERE a.phone_number = c.phone_number"
        f" AND a.contact = c.id AND a.state = '{attempt}'{more})"
    )


def _elsewhere(attempt: AttemptState, contact: ContactState) -> str:
    """Attempts in a state that their contact's does not go with."""
    return (
        "SELECT count(*) FROM attempts AS a JOIN contacts AS c ON c.id = a.contact"
        f" WHERE a.state = '{attempt}' AND c.state <> '{contact}'"
    )


_SAME_CALL: Final = " AND a.call_id = c.call_id"
_SAME_OUTCOME: Final = " AND a.outcome = c.outcome"

RULES: Final = (
    (
        "contacts in a state that there is not",
        f"SELECT count(*) FROM contacts WHERE state NOT IN ({quoted(ContactState)})",
    ),
    (
        "attempts in a state that there is not",
        f"SELECT count(*) FROM attempts WHERE state NOT IN ({quoted(AttemptState)})",
    ),
    (
        "attempts whose contact is not of their campaign",
        (
            "SELECT count(*) FROM attempts AS a LEFT JOIN contacts AS c"
            " ON c.id = a.contact AND c.campaign = a.campaign WHERE c.id IS NULL"
        ),
    ),
    (
        "attempts at another number than their contact's",
        (
            "SELECT count(*) FROM attempts AS a JOIN contacts AS c ON c.id = a.contact"
            " WHERE c.phone_number <> a.phone_number"
        ),
    ),
    (
        "numbers with more than one open attempt",
        (
            "SELECT count(*) FROM (SELECT 1 FROM attempts NOT INDEXED"
            f" WHERE {one_of('state', OPEN_ATTEMPTS)} GROUP BY phone_number HAVING count(*) > 1)"
        ),
    ),
    *(
        (
            f"contacts that are {contact} without an attempt that is {attempt}{words}",
            _without_attempt(contact, attempt, more),
        )
        for contact, attempt, words, more in (
            (ContactState.DIALING, AttemptState.INTENDED, "", ""),
            (ContactState.UNKNOWN, AttemptState.UNKNOWN, "", ""),
            (ContactState.REVIEW, AttemptState.REVIEW, "", ""),
            (ContactState.PLACED, AttemptState.PLACED, " with its call id", _SAME_CALL),
            (ContactState.DONE, AttemptState.ENDED, " with its outcome", _SAME_OUTCOME),
        )
    ),
    *(
        (
            f"attempts that are {attempt} whose contact is not {contact}",
            _elsewhere(attempt, contact),
        )
        for attempt, contact in (
            (AttemptState.INTENDED, ContactState.DIALING),
            (AttemptState.UNKNOWN, ContactState.UNKNOWN),
            (AttemptState.REVIEW, ContactState.REVIEW),
            (AttemptState.PLACED, ContactState.PLACED),
        )
    ),
    (
        "ended attempts without an outcome",
        (
            f"SELECT count(*) FROM attempts WHERE (state = '{AttemptState.ENDED}')"
            " <> (outcome IS NOT NULL)"
        ),
    ),
    (
        "calls of more than one attempt",
        (
            "SELECT count(*) FROM (SELECT 1 FROM attempts WHERE call_id IS NOT NULL"
            " GROUP BY call_id HAVING count(*) > 1)"
        ),
    ),
    *(
        (
            f"contacts that are {state} without a time",
            f"SELECT count(*) FROM contacts WHERE state = '{state}' AND due_at IS NULL",
        )
        for state in (ContactState.DEFERRED, ContactState.RETRY)
    ),
    (
        "contacts whose number of attempts is not what was attempted",
        (
            "SELECT count(*) FROM contacts AS c LEFT JOIN (SELECT contact, count(*) AS made FROM"
            f" events WHERE kind IN ({_COUNTED}) GROUP BY contact) AS e ON e.contact = c.id"
            " WHERE c.attempts <> coalesce(e.made, 0)"
        ),
    ),
    (
        "contacts that were forgotten and still hold something, or are to be called",
        (
            f"SELECT count(*) FROM contacts WHERE {IS_PSEUDONYM} AND (params <> '{{}}' OR"
            f" contact_id IS NOT NULL OR state IN ({quoted(DIALABLE)}))"
        ),
    ),
    (
        "contacts that were purged and are to be called",
        (
            "SELECT count(*) FROM contacts WHERE erased_at IS NOT NULL"
            f" AND state IN ({quoted(DIALABLE)})"
        ),
    ),
    (
        "attempts that no event tells of",
        (
            "SELECT count(*) FROM attempts WHERE id NOT IN (SELECT attempt FROM events"
            f" WHERE kind IN ({quoted({EventKind.INTENDED, EventKind.TAKEN_OVER})})"
            " AND attempt IS NOT NULL)"
        ),
    ),
)
"""What there must be none of, and the query that counts it."""


def problems_in(connection: sqlite3.Connection) -> Sequence[str]:
    """Examine a journal; give what is not as it must be, a text each."""
    try:
        # Where the first is wrong, the next would only say the same in other words, or fail.
        return (
            [f"the file is damaged: {text}" for text in _damages(connection)]
            or [f"it has no {kind} {name}" for kind, name in sorted(_parts_missing(connection))]
            or list(_broken_rules(connection))
        )
    except sqlite3.DatabaseError as error:
        return [f"the file is damaged: {error}"]


def _damages(connection: sqlite3.Connection) -> Iterator[str]:
    for (text,) in connection.execute("PRAGMA integrity_check(20)"):
        if text != "ok":
            yield text


def _parts_missing(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        for version in sorted(MIGRATIONS):
            fresh.executescript(MIGRATIONS[version])
        return _parts(fresh) - _parts(connection)


def _parts(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT type, name FROM sqlite_master"))


def _broken_rules(connection: sqlite3.Connection) -> Iterator[str]:
    for name, query in RULES:
        (count,) = connection.execute(query).fetchone()
        if count:
            yield f"{count} {name}"
