"""A crash at each step of a dial, made to happen between two lines: what the journal is worth."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal


class Crash(BaseException):
    """The process ends here: nothing of ours may handle it."""


class CrashingJournal:
    """A journal whose process dies before or after a certain call of a certain method."""

    def __init__(self, journal: SqliteJournal, method: str, when: str, nth: int) -> None:
        self._journal = journal
        self._method = method
        self._when = when
        self._left = nth
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._journal, name)
        if self.dead and name != "release":

            async def gone(*args: object, **kwargs: object) -> None:
                raise Crash

            return gone
        return self._crashing(real) if name == self._method else real

    def _crashing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        # No coroutine: a write is begun when it is called, and so it is here.
        def call(*args: object, **kwargs: object) -> Any:
            self._left -= 1
            is_the_one = self._left == 0
            if is_the_one and self._when == "before":
                self.dead = True
                raise Crash
            return self._see(real(*args, **kwargs), is_the_one=is_the_one)

        return call

    async def _see(self, write: Awaitable[Any], *, is_the_one: bool) -> Any:
        answer = await write
        if is_the_one or self.dead:
            self.dead = True
            raise Crash
        return answer


async def read(run: Any) -> None:
    async with asyncio.timeout(60):
        async for _ in run:
            pass


async def crash(world: Any, journal: Any, *, concurrency: int = 4) -> None:
    """Run a campaign until its process dies, and see that it did."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # a dead process reports nothing
    dialer = world.dialer(journal=journal)
    await dialer.__aenter__()
    run = dialer.run(world.campaign(concurrency=concurrency), world.rows(20), wait=False)
    with pytest.raises((Crash, asyncio.CancelledError)):
        async for _ in run:
            pass
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "dialer" in repr(task) or "_pull" in repr(task):
            task.cancel()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("nth", [1, 2, 11, 20])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["intend", "settle"])
async def test_a_crash_around_each_write(world: Any, method: str, when: str, nth: int) -> None:
    """After a crash before or after a durable write nobody rings twice, and doubt is bounded."""
    async with await SqliteJournal.open(world.path) as journal:
        await crash(world, CrashingJournal(journal, method, when, nth))
    run, _ = await world.run()
    assert run.finish.ending is Ending.NOTHING_NOW
    assert set(run.counts) <= {ContactState.PLACED, ContactState.UNKNOWN}
    assert run.counts.get(ContactState.UNKNOWN, 0) <= 4
    await world.judge(20)


async def test_a_crash_between_intent_and_request_is_doubt(world: Any) -> None:
    """An intent without a result is unknown, always, even if nothing ever left."""
    async with await SqliteJournal.open(world.path) as journal:
        await crash(world, CrashingJournal(journal, "intend", "after", 1), concurrency=1)
    assert world.fake.ledger.posts == 0
    run, events = await world.run()
    assert run.counts == {ContactState.PLACED: 19, ContactState.UNKNOWN: 1}
    assert ("lost", 1, {"reason": "crashed"}) in [
        (event.kind, event.row, event.data) for event in events
    ]
    assert not world.fake.ledger.rings_of(world.number(0))
    await world.judge(20)


async def test_a_crash_after_the_answer_is_doubt(world: Any) -> None:
    """A call that was placed, and whose result was never written, is found; it rang once."""
    async with await SqliteJournal.open(world.path) as journal:
        await crash(world, CrashingJournal(journal, "settle", "before", 1), concurrency=1)
    run, events = await world.run()
    assert run.counts == {ContactState.PLACED: 20}
    kinds = [event.kind for event in events if event.row == 1]
    assert kinds == [EventKind.LOST, EventKind.FOUND]
    assert len(world.fake.ledger.rings_of(world.number(0))) == 1
    await world.judge(20)


