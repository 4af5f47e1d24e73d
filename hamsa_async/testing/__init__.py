"""FakeHamsa: the documented API as a local server, with a ledger of the phones it rang."""

from hamsa_async.testing.fake import (
    FAKE_AGENT_ID,
    FAKE_API_KEY,
    FAKE_PROJECT_ID,
    FakeHamsa,
)
from hamsa_async.testing.faults import FAULTS, Fault, FaultPlan, PlannedFault
from hamsa_async.testing.ledger import Ledger, Post, Ring
from hamsa_async.testing.webhooks import SentWebhook, WebhookPlan

__all__ = [
    "FAKE_AGENT_ID",
    "FAKE_API_KEY",
    "FAKE_PROJECT_ID",
    "FAULTS",
    "FakeHamsa",
    "Fault",
    "FaultPlan",
    "Ledger",
    "PlannedFault",
    "Post",
    "Ring",
    "SentWebhook",
    "WebhookPlan",
]
