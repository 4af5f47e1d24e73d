"""The journal in one SQLite file: the embedded default.

Writes go through one thread that groups commits (`writer`); reads use a connection and a thread
of their own, in short steps, so that a report never holds up a dial.
"""

import asyncio
import contextlib
import functools
import json
import os
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import attrs

from hamsa_async.dialer.api import WebhookDelivery
from hamsa_async.dialer.budget import CallsMade
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.appending import AppendStage
from hamsa_async.dialer.journal.claims import CampaignLocks, SingleCallLocks
from hamsa_async.dialer.journal.dialing import GAP, NUMBER_OPEN, Scribe
from hamsa_async.dialer.journal.doubts import bound_calls, doubts, later_calls, note_look
from hamsa_async.dialer.journal.ending import open_calls
from hamsa_async.dialer.journal.erasure import Erasure
from hamsa_async.dialer.journal.examination import problems_in
from hamsa_async.dialer.journal.inbox import put_delivery, take_events, waiting_events
from hamsa_async.dialer.journal.listing import ListStage
from hamsa_async.dialer.journal.others import noted_calls
from hamsa_async.dialer.journal.pseudonyms import known_as
from hamsa_async.dialer.journal.records import (
    AttemptRow,
    Barred,
    Called,
    CallEnd,
    CampaignRecord,
    Candidate,
    DoubtRecord,
    HeardEvent,
    Held,
    Identity,
    ListDifference,
    ListRecord,
    OpenCall,
    ReportRow,
    RunRecord,
    SeenCall,
    Settlement,
    StagedList,
    Verdict,
)
from hamsa_async.dialer.journal.ruling import MIN_GAP, Judge, calls_to, history_of
from hamsa_async.dialer.journal.schema import back_up, open_database
from hamsa_async.dialer.journal.spending import calls_made
from hamsa_async.dialer.journal.sql import one_of, quoted
from hamsa_async.dialer.journal.staging import add_list
from hamsa_async.dialer.journal.suppression import Suppressions
from hamsa_async.dialer.journal.thread import ThreadedConnection, opened
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.dialer.journal.turns import due, next_due, pending
from hamsa_async.dialer.journal.writer import GroupWriter
from hamsa_async.dialer.machine import (
    DIALABLE,
    IN_DOUBT,
    MAY_HAVE_RUNG,
    OPEN_ATTEMPTS,
    Asked,
    AttemptState,
    ContactState,
)
from hamsa_async.dialer.opt_out import DNC_FIELD, REFUSAL_FIELD
from hamsa_async.dialer.policy import History
from hamsa_async.dialer.policy.judging import FINAL_RULES as RULES
from hamsa_async.dialer.retries import Retries
from hamsa_async.errors import CampaignRunningError, JournalError

__all__ = ["GAP", "MIN_GAP", "NUMBER_OPEN", "SqliteJournal"]

T = TypeVar("T")

_PAGE: Final = 1_000  # rows per read

