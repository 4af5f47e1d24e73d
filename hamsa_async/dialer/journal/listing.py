"""Reading a list beside its campaign, comparing the two, and taking it over.

A list is staged in a temporary table of its own connection: it costs no sync, and a crash
leaves nothing behind. What is taken over goes in chunks, so that other processes can write in
between, and each row is judged by its *key*: its number, for a contact that is to be called;
else (a row that is no contact, or here twice) its state, its number and how many times that
was seen before. So a contact keeps its record as long as its number is in the list.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.journal import forgotten_rows
from hamsa_async.dialer.journal.forgotten_rows import ForgottenRows
from hamsa_async.dialer.journal.pseudonyms import IS_PSEUDONYM
from hamsa_async.dialer.journal.records import ListDifference, StagedList
from hamsa_async.dialer.journal.sql import quoted, transaction
from hamsa_async.dialer.journal.thread import ThreadedConnection
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import (
    NEVER_DIALED,
    WITHDRAWABLE,
    ContactState,
    Happening,
    move,
)

CHUNK: Final = 2_000  # rows per transaction: a longer one holds off a running dialer's intents
_BREATH: Final = 0.005  # seconds between transactions: others look for the lock now and then

WITHDRAWN: Final = "withdrawn"
DUPLICATE: Final = "duplicate_in_file"
DUPLICATE_ID: Final = "duplicate_contact_id"
DNC: Final = "dnc"

# A list brings nobody back who was called: only whoever was not yet takes its word.
_CALLABLE: Final = quoted(NEVER_DIALED)
_MAY_GO: Final = quoted(WITHDRAWABLE)
# Where a call may have been made, or still may be: what a contact_id must not lead to twice.
_DIALED: Final = quoted(
    {
        ContactState.DIALING,
        ContactState.PLACED,
        ContactState.RETRY,
        ContactState.DONE,
        ContactState.UNKNOWN,
        ContactState.REVIEW,
    }
)

_FIELDS: Final = (
    "key, row, contact_id, phone_number, params, from_number, agent_id, state, reason, detail,"
    " due_at, not_before, expires_at, timezone, consent, consent_at"
)
_TABLES: Final = """
    CREATE TEMP TABLE staged (
        row INTEGER PRIMARY KEY, key TEXT, contact_id TEXT, phone_number TEXT, params TEXT,
        from_number TEXT, agent_id TEXT, state TEXT, reason TEXT, detail TEXT,
        due_at INTEGER, not_before INTEGER, expires_at INTEGER,
        timezone TEXT, consent INTEGER, consent_at INTEGER
    );
    CREATE TEMP TABLE called (row INTEGER PRIMARY KEY, phone_number UNIQUE, contact_id UNIQUE);
    CREATE TEMP TABLE gone (place INTEGER PRIMARY KEY, id INTEGER);
