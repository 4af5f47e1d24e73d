"""What a webhook says, in both envelopes, with everything missing or wrong that may be."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async import REFERENCE_PARAM, WebhookParseError, WebhookVerificationError, _wire
from hamsa_async.webhooks import (
    CallAnswered,
    CallEnded,
    CallStarted,
    EventType,
    ToolExecuted,
    TranscriptionUpdate,
    WebhookEvent,
    parse,
)

CONTRACT = Path(__file__).parents[1] / "contract" / "hamsa-openapi.yaml"
CALL = "c7b9a2d4-6f13-4e58-a0c7-93b1e5d2f846"
ENDED_AT = datetime(2026, 3, 11, 8, 17, 21, 903_000, UTC)


def body(**event: Any) -> bytes:
    return json.dumps(event).encode()


def ended(**payload: Any) -> CallEnded:
    event = parse(body(eventType="call.ended", data={"data": payload}))
    assert isinstance(event, CallEnded)
    return event


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """The contract's own examples, by name."""
    document = yaml.safe_load(CONTRACT.read_text("utf-8"))
    return {
        name: example["value"]
        for webhook in document["webhooks"].values()
        for name, example in webhook["post"]["requestBody"]["content"]["application/json"][
            "examples"
        ].items()
    }


def test_the_documented_end(examples: dict[str, Any]) -> None:
    event = parse(body(**examples["callEnded"]))
    assert isinstance(event, CallEnded)
    assert event.type is EventType.CALL_ENDED
    assert event.call_id == event.conversation_id == CALL
    assert event.at == ENDED_AT
    assert event.outcome["appointment_time"] == "10:30"
    assert [turn.speaker for turn in event.transcript] == ["Agent", "User"] * 2 + ["Agent"]
    assert event.recording_url is not None
    assert event.project_id
    assert event.agent_id
    assert event.agent_name
    assert event.extra == {}


def test_the_observed_end_says_the_same(examples: dict[str, Any]) -> None:
    documented = parse(body(**examples["callEnded"]))
    observed = parse(body(**examples["callEnd"]))
    assert isinstance(documented, CallEnded)
    assert isinstance(observed, CallEnded)
    for name in ("type", "call_id", "conversation_id", "at", "agent_id", "outcome", "transcript"):
        assert getattr(observed, name) == getattr(documented, name), name
    assert observed.started_at == datetime(2026, 3, 11, 8, 15, 2, 417_000, UTC)
    assert observed.duration == timedelta(seconds=139, milliseconds=486)
    assert observed.extra["caller_info"]["call_start_time"] == 1773216902


def test_every_documented_event_has_its_class(examples: dict[str, Any]) -> None:
    started, answered, said, used, empty = (
        parse(body(**examples[name]))
        for name in (
            "callStarted",
            "callAnswered",
            "transcriptionUpdate",
            "toolExecuted",
            "callEndedEmpty",
        )
    )
    assert isinstance(started, CallStarted)
    assert (started.to_number, started.from_number) == ("+971500000123", "+14155550142")
    assert started.params["client_ref"] == "att_01JP6ZK3M8"
    assert isinstance(answered, CallAnswered)
    assert answered.ring_duration == 7
    assert isinstance(said, TranscriptionUpdate)
    assert said.speaker == "User"
    assert said.text == "وعليكم السلام. ممكن نأجله إلى الساعة الثانية عشرة؟"
    assert isinstance(used, ToolExecuted)
    assert (used.tool_name, used.duration) == ("find_slot", 412)
    assert (used.input, used.output) == ({"day": "Thursday"}, {"free": ["12:00"]})
    assert isinstance(empty, CallEnded)
    assert (empty.transcript, empty.recording_url) == ((), None)
    assert empty.conversation_id != empty.call_id


def test_an_unknown_event_is_a_value() -> None:
    event = parse(body(eventType="call.transferred", callId=7, data={"to": "desk"}, new=1))
    assert type(event) is WebhookEvent
    assert event.type == "call.transferred"
    assert event.call_id == "7"
    assert event.payload == {"to": "desk"}
    assert event.extra == {"new": 1}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("call_end", EventType.CALL_ENDED),
        ("call_ended", EventType.CALL_ENDED),
        ("CALL.ENDED", EventType.CALL_ENDED),
        ("call_started", EventType.CALL_STARTED),
        ("call_answered", EventType.CALL_ANSWERED),
        ("tool_executed", EventType.TOOL_EXECUTED),
        ("transcription_update", EventType.TRANSCRIPTION_UPDATE),
    ],
)
def test_a_type_is_known_by_either_name(name: str, kind: EventType) -> None:
    assert parse(body(event_type=name)).type is kind
    assert parse(body(eventType=name)).type is kind


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-03-11T08:17:21.903Z",
        "2026-03-11T12:17:21.903+04:00",
        "2026-03-11T08:17:21.903",
        1773217041903,
        "1773217041903",
        1773217041.903,
    ],
)
def test_a_time_in_each_of_its_forms(timestamp: object) -> None:
    event = parse(body(eventType="x", timestamp=timestamp))
    assert event.at is not None
    assert event.at.utcoffset() == timedelta(0)
    assert abs(event.at - ENDED_AT) < timedelta(milliseconds=1)


