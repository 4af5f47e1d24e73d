"""What a type checker knows of webhooks: checked by mypy and pyright, never run."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_type

from aiohttp import web

from hamsa_async import Turn, WebhookAuth, WebhookParseError, WebhookVerificationError
from hamsa_async.testing import FakeHamsa, SentWebhook, WebhookPlan
from hamsa_async.webhooks import (
    ASGIApp,
    CallAnswered,
    CallEnded,
    CallProgress,
    CallStage,
    CallStarted,
    Delivery,
    EventType,
    Receiver,
    Reply,
    Secrets,
    Store,
    ToolExecuted,
    TranscriptionUpdate,
    WebhookEvent,
    aiohttp_app,
    parse,
    serving,
    verify,
)


class Inbox:
    """A store."""

    async def put(self, event: Delivery) -> None:
        """Its argument may have any name."""
        assert_type(event.event, WebhookEvent)
        assert_type((event.key, event.body), tuple[str, bytes])
        assert_type((event.reference, event.received_at), tuple[str | None, datetime])


def read(headers: Mapping[str, str], body: bytes, secrets: Secrets) -> None:
    """Pure."""
    assert_type(secrets.auth_for("order-17"), WebhookAuth)
    try:
        reference = assert_type(verify(headers, secrets), str | None)
        verify([(b"authorization", b"Token x")], secrets)
        event = assert_type(parse(body, reference=reference), WebhookEvent)
    except (WebhookVerificationError, WebhookParseError):
        return
    assert_type(event.type, EventType | str)
    assert_type(event.at, datetime | None)
    match event:
        case CallStarted():
            assert_type((event.to_number, event.params), tuple[str | None, Mapping[str, Any]])
        case CallAnswered():
            assert_type(event.ring_duration, float | None)
        case TranscriptionUpdate():
            assert_type(event.text, str | None)
        case ToolExecuted():
            assert_type(event.output, Any)
        case CallEnded():
            assert_type(event.transcript, tuple[Turn, ...])
            assert_type(event.transcription, Sequence[Mapping[str, Any]])
            assert_type(event.duration, timedelta | None)
        case _:
            assert_type(event.payload, Mapping[str, Any])
    progress = assert_type(CallProgress().after(event), CallProgress)
    assert_type((progress.stage, progress.ended), tuple[CallStage, CallEnded | None])


async def receive(stopped: asyncio.Event) -> None:
    """With a socket."""
    store: Store = Inbox()
    receiver = Receiver(store, Secrets(shared=["new", "old"], master="m" * 32), concurrency=10)
    assert_type(receiver.counts, Counter[str])
    app = web.Application()
    app.add_subapp("/webhook", assert_type(aiohttp_app(receiver), web.Application))
    _ = ASGIApp(receiver)
    async with serving(receiver, host="127.0.0.1", port=0, path="/webhook") as url:
        assert_type(url, str)
        await stopped.wait()
    await receiver.aclose(grace=1.0)


async def be_told(fake: FakeHamsa) -> None:
    """By the fake."""
    fake.webhooks = WebhookPlan(envelope="observed", lost=0.1)
    await fake.webhooks_drained()
    assert_type(fake.webhook_log, list[SentWebhook])


def answered(reply: Reply) -> None:
    """What a receiver answers."""
    assert_type((reply.status, reply.body), tuple[int, bytes])
