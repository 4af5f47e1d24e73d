"""Spans of OpenTelemetry, as its own exporter in memory was given them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from hamsa_async import (
    CallRequest,
    HamsaClient,
    HamsaError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    ServerError,
)
from hamsa_async._wire import build_call, parse_call
from hamsa_async.otel import OpenTelemetryHook
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]

NUMBER = "+971500000123"
MASKED = "+9715******23"


class Traced:
    """A hook, the spans that it ended, and a tracer of the caller's."""

    def __init__(self, provider: TracerProvider) -> None:
        self._exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.hook = OpenTelemetryHook(tracer_provider=provider)
        self.tracer: Tracer = provider.get_tracer("caller")

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those of the hook."""
        return [
            span
            for span in self._exporter.get_finished_spans()
            if span.instrumentation_scope is not None
            and span.instrumentation_scope.name == "hamsa_async"
        ]

    @property
    def span(self) -> ReadableSpan:
        """The one span; none is open."""
        assert self.hook._open == {}
        (span,) = self.spans
        return span


@pytest.fixture
def traced() -> Traced:
    return Traced(TracerProvider())


def attributes(span: Any) -> dict[str, Any]:
    return dict(span.attributes)


def told(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    """A span's events, without what a clock says."""
    return [
        (
            event.name.removeprefix("hamsa."),
            {
                name.removeprefix("hamsa."): value
                for name, value in (event.attributes or {}).items()
                if name != "hamsa.seconds"
            },
        )
        for event in span.events
    ]


def names(span: ReadableSpan) -> list[str]:
    return [name for name, _ in told(span)]