@pytest.mark.parametrize("timestamp", [None, "", "soon", True, [], {}, 1e300, "9" * 30, "٣"])
def test_what_is_no_time_is_none(timestamp: object) -> None:
    event = parse(body(eventType="x", timestamp=timestamp, data={"timestamp": timestamp}))
    assert event.at is None


def test_what_stands_beside_the_inner_data_is_kept() -> None:
    event = parse(
        body(eventType="call.ended", data={"timestamp": 1773217041, "data": {"a": 1}, "b": 2})
    )
    assert event.payload == {"timestamp": 1773217041, "a": 1, "b": 2}
    assert event.at == ENDED_AT.replace(microsecond=0)


def test_the_reference_comes_back_with_the_params() -> None:
    params = {"name": "Sara", REFERENCE_PARAM: "a1"}
    assert ended(outcomeResult=params).reference == "a1"
    started = body(eventType="call.started", data={"params": params})
    assert parse(started).reference == "a1"
    assert parse(body(event_type="call_end", data={"outcomeResult": params})).reference == "a1"
    assert ended(outcomeResult={REFERENCE_PARAM: 5}).reference is None
    # What a tool gives back is somebody else's word.
    tool = body(eventType="tool.executed", data={"output": params, "input": params})
    assert parse(tool).reference is None


def test_a_proven_reference_names_an_event_that_echoes_none() -> None:
    assert parse(body(eventType="call.answered"), reference="a1").reference == "a1"


def test_a_proven_reference_excludes_any_other() -> None:
    said = body(eventType="call.ended", data={"outcomeResult": {REFERENCE_PARAM: "a2"}})
    assert parse(said, reference="a2").reference == "a2"
    with pytest.raises(WebhookVerificationError, match="another call"):
        parse(said, reference="a1")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"call.ended"',
        b"{}",
        b'{"eventType": null}',
        b'{"eventType": ""}',
        b'{"eventType": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"eventType": ' + b"[" * 100_000,
        b"1" * 10_000,
    ],
)
@pytest.mark.parametrize("fast", [True, False])
def test_junk_is_an_error_of_our_own_that_does_not_quote_it(
    junk: bytes, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(_wire, "orjson", None)
    with pytest.raises(WebhookParseError) as caught:
        parse(junk)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_no_repr_shows_a_number_or_what_was_said() -> None:
    said = body(
        eventType="call.started",
        callId="+971500000123",
        data={"toNumber": "+971500000123", "params": {"pin": "0000"}},
    )
    assert "971500000123" not in repr(parse(said))
    assert "pin" not in repr(parse(said))


# -- whatever comes

NAMES = st.sampled_from(
    [
        "eventType",
        "event_type",
        "callId",
        "caller_info",
        "call_id",
        "call_start_time",
        "timestamp",
        "data",
        "conversationId",
        "transcription",
        "outcomeResult",
        "params",
        "callStartedAt",
        "callEndedAt",
        "ringDuration",
        REFERENCE_PARAM,
    ]
)
TYPES = st.sampled_from([*EventType, "call_end", "other"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), TYPES, st.datetimes().map(str)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=25,
)


def parsed_or_ours(raw: bytes, reference: str | None) -> None:
    """By either reader of JSON, for what is installed beside us changes nothing."""
    parsed_or_ours_once(raw, reference)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_wire, "orjson", None)
        parsed_or_ours_once(raw, reference)


def parsed_or_ours_once(raw: bytes, reference: str | None) -> None:
    try:
        event = parse(raw, reference=reference)
    except (WebhookParseError, WebhookVerificationError):
        return
    assert isinstance(event, WebhookEvent)
    assert event.type
    assert repr(event)
    assert event.at is None or event.at.utcoffset() == timedelta(0)
    if isinstance(event, CallEnded):
        assert event.transcript is not None
        assert event.duration is None or isinstance(event.duration, timedelta)


@given(st.binary(), st.none() | st.text())
def test_any_bytes(raw: bytes, reference: str | None) -> None:
    parsed_or_ours(raw, reference)


@given(st.dictionaries(NAMES | st.text(), JSON), TYPES, st.none() | st.text())
def test_any_event(event: dict[str, Any], kind: str, reference: str | None) -> None:
    """Whatever is in an event, it is a value or an error of our own."""
    parsed_or_ours(json.dumps({**event, "eventType": kind}).encode(), reference)
    parsed_or_ours(json.dumps(event).encode(), reference)


@given(st.dictionaries(NAMES, JSON), TYPES)
def test_no_payload_makes_an_event_of_a_known_type_an_error(
    payload: dict[str, Any], kind: str
) -> None:
    raw = json.dumps({"eventType": kind, "data": {"data": payload}}).encode()
    try:
        read = _wire.decode(raw)
    except ValueError:  # NaN, or half a character: JSON to some readers only
        return
    assert parse(raw).payload == read["data"]["data"]
