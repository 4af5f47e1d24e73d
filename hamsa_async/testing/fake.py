"""FakeHamsa: the documented API as a server of one's own, which rings nobody.

    async with FakeHamsa() as fake:
        ...                              # talk to fake.base_url with the key "fake-key"
        assert not fake.ledger.rung_twice()

It answers as the contract says: calls with a lifecycle, conversations, the minimal list, agents
and the project. `faults` make it misbehave, `ledger` says which phones rang. Another process
steers it without a key under `/_fake/`: `GET ledger`, `GET faults`, `POST faults` (a plan as
`FaultPlan.from_json` reads it), `POST reset`.
"""

import asyncio
import heapq
import inspect
import json
import random
import re
import socket
import uuid
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Literal, Self, cast
from urllib.parse import unquote

import attrs
from aiohttp import web
from attrs import validators

from hamsa_async.testing.faults import Answer, Exchange, FaultPlan, Kind
from hamsa_async.testing.ledger import Ledger, Ring

FAKE_API_KEY: Final = "fake-key"
FAKE_AGENT_ID: Final = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"
FAKE_PROJECT_ID: Final = "5b0c8f52-6c1e-4a37-9f0b-2d7f3c9a1e64"

OnPost = Callable[[dict[str, Any]], Awaitable[None] | None]

_API_KEY_ID: Final = "0f6d3b1a-92c4-4e7d-b5a8-6c1e2f9d8b70"
_VOICE_ID: Final = "83e0a6b2-f4c9-4d17-b5e8-1c7d9f2a6034"
_FROM_NUMBER: Final = "+18449292835"
_MADE_AT: Final = "2025-11-04T09:30:00.000Z"
_REFERENCE: Final = "_hamsa_reference"
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LIVE: Final = ("PENDING", "IN_PROGRESS")
_FINAL: Final = ("COMPLETED", "NO_ANSWER", "FAILED", "FORWARDED", "TERMINATED")
_LAST_MS: Final = 999_999_999_999_999
_LAST_PAGE: Final = 1_000_000
_BACKLOG: Final = 4096
_STOP_SECONDS: Final = 1.0

# What an agent looks like where nobody said otherwise: the part that both shapes share, and
# what each adds. `older` is the shape with a connected calendar as its tools.
_VOICE_RECORD: Final = {
    "id": _VOICE_ID,
    "name": "Sara",
    "provider": "hamsa",
    "language": "Arabic",
    "languageCode": "ar-AE",
    "image": None,
}
_AGENT: Final[Mapping[str, Any]] = {
    "id": FAKE_AGENT_ID,
    "agentName": "Fake agent",
    "greetingMessage": "Hello {{name}}, this is nobody calling.",
    "preamble": "You are an agent that never speaks to anybody.",
    "description": "Stands in for a real agent",
    "lang": "ar",
    "pokeMessages": ["Are you still there?"],
    "realTime": False,
    "silenceThreshold": 800,
    "interrupt": True,
    "outcome": None,
    "projectId": FAKE_PROJECT_ID,
    "apiKeyId": _API_KEY_ID,
    "voiceRecordId": _VOICE_ID,
    "voiceRecord": _VOICE_RECORD,
    "params": {},
    "createdAt": _MADE_AT,
    "updatedAt": _MADE_AT,
}
_NEWER_PART: Final[Mapping[str, Any]] = {
    "tools": {"genderDetection": False, "smartCallEnd": True},
    "greetingMessageType": "STATIC",
    "type": "Single Prompt",
    "outcomeResponseShape": {
        "type": "object",
        "properties": {"confirmed": {"type": "boolean", "description": "Did they confirm?"}},
        "required": ["confirmed"],
    },
    "webhookUrl": None,
    "webhookAuth": None,
    "voiceId": _VOICE_ID,
    "alignment": {"greetingMessage": "rtl", "preamble": "rtl"},
    "webToolsIds": [],
    "voiceDictionaryIds": [],
    "knowledgeBaseItemsIds": [],
    "webToolsOverrides": {},
    "userInactivityTimeout": 15,
    "maxCallDuration": 300,
    "responseDelay": 400,
    "backgroundNoise": False,
    "waitForUserToSpeakFirst": 0,
    "thinkingVoice": False,
    "speakerIdentification": False,
    "llmConfig": {
        "provider": "OpenAI",
        "modelName": "GPT-4.1",
        "baseUrl": None,
        "apiKey": None,
        "temperature": 0.2,
    },
    "noiseCancellation": "telephony-optimized",
    "cancelNoisePer": "conversation",
    "agenticRag": False,
    "languageDialectSwitcher": False,
    "minInterruptionDuration": 0.5,
    "vadActivationThreshold": 0.5,
    "enableAutoGainControl": False,
    "sendDenoisedToStt": False,
    "collectionId": None,
    "isTemplate": False,
    "icon": None,
}
_OFFICE_HOURS: Final = [[{"from": "09:00", "to": "12:00"}, {"from": "14:00", "to": "17:00"}]]
_OLDER_PART: Final[Mapping[str, Any]] = {
    "tools": {
        "id": "90b4e7d2-1f6c-4a85-b3e0-7d9c2f5a8b14",
        "calendarName": "Fake bookings",
        "accessToken": "fake-access-token",
        "refreshToken": "fake-refresh-token",
        "freeSlots": {
            "Monday": _OFFICE_HOURS,
            "Tuesday": _OFFICE_HOURS,
            "Wednesday": _OFFICE_HOURS,
            "Thursday": _OFFICE_HOURS,
            "Friday": _OFFICE_HOURS,
            "Saturday": _OFFICE_HOURS,
            "Sunday": _OFFICE_HOURS,
        },
        "meetingDuration": 30,
        "timezone": "Asia/Dubai",
        "voiceAgentToolsId": "47c0e9a6-8d3b-4f12-95e7-b6a1d0c8f254",
        "calendarId": "primary",
        "eventTitle": "New meeting by {agentName}",
    },
}
_SHAPES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"newer": {**_AGENT, **_NEWER_PART}, "older": {**_AGENT, **_OLDER_PART}}
)

