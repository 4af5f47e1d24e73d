"""Errors say what was proven, survive pickle, and show no key, no secret and no whole number."""

import asyncio
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hamsa_async
from hamsa_async import (
    CallRequest,
    Certainty,
    HamsaClient,
    HamsaError,
    NotEndedError,
    NotSentError,
    OutcomeUnknownError,
    ResponseSchemaError,
    Timeouts,
    WebhookAuth,
)
from hamsa_async._masking import (
    MaskedNumber,
    hide,
    mask_id,
    mask_number,
    mask_text,
    scrub,
    secrets_in,
)
from hamsa_async.testing import FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]

KINDS = [
    kind
    for kind in vars(hamsa_async).values()
    if isinstance(kind, type) and issubclass(kind, HamsaError)
]
KEY = "sk_live_Zk93hQ7"
WEBHOOK_SECRET = "whsec_Pq81mN4"
LLM_KEY = "llm_Rt55vB2"
SIP_PASSWORD = "sip Secret 7"
NUMBER = "+971501234567"
CALLER = "+18449292835"
SPACED = "+971 50 123 4567"
HIDDEN = [KEY, WEBHOOK_SECRET, LLM_KEY, SIP_PASSWORD, NUMBER, NUMBER[1:], CALLER, SPACED]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_pickle_and_copy_with_all_it_carries(kind: type[HamsaError]) -> None:
    """Same class, same text, same attributes."""
    known: dict[str, Any] = {"status": 418, "request_id": "req-1", "attempts": 3}
    if kind is ResponseSchemaError:
        known["problems"] = ("invalid @ $.data",)
    else:
        known["certainty"] = Certainty.UNKNOWN
        known["message_key"] = "KEY"
        known["reference"] = "ref"
        known["retry_at"] = datetime(2026, 1, 1, tzinfo=UTC)
    if kind is OutcomeUnknownError:
        known["call_id"] = "call-1"
        known["to_number"] = MaskedNumber(NUMBER)
        known["begun_at"] = known["ended_at"] = datetime(2026, 1, 1, tzinfo=UTC)
        known["server_ahead"] = -1.5
    if kind is NotEndedError:
        known = {"call_id": "call-1", "last_status": "IN_PROGRESS"}
    error = kind("what happened", **known)
    if isinstance(error, hamsa_async.AuthenticationError):
        error.key_renewed = True
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert str(again) == "what happened"
        assert vars(again) == vars(error)


def test_the_tree_is_what_callers_catch_by() -> None:
    """A configuration error is a `ValueError` too; all are `HamsaError`."""
    assert issubclass(hamsa_async.ConfigurationError, ValueError)
    assert {kind for kind in KINDS if not issubclass(kind, HamsaError)} == set()
    assert hamsa_async.OutcomeUnknownError("?").certainty is Certainty.UNKNOWN
    refusals = {kind for kind in KINDS if issubclass(kind, hamsa_async.APIError)}
    assert hamsa_async.NotSentError not in refusals
    assert hamsa_async.OutcomeUnknownError not in refusals


