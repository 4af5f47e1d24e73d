"""A list on its way into a campaign: its rows in a temporary table, judged beside each other.

It is staged on a connection of its own: that costs no sync, and a crash leaves nothing behind.
What is taken over goes in chunks, so that other processes can write in between.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeVar

from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.journal import forgotten_rows
from hamsa_async.dialer.journal.forgotten_rows import ForgottenRows
from hamsa_async.dialer.journal.sql import quoted, transaction
from hamsa_async.dialer.journal.thread import BREATH, ThreadedConnection
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import NEVER_DIALED, ContactState

T = TypeVar("T")

CHUNK: Final = 2_000  # rows per transaction: a longer one holds off a running dialer's intents

DUPLICATE: Final = "duplicate_in_file"
DUPLICATE_ID: Final = "duplicate_contact_id"
DNC: Final = "dnc"
WITHDRAWN: Final = "withdrawn"

# A list brings nobody back who was called: only whoever was not yet takes its word.
CALLABLE: Final = quoted(NEVER_DIALED)

FIELDS: Final = (
    "key, row, contact_id, phone_number, params, from_number, agent_id, state, reason, detail,"
    " due_at, not_before, expires_at, timezone, consent, consent_at, consent_source, rank,"
    " max_attempts"
)
"""The columns of a contact that its row fills."""

_TABLES: Final = """
    CREATE TEMP TABLE staged (
        row INTEGER PRIMARY KEY, contact_id TEXT, phone_number TEXT, params TEXT,
        from_number TEXT, agent_id TEXT, state TEXT, reason TEXT, detail TEXT,
        due_at INTEGER, not_before INTEGER, expires_at INTEGER,
        timezone TEXT, consent INTEGER, consent_at INTEGER, consent_source TEXT,
        rank INTEGER, max_attempts INTEGER, key TEXT
    );
    CREATE TEMP TABLE called (row INTEGER PRIMARY KEY, phone_number UNIQUE, contact_id UNIQUE);
