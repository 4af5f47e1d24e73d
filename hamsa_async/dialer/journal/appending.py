"""Appending a list to a campaign, also while another process dials it.

What was seen before, by number or by contact_id, is left as it is, and that is judged again in
the transaction that adds a row. So a list may be appended twice, by two processes at once, or
again after a crash in the middle: each person is there once. Whoever says in it that they are
not to be called is not called any more, in whichever list they are.
"""

import functools
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal import forgotten_rows
from hamsa_async.dialer.journal.records import StagedAppend
from hamsa_async.dialer.journal.sql import quoted
from hamsa_async.dialer.journal.staging import (
    CALLABLE,
    DNC,
    DUPLICATES,
    FIELDS,
    INDICES,
    KEYS,
    UNWILLING,
    WITHDRAWN,
    Stage,
    add_list,
)
from hamsa_async.dialer.journal.thread import ThreadedConnection
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import (
    DIALABLE,
    NEVER_DIALED,
    ContactState,
    Happening,
    move,
)

# A key that no row of another list has.
_KEY: Final = (
    "CASE WHEN new.key LIKE 'number:%' THEN new.key ELSE 'appended:' || :list || ':' || new.key END"
)
_UNWILLING: Final = "('dnc', 'no_consent')"
# Rows that are no contacts are none: they may be sent again, corrected. Nor is whoever was
# withdrawn before they were called: they are in no list now.
_IS_SOMEBODY: Final = (
    f"old.campaign = :campaign AND old.state <> '{ContactState.INVALID}'"
    f" AND NOT (old.state = '{ContactState.SKIPPED}' AND old.reason = '{WITHDRAWN}')"
)
_OF_OTHER_LISTS: Final = " AND old.list <> :list"


def _seen(more: str = "") -> str:
    """Whether a row says nothing new: the campaign has its number or its contact_id.

    Of whoever is not to be called both must be there, so that neither is called for a later row.
    """
    number = (
        "(EXISTS (SELECT 1 FROM main.contacts AS old WHERE old.key IN"
        f" ('number:' || new.phone_number, 'skipped:' || new.phone_number || ':1')"
        f" AND {_IS_SOMEBODY}{more}) OR EXISTS (SELECT 1 FROM main.contacts AS old"
        f" WHERE old.phone_number = new.phone_number AND old.list > 1 AND {_IS_SOMEBODY}{more}))"
    )
    person = (
        "EXISTS (SELECT 1 FROM main.contacts AS old WHERE old.contact_id = new.contact_id"
        f" AND old.contact_id IS NOT NULL AND {_IS_SOMEBODY}{more})"
    )
    return (
        f"CASE WHEN new.state = '{ContactState.INVALID}' THEN 0"
        f" WHEN new.reason IN {_UNWILLING}"
        f" THEN {number} AND (new.contact_id IS NULL OR {person})"
        f" ELSE {number} OR {person} END"
    )


_FORGET_SEEN: Final = f"DELETE FROM temp.staged AS new WHERE {_seen()}"

# What is no contact has nothing to be known by: so many of one content are there already.
_SAME: Final = "phone_number, contact_id, params, reason"
_COUNT_BAD: Final = (
    # Of one that was purged it is not known any more what stood beside its number.
    "CREATE TEMP TABLE bad AS SELECT phone_number, contact_id,"
    " CASE WHEN erased_at IS NULL THEN params END AS params, reason, count(*) AS known"
    " FROM main.contacts"
    f" WHERE campaign = :campaign AND state = '{ContactState.INVALID}'"
    " AND (key >= 'invalid:' AND key < 'invalid;' OR key >= 'appended:' AND key < 'appended;')"
    " GROUP BY 1, 2, 3, 4"
)
_NUMBER_BAD: Final = (
    "CREATE TEMP TABLE sent AS SELECT row, row_number() OVER"
    f" (PARTITION BY {_SAME} ORDER BY row) AS nth, {_SAME}"
    f" FROM temp.staged WHERE state = '{ContactState.INVALID}'"
)
_FORGET_BAD: Final = (
    "DELETE FROM temp.staged WHERE row IN (SELECT sent.row FROM temp.sent WHERE sent.nth <="
    " (SELECT coalesce(sum(known), 0) FROM temp.bad WHERE bad.phone_number = sent.phone_number"
    " AND bad.contact_id IS sent.contact_id AND coalesce(bad.params, sent.params) = sent.params"
    " AND bad.reason IS sent.reason))"
)
_BEFORE: Final = (
    *INDICES,
    *UNWILLING,
    (
        "CREATE TEMP TABLE unwilling AS SELECT row, phone_number, contact_id FROM temp.staged"
        f" WHERE reason IN {_UNWILLING}"
    ),
    forgotten_rows.ERASE,  # by what is left of them they are known again
    _COUNT_BAD,
    "CREATE INDEX temp.bad_number ON bad (phone_number)",
    _NUMBER_BAD,
)
_AFTER: Final = (*DUPLICATES, *KEYS)

