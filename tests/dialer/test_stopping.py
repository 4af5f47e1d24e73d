"""Stopping, leaving and cancelling a run at any moment: no task is left, and it resumes."""

import asyncio
import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.config import RetryPolicy
from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.errors import DialerError, JournalError
from hamsa_async.testing import FAKE_API_KEY


async def resume(world: Any, rows: int) -> None:
    """Run it to its end, and judge."""
    run, _ = await world.run()
    assert run.finish.ending is Ending.NOTHING_NOW
    assert set(run.counts) <= {ContactState.PLACED, ContactState.UNKNOWN}
    await world.judge(rows)


async def test_stop_lets_what_is_in_flight_settle(world: Any) -> None:
    """After `stop` nobody more is dialed, everything that was sent has its result."""
    world.fake.latency = (0.02, 0.05)
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=6), world.rows(60), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED:
                run.stop("enough")
                posts = world.fake.ledger.posts
    assert run.finish.ending is Ending.INTERRUPTED
    assert run.finish.reason == "enough"
    assert world.fake.ledger.posts <= posts + 1
    assert set(run.counts) == {ContactState.PLACED, ContactState.PENDING}
    assert world.ask("SELECT ending, reason FROM runs") == [("interrupted", "enough")]
    await resume(world, 60)


async def test_stop_sends_home_who_waits_for_a_turn(world: Any) -> None:
    """A stopped run does not wait for its pace or for a gate, and dials nobody after either."""
    async with asyncio.timeout(20), world.dialer() as dialer:
        run = dialer.run(world.campaign(rate=0.001, concurrency=5), world.rows(20), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED:
                run.stop()
    assert run.counts == {ContactState.PLACED: 1, ContactState.PENDING: 19}

    world.fake.faults.next("rate_limited", retry_after="3600")
    async with asyncio.timeout(20), world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=5), None, wait=False)
        async for event in run:
            if event.kind is EventKind.RETURNED:
                run.stop()
    assert run.finish.ending is Ending.INTERRUPTED
    assert run.counts[ContactState.PENDING] >= 15
    async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as other:
        await world.run(client=other)
    await world.judge(20)


async def test_stop_before_the_first_step(world: Any) -> None:
    """A run that was stopped before it began loads its list, and dials nobody."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), world.rows(5), wait=False)
        run.stop()
        kinds = [event.kind async for event in run]
    assert kinds == [EventKind.LIST_LOADED, EventKind.RUN_BEGAN, EventKind.RUN_ENDED]
    assert run.finish.ending is Ending.INTERRUPTED
    assert world.fake.ledger.posts == 0
    await resume(world, 5)


async def test_leaving_the_loop_early(world: Any) -> None:
    """Breaking out and leaving the dialer stops the run, and settles what is in flight."""
    world.fake.latency = (0.02, 0.05)
    async with world.dialer() as dialer:
        async for event in dialer.run(world.campaign(concurrency=7), world.rows(60), wait=False):
            if event.kind is EventKind.PLACED:
                break
    assert world.state_counts()["dialing"] == world.state_counts()["unknown"] == 0
    assert world.state_counts()["placed"] == len(world.fake.ledger.rings) < 60
    await resume(world, 60)


async def test_a_run_that_is_never_read(world: Any) -> None:
    """A run begins with its first step: without one nothing happens."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), world.rows(5), wait=False)
    assert world.ask("SELECT * FROM campaigns") == []
    assert [event async for event in run] == []


