"""The fake tells a webhook of its calls: what, in which envelope, and what may go wrong."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from hamsa_async.testing import FAKE_AGENT_ID, FakeHamsa, WebhookPlan
from hamsa_async.testing.webhooks import EVENTS

CONTRACT = Path(__file__).parents[1] / "contract" / "hamsa-openapi.yaml"
KEY = {"Authorization": "Token fake-key"}
SARA = "+971500000123"


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 11, 8, 15, 2, 417_000, UTC)

    def __call__(self) -> datetime:
        return self.now


class Hook:
    """A webhook that writes down what it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.told: list[tuple[str | None, dict[str, Any]]] = []
        self.statuses: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        self.told.append((request.headers.get("Authorization"), await request.json()))
        return web.Response(status=self.statuses.pop() if self.statuses else 200)

    @property
    def types(self) -> list[str]:
        return [event.get("eventType") or event["event_type"] for _, event in self.told]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook, app = Hook(), web.Application()
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fake(clock: Clock) -> AsyncIterator[FakeHamsa]:
    async with FakeHamsa(clock=clock, call_seconds=(10, 10), outcomes={"COMPLETED": 1}) as fake:
        yield fake


async def place(fake: FakeHamsa, url: str | None, **more: Any) -> str:
    order = {
        "toNumber": SARA,
        "voiceAgentId": FAKE_AGENT_ID,
        "webhookUrl": url,
        "webhookAuth": {"authKey": "Token", "authSecret": "s3cret"},
        "params": {"name": "Sara", "_hamsa_reference": "a1"},
        **more,
    }
    async with (
        aiohttp.ClientSession(headers=KEY) as http,
        http.post(f"{fake.base_url}/v1/voice-agents/call", json=order) as answer,
    ):
        assert answer.status == 200
        return (await answer.json())["data"]["id"]


async def live(fake: FakeHamsa, clock: Clock, seconds: int = 15) -> None:
    """Let the time pass, second by second."""
    for _ in range(seconds):
        clock.now += timedelta(seconds=1)
        await fake.webhooks_drained()


async def test_a_calls_life_in_the_documented_envelope(
    fake: FakeHamsa, clock: Clock, hook: Hook
) -> None:
    call_id = await place(fake, hook.url)
    await fake.webhooks_drained()
    assert hook.types == ["call.started"]
    await live(fake, clock)
    assert hook.types == list(EVENTS)
    assert {auth for auth, _ in hook.told} == {"Token s3cret"}
    assert {event["callId"] for _, event in hook.told} == {call_id}
    ended = hook.told[-1][1]["data"]["data"]
    assert ended["conversationId"] == call_id
    assert ended["outcomeResult"] == {"name": "Sara", "_hamsa_reference": "a1"}
    assert ended["transcription"]
    assert [(sent.event, sent.status) for sent in fake.webhook_log] == [(e, 200) for e in EVENTS]
    assert {sent.reference for sent in fake.webhook_log} == {"a1"}


async def test_a_calls_life_in_the_observed_envelope(
    fake: FakeHamsa, clock: Clock, hook: Hook
) -> None:
    fake.webhooks = WebhookPlan(envelope="observed", own_call_id=True, events=("call.ended",))
    call_id = await place(fake, hook.url)
    await live(fake, clock)
    ((_, event),) = hook.told
    assert event["event_type"] == "call_end"
    assert event["caller_info"]["call_id"] != call_id
    assert event["data"]["conversationId"] == call_id
    assert event["data"]["callEndedAt"] - event["data"]["callStartedAt"] == 10_000


@pytest.mark.parametrize(
    ("envelope", "schemas"),
    [
        ("documented", {"call.ended": "CallEndedEvent", "": "WebhookEvent"}),
        ("observed", {"": "ObservedCallEndEvent"}),
    ],
)
async def test_events_are_as_the_contract_says(
    fake: FakeHamsa, clock: Clock, hook: Hook, envelope: Any, schemas: dict[str, str]
) -> None:
    document = yaml.safe_load(CONTRACT.read_text("utf-8"))
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:hamsa", resource)
    fake.webhooks = WebhookPlan(envelope=envelope)
    for outcome in ("COMPLETED", "NO_ANSWER"):
        fake.outcomes = {outcome: 1}
        await place(fake, hook.url)
        await live(fake, clock)
    assert len(hook.told) == 7
    for _, event in hook.told:
        schema = schemas.get(event.get("eventType", ""), schemas[""])
        pointer = f"urn:hamsa#/components/schemas/{schema}"
        Draft202012Validator({"$ref": pointer}, registry=registry).validate(event)


