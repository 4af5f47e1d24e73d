"""`hamsa campaign run`: from the options to the exit code."""

import asyncio
import contextlib
import gc
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import attrs

from hamsa_async.cli.ahead import look_ahead
from hamsa_async.cli.arguments import (
    read_canary,
    read_concurrency,
    read_from_numbers,
    read_live_calls,
    read_naming,
    read_params,
    read_policies,
    read_ramp,
    read_rate,
    read_retries,
    read_share,
)
from hamsa_async.cli.asking import can_ask, confirmed
from hamsa_async.cli.board import make_board
from hamsa_async.cli.exits import Exit, after_failure, after_run
from hamsa_async.cli.journals import find_journal, read_name
from hamsa_async.cli.lists import InvalidRows, list_of, tell_about_columns, tell_about_contracts
from hamsa_async.cli.looking import Look
from hamsa_async.cli.options import ListOptions, RunOptions
from hamsa_async.cli.output import complain, counted, people, print_json, shown
from hamsa_async.cli.serving import webhook_secrets
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.cli.summary import Summary
from hamsa_async.cli.typed_numbers import read_country
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import (
    Campaign,
    Dialer,
    Ending,
    EventKind,
    Finish,
    Loaded,
    Run,
)
from hamsa_async.dialer.budget import Budget, Spent
from hamsa_async.dialer.campaign import MAX_ATTEMPTS, Delivery
from hamsa_async.dialer.opt_out import DNC_FIELD, REFUSAL_FIELD
from hamsa_async.dialer.policy import PACKS, read_policy
from hamsa_async.dialer.retries import DEFAULT_ROWS
from hamsa_async.dialer.spending import spent_by
from hamsa_async.errors import CampaignError, ConfigurationError, HamsaError

GRACE: Final = 10.0  # seconds that requests in flight get to settle after a signal
_RATE: Final = 1.0  # call starts per second
_FAKE_RATE: Final = 8.0  # the same for the embedded fake, where nobody's phone rings
_FAKE_NAME: Final = "example"


async def run_campaign(contacts: Path | None, options: RunOptions, reading: ListOptions) -> Exit:
    """Run a campaign and report it.

    Raises:
        HamsaError: Nothing was dialed, and it can't be.
    """
    _check(options, reading)
    if options.fake:
        return await _run_fake(contacts, options, reading)
    name = read_name(options.name)
    if not options.yes and not can_ask():
        raise ConfigurationError("there is no terminal to ask: --yes is needed")
    journal = find_journal(options.journal, make_folder=True)
    secrets = None if options.webhook_url is None else webhook_secrets()
    async with (
        _client(options) as client,
        Dialer(client, journal=journal, webhook_secrets=secrets) as dialer,
    ):
        campaign = await _campaign(options, reading, name, dialer, new=contacts is not None)
        return await _Work(dialer, campaign, contacts, journal, options, reading).do()


def _check(options: RunOptions, reading: ListOptions) -> None:
    """What was typed must make sense, before anything is opened."""
    read_concurrency(options.concurrency)
    rate = read_rate(options.rate, _RATE)
    read_live_calls(options.live_calls, rate)
    read_canary(options.canary, rate)
    read_ramp(options.ramp, rate)
    read_retries(options.retry)
    read_params(options.param)
    _budget(options)
    read_share(options.max_invalid)
    read_from_numbers(options.from_number, read_country(reading.country))
    read_naming(reading.map, reading.ignore)
    if options.name is not None:
        read_name(options.name)
    if options.policy:
        read_policy(options.policy)


def _no_policy(what: str) -> str:
    return f"{what}; there is: {', '.join(PACKS)}"


def _client(options: RunOptions, key: str | None = None, url: str | None = None) -> HamsaClient:
    return HamsaClient(
        key,
        base_url=url,
        concurrency_limit=options.concurrency,
        grace_period=0,  # what is in flight when a run is left had its grace before: `_Watch`
    )