# Fields of a request to start a call that must have a type where they are given and not null.
_TYPES: Final[Mapping[str, tuple[type, str]]] = MappingProxyType(
    {
        "fromNumber": (str, "a string"),
        "voiceAgentId": (str, "a string"),
        "params": (dict, "an object"),
        "agentDetails": (dict, "an object"),
        "webhookUrl": (str, "a string"),
        "webhookAuth": (dict, "an object"),
    }
)


class _RefusedError(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _ClientGoneError(Exception):
    """The client went before its body was here."""


def _refuse(status: int, message: str | None = None) -> _RefusedError:
    return _RefusedError(Answer.error(status, message))


@attrs.frozen(kw_only=True)
class _Order:
    """What a valid request to start a call asks for."""

    to_number: str
    from_number: str | None
    voice_agent_id: str | None
    agent_details: Mapping[str, Any] | None
    params: Mapping[str, Any]
    webhook_url: str | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "_Order":
        to_number = body.get("toNumber")
        if not isinstance(to_number, str) or not _E164.fullmatch(to_number):
            raise _refuse(400, "toNumber must be a phone number such as +971500000123")
        for name, (kind, wanted) in _TYPES.items():
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise _refuse(400, f"{name} must be {wanted}")
        if (body.get("voiceAgentId") is None) is (body.get("agentDetails") is None):
            raise _refuse(400, "give exactly one of voiceAgentId and agentDetails")
        return cls(
            to_number=to_number,
            from_number=body.get("fromNumber"),
            voice_agent_id=body.get("voiceAgentId"),
            agent_details=body.get("agentDetails"),
            params=_params_in(body),
            webhook_url=body.get("webhookUrl"),
        )


def _params_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    inline = body.get("agentDetails")
    params = inline.get("params") if isinstance(inline, dict) else body.get("params")
    return params if isinstance(params, dict) else {}


def _reference_in(body: Mapping[str, Any]) -> str | None:
    reference = _params_in(body).get(_REFERENCE)
    return reference if isinstance(reference, str) else None


def _number_in(body: Mapping[str, Any]) -> str | None:
    number = body.get("toNumber")
    return number if isinstance(number, str) else None


@attrs.frozen(kw_only=True)
class _Call:
    """A call that was placed. Where it stands follows from the time alone."""

    ring: Ring
    order: _Order
    agent: Mapping[str, Any] = attrs.field(repr=False)
    answered_at: datetime
    ended_at: datetime
    outcome: str

    @property
    def created_ms(self) -> int:
        return _epoch_ms(self.ring.at)

    def status(self, now: datetime) -> str:
        if now >= self.ended_at:
            return self.outcome
        # Somebody who does not answer, and a call that fails, never get as far as talking.
        talks = self.outcome in {"COMPLETED", "FORWARDED", "TERMINATED"}
        return _LIVE[talks and now >= self.answered_at]

    def updated_at(self, now: datetime) -> datetime:
        moments = {"PENDING": self.ring.at, "IN_PROGRESS": self.answered_at}
        return moments.get(self.status(now), self.ended_at)

    def seconds(self, now: datetime) -> int | None:
        if now < self.ended_at:
            return None
        talked = self.outcome not in {"NO_ANSWER", "FAILED"}
        return round((self.ended_at - self.answered_at).total_seconds()) if talked else 0

    def summary(self, now: datetime) -> dict[str, Any]:
        """What a call's job and its conversation have in common."""
        return {
            "id": self.ring.call_id,
            "title": self.agent["agentName"],
            "model": "Hamsa",
            "type": "VOICE_AGENTS",
            "processingType": "real-time",
            "mediaUrl": None,
            "jobResponse": None,
            "status": self.status(now),
            "apiKeyId": _API_KEY_ID,
            "voiceAgentId": self.ring.voice_agent_id,
            "createdAt": _iso(self.ring.at),
            "updatedAt": _iso(self.updated_at(now)),
        }

    def job(self, now: datetime) -> dict[str, Any]:
        """The answer to the request that placed it."""
        return {
            **self.summary(now),
            "webhookUrl": self.order.webhook_url,
            "totalCost": None,
            "usageTime": None,
            "fromLng": None,
            "toLng": None,
            "fromScript": None,
            "toScript": None,
            "relevantJobId": None,
            "agentDetails": {**self.agent, "params": self.params},
            "billingId": None,
            "systemModelKey": None,
        }

    def conversation(self, now: datetime) -> dict[str, Any]:
        """The call in full."""
        talked = self.status(now) == "COMPLETED"
        response = {"transcription": _TRANSCRIPT, "outcomeResult": self.params} if talked else {}
        return {
            **self.summary(now),
            "callParams": self.ends,
            "callDuration": self.seconds(now) or None,
            "channelType": "TELEPHONE",
            "agentDetails": {
                "id": self.agent["id"],
                "agentName": self.agent["agentName"],
                "lang": self.agent["lang"],
                "params": self.params,
            },
            "jobResponse": response,
            "callAnalysis": None,
            "voiceAgent": {
                "voiceAgentWebTools": [],
                "webTools": {},
                "voiceAgentKnowledgeBases": [],
            },
            "logs": [],
            "performanceMetrics": {},
        }

    def row(self, now: datetime) -> dict[str, Any]:
        """The call in the minimal list."""
        return {
            "id": self.ring.call_id,
            "createdAt": _iso(self.ring.at),
            "status": self.status(now),
            "voiceAgentId": self.ring.voice_agent_id,
            "agentName": self.agent["agentName"],
            "duration": self.seconds(now),
            "channelType": "Telephone",
            "callParams": self.ends,
        }

    @property
    def params(self) -> dict[str, Any]:
        return {**(self.agent.get("params") or {}), **self.order.params}

    @property
    def ends(self) -> dict[str, str]:
        machine = self.ring.from_number or _FROM_NUMBER
        return {"machineNumber": machine, "userNumber": self.ring.phone_number}


_TRANSCRIPT: Final = [{"Agent": "Hello, this is nobody calling."}, {"User": "Goodbye."}]


@attrs.define(eq=False)
class _Calls:
    """The calls that were placed, in the order in which they rang."""

    placed: list[_Call] = attrs.field(factory=list)
    by_id: dict[str, _Call] = attrs.field(factory=dict)
    _times: list[int] = attrs.field(factory=list)
    _ends: list[datetime] = attrs.field(factory=list)

    def add(self, call: _Call) -> None:
        self.placed.append(call)
        self.by_id[call.ring.call_id] = call
        self._times.append(call.created_ms)
        heapq.heappush(self._ends, call.ended_at)

    def live(self, now: datetime) -> int:
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return len(self._ends)

    def between(self, start_ms: int | None, end_ms: int | None) -> Sequence[_Call]:
        first = 0 if start_ms is None else bisect_left(self._times, start_ms)
        last = len(self._times) if end_ms is None else bisect_right(self._times, end_ms)
        return self.placed[first:last]

    def clear(self) -> None:
        self.placed.clear()
        self.by_id.clear()
        self._times.clear()
        self._ends.clear()


@attrs.define(kw_only=True, eq=False)
class _Bucket:
    """A token bucket over the server's time: `rate` starts a second, in bursts of as many."""

    rate: float
    _level: float = 0.0
    _at: datetime | None = None

    def take(self, now: datetime) -> bool:
        burst = max(self.rate, 1.0)
        passed = (now - self._at).total_seconds() if self._at else burst / self.rate
        self._level, self._at = min(burst, self._level + passed * self.rate), now
        if self._level < 1:
            return False
        self._level -= 1
        return True


@attrs.frozen(kw_only=True)
class _Filter:
    """The query of the minimal list."""

    agent_id: str | None
    statuses: frozenset[str]
    start_ms: int | None
    end_ms: int | None
    page: int
    per_page: int

    @classmethod
    def read(cls, request: web.BaseRequest) -> "_Filter":
        query = request.query
        statuses = frozenset(query.getall("status", []))
        strangers = sorted(statuses.difference(_LIVE, _FINAL))
        if strangers:
            raise _refuse(400, f"there is no status {strangers[0]}")
        start = _whole(query, "startTime", 0, _LAST_MS)
        end = _whole(query, "endTime", 0, _LAST_MS)
        if start is not None and end is not None and end < start:
            raise _refuse(400, "endTime must not be before startTime")
        return cls(
            agent_id=query.get("voiceAgentId"),
            statuses=statuses,
            start_ms=start,
            end_ms=end,
            page=_whole(query, "page", 1, _LAST_PAGE) or 1,
            per_page=_whole(query, "perPage", 1, 200) or 100,
        )

    def lets(self, call: _Call, now: datetime) -> bool:
        return self.agent_id in (None, call.ring.voice_agent_id) and (
            not self.statuses or call.status(now) in self.statuses
        )

    def cut(self, calls: Sequence[_Call]) -> Sequence[_Call]:
        first = (self.page - 1) * self.per_page
        return calls[first : first + self.per_page]


def _whole(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    # Too many digits are refused before int() has to read them.
    if not re.fullmatch(r"[0-9]{1,15}", text) or not least <= int(text) <= most:
        raise _refuse(400, f"{name} must be a whole number from {least} to {most}")
    return int(text)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _epoch_ms(at: datetime) -> int:
    # Whole numbers all the way: a float would round some moments up into the next millisecond.
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


@attrs.define(kw_only=True, eq=False)
class _Connection:
    """One client connection and what it is doing."""

    transport: asyncio.Transport | None
    gone: asyncio.Event = attrs.field(factory=asyncio.Event)
    served: int = 0
    busy: int = 0

    @property
    def idle(self) -> bool:
        """Kept alive after a request, and nothing asked on it now."""
        return bool(self.served) and not self.busy


class _Server(web.Server):
    """aiohttp's server, which also tells of its connections."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        keepalive_timeout: float,
    ) -> None:
        super().__init__(handler, access_log=None, keepalive_timeout=keepalive_timeout)
        self.open: dict[web.RequestHandler, _Connection] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.open[handler] = _Connection(transport=transport)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)
        self.open.pop(handler).gone.set()

    def of(self, request: web.BaseRequest) -> _Connection:
        connection = self.open.get(request.protocol)
        if connection is None:
            connection = _Connection(transport=None)
            connection.gone.set()
        return connection


class _NoAnswer(web.StreamResponse):
    """Writes nothing: the connection is gone, or was taken over by a fault."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write no headers."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write no body."""


def _as_tuple(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(keys)


def _one_agent() -> dict[str, dict[str, Any]]:
    return {FAKE_AGENT_ID: {}}


def _plan_or_none(plan: FaultPlan | None) -> FaultPlan:
    return FaultPlan() if plan is None else plan


def _agent_map(
    agents: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, dict[str, Any]] | None:
    return None if agents is None else {key: dict(agent) for key, agent in agents.items()}


def _span(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    least, most = value
    if not 0 <= least <= most < float("inf"):
        msg = f"{field.name} must be two numbers of seconds, the lesser first, not {value!r}"
        raise ValueError(msg)


def _weights(_: object, field: "attrs.Attribute[Any]", value: Mapping[str, float]) -> None:
    if not value or not set(value) <= set(_FINAL) or sum(value.values()) <= 0:
        msg = f"{field.name} must give shares to some of {', '.join(_FINAL)}, not {value!r}"
        raise ValueError(msg)


def _now_in_utc() -> datetime:
    return datetime.now(UTC)


@attrs.define(kw_only=True, eq=False)
class FakeHamsa:
    """The documented API as a local server, and the judge of who was rung.

    `async with FakeHamsa(...) as fake:`, or `await fake.start()` and `await fake.aclose()`.

    Attributes:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one, which it names once started.
        api_keys: The keys that are accepted.
        scheme: The word before the key in `Authorization`. `Bearer` is accepted too.
        project_id: The project of the keys.
        project_name: Its name.
        agents: The saved agents by id; fields that one leaves out are made up. `None` lets
            every id exist.
        agent_shape: `newer` (tools are switches) or `older` (tools are a connected calendar).
        latency: Seconds between a ring and the answer, at least and at most.
        call_seconds: How long a call lasts from its ring to its end, at least and at most.
        outcomes: How calls end, and in what shares.
        capacity: The most calls that may be live at once; one more is answered 429.
        rate_limit: The most starts of calls per second, in bursts of as many; more get 429.
        retry_after: The `Retry-After` of those 429s; `None` for none.
        faults: What goes wrong when. It may be changed, and replaced, while the server runs.
        ledger_path: A file to which each ring is appended as it happens.
        on_post: Called, and awaited where it is async, with the JSON body of each POST to the
            call route, before anything rings.
        clock: The time, aware and in UTC. Calls, limits and the `Date` header follow it. Where
            it steps back, the server's time stands still.
        seed: Decides how long calls and answers take and how calls end.
        keepalive_timeout: Seconds for which an idle connection is kept. A bare Node server's 5.
        ledger: Which phones rang, and which POSTs came.
        requests: How many requests each route had, by `"GET /v1/projects/by-api-key"` and so
            on, `"unknown"` for what is no route.
        in_flight: How many POSTs to the call route are being handled now.
        max_in_flight: The most of them that were being handled at once.
    """

    host: str = "127.0.0.1"
    port: int = attrs.field(default=0, validator=[validators.ge(0), validators.le(65535)])
    api_keys: tuple[str, ...] = attrs.field(
        default=(FAKE_API_KEY,), converter=_as_tuple, validator=validators.min_len(1), repr=False
    )
    scheme: str = "Token"
    project_id: str = FAKE_PROJECT_ID
    project_name: str = "Fake project"
    agents: dict[str, dict[str, Any]] | None = attrs.field(
        factory=_one_agent, converter=_agent_map, repr=False
    )
    agent_shape: Literal["newer", "older"] = attrs.field(
        default="newer", validator=validators.in_(tuple(_SHAPES))
    )
    latency: tuple[float, float] = attrs.field(default=(0.0, 0.0), validator=_span)
    call_seconds: tuple[float, float] = attrs.field(default=(5.0, 60.0), validator=_span)
    outcomes: Mapping[str, float] = attrs.field(
        default=MappingProxyType({"COMPLETED": 0.8, "NO_ANSWER": 0.15, "FAILED": 0.05}),
        validator=_weights,
        repr=False,
    )
    capacity: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(0))
    )
    rate_limit: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    retry_after: str | None = "1"
    faults: FaultPlan = attrs.field(default=None, converter=_plan_or_none)
    ledger_path: str | Path | None = None
    on_post: OnPost | None = attrs.field(default=None, repr=False)
    clock: Callable[[], datetime] = attrs.field(default=_now_in_utc, repr=False)
    seed: int | None = 0
    keepalive_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))

    ledger: Ledger = attrs.field(init=False, repr=False)
    requests: Counter[str] = attrs.field(init=False, factory=Counter, repr=False)
    in_flight: int = attrs.field(init=False, default=0)
    max_in_flight: int = attrs.field(init=False, default=0)

    _calls: _Calls = attrs.field(init=False, factory=_Calls, repr=False)
    _bucket: _Bucket | None = attrs.field(init=False, repr=False)
    _random: random.Random = attrs.field(init=False, repr=False)
    _latest: datetime = attrs.field(init=False, repr=False)
    _dated: tuple[int, str] = attrs.field(init=False, default=(-1, ""), repr=False)
    _handling: "set[asyncio.Task[Any]]" = attrs.field(init=False, factory=set, repr=False)
    _server: _Server | None = attrs.field(init=False, default=None, repr=False)
    _listener: asyncio.Server | None = attrs.field(init=False, default=None, repr=False)
    _reserved: socket.socket | None = attrs.field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = Ledger(path=self.ledger_path)
        self._latest = self.clock()
        self._start_afresh()

    @property
    def base_url(self) -> str:
        """Where it listens, as an URL without a path."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def start(self) -> Self:
        """Listen. Returns itself.

        Raises:
            RuntimeError: It listens already.
            OSError: The address cannot be listened on.
        """
        if self._server is not None:
            msg = "this FakeHamsa is started already"
            raise RuntimeError(msg)
        reserved = _bind(self.host, self.port)
        self.port = reserved.getsockname()[1]
        self._server = _Server(self._handle, keepalive_timeout=self.keepalive_timeout)
        self._listener = await _listen(self._server, reserved)
        return self

    async def aclose(self) -> None:
        """Stop at once: whoever still waits for an answer gets none. The ledger stays."""
        server, self._server = self._server, None
        if server is None:
            return
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self._release()
        handling = list(self._handling)
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)
        server.pre_shutdown()
        await server.shutdown(_STOP_SECONDS)
        self.ledger.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def pause_listening(self) -> None:
        """Be a host that is down: the port refuses, open connections break, state is kept.

        Requests that arrived before go on being handled, and ring; nobody hears of it.
        """
        server = self._started()
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for connection in list(server.open.values()):
            if connection.transport is not None:
                connection.transport.abort()
        # Bound, but not listening: it refuses connections, and nobody else gets the port.
        self._reserved = _bind(self.host, self.port)

    async def resume_listening(self) -> None:
        """Be up again, on the same port."""
        server = self._started()
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            self._listener = await _listen(server, reserved)

    async def say_on_idle(self, raw: bytes) -> int:
        """Write bytes that nobody asked for on every idle kept-alive connection.

        Returns:
            On how many connections they were written.
        """
        idle = [
            connection.transport
            for connection in self._started().open.values()
            if connection.idle
            and connection.transport is not None
            and not connection.transport.is_closing()
        ]
        for transport in idle:
            transport.write(raw)
        return len(idle)

    def reset(self) -> None:
        """Forget all calls, rings, counts and faults. A ledger file keeps what it has."""
        self.ledger.clear()
        self.faults.clear()
        self.requests.clear()
        self._calls.clear()
        self.max_in_flight = self.in_flight
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._random = random.Random(self.seed)
        self._bucket = None if self.rate_limit is None else _Bucket(rate=self.rate_limit)

    def _started(self) -> _Server:
        if self._server is None:
            msg = "this FakeHamsa is not started"
            raise RuntimeError(msg)
        return self._server

    def _release(self) -> None:
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            reserved.close()

    def _now(self) -> datetime:
        self._latest = max(self._latest, self.clock())
        return self._latest

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self._started().of(request)
        with self._handled(connection):
            answer = await self._answer(request, connection)
        if answer is None or connection.gone.is_set():
            return _NoAnswer()
        return self._response(answer)

    @contextmanager
    def _handled(self, connection: _Connection) -> Generator[None, None, None]:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._handling.add(task)
        connection.busy += 1
        connection.served += 1
        try:
            yield
        finally:
            connection.busy -= 1
            self._handling.discard(task)

    async def _answer(self, request: web.BaseRequest, connection: _Connection) -> Answer | None:
        route, argument = _find(request.method, request.path)
        if route is None or route.counted:
            self.requests[route.name if route else "unknown"] += 1
        try:
            if route is None:
                raise _refuse(404)
            return await route.answer(self, request, connection, argument)
        except _RefusedError as refusal:
            return refusal.answer
        except _ClientGoneError:
            return None

    def _response(self, answer: Answer) -> web.Response:
        headers = {**answer.headers, "Date": self._date()}
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        if answer.status < 200:
            # To HTTP this is no answer yet, and there will be none.
            response.force_close()
        return response

    def _date(self) -> str:
        now = self._now()
        second = int(now.timestamp())
        if self._dated[0] != second:
            self._dated = (second, format_datetime(now, usegmt=True))
        return self._dated[1]

    def _authorise(self, request: web.BaseRequest) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        known = scheme.lower() in (self.scheme.lower(), "bearer")
        if not known or key.strip() not in self.api_keys:
            raise _refuse(401)

    async def _place(
        self, request: web.BaseRequest, connection: _Connection, _: str
    ) -> Answer | None:
        post = self.ledger.arrived(self._now())
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            answer = await self._placed(request, connection, post)
        except _RefusedError as refusal:
            answer = refusal.answer
        finally:
            self.in_flight -= 1
        self.ledger.note(post, status=answer and answer.status)
        return answer

    async def _placed(
        self, request: web.BaseRequest, connection: _Connection, post: int
    ) -> Answer | None:
        body = await _json_object(request, connection)
        self.ledger.note(post, phone_number=_number_in(body), reference=_reference_in(body))
        await self._tell(body)
        self._authorise(request)
        order = _Order.read(body)
        agent = self._agent_for(order)
        self._admit()
        planned = self.faults.choose("call", order.to_number)
        rings = planned is None or planned.rings
        self.ledger.note(post, rang=rings, fault=planned and planned.name)
        answer = await self._ring(order, agent, post) if rings else _NOT_RUNG
        if planned is None:
            return answer
        return await planned.strike(self._exchange(request, connection, answer))

    async def _tell(self, body: dict[str, Any]) -> None:
        told = self.on_post(body) if self.on_post else None
        if inspect.isawaitable(told):
            await told

    async def _ring(self, order: _Order, agent: Mapping[str, Any], post: int) -> Answer:
        call = self._new_call(order, agent, post)
        self.ledger.rang(call.ring)
        self._calls.add(call)
        delay = self._random.uniform(*self.latency)
        # Rendered first: what an answer says is true when it is made, not when it arrives.
        answer = Answer.of(_success(call.job(self._now())))
        if delay:
            await asyncio.sleep(delay)
        return answer

    def _new_call(self, order: _Order, agent: Mapping[str, Any], post: int) -> _Call:
        ring = Ring(
            phone_number=order.to_number,
            at=self._now(),
            call_id=str(uuid.uuid4()),
            reference=_reference_in({"params": order.params}),
            post=post,
            voice_agent_id=order.voice_agent_id,
            from_number=order.from_number,
        )
        lasts = timedelta(seconds=self._random.uniform(*self.call_seconds))
        (outcome,) = self._random.choices(tuple(self.outcomes), tuple(self.outcomes.values()))
        return _Call(
            ring=ring,
            order=order,
            agent=agent,
            answered_at=ring.at + lasts / 5,
            ended_at=ring.at + lasts,
            outcome=outcome,
        )

    def _admit(self) -> None:
        now = self._now()
        full = self.capacity is not None and self._calls.live(now) >= self.capacity
        if full or (self._bucket is not None and not self._bucket.take(now)):
            raise _RefusedError(Answer.error(429).with_header("Retry-After", self.retry_after))

    def _agent_for(self, order: _Order) -> Mapping[str, Any]:
        if order.voice_agent_id is not None:
            return self._agent(order.voice_agent_id)
        inline = {"id": None, "agentName": "Inline agent", **(order.agent_details or {})}
        return {**_SHAPES[self.agent_shape], "projectId": self.project_id, **inline}

    def _agent(self, agent_id: str) -> Mapping[str, Any]:
        if self.agents is not None and agent_id not in self.agents:
            raise _refuse(404, "there is no such voice agent")
        own = (self.agents or {}).get(agent_id, {})
        shape = _SHAPES[self.agent_shape]
        return {**shape, "projectId": self.project_id, **own, "id": agent_id}

    def _exchange(
        self, request: web.BaseRequest, connection: _Connection, answer: Answer
    ) -> Exchange:
        return Exchange(
            answer=answer,
            target=request.path_qs,
            transport=None if connection.gone.is_set() else connection.transport,
            gone=connection.gone,
            now=self._now(),
        )

    async def _show_conversation(self, _: web.BaseRequest, call_id: str) -> "_Shown":
        call = self._calls.by_id.get(call_id)
        if call is None:
            raise _refuse(404)
        return _Shown(value=call.conversation(self._now()), number=call.ring.phone_number)

    async def _show_list(self, request: web.BaseRequest, _: str) -> "_Shown":
        wanted = _Filter.read(request)
        now = self._now()
        calls = self._calls.between(wanted.start_ms, wanted.end_ms)
        # Newest first: the order in which rows move between pages while one turns them.
        found = [call for call in reversed(calls) if wanted.lets(call, now)]
        return _Shown(
            value={
                "total": len(self._calls.placed),
                "filtered": len(found),
                "calls": [call.row(now) for call in wanted.cut(found)],
            }
        )

    async def _show_agent(self, _: web.BaseRequest, agent_id: str) -> "_Shown":
        return _Shown(value=dict(self._agent(agent_id)))

    async def _show_project(self, _: web.BaseRequest, __: str) -> "_Shown":
        return _Shown(
            value={
                "id": self.project_id,
                "name": self.project_name,
                "isDeactivated": False,
                "createdAt": _MADE_AT,
                "updatedAt": _MADE_AT,
            }
        )

    async def _show_ledger(self, *_: object) -> Answer:
        return Answer.of(self.ledger.to_json())

    async def _show_faults(self, *_: object) -> Answer:
        return Answer.of(self.faults.to_json())

    async def _take_faults(self, request: web.BaseRequest, *_: object) -> Answer:
        try:
            self.faults = FaultPlan.from_json(await _raw_body(request))
        except ValueError as error:
            return Answer.error(400, str(error))
        return Answer.of(self.faults.to_json())

    async def _take_reset(self, *_: object) -> Answer:
        self.reset()
        return Answer.of({"success": True})


@attrs.frozen(kw_only=True)
class _Shown:
    """What a read found, and the phone number it is about, if it is about one."""

    value: dict[str, Any]
    number: str | None = None


def _success(data: object) -> dict[str, Any]:
    return {"success": True, "message": "success", "data": data}


# What a fault that was told not to ring may still claim.
_NOT_RUNG: Final = Answer.of(_success({}))


async def _raw_body(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise _refuse(413) from error
    except (OSError, web.RequestPayloadError) as error:
        raise _ClientGoneError from error


async def _json_object(request: web.BaseRequest, connection: _Connection) -> dict[str, Any]:
    expects = request.headers.get("Expect", "").lower() == "100-continue"
    if expects and connection.transport is not None:
        connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        body = json.loads(await _raw_body(request))
    except ValueError as error:
        raise _refuse(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise _refuse(400, "the body must be a JSON object")
    return body


async def _listen(server: _Server, reserved: socket.socket) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, sock=reserved, backlog=_BACKLOG)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


_Respond = Callable[[FakeHamsa, web.BaseRequest, _Connection, str], Awaitable[Answer | None]]
_Show = Callable[[FakeHamsa, web.BaseRequest, str], Awaitable[_Shown]]


@attrs.frozen(kw_only=True)
class _Route:
    name: str
    answer: _Respond
    counted: bool = True
    pattern: re.Pattern[str] = attrs.field(init=False)

    @pattern.default
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", "([^/]+)", self.name))


def _reading(show: _Show) -> _Respond:
    """A read route: a key is needed, and faults on reads strike."""

    async def respond(
        fake: FakeHamsa, request: web.BaseRequest, connection: _Connection, argument: str
    ) -> Answer | None:
        fake._authorise(request)
        shown = await show(fake, request, argument)
        answer = Answer.of(_success(shown.value))
        kind: Kind = "read"
        planned = fake.faults.choose(kind, shown.number)
        if planned is None:
            return answer
        return await planned.strike(fake._exchange(request, connection, answer))

    return respond


_ROUTES: Final = (
    _Route(name="POST /v1/voice-agents/call", answer=FakeHamsa._place),
    _Route(
        name="GET /v1/voice-agents/conversation/{conversationId}",
        answer=_reading(FakeHamsa._show_conversation),
    ),
    _Route(
        name="GET /v1/voice-agents/conversations/minimal-list",
        answer=_reading(FakeHamsa._show_list),
    ),
    _Route(name="GET /v1/voice-agents/{voiceAgentId}", answer=_reading(FakeHamsa._show_agent)),
    _Route(name="GET /v1/projects/by-api-key", answer=_reading(FakeHamsa._show_project)),
    _Route(name="GET /_fake/ledger", counted=False, answer=FakeHamsa._show_ledger),
    _Route(name="GET /_fake/faults", counted=False, answer=FakeHamsa._show_faults),
    _Route(name="POST /_fake/faults", counted=False, answer=FakeHamsa._take_faults),
    _Route(name="POST /_fake/reset", counted=False, answer=FakeHamsa._take_reset),
)


def _find(method: str, path: str) -> tuple[_Route | None, str]:
    for route in _ROUTES:
        match = route.pattern.fullmatch(f"{method} {path}")
        if match:
            return route, unquote(match[1]) if match.groups() else ""
    return None, ""
