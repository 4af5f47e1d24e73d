"""Everything at once, at random: budgets, a canary, faults, pauses, lists and people who go.

Each part has tests of its own; here they meet. No run hangs, and none goes beyond its budget.
"""

import asyncio
import contextlib
import random
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async.dialer import ContactState, Dialer, Ending, SqliteJournal
from hamsa_async.dialer.machine import Asked
from hamsa_async.dialer.verify import verify
from hamsa_async.errors import HamsaError, JournalError

HUNG = 60.0
FAULTS = ("status_500", "drop_after", "rate_limited", "status_400", "reset_before")
WAITING = {ContactState.PENDING, ContactState.DEFERRED, ContactState.RETRY}
IN_DOUBT = "that phone rang"
"""What `verify` says of a doubt that nobody has settled yet."""

SEEDS = [pytest.param(seed, marks=[pytest.mark.slow] if seed > 2 else []) for seed in range(1, 41)]


def budget(draw: random.Random) -> dict[str, Any]:
    """No budget, or one of some kinds."""
    given: dict[str, Any] = {}
    if draw.random() < 0.5:
        given |= {"max_calls": draw.randint(3, 40)}
    if draw.random() < 0.4:
        given |= {"max_cost": str(draw.randint(20, 400)), "price_per_minute": "1"}
    if draw.random() < 0.3:
        given |= {"max_calls_per_day": draw.randint(5, 40), "budget_zone": "Asia/Dubai"}
    return given


class Steering:
    """What others do while a campaign is dialed."""

    def __init__(self, world: Any, dialer: Dialer, draw: random.Random, concurrency: int) -> None:
        self.world = world
        self.dialer = dialer
        self.draw = draw
        self.concurrency = concurrency

    async def go(self) -> None:
        """Do some things, one after the other, over a journal of its own."""
        await asyncio.sleep(0.2)
        async with await SqliteJournal.open(self.world.path) as journal:
            while (record := await journal.campaign("eid")) is None or not record.loaded:
                await asyncio.sleep(0.02)
            for _ in range(self.draw.randint(0, 6)):
                await asyncio.sleep(self.draw.random() * 0.4)
                step = self.draw.choice([self.pause, self.append, self.forget])
                await step(journal, record.id)

    async def pause(self, journal: SqliteJournal, campaign: int) -> None:
        """Pause, as a person does or for a reason; what is at the wire settles, nothing more."""
        if self.draw.random() < 0.5:
            await journal.ask(campaign, Asked.PAUSE)
        else:
            await journal.pause(campaign, "the text changed")
        rings = self.world.fake.ledger.rings
        before = len(rings)
        await asyncio.sleep(self.draw.random() * 0.6)
        assert len(rings) - before <= self.concurrency
        await journal.ask(campaign, None)

    async def append(self, _journal: SqliteJournal, _campaign: int) -> None:
        """Append people of whom some are there, and go first."""
        start, count = self.draw.randint(0, 80), self.draw.randint(1, 20)
        with contextlib.suppress(HamsaError):  # the agent could not be read, say
            await self.dialer.append("eid", self.world.rows(count, start=start, priority="9"))

    async def forget(self, journal: SqliteJournal, _campaign: int) -> None:
        """Forget somebody, who may be the next to be called."""
        with contextlib.suppress(JournalError):  # a call to them may be under way
            await journal.erasure.forget(self.world.number(self.draw.randint(0, 60)))


@pytest.mark.parametrize("seed", SEEDS)
async def test_steered_at_random(world: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends, nobody rings twice, no budget is passed, and whoever is left has a reason."""
    monkeypatch.setattr("hamsa_async.dialer.ramp.START_RATE", 100.0)
    draw = random.Random(seed)
    world.fake.call_seconds = (0.0, 0.2)
    world.fake.outcomes = {"COMPLETED": 0.6, "NO_ANSWER": 0.2, "FAILED": 0.2}
    for fault in FAULTS:
        if draw.random() < 0.4:
            options = {"retry_after": "0.1"} if fault == "rate_limited" else {}
            world.fake.faults.at_rate(fault, draw.choice([0.02, 0.1]), **options)
    spends = budget(draw)
    campaign = world.campaign(
        rate=500.0,
        concurrency=draw.choice([1, 3, 16]),
        live_calls=draw.choice([None, 1, 4]),
        breaker=draw.random() < 0.3,
        canary=draw.choice([0, 0, 3, 5]),
        ramp=draw.random() < 0.5,
        **spends,
    )
    soon = timedelta(seconds=0.1)
    async with (
        asyncio.timeout(HUNG),
        world.dialer(settle_every=soon * 2, clean_minute=soon, probe_every=soon) as dialer,
    ):
        run = dialer.run(campaign, world.rows(draw.randint(5, 60)), wait=False)
        others = Steering(world, dialer, draw, campaign.concurrency)
        async with asyncio.TaskGroup() as group:
            steering = group.create_task(others.go())
            async for _ in run:
                pass
            steering.cancel()
        record = await dialer.journal.campaign("eid")
        # Counted anew: somebody may have been appended after the run's own end.
        rows = sum((await dialer.journal.counts(record.id)).values())
        proved = await verify(dialer.journal, record, world.hamsa.conversations, rows=rows)
    assert not world.fake.ledger.rung_twice()
    assert await world.problems() == []
    assert [each for each in proved.findings if IN_DOUBT not in each] == []
    rings = len(world.fake.ledger.rings)
    assert rings <= min(spends.get("max_calls", rings), spends.get("max_calls_per_day", rings))
    waiting = WAITING & run.counts.keys()
    if run.finish.ending is Ending.DONE:
        assert not waiting
    elif run.finish.ending is Ending.NOTHING_NOW and not run.finish.by_budget:
        assert ContactState.PENDING not in waiting
