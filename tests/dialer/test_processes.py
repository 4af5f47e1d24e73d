"""Real processes on a real journal, killed at random: SIGKILL asks nobody."""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import Ending

SCRIPT = Path(__file__).with_name("dialing_process.py")
PATIENCE = 60.0

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start(world: Any) -> Any:
    """Start a process that dials; whatever still runs at the end is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def start(
        name: str, *, first: int = 0, count: int, concurrency: int, **settings: Any
    ) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SCRIPT),
            *(world.fake.base_url, str(world.path), name),
            *map(str, (first, count, concurrency)),
            json.dumps(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finish(process: asyncio.subprocess.Process) -> Any:
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def rings(world: Any, count: int, process: asyncio.subprocess.Process) -> None:
    """Wait until so many phones rang, or the process is at its end."""
    async with asyncio.timeout(PATIENCE):
        while len(world.fake.ledger.rings) < count and process.returncode is None:
            await asyncio.sleep(0.002)


@pytest.mark.crash
async def test_killed_again_and_again(world: Any, start: Start) -> None:
    """However often a run is killed nobody rings twice, and each kill leaves little doubt."""
    world.fake.latency = (0.01, 0.03)
    dice, kills, concurrency, contacts = random.Random(7), 0, 20, 400
    while kills < 4:
        process = await start("eid", count=contacts, concurrency=concurrency)
        before = len(world.fake.ledger.rings)
        await rings(world, before + dice.randrange(5, 80), process)
        if process.returncode is not None:
            break
        process.kill()
        await process.wait()
        kills += 1
    ending, _, counts = await finish(await start("eid", count=contacts, concurrency=concurrency))
    assert ending == Ending.NOTHING_NOW
    assert kills == 4
    assert set(counts) <= {"placed", "unknown"}
    assert counts.get("unknown", 0) <= concurrency * kills
    await world.judge(contacts)


@pytest.mark.crash
@pytest.mark.parametrize(
    "budget",
    [
        {"max_calls": 40},
        # In a zone in which it is about noon, whenever this runs.
        {"max_calls_per_day": 40, "budget_zone": f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"},
        # A call of the fake's agent lasts five minutes at the most, and these last ten.
        {"max_cost": "20", "price_per_minute": "0.1"},
    ],
    ids=["calls", "calls a day", "cost"],
)
async def test_a_budget_outlives_kills(world: Any, start: Start, budget: dict[str, Any]) -> None:
    """What a killed process may have spent is spent: no more phones ring than were allowed."""
    world.fake.latency = (0.01, 0.03)
    settings: dict[str, Any] = {"count": 200, "concurrency": 8, "breaker": False, **budget}
    dice = random.Random(5)
    for _ in range(3):
        process = await start("eid", **settings)
        await rings(world, len(world.fake.ledger.rings) + dice.randrange(2, 12), process)
        process.kill()
        await process.wait()
    ending, reason, counts = await finish(await start("eid", **settings))
    assert ending in {Ending.HALTED, Ending.NOTHING_NOW}
    assert next(iter(budget)) in reason
    assert 40 - 3 * 8 <= len(world.fake.ledger.rings) <= 40
    assert counts["placed"] + counts.get("unknown", 0) == 40
    await world.judge(200)


@pytest.mark.crash
async def test_killed_while_loading(world: Any, start: Start) -> None:
    """A process that dies with its list half read leaves a campaign that begins again."""
    for pause in (0.35, 0.5, 0.65):
        process = await start("eid", count=3_000, concurrency=1)
        await asyncio.sleep(pause)
        process.kill()
        await process.wait()
    world.fake.latency = (0.0, 0.0)
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(), world.rows(3_000))
        assert sum(loaded.counts.values()) == 3_000
    await world.judge(3_000)


@pytest.mark.crash
async def test_four_campaigns_on_one_journal(world: Any, start: Start) -> None:
    """Over lists that overlap each number is called by one campaign and deferred by the others."""
    world.fake.latency = (0.005, 0.02)
    dice, size, step = random.Random(3), 120, 40
    names = [(f"list-{place}", place * step) for place in range(4)]
    for _ in range(2):
        running = [
            await start(name, first=first, count=size, concurrency=8) for name, first in names
        ]
        await rings(world, len(world.fake.ledger.rings) + 60, running[0])
        for process in dice.sample(running, 3):
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.communicate() for process in running))
    ends = await asyncio.gather(
        *[
            finish(await start(name, first=first, count=size, concurrency=8))
            for name, first in names
        ]
    )
    for ending, reason, counts in ends:
        held = "deferred" in counts  # by whoever was first
        assert ending == Ending.NOTHING_NOW
        assert reason in ({"number_open", "min_gap"} if held else {"calls_open"})
        assert set(counts) <= {"placed", "unknown", "deferred"}
    await world.judge(4 * size)
    called = world.ask(
        "SELECT phone_number, sum(state IN ('placed', 'unknown')), sum(state = 'deferred'),"
        " count(*) FROM contacts GROUP BY phone_number"
    )
    assert len(called) == size + 3 * step
    assert {placed for _, placed, _, _ in called} == {1}
    assert all(placed + deferred == every for _, placed, deferred, every in called)


async def test_processes_share_the_lock_fairly(world: Any, start: Start) -> None:
    """While one process writes as fast as it can another still gets its turns."""
    busy = await start("busy", count=1_500, concurrency=100)
    await rings(world, 50, busy)
    ending, _, counts = await finish(await start("small", first=5_000, count=20, concurrency=2))
    assert ending == Ending.NOTHING_NOW
    assert counts == {"placed": 20}
    await finish(busy)
    await world.judge(1_520)


async def test_a_campaign_that_another_process_runs(world: Any, start: Start) -> None:
    """A second process is kept out, and is told which process has it."""
    world.fake.latency = (0.05, 0.05)
    process = await start("eid", count=200, concurrency=1)
    await rings(world, 3, process)
    second = await start("eid", count=200, concurrency=1)
    _, err = await second.communicate()
    assert f"is being run by process {process.pid} on" in err.decode()
    assert second.returncode == 1
    process.kill()
    await process.wait()
    world.fake.latency = (0.0, 0.0)
    ending, _, counts = await finish(await start("eid", count=200, concurrency=1))
    assert ending == Ending.NOTHING_NOW
    assert counts.get("unknown", 0) <= 1
    await world.judge(200)


async def test_many_processes_make_one_journal(world: Any, start: Start) -> None:
    """Processes that begin together on a journal that is not there yet all find one."""
    ends = await asyncio.gather(
        *[
            finish(await start(f"list-{place}", first=10 * place, count=10, concurrency=2))
            for place in range(6)
        ]
    )
    assert {ending for ending, _, _ in ends} == {Ending.NOTHING_NOW}
    await world.judge(60)