async def _run_fake(contacts: Path | None, options: RunOptions, reading: ListOptions) -> Exit:
    """Dial an embedded server that rings nobody, with a journal that is gone afterwards."""
    # The fake and its server are a third of what there is to import, and only needed here.
    from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa  # noqa: PLC0415

    if options.canary is not None or options.ramp is not None:
        raise ConfigurationError("--fake has no canary and no ramp: leave out --canary and --ramp")
    if options.journal is not None:
        raise ConfigurationError("--fake makes its own journal: leave out --journal")
    country = read_country(reading.country)
    campaign = Campaign(
        name=_FAKE_NAME if options.name is None else read_name(options.name),
        voice_agent_id=options.agent or FAKE_AGENT_ID,
        from_number=read_from_numbers(options.from_number, country),
        params=read_params(options.param),
        country=country,
        rate=read_rate(options.rate, _FAKE_RATE),
        concurrency=options.concurrency,
        live_calls=read_live_calls(options.live_calls or "none", None),
        retries=read_retries(options.retry) or (),  # an hour is long for a demonstration
        **_budget(options),
        breaker=False,  # its calls are over in seconds, as if they were cut off
    )
    with temporary_folder() as folder, _example() as example:
        async with (
            FakeHamsa(agents=None, latency=(0.05, 0.4), call_seconds=(0.5, 3.0)) as fake,
            _client(options, FAKE_API_KEY, fake.base_url) as client,
            Dialer(client, journal=folder / "journal.db") as dialer,
        ):
            options = attrs.evolve(options, yes=True)
            journal = folder / "journal.db"
            work = _Work(dialer, campaign, contacts or example, journal, options, reading)
            code = await work.do()
            twice = fake.ledger.rung_twice()
        people().print(
            f"the fake server's own ledger: {counted(len(fake.ledger.rings), 'ring')}, "
            f"{counted(len(twice), 'number')} rung twice; no phone rang",
            style="dim",
        )
        return code


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, also when the process ends at once."""
    folder = Path(tempfile.mkdtemp(prefix="hamsa-fake-"))
    try:
        with INTERRUPTIONS.last_act(lambda: shutil.rmtree(folder, ignore_errors=True)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _example() -> Iterator[Path]:
    """The list that is shipped."""
    with as_file(files("hamsa_async.testing") / "examples" / "contacts.csv") as path:
        yield path


async def _campaign(
    options: RunOptions, reading: ListOptions, name: str, dialer: Dialer, *, new: bool
) -> Campaign:
    """The settings: what was typed, else what the journal has."""
    record = await dialer.journal.campaign(name)
    if record is None and not new:
        raise CampaignError(f"the journal has no campaign {name!r}: give a contact list")
    kept: dict[str, Any] = {} if record is None else dict(record.settings)
    country = read_country(reading.country) or kept.get("country")
    agent = options.agent or kept.get("voice_agent_id")
    policy = read_policies(options.policy) or kept.get("policy")
    rate = read_rate(options.rate, _RATE)
    retries = read_retries(options.retry)
    if agent is None:
        raise ConfigurationError(
            "--agent is needed: the id of the agent that speaks; the dashboard shows it"
        )
    if policy is None:
        raise ConfigurationError(_no_policy("--policy is needed: the rules to dial by"))
    return Campaign(
        name=name,
        voice_agent_id=agent,
        from_number=read_from_numbers(options.from_number, country) or kept.get("from_number"),
        policy=policy,
        dnc_field=options.dnc_field or kept.get("dnc_field", DNC_FIELD),
        refusal_field=options.refusal_field or kept.get("refusal_field", REFUSAL_FIELD),
        params=read_params(options.param) or kept.get("params") or {},
        country=country,
        rate=rate,
        canary=read_canary(options.canary, rate),
        ramp=read_ramp(options.ramp, rate),
        concurrency=options.concurrency,
        live_calls=read_live_calls(options.live_calls, rate),
        retries=kept.get("retries", DEFAULT_ROWS) if retries is None else retries,
        max_attempts=options.max_attempts or kept.get("max_attempts", MAX_ATTEMPTS),
        delivery=options.delivery or kept.get("delivery", Delivery.AT_MOST_ONCE),
        lag=timedelta(seconds=options.lag),
        sweep=not options.no_sweep,
        webhook_url=options.webhook_url,
        **_budget(options),
        breaker=options.breaker == "on",
    )


def _budget(options: RunOptions) -> dict[str, Any]:
    """What the campaign may spend, as its settings have it."""
    budget = Budget(
        max_calls=options.max_calls,
        max_calls_per_day=options.max_calls_per_day,
        zone=options.budget_zone,
        max_cost=options.max_cost,
        price_per_minute=options.price_per_minute,
    )
    given = attrs.asdict(budget)
    return {"budget_zone": given.pop("zone"), **given}


@attrs.frozen
class _Work:
    """One campaign's way from its list to its summary."""

    dialer: Dialer
    campaign: Campaign
    contacts: Path | None
    journal: Path
    options: RunOptions
    reading: ListOptions

    async def do(self) -> Exit:
        # The embedded fake is there to look at: it leaves no file behind that nobody asked for.
        with InvalidRows(
            self.reading.invalid,
            read=[self.contacts, self.journal],
            wanted=not self.options.fake,
        ) as invalid:
            loaded = await self.dialer.load(
                self.campaign,
                None if self.contacts is None else list_of(self.contacts, self.reading, invalid),
                accept_changes=self.options.accept_changes,
                max_invalid=0 if self.reading.strict else self.options.max_invalid,
                strict=self.reading.strict,
            )
        _tell_about_list(loaded)
        if loaded.to_dial and not self.options.yes and not await self._confirmed(loaded):
            raise CampaignError("not confirmed: nobody was called; the journal has the list")
        # What is imported by now stays to the end. The garbage collector walked over it all again
        # and again, with the loop held up for 30 ms each time.
        gc.freeze()
        ask = not self.options.yes
        watch = _Watch(self.dialer.run(loaded, wait=not self.options.no_wait, ask=ask), loaded)
        try:
            finish = await watch.to_the_end()
        except HamsaError as error:
            return self._failed(error, dialed=watch.dialed)
        summary = await Summary.make(self.dialer.journal, loaded, finish, watch.spent())
        code = after_run(finish, summary.counts, dialed=watch.dialed)
        if self.options.as_json:
            await summary.print_json(code)
        else:
            await summary.print(kept=not self.options.fake)
        summary.tell_the_end(code, resumable=not self.options.fake)
        return code

    async def _confirmed(self, loaded: Loaded) -> bool:
        journal, record = self.dialer.journal, loaded.record
        ahead = await look_ahead(journal, loaded)
        spent = await spent_by(journal, record.id, loaded.campaign.budget, datetime.now(UTC))
        return await confirmed(loaded, self.journal, ahead, spent)

    def _failed(self, error: HamsaError, *, dialed: bool) -> Exit:
        """The run could not go on: the journal failed, mostly."""
        code = after_failure(dialed=dialed)
        complain(str(error))
        if self.options.as_json:
            print_json({"error": str(error), "exit_code": code.value})
        return code


