"""What it says: from a webhook's body to an event. Both envelopes, and whatever else may come.

- The documented envelope is `{eventType: "call.ended", callId, data: {timestamp, data: {...}}}`;
  the one that was observed is `{event_type: "call_end", caller_info: {call_id}, data: {...}}`.
  The names of either are taken in both: nobody knows which of them is sent when.
- Only a type is needed. A field that is missing, or not what it should be, is `None`, and the
  event still counts: that a call ended must not get lost over how.
- A time is ISO 8601 (UTC where it has no offset) or a number since 1970: of milliseconds where
  it would lie beyond the year 5000 in seconds.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from hamsa_async._wire import decode
from hamsa_async.errors import WebhookParseError, WebhookVerificationError
from hamsa_async.models._declaring import keys_of
from hamsa_async.models.calls import REFERENCE_PARAM
from hamsa_async.models.webhooks import (
    CallAnswered,
    CallEnded,
    CallStarted,
    EventType,
    ToolExecuted,
    TranscriptionUpdate,
    WebhookEvent,
)

# Of the other envelope only `call_end` was seen; these are how it would say the others.
_OTHER_NAMES: Final[Mapping[str, EventType]] = {
    "call_end": EventType.CALL_ENDED,
    "call_start": EventType.CALL_STARTED,
    "call_answer": EventType.CALL_ANSWERED,
}
_NAMES: Final[Mapping[str, EventType]] = {
    **{kind.value: kind for kind in EventType},
    **{kind.value.replace(".", "_"): kind for kind in EventType},
    **_OTHER_NAMES,
}

# What an envelope says for all events; the rest of it is `extra`.
_ENVELOPE: Final = frozenset(
    {"eventType", "event_type", "callId", "timestamp", "projectId", "agentId", "agentName", "data"}
)

# Where the params of a call come back.
_ECHOES: Final = ("outcomeResult", "params", "customParams")

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_FIRST_IN_MILLISECONDS: Final = 1e11

_Json: TypeAlias = Mapping[str, Any]


def parse(body: bytes, *, reference: str | None = None) -> WebhookEvent:
    """Read an event.

        event = parse(body, reference=verify(headers, secrets))

    Args:
        body: The request's body.
        reference: What `verify` returned: the call that the secret speaks for.

    Returns:
        A value of the event's own class, or a plain `WebhookEvent` where its type is none of
        `EventType`.

    Raises:
        WebhookParseError: It is no JSON object, or one without a type.
        WebhookVerificationError: It echoes another reference than its secret was made for.
    """
    event = _object_in(body)
    name = _text(event, "eventType", "event_type")
    if name is None:
        raise WebhookParseError("the webhook's body has no eventType: it is no event of a call")
    kind = _NAMES.get(name.lower(), name)
    payload = _payload(event)
    caller = keys_of(event.get("caller_info"))
    echoed = _echoed(payload) or _echoed(event) or _echoed(caller)
    if reference is not None and echoed not in {None, reference}:
        raise WebhookVerificationError(
            "the webhook echoes another call's reference than its secret was made for"
        )
    build, fields = _KINDS.get(kind, (WebhookEvent, _none))
    return build(
        type=kind,
        call_id=_text(event, "callId") or _text(caller, "call_id"),
        conversation_id=_text(payload, "conversationId") or _text(event, "conversationId"),
        reference=reference or echoed,
        at=_moment(event, "timestamp") or _moment(payload, "timestamp", "callEndedAt"),
        project_id=_text(event, "projectId"),
        agent_id=_text(event, "agentId") or _text(caller, "agent_id"),
        agent_name=_text(event, "agentName"),
        payload=payload,
        extra={key: event[key] for key in event.keys() - _ENVELOPE},
        **fields({**caller, **payload}),
    )


def _object_in(body: bytes) -> _Json:
    try:
        event = decode(body)
    except ValueError:
        event = None
    if not isinstance(event, Mapping):
        # Raised out here: the decoder's error quotes the body.
        raise WebhookParseError("the webhook's body is no JSON object")
    return event


def _payload(event: _Json) -> _Json:
    """The useful part: `data`, or `data.data` with what stands beside it."""
    data = keys_of(event.get("data"))
    inner = data.get("data")
    if not isinstance(inner, Mapping):
        return data
    return {**{key: data[key] for key in data.keys() - {"data"}}, **inner}


def _echoed(place: _Json) -> str | None:
    for name in _ECHOES:
        reference = keys_of(place.get(name)).get(REFERENCE_PARAM)
        if isinstance(reference, str) and reference:
            return reference
    return None


# -- the fields of each event, from its payload and what is said of its caller


def _started(told: _Json) -> dict[str, Any]:
    return {
        "to_number": _text(told, "toNumber", "to_number", "userNumber"),
        "from_number": _text(told, "fromNumber", "from_number", "machineNumber"),
        "params": keys_of(told.get("params")) or keys_of(told.get("customParams")),
    }


def _answered(told: _Json) -> dict[str, Any]:
    return {"ring_duration": _number(told.get("ringDuration"))}


def _said(told: _Json) -> dict[str, Any]:
    return {"speaker": _text(told, "speaker"), "text": _text(told, "text")}


def _used(told: _Json) -> dict[str, Any]:
    return {
        "tool_name": _text(told, "toolName", "tool_name", "name"),
        "input": told.get("input"),
        "output": told.get("output"),
        "duration": _number(told.get("duration")),
    }


def _ended(told: _Json) -> dict[str, Any]:
    turns = told.get("transcription")
    turns = turns if isinstance(turns, list) else []
    return {
        "recording_url": _text(told, "conversationRecording"),
        "transcription": tuple(turn for turn in turns if isinstance(turn, Mapping)),
        "outcome": keys_of(told.get("outcomeResult")),
        "started_at": _moment(told, "callStartedAt", "call_start_time"),
        "ended_at": _moment(told, "callEndedAt"),
    }


def _none(_: _Json) -> dict[str, Any]:
    return {}


_Kind: TypeAlias = tuple[type[WebhookEvent], Callable[[_Json], dict[str, Any]]]

_KINDS: Final[Mapping[str, _Kind]] = {
    EventType.CALL_STARTED: (CallStarted, _started),
    EventType.CALL_ANSWERED: (CallAnswered, _answered),
    EventType.TRANSCRIPTION_UPDATE: (TranscriptionUpdate, _said),
    EventType.TOOL_EXECUTED: (ToolExecuted, _used),
    EventType.CALL_ENDED: (CallEnded, _ended),
}


# -- what a field may be


def _text(place: _Json, *names: str) -> str | None:
    """The first of these fields that is a text; an id that is a number is as good as one."""
    for name in names:
        value = place.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # a whole number without an end
        return None


def _moment(place: _Json, *names: str) -> datetime | None:
    """The first of these fields that is a time, in UTC."""
    return next((moment for name in names if (moment := _as_moment(place.get(name)))), None)


def _as_moment(value: Any) -> datetime | None:
    """A time in any of its forms; `None` for what is none, or is further than a calendar goes."""
    # Digits alone first: some would pass for a date of ISO 8601's short form.
    number = float(value) if _is_digits(value) else _number(value)
    try:
        if number is not None:
            unit = timedelta(seconds=1 if abs(number) < _FIRST_IN_MILLISECONDS else 1e-3)
            return _EPOCH + number * unit
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()