async def test_a_call_that_nobody_answers(clock: Clock, hook: Hook) -> None:
    async with FakeHamsa(clock=clock, call_seconds=(10, 10), outcomes={"NO_ANSWER": 1}) as fake:
        await place(fake, hook.url)
        await live(fake, clock)
        assert hook.types == ["call.started", "call.ended"]
        assert hook.told[-1][1]["data"]["data"]["transcription"] == []
        fake.webhooks = WebhookPlan(end_of_unanswered=False)
        await place(fake, hook.url)
        await live(fake, clock)
        assert hook.types[2:] == ["call.started"]


async def test_lost(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    fake.webhooks = WebhookPlan(lost=1)
    await place(fake, hook.url)
    await live(fake, clock)
    assert hook.told == []
    assert [(sent.sent, sent.status) for sent in fake.webhook_log] == [(False, None)] * 5


async def test_doubled(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    fake.webhooks = WebhookPlan(doubled=1)
    await place(fake, hook.url)
    await live(fake, clock)
    assert Counter(hook.types) == Counter(EVENTS * 2)
    assert hook.told[0] == hook.told[1]


async def test_late(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    fake.webhooks = WebhookPlan(late=1, late_seconds=100)
    await place(fake, hook.url)
    await live(fake, clock)
    assert hook.told == []
    clock.now += timedelta(seconds=100)
    await live(fake, clock, 1)
    assert Counter(hook.types) == Counter(EVENTS)


async def test_out_of_order(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    fake.webhooks = WebhookPlan(disordered=1)
    await place(fake, hook.url)
    clock.now += timedelta(seconds=9.95)
    for _ in range(8):
        clock.now += timedelta(seconds=0.1)
        await fake.webhooks_drained()
    assert hook.types == list(reversed(EVENTS))


async def test_echoing_nothing(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    fake.webhooks = WebhookPlan(silent=1)
    await place(fake, hook.url)
    await live(fake, clock)
    assert len(hook.told) == 5
    assert "_hamsa_reference" not in str([event for _, event in hook.told])


async def test_sent_again_until_it_is_taken(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    fake.webhooks = WebhookPlan(tries=3, events=("call.started",))
    hook.statuses = [200, 503]
    await place(fake, hook.url)
    await live(fake, clock, 5)
    assert [sent.status for sent in fake.webhook_log] == [503, 200]
    hook.statuses = [500] * 5
    await place(fake, hook.url)
    await live(fake, clock, 5)
    assert [sent.status for sent in fake.webhook_log[2:]] == [500] * 3


async def test_nobody_there(fake: FakeHamsa, clock: Clock) -> None:
    await place(fake, "http://127.0.0.1:9/hook")
    await live(fake, clock, 1)
    assert [(sent.event, sent.status) for sent in fake.webhook_log] == [("call.started", None)]


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "http://[", "http://127.1.evil.invalid/"]
)
async def test_no_other_machine_is_told(fake: FakeHamsa, clock: Clock, url: str) -> None:
    await place(fake, url)
    await live(fake, clock, 2)
    assert fake.webhook_log == []


async def test_the_agents_webhook_where_the_call_has_none(
    fake: FakeHamsa, clock: Clock, hook: Hook
) -> None:
    agent = {"webhookUrl": hook.url, "webhookAuth": {"authKey": "Bearer", "authSecret": "x"}}
    fake.agents = {FAKE_AGENT_ID: agent}
    await place(fake, None)
    await live(fake, clock, 1)
    assert [auth for auth, _ in hook.told] == ["Bearer x"]


async def test_another_process_steers_and_reads(fake: FakeHamsa, clock: Clock, hook: Hook) -> None:
    plan = f"{fake.base_url}/_fake/webhooks"
    async with aiohttp.ClientSession() as http:
        async with http.post(plan, json={"events": ["call.ended"]}) as answer:
            assert answer.status == 200
        for wrong in ({"lost": 2}, {"loosed": 1}, [], {"events": ["call.hung_up"]}):
            async with http.post(plan, json=wrong) as answer:
                assert answer.status == 400
        await place(fake, hook.url)
        await live(fake, clock)
        async with http.get(plan) as answer:
            (sent,) = await answer.json()
    assert (sent["event"], sent["status"], sent["sent"]) == ("call.ended", 200, True)


async def test_a_reset_forgets_what_was_to_be_sent(
    fake: FakeHamsa, clock: Clock, hook: Hook
) -> None:
    await place(fake, hook.url)
    await fake.webhooks_drained()
    fake.reset()
    await live(fake, clock)
    assert hook.types == ["call.started"]
    assert fake.webhook_log == []
