"""`hamsa journal check`: what must hold in every journal, asked of the file."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from hamsa_async.dialer.machine import COUNTED_ATTEMPTS, AttemptState, ContactState


def _quoted(states: frozenset[AttemptState]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_RULES: Final = (
    (
        "attempts whose contact is not of their campaign",
        "SELECT count(*) FROM attempts AS a LEFT JOIN contacts AS c"
        " ON c.id = a.contact AND c.campaign = a.campaign WHERE c.id IS NULL",
    ),
    (
        "attempts at another number than their contact's",
        "SELECT count(*) FROM attempts AS a JOIN contacts AS c ON c.id = a.contact"
        " WHERE c.phone_number <> a.phone_number",
    ),
    (
        "contacts that are dialing without an open attempt",
        f"SELECT count(*) FROM contacts AS c WHERE c.state = '{ContactState.DIALING}' AND NOT"
        " EXISTS (SELECT 1 FROM attempts AS a WHERE a.phone_number = c.phone_number"
        f" AND a.contact = c.id AND a.state = '{AttemptState.INTENDED}')",
    ),
    (
        "contacts that are placed without a call id",
        f"SELECT count(*) FROM contacts WHERE state = '{ContactState.PLACED}' AND call_id IS NULL",
    ),
    (
        "contacts whose number of attempts is not what was attempted",
        "SELECT count(*) FROM contacts AS c LEFT JOIN (SELECT contact, count(*) AS made FROM"
        f" attempts WHERE state IN ({_quoted(COUNTED_ATTEMPTS - {AttemptState.REFUSED})})"
        " GROUP BY contact) AS a ON a.contact = c.id WHERE c.attempts < coalesce(a.made, 0)",
    ),
    (
        "attempts that no event tells of",
        "SELECT count(*) FROM attempts AS a WHERE NOT EXISTS"
        " (SELECT 1 FROM intended WHERE intended.attempt = a.id)",
    ),
)


def problems_in(connection: sqlite3.Connection) -> Sequence[str]:
    """Examine a journal; give what is not as it must be, a text each."""
    found = [
        f"the file is damaged: {text}"
        for (text,) in connection.execute("PRAGMA integrity_check(20)")
        if text != "ok"
    ]
    if found:
        return found
    with_events = (
        "WITH intended AS MATERIALIZED (SELECT attempt FROM events WHERE kind = 'intended') "
    )
    for name, query in _RULES:
        prefix = with_events if "intended.attempt" in query else ""
        (count,) = connection.execute(prefix + query).fetchone()
        if count:
            found.append(f"{count} {name}")
    return found
