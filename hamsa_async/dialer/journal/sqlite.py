"""The journal in one SQLite file: the embedded default.

Writes go through one thread that groups commits (`writer`); reads use a connection of their
own, in short steps, so that a report never holds up a dial.
"""

import asyncio
import json
import os
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.claims import CampaignLocks
from hamsa_async.dialer.journal.examination import problems_in
from hamsa_async.dialer.journal.listing import ListStage
from hamsa_async.dialer.journal.records import (
    CampaignRecord,
    Candidate,
    Held,
    Identity,
    ReportRow,
    RunRecord,
    Settlement,
    StagedList,
)
from hamsa_async.dialer.journal.schema import back_up, explained, open_database
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.dialer.journal.writer import GroupWriter
from hamsa_async.dialer.machine import (
    COUNTED_ATTEMPTS,
    DIALABLE,
    MAY_HAVE_RUNG,
    OPEN_ATTEMPTS,
    AttemptState,
    ContactState,
    Happening,
    move,
)
from hamsa_async.errors import CampaignRunningError, JournalError

T = TypeVar("T")

MIN_GAP: Final = timedelta(minutes=60)
"""Between two calls to one number, whoever placed them."""

LOOK_AGAIN: Final = timedelta(seconds=60)
"""How long a contact is deferred whose number is in somebody's open attempt."""

NUMBER_OPEN: Final = "number_open"
GAP: Final = "min_gap"
EXPIRED: Final = "expired"

_PAGE: Final = 1_000  # rows per read


