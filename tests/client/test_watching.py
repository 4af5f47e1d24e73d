"""Waiting for calls to end: one poller for all, over real sockets, judged by the fake's counts."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from hamsa_async import (
    FINAL_STATUSES,
    AuthenticationError,
    CallUpdate,
    ConfigurationError,
    Conversation,
    HamsaClient,
    HamsaError,
    NotEndedError,
    NotFoundError,
    NotSentError,
    ServerError,
)
from hamsa_async import _following as following
from hamsa_async._following import Patience
from hamsa_async.resources import watching
from hamsa_async.testing import FAKE_AGENT_ID, FakeHamsa
from hamsa_async.testing.minimal_list import Query

LIST = "GET /v1/voice-agents/conversations/minimal-list"
DETAIL = "GET /v1/voice-agents/conversation/{conversationId}"
NUMBER = "+971500000123"
NOBODY = "00000000-0000-4000-8000-000000000000"
HANGS = 60.0

QUICK = Patience(
    sweep_first=0.01,
    sweep_most=0.02,
    per_page=0.0,
    unseen=0.02,
    unseen_most=0.05,
    outcome=(0.01, 0.01),
)
ONE_SWEEP = Patience(sweep_first=1000.0, sweep_most=1000.0, unseen=1000.0, unseen_most=1000.0)


class Clock:
    """The fake's clock: it moves when told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fake(clock: Clock) -> AsyncIterator[FakeHamsa]:
    """Calls end when a test says so, all as COMPLETED."""
    async with FakeHamsa(clock=clock, call_seconds=(30, 30), outcomes={"COMPLETED": 1}) as fake:
        yield fake


@pytest.fixture
async def client(fake: FakeHamsa, connect: Callable[..., Awaitable[HamsaClient]]) -> HamsaClient:
    client = await connect(fake)
    client._poller.patience = QUICK
    return client


async def placed(client: HamsaClient, number: str = NUMBER, **options: Any) -> str:
    call = await client.voice_agents.call(to_number=number, voice_agent_id=FAKE_AGENT_ID, **options)
    return call.id


async def placed_many(client: HamsaClient, count: int) -> list[str]:
    return await asyncio.gather(*(placed(client, f"+97150{at:07}") for at in range(count)))


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(HANGS):
        while not what():
            await asyncio.sleep(0.001)


async def soon(waiting: Awaitable[Conversation]) -> Conversation:
    async with asyncio.timeout(HANGS):
        return await waiting


async def all_of(client: HamsaClient, ids: Any, **options: Any) -> list[CallUpdate]:
    async with asyncio.timeout(HANGS), client.conversations.watch(ids, **options) as updates:
        return [update async for update in updates]


# -- wait