async def test_a_reader_who_lags_behind_holds_up_dials(world: Any) -> None:
    """What nobody has read yet is bounded, however long the list."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=20), world.rows(1_500), wait=False)
        await anext(run)
        for _ in range(200):
            await asyncio.sleep(0.005)
        assert 400 < len(world.fake.ledger.rings) < 600
        read = 1
        async for _ in run:
            read += 1
    assert run.counts == {ContactState.PLACED: 1_500}
    assert read == 3_003
    await world.judge(1_500)


async def test_what_loading_raises_reaches_the_reader(world: Any) -> None:
    """An error in the list is raised by the loop over the run."""

    async def contacts() -> Any:
        yield {"phone_number": world.number(1)}
        raise LookupError("the shop is closed")

    with pytest.raises(LookupError, match="the shop is closed"):
        await world.run(contacts())
    assert world.ask("SELECT * FROM contacts") == []


async def test_leaving_while_a_list_is_read(world: Any) -> None:
    """A list that never ends is left at once, and leaves nothing behind."""
    closed = asyncio.Event()

    async def contacts() -> Any:
        try:
            place = 0
            while True:
                yield {"phone_number": world.number(place)}
                place += 1
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), contacts(), wait=False)
        reading = asyncio.create_task(anext(run))
        await asyncio.sleep(0.1)
        await run.aclose()
        with pytest.raises(StopAsyncIteration):
            await reading
    assert closed.is_set()
    assert world.ask("SELECT * FROM contacts") == []


async def test_a_failure_that_nobody_read_is_logged(world: Any, caplog: Any) -> None:
    """A run that was left and then failed says so in the log."""

    async def refuse(*_: object) -> None:
        raise JournalError("the disk is full")

    async with (
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=journal) as dialer,
    ):
        journal.intend = refuse
        run = dialer.run(world.campaign(), world.rows(30), wait=False)
        await anext(run)
        await asyncio.sleep(0.2)
        with caplog.at_level(logging.ERROR, "hamsa_async"):
            await run.aclose()
    assert "a run that was left had failed: the disk is full" in caplog.text
    assert world.fake.ledger.posts == 0


async def test_grace_is_bounded(world: Any) -> None:
    """A server that hangs does not keep a dialer from being left: what is in flight is unknown."""
    world.fake.faults.at_rate("hang", 1.0)
    async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url, grace_period=0.2) as client:
        async with world.dialer(client) as dialer:
            run = dialer.run(world.campaign(concurrency=3), world.rows(9), wait=False)
            intended = 0
            async for event in run:
                intended += event.kind is EventKind.INTENDED
                if intended == 3:
                    break
            while len(world.fake.ledger.rings) < 3:
                await asyncio.sleep(0.01)
        assert world.state_counts() == {"unknown": 3, "pending": 6}
    reasons = world.ask("SELECT DISTINCT reason FROM attempts")
    assert reasons == [("cancelled",)]
    world.fake.faults.clear()
    await resume(world, 9)


@pytest.mark.parametrize("seed", range(12))
async def test_cancelled_at_any_moment(world: Any, seed: int) -> None:
    """Cancelled once or twice at random, a run leaves no task, no double ring and little doubt."""
    dice = random.Random(seed)
    world.fake.latency = (0.0, 0.01)
    concurrency = dice.choice([1, 4, 16])

    async def work() -> None:
        async with world.dialer() as dialer:
            async for _ in dialer.run(
                world.campaign(concurrency=concurrency), world.rows(150), wait=False
            ):
                pass

    task = asyncio.create_task(work())
    await asyncio.sleep(dice.uniform(0.0, 0.25))
    task.cancel()
    await asyncio.sleep(dice.choice([0.0, 0.001, 0.01]))
    task.cancel()  # a second Ctrl-C: at once
    await asyncio.wait([task])
    if world.path.exists() and world.ask("SELECT 1 FROM sqlite_master WHERE name = 'contacts'"):
        counts = world.state_counts()
        assert counts["dialing"] == 0
        assert counts["unknown"] <= concurrency
    run, _ = await world.run(world.rows(150))
    assert run.finish.ending is Ending.NOTHING_NOW
    await world.judge(150)


async def test_cancelled_while_its_intent_is_written(world: Any) -> None:
    """An intent that was on its way to the disk is taken back: nothing was sent, provably."""
    async with await SqliteJournal.open(world.path) as journal:
        writing = asyncio.Event()
        real = journal.intend

        async def intend(*args: Any) -> Any:
            task = asyncio.ensure_future(real(*args))
            writing.set()
            return await asyncio.shield(task)

        journal.intend = intend
        dialer = world.dialer(journal=journal)
        async with dialer:
            run = dialer.run(world.campaign(concurrency=1), world.rows(3), wait=False)
            reader = asyncio.create_task(_read(run))
            await writing.wait()
            run._task.cancel()
            with pytest.raises(DialerError, match="cancelled"):
                await reader
        assert world.ask("SELECT state, reason FROM attempts") == [("not_sent", "cancelled")]
        assert world.state_counts() == {"pending": 3}
    assert world.fake.ledger.posts == 0
    await resume(world, 3)


async def _read(run: Any, listen: Any = None) -> None:
    async for event in run:
        if listen is not None:
            listen(event)


async def test_a_journal_that_fails_ends_the_run(world: Any) -> None:
    """What cannot be written down is not dialed: the run raises, and no POST follows."""
    world.fake.latency = (0.01, 0.01)
    async with await SqliteJournal.open(world.path) as journal:
        dialer = world.dialer(journal=journal)
        async with dialer:
            run = dialer.run(world.campaign(concurrency=4), world.rows(200), wait=False)

            def fill(event: Any) -> None:
                if event.kind is EventKind.PLACED:
                    journal._writer._connection.execute("PRAGMA max_page_count = 1")

            with pytest.raises(JournalError, match="the disk is full"):
                await _read(run, fill)
            posts = world.fake.ledger.posts
            await asyncio.sleep(0.1)
            assert world.fake.ledger.posts == posts
    assert 0 < posts < 200
    await resume(world, 200)


async def test_a_journal_that_fails_does_not_wait_for_a_gate(world: Any) -> None:
    """A run whose journal failed ends at once, whoever waits at a closed gate."""
    world.fake.faults.next("rate_limited", retry_after="3600")

    async def refuse(*_: object) -> None:
        raise JournalError("it is gone")

    async with (
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=journal) as dialer,
    ):
        journal.settle = refuse
        run = dialer.run(world.campaign(concurrency=4), world.rows(20), wait=False)
        with pytest.raises(JournalError, match="it is gone"):
            async with asyncio.timeout(20):
                await _read(run)
    assert world.fake.ledger.posts <= 4


async def test_waiting_for_a_deferred_contact(world: Any) -> None:
    """A run waits for what is due soon, says until when, and dials it then."""
    due = datetime.now(UTC) + timedelta(seconds=0.4)
    rows = [*world.rows(2), *world.rows(1, start=2, not_before=due.isoformat())]
    world.calls_end()
    run, events = await world.run(rows, wait=True)
    assert run.finish.ending is Ending.DONE
    waiting = [event for event in events if event.kind is EventKind.WAITING]
    assert {event.data["reason"] for event in waiting} == {"not_before", "calls_open"}
    assert world.fake.ledger.rings[-1].phone_number == world.number(2)
    assert world.fake.ledger.rings[-1].at >= due - timedelta(milliseconds=5)
    await world.judge(3)


async def test_not_waiting_for_a_deferred_contact(world: Any) -> None:
    """Without waiting the run ends, and says why and until when."""
    rows = [*world.rows(2), *world.rows(1, start=2, not_before="2099-01-01T00:00:00Z")]
    run, _ = await world.run(rows, wait=False)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.finish.reason == "not_before"
    assert run.finish.next_at.year == 2099


async def test_a_wait_can_be_stopped(world: Any) -> None:
    """A run that waits for tomorrow stops at once when asked."""
    rows = world.rows(1, not_before="2099-01-01T00:00:00Z")
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), rows)
        async for event in run:
            if event.kind is EventKind.WAITING:
                run.stop()
    assert run.finish.ending is Ending.INTERRUPTED


async def test_no_waiting_for_what_only_a_person_settles(world: Any) -> None:
    """Behind a call that is unknown no time helps: also a run that waits ends, and says so."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_after")
    await world.run(world.rows(1), name="first")
    async with asyncio.timeout(20):
        run, events = await world.run(world.rows(3), name="second", wait=True)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.finish.reason == "number_open"
    assert run.finish.next_at is None
    assert run.counts == {ContactState.DONE: 2, ContactState.DEFERRED: 1}
    assert [event.data["reason"] for event in events if event.kind is EventKind.DEFERRED] == [
        "number_open"
    ]
    await world.judge(4)


