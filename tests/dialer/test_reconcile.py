"""Doubt and what settles it: nobody rings twice for a belief that nothing supports."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.config import Timeouts
from hamsa_async.dialer import ContactState, Ending, EventKind
from hamsa_async.dialer.verify import verify
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

HUNG = 60.0  # seconds; nothing here takes that long
SOON = timedelta(seconds=0.2)
LAG = timedelta(seconds=1)


async def run(
    world: Any, contacts: Any = None, *, wait: bool = True, **settings: Any
) -> tuple[Any, list[Any]]:
    """Run a campaign that looks into its doubts all the time."""
    settings = {"lag": LAG, **settings}
    async with asyncio.timeout(HUNG), world.dialer(settle_every=SOON) as dialer:
        run = dialer.run(world.campaign(**settings), contacts, wait=wait)
        return run, [event async for event in run]


async def read(run: Any) -> None:
    async for _ in run:
        pass


def doubt(world: Any, place: int = 0) -> Any:
    """The state, call id and evidence of the one attempt at a number."""
    import json

    ((state, call_id, evidence),) = world.ask(
        "SELECT state, call_id, evidence FROM attempts WHERE phone_number = ?",
        world.number(place),
    )
    return state, call_id, evidence and json.loads(evidence)


@pytest.mark.parametrize("fault", ["drop_after", "reset_after", "cut", "status_500", "junk"])
async def test_a_call_that_carries_our_reference_is_ours(world: Any, fault: str) -> None:
    """A call that rang while its answer was lost is found, and followed to its end."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), fault)
    ended, events = await run(world, world.rows(4), concurrency=1)
    assert ended.finish.ending is Ending.DONE
    assert ended.counts == {ContactState.DONE: 4}
    (found,) = [event for event in events if event.kind is EventKind.FOUND]
    assert found.row == 1
    assert found.data["evidence"] == "reference"
    (ring,) = world.fake.ledger.rings_of(world.number(0))
    assert doubt(world)[:2] == ("ended", ring.call_id)
    await world.judge(4)


async def test_doubts_of_a_run_before_are_looked_into_first(world: Any) -> None:
    """A run that does not wait has at least looked at what was in doubt from before."""
    world.fake.faults.for_number(world.number(1), "drop_after")
    first, _ = await world.run(world.rows(3), concurrency=1)
    assert first.counts == {ContactState.PLACED: 2, ContactState.UNKNOWN: 1}
    again, _ = await world.run()
    assert again.counts == {ContactState.PLACED: 3}
    await world.judge(3)


async def test_what_was_not_seen_is_for_review(world: Any) -> None:
    """At most once, absence is believed by a person only: the evidence is there to be read."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before")
    ended, events = await run(world, world.rows(4), concurrency=1)
    assert ended.finish.ending is Ending.DONE
    assert ended.counts == {ContactState.DONE: 3, ContactState.REVIEW: 1}
    state, call_id, evidence = doubt(world)
    assert (state, call_id, evidence["kind"]) == ("review", None, "not_seen")
    assert "no proof" in evidence["text"]
    assert world.number(0) not in str(evidence)
    assert [event.row for event in events if event.kind is EventKind.REVIEWED] == [1]
    assert not world.fake.ledger.rings_of(world.number(0))
    await world.judge(4)


async def test_reconciled_calls_again_who_was_not_seen(world: Any) -> None:
    """Where absence is believed the contact is called again, after the minimum gap."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before", count=1)
    events = []
    async with asyncio.timeout(HUNG), world.dialer(settle_every=SOON) as dialer:
        ended = dialer.run(
            world.campaign(lag=LAG, concurrency=1, delivery="reconciled"), world.rows(4)
        )
        async for event in ended:
            events.append(event)
            if event.kind is EventKind.WAITING and event.data["reason"] == "min_gap":
                ended.stop()
    assert [event.row for event in events if event.kind is EventKind.ABSENT] == [1]
    assert doubt(world)[0] == "absent"
    later = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    world.fake.clock = lambda: later
    async with world.dialer(clock=lambda: later) as dialer:
        ended = dialer.run(world.campaign(delivery="reconciled"))
        async for _ in ended:
            pass
    assert ended.counts == {ContactState.DONE: 4}
    assert len(world.fake.ledger.rings) == 4
    await world.judge(4)


