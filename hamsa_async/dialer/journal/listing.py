"""Reading a list beside its campaign, comparing the two, and taking it over.

A list is staged in a temporary table of its own connection: it costs no sync, and a crash
leaves nothing behind. What is taken over goes in chunks, so that other processes can write in
between, and each row is judged by its *key*: a contact's id, else its number, else (for a row
that is no contact, or is here twice) its text and how many times it was seen before.
"""

import json
import sqlite3
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.journal.records import ListDifference, StagedList
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import DIALABLE, WITHDRAWABLE, ContactState

CHUNK: Final = 2_000  # rows per transaction: a longer one holds off a running dialer's intents
_BREATH: Final = 0.001  # seconds between transactions

WITHDRAWN: Final = "withdrawn"
DUPLICATE: Final = "duplicate_in_file"
DUPLICATE_ID: Final = "duplicate_contact_id"

_FIELDS: Final = (
    "key, row, contact_id, phone_number, params, from_number, agent_id, state, reason, detail,"
    " due_at, expires_at"
)
# What makes a row another row than before, for a contact of the same key.
_CONTENT: Final = ("contact_id", "params", "from_number", "agent_id", "expires_at")


def _quoted(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_CALLABLE: Final = _quoted(DIALABLE)
_MAY_GO: Final = _quoted(WITHDRAWABLE)
_DIFFERS: Final = " OR ".join(f"old.{name} IS NOT new.{name}" for name in _CONTENT)


def _skip(reason: str, detail: str, others: str) -> str:
    """Skip the callable rows for which another row of that kind exists."""
    return (
        f"UPDATE temp.staged SET state = '{ContactState.SKIPPED}', reason = '{reason}',"
        f" detail = '{detail}' WHERE state IN ({_CALLABLE}) AND EXISTS (SELECT 1 FROM {others})"
    )


_JUDGEMENTS: Final = (
    "CREATE INDEX temp.staged_number ON staged (phone_number)",
    "CREATE INDEX temp.staged_id ON staged (contact_id) WHERE contact_id IS NOT NULL",
    # Whoever asks not to be called in any row is not called for another one.
    _skip(
        "dnc",
        "Another row of the list says not to call this number.",
        "temp.staged AS other WHERE other.phone_number = staged.phone_number"
        " AND other.reason IN ('dnc', 'no_consent')",
    ),
    _skip(
        DUPLICATE,
        "The same number is in the list before.",
        "temp.staged AS other WHERE other.phone_number = staged.phone_number"
        f" AND other.row < staged.row AND other.state <> '{ContactState.INVALID}'",
    ),
    _skip(
        DUPLICATE_ID,
        "The same contact_id is in the list before, with another number.",
        "temp.staged AS other WHERE other.contact_id = staged.contact_id"
        f" AND other.row < staged.row AND other.state <> '{ContactState.INVALID}'",
    ),
    _skip(
        DUPLICATE_ID,
        "The contact with this contact_id was dialed before, at another number.",
        "main.contacts AS other WHERE other.campaign = :campaign"
        " AND other.contact_id = staged.contact_id AND other.contact_id IS NOT NULL"
        f" AND other.phone_number <> staged.phone_number AND other.state NOT IN ({_MAY_GO})",
    ),
    f"UPDATE temp.staged SET key = 'number:' || phone_number WHERE state IN ({_CALLABLE})",
    "CREATE TEMP TABLE place AS SELECT row, row_number() OVER"
    " (PARTITION BY state, phone_number ORDER BY row) AS nth FROM temp.staged WHERE key IS NULL",
    "CREATE UNIQUE INDEX temp.place_row ON place (row)",
    "UPDATE temp.staged SET key = state || ':' || phone_number || ':' ||"
    " (SELECT nth FROM temp.place WHERE place.row = staged.row) WHERE key IS NULL",
    "DROP TABLE temp.place",
    "CREATE UNIQUE INDEX temp.staged_key ON staged (key)",
)


class ListStage:
    """A list on its way into a campaign, on a connection of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._judged = False

    def begin(self) -> None:
        """Begin a new list."""
        self._judged = False
        self._connection.executescript(
            """
            DROP TABLE IF EXISTS temp.staged;
            CREATE TEMP TABLE staged (
                row INTEGER PRIMARY KEY, key TEXT, contact_id TEXT, phone_number TEXT, params TEXT,
                from_number TEXT, agent_id TEXT, state TEXT, reason TEXT, detail TEXT,
                due_at INTEGER, expires_at INTEGER
            );
            """
        )

    def add(self, rows: Iterable[Row]) -> None:
        """Stage some more rows."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO temp.staged VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    row.row,
                    row.contact_id,
                    row.phone_number,
                    json.dumps(row.params, ensure_ascii=False, separators=(",", ":")),
                    row.from_number,
                    row.agent_id,
                    row.state,
                    row.reason,
                    row.detail,
                    _millis(row.due_at),
                    _millis(row.expires_at),
                )
                for row in rows
            ],
        )
        self._connection.execute("COMMIT")

    def look(self, campaign: int) -> StagedList:
        """Judge duplicates and compare the list with the campaign's."""
        self._judge(campaign)
        one = self._connection.execute
        rows, usable, without_from = one(
            f"SELECT count(*), coalesce(sum(state IN ({_CALLABLE})), 0),"
            f" coalesce(sum(state IN ({_CALLABLE}) AND from_number IS NULL), 0) FROM temp.staged"
        ).fetchone()
        states = {
            (state, reason): count
            for state, reason, count in one(
                "SELECT state, reason, count(*) FROM temp.staged GROUP BY state, reason"
            )
        }
        return StagedList(
            rows=rows,
            usable=usable,
            without_from_number=without_from,
            states=states,
            difference=self._difference(campaign),
        )

    def take_over(self, campaign: int) -> ListDifference:
        """Make it the campaign's list; give what changed."""
        self._judge(campaign)
        difference = self._difference(campaign)
        (last,) = self._connection.execute("SELECT coalesce(max(row), 0) FROM temp.staged").fetchone()
        for start in range(0, last, CHUNK):
            self._in_transaction(
                f"INSERT INTO main.contacts (campaign, {_FIELDS})"
                f" SELECT ?, {_FIELDS} FROM temp.staged WHERE row > ? AND row <= ?"
                # A row that is here already and was not dialed takes the new list's word.
                " ON CONFLICT (campaign, key) DO UPDATE SET row = excluded.row,"
                " params = excluded.params, from_number = excluded.from_number,"
                " contact_id = excluded.contact_id, agent_id = excluded.agent_id,"
                " expires_at = excluded.expires_at, state = excluded.state,"
                " reason = excluded.reason, detail = excluded.detail, due_at = excluded.due_at"
                f" WHERE main.contacts.state IN ({_CALLABLE})"
                f" OR (main.contacts.state IN ({_MAY_GO}) AND main.contacts.reason = '{WITHDRAWN}')",
                (campaign, start, start + CHUNK),
            )
        self._withdraw(campaign)
        self._connection.execute("DROP TABLE temp.staged")
        return difference

    def close(self) -> None:
        """Forget the list."""
        self._connection.close()

    def _judge(self, campaign: int) -> None:
        """Find rows that are not to be called because of others, and give every row its key."""
        if self._judged:
            return
        one = self._connection.execute
        one("BEGIN")
        for statement in _JUDGEMENTS:
            one(statement, {"campaign": campaign} if ":campaign" in statement else {})
        one("COMMIT")
        self._judged = True

    def _difference(self, campaign: int) -> ListDifference:
        one = self._connection.execute
        (new,) = one(
            "SELECT count(*) FROM temp.staged AS new WHERE NOT EXISTS (SELECT 1 FROM"
            " main.contacts AS old WHERE old.campaign = ? AND old.key = new.key"
            f" AND old.reason IS NOT '{WITHDRAWN}')",
            (campaign,),
        ).fetchone()
        (gone,) = one(
            f"SELECT count(*) FROM main.contacts AS old WHERE {self._gone()}", (campaign,)
        ).fetchone()
        (changed,) = one(
            "SELECT count(*) FROM temp.staged AS new JOIN main.contacts AS old"
            " ON old.campaign = ? AND old.key = new.key"
            f" WHERE old.state IN ({_CALLABLE}) AND ({_DIFFERS})",
            (campaign,),
        ).fetchone()
        return ListDifference(new=new, gone=gone, changed=changed)

    def _gone(self) -> str:
        return (
            f"old.campaign = ? AND old.state IN ({_MAY_GO}) AND old.reason IS NOT '{WITHDRAWN}'"
            " AND NOT EXISTS (SELECT 1 FROM temp.staged AS new WHERE new.key = old.key)"
        )

    def _withdraw(self, campaign: int) -> None:
        while self._in_transaction(
            f"UPDATE main.contacts SET state = '{ContactState.SKIPPED}', reason = '{WITHDRAWN}',"
            " detail = 'The row is no longer in the list.', due_at = NULL"
            f" WHERE id IN (SELECT old.id FROM main.contacts AS old WHERE {self._gone()}"
            f" LIMIT {CHUNK})",
            (campaign,),
        ):
            pass

    def _in_transaction(self, statement: str, values: tuple[Any, ...]) -> int:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            touched = connection.execute(statement, values).rowcount
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        time.sleep(_BREATH)
        return touched


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)