async def test_a_number_of_another_campaign_waits_its_gap(world: Any) -> None:
    """A number that another campaign called is deferred until an hour later."""
    world.calls_end()
    await world.run(world.rows(2), name="first", wait=True)
    world.fake.call_seconds = (600, 600)
    run, events = await world.run(world.rows(3, start=1), name="second")
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.finish.reason == "min_gap"
    (deferred,) = [event for event in events if event.kind is EventKind.DEFERRED]
    assert deferred.data["until"] == run.finish.next_at.isoformat()
    (rang,) = world.fake.ledger.rings_of(world.number(1))
    gap = run.finish.next_at - rang.at + timedelta(milliseconds=1)  # the journal's unit
    assert timedelta(minutes=60) <= gap <= timedelta(minutes=61)
    # Asked again, it is no news.
    _, events = await world.run(name="second")
    assert [event.kind for event in events] == [EventKind.RUN_BEGAN, EventKind.RUN_ENDED]
    await world.judge(5)


async def test_held_contacts_use_up_no_turn(world: Any) -> None:
    """Contacts that a rule holds, or whose time is over, do not wait for the pace."""
    await world.run(world.rows(200), name="first")
    rows = [*world.rows(200), *world.rows(200, start=200, not_after="2020-01-01T00:00:00Z")]
    run, _ = await world.run([*rows, *world.rows(1, start=400)], name="second", rate=0.01)
    assert run.counts == {
        ContactState.PLACED: 1,
        ContactState.DEFERRED: 200,
        ContactState.EXPIRED: 200,
    }