"""
_STAGE: Final = f"INSERT INTO temp.staged VALUES ({', '.join('?' * 18)}, NULL)"


def skip(reason: str, detail: str, condition: str) -> str:
    """Skip the rows that would be called and meet a condition."""
    return (
        f"UPDATE temp.staged SET state = '{ContactState.SKIPPED}', reason = '{reason}',"
        f" detail = '{detail}', due_at = NULL WHERE state IN ({CALLABLE}) AND {condition}"
    )


INDICES: Final = (
    "CREATE INDEX temp.staged_number ON staged (phone_number)",
    "CREATE INDEX temp.staged_id ON staged (contact_id) WHERE contact_id IS NOT NULL",
)

UNWILLING: Final = (
    forgotten_rows.MARK,
    skip(
        DNC,
        "Another row of the list says not to call this number.",
        "EXISTS (SELECT 1 FROM temp.staged AS other WHERE other.phone_number ="
        " staged.phone_number AND other.reason IN ('dnc', 'no_consent'))",
    ),
    skip(
        DNC,
        "Another row of the list says not to call this person.",
        "EXISTS (SELECT 1 FROM temp.staged AS other WHERE other.contact_id ="
        " staged.contact_id AND other.contact_id IS NOT NULL"
        " AND other.reason IN ('dnc', 'no_consent'))",
    ),
)
"""Whoever asks not to be called in any row, by number or by contact_id, is called for none."""

DUPLICATES: Final = (
    # Row by row: one that is turned away takes neither its number nor its contact_id.
    (
        "INSERT OR IGNORE INTO temp.called SELECT row, phone_number, contact_id FROM temp.staged"
        f" WHERE state IN ({CALLABLE}) ORDER BY row"
    ),
    skip(
        DUPLICATE,
        "The same number is in the list before.",
        "row NOT IN (SELECT row FROM temp.called) AND EXISTS (SELECT 1 FROM temp.called"
        " WHERE called.phone_number = staged.phone_number AND called.row < staged.row)",
    ),
    skip(
        DUPLICATE_ID,
        "The same contact_id is in the list before, with another number.",
        "row NOT IN (SELECT row FROM temp.called)",
    ),
)
"""Of rows with one number or one contact_id the first is called."""

KEYS: Final = (
    forgotten_rows.ERASE,
    f"UPDATE temp.staged SET key = 'number:' || phone_number WHERE state IN ({CALLABLE})",
    (
        "CREATE TEMP TABLE place AS SELECT row, row_number() OVER"
        " (PARTITION BY state, phone_number ORDER BY row) AS nth FROM temp.staged WHERE key IS NULL"
    ),
    "CREATE UNIQUE INDEX temp.place_row ON place (row)",
    (
        "UPDATE temp.staged SET key = state || ':' || phone_number || ':' ||"
        " (SELECT nth FROM temp.place WHERE place.row = staged.row) WHERE key IS NULL"
    ),
    "DROP TABLE temp.place",
    "CREATE UNIQUE INDEX temp.staged_key ON staged (key)",
)
"""Each row's key: its number, for a contact that is to be called; else (a row that is no
contact, or here twice) its state, its number and how many times that was seen before."""


# A list that was taken over in part, before a crash, is the one that is taken over now.
_ADD_LIST: Final = (
    "INSERT INTO main.lists (campaign, number, name, appended, at) SELECT :campaign,"
    " coalesce(max(number), 0) + (:appended"
    " OR (SELECT loaded FROM main.campaigns WHERE id = :campaign)"
    " OR coalesce((SELECT appended FROM main.lists WHERE campaign = :campaign"
    " ORDER BY number DESC LIMIT 1), 1)),"
    " :name, :appended, :at FROM main.lists WHERE campaign = :campaign"
    " ON CONFLICT (campaign, number) DO UPDATE SET name = excluded.name, at = excluded.at"
    " RETURNING number"
)


def add_list(
    connection: sqlite3.Connection,
    campaign: int,
    name: str | None,
    now: int,
    *,
    appended: bool = False,
) -> int:
    """Write down that a list comes in, in the transaction of its first step; gives its number."""
    values = {"campaign": campaign, "name": name, "appended": appended, "at": now}
    number: int = connection.execute(_ADD_LIST, values).fetchone()[0]
    return number


class Stage:
    """Rows that wait to be taken over, on a connection of their own."""

    def __init__(self, campaign: int, connection: ThreadedConnection) -> None:
        self._campaign = campaign
        self._connection = connection
        self._is_there = False
        self._forgotten = ForgottenRows()

    async def add(self, rows: Iterable[Row]) -> None:
        """Stage some more rows."""
        await self._connection.run(lambda connection: self._add(connection, rows))

    async def aclose(self) -> None:
        """Forget the list."""
        await self._connection.aclose()

    async def _in_chunks(self, table: str, place: str) -> list[dict[str, int]]:
        """The chunks of a table, as values for a statement: the campaign, `after` and `upto`."""
        ((last,),) = await self._connection.fetch(
            f"SELECT coalesce(max({place}), 0) FROM temp.{table}"
        )
        return [
            {"campaign": self._campaign, "after": start, "upto": start + CHUNK}
            for start in range(0, last, CHUNK)
        ]

    async def _write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run a step in a transaction, and leave the journal free for a moment."""

        def whole(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                self._forgotten.see_to_more(connection)
                return step(connection)

        written = await self._connection.run(whole)
        await asyncio.sleep(BREATH)
        return written

    def _add(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        if not self._is_there:
            connection.executescript(_TABLES)
            self._is_there = True
        connection.execute("BEGIN")
        connection.executemany(_STAGE, map(_values, rows))
        connection.execute("COMMIT")

    def _judge(self, connection: sqlite3.Connection, statements: Iterable[str]) -> None:
        values = {"campaign": self._campaign}
        connection.execute("BEGIN")
        passed_over = self._forgotten.begin(connection)
        for statement in statements:
            if statement not in passed_over:
                connection.execute(statement, values if ":campaign" in statement else {})
        connection.execute("COMMIT")


def _values(row: Row) -> tuple[Any, ...]:
    return (
        row.row,
        row.contact_id,
        row.phone_number,
        # Sorted: columns in another order are no other list.
        json.dumps(row.params, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
        row.from_number,
        row.agent_id,
        str(row.state),
        row.reason,
        row.detail,
        _millis(row.due_at),
        _millis(row.due_at),
        _millis(row.expires_at),
        row.timezone,
        row.consent,
        _millis(row.consent_at),
        row.consent_source,
        -(row.priority or 0),
        row.max_attempts,
    )


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)
