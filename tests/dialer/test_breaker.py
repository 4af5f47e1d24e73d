"""A run that goes badly stops before it has used up its list."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.dialer.breaker import CUT_OFF_WITHIN, FEWEST, SHARES, WINDOW, Breaker, Sign
from hamsa_async.dialer.machine import AttemptState

HUNG = 60.0
TALK = 60.0

_SETTLED = {Sign.REFUSED: AttemptState.REFUSED, Sign.UNKNOWN: AttemptState.UNKNOWN}
_ENDED = {Sign.FAILED: ("failed", 0.0), Sign.CUT_OFF: ("completed", CUT_OFF_WITHIN)}


def _see(breaker: Breaker, sign: Sign, attempt: str, *, bad: bool, again: bool = False) -> None:
    state = _SETTLED.get(sign, AttemptState.PLACED) if bad else AttemptState.PLACED
    breaker.settled(attempt, state, again=again)
    if state is AttemptState.PLACED:
        breaker.ended(attempt, *(_ENDED[sign] if bad and sign in _ENDED else ("completed", TALK)))


def _first_stop(sign: Sign, is_bad: Callable[[int], bool], *, most: int = 1_000) -> int | None:
    """After how many attempts it opens."""
    breaker = Breaker()
    for count in range(most):
        _see(breaker, sign, f"att_{count}", bad=is_bad(count))
        if breaker.reason is not None:
            assert sign in breaker.reason
            return count + 1
    return None


@pytest.mark.parametrize("sign", Sign)
def test_each_sign(sign: Sign) -> None:
    """All bad: it opens at the fewest that are a share, and never sooner. Few bad: never."""
    assert _first_stop(sign, lambda _: True) == FEWEST
    assert _first_stop(sign, lambda count: count % 2 == 0) == FEWEST
    assert _first_stop(sign, lambda count: count % 20 == 0) is None
    assert _first_stop(sign, lambda count: count < FEWEST - 1, most=FEWEST - 1) is None
    # After a long good time no longer than half a window of bad ones.
    assert _first_stop(sign, lambda count: count >= 500) <= 500 + WINDOW // 2


@given(st.lists(st.booleans(), max_size=60), st.sampled_from(Sign))
def test_it_says_the_share(bad: list[bool], sign: Sign) -> None:
    """It opens exactly where the share of the last results is as large as the table says."""
    breaker, expected = Breaker(), False
    for count, each in enumerate(bad):
        _see(breaker, sign, f"att_{count}", bad=each)
        last = bad[max(0, count + 1 - WINDOW) : count + 1]
        expected |= len(last) >= FEWEST and sum(last) >= SHARES[sign] * len(last)
        assert (breaker.reason is not None) == expected


def test_what_does_not_count() -> None:
    """Not a doubt that is settled, nor a request not sent, nor a call tried again or from before.

    Nor a call of which nobody knows how long it lasted.
    """
    breaker = Breaker()
    for count in range(100):
        _see(breaker, Sign.UNKNOWN, f"doubt_{count}", bad=True)
        breaker.found(f"doubt_{count}")
        breaker.settled(f"unsent_{count}", AttemptState.NOT_SENT, again=False)
        _see(breaker, Sign.FAILED, f"again_{count}", bad=True, again=True)
        breaker.ended(f"before_{count}", "failed", 0.0)
        breaker.settled(f"blind_{count}", AttemptState.PLACED, again=False)
        breaker.ended(f"blind_{count}", "completed", None)
    assert breaker.reason is None


async def test_an_api_that_refuses_everybody(world: Any) -> None:
    """It uses up a few contacts; the others stay pending, and are called when it is mended."""
    world.fake.faults.at_rate("status_400", 1.0)
    run, _ = await world.run(world.rows(100), breaker=True, concurrency=3)
    assert run.finish.ending is Ending.HALTED
    assert run.finish.reason == "breaker: 10 of the last 10 requests were refused"
    refused = run.counts[ContactState.REFUSED]
    assert FEWEST <= refused < FEWEST + 3
    assert run.counts[ContactState.PENDING] == 100 - refused
    assert world.fake.ledger.posts == refused
    async with await SqliteJournal.open(world.path) as journal:
        (record,) = await journal.campaigns()
        last = await journal.last_run(record.id)
    assert (last.ending, last.reason) == (run.finish.ending, run.finish.reason)
    # The window begins anew: what was is not held against the next run.
    world.fake.faults.clear()
    run, _ = await world.run(breaker=True)
    assert run.counts == {ContactState.PLACED: 100 - refused, ContactState.REFUSED: refused}
    await world.judge(100)


async def test_where_somebody_looks_it_pauses(world: Any) -> None:
    """Nobody more is dialed until the campaign is asked to go on, and then it begins anew."""
    world.fake.faults.at_rate("status_400", 1.0)
    told = []
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        run = dialer.run(
            world.campaign(breaker=True, concurrency=3), world.rows(60), wait=False, ask=True
        )
        async for event in run:
            told.append(event)
            if event.kind is EventKind.PAUSED:
                posts = world.fake.ledger.posts
                await asyncio.sleep(0.2)
                assert world.fake.ledger.posts == posts
                if len([each for each in told if each.kind is EventKind.PAUSED]) == 2:
                    world.fake.faults.clear()
                await dialer.journal.ask(run.loaded.record.id, None)
    reasons = [each.data["reason"] for each in told if each.kind is EventKind.PAUSED]
    assert reasons == ["breaker: 10 of the last 10 requests were refused"] * 2
    assert run.finish.ending is Ending.NOTHING_NOW
    refused = run.counts[ContactState.REFUSED]
    assert 2 * FEWEST <= refused < 2 * (FEWEST + 3)
    assert run.counts == {ContactState.PLACED: 60 - refused, ContactState.REFUSED: refused}
    await world.judge(60)


async def test_doubts(world: Any) -> None:
    """A connection that loses every answer leaves few in doubt."""
    world.fake.faults.at_rate("drop_after", 1.0)
    run, _ = await world.run(world.rows(100), breaker=True, concurrency=3)
    assert run.finish.ending is Ending.HALTED
    assert "not known" in run.finish.reason
    assert FEWEST <= run.counts[ContactState.UNKNOWN] < FEWEST + 3
    await world.judge(100)


@pytest.mark.parametrize("outcome", ["FAILED", "COMPLETED"])
async def test_calls_that_come_to_nothing(world: Any, outcome: str) -> None:
    """Failed calls, and answered ones that end at once, stop a run that waits for their ends."""
    world.calls_end(outcome)
    async with asyncio.timeout(HUNG):
        run, _ = await world.run(world.rows(300), breaker=True, wait=True, live_calls=4, retries=())
    assert run.finish.ending is Ending.HALTED
    assert ("failed" if outcome == "FAILED" else "cut off") in run.finish.reason
    assert run.counts[ContactState.PENDING] > 200
    await world.judge(300)


async def test_half_of_the_calls_failing(world: Any) -> None:
    """Half is too much."""
    world.calls_end("FAILED", "NO_ANSWER")
    async with asyncio.timeout(HUNG):
        run, _ = await world.run(world.rows(300), breaker=True, wait=True, live_calls=4, retries=())
    assert run.finish.ending is Ending.HALTED
    assert run.counts[ContactState.PENDING] > 0
    await world.judge(300)


async def test_a_campaign_as_they_are(world: Any) -> None:
    """Some who do not answer and few failures stop nothing."""
    world.calls_end()
    world.fake.outcomes = {"NO_ANSWER": 0.95, "FAILED": 0.05}
    async with asyncio.timeout(HUNG):
        run, _ = await world.run(world.rows(100), breaker=True, wait=True, retries=())
    assert run.finish.ending is Ending.DONE
    await world.judge(100)


async def test_switched_off(world: Any) -> None:
    """Without it a small experiment may go as badly as it likes."""
    world.fake.faults.at_rate("status_400", 1.0)
    run, _ = await world.run(world.rows(30), breaker=False)
    assert run.finish.ending is Ending.DONE
    assert run.counts == {ContactState.REFUSED: 30}