ECHO = {
    "success": False,
    "message": f"key {KEY}, secret {WEBHOOK_SECRET}, {LLM_KEY}, {SIP_PASSWORD}: {NUMBER} {SPACED}",
    "messageKey": f"BAD_{KEY}_{NUMBER}",
    "error": f"{KEY}",
    KEY: {NUMBER: [KEY, WEBHOOK_SECRET]},
}
DEEP = {
    "id": "call-1",
    "title": f"call to {NUMBER}",
    "status": f"PENDING {SPACED}",
    "webhookUrl": f"https://x.example/?secret={WEBHOOK_SECRET}&n={NUMBER}",
    "jobResponse": {"to": NUMBER, "deep": {"apiKey": KEY}},
    NUMBER: KEY,
    "agentDetails": {
        "agentName": f"for {NUMBER}",
        "preamble": f"{KEY} {NUMBER}",
        "params": {"pin": LLM_KEY, "number": NUMBER},
        "tools": {"accessToken": KEY, "freeSlots": {NUMBER: [[KEY]]}},
        "webhookAuth": {"authKey": "Token", "authSecret": WEBHOOK_SECRET},
        "llmConfig": {"apiKey": LLM_KEY, "modelName": f"gpt {NUMBER}"},
        "voiceRecord": {"id": "v", "name": NUMBER},
    },
}
LONG = {**ECHO, "message": f"{'x' * 190}{KEY}{NUMBER}"}
ANSWERS = {
    **{str(status): (status, ECHO) for status in (301, 400, 401, 403, 404, 409, 422, 429, 500)},
    "200 echo": (200, ECHO),
    "200 call": (200, {"data": DEEP}),
    "200 no id": (200, {"message": KEY, "data": {**DEEP, "id": None}}),
    "200 bad agent": (200, {"data": {**DEEP, "agentDetails": {"tools": DEEP["agentDetails"]}}}),
    "500 id": (500, {**ECHO, "data": DEEP}),
    "422 long": (422, LONG),
    "422 list": (422, {"message": [KEY, {"a": NUMBER}, NUMBER]}),
}


def texts_of(value: Any) -> list[str]:
    """Whatever a careless program might print of a result or an error."""
    found = [str(value), repr(value), f"{value}"]
    if isinstance(value, BaseException):
        found += traceback.format_exception(value)
        for inner in (value.__cause__, value.__context__):
            if inner is not None:
                found += texts_of(inner)
        for name, carried in vars(value).items():
            if name != "reference":
                found.append(repr(carried))
    if isinstance(value, hamsa_async.Call):
        try:
            found += [repr(value.agent_details)]
            if value.agent_details is not None:
                agent = value.agent_details
                parts = (agent.tools, agent.llm_config, agent.webhook_auth, agent.voice_record)
                found += [repr(part) for part in parts if not isinstance(part, dict)]
        except ResponseSchemaError as error:
            found += texts_of(error)
    return found


def request() -> CallRequest:
    return CallRequest(
        to_number=NUMBER,
        from_number=CALLER,
        agent_details={
            "llmConfig": {"apiKey": LLM_KEY},
            "deep": [{"sipPassword": SIP_PASSWORD}],
            "params": {"name": "Sara"},
        },
        webhook_url=f"https://x.example/?secret={WEBHOOK_SECRET}",
        webhook_auth=WebhookAuth(auth_secret=WEBHOOK_SECRET),
        reference="ref-1",
    )


