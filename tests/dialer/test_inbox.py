"""Webhooks of a campaign: they make it faster, and nothing depends on them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async.dialer import ContactState, Ending, EventKind, SqliteJournal
from hamsa_async.errors import ConfigurationError
from hamsa_async.webhooks import Receiver, Secrets, serving

HUNG = 60.0
NEVER = timedelta(hours=1)
SECRETS = Secrets(master="m" * 40)


@pytest.fixture
async def url(world: Any) -> AsyncIterator[str]:
    """A receiver on the campaign's journal, as `hamsa serve` is."""
    async with (
        await SqliteJournal.open(world.path) as journal,
        serving(Receiver(journal, SECRETS), port=0) as at,
    ):
        yield at


async def run(world: Any, url: str | None, contacts: Any, **settings: Any) -> tuple[Any, list[Any]]:
    """Run a campaign that would not look by itself for an hour."""
    looks = {"look_every": NEVER, "settle_every": NEVER, **settings.pop("looks", {})}
    async with (
        asyncio.timeout(HUNG),
        world.dialer(webhook_secrets=SECRETS, **looks) as dialer,
    ):
        run = dialer.run(world.campaign(webhook_url=url, **settings), contacts)
        return run, [event async for event in run]


async def test_ends_are_heard(world: Any, url: str) -> None:
    """With webhooks a run knows its ends long before it would look at the list again."""
    world.fake.call_seconds = (0.2, 0.6)
    world.fake.outcomes = {"COMPLETED": 1}
    ended, _ = await run(world, url, world.rows(12))
    assert ended.finish.ending is Ending.DONE
    assert ended.counts == {ContactState.DONE: 12}
    assert world.ask("SELECT count(*) FROM calls WHERE transcript IS NOT NULL") == [(12,)]
    await world.judge(12)


async def test_each_call_has_a_secret_of_its_own(world: Any, url: str) -> None:
    """What Hamsa is given for one call speaks of that call alone, and is nowhere in the journal."""
    bodies: list[dict[str, Any]] = []
    world.fake.on_post = bodies.append
    world.fake.call_seconds = (0.0, 0.1)
    world.fake.outcomes = {"COMPLETED": 1}
    await run(world, url, world.rows(3))
    secrets = {body["webhookAuth"]["authSecret"] for body in bodies}
    references = {body["params"]["_hamsa_reference"] for body in bodies}
    assert {secret.rpartition(".")[0] for secret in secrets} == references
    assert len(secrets) == 3
    macs = [secret.rpartition(".")[2] for secret in secrets]
    content = world.path.read_bytes() + world.path.with_name("journal.db-wal").read_bytes()
    assert not any(mac.encode() in content for mac in macs)


async def test_a_webhook_settles_a_doubt(world: Any, url: str) -> None:
    """The webhook of an attempt whose answer was lost says that there is a call, and which."""
    world.fake.call_seconds = (0.3, 0.5)
    world.fake.outcomes = {"COMPLETED": 1}
    world.fake.faults.for_number(world.number(0), "drop_after")
    ended, events = await run(world, url, world.rows(3))
    assert ended.counts == {ContactState.DONE: 3}
    (found,) = [event for event in events if event.kind is EventKind.FOUND]
    assert found.data["evidence"] == "webhook"
    await world.judge(3)


async def test_without_webhooks_it_is_as_right_only_later(world: Any) -> None:
    """When every webhook is lost, the sweeps see the same."""
    world.fake.call_seconds = (0.1, 0.2)
    world.fake.outcomes = {"COMPLETED": 1}
    looks = {"look_every": timedelta(seconds=0.1)}
    ended, _ = await run(world, "http://127.0.0.1:9/webhook", world.rows(4), looks=looks)
    assert ended.counts == {ContactState.DONE: 4}
    await world.judge(4)


async def test_an_event_ends_nothing_by_itself(world: Any, url: str) -> None:
    """Somebody who knows one call's secret cannot end it, nor say anything of another."""
    import aiohttp

    await world.run(world.rows(2))
    (one, other) = [reference for (reference,) in world.ask("SELECT id FROM attempts ORDER BY id")]
    body = {"eventType": "call.ended", "callId": "made-up", "data": {"data": {}}}
    auth = SECRETS.auth_for(one)
    async with aiohttp.ClientSession() as session:
        for reference, status in ((one, 200), (other, 401)):
            named = {**body, "data": {"data": {"outcomeResult": {"_hamsa_reference": reference}}}}
            headers = {"Authorization": f"Token {auth.auth_secret}"}
            async with session.post(url, json=named, headers=headers) as answer:
                assert answer.status == status
    async with world.dialer(webhook_secrets=SECRETS, look_every=NEVER) as dialer:
        ended = dialer.run(world.campaign(webhook_url=url))
        asyncio.get_running_loop().call_later(2.5, ended.stop)
        async for _ in ended:
            pass
    assert ended.counts == {ContactState.PLACED: 2}


async def test_an_event_is_kept_once(world: Any, url: str) -> None:
    """Whatever comes twice is in the inbox once."""
    import aiohttp

    await world.run(world.rows(1))
    ((reference,),) = world.ask("SELECT id FROM attempts")
    body = {"eventType": "call.started", "callId": "x", "data": {"data": {}}}
    headers = {"Authorization": f"Token {SECRETS.auth_for(reference).auth_secret}"}
    async with await SqliteJournal.open(world.path) as journal:
        receiver = Receiver(journal, SECRETS, remembered=0)
        async with serving(receiver, port=0) as at, aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.post(at, json=body, headers=headers) as answer:
                    assert answer.status == 200
    assert world.ask("SELECT count(*), min(attempt) FROM inbox") == [(1, reference)]


async def test_a_url_needs_secrets(world: Any, url: str) -> None:
    """Without a master secret nobody's events could be believed."""
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(webhook_url=url), world.rows(1))
        with pytest.raises(ConfigurationError, match="webhook_secrets"):
            await anext(dialer.run(loaded))
    with pytest.raises(ConfigurationError, match="webhook_url"):
        world.campaign(webhook_url="http://example.com/webhook")
    assert world.fake.ledger.posts == 0
