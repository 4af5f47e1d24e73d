"""Reading a list beside its campaign, comparing the two, and taking it over.

Each row is judged by its *key* (see `staging`), so a contact keeps its record as long as its
number is in the list. Rows that were appended are no part of what is compared: a list withdraws
nobody whom it never named.
"""

import sqlite3
from typing import Final

from hamsa_async.dialer.journal.pseudonyms import IS_PSEUDONYM
from hamsa_async.dialer.journal.records import ListDifference, StagedList
from hamsa_async.dialer.journal.sql import quoted
from hamsa_async.dialer.journal.staging import (
    CALLABLE,
    DNC,
    DUPLICATE_ID,
    DUPLICATES,
    FIELDS,
    INDICES,
    KEYS,
    UNWILLING,
    WITHDRAWN,
    Stage,
    skip,
)
from hamsa_async.dialer.journal.thread import ThreadedConnection
from hamsa_async.dialer.machine import (
    WITHDRAWABLE,
    ContactState,
    Happening,
    move,
)

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

_APPENDED: Final = (
    "(SELECT number FROM main.lists WHERE lists.campaign = :campaign AND lists.appended)"
)


def _refused_by(column: str) -> str:
    """Whether a list that was appended says not to call who has the same in a column."""
    # The second condition is the index's own, word for word: without it it is not used.
    index = {"phone_number": "old.list > 1", "contact_id": "old.contact_id IS NOT NULL"}
    return (
        "EXISTS (SELECT 1 FROM main.contacts AS old WHERE old.campaign = :campaign"
        f" AND {index[column]} AND old.{column} = staged.{column}"
        f" AND old.reason IN ('dnc', 'no_consent') AND old.list IN {_APPENDED})"
    )


_JUDGEMENTS: Final = (
    "CREATE TEMP TABLE gone (place INTEGER PRIMARY KEY, id INTEGER)",
    *INDICES,
    *UNWILLING,
    skip(
        DNC,
        "A list that was appended says not to call this person.",
        # Whom the campaign has was called off when that list was appended.
        "NOT EXISTS (SELECT 1 FROM main.contacts AS old WHERE old.campaign = :campaign"
        " AND old.key = 'number:' || staged.phone_number"
        f" AND old.reason IS NOT '{WITHDRAWN}')"
        f" AND ({_refused_by('phone_number')} OR {_refused_by('contact_id')})",
    ),
    skip(
        DUPLICATE_ID,
        "The contact with this contact_id was dialed before, at another number.",
        "EXISTS (SELECT 1 FROM main.contacts AS other WHERE other.campaign = :campaign"
        " AND other.contact_id = staged.contact_id AND other.contact_id IS NOT NULL"
        f" AND other.phone_number <> staged.phone_number AND other.state IN ({_DIALED}))",
    ),
    *DUPLICATES,
    *KEYS,
    (
        "INSERT INTO temp.gone (id) SELECT id FROM main.contacts AS old"
        f" WHERE old.campaign = :campaign AND old.state IN ({_MAY_GO})"
        f" AND old.reason IS NOT '{WITHDRAWN}' AND NOT old.{IS_PSEUDONYM}"
        f" AND old.list NOT IN {_APPENDED}"
        " AND NOT EXISTS (SELECT 1 FROM temp.staged AS new WHERE new.key = old.key) ORDER BY id"
    ),
)

# What makes a row another one than before, for a contact of the same key.
_DIFFERS: Final = " OR ".join(
    f"old.{name} IS NOT new.{name}"
    for name in (
        *("contact_id", "params", "from_number", "agent_id", "not_before", "expires_at"),
        *("timezone", "consent", "consent_at", "consent_source", "rank", "max_attempts"),
    )
)
# Which contacts take the new list's word: those that are still to be called; those withdrawn
# that are back; those whose time ran out and was put off.
_OPEN_TO_CHANGE: Final = (
    f"(old.state IN ({CALLABLE}) OR (old.state IN ({_MAY_GO}) AND old.reason = '{WITHDRAWN}')"
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
    f"INSERT INTO main.contacts AS old (campaign, list, {FIELDS})"
    f" SELECT :campaign, :list, {FIELDS} FROM temp.staged AS new"
    " WHERE new.row > :after AND new.row <= :upto"
    " ON CONFLICT (campaign, key) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}" for name in ("list", *FIELDS.split(", ")) if name != "key"
    )
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


class ListStage(Stage):
    """A list that is to become its campaign's."""

    def __init__(self, campaign: int, connection: ThreadedConnection) -> None:
        super().__init__(campaign, connection)
        self._found: StagedList | None = None

    async def look(self) -> StagedList:
        """Judge duplicates and compare the list with the campaign's. No row follows after that."""
        if self._found is None:
            self._found = await self._connection.run(self._look)
        return self._found

    async def take_over(self, number: int) -> None:
        """Make it the campaign's list, with this number, a chunk at a time."""
        for statement, table, place in (
            (_TAKE, "staged", "row"),
            (_WITHDRAW, "gone", "place"),
        ):
            for chunk in await self._in_chunks(table, place):
                await self._execute(statement, {**chunk, "list": number})

    async def _execute(self, statement: str, values: dict[str, int]) -> None:
        def step(connection: sqlite3.Connection) -> None:
            connection.execute(statement, values)

        await self._write(step)

    def _look(self, connection: sqlite3.Connection) -> StagedList:
        self._judge(connection, _JUDGEMENTS)
        rows, usable, without_from, new, changed = connection.execute(
            f"SELECT count(*), coalesce(sum(state IN ({CALLABLE})), 0),"
            f" coalesce(sum(state IN ({CALLABLE}) AND from_number IS NULL), 0),"
            f" coalesce(sum({_IS_NEW}), 0), coalesce(sum({_HAS_CHANGED}), 0)"
            " FROM temp.staged AS new",
            {"campaign": self._campaign},
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
