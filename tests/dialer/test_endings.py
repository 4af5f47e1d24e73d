"""Why a run ended: its ending, its reason in the journal, and the command's exit code."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from hamsa_async import HamsaClient
from hamsa_async.cli.exits import Exit, after_failure, after_run
from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.dialer.finish import CALLS_OPEN, DOUBTS_OPEN, LIST_UNREADABLE
from hamsa_async.dialer.machine import Asked
from hamsa_async.dialer.settlements import code_of
from hamsa_async.errors import (
    HamsaError,
    InvalidRequestError,
    JournalError,
    NotSentError,
    OutcomeUnknownError,
)
from hamsa_async.testing import FAKE_API_KEY

HUNG = 60.0

Meanwhile = Callable[[Any, Any, Any], Awaitable[None] | None]


def _nothing(_world: Any, _run: Any, _event: Any) -> None:
    return


def _signal(_world: Any, run: Any, event: Any) -> None:
    if event.kind is EventKind.PLACED:
        run.stop("SIGTERM")


async def _ask(world: Any, _run: Any, event: Any) -> None:
    if event.kind is EventKind.PLACED and event.row == 1:
        async with await SqliteJournal.open(world.path) as journal:
            (record,) = await journal.campaigns()
            await journal.ask(record.id, Asked.STOP)


@attrs.frozen(kw_only=True)
class Case:
    """What goes on, and how the run ends."""

    ending: Ending
    reason: str | None
    code: Exit
    fault: str | None = None
    settings: dict[str, Any] = attrs.field(factory=dict)
    row: dict[str, Any] = attrs.field(factory=dict)
    wait: bool = False
    meanwhile: Meanwhile = _nothing
    end: bool = False
    """Whether its calls end."""


_DAY = {"max_calls_per_day": 2, "budget_zone": "Asia/Dubai"}
_MONEY = {"max_cost": 12, "price_per_minute": 1}

CASES: dict[str, Case] = {
    "done": Case(ending=Ending.DONE, reason=None, code=Exit.DONE, wait=True, end=True),
    "calls are open": Case(ending=Ending.NOTHING_NOW, reason=CALLS_OPEN, code=Exit.NOTHING_NOW),
    "due later": Case(
        ending=Ending.NOTHING_NOW,
        reason="not_before",
        code=Exit.NOTHING_NOW,
        row={"not_before": "2099-01-01T00:00:00Z"},
    ),
    "doubts are open": Case(
        ending=Ending.NOTHING_NOW, reason=DOUBTS_OPEN, code=Exit.UNKNOWNS, fault="drop_before"
    ),
    "breaker": Case(
        ending=Ending.HALTED,
        reason="breaker: 10 of the last 10 requests were refused",
        code=Exit.HALTED,
        fault="status_400",
        settings={"breaker": True},
    ),
    **{
        f"fatal {status}": Case(
            ending=Ending.HALTED, reason=f"{status}", code=Exit.HALTED, fault=f"status_{status}"
        )
        for status in (401, 402, 403, 404)
    },
    "max_calls": Case(
        ending=Ending.HALTED,
        reason="max_calls: 2 were made",
        code=Exit.HALTED,
        settings={"max_calls": 2},
        wait=True,
    ),
    "max_cost": Case(
        ending=Ending.HALTED,
        reason="max_cost: up to 0 of 4 is spent, and a call can cost 5",
        code=Exit.HALTED,
        settings={**_MONEY, "max_cost": 4},
        wait=True,
    ),
    "max_cost, and calls are open": Case(
        ending=Ending.NOTHING_NOW,
        reason="max_cost: up to 10 of 12 is spent, and a call can cost 5",
        code=Exit.NOTHING_NOW,
        settings=_MONEY,
    ),
    "max_calls_per_day": Case(
        ending=Ending.NOTHING_NOW,
        reason="max_calls_per_day: 2 were made today in Asia/Dubai",
        code=Exit.NOTHING_NOW,
        settings=_DAY,
    ),
    "a signal": Case(
        ending=Ending.INTERRUPTED, reason="SIGTERM", code=Exit.INTERRUPTED, meanwhile=_signal
    ),
    "another process": Case(
        ending=Ending.INTERRUPTED,
        reason="stopped by another process",
        code=Exit.INTERRUPTED,
        settings={"rate": 20.0},
        meanwhile=_ask,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_end(world: Any, name: str) -> None:
    """The reason is what `status` reads, and the exit code is the documented one."""
    case = CASES[name]
    if case.end:
        world.calls_end()
    if case.fault is not None:
        world.fake.faults.at_rate(case.fault, 1.0)
    dialed = False
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        rows = world.rows(30, **case.row)
        run = dialer.run(world.campaign(**case.settings), rows, wait=case.wait)
        async for event in run:
            dialed = dialed or event.kind is EventKind.INTENDED
            told = case.meanwhile(world, run, event)
            if told is not None:
                await told
        last = await dialer.journal.last_run(1)
    assert (run.finish.ending, last.ending) == (case.ending, case.ending)
    assert last.reason == run.finish.reason
    if case.reason is None:
        assert last.reason is None
    else:
        assert case.reason in last.reason
    assert after_run(run.finish, run.counts, dialed=dialed) is case.code
    if name.startswith("fatal"):
        assert "\n" not in last.reason
    await world.judge(30)


async def test_a_journal_that_fails(world: Any) -> None:
    """The run raises; the journal says so if it can, and the code is that of a halt."""
    async with (
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=journal) as dialer,
    ):

        async def refuse(*_: object) -> None:
            raise JournalError("the disk is full")

        journal.settle = refuse
        run = dialer.run(world.campaign(), world.rows(3), wait=False)
        with pytest.raises(JournalError):
            async for _ in run:
                pass
        last = await journal.last_run(1)
    assert (last.ending, last.reason) == ("interrupted", "JournalError")
    assert after_failure(dialed=True) is Exit.HALTED


async def test_a_grace_period_that_is_over(world: Any) -> None:
    """Whoever was stopped is told why, also where requests in flight had to be given up."""
    world.fake.faults.at_rate("hang", 1.0)
    async with (
        HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url, grace_period=0.1) as client,
        world.dialer(client) as dialer,
    ):
        run = dialer.run(world.campaign(concurrency=2), world.rows(5), wait=False)
        async for event in run:
            if event.kind is EventKind.INTENDED:
                run.stop("SIGHUP")
                break
        while not world.fake.ledger.rings:
            await asyncio.sleep(0.01)
        await run.aclose()
        last = await dialer.journal.last_run(1)
    assert (last.ending, last.reason) == ("interrupted", "SIGHUP")


class Hurried:
    """A clock that runs 1,000 times as fast: half an hour is two seconds."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._began + (datetime.now(UTC) - self._began) * 1_000


