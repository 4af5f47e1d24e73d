"""FakeHamsa: the documented API as a server of one's own, which rings nobody.

    async with FakeHamsa() as fake:
        ...                              # talk to fake.base_url with the key "fake-key"
        assert not fake.ledger.rung_twice()

It answers as the contract says: calls with a lifecycle, conversations, the minimal list, agents
and the project. `faults` make it misbehave, `ledger` says which phones rang, and calls with a
webhook are told of there as `webhooks` says. Another process steers it without a key under
`/_fake/`: `GET ledger`, `GET faults`, `POST faults` (a plan as `FaultPlan.from_json` reads it),
`GET webhooks` (what was sent), `POST webhooks` (a plan as `WebhookPlan.from_json` reads it),
`POST reset`.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Literal, Self, cast

import attrs
from aiohttp import web
from attrs import validators

from hamsa_async.testing.account import SHAPES
from hamsa_async.testing.catalogue import Catalogue
from hamsa_async.testing.catalogue_routes import CatalogueRoutes
from hamsa_async.testing.clock import ServerClock
from hamsa_async.testing.connections import Connection, ConnectionServer, NoAnswer
from hamsa_async.testing.control import Control
from hamsa_async.testing.faults import Answer, FaultPlan
from hamsa_async.testing.ledger import Ledger
from hamsa_async.testing.lifecycle import FINAL, Call, Calls
from hamsa_async.testing.listening import bind, listen
from hamsa_async.testing.messages import ClientGoneError, RefusedError, refuse
from hamsa_async.testing.placing import Placing
from hamsa_async.testing.reads import Reads
from hamsa_async.testing.routes import Route, all_routes, find
from hamsa_async.testing.settings import OnPost
from hamsa_async.testing.webhooks import SentWebhook, WebhookPlan, Webhooks

FAKE_API_KEY: Final = "fake-key"
FAKE_AGENT_ID: Final = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"
FAKE_PROJECT_ID: Final = "5b0c8f52-6c1e-4a37-9f0b-2d7f3c9a1e64"

_STOP_SECONDS: Final = 1.0

# Where a server is found that listens on every address of its machine.
_NEAR: Final[Mapping[str, str]] = MappingProxyType(
    {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  bound by who asks for it
)


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
    if not value or not set(value) <= set(FINAL) or sum(value.values()) <= 0:
        msg = f"{field.name} must give shares to some of {', '.join(FINAL)}, not {value!r}"
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
        numbers: The numbers that are registered with it, as the API shows them.
        history: Calls of before it began. They are shown; the ledger does not have their rings.
        agent_shape: `newer` (tools are switches) or `older` (tools are a connected calendar).
        latency: Seconds between a ring and the answer, at least and at most.
        call_seconds: How long a call lasts from its ring to its end, at least and at most.
        outcomes: How calls end, and in what shares.
        scripts: For calls to a number: its statuses, each with the seconds from the ring at which
            it comes, in order. Any text is a status here, and they may go backwards.
        outcome_lag: Seconds from a call's end until its transcript and outcome are there.
        capacity: The most calls that may be live at once; one more is answered 429.
        rate_limit: The most starts of calls per second, in bursts of as many; more get 429.
        retry_after: The `Retry-After` of those 429s; `None` for none.
        list_lag: Seconds from a ring until the minimal list has the call, infinite for never; by
            phone number where only some calls are late.
        null_numbers: Phone numbers in whose place the minimal list says null.
        echo_params: Whether the `params` of a call come back with its conversation.
        faults: What goes wrong when. It may be changed, and replaced, while the server runs.
        ledger_path: A file to which each ring is appended as it happens.
        resume: Whether it goes on with the calls of that file, as a server that was started
            again: they are shown, and the ledger has their rings. How they end is drawn anew,
            and no webhook tells of it.
        on_post: Called, and awaited where it is async, with the JSON body of each POST to the
            call route, before anything rings.
        webhooks: How webhooks are sent, and what goes wrong with them. It may be replaced while
            the server runs; a call keeps the plan that it was placed under.
        clock: The time, aware and in UTC. Calls, limits and the `Date` header follow it. Where
            it steps back, the server's time stands still.
        seed: Decides how long calls and answers take and how calls end.
        keepalive_timeout: Seconds for which an idle connection is kept. A bare Node server's 5.
        ledger: Which phones rang, and which POSTs came.
        webhook_log: Which webhooks were sent, and how they were answered.
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
    numbers: Sequence[Mapping[str, Any]] = attrs.field(default=(), repr=False)
    history: Sequence[Call] = attrs.field(default=(), repr=False)
    agent_shape: Literal["newer", "older"] = attrs.field(
        default="newer", validator=validators.in_(tuple(SHAPES))
    )
    latency: tuple[float, float] = attrs.field(default=(0.0, 0.0), validator=_span)
    call_seconds: tuple[float, float] = attrs.field(default=(5.0, 60.0), validator=_span)
    outcomes: Mapping[str, float] = attrs.field(
        default=MappingProxyType({"COMPLETED": 0.8, "NO_ANSWER": 0.15, "FAILED": 0.05}),
        validator=_weights,
        repr=False,
    )
    scripts: Mapping[str, Sequence[tuple[float, str]]] = attrs.field(factory=dict, repr=False)
    outcome_lag: float = attrs.field(default=0.0, validator=validators.ge(0))
    capacity: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(0))
    )
    rate_limit: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    retry_after: str | None = "1"
    list_lag: float | Mapping[str, float] = attrs.field(default=0.0, repr=False)
    null_numbers: Container[str] = attrs.field(default=(), repr=False)
    echo_params: bool = True
    faults: FaultPlan = attrs.field(default=None, converter=_plan_or_none)
    ledger_path: str | Path | None = None
    resume: bool = False
    on_post: OnPost | None = attrs.field(default=None, repr=False)
    webhooks: WebhookPlan = attrs.field(factory=WebhookPlan, repr=False)
    clock: Callable[[], datetime] = attrs.field(default=_now_in_utc, repr=False)
    seed: int | None = 0
    keepalive_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))

    ledger: Ledger = attrs.field(init=False, repr=False)
    webhook_log: list[SentWebhook] = attrs.field(init=False, factory=list, repr=False)
    requests: Counter[str] = attrs.field(init=False, factory=Counter, repr=False)
    in_flight: int = attrs.field(init=False, default=0)
    max_in_flight: int = attrs.field(init=False, default=0)

    _clock: ServerClock = attrs.field(init=False, repr=False)
    _calls: Calls = attrs.field(init=False, factory=Calls, repr=False)
    _webhooks: Webhooks = attrs.field(init=False, repr=False)
    _placing: Placing = attrs.field(init=False, repr=False)
    _catalogue: Catalogue = attrs.field(init=False, repr=False)
    _routes: Sequence[Route] = attrs.field(init=False, repr=False)
    _handling: "set[asyncio.Task[Any]]" = attrs.field(init=False, factory=set, repr=False)
    _server: ConnectionServer | None = attrs.field(init=False, default=None, repr=False)
    _listener: asyncio.Server | None = attrs.field(init=False, default=None, repr=False)
    _reserved: socket.socket | None = attrs.field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = self._open_ledger()
        self._clock = ServerClock(lambda: self.clock())  # noqa: PLW0108  it may be replaced
        self._webhooks = Webhooks(self, self._clock)
        self._placing = Placing(self, self._clock, self._calls, self._webhooks)
        reads = Reads(self, self._clock, self._calls)
        self._catalogue = Catalogue(self, self._clock)
        kept = CatalogueRoutes(self, self._clock, self._calls, self._catalogue)
        self._routes = all_routes(self._placing, reads, kept, Control(self))
        self._move_in()
        for ring in self.ledger.rings:
            self._calls.add(self._placing.take_up(ring))

    @property
    def base_url(self) -> str:
        """Where it listens, as an URL without a path."""
        host = _NEAR.get(self.host, self.host)
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
        reserved = bind(self.host, self.port)
        self.port = reserved.getsockname()[1]
        self._server = ConnectionServer(self._handle, keepalive_timeout=self.keepalive_timeout)
        self._listener = await listen(self._server, reserved)
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
        await self._webhooks.aclose()
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
        server.break_all()
        self._reserved = bind(self.host, self.port)

    async def resume_listening(self) -> None:
        """Be up again, on the same port."""
        server = self._started()
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            self._listener = await listen(server, reserved)

    async def say_on_idle(self, raw: bytes) -> int:
        """Write bytes that nobody asked for on every idle kept-alive connection.

        Returns:
            On how many connections they were written.
        """
        return self._started().say_on_idle(raw)

    async def webhooks_drained(self) -> None:
        """Wait until every webhook whose time has come was sent, and answered or given up."""
        await self._webhooks.drained()

    def reset(self) -> None:
        """Be as at the beginning: no rings, webhooks, counts or faults.

        A ledger file keeps what it has.
        """
        self.ledger.clear()
        self.faults.clear()
        self.requests.clear()
        self._calls.clear()
        self._catalogue.clear()
        self._webhooks.clear()
        self.webhook_log.clear()
        self.max_in_flight = self.in_flight
        self._placing.start_afresh()
        self._move_in()

    def _open_ledger(self) -> Ledger:
        if not self.resume:
            return Ledger(path=self.ledger_path)
        if self.ledger_path is None:
            msg = "to resume needs a ledger_path: the file that has the calls"
            raise ValueError(msg)
        return Ledger.resume(self.ledger_path)

    def _move_in(self) -> None:
        for call in sorted(self.history, key=lambda call: call.created_ms):
            self._calls.add(call)
        for number in self.numbers:
            self._catalogue.numbers.put(dict(number))

    def _started(self) -> ConnectionServer:
        if self._server is None:
            msg = "this FakeHamsa is not started"
            raise RuntimeError(msg)
        return self._server

    def _release(self) -> None:
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            reserved.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self._started().of(request)
        with self._handled(connection):
            answer = await self._answer(request, connection)
        if answer is None or connection.gone.is_set():
            return NoAnswer()
        return self._response(answer)

    @contextmanager
    def _handled(self, connection: Connection) -> Generator[None, None, None]:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._handling.add(task)
        try:
            with connection.serving():
                yield
        finally:
            self._handling.discard(task)

    async def _answer(self, request: web.BaseRequest, connection: Connection) -> Answer | None:
        route, argument = find(self._routes, request.method, request.path)
        if route is None or route.counted:
            self.requests[route.name if route else "unknown"] += 1
        try:
            if route is None:
                raise refuse(404)
            return await route.answer(request, connection, argument)
        except RefusedError as refusal:
            return refusal.answer
        except ClientGoneError:
            return None

    def _response(self, answer: Answer) -> web.Response:
        headers = {**answer.headers, "Date": self._clock.http_date()}
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        if answer.status < 200:
            # To HTTP this is no answer yet, and there will be none.
            response.force_close()
        return response
