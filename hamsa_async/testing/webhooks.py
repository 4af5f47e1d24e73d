"""What the fake tells a webhook of its calls, and how it may go wrong on the way.

    FakeHamsa(webhooks=WebhookPlan(envelope="observed", lost=0.1, doubled=0.1))

A call whose request, or whose agent, has a `webhookUrl` on this machine gets the events of its
life there, with `Authorization: <authKey> <authSecret>`; a URL elsewhere gets none, ever.
"""

import asyncio
import heapq
import itertools
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeGuard

import aiohttp
import attrs
from attrs import validators

from hamsa_async._urls import is_loopback
from hamsa_async.testing.clock import ServerClock
from hamsa_async.testing.lifecycle import SPOKEN, Call

Envelope = Literal["documented", "observed"]

EVENTS: Final = (
    "call.started",
    "call.answered",
    "transcription.update",
    "tool.executed",
    "call.ended",
)
"""The documented events, in the order in which a call has them."""

_SENT_AT_ONCE: Final = 100
_LOOK: Final = 0.02  # seconds between two looks at a clock that somebody else may move
_APART: Final = timedelta(milliseconds=100)  # what is sent in disorder, so that it arrives so
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)  # what Hamsa's documentation allows a receiver
_TURNS: Final = ({"Agent": "Hello, this is nobody calling."}, {"User": "Goodbye."})
_OBSERVED_NAMES: Final[Mapping[str, str]] = {"call.ended": "call_end"}