@pytest.mark.parametrize(("lost", "live_calls"), [(True, None), (False, None), (False, 1)])
async def test_a_list_that_stays_unreadable(world: Any, lost: bool, live_calls: int | None) -> None:
    """With nothing left but to look, and nothing to be seen, a run ends after half an hour.

    It says until when it tries, leaves everything as it is, and the next one sees it.
    """
    rows, soon = 2, timedelta(seconds=0.05)
    if lost:
        for place in range(rows):
            world.fake.faults.for_number(world.number(place), "drop_after")
    async with world.dialer(clock=Hurried(), settle_every=soon) as dialer:
        loaded = await dialer.load(
            world.campaign(sweep=False, live_calls=live_calls), world.rows(rows)
        )
        world.fake.faults.at_rate("status_404", 1.0, on="read")
        run = dialer.run(loaded)
        async with asyncio.timeout(HUNG):
            events = [event async for event in run]
    waiting = [event.data for event in events if event.kind is EventKind.WAITING]
    (told,) = [each for each in waiting if each["reason"] == LIST_UNREADABLE]
    assert "until" in told
    assert (run.finish.ending, run.finish.reason) == (Ending.NOTHING_NOW, LIST_UNREADABLE)
    code = after_run(run.finish, run.counts, dialed=True)
    assert code is (Exit.UNKNOWNS if lost else Exit.NOTHING_NOW)
    made = rows if lost or live_calls is None else 1
    assert len(world.fake.ledger.rings) == made
    world.fake.faults.clear()
    world.calls_end()
    async with asyncio.timeout(HUNG), world.dialer(settle_every=soon) as dialer:
        again = dialer.run(world.campaign(), None, wait=False)
        async for _ in again:
            pass
    assert again.counts == {ContactState.PLACED: rows}
    await world.judge(rows)


async def test_a_list_that_is_read_again_in_time(world: Any) -> None:
    """A list that cannot be read for a while ends nothing."""
    soon = timedelta(seconds=0.05)
    world.fake.faults.for_number(world.number(0), "drop_after")
    world.calls_end()
    async with world.dialer(settle_every=soon) as dialer:
        loaded = await dialer.load(world.campaign(sweep=False), world.rows(2))
        world.fake.faults.next("status_404", on="read", count=9)
        run = dialer.run(loaded)
        async with asyncio.timeout(HUNG):
            events = [event async for event in run]
    assert run.finish.ending is Ending.DONE
    assert EventKind.FOUND in {event.kind for event in events}


@pytest.mark.parametrize("fault", ["status_400", "drop_after"])
async def test_a_reason_is_a_code(world: Any, fault: str) -> None:
    """The report's `reason` is a short code that stays, and `detail` is the sentence, masked."""
    world.fake.faults.for_number(world.number(0), fault)
    _, events = await world.run(world.rows(1))
    (row,) = world.ask("SELECT reason, detail FROM contacts")
    reason, detail = row
    assert reason == {"status_400": "BAD_REQUEST", "drop_after": "outcome_unknown"}[fault]
    assert len(detail) > len(reason)
    assert world.number(0) not in detail
    (event,) = [each for each in events if each.kind in {EventKind.REFUSED, EventKind.LOST}]
    assert (event.data["reason"], event.data["detail"]) == row
    assert world.ask("SELECT reason FROM attempts") == [(reason,)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequestError("no", status=400, message_key="validation.phone"), "validation.phone"),
        (InvalidRequestError("no", status=422), "http_422"),
        (InvalidRequestError("no", status=400, message_key="It is no good"), "http_400"),
        (InvalidRequestError("no", status=400, message_key="x971501234567"), "http_400"),
        (OutcomeUnknownError("?", status=502), "http_502"),
        (OutcomeUnknownError("?"), "outcome_unknown"),
        (NotSentError("?"), "not_sent"),
    ],
)
def test_codes(error: HamsaError, code: str) -> None:
    """The API's own code, where it is one; else the status; else what the error is here."""
    assert code_of(error) == code


async def test_a_detail_goes_with_its_reason(world: Any) -> None:
    """Once a call in doubt is found nothing is left of why it was in doubt."""
    world.fake.faults.for_number(world.number(0), "drop_after")
    await world.run(world.rows(1))
    async with world.dialer() as dialer:
        record = await dialer.journal.campaign("eid")
        await dialer.reconcile(record)
    assert world.ask("SELECT state, reason, detail FROM contacts") == [("placed", None, None)]
