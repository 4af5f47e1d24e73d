"""What each way of going wrong does to an attempt, its contact and the campaign."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.config import RetryPolicy, Timeouts
from hamsa_async.dialer import ContactState, Ending, EventKind
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

LOST = [
    ("drop_before", {}),
    ("drop_after", {}),
    ("reset_before", {}),
    ("reset_after", {}),
    ("cut", {}),
    ("junk", {}),
    ("empty", {}),
    ("no_id", {}),
    ("not_http", {}),
    ("html_502", {}),
    ("success_false", {}),
    ("hang", {}),
    *((f"status_{status}", {}) for status in (405, 408, 409, 418, 425, 500, 502, 503, 504, 524)),
]


@pytest.mark.parametrize(("fault", "options"), LOST, ids=[name for name, _ in LOST])
async def test_doubt_is_kept(world: Any, fault: str, options: dict[str, Any]) -> None:
    """Whatever proves nothing makes one POST and an unknown contact; the others are called."""
    world.fake.faults.for_number(world.number(1), fault, **options)
    async with HamsaClient(
        FAKE_API_KEY, base_url=world.fake.base_url, timeouts=Timeouts(response=0.3)
    ) as client:
        run, events = await world.run(world.rows(4), client=client, concurrency=1)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.counts == {ContactState.PLACED: 3, ContactState.UNKNOWN: 1}
    assert world.ask("SELECT state, reason IS NULL FROM attempts WHERE state <> 'placed'") == [
        ("unknown", False)
    ]
    assert [event.row for event in events if event.kind is EventKind.LOST] == [2]
    assert [post.phone_number for post in world.fake.ledger.post_log].count(world.number(1)) == 1
    await world.judge(4)
    # Not the next day either: only evidence settles doubt.
    run, _ = await world.run()
    assert world.fake.ledger.posts == 4


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_a_refused_contact_stays_refused(world: Any, status: int) -> None:
    """What the API does not accept of one contact ends that contact, and no other."""
    world.fake.faults.for_number(world.number(1), f"status_{status}")
    run, _ = await world.run(world.rows(4))
    assert run.counts == {ContactState.PLACED: 3, ContactState.REFUSED: 1}
    assert world.ask("SELECT state, attempts FROM contacts WHERE state = 'refused'") == [
        ("refused", 1)
    ]
    assert world.ask("SELECT status FROM attempts WHERE state = 'refused'") == [(status,)]
    await world.judge(4)


HALTS = [
    ("status_401", {}),
    ("status_402", {}),
    ("status_403", {}),
    ("status_404", {}),
    *(("redirect", {"status": status}) for status in (301, 307, 308)),
]


@pytest.mark.parametrize(("fault", "options"), HALTS)
async def test_what_would_refuse_everybody_halts(
    world: Any, fault: str, options: dict[str, Any]
) -> None:
    """The campaign stops at once, and nobody is burned: they are called when it is mended."""
    world.fake.latency = (0.005, 0.005)
    world.fake.faults.at_rate(fault, 1.0, **options)
    run, _ = await world.run(world.rows(40), concurrency=3)
    assert run.finish.ending is Ending.HALTED
    assert run.finish.reason
    assert world.fake.ledger.posts <= 3
    assert run.counts == {ContactState.PENDING: 40}
    assert world.ask("SELECT DISTINCT attempts FROM contacts") == [(0,)]
    await world.judge(40)
    world.fake.faults.clear()
    run, _ = await world.run()
    assert run.counts == {ContactState.PLACED: 40}
    await world.judge(40)


@pytest.mark.parametrize("status", [302, 303])
async def test_a_redirect_that_may_have_rung(world: Any, status: int) -> None:
    """After a redirect to look elsewhere it may have rung: unknown, and the campaign halts."""
    world.fake.faults.for_number(world.number(0), "redirect", status=status, rings=True)
    run, _ = await world.run(world.rows(5), concurrency=1)
    assert run.finish.ending is Ending.HALTED
    assert run.counts == {ContactState.PENDING: 4, ContactState.UNKNOWN: 1}
    await world.judge(5)


async def test_an_agent_of_a_row_that_is_missing(world: Any) -> None:
    """A row that names an agent that is not there is refused; the campaign goes on."""
    rows = world.rows(6)
    rows[2]["agent_id"] = "nobody"
    run, _ = await world.run(rows)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.counts == {ContactState.PLACED: 5, ContactState.REFUSED: 1}
    await world.judge(6)


async def test_an_agent_that_goes_missing_halts(world: Any) -> None:
    """The campaign's agent, deleted in mid-campaign, stops it."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=1), world.rows(9), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED and event.row == 3:
                del world.fake.agents[FAKE_AGENT_ID]
    assert run.finish.ending is Ending.HALTED
    assert run.counts[ContactState.PENDING] > 0
    assert ContactState.REFUSED not in run.counts
    await world.judge(9)