def _share(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        msg = f"{field.name} must be a share from 0 to 1, not {value!r}"
        raise ValueError(msg)


def _known(_: object, field: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    if not set(value) <= set(EVENTS):
        msg = f"{field.name} must be some of {', '.join(EVENTS)}, not {value!r}"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class WebhookPlan:
    """How a fake sends its webhooks. A call keeps the plan that it was placed under.

    Raises:
        ValueError: A value cannot be; the text says which.

    Attributes:
        envelope: `documented` (`eventType`, `call.ended`, the end's payload at `data.data`) or
            `observed` (`event_type`, `call_end`, `caller_info`, the payload at `data`).
        events: Which events are sent.
        lost: The share of events that are never sent.
        doubled: The share of events that are sent twice.
        late: The share of events that are sent `late_seconds` after their time.
        late_seconds: How much later.
        disordered: The share of calls whose events are all sent after the end, the last one
            first, a tenth of a second apart.
        silent: The share of events that echo nothing of the `params`, the reference among them.
        end_of_unanswered: Whether a call that nobody answers has a `call.ended`. It is not
            known of the API.
        own_call_id: Whether `callId` is an id that no other route knows. It is not known of the
            API either; `conversationId` is always the one that the routes know.
        tries: How often an event is sent until it is answered 2xx.
        retry_seconds: How long after a try the next one comes.
    """

    envelope: Envelope = attrs.field(
        default="documented", validator=validators.in_(("documented", "observed"))
    )
    events: tuple[str, ...] = attrs.field(default=EVENTS, converter=tuple, validator=_known)
    lost: float = attrs.field(default=0.0, validator=_share)
    doubled: float = attrs.field(default=0.0, validator=_share)
    late: float = attrs.field(default=0.0, validator=_share)
    late_seconds: float = attrs.field(default=1.0, validator=validators.ge(0))
    disordered: float = attrs.field(default=0.0, validator=_share)
    silent: float = attrs.field(default=0.0, validator=_share)
    end_of_unanswered: bool = True
    own_call_id: bool = False
    tries: int = attrs.field(default=1, validator=validators.ge(1))
    retry_seconds: float = attrs.field(default=1.0, validator=validators.ge(0))

    @classmethod
    def from_json(cls, text: str | bytes) -> "WebhookPlan":
        """Read a plan from JSON: an object with some of the attributes.

        Raises:
            ValueError: It is no such plan; the text says why.
        """
        value = json.loads(text)
        if not isinstance(value, dict):
            msg = "a webhook plan must be a JSON object"
            raise ValueError(msg)
        try:
            return cls(**value)
        except TypeError as error:
            msg = f"no webhook plan: {error}"
            raise ValueError(msg) from error


@attrs.frozen(kw_only=True)
class SentWebhook:
    """One webhook request, or one that was lost before it was sent.

    Attributes:
        event: Its event, by its documented name.
        call_id: The call's id, as the routes know it.
        reference: The call's reference, whether or not the event echoed it.
        at: When it was sent, in UTC.
        status: The status of its answer; `None` where none came, or it was not sent.
        sent: Whether it was sent: not where it was lost.
    """

    event: str
    call_id: str
    reference: str | None
    at: datetime
    status: int | None
    sent: bool

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {**attrs.asdict(self), "at": self.at.isoformat()}


class Sending(Protocol):
    """What the sender knows of its fake."""

    webhooks: WebhookPlan
    project_id: str
    seed: int | None

    @property
    def webhook_log(self) -> list[SentWebhook]:
        """What was sent."""


@attrs.frozen(kw_only=True)
class _Outgoing:
    """An event on its way."""

    event: str
    call: Call
    plan: WebhookPlan
    url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    lost: bool
    tried: int = 0


class Webhooks:
    """Sends a fake's webhooks when their time has come."""

    def __init__(self, fake: Sending, clock: ServerClock) -> None:
        self._fake = fake
        self._clock = clock
        self._queue: list[tuple[datetime, int, _Outgoing]] = []
        self._numbers = itertools.count()
        self._on_their_way: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self.clear()

    def placed(self, call: Call) -> None:
        """Plan the events of a call that rings now."""
        url = call.order.webhook_url or call.agent.get("webhookUrl")
        if not _is_here(url):
            return
        plan = self._fake.webhooks
        events = _events_of(call, plan)
        disordered = self._strikes(plan.disordered)
        headers = _headers(call)
        call_id = str(uuid.uuid4()) if plan.own_call_id else call.ring.call_id
        for place, (event, at) in enumerate(reversed(events) if disordered else events):
            due = call.ended_at + place * _APART if disordered else at
            late = timedelta(seconds=plan.late_seconds * self._strikes(plan.late))
            echo = not self._strikes(plan.silent)
            said = _envelope(
                event, call, at=at, call_id=call_id, echo=echo, project_id=self._fake.project_id
            )
            body = said if plan.envelope == "documented" else _as_observed(said, call)
            outgoing = _Outgoing(
                event=event,
                call=call,
                plan=plan,
                url=url,
                headers=headers,
                body=json.dumps(body, ensure_ascii=False).encode(),
                lost=self._strikes(plan.lost),
            )
            for _ in range(1 + self._strikes(plan.doubled)):
                self._push(due + late, outgoing)
        self._wake()

    async def drained(self) -> None:
        """Wait until whatever is due by now was sent, and answered or given up."""
        while self._on_their_way or self._is_due():  # noqa: ASYNC110 - the clock may be anybody's
            await asyncio.sleep(_LOOK)

    async def aclose(self) -> None:
        """Send nothing more."""
        tasks = [*self._on_their_way, *([self._looking] if self._looking else [])]
        self._queue.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def clear(self) -> None:
        """Forget what was planned, and draw the same numbers again."""
        self._queue.clear()
        self._random = random.Random(self._fake.seed)

    def _strikes(self, share: float) -> bool:
        return self._random.random() < share

    def _push(self, due: datetime, outgoing: _Outgoing) -> None:
        # The number keeps the order of what is due at the same moment.
        heapq.heappush(self._queue, (due, next(self._numbers), outgoing))

    def _is_due(self) -> bool:
        return bool(self._queue) and self._queue[0][0] <= self._clock.now()

    def _wake(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while self._queue:
            while self._is_due() and len(self._on_their_way) < _SENT_AT_ONCE:
                _, _, outgoing = heapq.heappop(self._queue)
                task = asyncio.create_task(self._send(outgoing))
                self._on_their_way.add(task)
                task.add_done_callback(self._on_their_way.discard)
            await asyncio.sleep(_LOOK)

    async def _send(self, outgoing: _Outgoing) -> None:
        sent = not outgoing.lost
        status = await self._post(outgoing) if sent else None
        self._fake.webhook_log.append(
            SentWebhook(
                event=outgoing.event,
                call_id=outgoing.call.ring.call_id,
                reference=outgoing.call.ring.reference,
                at=self._clock.now(),
                status=status,
                sent=sent,
            )
        )
        tried = outgoing.tried + 1
        taken = status is not None and 200 <= status < 300
        if sent and not taken and tried < outgoing.plan.tries:
            pause = timedelta(seconds=outgoing.plan.retry_seconds)
            self._push(self._clock.now() + pause, attrs.evolve(outgoing, tried=tried))
            self._wake()

    async def _post(self, outgoing: _Outgoing) -> int | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=_PATIENCE, connector=aiohttp.TCPConnector(limit=0)
            )
        try:
            async with self._session.post(
                outgoing.url, data=outgoing.body, headers=outgoing.headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None


def _is_here(url: object) -> TypeGuard[str]:
    """Whether an URL leads to this machine. No other one is ever told anything."""
    try:
        return isinstance(url, str) and is_loopback(url)
    except ValueError:
        return False


def _events_of(call: Call, plan: WebhookPlan) -> Sequence[tuple[str, datetime]]:
    """The events of a call's life, each with its moment."""
    talk = (call.ended_at - call.answered_at) / 4
    moments = {"call.started": call.ring.at}
    if call.outcome in SPOKEN:
        moments |= {
            "call.answered": call.answered_at,
            "transcription.update": call.answered_at + talk,
            "tool.executed": call.answered_at + talk * 2,
        }
    if call.outcome in SPOKEN or plan.end_of_unanswered:
        moments["call.ended"] = call.ended_at
    return [(event, at) for event, at in moments.items() if event in plan.events]


def _headers(call: Call) -> Mapping[str, str]:
    auth = call.order.webhook_auth if call.order.webhook_url else call.agent.get("webhookAuth")
    headers = {"Content-Type": "application/json"}
    if isinstance(auth, Mapping):
        headers["Authorization"] = f"{auth.get('authKey', '')} {auth.get('authSecret', '')}"
    return headers


def _envelope(
    event: str, call: Call, *, at: datetime, call_id: str, echo: bool, project_id: str
) -> dict[str, Any]:
    """An event in the documented envelope."""
    params = {**(call.agent.get("params") or {}), **call.order.params} if echo else {}
    talked = call.outcome in SPOKEN
    data: Mapping[str, dict[str, Any]] = {
        "call.started": {
            "toNumber": call.ring.phone_number,
            "fromNumber": call.ring.from_number,
            "params": params,
        },
        "call.answered": {"ringDuration": (call.answered_at - call.ring.at).total_seconds()},
        "transcription.update": {"speaker": "User", "text": _TURNS[-1]["User"]},
        "tool.executed": {
            "toolName": "note",
            "input": {"text": "Goodbye"},
            "output": {"ok": True},
            "duration": 12,
        },
        "call.ended": {
            "timestamp": _iso(at),
            "data": {
                "conversationId": call.ring.call_id,
                "conversationRecording": f"https://recordings.example.net/{call.ring.call_id}.mp3"
                if talked
                else None,
                "transcription": list(_TURNS) if talked else [],
                "outcomeResult": params,
            },
        },
    }
    return {
        "eventType": event,
        "callId": call_id,
        "timestamp": _iso(at),
        "projectId": project_id,
        "agentId": call.ring.voice_agent_id,
        "agentName": call.agent.get("agentName"),
        "data": data[event],
    }


def _as_observed(said: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """The same event as others have seen it: another envelope, and one level less at the end."""
    event, data = said["eventType"], said["data"]
    if event == "call.ended":
        data = {
            **data["data"],
            "callStartedAt": call.created_ms,
            "callEndedAt": int(call.ended_at.timestamp() * 1000),
        }
    return {
        "event_type": _OBSERVED_NAMES.get(event, event.replace(".", "_")),
        "caller_info": {
            "call_id": said["callId"],
            "call_start_time": call.created_ms // 1000,
            "agent_id": said["agentId"],
        },
        "data": data,
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
