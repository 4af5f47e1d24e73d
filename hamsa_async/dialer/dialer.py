"""`Dialer`: campaigns over a journal, through a client. The command is a thin caller of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from hamsa_async.dialer.agent_watch import LOOK_EVERY as AGENTS_EVERY
from hamsa_async.dialer.agent_watch import AgentWatch
from hamsa_async.dialer.agents import AgentContracts
from hamsa_async.dialer.api import Api, CallSecrets
from hamsa_async.dialer.appending import Appended, append_list
from hamsa_async.dialer.campaign import Campaign, Delivery
from hamsa_async.dialer.clock_watch import COMPARE_EVERY, ClockWatch, SteadyClock, utc_now
from hamsa_async.dialer.contact_list import Source
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.finish import Ending, Finish
from hamsa_async.dialer.host import PROBE_EVERY
from hamsa_async.dialer.inbox import Inbox
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import SINGLE_CALLS, CampaignRecord, Identity, Verdict
from hamsa_async.dialer.journal.sqlite import SqliteJournal
from hamsa_async.dialer.loading import Loading
from hamsa_async.dialer.machine import AttemptState
from hamsa_async.dialer.observer import (
    LOOK_EVERY,
    LOOK_EVERY_BESIDE_WEBHOOKS,
    Observer,
)
from hamsa_async.dialer.others import look_for_others
from hamsa_async.dialer.ramp import MINUTE, Beginning, Ramp
from hamsa_async.dialer.reconcile import BY_WORD, LAG, Reconciler, by_word
from hamsa_async.dialer.reconcile import LOOK_EVERY as DOUBTS_EVERY
from hamsa_async.dialer.rules import Rules
from hamsa_async.dialer.run import Loaded, Run, see_out
from hamsa_async.dialer.runner import Runner
from hamsa_async.dialer.single import see_ends
from hamsa_async.errors import (
    CampaignError,
    CampaignRunningError,
    ConfigurationError,
    JournalError,
    NotFoundError,
)
from hamsa_async.models import AgentDetails, Project

__all__ = ["Dialer", "Loaded", "Run"]

_LOOK_NEAR: Final = timedelta(seconds=1)  # a server on this machine costs nothing to ask
_AGENTS_NEAR: Final = timedelta(seconds=5)
_LOOKED_AT: Final = 200  # contacts whose params are compared with the agent, on resuming
_RULED_BY: Final = ("policy ", "from_number ")  # settings, in the words of a change


@attrs.frozen(kw_only=True)
class _Guard:
    """What keeps one run from calling too many at first, too fast, or by a wrong clock."""

    ramp: Ramp | None
    mark: str | None
    clocks: ClockWatch | None


class Dialer:
    """Runs campaigns: nobody is rung twice, nobody is lost, doubt is said.

        async with HamsaClient() as hamsa, Dialer(hamsa, journal="eid.db") as dialer:
            async for event in dialer.run(Campaign(name="eid", voice_agent_id="..."), contacts):
                print(event.kind, event.row)

    Args:
        client: A `HamsaClient`; it is used, never closed. Its `concurrency_limit` bounds every
            campaign's `concurrency`; its `grace_period` is how long leaving the dialer waits
            for what is in flight.
        journal: The path of a journal file, made if it is not there, or a journal of yours
            (used, never closed).
        clock: What time it is (aware); for tests.
        probe_every: How often a host is tried that cannot be reached.
        look_every: How often the list of calls is read while calls are open. By default every
            15 seconds, and every second where the server is on this machine.
        settle_every: How often doubts are looked into. By default every minute, and every second
            where the server is on this machine.
        agents_every: How often the agents' texts are read during a run. By default every five
            minutes, and every five seconds where the server is on this machine.
        clean_minute: How long a minute of the ramp is.
        compare_clocks: Whether this machine's clock is held against the server's: more than two
            minutes off, nobody is called. By default where the server is not on this machine,
            whose clock is the same.
        compare_every: How often, during a run.
        webhook_secrets: What the secrets of calls' webhooks are made from, for campaigns with a
            `webhook_url`; a `Secrets` with a master secret.
        create: Whether to make a journal that is not there.
    """

    def __init__(
        self,
        client: Api,
        *,
        journal: str | Path | Journal,
        clock: Callable[[], datetime] = utc_now,
        probe_every: timedelta = PROBE_EVERY,
        look_every: timedelta | None = None,
        settle_every: timedelta | None = None,
        agents_every: timedelta | None = None,
        clean_minute: timedelta = timedelta(seconds=MINUTE),
        compare_clocks: bool | None = None,
        compare_every: timedelta = COMPARE_EVERY,
        webhook_secrets: CallSecrets | None = None,
        create: bool = True,
    ) -> None:
        self._client = client
        self._given = journal
        self._clock = SteadyClock(clock)
        self._probe_every = probe_every
        self._look_every = look_every
        self._settle_every = settle_every
        self._agents_every = agents_every
        self._clean_minute = clean_minute
        self._compare_clocks = compare_clocks
        self._compare_every = compare_every
        self._webhook_secrets = webhook_secrets
        self._create = create
        self._opened: Journal | None = None
        self._project: Project | None = None
        self._runs: list[Run] = []
        self._claimed: dict[str, CampaignRecord] = {}
        self._busy: set[str] = set()
        self._going_on: set[str] = set()

    async def __aenter__(self) -> Self:
        """Open the journal, and check that it is this server's and project's.

        Raises:
            JournalError: It cannot be opened, or belongs to another server or project.
            AuthenticationError: The key was not accepted.
        """
        self._project = await self._client.projects.current()
        if isinstance(self._given, str | Path):
            self._opened = await SqliteJournal.open(
                self._given, create=self._create, clock=self._clock
            )
        else:
            self._opened = self._given
        try:
            await self._opened.identify(
                Identity(base_url=self._client.config.base_url, project_id=self._project.id)
            )
        except BaseException:
            await self._close_journal()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs, let it settle, close what was opened.

        Cancellation:
            What is in flight is unknown, at once.
        """
        try:
            await see_out(self._runs, grace_period=self._client.config.grace_period)
        finally:
            self._runs.clear()
            for record in list(self._claimed.values()):
                await self._release(record)
            await self._close_journal()

    @property
    def journal(self) -> Journal:
        """The journal, while the dialer is entered."""
        if self._opened is None:
            raise ConfigurationError("enter the dialer first: async with Dialer(...) as dialer")
        return self._opened

    async def load(
        self,
        campaign: Campaign,
        contacts: Source | None = None,
        *,
        accept_changes: bool = False,
        max_invalid: float = 0.5,
        strict: bool = False,
    ) -> Loaded:
        """Make a campaign ready to be dialed: claim it, read its list, check its agent.

        Args:
            campaign: Its settings. A name that the journal knows resumes that campaign.
            contacts: A file's path, an (async) iterable of mappings or `Contact`s, or a
                `ContactList`. `None` takes the list that the journal has.
            accept_changes: Take over a list or settings that differ from the journal's: new
                rows are added, those gone are withdrawn, a contact once dialed keeps its record.
            max_invalid: The largest share of rows that may be no contacts.
            strict: Refuse a list in which a row gives no value to a variable (`{{name}}`) of
                the agent's texts. Otherwise `Loaded.contract` tells.

        Raises:
            ContactListError: The list cannot be read or used. Nothing was taken from it.
            CampaignError: The list or the settings differ, or something is missing.
            CampaignRunningError: Another process, or another run of this one, dials it.
            NotFoundError: There is no such agent.

        Cancellation:
            At once. A list that was being taken over must be given again.
        """
        with self._occupied(campaign.name):
            return await self._load(
                campaign,
                contacts,
                accept_changes=accept_changes,
                max_invalid=max_invalid,
                strict=strict,
            )

    async def append(
        self,
        name: str,
        contacts: Source,
        *,
        country: str | None = None,
        max_invalid: float = 0.5,
        strict: bool = False,
    ) -> Appended:
        """Append a list to a campaign, also while another process or a run of this one dials it.

        Whose number or contact_id the campaign has already is skipped, so appending a list twice
        is safe. Nobody is withdrawn, except who is said in it not to be called.

        Args:
            name: The campaign's name.
            contacts: See `load`.
            country: ISO code (`AE`) of numbers that are written without their country code; by
                default the campaign's.
            max_invalid: See `load`.
            strict: See `load`.

        Raises:
            ContactListError: The list cannot be read or used. Nothing was appended.
            CampaignError: There is no such campaign, or it has no list yet, or no caller number.
            JournalError: It could not be written down; appending the list again adds the rest.
            NotFoundError: The campaign's agent is not there any more.

        Cancellation:
            At once. What was appended by then is there; appending the list again adds the rest.

        Durability:
            Rows are there for good a chunk at a time, and may be dialed from then on.
        """
        record = await self.journal.campaign(name)
        if record is None:
            raise CampaignError(f"the journal has no campaign {name!r}: run it with a list first")
        agent_id = str(record.settings["voice_agent_id"])
        return await append_list(
            self.journal,
            record,
            contacts,
            contracts=AgentContracts(
                agent_id,
                await self._agent(agent_id),
                record.settings.get("params") or {},
                self._client.voice_agents.get,
            ),
            loopback=self._client.config.is_loopback,
            country=country,
            max_invalid=max_invalid,
            strict=strict,
        )

    def run(
        self,
        campaign: Campaign | Loaded,
        contacts: Source | None = None,
        *,
        accept_changes: bool = False,
        max_invalid: float = 0.5,
        wait: bool = True,
        ask: bool = False,
    ) -> Run:
        """Dial a campaign's contacts, each once; give the events as they become durable.

        Args:
            campaign: Settings, which are loaded first (see `load` for the other arguments and
                errors), or what `load` gave.
            contacts: See `load`.
            accept_changes: See `load`.
            max_invalid: See `load`.
            wait: Wait for contacts that are due later, and for the ends of placed calls. `False`
                ends the run with `Ending.NOTHING_NOW`, as it does where no waiting would help.
            ask: After the canary wait until `Run.go_on` is called, however its calls went, rather
                than for clean minutes. An event of the kind `paced`, with `asks` in its data,
                says when. Where the breaker opens, pause the campaign, with its reason, rather
                than end the run; it goes on when it is asked to (`hamsa campaign resume`).

        Returns:
            An async iterator; the run begins with its first step. See `Run` for leaving it
            early.

        Cancellation:
            Leaving the dialer stops the run: nobody more is dialed, what is in flight settles.

        Durability:
            An attempt's intent is on disk before its request leaves, and its result before its
            event is given. After a crash at any point the next run dials nobody twice: what it
            cannot prove is `unknown`.
        """

        async def start(run: Run) -> None:
            if isinstance(campaign, Loaded):
                with self._occupied(campaign.campaign.name):
                    await self._dial(run, campaign, wait=wait, ask=ask)
                return
            with self._occupied(campaign.name):
                loaded = await self._load(
                    campaign, contacts, accept_changes=accept_changes, max_invalid=max_invalid
                )
                for event in loaded.events:
                    run.tell(event)
                await self._dial(run, loaded, wait=wait, ask=ask)

        run = Run(start, grace_period=self._client.config.grace_period)
        self._runs.append(run)
        return run

    async def reconcile(
        self, campaign: CampaignRecord, *, lag: timedelta = LAG, accept_absent: bool = False
    ) -> Sequence[DialerEvent]:
        """Look into a campaign's doubts once, also beside its run; dials nobody.

        Where nobody dials the campaign, what a process that is gone has left is such a doubt.
        Of single calls it is also seen how they have ended, since no run of theirs does.

        Args:
            campaign: The campaign.
            lag: How late the list of calls may show one.
            accept_absent: Believe of those for review, too, that there was no call, where they
                were looked for as well as can be and not seen.

        Returns:
            What was settled. What is left is in `journal.doubts`.

        Raises:
            JournalError: Something could not be written down.

        Cancellation:
            At once; what was settled by then is.
        """
        events = list(await self._recover(campaign))
        believed = accept_absent or campaign.settings.get("delivery") == Delivery.RECONCILED
        reconciler = Reconciler(
            self.journal,
            campaign.id,
            self._client.conversations,
            delivery=Delivery.RECONCILED if believed else Delivery.AT_MOST_ONCE,
            lag=lag,
            tell=events.append,
            clock=self._clock,
        )
        await reconciler.look(review=True)
        if campaign.name == SINGLE_CALLS:
            await see_ends(self.journal, campaign.id, self._client.conversations, clock=self._clock)
        return events

    async def _recover(self, campaign: CampaignRecord) -> Sequence[DialerEvent]:
        """Judge what a process that is gone has left, where none dials the campaign."""
        if campaign.name == SINGLE_CALLS:
            return await self.journal.recover_singles(campaign.id)
        if campaign.name in self._claimed:
            return ()
        try:
            await self._claim(campaign)
        except CampaignRunningError:
            return ()
        try:
            return await self.journal.recover(campaign.id)
        finally:
            await self._release(campaign)

    async def settle_by_word(
        self, campaign: CampaignRecord, attempt_id: str, *, placed: str | None
    ) -> DialerEvent:
        """Take a person's word for what became of an attempt in doubt.

        Args:
            campaign: The attempt's campaign.
            attempt_id: The attempt; it is unknown or for review.
            placed: The id of the call that it became; `None` for none. The call must be there
                and have gone to that number.

        Raises:
            CampaignError: There is no such doubt, or the call cannot be that attempt's. Nothing
                was changed.
            NotFoundError: There is no such call.
        """
        records = {each.attempt_id: each for each in await self.journal.doubts(campaign.id)}
        record = records.get(attempt_id)
        if record is None:
            raise CampaignError(
                f"campaign {campaign.name!r} has no attempt {attempt_id!r} in doubt"
            )
        verdict = Verdict(state=AttemptState.ABSENT, evidence=dict(BY_WORD))
        if placed is not None:
            conversation = await self._client.conversations.get(placed)
            verdict = by_word(record, conversation)
        event = await self.journal.settle_doubt(campaign.id, attempt_id, verdict)
        if event is None:
            raise CampaignError(
                f"attempt {attempt_id} was settled meanwhile, or call {placed} is another's"
            )
        return event

    def events(self, *, after: int = 0) -> AsyncIterator[DialerEvent]:
        """Give every event of the journal past a number, in order, up to the newest."""
        return self.journal.events(after=after)

    # -- loading

    async def _load(
        self,
        campaign: Campaign,
        contacts: Source | None,
        *,
        accept_changes: bool,
        max_invalid: float,
        strict: bool = False,
    ) -> Loaded:
        journal = self.journal
        assert self._project is not None
        Rules.of(campaign)
        agent = await self._agent(campaign.voice_agent_id)
        record = await self._record(campaign, contacts)
        newly = await self._claim(record)
        try:
            # Again, now that nobody else can change it.
            record = await self._record(campaign, contacts)
            # To run it is to let it go on. What is asked from here on, while a long list is
            # read or the operator thinks, is asked of this run.
            await journal.ask(record.id, None)
            self._going_on.add(record.name)
            events = list(await journal.recover(record.id))
            check = AgentContracts(
                campaign.voice_agent_id, agent, campaign.params, self._client.voice_agents.get
            )
            loading = Loading(
                journal=journal,
                campaign=campaign,
                contracts=check,
                loopback=self._client.config.is_loopback,
                accept_changes=accept_changes,
                max_invalid=max_invalid,
                strict=strict,
            )
            taken = await loading.take(record, contacts)
            record = await self._record(campaign, contacts)
            return Loaded(
                campaign=campaign,
                record=record,
                project=self._project,
                agent=agent,
                counts=await journal.counts(record.id),
                columns=taken.columns,
                contract=check.result(),
                named=check.named(),
                agents=check.agents,
                beginning=await self._beginning(campaign, record, agent),
                accepted=taken.changes,
                events=(*events, *([] if taken.event is None else [taken.event])),
            )
        except BaseException:
            if newly:
                await self._release(record)
            raise

    async def _record(self, campaign: Campaign, contacts: Source | None) -> CampaignRecord:
        record = await self.journal.campaign(campaign.name)
        if record is None and contacts is None:
            raise CampaignError(
                f"the journal has no campaign {campaign.name!r}: give a contact list"
            )
        return record or await self.journal.add_campaign(campaign.name, campaign.settings())

    async def _agent(self, voice_agent_id: str) -> AgentDetails:
        try:
            return await self._client.voice_agents.get(voice_agent_id)
        except NotFoundError as error:
            raise NotFoundError(
                f"there is no agent {voice_agent_id!r} in this project; check --agent and"
                " HAMSA_API_KEY; nothing was dialed",
                status=error.status,
            ) from error

    # -- dialing

    async def _dial(self, run: Run, loaded: Loaded, *, wait: bool, ask: bool) -> None:
        run.loaded = loaded
        journal, campaign = self.journal, loaded.record.id
        await self._claim(loaded.record)
        # Asked anew: a run of what was loaded may have passed its canary meanwhile.
        beginning = await self._beginning(loaded.campaign, loaded.record, loaded.agent)
        guard = _Guard(
            ramp=self._ramp(loaded, beginning, ask=ask),
            mark=beginning.mark if beginning.passed or beginning.canary else None,
            clocks=self._clocks(run, loaded),
        )
        if guard.clocks is not None:
            await guard.clocks.begin()
        runner = self._runner(run, loaded, guard, wait=wait, ask=ask)
        if loaded.record.name not in self._going_on:
            await journal.ask(campaign, None)
        self._going_on.discard(loaded.record.name)
        run_id, event = await journal.begin_run(
            campaign, budget=loaded.campaign.budget.as_json(), longest=loaded.longest
        )
        run.tell(event)
        sweep = loaded.campaign.sweep
        while True:
            finish = await self._dial_through(run, loaded, runner, run_id, sweep=sweep)
            ended = await self._end_run(run_id, campaign, runner, finish)
            if ended is not None:
                break
            runner = self._runner(run, loaded, guard, wait=wait, ask=ask, appended=runner.appended)
            sweep = False
        run.finish = finish
        run.counts = await journal.counts(campaign)
        run.tell(ended)

    async def _dial_through(
        self, run: Run, loaded: Loaded, runner: Runner, run_id: int, *, sweep: bool
    ) -> Finish:
        journal, campaign = self.journal, loaded.record.id
        try:
            if sweep:
                await look_for_others(
                    journal,
                    campaign,
                    loaded.campaign.voice_agent_id,
                    self._client.conversations,
                    longest=loaded.campaign.read_policy().longest,
                    made_at=loaded.record.created_at,
                    tell=run.tell,
                    clock=self._clock,
                )
            run.begin(runner)
            return await runner.run()
        except BaseException as error:
            # A later look at the journal should not take it for a crash.
            with contextlib.suppress(JournalError):
                reason = run.stop_reason or type(error).__name__
                ended = await journal.end_run(run_id, campaign, Ending.INTERRUPTED, reason)
                assert ended is not None
                run.tell(ended)
            raise

    async def _end_run(
        self, run_id: int, campaign: int, runner: Runner, finish: Finish
    ) -> DialerEvent | None:
        """Write down that a run is over; `None`: contacts were appended in the last moment."""
        nothing_left = finish.ending in {Ending.DONE, Ending.NOTHING_NOW}
        return await self.journal.end_run(
            run_id,
            campaign,
            finish.ending,
            finish.reason,
            appended=runner.appended if nothing_left else None,
        )

    def _runner(
        self,
        run: Run,
        loaded: Loaded,
        guard: "_Guard",
        *,
        wait: bool,
        ask: bool,
        appended: int | None = None,
    ) -> Runner:
        journal, campaign = self.journal, loaded.record.id
        observer, reconciler = self._observer(run, loaded), self._reconciler(run, loaded)
        secrets = self._secrets_for(loaded.campaign)
        return Runner(
            journal,
            campaign,
            loaded.campaign,
            self._client.voice_agents,
            observer=observer,
            reconciler=reconciler,
            inbox=None if secrets is None else Inbox(journal, campaign, observer, reconciler),
            agents=self._agent_watch(run, loaded),
            webhook_auth=None if secrets is None else secrets.auth_for,
            longest=loaded.longest,
            tell=run.tell,
            ready=run.ready,
            wait=wait,
            asks=ask,
            appended=appended,
            clock=self._clock,
            probe_every=self._probe_every,
            ramp=guard.ramp,
            mark=guard.mark,
            clocks=guard.clocks,
        )

    async def _beginning(
        self, campaign: Campaign, record: CampaignRecord, agent: AgentDetails
    ) -> Beginning:
        last = await self.journal.last_pace(record.id)
        return Beginning.of(
            campaign,
            agent,
            passed=None if last is None else last.data.get("passed"),
            near=self._client.config.is_loopback,
        )

    def _clocks(self, run: Run, loaded: Loaded) -> ClockWatch | None:
        near = self._client.config.is_loopback
        if self._compare_clocks is False or (self._compare_clocks is None and near):
            return None

        async def note(kind: EventKind, data: Mapping[str, Any]) -> None:
            run.tell(await self.journal.note(loaded.record.id, kind, data))

        return ClockWatch(
            self._client.conversations, clock=self._clock, note=note, every=self._compare_every
        )

    def _ramp(self, loaded: Loaded, beginning: Beginning, *, ask: bool) -> Ramp | None:
        """How fast the run may be, where that is not its rate from the start."""
        campaign = loaded.campaign
        if campaign.rate is None or not (beginning.canary or beginning.climbs):
            return None
        return Ramp(
            now=asyncio.get_running_loop().time(),
            cap=campaign.rate,
            canary=beginning.canary,
            climbs=beginning.climbs,
            asks=ask,
            halts=campaign.breaker,
            minute=self._clean_minute.total_seconds(),
            why="the canary was passed before" if beginning.passed else "there is no canary",
        )

    def _secrets_for(self, campaign: Campaign) -> CallSecrets | None:
        if campaign.webhook_url is None:
            return None
        if self._webhook_secrets is None:
            raise ConfigurationError("a campaign with a webhook_url needs webhook_secrets")
        return self._webhook_secrets

    def _observer(self, run: Run, loaded: Loaded) -> Observer:
        far = LOOK_EVERY if loaded.campaign.webhook_url is None else LOOK_EVERY_BESIDE_WEBHOOKS
        near = _LOOK_NEAR if self._client.config.is_loopback else far
        return Observer(
            self.journal,
            loaded.record.id,
            self._client.conversations,
            retries=loaded.campaign.retry_table(),
            tell=run.tell,
            clock=self._clock,
            every=self._look_every or near,
        )

    def _agent_watch(self, run: Run, loaded: Loaded) -> AgentWatch:
        near = _AGENTS_NEAR if self._client.config.is_loopback else AGENTS_EVERY
        return AgentWatch(
            self.journal,
            loaded.record.id,
            loaded.agents,
            given=loaded.campaign.params,
            read=self._client.voice_agents.get,
            tell=run.tell,
            clock=self._clock,
            every=self._agents_every or near,
        )

    def _reconciler(self, run: Run, loaded: Loaded) -> Reconciler:
        near = _LOOK_NEAR if self._client.config.is_loopback else DOUBTS_EVERY
        return Reconciler(
            self.journal,
            loaded.record.id,
            self._client.conversations,
            delivery=Delivery(loaded.campaign.delivery),
            lag=loaded.campaign.lag,
            tell=run.tell,
            clock=self._clock,
            every=self._settle_every or near,
        )

    @contextlib.contextmanager
    def _occupied(self, name: str) -> Iterator[None]:
        """Keep other runs of this dialer off a campaign; `_claim` keeps others off."""
        if name in self._busy:
            raise CampaignRunningError(
                f"campaign {name} is being loaded or run by this process already"
            )
        self._busy.add(name)
        try:
            yield
        finally:
            self._busy.discard(name)

    async def _claim(self, record: CampaignRecord) -> bool:
        """Become the campaign's one dialer; whether we were not before."""
        if record.name in self._claimed:
            return False
        await self.journal.claim(record)
        self._claimed[record.name] = record
        return True

    async def _release(self, record: CampaignRecord) -> None:
        if self._claimed.pop(record.name, None) is not None:
            await self.journal.release(record)

    async def _close_journal(self) -> None:
        journal, self._opened = self._opened, None
        if journal is not None and journal is not self._given:
            await journal.aclose()