async def test_a_429_returns_the_contact(world: Any) -> None:
    """Whoever met a 429 is called later, and no attempt of theirs is burned."""
    world.fake.faults.next("rate_limited", count=2, retry_after="0.05")
    run, events = await world.run(world.rows(4), concurrency=2)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.counts == {ContactState.PLACED: 4}
    assert [event.kind for event in events].count(EventKind.RETURNED) == 2
    assert world.ask("SELECT DISTINCT attempts FROM contacts") == [(1,)]
    assert world.ask("SELECT count(*) FROM attempts WHERE status = 429") == [(2,)]
    await world.judge(4)


async def test_a_429_that_is_not_trusted(world: Any) -> None:
    """With `dial_on_429=False` a 429 is doubt."""
    world.fake.faults.for_number(world.number(0), "rate_limited", retry_after="0.05")
    async with HamsaClient(
        FAKE_API_KEY, base_url=world.fake.base_url, retry=RetryPolicy(dial_on_429=False)
    ) as client:
        run, _ = await world.run(world.rows(3), client=client)
    assert run.counts == {ContactState.PLACED: 2, ContactState.UNKNOWN: 1}
    await world.judge(3)


async def test_a_server_with_less_room_than_the_campaign(world: Any) -> None:
    """Under a real limit everybody is called in the end, once."""
    world.fake.rate_limit = 150.0
    world.fake.retry_after = "0.02"
    world.fake.reset()
    run, _ = await world.run(world.rows(200), concurrency=20)
    assert run.counts == {ContactState.PLACED: 200}
    await world.judge(200)


async def test_a_storm_of_everything(world: Any) -> None:
    """With every tenth request going wrong in some way nobody rings twice or is lost."""
    for fault in ("drop_before", "drop_after", "cut", "html_502", "status_422", "reset_after"):
        world.fake.faults.at_rate(fault, 0.04)
    run, _ = await world.run(world.rows(300), concurrency=20)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert set(run.counts) == {ContactState.PLACED, ContactState.REFUSED, ContactState.UNKNOWN}
    await world.judge(300)


async def test_a_host_that_is_down_for_a_while(world: Any) -> None:
    """Nothing is lost or burned while the host is down, and only probes are sent."""
    period = timedelta(seconds=0.4)
    tried: list[float] = []

    async with world.dialer(probe_every=period) as dialer:
        run = dialer.run(world.campaign(concurrency=8, rate=100.0), world.rows(60), wait=False)
        kinds: list[EventKind] = []
        up = None
        async for event in run:
            kinds.append(event.kind)
            if event.kind is EventKind.PLACED and event.row == 20:
                await world.fake.pause_listening()
            if event.kind is EventKind.HOST_UNREACHABLE:
                up = asyncio.get_running_loop().call_later(
                    1.0, lambda: asyncio.ensure_future(world.fake.resume_listening())
                )
            if (
                event.kind is EventKind.INTENDED
                and up is not None
                and EventKind.HOST_REACHABLE not in kinds
            ):
                tried.append(event.at.timestamp())
    assert run.finish.ending is Ending.NOTHING_NOW
    assert kinds.count(EventKind.HOST_UNREACHABLE) == kinds.count(EventKind.HOST_REACHABLE) == 1
    assert all(after - before >= 0.35 for before, after in itertools.pairwise(tried))
    assert run.counts[ContactState.PLACED] + run.counts.get(ContactState.UNKNOWN, 0) == 60
    # Those that were in flight when it went down may have rung: one for each worker at most.
    assert run.counts.get(ContactState.UNKNOWN, 0) <= 8
    assert world.ask("SELECT max(attempts) FROM contacts") == [(1,)]
    await world.judge(60)


async def test_a_host_that_was_never_up(world: Any) -> None:
    """A dialer that cannot reach its server says so before it makes anything."""
    await world.fake.pause_listening()
    async with HamsaClient(
        FAKE_API_KEY, base_url=world.fake.base_url, retry=RetryPolicy(attempts=1)
    ) as client:
        with pytest.raises(Exception, match="projects"):
            await world.run(world.rows(2), client=client)
    assert not world.path.exists()
    await world.fake.resume_listening()


async def test_stopping_while_the_host_is_down(world: Any) -> None:
    """A run that waits for a probe stops at once."""
    async with world.dialer(probe_every=timedelta(hours=1)) as dialer:
        campaign = world.campaign(concurrency=3, sweep=False)
        run = dialer.run(campaign, world.rows(60), wait=False)
        async for event in run:
            if event.kind is EventKind.RUN_BEGAN:
                await world.fake.pause_listening()
            if event.kind is EventKind.HOST_UNREACHABLE:
                run.stop()
    assert run.finish.ending is Ending.INTERRUPTED
    await world.fake.resume_listening()
    await world.run()
    assert "pending" not in world.state_counts()
    await world.judge(60)
