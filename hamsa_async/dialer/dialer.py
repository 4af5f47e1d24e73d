"""`Dialer`: campaigns over a journal, through a client. The command is a thin caller of it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from hamsa_async.dialer.api import Api
from hamsa_async.dialer.campaign import Campaign
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contacts import Source, read_chunks
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import CampaignRecord, Identity, StagedList
from hamsa_async.dialer.journal.sqlite import SqliteJournal
from hamsa_async.dialer.machine import ContactState
from hamsa_async.dialer.runner import PROBE_EVERY, Ending, Finish, Runner, utc_now
from hamsa_async.errors import (
    CampaignError,
    ConfigurationError,
    ContactListError,
    NotFoundError,
)
from hamsa_async.models import AgentDetails, Project

_READ_AHEAD: Final = 1_000  # events that a slow reader may lag behind before dialing waits for it
_NO_NUMBER: Final = (
    "there is no caller number: give from_number (--from), or a from_number column;"
    " --from hamsa-default takes Hamsa's fallback, a foreign number"
)


@attrs.frozen(kw_only=True)
class Loaded:
    """A campaign that is ready to be dialed."""

    campaign: Campaign
    record: CampaignRecord
    project: Project
    agent: AgentDetails
    counts: Mapping[ContactState, int]
    columns: Columns | None
    """What the list's headers were taken for, where a list was read."""
    accepted: "tuple[str, ...]" = ()
    """The changes against the journal that were accepted, in words."""

    @property
    def to_dial(self) -> int:
        """Contacts that are to be called, now or later."""
        return self.counts.get(ContactState.PENDING, 0) + self.counts.get(ContactState.DEFERRED, 0)


