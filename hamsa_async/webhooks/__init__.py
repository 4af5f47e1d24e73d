"""Webhooks: prove who sent one, read what it says, and take them without losing any.

`verify` and `parse` work on headers and bytes, whatever the server. A `Receiver` stores every
event before it answers; it runs inside aiohttp (`aiohttp_app`), FastAPI or any other ASGI
application (`ASGIApp`), or as a server of its own (`serving`).
"""

from hamsa_async.models.webhooks import (
    CallAnswered,
    CallEnded,
    CallProgress,
    CallStage,
    CallStarted,
    EventType,
    ToolExecuted,
    TranscriptionUpdate,
    WebhookEvent,
)
from hamsa_async.webhooks.asgi import ASGIApp
from hamsa_async.webhooks.deliveries import Delivery, Reply
from hamsa_async.webhooks.parsing import parse
from hamsa_async.webhooks.receiver import Receiver, Store
from hamsa_async.webhooks.secrets import Secrets, verify
from hamsa_async.webhooks.server import aiohttp_app, serving

__all__ = [
    "ASGIApp",
    "CallAnswered",
    "CallEnded",
    "CallProgress",
    "CallStage",
    "CallStarted",
    "Delivery",
    "EventType",
    "Receiver",
    "Reply",
    "Secrets",
    "Store",
    "ToolExecuted",
    "TranscriptionUpdate",
    "WebhookEvent",
    "aiohttp_app",
    "parse",
    "serving",
    "verify",
]