async def test_a_crash_before_the_intent_costs_nothing(world: Any) -> None:
    """What was not intended is pending still."""
    async with await SqliteJournal.open(world.path) as journal:
        await crash(world, CrashingJournal(journal, "intend", "before", 1), concurrency=1)
    run, _ = await world.run()
    assert run.counts == {ContactState.PLACED: 20}
    await world.judge(20)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "method", ["add_campaign", "recover", "stage", "staged", "take_over", "begin_run"]
)
async def test_a_crash_while_loading(world: Any, method: str, when: str) -> None:
    """A crash before the first dial loses nothing: the list is given again, or is there."""
    async with await SqliteJournal.open(world.path) as journal:
        await crash(world, CrashingJournal(journal, method, when, 1))
    assert world.fake.ledger.posts == 0
    run, _ = await world.run(world.rows(20))
    assert run.counts == {ContactState.PLACED: 20}
    await world.judge(20)


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["end_call", "settle_doubt", "note_look", "settle"])
async def test_a_crash_around_what_becomes_of_calls(
    world: Any, method: str, when: str, nth: int
) -> None:
    """After a crash while ends and doubts are written down, the next run settles all of them."""
    world.calls_end()
    for place in (2, 5, 7):
        world.fake.faults.for_number(world.number(place), "drop_after", count=1)
    for place in (3, 9):
        world.fake.faults.for_number(world.number(place), "drop_before", count=1)
    soon = {"look_every": timedelta(seconds=0.05), "settle_every": timedelta(seconds=0.1)}
    settings = {"concurrency": 4, "lag": timedelta(seconds=1)}
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # a dead process reports nothing
    async with await SqliteJournal.open(world.path) as journal:
        crashing = CrashingJournal(journal, method, when, nth)
        dialer = world.dialer(journal=crashing, **soon)
        await dialer.__aenter__()
        run = dialer.run(world.campaign(**settings), world.rows(20))
        with pytest.raises((Crash, asyncio.CancelledError)):
            await read(run)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if "dialer" in repr(task) or "_pull" in repr(task):
                task.cancel()
        await asyncio.sleep(0.05)
    async with world.dialer(**soon) as dialer:
        await read(dialer.run(world.campaign(**settings)))
    rang = {ring.phone_number for ring in world.fake.ledger.rings}
    states = world.states()
    assert set(states.values()) <= {"done", "review"}
    assert {number for number, state in states.items() if state == "done"} == rang
    await world.judge(20)


@pytest.mark.parametrize("method", ["judge_again", "change_settings"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_while_the_rules_change(world: Any, raw: Any, method: str, when: str) -> None:
    """Whoever the old rules skipped is judged by the new ones, wherever the process died."""
    async with world.dialer() as dialer:
        await dialer.load(world.campaign(from_number="+97145550001"), world.rows(1))
    raw.execute("UPDATE contacts SET state = 'skipped', reason = 'no_timezone'")
    changed = world.campaign(from_number="+97145550002")
    async with await SqliteJournal.open(world.path) as journal:
        crashing = CrashingJournal(journal, method, when, 1)
        dialer = world.dialer(journal=crashing)
        await dialer.__aenter__()
        with pytest.raises(Crash):
            await dialer.load(changed, accept_changes=True)
    async with world.dialer() as dialer:
        await read(dialer.run(changed, accept_changes=True, wait=False))
    assert [ring.phone_number for ring in world.fake.ledger.rings] == [world.number(0)]


class FailingApi:
    """A client whose n-th attempt ends in an error that nobody has foreseen."""

    def __init__(self, real: Any, nth: int, *, after: bool) -> None:
        self.config = real.config
        self.projects = real.projects
        self.conversations = real.conversations
        self.voice_agents = self
        self.get = real.voice_agents.get
        self._attempt = real.voice_agents.attempt
        self._left = nth
        self._after = after

    async def attempt(self, *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        is_the_one = self._left == 0
        if is_the_one and not self._after:
            raise ZeroDivisionError
        call = await self._attempt(*args, **kwargs)
        if is_the_one:
            raise ZeroDivisionError
        return call


@pytest.mark.parametrize("after", [False, True])
async def test_a_defect_in_the_client(world: Any, after: bool) -> None:
    """An exception that proves nothing ends the run, leaves doubt only where a request left."""
    with pytest.raises(ZeroDivisionError):
        await world.run(world.rows(9), client=FailingApi(world.hamsa, 3, after=after))
    assert world.state_counts()["unknown"] == int(after)
    assert world.state_counts()["dialing"] == 0
    assert world.ask("SELECT ending, reason FROM runs") == [("interrupted", "ZeroDivisionError")]
    await world.run()
    await world.judge(9)