async def test_without_a_later_call_nothing_is_believed(world: Any) -> None:
    """A list that shows no later call of ours may be late: that is for a person to say."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before")
    ended, _ = await run(world, world.rows(1), delivery="reconciled")
    assert ended.counts == {ContactState.REVIEW: 1}
    assert doubt(world)[2]["kind"] == "no_control"
    await world.judge(1)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_server_whose_clock_is_off_by_an_hour(world: Any, hours: int) -> None:
    """What is found and what is not seen does not depend on whose clock is right."""
    world.fake.clock = lambda: datetime.now(UTC) + timedelta(hours=hours)
    world.fake._clock._latest = world.fake.clock()  # or it would stand still for an hour
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_after")
    world.fake.faults.for_number(world.number(1), "drop_before")
    ended, _ = await run(world, world.rows(5), concurrency=1)
    assert ended.counts == {ContactState.DONE: 4, ContactState.REVIEW: 1}
    assert doubt(world, 1)[2]["kind"] == "not_seen"
    await world.judge(5)


@pytest.mark.parametrize("delivery", ["at_most_once", "reconciled"])
async def test_a_row_without_a_number_may_be_anybodys(world: Any, delivery: str) -> None:
    """While the list hides whom one call was to, no absence is believed, and nobody rings twice."""
    world.calls_end()
    world.fake.null_numbers = {world.number(2)}
    world.fake.faults.for_number(world.number(0), "drop_after")
    world.fake.faults.for_number(world.number(1), "drop_before")
    world.fake.faults.for_number(world.number(2), "drop_after")
    ended, _ = await run(world, world.rows(6), concurrency=1, delivery=delivery)
    assert ended.counts == {ContactState.DONE: 4, ContactState.REVIEW: 2}
    # Its own row is the one that hides its number: not even its reference is read.
    assert doubt(world, 2)[2]["kind"] == doubt(world, 1)[2]["kind"] == "unreadable_number"
    assert doubt(world, 0)[0] == "ended"
    await world.judge(6)


@pytest.mark.parametrize("carried", [True, False])
async def test_a_call_by_an_agent_described_on_the_spot(world: Any, carried: bool) -> None:
    """No agent's id is in its row: it is looked for among the calls of all agents."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before", count=1)

    async def somebody(body: dict[str, Any]) -> None:
        if body["toNumber"] == world.number(1):
            ((attempt,),) = world.ask(
                "SELECT id FROM attempts WHERE phone_number = ?", world.number(0)
            )
            async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as other:
                await other.voice_agents.call(
                    to_number=world.number(0),
                    agent_details={"greetingMessage": "Hello"},
                    reference=attempt if carried else None,
                )

    world.fake.on_post = somebody
    ended, _ = await run(world, world.rows(4), concurrency=1, delivery="reconciled")
    assert ended.counts == {ContactState.DONE: 4}
    assert doubt(world)[2]["kind"] == ("reference" if carried else "number+time")
    await world.judge(4)


class Crowd:
    """A client in whose list new rows appear while its pages are turned: all others move."""

    def __init__(self, world: Any) -> None:
        self.config = world.hamsa.config
        self.projects = world.hamsa.projects
        self.voice_agents = world.hamsa.voice_agents
        self.conversations = self
        self.get = world.hamsa.conversations.get
        self._list = world.hamsa.conversations.list
        self._call = world.hamsa.voice_agents.call
        self._strangers = itertools.count()

    async def come(self, count: int) -> None:
        """As many strangers are called by somebody else."""
        for _ in range(count):
            number = f"+9665000{next(self._strangers):05d}"
            await self._call(to_number=number, voice_agent_id=FAKE_AGENT_ID)

    def list(self, **query: Any) -> Any:
        crowd, pages = self, self._list(**query)

        class Moving:
            async def page(self, number: int) -> Any:
                await crowd.come(3)
                return await pages.page(number)

            async def __aiter__(self) -> Any:
                number = 1
                while page := await self.page(number):
                    for row in page:
                        yield row
                    number += 1

        return Moving()


@pytest.mark.parametrize("delivery", ["at_most_once", "reconciled"])
async def test_rows_that_move_between_pages(world: Any, delivery: str) -> None:
    """Of more calls than a page holds, new ones all the time, none that rang is overlooked."""
    world.calls_end()
    crowd = Crowd(world)
    for place in (0, 3, 6):
        world.fake.faults.for_number(world.number(place), "drop_after")
    world.fake.faults.for_number(world.number(4), "drop_before", count=1)
    campaign = world.campaign(lag=LAG, concurrency=1, delivery=delivery)
    async with world.dialer() as dialer:  # it looks into nothing by itself
        await read(dialer.run(campaign, world.rows(9), wait=False))
    await crowd.come(210)  # in a list that shows the newest first
    async with asyncio.timeout(HUNG), world.dialer(crowd, settle_every=SOON) as dialer:
        ended = dialer.run(campaign)
        async for event in ended:
            if event.kind is EventKind.WAITING and event.data["reason"] == "min_gap":
                ended.stop()
    assert {doubt(world, place)[0] for place in (0, 3, 6)} == {"ended"}
    assert doubt(world, 4)[0] == {"at_most_once": "review", "reconciled": "absent"}[delivery]
    assert not world.fake.ledger.rung_twice()
    assert await world.problems() == []


