"""Spans of OpenTelemetry, made of what a client tells its hooks. Needs the extra `otel`.

    client = HamsaClient(hooks=[OpenTelemetryHook()])

A logical call is one span of kind CLIENT, named after its operation (`hamsa.voice_agents.call`).
It is a child of the span that is current where the call is awaited, begins when it is asked for
and ends with its `CallEnded`; its tries are events of the span. Where the caller was cancelled
and its request was on its way already, the span ends when the request does, with the id of the
call that was placed.

Attributes follow OpenTelemetry's conventions for HTTP clients where one fits
(`http.request.method`, `url.template`, `server.address`, `server.port`,
`http.response.status_code`, `http.request.resend_count`, `error.type`); `hamsa.operation`,
`hamsa.attempts`, `hamsa.certainty`, `hamsa.call_id`, `hamsa.made_id` (of other writes),
`hamsa.reference` and `hamsa.to_number` (masked) stand beside them. `url.full` does not: a query
may hold a phone number.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from hamsa_async._operations import OPERATIONS, Operation
from hamsa_async._version import __version__
from hamsa_async.errors import Certainty, ConfigurationError, HamsaError
from hamsa_async.instrumentation import (
    AttemptBegan,
    AttemptSent,
    AttemptSettled,
    CallEnded,
    CallQueued,
    CooldownStarted,
    Event,
    RetryScheduled,
)

try:
    from opentelemetry.trace import (
        Span,
        SpanKind,
        Status,
        StatusCode,
        Tracer,
        TracerProvider,
        get_tracer,
    )
except ImportError:
    raise ConfigurationError(
        "spans need the package opentelemetry-api, which is not installed:"
        " pip install 'hamsa-async[otel]'"
    ) from None

__all__ = ["OpenTelemetryHook"]

_OPERATIONS: Final[Mapping[str, Operation]] = {each.name: each for each in OPERATIONS}
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

_Value = str | int | float
_OfOneCall = AttemptBegan | AttemptSent | AttemptSettled | RetryScheduled


@attrs.define(kw_only=True, eq=False)
class _Open:
    """A span that has not ended, and how the latest try of its call did."""

    span: Span
    latest: AttemptSettled | None = None


class OpenTelemetryHook:
    """A hook that makes a span of every logical call. One may listen to several clients.

    It keeps what has not ended, and nothing else; a span that is not sampled is not kept at all.
    A span's status is ERROR wherever the caller was given no answer: refused, not sent, unknown
    (`hamsa.certainty` says which) and cancelled. No whole phone number and no key is in it; a
    `reference` is shown as it was given.

    Args:
        tracer_provider: Where spans go to; by default the global provider, which may also be
            set later.

    Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
    """

    def __init__(self, *, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer: Tracer = get_tracer("hamsa_async", __version__, tracer_provider)
        self._open: dict[int, _Open] = {}

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        match event:
            case CallQueued():
                self._begin(event)
            case CallEnded():
                self._end(event)
            case CooldownStarted():
                pass  # it concerns no call more than another
            case _:
                self._note(event)

    def _begin(self, event: CallQueued) -> None:
        span = self._tracer.start_span(
            f"hamsa.{event.operation}", kind=SpanKind.CLIENT, attributes=_known_before(event)
        )
        if span.is_recording():
            self._open[event.number] = _Open(span=span)

    def _note(self, event: _OfOneCall) -> None:
        if (call := self._open.get(event.number)) is None:
            return
        if isinstance(event, AttemptSettled):
            call.latest = event
        name, attributes = _in_short(event)
        call.span.add_event(name, attributes)

    def _end(self, event: CallEnded) -> None:
        if (call := self._open.pop(event.number, None)) is None:
            return
        call.span.set_attributes(_known_after(event, call.latest))
        if event.error is not None:
            call.span.set_status(Status(StatusCode.ERROR, _text(event.error)))
        call.span.end()


def _known_before(event: CallQueued) -> dict[str, _Value]:
    operation, server = _OPERATIONS[event.operation], urlsplit(event.base_url)
    return _present(
        {
            "http.request.method": operation.method,
            "url.template": operation.path,
            "server.address": server.hostname,
            "server.port": server.port or _PORTS[server.scheme],
            "hamsa.operation": operation.name,
            "hamsa.reference": event.reference,
            "hamsa.to_number": event.to_number,
        }
    )


def _known_after(event: CallEnded, latest: AttemptSettled | None) -> dict[str, _Value]:
    known: dict[str, _Value | None] = {
        "http.request.resend_count": event.attempts - 1 if event.attempts > 1 else None,
        "error.type": _kind(event.error),
        "hamsa.attempts": event.attempts,
    }
    if latest is not None:
        known |= {
            "http.response.status_code": latest.status,
            "hamsa.certainty": latest.certainty,
            "hamsa.call_id": latest.call_id,
            "hamsa.made_id": None if latest.call_id else latest.made_id,
        }
    if isinstance(event.error, HamsaError) and event.error.certainty is not None:
        known["hamsa.certainty"] = event.error.certainty
    return _present(known)


def _in_short(event: _OfOneCall) -> tuple[str, dict[str, _Value]]:
    """What an event is called in a span, and what it says there."""
    match event:
        case AttemptBegan():
            return "hamsa.attempt_began", {"hamsa.attempt": event.attempt}
        case AttemptSent():
            return "hamsa.attempt_sent", {"hamsa.attempt": event.attempt}
        case AttemptSettled():
            return "hamsa.attempt_settled", _present(
                {
                    "hamsa.attempt": event.attempt,
                    "hamsa.certainty": event.certainty,
                    "hamsa.abandoned": event.abandoned,
                    "hamsa.seconds": event.seconds,
                    "http.response.status_code": event.status,
                    "error.type": _kind(event.error),
                }
            )
        case RetryScheduled():
            return "hamsa.retry_scheduled", _present(
                {
                    "hamsa.attempts": event.attempts,
                    "hamsa.wait": event.wait,
                    "error.type": _kind(event.error),
                }
            )


def _present(attributes: Mapping[str, _Value | None]) -> dict[str, _Value]:
    """What there is to say; an enum as its text."""
    return {
        name: value.value if isinstance(value, Certainty) else value
        for name, value in attributes.items()
        if value is not None
    }


def _kind(error: BaseException | None) -> str | None:
    if error is None:
        return None
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _text(error: BaseException) -> str:
    """What may be shown of an error: our own texts hide numbers and keys, others' need not."""
    return str(error) if isinstance(error, HamsaError) else type(error).__name__
