"""The list and the agent: what its texts ask for is in every row, or somebody is told."""

from typing import Any

import pytest

from hamsa_async.errors import ContactListError
from hamsa_async.testing import FAKE_AGENT_ID


@pytest.fixture
async def greeting(hamsa: Any) -> None:
    """The agent greets by name, and asks for a city."""
    await hamsa.voice_agents.update(
        FAKE_AGENT_ID, greeting_message="Hello {{name}}", preamble="They live in {{city}}."
    )


@pytest.mark.usefixtures("greeting")
async def test_what_is_missing_is_told_and_dialed_all_the_same(world: Any) -> None:
    """Without `strict` the campaign is loaded, and says what does not fit."""
    rows = [{**row, "name": "سارة", "age": "7"} for row in world.rows(2)]
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(), rows)
        assert loaded.contract.missing == ("city",)
        assert loaded.contract.unused == ("age",)
        assert loaded.contract.first == {"name": "سارة", "age": "7"}
        [event async for event in dialer.run(loaded, wait=False)]
    assert len(world.fake.ledger.rings) == 2


@pytest.mark.usefixtures("greeting")
async def test_strict_takes_no_list_that_does_not_fit(world: Any) -> None:
    """Nothing is loaded; with the column, a param for all, or every cell filled, it is."""
    async with world.dialer() as dialer:
        rows = [{**row, "name": "x"} for row in world.rows(2)]
        with pytest.raises(ContactListError, match=r"asks for \{\{city\}\}, and no column"):
            await dialer.load(world.campaign(), rows, strict=True)
        rows[0]["city"] = ""
        rows[1]["city"] = "Dubai"
        with pytest.raises(ContactListError, match="which is empty in 1 row;"):
            await dialer.load(world.campaign(), rows, strict=True)
        loaded = await dialer.load(world.campaign(params={"city": "?"}), rows, strict=True)
        assert loaded.contract.breaches == []
    assert len(world.fake.ledger.rings) == 0


@pytest.mark.usefixtures("greeting")
async def test_a_resumed_campaign_is_compared_too(world: Any, hamsa: Any) -> None:
    """The agent's texts may have changed since the list was read."""
    async with world.dialer() as dialer:
        rows = [{**row, "name": "x", "city": "Dubai"} for row in world.rows(2)]
        loaded = await dialer.load(world.campaign(), rows)
        assert loaded.contract.breaches == []
        await hamsa.voice_agents.update(FAKE_AGENT_ID, greeting_message="Hello {{title}}")
        loaded = await dialer.load(world.campaign())
        assert loaded.contract.missing == ("title",)


@pytest.mark.usefixtures("greeting")
async def test_where_nobody_is_to_be_called_nothing_is_missing(world: Any) -> None:
    """A campaign with nobody left to call misses no column, and shows no first row."""
    async with world.dialer() as dialer:
        rows = [{**row, "name": "x", "city": "Dubai", "dnc": "yes"} for row in world.rows(2)]
        await dialer.load(world.campaign(), rows)
        loaded = await dialer.load(world.campaign())
    assert loaded.contract.breaches == []
    assert loaded.contract.first is None


async def test_reserved_columns_reach_an_agent_that_asks(world: Any, hamsa: Any) -> None:
    """A column that only the dialer needs is passed on when the agent's texts name it."""
    await hamsa.voice_agents.update(FAKE_AGENT_ID, greeting_message="{{country}} {{contact_id}}")
    people = [{"phone": world.number(1), "country": "AE", "contact_id": "7", "dnc": "no"}]
    await world.run(people)
    assert world.ask("SELECT params FROM contacts") == [('{"contact_id":"7","country":"AE"}',)]
