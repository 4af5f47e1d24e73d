"""Rows of a staged list whose number was forgotten: they are not called, and nothing is kept.

Such a row comes in as one that is skipped, under the number's pseudonym, so that the counts add
up and the same list is the same list again.
"""

import sqlite3
from typing import Final

from hamsa_async.dialer.journal.pseudonyms import DETAIL, FORGOTTEN, IS_PSEUDONYM, renaming
from hamsa_async.dialer.machine import ContactState

MARK: Final = (
    f"UPDATE temp.staged SET state = '{ContactState.SKIPPED}', reason = 'dnc',"
    f" detail = '{DETAIL}' WHERE known_as(phone_number) <> phone_number"
)
"""First: whoever shares their contact_id is the same person, and not called either."""

ERASE: Final = (
    "UPDATE temp.staged SET phone_number = known_as(phone_number), contact_id = NULL,"
    " params = '{}', from_number = NULL, agent_id = NULL, due_at = NULL, not_before = NULL,"
    " expires_at = NULL, timezone = NULL, consent = NULL, consent_at = NULL,"
    " consent_source = NULL, rank = 0, max_attempts = NULL"
    f" WHERE detail = '{DETAIL}' AND NOT {IS_PSEUDONYM}"
)
"""Before the keys are made."""

_STEPS: Final = frozenset({MARK, ERASE})
_COUNT: Final = f"SELECT count(*) FROM main.suppressed WHERE source = '{FORGOTTEN}'"
_KEY: Final = (
    f"UPDATE temp.staged SET key = '{ContactState.SKIPPED}:' || phone_number || ':' ||"
    " (SELECT count(*) FROM temp.staged AS other WHERE other.phone_number ="
    f" staged.phone_number AND other.row <= staged.row) WHERE {IS_PSEUDONYM}"
    f" AND key NOT GLOB '{ContactState.SKIPPED}:{FORGOTTEN}:*'"
)


class ForgottenRows:
    """Sees to such rows of one list, when it is looked at and when it is taken over."""

    def __init__(self) -> None:
        self._known: int | None = None

    def begin(self, connection: sqlite3.Connection) -> frozenset[str]:
        """Before a list is judged, or judged on; gives the judgements that need not be made."""
        if self._known is None:
            self._known = _count(connection)
        return frozenset() if _rename(connection) else _STEPS

    def see_to_more(self, connection: sqlite3.Connection) -> None:
        """See to those who were forgotten since, in the transaction that takes rows over."""
        known = _count(connection)
        if known != self._known and _rename(connection):
            connection.execute(MARK)
            connection.execute(ERASE)
            connection.execute(_KEY)
        self._known = known


def _count(connection: sqlite3.Connection) -> int:
    count: int = connection.execute(_COUNT).fetchone()[0]
    return count


def _rename(connection: sqlite3.Connection) -> bool:
    """Let statements ask what a number is known as; whether anybody was forgotten."""
    rename = renaming(connection)
    if rename is not None:
        connection.create_function("known_as", 1, rename, deterministic=True)
    return rename is not None
