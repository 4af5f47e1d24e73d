"""Rows with an agent of their own, and agents whose texts change while they are dialed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import ContactState, Ending, EventKind, Row, SqliteJournal
from hamsa_async.dialer.agents import AgentContracts
from hamsa_async.dialer.machine import Asked
from hamsa_async.errors import ContactListError, NotFoundError, ServerError
from hamsa_async.models import AgentDetails
from hamsa_async.testing import FAKE_AGENT_ID

HUNG = 60.0
OFTEN = timedelta(seconds=0.02)


def rows(*agents: str | None, **params: str) -> list[Row]:
    return [
        Row(row=place, phone_number=f"+9715012{place:05d}", agent_id=agent, params=params)
        for place, agent in enumerate(agents, start=1)
    ]


class Agents:
    """Agents that greet by their own variable; how often and how many at once they are read."""

    def __init__(self, *missing: str) -> None:
        self.missing = missing
        self.read: list[str] = []
        self.at_once = 0
        self._now = 0

    async def __call__(self, agent_id: str) -> AgentDetails:
        self.read.append(agent_id)
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if agent_id in self.missing:
            raise NotFoundError("no such agent", status=404)
        return agent(f"Hello {{{{{agent_id}}}}}")


def agent(greeting: str) -> AgentDetails:
    return AgentDetails(id="x", greeting_message=greeting)


async def test_each_row_is_compared_with_its_own_agent() -> None:
    """One that is missing is named with the rows that name it; the campaign's own is not mixed."""
    read = Agents("gone")
    found = AgentContracts("own", agent("Hello {{name}}"), {}, read)
    await found.add(rows(None, "own", "vip", "gone", name="x"))
    await found.add(rows(*["gone"] * 6, "vip", name="x"))
    assert sorted(read.read) == ["gone", "vip"]
    assert found.result().breaches == []
    assert found.result().count == 2
    vip, gone = sorted(found.named(), key=lambda each: str(each.agent_id), reverse=True)
    assert vip.breaches == ["agent 'vip' asks for {{vip}}, and no column or --param gives it"]
    assert gone.is_missing
    assert gone.breaches == [
        "there is no agent 'gone', and rows 4, 1, 2, 3, 4 and 2 more name it: those are refused"
    ]
    assert list(found.agents) == ["own", "vip"]


async def test_many_agents_are_read_some_at_once() -> None:
    """Each once, and so many that no agents can be meant are an error."""
    read = Agents()
    found = AgentContracts("own", agent(""), {}, read)
    for _ in range(2):
        await found.add(rows(*[f"agent-{place}" for place in range(100)]))
    assert len(read.read) == 100
    assert 1 < read.at_once <= 8
    with pytest.raises(ContactListError, match="more than 1000 agents"):
        await found.add(rows(*[f"name-{place}" for place in range(901)]))


async def test_rows_that_are_not_called_need_no_agent() -> None:
    read = Agents()
    found = AgentContracts("own", agent(""), {}, read)
    await found.add([Row(row=1, phone_number="x", state="invalid", reason="x", agent_id="y")])
    assert read.read == []
    assert found.named() == ()


async def test_an_agent_that_cannot_be_read_is_an_error() -> None:
    """An outage is no missing agent."""

    async def fail(_agent_id: str) -> AgentDetails:
        raise ServerError("down", status=500)

    found = AgentContracts("own", agent(""), {}, fail)
    with pytest.raises(ServerError):
        await found.add(rows("vip"))


async def test_a_campaign_says_so_before_it_dials(world: Any) -> None:
    """Strict refuses the list; otherwise it is told, and the row is refused when it is dialed."""
    world.fake.agents["vip"] = {"greetingMessage": "Dear {{title}}"}
    people = [
        *world.rows(1, title="Dr", name="x"),
        *world.rows(1, start=1, agent_id="vip", title="Dr", name="x"),
        *world.rows(1, start=2, agent_id="gone", title="Dr", name="x"),
    ]
    async with world.dialer() as dialer:
        with pytest.raises(ContactListError, match=r"no agent 'gone', and row 3 names it"):
            await dialer.load(world.campaign(), people, strict=True)
        await dialer.load(world.campaign(), people[:2], strict=True)
        loaded = await dialer.load(world.campaign(), people, accept_changes=True)
        missing = {each.agent_id: each.is_missing for each in loaded.named}
        assert missing == {"vip": False, "gone": True}
        resumed = await dialer.load(world.campaign())
        assert {each.agent_id: each.is_missing for each in resumed.named} == missing
        run = dialer.run(loaded, wait=False)
        [_ async for _ in run]
    assert world.states()[world.number(2)] == "refused"
    assert len(world.fake.ledger.rings) == 2


