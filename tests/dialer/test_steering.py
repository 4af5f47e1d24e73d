"""A run told from outside: pause, go on, stop, and a budget."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.dialer.machine import Asked

HUNG = 60.0


async def ask(world: Any, what: Asked | None) -> None:
    """Ask as another process does: over a journal of its own."""
    async with await SqliteJournal.open(world.path) as journal:
        (record,) = await journal.campaigns()
        await journal.ask(record.id, what)


async def test_paused_means_not_one_more_post(world: Any) -> None:
    """From the moment that the pause is written no intent is, whatever was on its way."""
    posts = None
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=8), world.rows(400), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED and posts is None:
                await ask(world, Asked.PAUSE)
                # Those that were intended by now may still be on their way.
                intended = world.ask("SELECT count(*) FROM attempts")[0][0]
                posts = 0
            if event.kind is EventKind.PAUSED:
                await asyncio.sleep(0.7)
                assert len(world.fake.ledger.rings) <= intended
                posts = len(world.fake.ledger.rings)
                await asyncio.sleep(0.5)
                assert len(world.fake.ledger.rings) == posts
                await ask(world, None)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.counts == {ContactState.PLACED: 400}
    await world.judge(400)


async def test_stopped_from_another_process(world: Any) -> None:
    """A run that is told to stop settles what is at the wire, and is resumable."""
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        run = dialer.run(world.campaign(rate=20.0), world.rows(200))
        async for event in run:
            if event.kind is EventKind.PLACED and event.row == 2:
                await ask(world, Asked.STOP)
    assert run.finish.ending is Ending.INTERRUPTED
    assert "another process" in run.finish.reason
    assert run.counts[ContactState.PENDING] > 100
    again, _ = await world.run()
    assert again.counts == {ContactState.PLACED: 200}
    await world.judge(200)


async def test_stopped_while_it_is_paused(world: Any) -> None:
    """It ends as stopped, and the journal does not say that it went on."""
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        run = dialer.run(world.campaign(rate=20.0), world.rows(200))
        async for event in run:
            if event.kind is EventKind.PLACED and event.row == 2:
                await ask(world, Asked.PAUSE)
            if event.kind is EventKind.PAUSED:
                await ask(world, Asked.STOP)
    assert run.finish.ending is Ending.INTERRUPTED
    kinds = {kind for (kind,) in world.ask("SELECT kind FROM events")}
    assert EventKind.PAUSED in kinds
    assert EventKind.RESUMED not in kinds
    await world.judge(200)


async def test_a_budget_is_for_the_whole_life(world: Any) -> None:
    """So many calls in all, resumes included; those that were refused cost none."""
    world.fake.faults.for_number(world.number(0), "status_400")
    run, _ = await world.run(world.rows(9), max_calls=3, concurrency=4)
    assert run.finish.ending is Ending.HALTED
    assert "max_calls" in run.finish.reason
    assert len(world.fake.ledger.rings) == 3
    run, _ = await world.run(max_calls=3)
    assert len(world.fake.ledger.rings) == 3
    run, _ = await world.run(max_calls=5)
    assert len(world.fake.ledger.rings) == 5
    run, _ = await world.run()
    assert run.counts == {ContactState.PLACED: 8, ContactState.REFUSED: 1}
    await world.judge(9)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True])
def test_a_budget_that_is_none(world: Any, bad: Any) -> None:
    """A budget is a whole number, one or more."""
    from hamsa_async.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="max_calls"):
        world.campaign(max_calls=bad)


async def test_asked_while_the_list_is_read(world: Any) -> None:
    """What is asked of a run that has begun is asked of that run, though it dials nobody yet."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for place, row in enumerate(world.rows(20)):
            if place == 10:
                await ask(world, Asked.STOP)
            yield row

    run, _ = await world.run(rows())
    assert run.finish.ending is Ending.INTERRUPTED
    assert world.fake.ledger.posts == 0
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign())
        await ask(world, Asked.STOP)
        for ending in (Ending.INTERRUPTED, Ending.NOTHING_NOW):  # to run it is to let it go on
            run = dialer.run(loaded, wait=False)
            async for _ in run:
                pass
            assert run.finish.ending is ending
    assert run.counts == {ContactState.PLACED: 20}