async def test_wait(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """It follows the list, and reads the call in full once, when it has ended."""
    call_id = await placed(client, params={"name": "Sara"})
    waiting = asyncio.create_task(client.conversations.wait(call_id))
    await until(lambda: fake.requests[LIST] >= 3)
    clock.step(10)
    await until(lambda: fake.requests[LIST] >= 6)
    assert fake.requests[DETAIL] == 0
    clock.step(30)
    conversation = await soon(waiting)
    assert conversation.id == call_id
    assert conversation.status == "COMPLETED"
    assert conversation.outcome == {"confirmed": True, "name": "Sara"}
    assert conversation.transcript
    assert fake.requests[DETAIL] == 1


@pytest.mark.parametrize("status", sorted(FINAL_STATUSES))
@pytest.mark.parametrize("write", [str, str.lower])
async def test_every_end_is_one(
    client: HamsaClient, fake: FakeHamsa, status: str, write: Callable[[str], str]
) -> None:
    """`FAILED` and `NO_ANSWER` included, however they are written."""
    fake.scripts = {NUMBER: [(0, write(status))]}
    conversation = await client.conversations.wait(await placed(client), timeout=HANGS)
    assert conversation.status == status
    assert conversation.has_ended


async def test_an_unknown_status_is_no_end(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """It is waited through."""
    fake.scripts = {NUMBER: [(0, "PENDING"), (1, "VOICEMAIL"), (2, "COMPLETED")]}
    call_id = await placed(client)
    seen = []
    async with asyncio.timeout(HANGS), client.conversations.watch([call_id]) as updates:
        async for update in updates:
            seen.append(update.status)
            clock.step(1)
    assert list(dict.fromkeys(seen)) == ["PENDING", "VOICEMAIL", "COMPLETED"]


async def test_a_hundred_waits_share_one_sweep(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """Live calls cost one request for all of them, ended ones one each besides."""
    client._poller.patience = ONE_SWEEP
    ids = await placed_many(client, 100)
    live = [asyncio.create_task(client.conversations.wait(each)) for each in ids]
    await until(lambda: sum(bool(call.status) for call in client._poller._calls.values()) == 100)
    assert (fake.requests[LIST], fake.requests[DETAIL]) == (1, 0)
    for task in live:
        task.cancel()
    await asyncio.gather(*live, return_exceptions=True)
    clock.step(30)
    async with asyncio.timeout(HANGS):
        ended = await asyncio.gather(*(client.conversations.wait(each) for each in ids))
    assert [conversation.id for conversation in ended] == ids
    assert (fake.requests[LIST], fake.requests[DETAIL]) == (2, 100)


async def test_new_waits_do_not_hurry_the_sweeps(client: HamsaClient, fake: FakeHamsa) -> None:
    """A pause that is for the API's sake holds for those who come meanwhile, too."""
    client._poller.patience = attrs.evolve(QUICK, per_page=1000.0, unseen=1000.0, unseen_most=1000)
    ids = await placed_many(client, 20)
    waiting = [asyncio.create_task(client.conversations.wait(ids.pop()))]
    await until(lambda: any(call.status for call in client._poller._calls.values()))
    for each in ids:
        waiting.append(asyncio.create_task(client.conversations.wait(each)))
        await asyncio.sleep(0.005)
    assert fake.requests[LIST] == 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_copies_of_a_client_share_its_poller(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """Waits of all of them cost one sweep, and closing a copy ends none."""
    client._poller.patience = ONE_SWEEP
    ids = await placed_many(client, 10)
    clock.step(30)
    copies = [client.with_options(headers={"X-Copy": str(at)}) for at in range(10)]
    waits = [copy.conversations.wait(each) for copy, each in zip(copies, ids, strict=True)]
    async with asyncio.timeout(HANGS):
        ended = asyncio.gather(*waits)
        for copy in copies:
            await copy.aclose()
        assert all(conversation.has_ended for conversation in await ended)
    assert (fake.requests[LIST], fake.requests[DETAIL]) == (1, 10)


async def test_more_calls_than_a_page_has_rows(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """200 a request."""
    client._poller.patience = ONE_SWEEP
    ids = await placed_many(client, 250)
    clock.step(30)
    updates = await all_of(client, ids)
    assert sorted(update.id for update in updates if update.is_last) == sorted(ids)
    assert (fake.requests[LIST], fake.requests[DETAIL]) == (2, 250)


async def test_two_waits_for_one_call(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """One runs out of time, the other goes on, and the call is read once."""
    call_id = await placed(client)
    patient = asyncio.create_task(client.conversations.wait(call_id))
    with pytest.raises(NotEndedError):
        await client.conversations.wait(call_id, timeout=0.05)
    clock.step(30)
    assert (await soon(patient)).has_ended
    assert fake.requests[DETAIL] == 1


# -- time runs out


async def test_timeout(client: HamsaClient, clock: Clock) -> None:
    """The error has the call and the last status, and says that the call may go on."""
    call_id = await placed(client)
    clock.step(10)
    with pytest.raises(NotEndedError, match=r"IN_PROGRESS, and it may go on") as caught:
        await client.conversations.wait(call_id, timeout=2)
    assert (caught.value.call_id, caught.value.last_status) == (call_id, "IN_PROGRESS")


async def test_default_timeout(
    client: HamsaClient, fake: FakeHamsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the agent's, which is read when most calls have ended."""
    monkeypatch.setattr(following, "_AFTER_LONGEST", 0.1)
    client._poller.patience = Patience(sweep_first=1000, sweep_most=1000, agent=0.1)
    fake.agents = {FAKE_AGENT_ID: {"maxCallDuration": 0.2}}
    call_id = await placed(client)
    async with asyncio.timeout(HANGS):
        with pytest.raises(NotEndedError, match=r"within 0\.3 s"):
            await client.conversations.wait(call_id)
    assert fake.requests[DETAIL] == 1


async def test_one_call_tells_of_its_agent(
    client: HamsaClient, fake: FakeHamsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read for each agent, not for each call, also for one that is followed later."""
    monkeypatch.setattr(following, "_AFTER_LONGEST", 0.1)
    client._poller.patience = Patience(sweep_first=0.05, sweep_most=0.05, per_page=0, agent=0.2)
    client._poller._reads_at_once = 1
    fake.agents = {FAKE_AGENT_ID: {"maxCallDuration": 0.3}}
    ids = await placed_many(client, 30)
    updates = await all_of(client, ids)
    errors = [update.error for update in updates if update.is_last]
    assert {type(error) for error in errors} == {NotEndedError}
    assert len(errors) == 30
    assert fake.requests[DETAIL] == 1


async def test_an_ended_call_that_cannot_be_read(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """The error says that it has ended, and why it could not be read."""
    call_id = await placed(client)
    clock.step(30)
    fake.faults.for_number(NUMBER, "status_503", on="read")
    with pytest.raises(NotEndedError, match="ended") as caught:
        await client.conversations.wait(call_id, timeout=3)
    assert caught.value.last_status == "COMPLETED"
    assert isinstance(caught.value.__cause__, ServerError)


@pytest.mark.parametrize("wrong", [0, -1, math.nan, True, "1"])
async def test_what_is_no_timeout(client: HamsaClient, fake: FakeHamsa, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        await client.conversations.wait(NOBODY, timeout=wrong)
    with pytest.raises(ConfigurationError, match="timeout"):
        client.conversations.watch([NOBODY], timeout=wrong)
    assert not fake.requests


# -- what the list does not show


async def test_a_list_that_never_has_it(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """It is read by itself now and then."""
    fake.list_lag = math.inf
    waiting = asyncio.create_task(client.conversations.wait(await placed(client)))
    await until(lambda: fake.requests[DETAIL] >= 2)
    clock.step(30)
    assert (await soon(waiting)).status == "COMPLETED"


async def test_a_list_that_lags(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """Once it shows the call it is enough."""
    fake.list_lag = 5
    waiting = asyncio.create_task(client.conversations.wait(await placed(client)))
    await until(lambda: fake.requests[DETAIL] >= 1)
    clock.step(5)
    lists = fake.requests[LIST]
    await until(lambda: fake.requests[LIST] >= lists + 3)
    details, lists = fake.requests[DETAIL], fake.requests[LIST]
    await until(lambda: fake.requests[LIST] >= lists + 10)
    assert fake.requests[DETAIL] == details
    clock.step(30)
    assert (await soon(waiting)).status == "COMPLETED"


@pytest.mark.parametrize("hours", [0.5, 48])
async def test_a_call_of_a_stranger(
    clock: Clock, connect: Callable[..., Awaitable[HamsaClient]], hours: float
) -> None:
    """One read says when it was placed; from then on the list shows it, if it is not too old."""
    clock.step(-3600 * hours)
    async with FakeHamsa(clock=clock, call_seconds=(1e6, 1e6), outcomes={"FAILED": 1}) as fake:
        client = await connect(fake)
        client._poller.patience = QUICK
        call_id = await placed(client)
        clock.step(3600 * hours)
        waiting = asyncio.create_task(client.conversations.wait(call_id))
        await until(lambda: fake.requests[DETAIL] >= 1)
        if hours < 1:
            lists = fake.requests[LIST]
            await until(lambda: fake.requests[LIST] >= lists + 3)
            details = fake.requests[DETAIL]
            await until(lambda: fake.requests[LIST] >= lists + 13)
            assert fake.requests[DETAIL] == details
        else:
            await until(lambda: fake.requests[DETAIL] >= 2)
            lists = fake.requests[LIST]
            await until(lambda: fake.requests[DETAIL] >= 5)
            assert fake.requests[LIST] <= lists + 1, "the list of two days was drawn in"
        clock.step(1e6)
        assert (await soon(waiting)).status == "FAILED"


async def test_no_status_goes_backwards(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """What was seen to end has ended, whatever is said later."""
    client._poller.patience = Patience(sweep_first=0.01, sweep_most=0.02, outcome=(0.05, 0.05))
    fake.scripts = {NUMBER: [(0, "COMPLETED"), (5, "IN_PROGRESS")]}
    fake.outcome_lag = math.inf
    waiting = asyncio.create_task(client.conversations.wait(await placed(client)))
    await until(lambda: fake.requests[DETAIL] == 1)
    clock.step(5)
    assert (await soon(waiting)).status == "COMPLETED"
    assert fake.requests[DETAIL] == 3


# -- the outcome


async def test_an_outcome_that_lags(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """It is looked for again."""
    client._poller.patience = Patience(sweep_first=0.01, sweep_most=0.02, outcome=(0.01,) * 9_999)
    fake.outcome_lag = 3
    waiting = asyncio.create_task(client.conversations.wait(await placed(client)))
    clock.step(30)
    await until(lambda: fake.requests[DETAIL] >= 3)
    clock.step(3)
    assert (await soon(waiting)).outcome == {"confirmed": True}


async def test_an_outcome_that_never_comes(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """A few looks, then the call is given without."""
    fake.outcome_lag = math.inf
    call_id = await placed(client)
    clock.step(30)
    conversation = await soon(client.conversations.wait(call_id))
    assert (conversation.status, conversation.outcome) == ("COMPLETED", {})
    assert fake.requests[DETAIL] == 1 + len(QUICK.outcome)


async def test_an_outcome_that_is_still_looked_for_as_time_runs_out(
    client: HamsaClient, fake: FakeHamsa, clock: Clock
) -> None:
    """The call has ended: that is no error."""
    client._poller.patience = Patience(outcome=(1000.0,))
    fake.outcome_lag = math.inf
    call_id = await placed(client)
    clock.step(30)
    assert (await client.conversations.wait(call_id, timeout=3)).status == "COMPLETED"


@pytest.mark.parametrize("status", ["NO_ANSWER", "FAILED"])
async def test_where_nobody_spoke_there_is_no_outcome(
    client: HamsaClient, fake: FakeHamsa, clock: Clock, status: str
) -> None:
    """None is waited for."""
    client._poller.patience = Patience(outcome=(1000.0,))
    fake.outcomes = {status: 1}
    call_id = await placed(client)
    clock.step(30)
    async with asyncio.timeout(HANGS):
        assert (await client.conversations.wait(call_id)).status == status
    assert fake.requests[DETAIL] == 1


# -- what goes wrong


async def test_a_failing_sweep_is_tried_again(
    client: HamsaClient, fake: FakeHamsa, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends no wait, and the log says so."""
    call_id = await placed(client)
    fake.faults.next("status_503", count=4, on="read")
    with caplog.at_level(logging.WARNING, "hamsa_async"):
        waiting = asyncio.create_task(client.conversations.wait(call_id))
        await until(lambda: fake.requests[LIST] >= 8)
    clock.step(30)
    assert (await soon(waiting)).status == "COMPLETED"
    assert "sweep_failed" in {getattr(record, "action", None) for record in caplog.records}


async def test_a_list_that_is_broken_for_good(
    client: HamsaClient, fake: FakeHamsa, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are read by themselves then."""
    call_id = await placed(client)
    monkeypatch.setattr(Query, "answer", lambda *_: {"calls": "junk"})
    waiting = asyncio.create_task(client.conversations.wait(call_id))
    await until(lambda: fake.requests[DETAIL] >= 2)
    clock.step(30)
    assert (await soon(waiting)).status == "COMPLETED"


async def test_a_refused_key_ends_all(client: HamsaClient, fake: FakeHamsa) -> None:
    """With the API's refusal."""
    ids = await placed_many(client, 3)
    waits = [asyncio.create_task(client.conversations.wait(each)) for each in ids]
    await until(lambda: fake.requests[LIST] >= 2)
    fake.api_keys = ("another",)
    async with asyncio.timeout(HANGS):
        errors = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in errors} == {AuthenticationError}


async def test_a_call_that_there_is_not(client: HamsaClient, fake: FakeHamsa) -> None:
    """It is asked for more than once: a fresh call may lag."""
    async with asyncio.timeout(HANGS):
        with pytest.raises(NotFoundError):
            await client.conversations.wait(NOBODY)
    assert fake.requests[DETAIL] == QUICK.missing


@pytest.mark.parametrize("listed", [True, False])
async def test_a_detail_that_lags(
    client: HamsaClient, fake: FakeHamsa, clock: Clock, *, listed: bool
) -> None:
    """A call that was just placed is there, even if the API does not know it yet."""
    fake.list_lag = 0 if listed else math.inf
    call_id = await placed(client)
    clock.step(30)
    fake.faults.for_number(NUMBER, "status_404", count=5 if listed else 2, on="read")
    async with asyncio.timeout(HANGS):
        assert (await client.conversations.wait(call_id)).status == "COMPLETED"


async def test_a_defect_of_ours_ends_all(
    client: HamsaClient, fake: FakeHamsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hangs."""

    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(following.Followed, "see", broken)
    async with asyncio.timeout(HANGS):
        with pytest.raises(HamsaError, match="ZeroDivisionError"):
            await client.conversations.wait(await placed(client))
        monkeypatch.undo()
        monkeypatch.setattr(following.Followed, "read", broken)
        fake.list_lag = math.inf
        with pytest.raises(HamsaError, match="ZeroDivisionError"):
            await client.conversations.wait(await placed(client))


@pytest.mark.parametrize("wrong", ["", "../agents", "a b", None, 7])
async def test_what_is_no_id(client: HamsaClient, fake: FakeHamsa, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="id must be"):
        await client.conversations.wait(wrong)
    assert not fake.requests


# -- the end of waiting


async def test_cancelled_waits_leave_nothing(client: HamsaClient, fake: FakeHamsa) -> None:
    """When nobody waits any more there is no task and no request any more."""
    before = asyncio.all_tasks()
    ids = await placed_many(client, 5)
    waits = [asyncio.create_task(client.conversations.wait(each)) for each in ids]
    await until(lambda: fake.requests[LIST] >= 2)
    for task in waits:
        task.cancel()
    for task in waits:
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: asyncio.all_tasks() - before <= server_tasks())
    assert client._poller._task is None
    await asyncio.sleep(0.05)  # a request that was on its way arrives
    asked = fake.requests.total()
    await asyncio.sleep(0.1)
    assert fake.requests.total() == asked


def server_tasks() -> set["asyncio.Task[Any]"]:
    """Those of the fake's connections, which are on this loop too."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())}


async def test_cancelling_the_poller(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """Somebody who cancels all tasks leaves nobody to wait for ever."""
    call_id = await placed(client)
    waiting = asyncio.create_task(client.conversations.wait(call_id))
    await until(lambda: fake.requests[LIST] >= 1)
    client._poller._task.cancel()
    async with asyncio.timeout(HANGS):
        with pytest.raises(NotEndedError, match="from outside"):
            await waiting
    clock.step(30)
    assert (await client.conversations.wait(call_id)).has_ended


async def test_waiting_again(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """The poller ends with its last wait, and begins with the next."""
    for _ in range(3):
        waiting = asyncio.create_task(client.conversations.wait(await placed(client)))
        await until(lambda: client._poller._task is not None)
        clock.step(30)
        assert (await soon(waiting)).has_ended
        assert client._poller._task is None


async def test_closing_the_client(client: HamsaClient, fake: FakeHamsa) -> None:
    """Whoever waits is told at once; whoever comes later, too."""
    client._poller.patience = ONE_SWEEP
    ids = await placed_many(client, 2)
    wait = asyncio.create_task(client.conversations.wait(ids[0]))
    watch = asyncio.create_task(all_of(client, ids))
    await until(lambda: fake.requests[LIST] >= 1 and len(client._poller._calls) == 2)
    await client.aclose()
    with pytest.raises(NotEndedError, match="closed") as caught:
        await soon(wait)
    assert caught.value.call_id == ids[0]
    assert {
        type(update.error) for update in await asyncio.wait_for(watch, HANGS) if update.is_last
    } == {NotEndedError}
    with pytest.raises(NotSentError):
        await client.conversations.wait(ids[0])


def test_one_client_in_two_loops(connect: Any) -> None:
    """The second is refused before anything is asked."""

    async def wait(client: HamsaClient) -> None:
        with pytest.raises(NotEndedError):
            await client.conversations.wait(NOBODY, timeout=0.05)

    async def again(client: HamsaClient) -> None:
        async with asyncio.timeout(HANGS):
            with pytest.raises(ConfigurationError, match="another event loop"):
                await client.conversations.wait(NOBODY)

    client = HamsaClient("key", base_url="http://127.0.0.1:9")
    asyncio.run(wait(client))
    asyncio.run(again(client))
    asyncio.run(client.aclose())


# -- watch


async def test_watch(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """Each change, then each call in full; it ends when all have ended."""
    ids = await placed_many(client, 20)
    seen: dict[str, list[CallUpdate]] = {each: [] for each in ids}
    async with asyncio.timeout(HANGS), client.conversations.watch(ids) as updates:
        async for update in updates:
            seen[update.id].append(update)
            if all(len(each) == 1 for each in seen.values()):
                clock.step(10)
            if all(len(each) == 2 for each in seen.values()):
                clock.step(30)
    for each in seen.values():
        statuses = list(dict.fromkeys(update.status for update in each))
        assert statuses == ["PENDING", "IN_PROGRESS", "COMPLETED"]
        assert [update.is_last for update in each] == [False] * (len(each) - 1) + [True]
        assert each[-1].conversation is not None
        assert each[-1].conversation.transcript
    assert fake.requests[DETAIL] == 20


async def test_failures_are_values(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """One of time that ran out, one of a stranger and one of no id hide nobody else."""
    fake.scripts = {"+971500000001": [(0, "PENDING")]}
    stuck, fine = await placed(client, "+971500000001"), await placed(client, "+971500000002")
    clock.step(30)
    updates = await all_of(client, [stuck, NOBODY, "no id", fine], timeout=4)
    last = {update.id: update for update in updates if update.is_last}
    assert isinstance(last[stuck].error, NotEndedError)
    assert last[stuck].error.last_status == "PENDING"
    assert isinstance(last[NOBODY].error, NotFoundError)
    assert isinstance(last["no id"].error, ConfigurationError)
    assert last[fine].conversation is not None


async def test_ids_from_a_stream(client: HamsaClient, fake: FakeHamsa, clock: Clock) -> None:
    """Each is watched from when it comes; what is named twice is watched once."""
    ids = await placed_many(client, 3)

    async def stream() -> AsyncIterator[str]:
        for each in ids:
            yield each
            yield each
            await asyncio.sleep(0)
        clock.step(30)

    updates = await all_of(client, stream())
    assert sorted(update.id for update in updates if update.is_last) == sorted(ids)


async def test_a_source_that_fails(client: HamsaClient, clock: Clock) -> None:
    """Its error comes after the calls that it named."""
    call_id = await placed(client)
    clock.step(30)

    def source() -> Iterator[str]:
        yield call_id
        raise KeyError("the list")

    async with asyncio.timeout(HANGS), client.conversations.watch(source()) as updates:
        while not (update := await anext(updates)).is_last:
            pass
        assert update.conversation is not None
        with pytest.raises(KeyError, match="the list"):
            await anext(updates)


async def test_memory_is_bounded(
    client: HamsaClient, fake: FakeHamsa, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are read as others end and are taken."""
    monkeypatch.setattr(watching, "_MOST_AT_ONCE", 5)
    ids = await placed_many(client, 23)
    taken: list[str] = []
    clock.step(30)

    def source() -> Iterator[str]:
        for each in ids:
            taken.append(each)
            yield each

    ended: set[str] = set()
    async with asyncio.timeout(HANGS), client.conversations.watch(source()) as updates:
        async for update in updates:
            if update.is_last:
                ended.add(update.id)
            assert len(taken) <= len(ended) + 5 + 1
            assert len(client._poller._calls) <= 5
    assert ended == set(ids)


async def test_leaving_early(client: HamsaClient, fake: FakeHamsa) -> None:
    """Nothing is asked any more, and no task is left."""
    ids = await placed_many(client, 10)
    before = asyncio.all_tasks()
    async with client.conversations.watch(ids) as updates:
        async for _ in updates:
            break
    await until(lambda: asyncio.all_tasks() - before <= server_tasks())
    assert client._poller._task is None
    await asyncio.sleep(0.05)  # a request that was on its way arrives
    asked = fake.requests.total()
    await asyncio.sleep(0.1)
    assert fake.requests.total() == asked


async def test_no_calls(client: HamsaClient, fake: FakeHamsa) -> None:
    assert await all_of(client, []) == []
    assert not fake.requests


async def test_misuse(client: HamsaClient) -> None:
    with pytest.raises(ConfigurationError, match="for one call there is wait"):
        client.conversations.watch("id")
    watch = client.conversations.watch([])
    with pytest.raises(ConfigurationError, match="enter the watch"):
        await anext(watch)
    async with watch:
        pass
    with pytest.raises(ConfigurationError, match="entered once"):
        async with watch:
            pass
