"""Values to bytes and back, without a socket."""

import enum
import json
import math
import types
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async import _wire as wire
from hamsa_async._operations import AGENT
from hamsa_async._requests import build
from hamsa_async._wire import (
    Request,
    build_call,
    decode,
    encode,
    find_call_id,
    moment_after,
    parse_call,
    retry_after,
)
from hamsa_async.errors import ConfigurationError
from hamsa_async.models import REFERENCE_PARAM, CallRequest, WebhookAuth
from hamsa_async.options import Answer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NUMBER = "+971500000123"


@pytest.fixture(params=["orjson", "json"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With and without the extra that makes it faster."""
    if request.param == "json":
        monkeypatch.setattr(wire, "orjson", None)
    return str(request.param)


def body_of(request: CallRequest) -> Any:
    built = build_call(request)
    assert built.body is not None
    return json.loads(built.body)


def test_a_call_of_a_saved_agent_says_what_was_given_and_no_more(codec: str) -> None:
    """The body of the POST, field by field."""
    assert body_of(CallRequest(to_number=NUMBER, voice_agent_id="a")) == {
        "toNumber": NUMBER,
        "voiceAgentId": "a",
    }
    assert body_of(
        CallRequest(
            to_number=NUMBER,
            voice_agent_id="a",
            from_number="+18449292835",
            params=types.MappingProxyType({"name": "سارة"}),
            webhook_url="https://example.com/hook",
            webhook_auth=WebhookAuth(auth_secret="s"),
            reference="r-1",
        )
    ) == {
        "toNumber": NUMBER,
        "voiceAgentId": "a",
        "fromNumber": "+18449292835",
        "params": {"name": "سارة", REFERENCE_PARAM: "r-1"},
        "webhookUrl": "https://example.com/hook",
        "webhookAuth": {"authKey": "Token", "authSecret": "s"},
    }


def test_an_inline_agent_carries_its_params_and_the_reference_with_it(codec: str) -> None:
    """`params` goes with a saved agent only."""
    details = {"agentName": "x", "params": {"a": 1, "b": 2}}
    body = body_of(
        CallRequest(to_number=NUMBER, agent_details=details, params={"b": 3}, reference="r")
    )
    assert body == {
        "toNumber": NUMBER,
        "agentDetails": {"agentName": "x", "params": {"a": 1, "b": 3, REFERENCE_PARAM: "r"}},
    }
    assert details["params"] == {"a": 1, "b": 2}


def test_the_bare_client_adds_nothing_that_it_was_not_given(codec: str) -> None:
    """No reference, no param of ours."""
    assert REFERENCE_PARAM not in json.dumps(
        body_of(CallRequest(to_number=NUMBER, voice_agent_id="a", params={"x": 1}))
    )


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, "سارة", None, True, {"b": {}}], "c": Colour.RED},
        {"id": uuid.UUID(int=7)},
        {1: "a", None: "b"},
        {"big": 2**80},
        {"null": "null"},
    ],
    ids=str,
)
def test_what_is_json_is_written_the_same_with_and_without_the_extra(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that are no text, ids, big numbers."""
    fast = encode(value)
    monkeypatch.setattr(wire, "orjson", None)
    assert json.loads(fast) == json.loads(encode(value))


@pytest.mark.parametrize(
    "value",
    [{1, 2}, NOW, math.nan, math.inf, b"x", object(), "\ud800", [[math.nan]]],
    ids=["set", "datetime", "nan", "inf", "bytes", "object", "surrogate", "deep nan"],
)
def test_what_has_no_json_form_is_refused_before_anything_is_sent(value: Any, codec: str) -> None:
    """Also where a faster writer would quietly make something of it."""
    with pytest.raises(ConfigurationError):
        encode({"params": {"x": value}})


def test_what_is_nested_without_end_is_refused(codec: str) -> None:
    """Written or read, it is an error of ours, and no crash."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ConfigurationError):
        encode(loop)
    with pytest.raises(ValueError):
        decode(b"[" * 200_000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{"id":"call-1","title":"half of an emoji: \\ud83d"}}',
        b'\xef\xbb\xbf{"data":{"id":"call-1"}}',
        b'{"data":{"id":"call-1","totalCost":NaN}}',
    ],
    ids=["surrogate", "byte order mark", "nan"],
)
def test_what_not_every_reader_takes_costs_no_id(body: bytes, codec: str) -> None:
    """The faster reader is stricter, and a call that rang has an id."""
    call = parse_call(Answer(status=200, headers={}, body=body))
    assert call.id == "call-1"
    assert call.title in {None, "half of an emoji: ?"}


def test_characters_of_two_halves_stay_whole(codec: str) -> None:
    """However they are written, also beside one that was cut."""
    whole = b'{"a":"\\ud83d\\ude00 \xf0\x9f\x98\x80"}'
    assert decode(whole) == {"a": "\U0001f600 \U0001f600"}
    assert decode(whole[:-2] + b'\\uD83D","b":[1.5e300,-0.0,12345678901234567890]}') == {
        "a": "\U0001f600 \U0001f600?",
        "b": [1.5e300, -0.0, 12345678901234567890],
    }


@given(st.text())
def test_a_part_of_a_path_stays_in_its_place(part: str) -> None:
    """What is no id never becomes another route."""
    try:
        path = build(AGENT, id=part).path
    except ConfigurationError:
        return
    assert path == f"/v1/voice-agents/{part}"
    assert "/" not in part
    assert part.strip(".")
    assert part.isascii()


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "%2e", "ä", None, 5])
def test_what_is_no_id_is_refused(part: Any) -> None:
    """Before it becomes a path."""
    with pytest.raises(ConfigurationError):
        build(AGENT, id=part)


def test_a_write_without_a_body_cannot_be_made() -> None:
    """The body is what tells whether it was handed to a connection."""
    with pytest.raises(AssertionError):
        Request(operation=wire.CALL, path=wire.CALL.path)


def after(text: str | None, *, date: str | None = None) -> float | None:
    headers = {} if text is None else {"Retry-After": text}
    return retry_after(headers | ({} if date is None else {"Date": date}), NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("1e400", None),
        ("NaN", None),
        ("-inf", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("12 s", None),
        ("Sun, 99 Foo 2026 12:00:00 GMT", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=2), usegmt=True), 0.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
    ],
)
def test_retry_after_is_seconds_a_decimal_or_a_date(
    text: str | None, seconds: float | None
) -> None:
    """What means nothing is `None`, what is past is 0."""
    assert after(text) == seconds


def test_a_date_is_held_against_the_servers_own_clock() -> None:
    """Ours may be wrong; a `Date` that cannot be read leaves ours."""
    then = format_datetime(NOW + timedelta(hours=5), usegmt=True)
    theirs = format_datetime(NOW + timedelta(hours=5) - timedelta(seconds=7), usegmt=True)
    assert after(then, date=theirs) == 7.0
    assert after(then, date="junk") == 5 * 3600.0


@given(st.text(), st.text())
def test_no_header_makes_the_reader_raise(text: str, date: str) -> None:
    """Whatever text stands in it."""
    seconds = after(text, date=date)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.floats(0, 1e308))
def test_a_moment_that_a_server_chose_may_be_absurd(seconds: float) -> None:
    """It is capped at the end of the calendar."""
    assert moment_after(NOW, seconds) >= NOW


@given(st.binary())
def test_looking_for_an_id_never_raises(body: bytes) -> None:
    """Whatever bytes a failed answer has."""
    found = find_call_id(Answer(status=500, headers={}, body=body))
    assert found is None or found


@pytest.mark.parametrize(
    ("said", "year"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", 2026),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Wed, 01 Jan 1969 00:00:00 GMT", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_servers_clock_that_cannot_be_is_none(said: str | None, year: int | None) -> None:
    """`settle` looks an hour to each side of it."""
    moment = wire.server_date({} if said is None else {"Date": said})
    assert (moment and moment.year) == year