# Whether the rules would hold it, as far as can be seen from here: `intend` decides.
_SUSPECT: Final = (
    "coalesce(expires_at <= ?, 0) OR EXISTS (SELECT 1 FROM attempts AS a"
    f" WHERE a.phone_number = contacts.phone_number AND {one_of('a.state', MAY_HAVE_RUNG)}"
    f" AND ({one_of('a.state', OPEN_ATTEMPTS)} OR a.declined_at IS NOT NULL"
    " OR coalesce(a.ended_at, a.settled_at, a.intended_at) > ?))"
    " OR EXISTS (SELECT 1 FROM calls AS k WHERE k.phone_number = contacts.phone_number"
    " AND k.attempt IS NULL)"
)
_CANDIDATE: Final = (
    "SELECT id, row, phone_number, params, from_number, agent_id, expires_at, timezone, consent,"
    " consent_at, consent_source, rank, list,"
    f" {_SUSPECT}, state = '{ContactState.RETRY}' FROM contacts"
)
# The sign keeps SQLite from another index, by which each page would sort all of a campaign.
_RANG: Final = (
    "id > ? AND +campaign = ? AND EXISTS (SELECT 1 FROM attempts AS a"
    " WHERE a.phone_number = contacts.phone_number AND a.contact = contacts.id"
    f" AND {one_of('a.state', MAY_HAVE_RUNG)}) ORDER BY id LIMIT ?"
)
# No time frees a number whose last call is in doubt: somebody must find out what became of it.
_FREED_BY_TIME: Final = (
    " AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.phone_number = contacts.phone_number"
    f" AND a.state IN ({quoted(IN_DOUBT)}))"
)
# What other rules may see otherwise. What the list says of itself stays.
_JUDGE_AGAIN_SKIPPED: Final = (
    f"UPDATE contacts SET state = '{ContactState.PENDING}', reason = NULL, detail = NULL"
    f" WHERE campaign = ? AND state = '{ContactState.SKIPPED}' AND reason IN ({quoted(RULES)})"
    " AND erased_at IS NULL"  # nothing is left that the agent could be told
)
_JUDGE_AGAIN_DEFERRED: Final = (
    f"UPDATE contacts SET due_at = max(?, coalesce(not_before, 0)) WHERE campaign = ?"
    f" AND state = '{ContactState.DEFERRED}' AND due_at > ?"
)
_PLACING: Final = (
    "SELECT key FROM contacts WHERE campaign = ?"
    f" AND state IN ('{ContactState.PENDING}', '{ContactState.DIALING}')"
)
_APPENDED: Final = "SELECT appended FROM campaigns WHERE id = ?"
_CAMPAIGN: Final = "SELECT id, name, settings, loaded, created_at FROM campaigns"
_REPORT: Final = (
    "SELECT c.id, c.row, c.list, c.contact_id, c.phone_number, c.state, c.reason, c.detail,"
    " c.attempts, c.call_id, c.due_at, c.rank, c.max_attempts, c.consent_source,"
    " c.outcome, k.duration, k.cost, k.recording, k.result"
    " FROM contacts AS c LEFT JOIN calls AS k ON k.id = c.call_id"
    " WHERE +c.campaign = ? AND c.id > ? ORDER BY c.id LIMIT ?"
)
_ATTEMPTS: Final = (
    "SELECT a.id, c.row, c.list, a.phone_number, a.state, a.intended_at, a.ended_at, a.call_id,"
    " a.outcome, k.cost, k.duration FROM attempts AS a JOIN contacts AS c ON c.id = a.contact"
    " LEFT JOIN calls AS k ON k.id = a.call_id"
    " WHERE a.campaign = ? AND a.id > ? ORDER BY a.id LIMIT ?"
)
_EVENTS: Final = (
    "SELECT e.number, e.at, e.kind, p.name, c.row, c.list, e.attempt, e.data FROM events AS e"
    " JOIN campaigns AS p ON p.id = e.campaign LEFT JOIN contacts AS c ON c.id = e.contact"
    " WHERE e.number > ? ORDER BY e.number LIMIT ?"
)

_LAST_PACE: Final = (
    "SELECT e.number, e.at, e.kind, p.name, NULL, NULL, NULL, e.data FROM events AS e"
    " JOIN campaigns AS p ON p.id = e.campaign"
    f" WHERE e.campaign = ? AND e.kind = '{EventKind.PACED}' ORDER BY e.number DESC LIMIT 1"
)


def _now() -> datetime:
    return datetime.now(UTC)