_CALL_OFF: Final = (
    "UPDATE main.contacts SET state = CASE state"
    + "".join(
        f" WHEN '{state}' THEN '{move(state, Happening.SKIPPED)}'" for state in sorted(DIALABLE)
    )
    + f" END, reason = '{DNC}', due_at = NULL,"
    " detail = 'A list that was appended says not to call this person.'"
    f" WHERE +state IN ({quoted(DIALABLE)}) AND id IN"
    # A cross join, so that SQLite goes by the rows of the list and not by those of the campaign.
    " (SELECT c.id FROM temp.unwilling AS u CROSS JOIN main.contacts AS c"
    " WHERE u.row > :after AND u.row <= :upto AND c.campaign = :campaign"
    " AND c.key = 'number:' || u.phone_number"
    " UNION SELECT c.id FROM temp.unwilling AS u CROSS JOIN main.contacts AS c"
    " WHERE u.row > :after AND u.row <= :upto AND c.campaign = :campaign"
    " AND c.contact_id = u.contact_id AND c.contact_id IS NOT NULL)"
)
_ADD: Final = (
    f"INSERT INTO main.contacts AS old (campaign, list, {FIELDS})"
    f" SELECT :campaign, :list, {FIELDS.replace('key', _KEY, 1)} FROM temp.staged AS new"
    f" WHERE new.row > :after AND new.row <= :upto AND NOT ({_seen(_OF_OTHER_LISTS)})"
    " ON CONFLICT (campaign, key) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}" for name in ("list", *FIELDS.split(", ")) if name != "key"
    )
    + f", erased_at = NULL WHERE old.state = '{ContactState.SKIPPED}'"
    f" AND old.reason = '{WITHDRAWN}'"
    " RETURNING state"
)
_GREW: Final = "UPDATE main.campaigns SET appended = appended + ? WHERE id = ?"


class AppendStage(Stage):
    """A list that is to be appended to its campaign.

    Args:
        campaign: The campaign's id.
        connection: The list's own.
        note: Writes the event of it down, in a transaction.
        clock: What time it is (aware).
    """

    def __init__(
        self,
        campaign: int,
        connection: ThreadedConnection,
        note: Callable[[sqlite3.Connection, Mapping[str, Any]], DialerEvent],
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(campaign, connection)
        self._note = note
        self._clock = clock
        self._seen = 0

    async def look(self) -> StagedAppend:
        """Tell what is new from what was seen before. No row follows after that."""
        found = await self._connection.run(self._look)
        self._seen = found.seen
        return found

    async def take_over(self, name: str | None) -> DialerEvent:
        """Append it under this name, a chunk at a time."""
        called_off, added, number = 0, 0, None
        # First, so that a crash in between leaves nobody to be called who said no.
        for chunk in await self._in_chunks("unwilling", "row"):
            called_off += await self._write(functools.partial(_call_off, chunk))
        for chunk in await self._in_chunks("staged", "row"):
            if number is None:
                number = await self._write(functools.partial(self._add_list, name))
            added += await self._write(functools.partial(_add_rows, {**chunk, "list": number}))
        data = {"list": number, "new": added, "seen": self._seen, "called_off": called_off}
        return await self._write(lambda connection: self._note(connection, data))

    def _add_list(self, name: str | None, connection: sqlite3.Connection) -> int:
        now = to_millis(self._clock())
        return add_list(connection, self._campaign, name, now, appended=True)

    def _look(self, connection: sqlite3.Connection) -> StagedAppend:
        self._judge(connection, _BEFORE)
        states = connection.execute(
            "SELECT state, reason, count(*) FROM temp.staged GROUP BY state, reason"
        ).fetchall()
        seen = connection.execute(_FORGET_SEEN, {"campaign": self._campaign}).rowcount
        seen += connection.execute(_FORGET_BAD).rowcount
        self._judge(connection, _AFTER)
        new, usable, without_from = connection.execute(
            f"SELECT count(*), coalesce(sum(state IN ({CALLABLE})), 0),"
            f" coalesce(sum(state IN ({CALLABLE}) AND from_number IS NULL), 0) FROM temp.staged"
        ).fetchone()
        return StagedAppend(
            rows=sum(count for *_, count in states),
            new=new,
            seen=seen,
            usable=usable,
            without_from_number=without_from,
            states={(state, reason): count for state, reason, count in states},
        )


def _call_off(chunk: Mapping[str, int], connection: sqlite3.Connection) -> int:
    return connection.execute(_CALL_OFF, chunk).rowcount


def _add_rows(chunk: Mapping[str, int], connection: sqlite3.Connection) -> int:
    added = connection.execute(_ADD, chunk).fetchall()
    to_call = sum(state in NEVER_DIALED for (state,) in added)
    if to_call:
        connection.execute(_GREW, (to_call, chunk["campaign"]))
    return len(added)
