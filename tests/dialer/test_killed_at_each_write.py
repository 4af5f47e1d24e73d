"""SIGKILL before and after every durable write, and between write and send, over real processes.

The writes are the protocol's: one that is added there has no moment here, and a test says so.
"""

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import Journal, SqliteJournal
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

SCRIPT = Path(__file__).with_name("crashing_process.py")
OTHER_AGENT = "5d1a0c3e-0f9b-4f0e-8f6a-b5b0f1a6c7d2"
ROWS = 34
SINGLE = 3  # the last of them are called by single calls, and are in no list
APPENDED = ["+971501300001", "+971501300002"]
OF_OTHERS = {"hold", "note_calls", "note_looked", "put", "take_events"}
"""What only is where others dial the same people; or where one who is held keeps a run alive."""

READS = {
    *("campaign", "campaigns", "staged", "without_from_number", "is_claimed", "last_run"),
    *("pending", "due", "next_due", "history", "contact", "called", "open_calls", "waiting_events"),
    *("asked", "looked", "doubts", "bound_calls", "later_calls", "attempts", "owner_of"),
    *("lists", "appended", "asked_reason", "last_pace", "noted_calls"),
    *("calls_made", "counts", "outcomes", "reasons", "rows", "events", "problems"),
}
BESIDE = {
    "claim": "a lock of the system's, which dies with the process",
    "release": "the same",
    "begin_single": "a lock of the system's, too",
    "stage": "beside the journal; `test_crash_points` dies there too",
    "unstage": "the same",
    "back_up": "writes another file",
    "aclose": "writes nothing that was not written",
}
"""What is no write of the journal's, and why."""

# Each write, and at which of its calls to die: what happens once, and what happens to everybody.
WRITES: dict[str, tuple[int, ...]] = {
    "identify": (1,),
    "add_campaign": (1,),
    "change_settings": (1,),
    "take_over": (1,),
    "appending": (1,),
    "recover": (1,),
    "begin_run": (1,),
    "end_run": (1,),
    "hold": (1,),
    "intend": (1, 5),
    "judge_again": (1,),
    "take_back": (1,),
    "settle": (1, 5),
    "intend_single": (1,),
    "end_single": (1,),
    "recover_singles": (1,),
    "note": (1,),
    "end_call": (1, 4),
    "put": (1, 2),
    "take_events": (1,),
    "note_looked": (1,),
    "note_calls": (1,),
    "note_look": (1, 1),
    "settle_doubt": (1,),
    "ask": (1, 2),
    "pause": (1,),
}


def test_every_write_of_the_protocol_has_its_moment() -> None:
    """Whoever adds a method to the protocol says whether it writes, and where it dies."""
    protocol = {name for name in vars(Journal) if inspect.isfunction(vars(Journal)[name])}
    known = READS | BESIDE.keys() | WRITES.keys()
    assert {name for name in protocol if not name.startswith("_")} == known


@pytest.mark.parametrize("name", sorted(READS))
def test_what_is_called_a_read_writes_nothing(name: str) -> None:
    """Only what goes through the one writer is durable."""
    source = inspect.getsource(getattr(SqliteJournal, name))
    assert not any(way in source for way in ("_writer", "_execute", "_step", "_queue"))


@pytest.fixture(scope="module")
def dying() -> Iterator[Callable[[dict[str, Any]], int]]:
    """Start a process that dies, and give how it ended."""
    with subprocess.Popen(
        [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forks:

        def die(how: dict[str, Any]) -> int:
            assert forks.stdin is not None
            assert forks.stdout is not None
            forks.stdin.write(json.dumps(how) + "\n")
            forks.stdin.flush()
            return int(forks.stdout.readline())

        yield die
        forks.kill()


async def trouble(world: Any, *, others: bool) -> None:
    """Calls that end, answers that get lost, and maybe others who dial the same people."""
    world.fake.call_seconds = (0.05, 0.3)
    world.fake.outcomes = {"COMPLETED": 1.0}
    for place in (2, 6, 10):
        world.fake.faults.for_number(world.number(place), "drop_after", count=1)
    for place in (4, 8):
        world.fake.faults.for_number(world.number(place), "drop_before", count=1)
    if not others:
        return
    world.fake.agents[OTHER_AGENT] = {}
    async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as other:
        for place, agent in ((12, FAKE_AGENT_ID), (13, OTHER_AGENT)):
            await other.voice_agents.call(to_number=world.number(place), voice_agent_id=agent)


async def recover(world: Any, rows: Any, *, others: bool) -> None:
    """Run it again until evidence settles nothing more."""
    soon = timedelta(seconds=0.05)
    for _ in range(20):
        async with world.dialer(look_every=soon, settle_every=soon) as dialer:
            settings = {"retries": (), "lag": timedelta(0), "sweep": others}
            run = dialer.run(world.campaign(**settings), rows, wait=False, accept_changes=True)
            async for _event in run:
                pass
        if not run.counts.keys() & {"placed", "unknown"}:
            return
    raise AssertionError(f"it is never over: {run.counts}")


async def judge(world: Any, rows: int, *, others: bool) -> None:
    """Nobody rang twice, all rows are accounted for, and nothing is left that could be settled."""
    assert not world.fake.ledger.rung_twice()
    assert await world.problems() == []
    states = dict(
        world.ask(
            "SELECT phone_number, c.state FROM contacts AS c JOIN campaigns AS p"
            " ON p.id = c.campaign WHERE p.name = 'eid'"
        )
    )
    rang = {ring.phone_number for ring in world.fake.ledger.rings}
    held = {world.number(13)} if others else set()
    singles = {world.number(place) for place in range(ROWS - SINGLE, ROWS)}
    assert len(states) == rows
    assert all(states.pop(number) == "deferred" for number in held)
    assert set(states.values()) <= {"done", "review"}
    done = {number for number, state in states.items() if state == "done"}
    assert done == rang - singles - held


@pytest.mark.crash
@pytest.mark.parametrize("method", WRITES)
async def test_killed_around(world: Any, dying: Any, method: str) -> None:
    """A process that dies there, and others that die there again, ring nobody twice."""
    moments = [(when, nth) for when in ("before", "after") for nth in WRITES[method]]
    await killed(world, dying, method, moments)


@pytest.mark.crash
async def test_killed_around_the_request(world: Any, dying: Any) -> None:
    """Before a request, between its intent and its first byte, and when its answer is there."""
    moments = [(when, nth) for nth in (1, 3) for when in ("before", "at the door", "after")]
    await killed(world, dying, "attempt", moments)


async def killed(world: Any, dying: Any, method: str, moments: list[tuple[str, int]]) -> None:
    """Let a process live until each of these moments; then recover, and judge."""
    # Elsewhere the server's list is not read before dialing: it would hide what was forgotten.
    others = method in OF_OTHERS
    await trouble(world, others=others)
    for when, nth in moments:
        how = {
            "url": world.fake.base_url,
            "path": str(world.path),
            "numbers": [world.number(place) for place in range(ROWS)],
            "appended": APPENDED if method == "appending" else [],
            "single": SINGLE,
            "sweep": others,
            "method": method,
            "when": when,
            "nth": nth,
        }
        assert await asyncio.to_thread(dying, how) == -9, f"{when} {nth}: that moment never was"
        assert not world.fake.ledger.rung_twice()
    await recover(world, world.rows(ROWS - SINGLE), others=others)
    rows = ROWS - SINGLE + (len(APPENDED) if method == "appending" else 0)
    await judge(world, rows, others=others)
