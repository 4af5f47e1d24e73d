"""The control plane: another process reads the ledger, plans faults and resets, without a key."""

from typing import Protocol

from aiohttp import web

from hamsa_async.testing.faults import Answer, FaultPlan
from hamsa_async.testing.ledger import Ledger
from hamsa_async.testing.messages import raw_body


class Steered(Protocol):
    """What can be steered of a fake."""

    faults: FaultPlan

    @property
    def ledger(self) -> Ledger:
        """Which phones rang."""

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

    async def take_reset(self, *_: object) -> Answer:
        """Forget everything."""
        self._fake.reset()
        return Answer.of({"success": True})