class SqliteJournal:
    """A `Journal` in one file on this machine. Make it with `open`."""

    def __init__(
        self,
        path: Path,
        writer: GroupWriter,
        reader: ThreadedConnection,
        clock: Callable[[], datetime],
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._stages: dict[int, ListStage] = {}
        self._locks = CampaignLocks(path)
        self._single_calls = SingleCallLocks(path)
        self._scribes: dict[int, Scribe] = {}
        self.suppressions: Suppressions = Suppressions(writer, reader, clock)
        """Who is not called, in any campaign."""
        self.erasure: Erasure = Erasure(path, writer, reader, clock, self._is_dialed)
        """What is to be erased of people."""

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
        reader = await ThreadedConnection.open(
            functools.partial(open_database, path, create=create), path, name="hamsa-journal-read"
        )
        try:
            await reader.run(lambda connection: connection.execute("PRAGMA query_only = 1"))
            writing = await opened(functools.partial(open_database, path, create=False))
        except BaseException:
            await reader.aclose()
            raise
        return cls(path, GroupWriter(writing, path), reader, clock or _now)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        async with contextlib.AsyncExitStack() as closing:
            closing.callback(self._locks.let_all_go)
            closing.callback(self._single_calls.let_all_go)
            closing.push_async_callback(self._reader.aclose)
            for campaign in list(self._stages):
                closing.push_async_callback(self.unstage, campaign)
            closing.push_async_callback(self._writer.aclose)

    # -- whose it is

    async def identify(self, identity: Identity) -> None:
        def write(connection: sqlite3.Connection) -> Identity:
            found = connection.execute("SELECT base_url, project_id FROM identity").fetchone()
            if found is not None:
                return Identity(base_url=found[0], project_id=found[1])
            values = (identity.base_url, identity.project_id)
            connection.execute(
                "INSERT INTO identity (only, base_url, project_id) VALUES (1, ?, ?)", values
            )
            return identity

        owner = await self._writer.write(write)
        if owner != identity:
            raise JournalError(
                f"journal {self.path}: it belongs to project {owner.project_id} on"
                f" {owner.base_url}, not to project {identity.project_id} on"
                f" {identity.base_url}; choose another with --journal, or the key and server"
                " that it belongs to"
            )

    async def identity(self) -> Identity | None:
        """Whose journal it is, if a dialer has used it."""
        found = await self._one("SELECT base_url, project_id FROM identity")
        return None if found is None else Identity(base_url=found[0], project_id=found[1])

    # -- campaigns and their lists

    async def campaign(self, name: str) -> CampaignRecord | None:
        found = await self._one(f"{_CAMPAIGN} WHERE name = ?", name)
        return None if found is None else self._campaign(found)

    async def campaigns(self) -> Sequence[CampaignRecord]:
        found = await self._reader.fetch(f"{_CAMPAIGN} ORDER BY id")
        return [self._campaign(row) for row in found]

    def _campaign(self, row: tuple[Any, ...]) -> CampaignRecord:
        campaign, name, settings, loaded, created_at = row
        kept = json.loads(settings)
        self._scribes[campaign] = Scribe(
            campaign,
            name,
            dnc_field=kept.get("dnc_field", DNC_FIELD),
            refusal_field=kept.get("refusal_field", REFUSAL_FIELD),
        )
        return CampaignRecord(
            id=campaign,
            name=name,
            settings=kept,
            loaded=bool(loaded),
            created_at=to_moment(created_at),
        )

    async def add_campaign(self, name: str, settings: Mapping[str, Any]) -> CampaignRecord:
        # Two processes may add it at once; the claim decides which of them dials.
        await self._execute(
            "INSERT OR IGNORE INTO campaigns (name, settings, created_at) VALUES (?, ?, ?)",
            name,
            _json(settings),
            to_millis(self._clock()),
        )
        added = await self.campaign(name)
        assert added is not None
        return added

    async def change_settings(self, campaign: int, settings: Mapping[str, Any]) -> None:
        await self._execute(
            "UPDATE campaigns SET settings = ? WHERE id = ?", _json(settings), campaign
        )

    async def stage(self, campaign: int, rows: Iterable[Row], *, first: bool) -> None:
        if first:
            await self.unstage(campaign)
            connect = functools.partial(open_database, self.path, create=False)
            connection = await ThreadedConnection.open(
                connect, self.path, name="hamsa-journal-list"
            )
            self._stages[campaign] = ListStage(campaign, connection)
        await self._stage(campaign).add(rows)

    async def staged(self, campaign: int) -> StagedList:
        return await self._stage(campaign).look()

    async def unstage(self, campaign: int) -> None:
        stage = self._stages.pop(campaign, None)
        if stage is not None:
            await stage.aclose()

    async def take_over(
        self, campaign: int, settings: Mapping[str, Any], *, name: str | None = None
    ) -> DialerEvent:
        stage = self._stage(campaign)
        difference = (await stage.look()).difference

        def begin(connection: sqlite3.Connection) -> int:
            number = add_list(connection, campaign, name, to_millis(self._clock()))
            # Not loaded, from the first row that changes to the last: half of one list and half
            # of another is none to dial from.
            connection.execute(
                "UPDATE campaigns SET settings = ?, loaded = 0 WHERE id = ?",
                (_json(settings), campaign),
            )
            return number

        await stage.take_over(await self._writer.write(begin))
        await self.unstage(campaign)
        return await self._writer.write(
            lambda connection: self._loaded(connection, campaign, difference)
        )

    def _loaded(
        self, connection: sqlite3.Connection, campaign: int, difference: ListDifference
    ) -> DialerEvent:
        connection.execute("UPDATE campaigns SET loaded = 1 WHERE id = ?", (campaign,))
        data = {"new": difference.new, "gone": difference.gone, "changed": difference.changed}
        return self._event(connection, campaign, EventKind.LIST_LOADED, data)

    @contextlib.asynccontextmanager
    async def appending(self, campaign: int) -> AsyncIterator[AppendStage]:
        connect = functools.partial(open_database, self.path, create=False)
        connection = await ThreadedConnection.open(connect, self.path, name="hamsa-journal-append")

        def note(connection: sqlite3.Connection, data: Mapping[str, Any]) -> DialerEvent:
            return self._event(connection, campaign, EventKind.LIST_APPENDED, data)

        stage = AppendStage(campaign, connection, note, self._clock)
        try:
            yield stage
        finally:
            await stage.aclose()

    async def appended(self, campaign: int) -> int:
        found = await self._one(_APPENDED, campaign)
        return int(found[0])

    async def lists(self, campaign: int) -> Sequence[ListRecord]:
        found = await self._reader.fetch(
            "SELECT number, name, appended, at FROM lists WHERE campaign = ? ORDER BY number",
            campaign,
        )
        return [
            ListRecord(number=number, name=name, appended=bool(appended), at=to_moment(at))
            for number, name, appended, at in found
        ]

    def _stage(self, campaign: int) -> ListStage:
        stage = self._stages.get(campaign)
        if stage is None:
            raise JournalError(f"journal {self.path}: no list was staged")
        return stage

    async def without_from_number(self, campaign: int) -> int:
        found = await self._one(
            f"SELECT count(*) FROM contacts WHERE campaign = ? AND state IN ({quoted(DIALABLE)})"
            " AND from_number IS NULL",
            campaign,
        )
        count: int = found[0]
        return count

    # -- one campaign, one dialer

    async def claim(self, campaign: CampaignRecord) -> None:
        if await asyncio.to_thread(self._locks.take, campaign.id):
            return
        who = await asyncio.to_thread(self._locks.holder, campaign.id)
        raise CampaignRunningError(
            f"campaign {campaign.name} is being run by {who}; only one process can dial it"
        )

    async def release(self, campaign: CampaignRecord) -> None:
        self._locks.let_go(campaign.id)

    async def is_claimed(self, campaign: CampaignRecord) -> bool:
        return self._locks.is_taken(campaign.id)

    async def _is_dialed(self) -> bool:
        """Whether any process dials any campaign now."""
        for record in await self.campaigns():
            if await self.is_claimed(record):
                return True
        return False

    async def recover(self, campaign: int) -> Sequence[DialerEvent]:
        now = to_millis(self._clock())
        scribe = self._scribe(campaign)
        return await self._writer.write(lambda connection: scribe.recover(connection, now))

    async def begin_run(
        self,
        campaign: int,
        *,
        budget: Mapping[str, Any] | None = None,
        longest: timedelta | None = None,
    ) -> tuple[int, DialerEvent]:
        pid, host = os.getpid(), socket.gethostname()
        allowed = None if budget is None else _json(budget)
        lasts = None if longest is None else longest // timedelta(milliseconds=1)

        def write(connection: sqlite3.Connection) -> tuple[int, DialerEvent]:
            run = connection.execute(
                "INSERT INTO runs (campaign, pid, host, began_at, budget, longest)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (campaign, pid, host, to_millis(self._clock()), allowed, lasts),
            ).lastrowid
            assert run is not None
            data = {"pid": pid, "host": host}
            return run, self._event(connection, campaign, EventKind.RUN_BEGAN, data)

        return await self._writer.write(write)

    async def end_run(
        self,
        run: int,
        campaign: int,
        ending: str,
        reason: str | None,
        *,
        appended: int | None = None,
    ) -> DialerEvent | None:
        def write(connection: sqlite3.Connection) -> DialerEvent | None:
            (now,) = connection.execute(_APPENDED, (campaign,)).fetchone()
            if appended not in {None, now}:
                return None
            connection.execute(
                "UPDATE runs SET ended_at = ?, ending = ?, reason = ? WHERE id = ?",
                (to_millis(self._clock()), str(ending), reason, run),
            )
            data = {"ending": str(ending), "reason": reason}
            return self._event(connection, campaign, EventKind.RUN_ENDED, data)

        return await self._writer.write(write)

    async def last_run(self, campaign: int) -> RunRecord | None:
        found = await self._one(
            "SELECT pid, host, began_at, ended_at, ending, reason, budget FROM runs"
            " WHERE campaign = ? ORDER BY id DESC LIMIT 1",
            campaign,
        )
        if found is None:
            return None
        pid, host, began_at, ended_at, ending, reason, budget = found
        return RunRecord(
            pid=pid,
            host=host,
            began_at=to_moment(began_at),
            ended_at=_moment(ended_at),
            ending=ending,
            reason=reason,
            budget=None if budget is None else json.loads(budget),
        )

    # -- dialing

    async def pending(self, campaign: int, *, after: int, limit: int) -> Sequence[Candidate]:
        now = self._clock()

        def read(connection: sqlite3.Connection) -> list[Candidate]:
            select = functools.partial(_select, connection, now)
            return pending(connection, campaign, after, limit, select)

        return await self._reader.run(read)

    async def due(
        self, campaign: int, *, now: datetime, limit: int, before: int | None = None
    ) -> Sequence[Candidate]:
        def read(connection: sqlite3.Connection) -> list[Candidate]:
            select = functools.partial(_select, connection, now)
            return due(connection, campaign, to_millis(now), limit, before=before, select=select)

        return await self._reader.run(read)

    async def _candidates(
        self, condition: str, *values: object, now: datetime
    ) -> Sequence[Candidate]:
        return await self._reader.run(
            lambda connection: _select(connection, now, condition, values)
        )

    async def next_due(
        self,
        campaign: int,
        *,
        freed_by_time: bool = False,
        before: int | None = None,
        after: datetime | None = None,
    ) -> tuple[datetime, str] | None:
        condition = _FREED_BY_TIME if freed_by_time else ""
        past = -1 if after is None else to_millis(after)
        return await self._reader.run(
            lambda connection: next_due(connection, campaign, condition, before=before, after=past)
        )

    async def hold(
        self, campaign: int, candidates: Sequence[Candidate], judge: Judge | None = None
    ) -> Sequence[Held]:
        return await self._step(campaign, Scribe.hold, candidates, judge)

    def intend(
        self, campaign: int, candidate: Candidate, attempt_id: str, judge: Judge | None = None
    ) -> Awaitable[DialerEvent | Held]:
        return self._queue(campaign, Scribe.intend, candidate, attempt_id, judge)

    async def history(self, phone_number: str) -> History:
        return await self._reader.run(lambda connection: history_of(connection, phone_number))

    async def called(self, campaign: int) -> AsyncIterator[Called]:
        last, now = 0, self._clock()
        while found := await self._reader.run(
            functools.partial(_called, now=now, values=(last, campaign, _PAGE))
        ):
            for each in found:
                yield each
            last = found[-1].contact.id

    async def contact(self, campaign: int, phone_number: str) -> Candidate | None:
        found = await self._candidates(
            "campaign = ? AND phone_number = ? ORDER BY state = 'skipped', id LIMIT 1",
            campaign,
            await self._known_as(phone_number),
            now=self._clock(),
        )
        # Asked for by its number it has it, also where only a hash of it is left.
        return attrs.evolve(found[0], phone_number=phone_number) if found else None

    async def standing_of(self, campaign: int, phone_number: str) -> tuple[str, str | None] | None:
        """The state and the reason of a campaign's contact at a number."""
        found = await self._one(
            "SELECT state, reason FROM contacts WHERE campaign = ? AND phone_number = ?"
            " ORDER BY state = 'skipped', id LIMIT 1",
            campaign,
            await self._known_as(phone_number),
        )
        return None if found is None else (found[0], found[1])

    async def _known_as(self, phone_number: str) -> str:
        return await self._reader.run(lambda connection: known_as(connection, phone_number))

    async def judge_again(self, campaign: int) -> None:
        now = to_millis(self._clock())
        await self._execute(_JUDGE_AGAIN_SKIPPED, campaign)
        await self._execute(_JUDGE_AGAIN_DEFERRED, now, campaign, now)

    async def take_back(
        self, campaign: int, candidate: Candidate, attempt_id: str
    ) -> DialerEvent | None:
        return await self._step(campaign, Scribe.take_back, candidate, attempt_id)

    def settle(
        self, campaign: int, candidate: Candidate, attempt_id: str, end: Settlement
    ) -> Awaitable[DialerEvent]:
        return self._queue(campaign, Scribe.settle, candidate, attempt_id, end)

    # -- single calls

    async def begin_single(self, key: str) -> None:
        await asyncio.to_thread(self._single_calls.take, key)

    async def intend_single(
        self, campaign: int, key: str, attempt_id: str, phone_number: str
    ) -> Candidate | Barred:
        return await self._step(campaign, Scribe.intend_single, key, attempt_id, phone_number)

    async def end_single(self, campaign: int, key: str) -> None:
        try:
            await self._step(campaign, Scribe.end_single, key)
        finally:
            self._single_calls.let_go(key)

    async def recover_singles(self, campaign: int) -> Sequence[DialerEvent]:
        # Read before the locks are looked at: a lock is taken before its call is written down.
        found = await self._reader.fetch(_PLACING, campaign)
        is_free = self._single_calls.is_free
        keys = await asyncio.to_thread(lambda: [key for (key,) in found if is_free(key)])
        return await self._step(campaign, Scribe.recover_singles, keys) if keys else ()

    # -- what becomes of calls

    async def open_calls(self, campaign: int) -> Sequence[OpenCall]:
        return await self._reader.run(lambda connection: open_calls(connection, campaign))

    async def end_call(
        self, campaign: int, attempt_id: str, end: CallEnd, retries: Retries
    ) -> DialerEvent | None:
        return await self._step(campaign, Scribe.end_call, attempt_id, end, retries)

    # -- what webhooks say

    async def put(self, delivery: WebhookDelivery, /) -> None:
        await self._writer.write(lambda connection: put_delivery(connection, delivery))

    async def waiting_events(
        self, campaign: int, *, after: int, limit: int
    ) -> Sequence[HeardEvent]:
        return await self._reader.run(
            lambda connection: waiting_events(connection, campaign, after, limit)
        )

    async def take_events(self, numbers: Iterable[int]) -> None:
        await self._writer.write(
            lambda connection: take_events(connection, to_millis(self._clock()), numbers)
        )

    # -- being told from outside

    async def ask(self, campaign: int, what: Asked | None) -> None:
        await self._execute(
            "UPDATE campaigns SET asked = ?, asked_at = ?, asked_reason = NULL WHERE id = ?",
            what,
            to_millis(self._clock()),
            campaign,
        )

    async def pause(self, campaign: int, reason: str) -> None:
        await self._execute(
            "UPDATE campaigns SET asked = ?, asked_at = ?, asked_reason = ?"
            " WHERE id = ? AND asked IS NULL",
            Asked.PAUSE,
            to_millis(self._clock()),
            reason,
            campaign,
        )

    async def asked_reason(self, campaign: int) -> str | None:
        found = await self._one("SELECT asked_reason FROM campaigns WHERE id = ?", campaign)
        return None if found is None else found[0]

    async def asked(self, campaign: int) -> Asked | None:
        found = await self._one("SELECT asked FROM campaigns WHERE id = ?", campaign)
        return None if found is None or found[0] is None else Asked(found[0])

    # -- others

    async def looked(self) -> tuple[datetime | None, datetime | None]:
        found = await self._one("SELECT looked_from, looked_to FROM identity")
        return (None, None) if found is None else (_moment(found[0]), _moment(found[1]))

    async def note_looked(self, begin: datetime, end: datetime) -> None:
        await self._execute(
            "UPDATE identity SET looked_from = ?, looked_to = max(coalesce(looked_to, 0), ?)",
            to_millis(begin),
            to_millis(end),
        )

    async def note_calls(
        self, campaign: int, agent_id: str, calls: Sequence[SeenCall]
    ) -> Sequence[DialerEvent]:
        return await self._step(campaign, Scribe.note_calls, agent_id, calls)

    async def noted_calls(
        self, campaign: int, agent_id: str, since: datetime
    ) -> Sequence[SeenCall]:
        return await self._reader.run(
            lambda connection: noted_calls(connection, campaign, agent_id, since)
        )

    # -- doubt

    async def doubts(self, campaign: int) -> Sequence[DoubtRecord]:
        return await self._reader.run(lambda connection: doubts(connection, campaign))

    async def bound_calls(self, phone_number: str, attempt_id: str) -> frozenset[str]:
        return await self._reader.run(
            lambda connection: bound_calls(connection, phone_number, attempt_id)
        )

    async def later_calls(self, moment: datetime) -> Mapping[str, datetime]:
        return await self._reader.run(lambda connection: later_calls(connection, moment))

    async def note_look(
        self,
        attempt_id: str,
        first_look: Mapping[str, Any] | None,
        evidence: Mapping[str, Any],
    ) -> None:
        await self._writer.write(
            lambda connection: note_look(
                connection, to_millis(self._clock()), attempt_id, first_look, evidence
            )
        )

    async def settle_doubt(
        self, campaign: int, attempt_id: str, verdict: Verdict
    ) -> DialerEvent | None:
        return await self._step(campaign, Scribe.settle_doubt, attempt_id, verdict)

    async def note(self, campaign: int, kind: EventKind, data: Mapping[str, Any]) -> DialerEvent:
        return await self._writer.write(
            lambda connection: self._event(connection, campaign, kind, data)
        )

    async def _step(self, campaign: int, step: Callable[..., T], *values: object) -> T:
        return await self._queue(campaign, step, *values)

    def _queue(self, campaign: int, step: Callable[..., T], *values: object) -> "asyncio.Future[T]":
        scribe = self._scribe(campaign)
        # The clock is read in the transaction: the write may have waited for its turn.
        return self._writer.queue(
            lambda connection: step(scribe, connection, to_millis(self._clock()), *values)
        )

    def _scribe(self, campaign: int) -> Scribe:
        scribe = self._scribes.get(campaign)
        if scribe is None:
            raise JournalError(f"journal {self.path}: campaign {campaign} was not looked up")
        return scribe

    def _event(
        self,
        connection: sqlite3.Connection,
        campaign: int,
        kind: EventKind,
        data: Mapping[str, Any],
    ) -> DialerEvent:
        now = to_millis(self._clock())
        return self._scribe(campaign).event(connection, now, kind, data=data)

    # -- looking

    async def attempts(self, campaign: int) -> AsyncIterator[AttemptRow]:
        last = ""
        while found := await self._reader.fetch(_ATTEMPTS, campaign, last, _PAGE):
            for row in found:
                yield _attempt_row(row)
            last = found[-1][0]

    async def owner_of(self, call_id: str) -> str | None:
        found = await self._one("SELECT id FROM attempts WHERE call_id = ?", call_id)
        return None if found is None else str(found[0])

    async def calls_made(
        self, campaign: int, *, since: datetime | None = None, costs: bool = False
    ) -> CallsMade:
        return await self._reader.run(
            lambda connection: calls_made(connection, campaign, since, costs=costs)
        )

    async def counts(self, campaign: int) -> Mapping[ContactState, int]:
        found = await self._reader.fetch(
            "SELECT state, count(*) FROM contacts WHERE campaign = ? GROUP BY state", campaign
        )
        counted = {ContactState(state): count for state, count in found}
        return {state: counted[state] for state in ContactState if state in counted}

    async def outcomes(self, campaign: int) -> Mapping[tuple[ContactState, str], int]:
        found = await self._reader.fetch(
            "SELECT state, outcome, count(*) FROM contacts WHERE campaign = ?"
            " AND outcome IS NOT NULL GROUP BY state, outcome ORDER BY count(*) DESC",
            campaign,
        )
        return {(ContactState(state), outcome): count for state, outcome, count in found}

    async def reasons(self, campaign: int) -> Mapping[tuple[ContactState, str], int]:
        found = await self._reader.fetch(
            "SELECT state, reason, count(*) FROM contacts WHERE campaign = ? AND reason IS NOT NULL"
            " GROUP BY state, reason ORDER BY count(*) DESC",
            campaign,
        )
        return {(ContactState(state), reason): count for state, reason, count in found}

    async def rows(self, campaign: int) -> AsyncIterator[ReportRow]:
        last = 0
        while True:
            found = await self._reader.fetch(_REPORT, campaign, last, _PAGE)
            for row in found:
                yield _report_row(row)
            if len(found) < _PAGE:
                return
            last = found[-1][0]

    async def events(self, *, after: int) -> AsyncIterator[DialerEvent]:
        while True:
            found = await self._reader.fetch(_EVENTS, after, _PAGE)
            for row in found:
                yield _dialer_event(row)
            if len(found) < _PAGE:
                return
            after = found[-1][0]

    async def last_pace(self, campaign: int) -> DialerEvent | None:
        found = await self._one(_LAST_PACE, campaign)
        return None if found is None else _dialer_event(found)

    async def back_up(self, target: Path) -> None:
        def copy() -> None:
            with contextlib.closing(open_database(self.path, create=False)) as connection:
                back_up(connection, target)

        await asyncio.to_thread(copy)

    async def problems(self) -> Sequence[str]:
        return await self._reader.run(problems_in)

    async def _one(self, query: str, *values: object) -> Any:
        found = await self._reader.fetch(query, *values)
        return found[0] if found else None

    async def _execute(self, statement: str, *values: object) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(statement, values)

        await self._writer.write(write)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _moment(millis: int | None) -> datetime | None:
    return None if millis is None else to_moment(millis)


def _select(
    connection: sqlite3.Connection, now: datetime, condition: str, values: tuple[object, ...]
) -> list[Candidate]:
    moments = (to_millis(now), to_millis(now - MIN_GAP))
    found = connection.execute(f"{_CANDIDATE} WHERE {condition}", (*moments, *values))
    return [_candidate(row) for row in found]


def _called(
    connection: sqlite3.Connection, now: datetime, values: tuple[object, ...]
) -> list[Called]:
    return [
        Called(contact=contact, calls=calls_to(connection, contact.phone_number))
        for contact in _select(connection, now, _RANG, values)
    ]


def _candidate(row: tuple[Any, ...]) -> Candidate:
    contact, place, phone_number, params, from_number, agent_id, expires_at, *more = row
    timezone, consent, consent_at, consent_source, rank, list_number, suspect, again = more
    return Candidate(
        id=contact,
        row=place,
        phone_number=phone_number,
        params=json.loads(params),
        from_number=from_number,
        agent_id=agent_id,
        expires_at=_moment(expires_at),
        timezone=timezone,
        consent=None if consent is None else bool(consent),
        consent_at=_moment(consent_at),
        consent_source=consent_source,
        rank=rank,
        list_number=list_number,
        suspect=bool(suspect),
        again=bool(again),
    )


def _report_row(row: tuple[Any, ...]) -> ReportRow:
    _, place, list_number, contact_id, phone_number, state, reason, detail, *more = row
    attempts, call_id, due_at, rank, max_attempts, consent_source, *end = more
    outcome, duration, cost, recording, result = end
    return ReportRow(
        row=place,
        list_number=list_number,
        contact_id=contact_id,
        phone_number=phone_number,
        state=ContactState(state),
        reason=reason,
        detail=detail,
        attempts=attempts,
        call_id=call_id,
        due_at=_moment(due_at),
        outcome=outcome,
        duration=duration,
        cost=cost,
        recording=recording,
        result=None if result is None else json.loads(result),
        priority=-rank or None,
        max_attempts=max_attempts,
        consent_source=consent_source,
    )


def _attempt_row(row: tuple[Any, ...]) -> AttemptRow:
    attempt, place, list_number, phone_number, state, intended_at, *end = row
    ended_at, call_id, outcome, cost, duration = end
    return AttemptRow(
        attempt_id=attempt,
        row=place,
        list_number=list_number,
        phone_number=phone_number,
        state=AttemptState(state),
        intended_at=to_moment(intended_at),
        ended_at=_moment(ended_at),
        call_id=call_id,
        outcome=outcome,
        cost=cost,
        duration=duration,
    )


def _dialer_event(row: tuple[Any, ...]) -> DialerEvent:
    number, at, kind, name, place, list_number, attempt_id, data = row
    return DialerEvent(
        number=number,
        at=to_moment(at),
        kind=EventKind(kind),
        campaign=name,
        row=place,
        list_number=list_number,
        attempt_id=attempt_id,
        data=json.loads(data) if data else {},
    )