class Run(AsyncIterator[DialerEvent]):
    """A run's events as they become durable. Iterate it to its end, then look at `finish`.

    The run goes on while it is read: a reader who lags far behind holds up new dials. Made by
    `Dialer.run`.
    """

    def __init__(self, start: Callable[["Run"], Any]) -> None:
        self._start = start
        self._task: asyncio.Task[None] | None = None
        self._runner: Runner | None = None
        self._events: deque[DialerEvent] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._abandoned = False
        self._stop_reason: str | None = None
        self.loaded: Loaded | None = None
        """The campaign, once it was loaded."""
        self.finish: Finish | None = None
        """How the run ended, once it has."""
        self.counts: Mapping[ContactState, int] = {}
        """Contacts by state at the end."""

    def stop(self, reason: str = "stopped") -> None:
        """Dial nobody more. What is in flight settles; then the run ends as interrupted."""
        self._stop_reason = reason
        self._room.set()
        if self._runner is not None:
            self._runner.stop(reason)

    async def aclose(self) -> None:
        """Stop, and wait until what is in flight has settled.

        Cancellation:
            At once: an attempt whose request has left is unknown from the next start on.
        """
        self._abandoned = True
        self.stop("left")
        if self._task is None:
            return
        try:
            await asyncio.wait([self._task])
        finally:
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task])

    async def __anext__(self) -> DialerEvent:
        """Give the next event.

        Raises:
            DialerError: The run could not go on; nothing was dialed after that.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._start(self))
            self._task.add_done_callback(lambda _: self._news.set())
        while not self._events:
            if self._task.done():
                self._task.result()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._events.popleft()
        self._room.set()
        return event

    def tell(self, event: DialerEvent) -> None:
        """Hand an event to the reader."""
        if not self._abandoned:
            self._events.append(event)
            self._news.set()

    async def ready(self) -> None:
        """Wait until the reader has caught up."""
        while len(self._events) >= _READ_AHEAD and not self._abandoned:
            self._room.clear()
            await self._room.wait()

    def begin(self, runner: Runner) -> None:
        """Take note of who dials, and stop it at once where that was asked for already."""
        self._runner = runner
        if self._stop_reason is not None:
            runner.stop(self._stop_reason)


class Dialer:
    """Runs campaigns: nobody is rung twice, nobody is lost, doubt is said.

        async with HamsaClient() as hamsa, Dialer(hamsa, journal="eid.db") as dialer:
            async for event in dialer.run(Campaign(name="eid", voice_agent_id="..."), contacts):
                print(event.kind, event.row)

    Args:
        client: A `HamsaClient`; it is used, never closed. Its `concurrency_limit` bounds every
            campaign's `concurrency`.
        journal: The path of a journal file, made if it is not there, or a journal of yours
            (used, never closed).
        clock: What time it is (aware); for tests.
        probe_every: How often a host is tried that cannot be reached.
    """

    def __init__(
        self,
        client: Api,
        *,
        journal: str | Path | Journal,
        clock: Callable[[], datetime] = utc_now,
        probe_every: timedelta = PROBE_EVERY,
    ) -> None:
        self._client = client
        self._given = journal
        self._clock = clock
        self._probe_every = probe_every
        self._opened: Journal | None = None
        self._project: Project | None = None
        self._runs: list[Run] = []
        self._claimed: dict[str, CampaignRecord] = {}

    async def __aenter__(self) -> Self:
        """Open the journal, and check that it is this server's and project's.

        Raises:
            JournalError: It cannot be opened, or belongs to another server or project.
            AuthenticationError: The key was not accepted.
        """
        project = await self._client.projects.current()
        if isinstance(self._given, str | Path):
            self._opened = await SqliteJournal.open(self._given, clock=self._clock)
        else:
            self._opened = self._given
        try:
            await self._opened.identify(
                Identity(base_url=self._client.config.base_url, project_id=project.id)
            )
        except BaseException:
            await self._close_journal()
            raise
        self._project = project
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs, let it settle, close what was opened."""
        try:
            for run in self._runs:
                await run.aclose()
            for record in self._claimed.values():
                await self.journal.release(record)
        finally:
            await self._close_journal()

    @property
    def journal(self) -> Journal:
        """The journal, while the dialer is entered."""
        if self._opened is None:
            msg = "enter the dialer first: async with Dialer(...) as dialer"
            raise ConfigurationError(msg)
        return self._opened

    async def load(
        self,
        campaign: Campaign,
        contacts: Source | None = None,
        *,
        accept_changes: bool = False,
        max_invalid: float = 0.5,
    ) -> Loaded:
        """Make a campaign ready to be dialed: claim it, read its list, check its agent.

        Args:
            campaign: Its settings. A name that the journal knows resumes that campaign.
            contacts: A CSV path, or an (async) iterable of mappings or `Contact`s. `None` takes
                the list that the journal has.
            accept_changes: Take over a list or settings that differ from the journal's: new
                rows are added, those gone are withdrawn, a contact once dialed keeps its record.
            max_invalid: The largest share of rows that may be no contacts.

        Raises:
            ContactListError: The list cannot be read or used. Nothing was taken from it.
            CampaignError: The list or the settings differ, or something is missing.
            CampaignRunningError: Another process runs this campaign.
            NotFoundError: There is no such agent.
        """
        journal = self.journal
        assert self._project is not None
        agent = await self._agent(campaign.voice_agent_id)
        record = await journal.campaign(campaign.name)
        if record is None and contacts is None:
            msg = f"the journal has no campaign {campaign.name!r}: give a contact list"
            raise CampaignError(msg)
        if record is None:
            record = await journal.add_campaign(campaign.name, campaign.settings())
        await self._claim(record)
        changes = _setting_changes(record.settings, campaign.settings())
        columns = None
        if contacts is not None:
            columns, staged = await self._stage(record, campaign, contacts)
            _check_usable(staged, max_invalid)
            self._check_from_number(campaign, staged)
            if record.loaded:
                changes += _list_changes(staged)
        elif not record.loaded:
            msg = (
                f"the list of campaign {campaign.name!r} was not read to its end: run it with the"
                " list again"
            )
            raise CampaignError(msg)
        if changes and not accept_changes:
            msg = (
                f"campaign {campaign.name!r} differs from the journal: {'; '.join(changes)};"
                " accept it with --accept-changes, or give the campaign another name"
            )
            raise CampaignError(msg)
        if contacts is not None:
            await journal.take_over(record.id)
        await journal.change_settings(record.id, campaign.settings())
        await journal.recover(record.id)
        return Loaded(
            campaign=campaign,
            record=record,
            project=self._project,
            agent=agent,
            counts=await journal.counts(record.id),
            columns=columns,
            accepted=tuple(changes),
        )

    def run(
        self,
        campaign: Campaign | Loaded,
        contacts: Source | None = None,
        *,
        accept_changes: bool = False,
        max_invalid: float = 0.5,
        wait: bool = True,
    ) -> Run:
        """Dial a campaign's contacts, each once; give the events as they become durable.

        Args:
            campaign: Settings, which are loaded first (see `load` for the other arguments and
                errors), or what `load` gave.
            contacts: See `load`.
            accept_changes: See `load`.
            max_invalid: See `load`.
            wait: Wait for deferred contacts. `False` ends the run with `Ending.NOTHING_NOW`.

        Returns:
            An async iterator; the run begins with its first step. Leaving the loop early goes
            on in the background until the dialer is left, or `Run.aclose()`.

        Cancellation:
            Leaving the dialer stops the run: nobody more is dialed, what is in flight settles.

        Durability:
            An attempt's intent is on disk before its request leaves, and its result before its
            event is given. After a crash at any point the next run dials nobody twice: what it
            cannot prove is `unknown`.
        """

        async def start(run: Run) -> None:
            loaded = (
                campaign
                if isinstance(campaign, Loaded)
                else await self.load(
                    campaign, contacts, accept_changes=accept_changes, max_invalid=max_invalid
                )
            )
            run.loaded = loaded
            await self._dial(run, loaded, wait=wait)

        run = Run(start)
        self._runs.append(run)
        return run

    async def _dial(self, run: Run, loaded: Loaded, *, wait: bool) -> None:
        journal = self.journal
        campaign = loaded.record.id
        runner = Runner(
            journal,
            campaign,
            loaded.campaign,
            self._client.voice_agents,
            tell=run.tell,
            ready=run.ready,
            wait=wait,
            clock=self._clock,
            probe_every=self._probe_every,
        )
        run_id, event = await journal.begin_run(campaign)
        run.tell(event)
        run.begin(runner)
        finish = await runner.run()
        run.finish = finish
        run.counts = await journal.counts(campaign)
        reason = finish.reason if finish.ending is not Ending.DONE else None
        run.tell(await journal.end_run(run_id, campaign, finish.ending, reason))

    def events(self, *, after: int = 0) -> AsyncIterator[DialerEvent]:
        """Give every event of the journal past a number, in order, up to the newest."""
        return self.journal.events(after=after)

    async def _agent(self, voice_agent_id: str) -> AgentDetails:
        try:
            return await self._client.voice_agents.get(voice_agent_id)
        except NotFoundError as error:
            msg = (
                f"there is no agent {voice_agent_id!r} in this project; check --agent and"
                " HAMSA_API_KEY; nothing was dialed"
            )
            raise NotFoundError(msg, status=error.status) from error

    async def _claim(self, record: CampaignRecord) -> None:
        if record.name not in self._claimed:
            await self.journal.claim(record)
            self._claimed[record.name] = record

    async def _stage(
        self, record: CampaignRecord, campaign: Campaign, contacts: Source
    ) -> tuple[Columns | None, StagedList]:
        seen: list[Columns] = []
        chunks = read_chunks(contacts, country=campaign.country, on_columns=seen.append)
        first = True
        async with aclosing(chunks):
            async for rows in chunks:
                await self.journal.stage(record.id, rows, first=first)
                first = False
        if first:
            await self.journal.stage(record.id, [], first=True)
        return (seen[0] if seen else None), await self.journal.staged(record.id)

    def _check_from_number(self, campaign: Campaign, staged: StagedList) -> None:
        if (
            campaign.from_number is None
            and staged.without_from_number
            and not self._client.config.is_loopback
        ):
            raise CampaignError(_NO_NUMBER)

    async def _close_journal(self) -> None:
        journal, self._opened = self._opened, None
        if journal is not None and journal is not self._given:
            await journal.aclose()


def _check_usable(staged: StagedList, max_invalid: float) -> None:
    if not staged.rows:
        msg = "the list has no contacts: there is nothing below its header"
        raise ContactListError(msg)
    invalid = sum(
        count for (state, _), count in staged.states.items() if state == ContactState.INVALID
    )
    if invalid / staged.rows > max_invalid:
        worst = ", ".join(
            f"{count} {reason}"
            for (state, reason), count in sorted(staged.states.items(), key=lambda item: -item[1])
            if state == ContactState.INVALID
        )
        msg = (
            f"{invalid} of {staged.rows} rows are no contacts ({worst}): correct the list, or"
            " allow it with --max-invalid (numbers without + need --country)"
        )
        raise ContactListError(msg)


def _setting_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {now.get(name)!r}, was {before.get(name)!r}"
        for name in now
        if before.get(name) != now.get(name)
    ]


def _list_changes(staged: StagedList) -> list[str]:
    difference = staged.difference
    return [
        f"{count} row{'s' if count > 1 else ''} {what}"
        for count, what in (
            (difference.new, "new"),
            (difference.gone, "gone"),
            (difference.changed, "changed"),
        )
        if count
    ]