"""
_STAGE: Final = "INSERT INTO temp.staged VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _skip(reason: str, detail: str, condition: str) -> str:
    """Skip the rows that would be called and meet a condition."""
    return (
        f"UPDATE temp.staged SET state = '{ContactState.SKIPPED}', reason = '{reason}',"
        f" detail = '{detail}', due_at = NULL WHERE state IN ({_CALLABLE}) AND {condition}"
    )


# In this order. Whoever asks not to be called in any row, by number or by contact_id, is not
# called for another one; then, of rows with one number or one contact_id, the first is called.
_JUDGEMENTS: Final = (
    "CREATE INDEX temp.staged_number ON staged (phone_number)",
    "CREATE INDEX temp.staged_id ON staged (contact_id) WHERE contact_id IS NOT NULL",
    forgotten_rows.MARK,
    _skip(
        DNC,
        "Another row of the list says not to call this number.",
        "EXISTS (SELECT 1 FROM temp.staged AS other WHERE other.phone_number ="
        " staged.phone_number AND other.reason IN ('dnc', 'no_consent'))",
    ),
    _skip(
        DNC,
        "Another row of the list says not to call this person.",
        "EXISTS (SELECT 1 FROM temp.staged AS other WHERE other.contact_id ="
        " staged.contact_id AND other.contact_id IS NOT NULL"
        " AND other.reason IN ('dnc', 'no_consent'))",
    ),
    _skip(
        DUPLICATE_ID,
        "The contact with this contact_id was dialed before, at another number.",
        "EXISTS (SELECT 1 FROM main.contacts AS other WHERE other.campaign = :campaign"
        " AND other.contact_id = staged.contact_id AND other.contact_id IS NOT NULL"
        f" AND other.phone_number <> staged.phone_number AND other.state IN ({_DIALED}))",
    ),
    # Row by row: one that is turned away takes neither its number nor its contact_id.
    (
        "INSERT OR IGNORE INTO temp.called SELECT row, phone_number, contact_id FROM temp.staged"
        f" WHERE state IN ({_CALLABLE}) ORDER BY row"
    ),
    _skip(
        DUPLICATE,
        "The same number is in the list before.",
        "row NOT IN (SELECT row FROM temp.called) AND EXISTS (SELECT 1 FROM temp.called"
        " WHERE called.phone_number = staged.phone_number AND called.row < staged.row)",
    ),
    _skip(
        DUPLICATE_ID,
        "The same contact_id is in the list before, with another number.",
        "row NOT IN (SELECT row FROM temp.called)",
    ),
    forgotten_rows.ERASE,
    f"UPDATE temp.staged SET key = 'number:' || phone_number WHERE state IN ({_CALLABLE})",
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
    (
        "INSERT INTO temp.gone (id) SELECT id FROM main.contacts AS old"
        f" WHERE old.campaign = :campaign AND old.state IN ({_MAY_GO})"
        f" AND old.reason IS NOT '{WITHDRAWN}' AND NOT old.{IS_PSEUDONYM}"
        " AND NOT EXISTS (SELECT 1 FROM temp.staged AS new WHERE new.key = old.key) ORDER BY id"
    ),
)

# What makes a row another one than before, for a contact of the same key.
_DIFFERS: Final = " OR ".join(
    f"old.{name} IS NOT new.{name}"
    for name in (
        *("contact_id", "params", "from_number", "agent_id", "not_before", "expires_at"),
        *("timezone", "consent", "consent_at"),
    )
)
# Which contacts take the new list's word: those that are still to be called; those withdrawn
# that are back; those whose time ran out and was put off.
_OPEN_TO_CHANGE: Final = (
    f"(old.state IN ({_CALLABLE}) OR (old.state IN ({_MAY_GO}) AND old.reason = '{WITHDRAWN}')"
    f" OR (old.state = '{ContactState.EXPIRED}' AND old.expires_at IS NOT new.expires_at))"
)
_IS_NEW: Final = (
    "NOT EXISTS (SELECT 1 FROM main.contacts AS old WHERE old.campaign = :campaign"
    f" AND old.key = new.key AND old.reason IS NOT '{WITHDRAWN}')"
)
_HAS_CHANGED: Final = (
    "EXISTS (SELECT 1 FROM main.contacts AS old WHERE old.campaign = :campaign"
    f" AND old.key = new.key AND old.reason IS NOT '{WITHDRAWN}'"
    f" AND {_OPEN_TO_CHANGE} AND ({_DIFFERS}))"
)
_TAKE: Final = (
    f"INSERT INTO main.contacts AS old (campaign, {_FIELDS})"
    f" SELECT :campaign, {_FIELDS} FROM temp.staged AS new"
    " WHERE new.row > :after AND new.row <= :upto"
    " ON CONFLICT (campaign, key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS.split(", ") if name != "key")
    + ", erased_at = NULL"
    + f" WHERE {_OPEN_TO_CHANGE.replace('new.', 'excluded.')}"
)
_WITHDRAW: Final = (
    f"UPDATE main.contacts SET state = CASE state WHEN '{ContactState.RETRY}'"
    f" THEN '{move(ContactState.RETRY, Happening.WITHDRAWN)}'"
    f" ELSE '{ContactState.SKIPPED}' END, reason = '{WITHDRAWN}',"
    " detail = 'The row is no longer in the list.', due_at = NULL"
    " WHERE id IN (SELECT id FROM temp.gone WHERE place > :after AND place <= :upto)"
    f" AND NOT {IS_PSEUDONYM}"
)


class ListStage:
    """A list on its way into a campaign, on a connection of its own."""

    def __init__(self, campaign: int, connection: ThreadedConnection) -> None:
        self._campaign = campaign
        self._connection = connection
        self._is_there = False
        self._found: StagedList | None = None
        self._forgotten = ForgottenRows()

    async def add(self, rows: Iterable[Row]) -> None:
        """Stage some more rows."""
        await self._connection.run(lambda connection: self._add(connection, rows))

    async def look(self) -> StagedList:
        """Judge duplicates and compare the list with the campaign's. No row follows after that."""
        if self._found is None:
            self._found = await self._connection.run(self._look)
        return self._found

    async def take_over(self) -> None:
        """Make it the campaign's list, a chunk at a time."""
        for statement, table, place in (
            (_TAKE, "staged", "row"),
            (_WITHDRAW, "gone", "place"),
        ):
            ((last,),) = await self._connection.fetch(
                f"SELECT coalesce(max({place}), 0) FROM temp.{table}"
            )
            for start in range(0, last, CHUNK):
                values = {"campaign": self._campaign, "after": start, "upto": start + CHUNK}
                await self._write(statement, values)

    async def _write(self, statement: str, values: dict[str, int]) -> None:
        def step(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                self._forgotten.see_to_more(connection)
                connection.execute(statement, values)

        await self._connection.run(step)
        await asyncio.sleep(_BREATH)

    async def aclose(self) -> None:
        """Forget the list."""
        await self._connection.aclose()

    def _add(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        if not self._is_there:
            connection.executescript(_TABLES)
            self._is_there = True
        connection.execute("BEGIN")
        connection.executemany(_STAGE, map(_values, rows))
        connection.execute("COMMIT")

    def _look(self, connection: sqlite3.Connection) -> StagedList:
        values = {"campaign": self._campaign}
        connection.execute("BEGIN")
        passed_over = self._forgotten.begin(connection)
        for statement in _JUDGEMENTS:
            if statement in passed_over:
                continue
            connection.execute(statement, values if ":campaign" in statement else {})
        connection.execute("COMMIT")
        rows, usable, without_from, new, changed = connection.execute(
            f"SELECT count(*), coalesce(sum(state IN ({_CALLABLE})), 0),"
            f" coalesce(sum(state IN ({_CALLABLE}) AND from_number IS NULL), 0),"
            f" coalesce(sum({_IS_NEW}), 0), coalesce(sum({_HAS_CHANGED}), 0)"
            " FROM temp.staged AS new",
            values,
        ).fetchone()
        (gone,) = connection.execute("SELECT count(*) FROM temp.gone").fetchone()
        states = connection.execute(
            "SELECT state, reason, count(*) FROM temp.staged GROUP BY state, reason"
        )
        return StagedList(
            rows=rows,
            usable=usable,
            without_from_number=without_from,
            states={(state, reason): count for state, reason, count in states},
            difference=ListDifference(new=new, gone=gone, changed=changed),
        )


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
    )


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)
