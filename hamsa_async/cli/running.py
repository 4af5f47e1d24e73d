"""`hamsa campaign run`: from the options to the exit code."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import attrs
from rich.console import JustifyMethod
from rich.prompt import Confirm
from rich.table import Table

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import (
    find_journal,
    read_from_number,
    read_params,
    read_rate,
    short_path,
)
from hamsa_async.cli.board import clock, counts_table, make_board
from hamsa_async.cli.exits import Exit, after_run
from hamsa_async.cli.output import complain, people, results
from hamsa_async.cli.standing import standing_of
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import HAMSA_DEFAULT, Campaign, Dialer, Ending, Loaded, Run, SqliteJournal
from hamsa_async.dialer.policy import PACKS
from hamsa_async.dialer.report import MEANINGS, write_json
from hamsa_async.errors import ConfigurationError, HamsaError
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

_RATE: Final = 1.0  # call starts per second
_FAKE_RATE: Final = 8.0  # the same for the embedded fake, where nobody's phone rings
_FAKE_NAME: Final = "example"
_SHOWN_ROWS: Final = 60
# The columns of the shown rows and their least widths; the call id gives way first.
_ROW_COLUMNS: Final = {
    "row": 3,
    "contact_id": 10,
    "phone_number": 13,
    "state": 8,
    "reason": 17,
    "attempts": 8,
    "call_id": 8,
}


@attrs.frozen(kw_only=True)
class RunOptions:
    """What was typed."""

    contacts: Path | None
    agent: str | None
    name: str | None
    policy: str | None
    from_number: str | None
    journal: Path | None
    concurrency: int
    rate: str | None
    country: str | None
    params: Sequence[str] | None
    max_invalid: float
    accept_changes: bool
    wait: bool
    yes: bool
    as_json: bool
    fake: bool


async def run_campaign(options: RunOptions) -> Exit:
    """Run a campaign and report it.

    Raises:
        HamsaError: Nothing was dialed, and it can't be.
    """
    if options.fake:
        return await _run_fake(options)
    name = options.name
    if name is None:
        msg = "--name is needed: it names the campaign in the journal, and resumes it"
        raise ConfigurationError(msg)
    # Before anything is opened: what was typed must make sense.
    read_rate(options.rate, _RATE)
    read_params(options.params)
    journal = find_journal(options.journal)
    async with (
        HamsaClient(concurrency_limit=max(options.concurrency, 1)) as client,
        Dialer(client, journal=journal) as dialer,
    ):
        campaign = await _campaign(options, name, dialer)
        return await _load_and_dial(options, dialer, campaign, options.contacts, journal)


async def _run_fake(options: RunOptions) -> Exit:
    """Dial an embedded server that rings nobody, with a journal that is gone afterwards."""
    if options.journal is not None:
        msg = "--fake makes its own journal: leave out --journal"
        raise ConfigurationError(msg)
    with tempfile.TemporaryDirectory(prefix="hamsa-fake-") as folder, _example() as example:
        journal = Path(folder) / "journal.db"
        async with (
            FakeHamsa(agents=None, latency=(0.05, 0.4)) as fake,
            HamsaClient(
                FAKE_API_KEY,
                base_url=fake.base_url,
                concurrency_limit=max(options.concurrency, 1),
            ) as client,
            Dialer(client, journal=journal) as dialer,
        ):
            campaign = Campaign(
                name=options.name or _FAKE_NAME,
                voice_agent_id=options.agent or FAKE_AGENT_ID,
                from_number=read_from_number(options.from_number, options.country),
                params=read_params(options.params),
                country=options.country,
                rate=read_rate(options.rate, _FAKE_RATE),
                concurrency=options.concurrency,
            )
            ended = await _load_and_dial(
                attrs.evolve(options, yes=True),
                dialer,
                campaign,
                options.contacts or example,
                journal,
            )
            twice = fake.ledger.rung_twice()
        people().print(
            f"the fake server's own ledger: {len(fake.ledger.rings)} rings, "
            f"{len(twice)} numbers rung twice; no phone rang",
            style="dim",
        )
        return ended


@contextlib.contextmanager
def _example() -> Iterator[Path]:
    """The list that is shipped."""
    with as_file(files("hamsa_async.testing") / "examples" / "contacts.csv") as path:
        yield path


async def _campaign(options: RunOptions, name: str, dialer: Dialer) -> Campaign:
    """The settings: what was typed, else what the journal has."""
    record = await dialer.journal.campaign(name)
    kept: dict[str, Any] = dict(record.settings) if record is not None else {}
    country = options.country or kept.get("country")
    agent = options.agent or kept.get("voice_agent_id")
    policy = options.policy or kept.get("policy")
    if agent is None:
        msg = "--agent is needed: the id of the agent that speaks (see the dashboard)"
        raise ConfigurationError(msg)
    if policy is None:
        msg = f"--policy is needed: the rules to dial by. There is: {', '.join(PACKS)}"
        raise ConfigurationError(msg)
    return Campaign(
        name=name,
        voice_agent_id=agent,
        from_number=read_from_number(options.from_number, country) or kept.get("from_number"),
        policy=policy,
        params=read_params(options.params) or kept.get("params") or {},
        country=country,
        rate=read_rate(options.rate, _RATE),
        concurrency=options.concurrency,
    )


async def _load_and_dial(
    options: RunOptions,
    dialer: Dialer,
    campaign: Campaign,
    contacts: Path | None,
    journal: Path,
) -> Exit:
    loaded = await dialer.load(
        campaign,
        contacts,
        accept_changes=options.accept_changes,
        max_invalid=options.max_invalid,
    )
    _tell_about_list(loaded)
    if not options.yes and loaded.to_dial and not _confirmed(loaded, journal):
        people().print("nothing was dialed; the list is kept in the journal")
        return Exit.CANNOT
    run = dialer.run(loaded, wait=options.wait)
    try:
        await _watch(run, loaded)
    except HamsaError as error:
        # Dialing had begun: what was dialed is in the journal, unless that is what failed.
        complain(str(error))
        return Exit.HALTED
    assert run.finish is not None
    code = after_run(run.finish, run.counts)
    if options.as_json:
        await _print_json(dialer, loaded, run, code)
    else:
        await _print_summary(dialer, loaded, run, code)
    return code


def _tell_about_list(loaded: Loaded) -> None:
    console = people()
    if loaded.columns is not None:
        for field, header in loaded.columns.choices.items():
            if field != header:
                console.print(f"column {header!r} is taken for {field}", style="dim", markup=False)
        if loaded.columns.unused:
            unused = ", ".join(loaded.columns.unused)
            console.print(
                f"columns {unused}: reserved for rules that this version does not have; not used",
                style="yellow",
                markup=False,
            )
    for change in loaded.accepted:
        console.print(f"accepted: {change}", markup=False)


def _confirmed(loaded: Loaded, journal: Path) -> bool:
    """Ask a person; without a terminal there is nobody to ask.

    Raises:
        ConfigurationError: There is no terminal.
    """
    if not sys.stdin.isatty():
        msg = "there is no terminal to ask: --yes is needed; nothing was dialed"
        raise ConfigurationError(msg)
    campaign = loaded.campaign
    caller = campaign.from_number or "each row's own"
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in (
        ("campaign", campaign.name),
        ("project", f"{loaded.project.name or '?'} ({loaded.project.id})"),
        ("agent", f"{loaded.agent.agent_name or '?'} ({campaign.voice_agent_id})"),
        ("caller number", caller if caller == HAMSA_DEFAULT else mask_number(caller)),
        ("policy", f"{campaign.policy}: {PACKS[campaign.policy]}"),
        ("journal", short_path(journal)),
        ("contacts to call", str(loaded.to_dial)),
        ("pace", f"{campaign.rate:g}/s" if campaign.rate else "unpaced"),
    ):
        table.add_row(name, value)
    console = people()
    console.print(table)
    return Confirm.ask(f"Call {loaded.to_dial} contacts now?", console=console, default=False)


async def _watch(run: Run, loaded: Loaded) -> None:
    console = people()
    with make_board(console, loaded) as board:
        async with _stopped_by_signals(run):
            async for event in run:
                board.show(event)


@contextlib.asynccontextmanager
async def _stopped_by_signals(run: Run) -> AsyncIterator[None]:
    """The first signal stops the run gently; a second Ctrl-C ends it at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    told = False

    def stop(number: signal.Signals) -> None:
        nonlocal told
        if told:
            task.cancel()
            return
        told = True
        run.stop(number.name)
        complain(
            f"{number.name}: nobody more is dialed, what is in flight settles; again ends at once"
        )

    signals = [
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
    ]
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _print_summary(dialer: Dialer, loaded: Loaded, run: Run, code: Exit) -> None:
    journal, console = dialer.journal, results()
    assert run.finish is not None
    reasons = await journal.reasons(loaded.record.id)
    console.print()
    console.print(counts_table(run.counts, reasons, MEANINGS))
    if sum(run.counts.values()) <= _SHOWN_ROWS:
        console.print()
        console.print(await _rows_table(dialer, loaded))
    console.print()
    console.print(_ending(run, code), markup=False)
    if not isinstance(journal, SqliteJournal):
        return
    if run.finish.ending is Ending.HALTED or run.finish.ending is Ending.INTERRUPTED:
        console.print(f"run --name {loaded.campaign.name} again to resume", markup=False)


