"""What a fake has from the start: numbers, and calls of before it began."""

from datetime import UTC, datetime, timedelta

from hamsa_async import HamsaClient
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa
from hamsa_async.testing.example import EXAMPLE_CALL_ID, example


def connect(fake: FakeHamsa) -> HamsaClient:
    return HamsaClient(FAKE_API_KEY, base_url=fake.base_url)


async def test_history_rang_nobody() -> None:
    """Calls of before are listed, newest first, and the ledger has no ring of them."""
    async with example() as fake, connect(fake) as client:
        created = [call.created_at async for call in client.conversations.list()]
        assert len(created) > 3
        assert created == sorted(filter(None, created), reverse=True)
        assert not fake.ledger.rings
        await client.voice_agents.call(to_number="+971500000101", voice_agent_id=FAKE_AGENT_ID)
        assert len(fake.ledger.rings) == 1
        assert len([call async for call in client.conversations.list()]) == len(created) + 1


async def test_what_was_said_is_told_after_the_end() -> None:
    """Before a call has ended its conversation has nothing to tell."""
    now = datetime.now(UTC)
    for moment, told in ((now, True), (now + timedelta(hours=1), False)):
        async with example(moment) as fake, connect(fake) as client:
            call = await client.conversations.get(EXAMPLE_CALL_ID)
            assert bool(call.transcript) is told
            assert bool(call.media_url) is told


async def test_reset_gives_back_the_beginning() -> None:
    async with example() as fake, connect(fake) as client:
        numbers = [number.id async for number in client.numbers.list()]
        calls = [call.id async for call in client.conversations.list()]
        await client.voice_agents.call(to_number="+971500000101", voice_agent_id=FAKE_AGENT_ID)
        await client.numbers.add_sip(phone_number="+97145550009", label="x")
        await client.numbers.unassign(phone_number="+97145550000")
        fake.reset()
        again = await client.numbers.list()
        assert [number.id for number in again.items] == numbers
        assert again.items[0].voice_agent_id == FAKE_AGENT_ID
        assert [call.id async for call in client.conversations.list()] == calls
