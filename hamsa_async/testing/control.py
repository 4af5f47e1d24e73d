"""The control plane: another process reads the ledger, plans faults and resets, without a key."""

from typing import Protocol

from aiohttp import web

from hamsa_async.testing.faults import Answer, FaultPlan
from hamsa_async.testing.ledger import Ledger
from hamsa_async.testing.messages import raw_body
from hamsa_async.testing.webhooks import SentWebhook, WebhookPlan


class Steered(Protocol):
    """What can be steered of a fake."""

    faults: FaultPlan
    webhooks: WebhookPlan

    @property
    def ledger(self) -> Ledger:
        """Which phones rang."""

    @property
    def webhook_log(self) -> list[SentWebhook]:
        """Which webhooks were sent."""

    def reset(self) -> None:
        """Forget everything."""


class Control:
    """Steers a fake."""

    def __init__(self, fake: Steered) -> None:
        self._fake = fake

    async def show_ledger(self, *_: object) -> Answer:
        """What really rang."""
        return Answer.of(self._fake.ledger.to_json())

    async def show_faults(self, *_: object) -> Answer:
        """What is still planned."""
        return Answer.of(self._fake.faults.to_json())

    async def take_faults(self, request: web.BaseRequest, *_: object) -> Answer:
        """Plan other faults, in place of those that are planned."""
        try:
            self._fake.faults = FaultPlan.from_json(await raw_body(request))
        except ValueError as error:
            return Answer.error(400, str(error))
        return Answer.of(self._fake.faults.to_json())

    async def show_webhooks(self, *_: object) -> Answer:
        """Which webhooks were sent, and how they were answered."""
        return Answer.of([sent.to_json() for sent in self._fake.webhook_log])

    async def take_webhooks(self, request: web.BaseRequest, *_: object) -> Answer:
        """Send the webhooks of later calls by another plan."""
        try:
            self._fake.webhooks = WebhookPlan.from_json(await raw_body(request))
        except ValueError as error:
            return Answer.error(400, str(error))
        return Answer.of({"success": True})

    async def take_reset(self, *_: object) -> Answer:
        """Forget everything."""
        self._fake.reset()
        return Answer.of({"success": True})
