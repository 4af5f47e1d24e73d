"""Hamsa, as the dialer's protocols see it: calls that ring and end, a list that lags, and faults.

It shares no code with the package but the models that the protocols speak in.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from hamsa_async.config import ClientConfig
from hamsa_async.errors import (
    Certainty,
    HamsaError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
)
from hamsa_async.models import (
    AgentDetails,
    Call,
    CallRequest,
    Conversation,
    ConversationSummary,
    Page,
    Project,
)
from hamsa_async.models.conversations import CallParams, JobResponse

AGENT, OTHER_AGENT = "agent-ours", "agent-of-others"
ON_THE_WAY = 0.02  # seconds from the wire to the server, and back


@attrs.frozen
class Fault:
    """What goes wrong with a request: whether it rings all the same, when and what is said."""

    rings: bool
    error: Callable[[], HamsaError] | None
    answers_after: float = ON_THE_WAY


def _unknown() -> HamsaError:
    return OutcomeUnknownError("no answer", certainty=Certainty.UNKNOWN)


def _failed() -> HamsaError:
    return OutcomeUnknownError("status 500", certainty=Certainty.UNKNOWN, status=500)


def _refused() -> HamsaError:
    return InvalidRequestError("bad number", certainty=Certainty.REFUSED, status=400)


def _too_many() -> HamsaError:
    return RateLimitedError("too many", certainty=Certainty.REFUSED, status=429)


def _no_money() -> HamsaError:
    return InsufficientBalanceError("no money", certainty=Certainty.REFUSED, status=402)


def _not_sent() -> HamsaError:
    return NotSentError("no connection", certainty=Certainty.NOT_SENT)


FAULTS = {
    "slow": Fault(rings=True, error=None, answers_after=40),
    "hangs": Fault(rings=True, error=_unknown, answers_after=60),
    "dropped after it rang": Fault(rings=True, error=_unknown),
    "dropped before it rang": Fault(rings=False, error=_unknown),
    "500 after it rang": Fault(rings=True, error=_failed),
    "500 before it rang": Fault(rings=False, error=_failed),
    "refused": Fault(rings=False, error=_refused),
    "429": Fault(rings=False, error=_too_many),
    "402": Fault(rings=False, error=_no_money),
    "not sent": Fault(rings=False, error=_not_sent, answers_after=0),
}
FINE = Fault(rings=True, error=None)


@attrs.define(kw_only=True)
class ModelledCall:
    """A call on the server; its times are the server's."""

    id: str
    phone_number: str
    agent_id: str
    reference: str | None
    created_at: datetime
    ends_at: datetime
    outcome: str
    shown_at: datetime
    has_webhook: bool = False

    def status(self, now: datetime) -> str:
        return self.outcome if now >= self.ends_at else "IN_PROGRESS"


class ModelledHamsa:
    """Calls, and what goes wrong with them.

    Args:
        clock: The server's.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.config = ClientConfig(base_url="http://127.0.0.1:1", grace_period=90)
        self.voice_agents = self.conversations = self.projects = self
        self.calls: dict[str, ModelledCall] = {}
        self.faults: list[str] = []
        self.lag = timedelta(0)
        self.lasts = timedelta(minutes=1)
        self.outcome = "COMPLETED"
        self.is_list_down = False
        self.before_ring: Callable[[CallRequest], None] = lambda _: None
        self.told: Callable[[str], None] = lambda _: None
        """Called with each reference whose intent was said to be durable."""
        self.listed: Callable[[], None] = lambda: None
        """Called when all calls since some time were asked for, and are given."""
        self._numbers = itertools.count(1)
        self._on_the_way: set[asyncio.Task[Any]] = set()

    def ring(
        self,
        phone_number: str,
        agent_id: str,
        reference: str | None = None,
        *,
        has_webhook: bool = False,
    ) -> ModelledCall:
        """A phone rings."""
        now = self.clock()
        call = ModelledCall(
            id=f"call-{next(self._numbers)}",
            phone_number=phone_number,
            agent_id=agent_id,
            reference=reference,
            created_at=now,
            ends_at=now + self.lasts,
            outcome=self.outcome,
            shown_at=now + self.lag,
            has_webhook=has_webhook,
        )
        self.calls[call.id] = call
        return call

    # -- what the dialer sees

    async def current(self) -> Project:
        return Project(id="project")

    async def attempt(
        self, request: CallRequest, *, before_send: Callable[[], Awaitable[None]], **_: Any
    ) -> Call:
        await asyncio.sleep(0.001)
        await before_send()
        assert request.reference is not None
        self.told(request.reference)
        fault = FAULTS[self.faults.pop(0)] if self.faults else FINE
        # It goes on without whoever sent it.
        taken = asyncio.create_task(self._take(request, fault))
        self._on_the_way.add(taken)
        taken.add_done_callback(self._on_the_way.discard)
        call = await asyncio.shield(taken)
        if fault.answers_after:
            await asyncio.sleep(fault.answers_after)
        if fault.error is not None:
            raise fault.error()
        assert call is not None
        return Call(id=call.id, created_at=call.created_at, status="PENDING")

    async def _take(self, request: CallRequest, fault: Fault) -> ModelledCall | None:
        await asyncio.sleep(ON_THE_WAY)
        if not fault.rings:
            return None
        self.before_ring(request)
        return self.ring(
            request.to_number,
            str(request.voice_agent_id),
            request.reference,
            has_webhook=request.webhook_url is not None,
        )

    async def get(self, which: str) -> Any:
        await asyncio.sleep(0.001)
        if which in {AGENT, OTHER_AGENT}:
            return AgentDetails(id=which)
        call = self.calls.get(which)
        if call is None:
            raise NotFoundError("no such call", status=404)
        now = self.clock()
        has_ended = now >= call.ends_at
        return Conversation(
            id=call.id,
            status=call.status(now),
            voice_agent_id=call.agent_id,
            created_at=call.created_at,
            call_params=CallParams(user_number=call.phone_number),
            call_duration=(call.ends_at - call.created_at).total_seconds() if has_ended else None,
            job_response=JobResponse(
                transcription=[{"Agent": "Hello"}] if has_ended else None,
                outcome_result=None
                if call.reference is None
                else {"_hamsa_reference": call.reference},
            ),
        )

    def list(
        self,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 100,
    ) -> "_List":
        return _List(self, start_time, end_time, page_size)


@attrs.frozen
class _List:
    server: ModelledHamsa
    start: datetime | None
    end: datetime | None
    size: int

    async def page(self, number: int) -> Page[ConversationSummary]:
        await asyncio.sleep(0.001)
        server = self.server
        if server.is_list_down:
            raise ServerError("status 503", status=503)
        if self.end is None and number == 1:
            server.listed()
        now = server.clock()
        rows = sorted(
            (
                call
                for call in server.calls.values()
                if call.shown_at <= now
                and (self.start is None or call.created_at >= self.start)
                and (self.end is None or call.created_at <= self.end)
            ),
            key=lambda call: call.created_at,
            reverse=True,
        )
        return Page(
            items=[
                ConversationSummary(
                    id=call.id,
                    created_at=call.created_at,
                    status=call.status(now),
                    voice_agent_id=call.agent_id,
                    call_params=CallParams(user_number=call.phone_number),
                )
                for call in rows[(number - 1) * self.size : number * self.size]
            ],
            number=number,
            size=self.size,
            filtered=len(rows),
            at=now.replace(microsecond=0),
        )

    async def __aiter__(self) -> AsyncIterator[ConversationSummary]:
        number = 1
        while len(page := await self.page(number)):
            for row in page:
                yield row
            number += 1