@pytest.mark.parametrize(
    ("delivery", "shown", "rings"),
    [
        ("at_most_once", "after the next run", 1),
        ("reconciled", "before the next run", 1),
        ("reconciled", "after the next run", 2),
    ],
)
async def test_a_row_that_appears_after_the_lag(
    world: Any, delivery: str, shown: str, rings: int
) -> None:
    """Only where absence is believed it may ring twice; `verify` finds that the phone had rung."""
    world.calls_end()
    late = world.number(0)
    world.fake.list_lag = {late: float("inf")}
    world.fake.faults.for_number(late, "drop_after", count=1)
    campaign = world.campaign(lag=LAG, concurrency=1, delivery=delivery)
    async with asyncio.timeout(HUNG), world.dialer(settle_every=SOON) as dialer:
        ended = dialer.run(campaign, world.rows(3))
        async for event in ended:
            if event.kind is EventKind.WAITING and event.data["reason"] == "min_gap":
                ended.stop()
    assert doubt(world)[2]["kind"] == "not_seen"
    moment = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    world.fake.clock = lambda: moment
    if shown == "before the next run":
        world.fake.list_lag = 0.0
    async with asyncio.timeout(HUNG), world.dialer(clock=lambda: moment) as dialer:
        ended = dialer.run(campaign, wait=False)
        async for _ in ended:
            pass
        world.fake.list_lag = 0.0
        record = await dialer.journal.campaign("eid")
        proved = await verify(dialer.journal, record, world.hamsa.conversations, rows=3)
    assert len(world.fake.ledger.rings_of(late)) == rings
    # What was found in time is the contact's call; the rest nobody can take back, only tell.
    told = [finding for finding in proved.findings if "that phone rang" in finding]
    assert len(told) == (shown == "after the next run")


async def test_the_only_call_to_the_number_is_weaker_evidence(world: Any) -> None:
    """A call at that time to that number, which carries nothing, is taken for ours, and shown so.

    Whoever placed it: the person's phone rang, and that is what counts.
    """
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before", count=1)

    async def somebody(body: dict[str, Any]) -> None:
        if body["toNumber"] == world.number(1):
            async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as other:
                await other.voice_agents.call(
                    to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID
                )

    world.fake.on_post = somebody
    ended, _ = await run(world, world.rows(3), concurrency=1)
    assert ended.counts == {ContactState.DONE: 3}
    assert doubt(world)[2]["kind"] == "number+time"
    await world.judge(3)


async def test_two_calls_that_may_be_it_are_for_a_person(world: Any) -> None:
    """Of two calls at that time nobody can tell which is ours, or whether one is."""
    world.calls_end()
    world.fake.faults.for_number(world.number(0), "drop_before", count=1)

    async def somebody(body: dict[str, Any]) -> None:
        if body["toNumber"] == world.number(1):
            async with HamsaClient(FAKE_API_KEY, base_url=world.fake.base_url) as other:
                for _ in range(2):
                    await other.voice_agents.call(
                        to_number=world.number(0), voice_agent_id=FAKE_AGENT_ID
                    )

    world.fake.on_post = somebody
    ended, _ = await run(world, world.rows(3), concurrency=1)
    assert ended.counts == {ContactState.DONE: 2, ContactState.REVIEW: 1}
    evidence = doubt(world)[2]
    assert evidence["kind"] == "several"
    assert len(evidence["candidates"]) == 2


async def test_a_list_that_cannot_be_read_settles_nothing(world: Any) -> None:
    """While the list fails, an unknown stays unknown; when it can be read, it is found."""
    world.fake.faults.for_number(world.number(0), "drop_after")
    await world.run(world.rows(1))
    async with world.dialer(settle_every=SOON) as dialer:
        loaded = await dialer.load(world.campaign(sweep=False))
        world.fake.faults.next("status_404", on="read", count=4)
        ended = dialer.run(loaded, wait=False)
        async for _ in ended:
            pass
    assert ended.counts == {ContactState.UNKNOWN: 1}
    world.fake.faults.clear()
    ended, _ = await world.run()
    assert ended.counts == {ContactState.PLACED: 1}


async def test_a_storm_of_doubt_is_settled(world: Any) -> None:
    """Of forty calls whose answers fail in every way, each that rang is found by its reference."""
    world.calls_end()
    for fault in ("drop_after", "reset_after", "cut", "junk", "status_502", "drop_before"):
        world.fake.faults.at_rate(fault, 0.1)
    async with (
        HamsaClient(
            FAKE_API_KEY, base_url=world.fake.base_url, timeouts=Timeouts(response=5)
        ) as client,
        asyncio.timeout(HUNG),
        world.dialer(client, settle_every=SOON) as dialer,
    ):
        ended = dialer.run(world.campaign(lag=LAG, concurrency=8), world.rows(40))
        async for _ in ended:
            pass
    rang = {ring.phone_number for ring in world.fake.ledger.rings}
    states = world.states()
    assert {number for number, state in states.items() if state == "done"} == rang
    assert {state for number, state in states.items() if number not in rang} <= {"review"}
    await world.judge(40)
