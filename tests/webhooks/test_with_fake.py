"""Calls of the client, told by FakeHamsa, taken by the receiver: every event names its call."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa, WebhookPlan
from hamsa_async.webhooks import (
    CallProgress,
    CallStage,
    Delivery,
    Receiver,
    Secrets,
    parse,
    serving,
)

SECRETS = Secrets(master="m" * 32)
CALLS = 40
OUTCOMES = {"COMPLETED": 0.5, "NO_ANSWER": 0.3, "FAILED": 0.2}


class Inbox:
    """Keeps each event once, and forgets the values: what counts is what was stored."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[bytes, str | None]] = {}

    async def put(self, delivery: Delivery, /) -> None:
        self.rows[delivery.key] = delivery.body, delivery.reference


async def told(plan: WebhookPlan) -> tuple[Inbox, FakeHamsa]:
    """Place calls, and live until the last of their events was sent."""
    inbox = Inbox()
    async with (
        FakeHamsa(webhooks=plan, call_seconds=(0.05, 0.5), outcomes=OUTCOMES) as fake,
        serving(Receiver(inbox, SECRETS), port=0) as url,
        HamsaClient(FAKE_API_KEY, base_url=fake.base_url) as hamsa,
    ):
        for number in range(CALLS):
            await hamsa.voice_agents.call(
                to_number=f"+9715000{number:05}",
                voice_agent_id=FAKE_AGENT_ID,
                reference=f"attempt {number}",
                webhook_url=url,
                webhook_auth=SECRETS.auth_for(f"attempt {number}"),
            )
        while fake._webhooks._queue:
            await asyncio.sleep(0.05)
        await fake.webhooks_drained()
        assert {sent.status for sent in fake.webhook_log if sent.sent} == {200}
        return inbox, fake


@pytest.mark.parametrize("envelope", ["documented", "observed"])
@pytest.mark.parametrize(
    "trouble",
    [
        {},
        {"silent": 1.0, "own_call_id": True},
        {"doubled": 0.5, "late": 0.5, "late_seconds": 0.3, "disordered": 0.5},
        {"lost": 0.3, "doubled": 0.3, "disordered": 1.0, "silent": 0.5},
    ],
    ids=["none", "silent", "disorder", "all"],
)
async def test_every_event_names_its_call(envelope: Any, trouble: dict[str, Any]) -> None:
    inbox, fake = await told(WebhookPlan(envelope=envelope, **trouble))
    sent = {(one.reference, one.event) for one in fake.webhook_log if one.sent}
    stored = [parse(body, reference=reference) for body, reference in inbox.rows.values()]
    # Each event that was sent is stored, once, and of the call that it is about.
    assert sorted((event.reference, event.type) for event in stored) == sorted(sent)  # type: ignore[type-var]
    progress: dict[str, CallProgress] = defaultdict(CallProgress)
    for event in stored:
        assert event.reference is not None
        progress[event.reference] = progress[event.reference].after(event)
    call_ids = {ring.reference: ring.call_id for ring in fake.ledger.rings}
    for reference, got in progress.items():
        has_ended = (reference, "call.ended") in sent
        assert (got.stage is CallStage.ENDED) == has_ended == (got.ended is not None)
        if got.ended is not None:
            assert got.ended.conversation_id == call_ids[reference]
    assert fake.ledger.rung_twice() == {}