# -- changes during a run


async def ask_to_go_on(world: Any) -> None:
    async with await SqliteJournal.open(world.path) as journal:
        (record,) = await journal.campaigns()
        assert "no column gives {{title}}" in str(await journal.asked_reason(record.id))
        await journal.ask(record.id, None)
        assert await journal.asked_reason(record.id) is None


async def test_a_variable_without_a_column_pauses_the_run(world: Any, hamsa: HamsaClient) -> None:
    """Nobody more is dialed until somebody has looked; the same change pauses only once."""
    await hamsa.voice_agents.update(FAKE_AGENT_ID, greeting_message="Hello {{name}}")
    world.fake.latency = (0.02, 0.02)
    seen: dict[EventKind, list[dict[str, Any]]] = {}
    paused = None
    async with asyncio.timeout(HUNG), world.dialer(agents_every=OFTEN) as dialer:
        run = dialer.run(world.campaign(concurrency=1), world.rows(60, name="x"), wait=False)
        async for event in run:
            seen.setdefault(event.kind, []).append(event.data)
            if event.kind is EventKind.PLACED and len(seen[event.kind]) == 1:
                await hamsa.voice_agents.update(FAKE_AGENT_ID, greeting_message="Dear {{title}}")
            if event.kind is EventKind.PAUSED:
                await asyncio.sleep(0.3)
                paused = len(world.fake.ledger.rings)
                await asyncio.sleep(0.3)
                assert len(world.fake.ledger.rings) == paused
                await ask_to_go_on(world)
    assert paused is not None
    assert paused < 60
    assert len(world.fake.ledger.rings) == 60
    assert run.finish.ending is Ending.NOTHING_NOW
    (changed,) = seen[EventKind.AGENT_CHANGED]
    assert changed == {
        "agent_id": FAKE_AGENT_ID,
        "came": ["title"],
        "went": ["name"],
        "lacking": ["title"],
    }
    (data,) = seen[EventKind.PAUSED]
    assert "no column gives {{title}}" in data["reason"]
    assert len(seen[EventKind.RESUMED]) == 1
    assert run.counts == {ContactState.PLACED: 60}


async def test_other_changes_are_told_and_pause_nothing(world: Any, hamsa: HamsaClient) -> None:
    """New words, a variable that a column or a param gives, one that went."""
    await hamsa.voice_agents.update(FAKE_AGENT_ID, greeting_message="Hi", preamble="")
    texts = ["Hi {{name}}", "Hi {{name}} of {{city}}, {{offer}}", "Hi"]
    world.fake.latency = (0.02, 0.02)
    changes: list[dict[str, Any]] = []
    async with asyncio.timeout(HUNG), world.dialer(agents_every=OFTEN) as dialer:
        campaign = world.campaign(concurrency=1, params={"offer": "Eid"})
        run = dialer.run(campaign, world.rows(300, name="x", city="y"), wait=False)
        async for event in run:
            assert event.kind is not EventKind.PAUSED
            if event.kind is EventKind.AGENT_CHANGED:
                changes.append(event.data)
                if not texts:
                    run.stop()
            if len(changes) == 3 - len(texts) and texts:
                text = texts.pop(0)
                await hamsa.voice_agents.update(FAKE_AGENT_ID, greeting_message=text)
    assert [(each["came"], each["went"], each["lacking"]) for each in changes] == [
        (["name"], [], []),
        (["city", "offer"], [], []),
        ([], ["name", "city", "offer"], []),
    ]


async def test_a_stop_is_not_overruled_by_a_pause(world: Any) -> None:
    """What a person asked for stays."""
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(), world.rows(1))
        await dialer.journal.ask(loaded.record.id, Asked.STOP)
        await dialer.journal.pause(loaded.record.id, "why")
        assert await dialer.journal.asked(loaded.record.id) is Asked.STOP
