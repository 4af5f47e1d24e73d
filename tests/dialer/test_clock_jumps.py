"""Our own clock jumps in mid-campaign: nobody rings twice for it, and nobody is lost.

The server's clock, and the one that only goes forward, know better.
"""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from hamsa_async.dialer import ContactState, Ending, EventKind

HUNG = 60.0
ROWS = 40
HOUR = timedelta(hours=1)
PUT_RIGHT_AFTER = 1.5  # seconds


@attrs.define
class Clock:
    """This machine's clock, which somebody sets."""

    off: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off

    def set(self, off: timedelta) -> None:
        self.off = off


def trouble(world: Any) -> None:
    """Calls that end, answers that get lost, and requests that never arrive."""
    world.fake.call_seconds = (0.0, 0.5)
    world.fake.outcomes = {"COMPLETED": 1.0}
    world.fake.latency = (0.01, 0.03)
    for place in (3, 12, 24):
        world.fake.faults.for_number(world.number(place), "drop_after", count=1)
    for place in (7, 20):
        world.fake.faults.for_number(world.number(place), "drop_before", count=1)


async def campaign(world: Any, clock: Clock, step: Any) -> Any:
    """Run one to its end; `step` is called with the number of calls that were placed."""
    count = 0
    soon = timedelta(seconds=0.2)
    async with (
        asyncio.timeout(HUNG),
        world.dialer(clock=clock, settle_every=soon, compare_clocks=True) as dialer,
    ):
        settings = {"concurrency": 3, "lag": timedelta(seconds=1), "retries": ()}
        run = dialer.run(world.campaign(**settings), world.rows(ROWS))
        async for event in run:
            if event.kind is EventKind.PLACED:
                count += 1
                step(count)
    return run


async def nobody_rings_again(world: Any, clock: Clock) -> None:
    """Another campaign over the same numbers finds all of them within the gap, or in doubt."""
    posts = world.fake.ledger.posts
    async with asyncio.timeout(HUNG), world.dialer(clock=clock, compare_clocks=True) as dialer:
        run = dialer.run(world.campaign(name="again"), world.rows(ROWS), wait=False)
        async for _ in run:
            pass
    assert run.counts == {ContactState.DEFERRED: ROWS}
    assert world.fake.ledger.posts == posts


def judge_ends(world: Any) -> None:
    """Whoever rang is done; the others are for a person."""
    rang = {ring.phone_number for ring in world.fake.ledger.rings}
    states = world.states()
    assert {number for number, state in states.items() if state == "done"} == rang
    assert {state for number, state in states.items() if number not in rang} == {"review"}
    assert len(rang) == ROWS - 2


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_jump_that_is_put_right(world: Any, hours: int) -> None:
    """An hour too early or too late for a while, with calls, doubts and requests in flight."""
    clock = Clock()
    trouble(world)

    def step(count: int) -> None:
        if count == 10:
            clock.set(hours * HOUR)
            asyncio.get_running_loop().call_later(PUT_RIGHT_AFTER, clock.set, timedelta(0))

    run = await campaign(world, clock, step)
    assert run.finish.ending is Ending.DONE
    judge_ends(world)
    await world.judge(ROWS)
    await nobody_rings_again(world, clock)


async def test_small_steps(world: Any) -> None:
    """A clock that is put right by and by, forward and back, as network time does it."""
    clock, dice = Clock(), random.Random(5)
    trouble(world)
    run = await campaign(
        world, clock, lambda _: clock.set(timedelta(seconds=dice.uniform(-0.4, 0.4)))
    )
    assert run.finish.ending is Ending.DONE
    judge_ends(world)
    await world.judge(ROWS)
    await nobody_rings_again(world, clock)