async def everything_said(
    client: HamsaClient, heard: list[Any], caplog: pytest.LogCaptureFixture, *, reads: bool = True
) -> str:
    """Place the call and read, and collect all that can be printed of it."""

    async def intend() -> None: ...

    found: list[str] = []
    for ask in (
        lambda: client.voice_agents.attempt(request(), before_send=intend),
        lambda: client.voice_agents._place(request()),
        *((client.projects.current, lambda: client.voice_agents.get("a")) if reads else ()),
    ):
        try:
            found += texts_of(await ask())
        except Exception as error:
            found += texts_of(error)
    for event in heard:
        found += texts_of(event)
        if getattr(event, "error", None) is not None:
            found += texts_of(event.error)
    formatter = logging.Formatter("%(message)s %(action)s")
    for record in caplog.records:
        if record.name == "hamsa_async":
            found += [formatter.format(record), repr(vars(record))]
        else:
            found.append(record.getMessage())
    found.append(repr(client))
    found.append(repr(client._transport._exchanges))
    return "\n".join(found)


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_server_that_echoes_everything_makes_us_show_nothing(  # noqa: PLR0917 - fixtures
    case: str,
    raw_server: Any,
    connect: Connect,
    say: Callable[..., bytes],
    heard: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No key, secret or whole number in `str`, `repr`, tracebacks, events or the log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    status, body = ANSWERS[case]
    server = await raw_server()
    server.answer = say(
        status,
        json.dumps(body).encode(),
        f"X-Request-Id: req {KEY}",
        "Retry-After: 1000",
        f"Location: https://x.example/{KEY}",
    )
    client = await connect(server, api_key=KEY)
    said = await everything_said(client, heard, caplog, reads=False)
    assert "ref-1" in said
    for secret in HIDDEN:
        assert secret not in said


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 429, 500])
async def test_a_read_that_is_answered_with_the_key_and_a_number_shows_neither(  # noqa: PLR0917 - fixtures
    status: int,
    raw_server: Any,
    connect: Connect,
    say: Callable[..., bytes],
    heard: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a read was asked with is its key; numbers are masked wherever they stand."""
    caplog.set_level(logging.DEBUG)
    server = await raw_server()
    said_back = {"message": f"{KEY} {NUMBER} {SPACED}", "messageKey": KEY, NUMBER: KEY}
    server.answer = say(status, json.dumps(said_back).encode(), "Retry-After: 1000")
    client = await connect(server, api_key=KEY)
    for ask in (client.projects.current, lambda: client.voice_agents.get("a")):
        with pytest.raises(HamsaError) as caught:
            await ask()
        said = "\n".join(
            [*texts_of(caught.value), *(record.getMessage() for record in caplog.records)]
        )
        for secret in HIDDEN:
            assert secret not in said


@pytest.mark.parametrize("raw", [b"220 %s %s\r\n\r\n", b"HTTP/1.1 200 OK\r\n%s %s\r\n\r\n"])
async def test_what_is_not_http_is_not_repeated(
    raw: bytes,
    raw_server: Any,
    connect: Connect,
    heard: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The transport's own errors quote bytes and headers; ours do not hand them on."""
    caplog.set_level(logging.DEBUG)

    async def serve(connection: Any) -> None:
        await server.next_request(connection)
        connection.say(raw % (KEY.encode(), NUMBER.encode()))

    server = await raw_server(serve)
    client = await connect(server, api_key=KEY)
    said = await everything_said(client, heard, caplog)
    assert "OutcomeUnknownError" in said
    for secret in HIDDEN:
        assert secret not in said


async def test_a_connection_that_fails_shows_nothing_but_the_systems_own_word(
    free_port: int, connect: Connect, heard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal is in the traceback, the request's headers are not."""
    caplog.set_level(logging.DEBUG)
    client = await connect(f"http://127.0.0.1:{free_port}", api_key=KEY)
    said = await everything_said(client, heard, caplog)
    assert "Connect call failed" in said
    for secret in HIDDEN:
        assert secret not in said


async def test_a_traceback_tells_one_story(fake: FakeHamsa, connect: Connect) -> None:
    """The machinery of tries and transports does not stand between the caller and the error."""
    client = await connect(fake)
    fake.faults.next("status_503", count=3, on="read")
    with pytest.raises(HamsaError) as caught:
        await client.projects.current()
    text = "".join(traceback.format_exception(caught.value))
    assert "During handling" not in text
    assert "direct cause" not in text
    assert "Retryable" not in text


async def test_an_error_says_what_happened_what_is_proven_and_what_to_do(
    fake: FakeHamsa, connect: Connect
) -> None:
    """One sentence for its reader; the rest as attributes."""
    client = await connect(fake, timeouts=Timeouts(response=0.1))
    with pytest.raises(hamsa_async.NotFoundError) as refused:
        await client.voice_agents.call(to_number=NUMBER, voice_agent_id="nobody", reference="r")
    text = str(refused.value)
    assert text.startswith("voice_agents.call: status 404 (there is no such voice agent)")
    assert refused.value.message_key == "NOT_FOUND"
    assert (refused.value.reference, refused.value.attempts) == ("r", 1)
    fake.agents = None
    fake.faults.next("hang")
    with pytest.raises(OutcomeUnknownError, match="do not send it again") as caught:
        await client.voice_agents.call(to_number=NUMBER, voice_agent_id="a")
    assert "Timeout" in str(caught.value)


async def refused_key() -> str:
    raise OSError("the vault is sealed")


async def bad_key() -> str:
    return "two words"


ENDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "refused": ({}, {"fault": "status_422"}),
    "in doubt": ({}, {"fault": "drop_after"}),
    "misshapen": ({}, {"fault": "junk"}),
    "redirected": ({}, {"fault": "redirect"}),
    "cooling down": ({}, {"fault": "rate_limited", "retry_after": "9999"}),
    "too late": ({}, {"not_after": datetime(2020, 1, 1, tzinfo=UTC)}),
    "closed": ({}, {"closed": True}),
    "no key": ({"api_key": refused_key}, {}),
    "odd key": ({"api_key": bad_key}, {}),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("route", ["call", "call_from_number"])
async def test_every_end_of_a_call_carries_its_reference(
    route: str, end: str, fake: FakeHamsa, connect: Connect
) -> None:
    """By it the caller ties an error to the call that it is about, whatever went wrong."""
    options, how = ENDS[end]
    fake.agents = None
    client = await connect(fake, **options)
    if "fault" in how:
        more = {"retry_after": how["retry_after"]} if "retry_after" in how else {}
        fake.faults.next(how["fault"], count=9, **more)
    if how.get("closed"):
        await client.aclose()
    with pytest.raises(HamsaError) as caught:
        await getattr(client.voice_agents, route)(
            to_number=NUMBER,
            from_number=CALLER,
            voice_agent_id="a",
            reference="ref-1",
            not_after=how.get("not_after"),
        )
    assert caught.value.reference == "ref-1"
    assert caught.value.certainty is not None
    again = pickle.loads(pickle.dumps(caught.value))
    assert vars(again) == vars(caught.value)


async def test_a_traceback_that_shows_local_variables_shows_no_key(
    raw_server: Any, connect: Connect, say: Callable[..., bytes]
) -> None:
    """Error reporters collect them; in no frame of ours is a key by itself or in a `repr`."""
    server = await raw_server()
    for status in (401, 429, 500):
        server.answer = say(status, b"{}", "Retry-After: 9999")
        client = await connect(server, api_key=KEY)
        with pytest.raises(HamsaError) as caught:
            await client.voice_agents.call(to_number="+971500000123", voice_agent_id="a")
        frames = [frame.frame for frame in caught.traceback[1:]]
        assert len(frames) > 3
        for frame in frames:
            assert KEY not in repr(frame.f_locals), frame


@pytest.mark.parametrize("fault", ["hang", "reset", "cut", "refused", "closed session"])
async def test_no_cause_of_an_error_shows_the_key_in_its_local_variables(
    raw_server: Any, connect: Connect, fault: str
) -> None:
    """Error reporters follow causes and contexts, too; the transport's frames hold headers."""

    async def serve(connection: Any) -> None:
        await connection.read_request()
        if fault == "hang":
            await connection.reader.read()
        elif fault == "reset":
            connection.writer.transport.abort()
        elif fault == "cut":
            connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")

    server = await raw_server(serve)
    base_url = "http://127.0.0.1:9" if fault == "refused" else server.base_url
    timeouts = Timeouts(response=0.2 if fault == "hang" else 60)
    async with aiohttp.ClientSession() as session:
        borrowed = session if fault == "closed session" else None
        client = await connect(base_url, api_key=KEY, timeouts=timeouts, session=borrowed)
    with pytest.raises(HamsaError) as caught:
        await client.voice_agents.call(to_number="+971500000123", voice_agent_id="a")
    waiting: list[BaseException | None] = [caught.value.__cause__, caught.value.__context__]
    while waiting:
        error = waiting.pop()
        if error is None:
            continue
        assert KEY not in repr(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            assert KEY not in repr(frame.f_locals), (error, frame)
        waiting += [error.__cause__, error.__context__]


async def test_an_error_of_an_earlier_try_keeps_its_cause(connect: Connect) -> None:
    """It is raised where the next try waits past the deadline, and still says why it failed."""
    client = await connect("http://127.0.0.1:9", rate=0.5, timeouts=Timeouts(deadline=0.2))
    with pytest.raises(NotSentError, match="no connection") as caught:
        await client.voice_agents.call(to_number=NUMBER, voice_agent_id="a")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_a_hook_that_fails_is_logged_and_harms_nobody(
    fake: FakeHamsa, connect: Connect, heard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the call nor the other hooks."""

    def broken(_: object) -> None:
        raise RuntimeError("hook")

    fake.agents = None
    client = await connect(fake, hooks=[broken, heard])
    assert await client.voice_agents.call(to_number=NUMBER, voice_agent_id="a")
    assert len(heard.settled) == 1
    said = [record.action for record in caplog.records]  # type: ignore[attr-defined]
    assert said == ["hook_failed"] * len(heard)


async def test_a_defect_of_ours_is_heard_and_holds_nothing(
    fake: FakeHamsa, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then the caller does not hang, and the slot comes back."""
    fake.agents = None
    client = await connect(fake, concurrency_limit=1)

    def broken(**_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("hamsa_async._transport.judge", broken)
        with pytest.raises(ZeroDivisionError):
            await client.voice_agents.call(to_number=NUMBER, voice_agent_id="a")
    async with asyncio.timeout(5):
        assert await client.voice_agents.call(to_number=NUMBER, voice_agent_id="a")


async def test_a_parser_that_fails_leaves_doubt_and_not_a_hung_caller(
    fake: FakeHamsa, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that rang must end in a verdict, whatever its answer does to us."""
    fake.agents = None
    client = await connect(fake)

    def broken(_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("hamsa_async.resources.voice_agents.parse_call", broken)
    with pytest.raises(OutcomeUnknownError, match="RecursionError"):
        await client.voice_agents.call(to_number=NUMBER, voice_agent_id="a")
    assert fake.ledger.posts == 1


# -- masking


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+971501234567", "+9715******67"), ("+1234567", "+1******"), ("12", "12"), ("", "")],
)
def test_a_number_is_shown_so_that_its_owner_knows_it_and_nobody_else(
    number: str, shown: str
) -> None:
    """The country and the last two digits; of a short one the beginning only."""
    assert mask_number(number) == shown


@given(st.text(), st.text("0123456789", min_size=9, max_size=15), st.text())
def test_a_number_in_any_text_is_masked(before: str, number: str, after: str) -> None:
    """Wherever a run of digits stands."""
    assert number not in mask_text(f"{before}{number}{after}") or number in before + after


def test_secrets_are_known_by_their_names_at_any_depth() -> None:
    """Whatever the case and the marks in the name; `maxTokens` is none."""
    value = {
        "authSecret": "a1",
        "deep": [{"ACCESS_TOKEN": "b2", "refresh-token": "c3"}, ({"apiKey": "d4"},)],
        "password": None,
        "maxTokens": 5,
        "Authorization": {"nested": "e5"},
        "client_secret": "f6",
    }
    clean = scrub(value)
    assert not any(secret in json.dumps(clean) for secret in ("a1", "b2", "c3", "d4", "e5", "f6"))
    assert clean["maxTokens"] == 5
    assert clean["password"] is None
    assert secrets_in(value) == {"a1", "b2", "c3", "d4", "e5", "f6"} - {"e5"}
    assert value["authSecret"] == "a1"


@pytest.mark.parametrize(
    "kept", ["req-1", "8f0a12345678901-DXB", "Root=1-67891233-abcdef012345678912"]
)
def test_a_servers_id_is_kept_for_its_support(kept: str) -> None:
    """Digits in a row are part of many; a number has no letter, or a plus."""
    assert mask_id(kept) == kept
    for loud in (NUMBER, NUMBER[1:], f"{kept} {NUMBER}", f"{kept}{NUMBER}"):
        assert NUMBER[1:] not in mask_id(loud)


def test_hiding_takes_the_longest_first_and_never_the_empty_text() -> None:
    """A secret that begins like another one leaves no rest."""
    assert hide("abcd abc x", {"abc", "abcd", ""}) == "*** *** x"