def _quoted(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_CANDIDATE: Final = (
    "SELECT id, row, phone_number, params, from_number, agent_id, expires_at FROM contacts"
)
_LAST_RING: Final = (
    "SELECT state, intended_at FROM attempts WHERE phone_number = ?"
    f" AND state IN ({_quoted(MAY_HAVE_RUNG)})"
)


class SqliteJournal:
    """A `Journal` in one file on this machine. Make it with `open`."""

    def __init__(self, path: Path, writer: GroupWriter, reader: sqlite3.Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._reading = asyncio.Lock()
        self._stage: ListStage | None = None
        self._locks = CampaignLocks(path)
        self._names: dict[int, str] = {}
        self._clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        clock: Callable[[], datetime] | None = None,
    ) -> Self:
        """Open a journal, or make it.

        Args:
            path: Its file. Made with mode 0600; so are the files beside it.
            create: Whether to make it if it is not there.
            clock: What time it is (aware); for tests.

        Raises:
            JournalError: It cannot be opened, or is no journal. Nothing was changed.
        """
        path = Path(path)
        writing = await asyncio.to_thread(open_database, path, create=create)
        reading = await asyncio.to_thread(open_database, path, create=False)
        reading.execute("PRAGMA query_only = 1")
        journal = cls(path, GroupWriter(writing, path), reading)
        if clock is not None:
            journal._clock = clock
        return journal

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write what is queued, let go of the campaigns, close the file."""
        await self._writer.aclose()
        await self._forget_stage()
        async with self._reading:
            self._reader.close()
        self._locks.let_all_go()

    # -- whose it is

    async def identify(self, identity: Identity) -> None:
        def write(connection: sqlite3.Connection) -> tuple[str, str]:
            found = connection.execute("SELECT base_url, project_id FROM identity").fetchone()
            if found is None:
                found = (identity.base_url, identity.project_id)
                connection.execute("INSERT INTO identity VALUES (1, ?, ?)", found)
            return found

        base_url, project_id = await self._writer.write(write)
        if (base_url, project_id) != (identity.base_url, identity.project_id):
            msg = (
                f"journal {self.path}: it belongs to project {project_id} on {base_url}, not to"
                f" project {identity.project_id} on {identity.base_url}; choose another with"
                " --journal, or the key and server that it belongs to"
            )
            raise JournalError(msg)

    async def identity(self) -> Identity | None:
        """Whose journal it is, if a dialer has used it."""
        found = await self._one("SELECT base_url, project_id FROM identity")
        return None if found is None else Identity(base_url=found[0], project_id=found[1])

    # -- campaigns and their lists

    async def campaign(self, name: str) -> CampaignRecord | None:
        found = await self._one(
            "SELECT id, name, settings, loaded, created_at FROM campaigns WHERE name = ?", name
        )
        return None if found is None else self._campaign(found)

    async def campaigns(self) -> Sequence[CampaignRecord]:
        found = await self._all(
            "SELECT id, name, settings, loaded, created_at FROM campaigns ORDER BY id"
        )
        return [self._campaign(row) for row in found]

    def _campaign(self, row: tuple[Any, ...]) -> CampaignRecord:
        campaign, name, settings, loaded, created_at = row
        self._names[campaign] = name
        return CampaignRecord(
            id=campaign,
            name=name,
            settings=json.loads(settings),
            loaded=bool(loaded),
            created_at=to_moment(created_at),
        )

    async def add_campaign(self, name: str, settings: Mapping[str, Any]) -> CampaignRecord:
        now = to_millis(self._clock())

        def write(connection: sqlite3.Connection) -> None:
            # Two processes may add it at once; the claim decides which of them dials.
            connection.execute(
                "INSERT OR IGNORE INTO campaigns (name, settings, created_at) VALUES (?, ?, ?)",
                (name, json.dumps(settings, ensure_ascii=False), now),
            )

        await self._writer.write(write)
        added = await self.campaign(name)
        assert added is not None
        return added

    async def change_settings(self, campaign: int, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings, ensure_ascii=False)
        await self._writer.write(
            lambda connection: connection.execute(
                "UPDATE campaigns SET settings = ? WHERE id = ?", (text, campaign)
            )
        )

    async def stage(self, campaign: int, rows: Iterable[Row], *, first: bool) -> None:
        if first:
            await self._forget_stage()
            connection = await asyncio.to_thread(open_database, self.path, create=False)
            self._stage = ListStage(connection)
            await self._staging(self._stage.begin)
        stage = self._staged()
        await self._staging(lambda: stage.add(rows))

    async def staged(self, campaign: int) -> StagedList:
        stage = self._staged()
        return await self._staging(lambda: stage.look(campaign))

    async def take_over(self, campaign: int) -> DialerEvent:
        stage = self._staged()
        difference = await self._staging(lambda: stage.take_over(campaign))
        await self._forget_stage()
        now = to_millis(self._clock())
        data = {"new": difference.new, "gone": difference.gone, "changed": difference.changed}

        def write(connection: sqlite3.Connection) -> DialerEvent:
            connection.execute("UPDATE campaigns SET loaded = 1 WHERE id = ?", (campaign,))
            return self._event(connection, now, EventKind.LIST_LOADED, campaign, data=data)

        return await self._writer.write(write)

    def _staged(self) -> ListStage:
        if self._stage is None:
            msg = "no list was staged"
            raise JournalError(msg)
        return self._stage

    async def _staging(self, step: Callable[[], T]) -> T:
        def run() -> T:
            with explained(self.path):
                return step()

        return await asyncio.to_thread(run)

    async def _forget_stage(self) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            await asyncio.to_thread(stage.close)

    # -- one campaign, one dialer

    async def claim(self, campaign: CampaignRecord) -> None:
        if self._locks.take(campaign.id):
            return
        run = await self.last_run(campaign.id)
        who = (
            "another process"
            if run is None or run.ended_at is not None
            else f"process {run.pid} on {run.host}, since {run.began_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        msg = f"campaign {campaign.name} is being run by {who}; only one process can dial it"
        raise CampaignRunningError(msg)

    async def release(self, campaign: CampaignRecord) -> None:
        self._locks.let_go(campaign.id)

    async def is_claimed(self, campaign: CampaignRecord) -> bool:
        return self._locks.is_taken(campaign.id)

    async def recover(self, campaign: int) -> Sequence[DialerEvent]:
        now = to_millis(self._clock())

        def write(connection: sqlite3.Connection) -> list[DialerEvent]:
            lost = connection.execute(
                "SELECT a.id, a.contact, c.row FROM attempts AS a JOIN contacts AS c"
                " ON c.id = a.contact WHERE a.campaign = ? AND a.state = ?",
                (campaign, AttemptState.INTENDED),
            ).fetchall()
            end = Settlement(
                state=AttemptState.UNKNOWN, happening=Happening.LOST, reason="crashed"
            )
            return [
                self._settle(connection, now, campaign, contact, row, attempt, end)
                for attempt, contact, row in lost
            ]

        return await self._writer.write(write)

    async def begin_run(self, campaign: int) -> tuple[int, DialerEvent]:
        now = to_millis(self._clock())
        pid, host = os.getpid(), socket.gethostname()

        def write(connection: sqlite3.Connection) -> tuple[int, DialerEvent]:
            run = connection.execute(
                "INSERT INTO runs (campaign, pid, host, began_at) VALUES (?, ?, ?, ?)",
                (campaign, pid, host, now),
            ).lastrowid
            assert run is not None
            data = {"pid": pid, "host": host}
            return run, self._event(connection, now, EventKind.RUN_BEGAN, campaign, data=data)

        return await self._writer.write(write)

    async def end_run(
        self, run: int, campaign: int, ending: str, reason: str | None
    ) -> DialerEvent:
        now = to_millis(self._clock())

        def write(connection: sqlite3.Connection) -> DialerEvent:
            connection.execute(
                "UPDATE runs SET ended_at = ?, ending = ?, reason = ? WHERE id = ?",
                (now, ending, reason, run),
            )
            data = {"ending": ending, "reason": reason}
            return self._event(connection, now, EventKind.RUN_ENDED, campaign, data=data)

        return await self._writer.write(write)

    async def last_run(self, campaign: int) -> RunRecord | None:
        found = await self._one(
            "SELECT pid, host, began_at, ended_at, ending, reason FROM runs WHERE campaign = ?"
            " ORDER BY id DESC LIMIT 1",
            campaign,
        )
        if found is None:
            return None
        pid, host, began_at, ended_at, ending, reason = found
        return RunRecord(
            pid=pid,
            host=host,
            began_at=to_moment(began_at),
            ended_at=None if ended_at is None else to_moment(ended_at),
            ending=ending,
            reason=reason,
        )

    # -- dialing

    async def pending(self, campaign: int, *, after: int, limit: int) -> Sequence[Candidate]:
        found = await self._all(
            f"{_CANDIDATE} WHERE campaign = ? AND state = '{ContactState.PENDING}' AND id > ?"
            " ORDER BY id LIMIT ?",
            campaign,
            after,
            limit,
        )
        return [_candidate(row) for row in found]

    async def due(self, campaign: int, *, now: datetime, limit: int) -> Sequence[Candidate]:
        found = await self._all(
            f"{_CANDIDATE} WHERE campaign = ? AND state = '{ContactState.DEFERRED}'"
            " AND due_at <= ? ORDER BY due_at, id LIMIT ?",
            campaign,
            to_millis(now),
            limit,
        )
        return [_candidate(row) for row in found]

    async def next_due(self, campaign: int) -> tuple[datetime, str] | None:
        found = await self._one(
            f"SELECT due_at, reason FROM contacts WHERE campaign = ? AND state ="
            f" '{ContactState.DEFERRED}' ORDER BY due_at LIMIT 1",
            campaign,
        )
        return None if found is None else (to_moment(found[0]), found[1])

    async def intend(
        self, campaign: int, candidate: Candidate, attempt_id: str
    ) -> DialerEvent | Held:
        return await self._writer.write(
            lambda connection: self._intend(connection, campaign, candidate, attempt_id)
        )

    def _intend(
        self, connection: sqlite3.Connection, campaign: int, candidate: Candidate, attempt_id: str
    ) -> DialerEvent | Held:
        # The clock is read here, in the transaction: the write may have waited for its turn.
        now = to_millis(self._clock())
        (state,) = connection.execute(
            "SELECT state FROM contacts WHERE id = ?", (candidate.id,)
        ).fetchone()
        if state not in DIALABLE:
            return Held(event=None)
        if candidate.expires_at is not None and to_millis(candidate.expires_at) <= now:
            self._move(connection, candidate.id, state, Happening.EXPIRED, reason=EXPIRED)
            event = self._event(
                connection, now, EventKind.EXPIRED, campaign, candidate.id, candidate.row
            )
            return Held(event=event)
        hold = _number_rule(connection, candidate.phone_number, now)
        if hold is not None:
            reason, due_at = hold
            self._move(
                connection, candidate.id, state, Happening.DEFERRED, reason=reason, due_at=due_at
            )
            data = {"reason": reason, "until": to_moment(due_at).isoformat()}
            event = self._event(
                connection,
                now,
                EventKind.DEFERRED,
                campaign,
                candidate.id,
                candidate.row,
                data=data,
            )
            return Held(event=event)
        connection.execute(
            "INSERT INTO attempts (id, campaign, contact, phone_number, state, intended_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                attempt_id,
                campaign,
                candidate.id,
                candidate.phone_number,
                AttemptState.INTENDED,
                now,
            ),
        )
        self._move(connection, candidate.id, state, Happening.INTENDED)
        return self._event(
            connection, now, EventKind.INTENDED, campaign, candidate.id, candidate.row, attempt_id
        )

    async def settle(
        self, campaign: int, candidate: Candidate, attempt_id: str, end: Settlement
    ) -> DialerEvent:
        now = to_millis(self._clock())
        return await self._writer.write(
            lambda connection: self._settle(
                connection, now, campaign, candidate.id, candidate.row, attempt_id, end
            )
        )

    def _settle(
        self,
        connection: sqlite3.Connection,
        now: int,
        campaign: int,
        contact: int,
        row: int,
        attempt_id: str,
        end: Settlement,
    ) -> DialerEvent:
        connection.execute(
            "UPDATE attempts SET state = ?, settled_at = ?, call_id = ?, status = ?, reason = ?"
            " WHERE id = ?",
            (end.state, now, end.call_id, end.status, end.reason, attempt_id),
        )
        self._move(
            connection,
            contact,
            ContactState.DIALING,
            end.happening,
            reason=None if end.happening is Happening.RETURNED else end.reason,
            call_id=end.call_id,
            counted=end.state in COUNTED_ATTEMPTS and end.happening is not Happening.RETURNED,
        )
        data = {
            name: value
            for name, value in (
                ("call_id", end.call_id),
                ("status", end.status),
                ("reason", end.reason),
            )
            if value is not None
        }
        kind = EventKind(end.happening.value)
        return self._event(connection, now, kind, campaign, contact, row, attempt_id, data)

    def _move(
        self,
        connection: sqlite3.Connection,
        contact: int,
        state: str,
        happening: Happening,
        *,
        reason: str | None = None,
        due_at: int | None = None,
        call_id: str | None = None,
        counted: bool = False,
    ) -> None:
        connection.execute(
            "UPDATE contacts SET state = ?, reason = ?, detail = NULL, due_at = ?,"
            " call_id = coalesce(?, call_id), attempts = attempts + ? WHERE id = ?",
            (move(ContactState(state), happening), reason, due_at, call_id, counted, contact),
        )

    async def note(self, campaign: int, kind: EventKind, data: Mapping[str, Any]) -> DialerEvent:
        now = to_millis(self._clock())
        return await self._writer.write(
            lambda connection: self._event(connection, now, kind, campaign, data=dict(data))
        )

    def _event(
        self,
        connection: sqlite3.Connection,
        now: int,
        kind: EventKind,
        campaign: int,
        contact: int | None = None,
        row: int | None = None,
        attempt_id: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> DialerEvent:
        number = connection.execute(
            "INSERT INTO events (at, kind, campaign, contact, attempt, data)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                now,
                kind,
                campaign,
                contact,
                attempt_id,
                json.dumps(data, ensure_ascii=False) if data else None,
            ),
        ).lastrowid
        assert number is not None
        return DialerEvent(
            number=number,
            at=to_moment(now),
            kind=kind,
            campaign=self._names.get(campaign, ""),
            row=row,
            attempt_id=attempt_id,
            data=data or {},
        )

    # -- looking

    async def counts(self, campaign: int) -> Mapping[ContactState, int]:
        found = await self._all(
            "SELECT state, count(*) FROM contacts WHERE campaign = ? GROUP BY state", campaign
        )
        counted = {ContactState(state): count for state, count in found}
        return {state: counted[state] for state in ContactState if state in counted}

    async def reasons(self, campaign: int) -> Mapping[tuple[ContactState, str], int]:
        found = await self._all(
            "SELECT state, reason, count(*) FROM contacts WHERE campaign = ? AND reason IS NOT NULL"
            " GROUP BY state, reason ORDER BY count(*) DESC",
            campaign,
        )
        return {(ContactState(state), reason): count for state, reason, count in found}

    async def rows(self, campaign: int) -> AsyncIterator[ReportRow]:
        last = 0
        while True:
            found = await self._all(
                "SELECT id, row, contact_id, phone_number, state, reason, detail, attempts,"
                " call_id, due_at FROM contacts WHERE campaign = ? AND id > ? ORDER BY id LIMIT ?",
                campaign,
                last,
                _PAGE,
            )
            for row in found:
                yield _report_row(row)
            if len(found) < _PAGE:
                return
            last = found[-1][0]

    async def events(self, *, after: int) -> AsyncIterator[DialerEvent]:
        while True:
            found = await self._all(
                "SELECT e.number, e.at, e.kind, p.name, c.row, e.attempt, e.data FROM events AS e"
                " JOIN campaigns AS p ON p.id = e.campaign"
                " LEFT JOIN contacts AS c ON c.id = e.contact"
                " WHERE e.number > ? ORDER BY e.number LIMIT ?",
                after,
                _PAGE,
            )
            for number, at, kind, name, row, attempt_id, data in found:
                yield DialerEvent(
                    number=number,
                    at=to_moment(at),
                    kind=EventKind(kind),
                    campaign=name,
                    row=row,
                    attempt_id=attempt_id,
                    data=json.loads(data) if data else {},
                )
                after = number
            if len(found) < _PAGE:
                return

    async def back_up(self, target: Path) -> None:
        def copy() -> None:
            connection = open_database(self.path, create=False)
            try:
                back_up(connection, target)
            finally:
                connection.close()

        await asyncio.to_thread(copy)

    async def problems(self) -> Sequence[str]:
        async with self._reading:
            return await asyncio.to_thread(problems_in, self._reader)

    async def _all(self, query: str, *values: object) -> list[Any]:
        def read() -> list[Any]:
            with explained(self.path):
                return self._reader.execute(query, values).fetchall()

        async with self._reading:
            return await asyncio.to_thread(read)

    async def _one(self, query: str, *values: object) -> Any:
        found = await self._all(query, *values)
        return found[0] if found else None


def _number_rule(
    connection: sqlite3.Connection, phone_number: str, now: int
) -> tuple[str, int] | None:
    """Why a number may not be dialed now, in any campaign of this journal, and until when."""
    rung = connection.execute(_LAST_RING, (phone_number,)).fetchall()
    if any(state in OPEN_ATTEMPTS for state, _ in rung):
        return NUMBER_OPEN, now + LOOK_AGAIN // timedelta(milliseconds=1)
    free_at = max((at for _, at in rung), default=0) + MIN_GAP // timedelta(milliseconds=1)
    return (GAP, free_at) if rung and free_at > now else None


def _candidate(row: tuple[Any, ...]) -> Candidate:
    contact, place, phone_number, params, from_number, agent_id, expires_at = row
    return Candidate(
        id=contact,
        row=place,
        phone_number=phone_number,
        params=json.loads(params),
        from_number=from_number,
        agent_id=agent_id,
        expires_at=None if expires_at is None else to_moment(expires_at),
    )


def _report_row(row: tuple[Any, ...]) -> ReportRow:
    _, place, contact_id, phone_number, state, reason, detail, attempts, call_id, due_at = row
    return ReportRow(
        row=place,
        contact_id=contact_id,
        phone_number=phone_number,
        state=ContactState(state),
        reason=reason,
        detail=detail,
        attempts=attempts,
        call_id=call_id,
        due_at=None if due_at is None else to_moment(due_at),
    )