def _tell_about_list(loaded: Loaded) -> None:
    console = people()
    if loaded.campaign.webhook_url is not None and loaded.agent.webhook_url:
        console.print(
            "the agent has a webhook of its own, which may not be told of these calls:"
            " --webhook-url may take its place",
            style="yellow",
        )
    if loaded.columns is not None:
        tell_about_columns(loaded.columns)
    tell_about_contracts(loaded.agent, loaded.contract, loaded.named)
    for change in loaded.accepted:
        console.print(f"accepted: {shown(change)}")


class _Watch:
    """Shows a run, and winds it up on a signal.

    Then nobody more is dialed, and what is in flight gets a grace period to settle.
    """

    def __init__(self, run: Run, loaded: Loaded) -> None:
        self._run = run
        self._loaded = loaded
        self._reading: asyncio.Task[None] | None = None
        self._look = Look(run)
        self._signal = ""
        self.dialed = False
        """Whether any attempt was made."""

    async def to_the_end(self) -> Finish:
        """Show the run to its end.

        Raises:
            HamsaError: It could not go on.
        """
        self._reading = asyncio.create_task(self._read())
        with INTERRUPTIONS.told_to(self._wind_up):
            await asyncio.wait([self._reading])
            if self._reading.cancelled():  # the grace period is over
                await self._run.aclose()
                return Finish(ending=Ending.INTERRUPTED, reason=self._signal)
            if not isinstance(self._reading.exception(), HamsaError | None):
                # A defect in what shows the run must not cost an answer that is on its way.
                self._run.stop("defect")
                async for _ in self._run:
                    pass
        self._reading.result()
        assert self._run.finish is not None
        return self._run.finish

    async def _read(self) -> None:
        with make_board(self._loaded, self._run.spent) as board:
            async with self._look.on(board):
                async for event in self._run:
                    self.dialed = self.dialed or event.kind is EventKind.INTENDED
                    board.show(event)
                    self._look.take(event)
            board.correct(self._run.counts)

    def spent(self) -> Spent | None:
        """What the campaign has spent."""
        return self._run.spent()

    def _wind_up(self, signal: str) -> None:
        assert self._reading is not None
        self._signal = signal
        self._run.stop(signal)
        asyncio.get_running_loop().call_later(GRACE, self._reading.cancel)
        complain(
            f"{signal}: nobody more is dialed; answers have {GRACE:g} s to come"
            " (Ctrl-C again ends at once)"
        )