def began_and_sent(attempt: int) -> list[tuple[str, Mapping[str, Any]]]:
    return [("attempt_began", {"attempt": attempt}), ("attempt_sent", {"attempt": attempt})]


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def test_a_call_is_a_span_below_its_callers(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    client = await connect(fake, hooks=[traced.hook])
    with traced.tracer.start_as_current_span("order") as order:
        call = await place(client, reference="order-17")
    span = traced.span
    assert (span.name, span.kind) == ("hamsa.voice_agents.call", SpanKind.CLIENT)
    assert parent_of(span) == order.get_span_context().span_id
    assert (span.status.status_code, span.status.description) == (StatusCode.UNSET, None)
    assert attributes(span) == {
        "http.request.method": "POST",
        "url.template": "/v1/voice-agents/call",
        "server.address": "127.0.0.1",
        "server.port": fake.port,
        "http.response.status_code": 200,
        "hamsa.operation": "voice_agents.call",
        "hamsa.reference": "order-17",
        "hamsa.to_number": MASKED,
        "hamsa.attempts": 1,
        "hamsa.certainty": "placed",
        "hamsa.call_id": call.id,
    }
    settled = {
        "attempt": 1,
        "certainty": "placed",
        "abandoned": False,
        "http.response.status_code": 200,
    }
    assert told(span) == [*began_and_sent(1), ("attempt_settled", settled)]
    assert type(attributes(span)["hamsa.certainty"]) is str  # no enum: exporters differ


async def test_another_write_has_the_id_of_what_it_made(
    fake: FakeHamsa, traced: Traced, connect: Connect
) -> None:
    client = await connect(fake, hooks=[traced.hook])
    made = await client.voice_agents.clone(FAKE_AGENT_ID, agent_name="Nour")
    said = attributes(traced.span)
    assert (said["hamsa.made_id"], said["hamsa.operation"]) == (made.id, "voice_agents.clone")
    assert "hamsa.call_id" not in said


async def test_a_port_that_goes_without_saying_is_said(traced: Traced) -> None:
    """The convention asks for it where there is a name."""
    async with HamsaClient("key", hooks=[traced.hook]) as client:
        pass
    with pytest.raises(NotSentError):
        await client.projects.current()
    said = attributes(traced.span)
    assert (said["server.address"], said["server.port"]) == ("api.tryhamsa.com", 443)
    assert said["hamsa.attempts"] == 0
    assert "http.response.status_code" not in said


async def test_fifty_at_once_each_below_its_own(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    client = await connect(fake, hooks=[traced.hook], concurrency_limit=7)
    asked: dict[str, int] = {}

    async def one(name: str) -> tuple[str, str]:
        with traced.tracer.start_as_current_span(name) as span:
            asked[name] = span.get_span_context().span_id
            return name, (await place(client, reference=name)).id

    placed = dict(await asyncio.gather(*(one(str(n)) for n in range(50))))
    assert traced.hook._open == {}
    assert len(traced.spans) == 50
    assert {attributes(span)["hamsa.reference"]: parent_of(span) for span in traced.spans} == asked
    ids = {
        attributes(span)["hamsa.reference"]: attributes(span)["hamsa.call_id"]
        for span in traced.spans
    }
    assert ids == placed


async def test_two_clients_may_share_a_hook(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    async with FakeHamsa() as other:
        clients = [await connect(server, hooks=[traced.hook]) for server in (fake, other)]
        await asyncio.gather(*(place(client) for client in clients * 5))
        ports = [attributes(span)["server.port"] for span in traced.spans]
        assert sorted(ports) == sorted([fake.port, other.port] * 5)
        ids = {ring.call_id: ring for ring in (*fake.ledger.rings, *other.ledger.rings)}
        assert {attributes(span)["hamsa.call_id"] for span in traced.spans} == set(ids)


async def test_a_read_that_is_tried_again(
    fake: FakeHamsa, traced: Traced, connect: Connect
) -> None:
    client = await connect(fake, hooks=[traced.hook])
    fake.faults.next("status_503", on="read")
    await client.conversations.list()
    span = traced.span
    assert span.status.status_code is StatusCode.UNSET
    said = attributes(span)
    assert said["http.request.method"] == "GET"
    assert said["url.template"] == "/v1/voice-agents/conversations/minimal-list"
    assert (said["hamsa.attempts"], said["http.request.resend_count"]) == (2, 1)
    assert said["http.response.status_code"] == 200
    assert "hamsa.certainty" not in said
    failed = {
        "attempt": 1,
        "abandoned": False,
        "http.response.status_code": 503,
        "error.type": "hamsa_async.errors.ServerError",
    }
    again = {"attempts": 1, "wait": 0, "error.type": "hamsa_async.errors.ServerError"}
    settled = {"attempt": 2, "abandoned": False, "http.response.status_code": 200}
    assert told(span) == [
        *began_and_sent(1),
        ("attempt_settled", failed),
        ("retry_scheduled", again),
        *began_and_sent(2),
        ("attempt_settled", settled),
    ]


async def test_a_read_that_fails(fake: FakeHamsa, traced: Traced, connect: Connect) -> None:
    client = await connect(fake, hooks=[traced.hook], retry=RetryPolicy(attempts=1))
    fake.faults.next("status_503", on="read")
    with pytest.raises(ServerError) as raised:
        await client.projects.current()
    span = traced.span
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == str(raised.value)
    assert attributes(span)["error.type"] == "hamsa_async.errors.ServerError"
    assert attributes(span)["http.response.status_code"] == 503


async def test_an_unknown_outcome_is_an_error(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    client = await connect(fake, hooks=[traced.hook])
    fake.faults.next("drop_after")
    with pytest.raises(OutcomeUnknownError) as raised:
        await place(client)
    span = traced.span
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == str(raised.value)
    said = attributes(span)
    assert said["hamsa.certainty"] == "unknown"
    assert said["error.type"] == "hamsa_async.errors.OutcomeUnknownError"
    assert "hamsa.call_id" not in said
    assert names(span) == ["attempt_began", "attempt_sent", "attempt_settled"]


async def test_the_last_try_is_what_the_span_says(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    """A 429, and then nothing: the status of the first answers nothing about the second."""
    client = await connect(fake, hooks=[traced.hook])
    fake.faults.next("rate_limited", retry_after="0")
    fake.faults.next("drop_after")
    with pytest.raises(OutcomeUnknownError):
        await place(client)
    said = attributes(traced.span)
    assert (said["hamsa.attempts"], said["hamsa.certainty"]) == (2, "unknown")
    assert "http.response.status_code" not in said


async def test_not_sent(free_port: int, traced: Traced, connect: Connect, place: Place) -> None:
    client = await connect(f"http://127.0.0.1:{free_port}", hooks=[traced.hook])
    with pytest.raises(NotSentError):
        await place(client)
    assert attributes(traced.span)["hamsa.certainty"] == "not_sent"
    assert "attempt_sent" not in names(traced.span)


async def test_cancelled_in_the_queue(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    client = await connect(fake, hooks=[traced.hook], concurrency_limit=1)
    fake.faults.next("hang")
    tasks = [asyncio.create_task(place(client)) for _ in range(2)]
    while fake.ledger.posts == 0:
        await asyncio.sleep(0.005)
    tasks[1].cancel()
    await asyncio.wait(tasks[1:])
    (span,) = traced.spans
    assert (span.status.status_code, names(span)) == (StatusCode.ERROR, [])
    assert span.status.description == "CancelledError"
    assert attributes(span)["error.type"] == "asyncio.exceptions.CancelledError"
    await client.aclose()
    await asyncio.wait(tasks)
    assert traced.hook._open == {}


async def test_cancelled_and_placed_all_the_same(
    raw_server: Callable[..., Awaitable[Any]], traced: Traced, connect: Connect, place: Place
) -> None:
    """The span waits for the id of the call that rang."""
    answering = asyncio.Event()

    async def hold(connection: Any) -> None:
        while await server.next_request(connection):
            await answering.wait()
            connection.say(server.answer)

    server = await raw_server(hold)
    client = await connect(server, hooks=[traced.hook], grace_period=30)
    task = asyncio.create_task(place(client))
    while server.posts == 0:
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
    assert traced.spans == []
    answering.set()
    await client.aclose()
    span = traced.span
    assert span.status.status_code is StatusCode.ERROR
    said = attributes(span)
    assert said["error.type"] == "asyncio.exceptions.CancelledError"
    assert said["hamsa.certainty"] == "placed"
    assert (server.posts, said["hamsa.call_id"]) == (1, "call-1")
    assert told(span)[-1][1]["abandoned"] is True


async def test_nothing_is_kept_of_calls_cancelled_at_any_turn(
    fake: FakeHamsa, traced: Traced, connect: Connect, place: Place
) -> None:
    client = await connect(fake, hooks=[traced.hook], concurrency_limit=2, grace_period=30)
    for turns in range(1, 80):
        tasks = [asyncio.create_task(place(client)) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await client.aclose()
    assert traced.hook._open == {}
    assert len(traced.spans) == 79 * 3
    ids = {attributes(span).get("hamsa.call_id") for span in traced.spans} - {None}
    assert ids == {ring.call_id for ring in fake.ledger.rings}


async def test_a_span_that_is_not_sampled_is_not_kept(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    traced = Traced(TracerProvider(sampler=ALWAYS_OFF))
    client = await connect(fake, hooks=[traced.hook])
    fake.faults.next("hang")
    task = asyncio.create_task(place(client))
    while fake.ledger.posts == 0:
        await asyncio.sleep(0.005)
    assert traced.hook._open == {}
    await client.aclose()
    await asyncio.wait([task])
    assert traced.spans == []


@pytest.mark.parametrize("status", [200, 401, 422, 500])
async def test_no_span_shows_a_number_or_a_key(
    status: int,
    traced: Traced,
    connect: Connect,
    raw_server: Callable[..., Awaitable[Any]],
    say: Callable[..., bytes],
) -> None:
    """Not of an answer that echoes both, and not of what a caller's own code raises."""
    server = await raw_server()
    echo = {"message": f"{NUMBER} by {FAKE_API_KEY}", "messageKey": FAKE_API_KEY, "data": []}
    server.answer = say(status, json.dumps(echo).encode())
    request = build_call(CallRequest(to_number=NUMBER, voice_agent_id="a"))

    async def leak() -> str:
        raise LookupError(f"{NUMBER} by {FAKE_API_KEY}")

    client = await connect(server, hooks=[traced.hook])
    with pytest.raises(HamsaError):
        await client._sender.send(request, parse_call)
    with pytest.raises(LookupError):
        await client._sender.send(request, parse_call, before_send=leak)
    client = await connect(server, hooks=[traced.hook], api_key=leak)
    with pytest.raises(NotSentError):
        await client._sender.send(request, parse_call)
    assert len(traced.spans) == 3
    assert {span.status.status_code for span in traced.spans} == {StatusCode.ERROR}
    assert {attributes(span)["hamsa.to_number"] for span in traced.spans} == {MASKED}
    shown = " ".join(span.to_json() for span in traced.spans)
    assert NUMBER[1:] not in shown
    assert FAKE_API_KEY not in shown


def test_the_global_provider_may_be_set_later() -> None:
    """A process has one, which can be set once: so in a process of its own."""
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from hamsa_async import CallEnded, CallQueued
from hamsa_async.otel import OpenTelemetryHook

hook, exporter = OpenTelemetryHook(), InMemorySpanExporter()

def call(number):
    about = {"operation": "projects.current", "number": number}
    hook(CallQueued(base_url="http://[::1]", reference=None, to_number=None, **about))
    hook(CallEnded(attempts=0, error=None, seconds=0.0, **about))

call(0)
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
call(1)
for span in exporter.get_finished_spans():
    print(span.name, span.attributes["server.address"], span.attributes["server.port"])
"""
    done = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True)
    assert done.stdout == "hamsa.projects.current ::1 80\n"


def test_without_the_extra_it_says_how_to_install_it() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = sys.modules["opentelemetry.trace"] = None
import hamsa_async
try:
    import hamsa_async.otel
except hamsa_async.ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "spans need the package opentelemetry-api, which is not installed:"
        " pip install 'hamsa-async[otel]'\n"
    )