async def test_a_gap_that_outlasts_a_contact(world: Any) -> None:
    """A contact whose time runs out within the gap is looked at when it does, not later."""
    await world.run(world.rows(1), name="first")
    ends = datetime.now(UTC) + timedelta(seconds=0.5)
    run, _ = await world.run(world.rows(1, not_after=ends.isoformat()), name="second", wait=True)
    assert run.finish.ending is Ending.DONE
    assert run.counts == {ContactState.EXPIRED: 1}


async def test_a_slow_answer_at_the_end_is_waited_for(world: Any) -> None:
    """A run is not over while a contact is in hand that may come back."""
    world.fake.faults.for_number(world.number(0), "slow", seconds=0.3)
    async with HamsaClient(
        FAKE_API_KEY, base_url=world.fake.base_url, retry=RetryPolicy(attempts=1)
    ) as client:
        run, _ = await world.run(world.rows(3), client=client, concurrency=3)
    assert run.counts == {ContactState.PLACED: 3}


async def test_a_worker_dials_on_while_its_result_is_synced(world: Any) -> None:
    """The next call does not wait for the result of the last; whoever reads the run does."""
    synced = asyncio.Event()
    async with (
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=journal) as dialer,
    ):
        settle = journal.settle

        async def late(*given: Any) -> Any:
            event = await settle(*given)
            await synced.wait()
            return event

        journal.settle = late
        run = dialer.run(world.campaign(concurrency=1), world.rows(5), wait=False)
        told: list[EventKind] = []
        reading = asyncio.create_task(_read(run, lambda event: told.append(event.kind)))
        async with asyncio.timeout(20):
            while world.fake.ledger.posts < 5:
                await asyncio.sleep(0.01)
        assert EventKind.PLACED not in told
        synced.set()
        await reading
    assert told.count(EventKind.PLACED) == 5
    await world.judge(5)


async def test_a_result_that_cannot_be_written_ends_the_run(world: Any) -> None:
    """It is raised, also where nothing is left to dial; and nobody is dialed after it."""

    async def refuse(*_: object) -> None:
        raise JournalError("it is gone")

    async with (
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=journal) as dialer,
    ):
        journal.settle = refuse
        for name, rows in (("one", world.rows(1)), ("more", world.rows(9, start=1))):
            posts = world.fake.ledger.posts
            run = dialer.run(world.campaign(name=name, concurrency=1), rows, wait=False)
            with pytest.raises(JournalError, match="it is gone"):
                await _read(run)
            assert world.fake.ledger.posts == posts + 1