async def _rows_table(dialer: Dialer, loaded: Loaded) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, least in _ROW_COLUMNS.items():
        justify: JustifyMethod = "right" if name in {"row", "attempts"} else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=least)
    async for row in dialer.journal.rows(loaded.record.id):
        table.add_row(
            str(row.row),
            row.contact_id or "",
            mask_number(row.phone_number),
            row.state,
            row.reason or "",
            str(row.attempts),
            row.call_id or "",
        )
    return table


def _ending(run: Run, code: Exit) -> str:
    finish = run.finish
    assert finish is not None
    texts = {
        Ending.DONE: "done",
        Ending.NOTHING_NOW: f"nothing to do now ({finish.reason}); next at {clock(finish.next_at)}",
        Ending.INTERRUPTED: f"interrupted ({finish.reason})",
        Ending.HALTED: f"halted: {finish.reason}",
    }
    return f"{texts[finish.ending]} (exit code {code.value})"


async def _print_json(dialer: Dialer, loaded: Loaded, run: Run, code: Exit) -> None:
    journal = dialer.journal
    assert run.finish is not None
    assert isinstance(journal, SqliteJournal)
    record = await journal.campaign(loaded.campaign.name)
    assert record is not None
    finish = run.finish
    head = {
        **(await standing_of(journal, record)).as_json(),
        "running": False,
        "ending": finish.ending,
        "reason": finish.reason,
        "next_at": None if finish.next_at is None else finish.next_at.isoformat(),
        "exit_code": code.value,
    }
    await write_json(head, journal.rows(record.id), sys.stdout)
