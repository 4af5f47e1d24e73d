"""A server that says everything back, on every operation: none of it is shown.

Its answers hold the key it was asked with, what the request carried that is secret, a calendar's
tokens and whole numbers: in the data, in errors, in headers, in what is no JSON and no HTTP.
"""

import asyncio
import json
import logging
import pickle
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
import pytest
from answering import Answering
from asking import (
    CALLER,
    EVERY,
    HEADER_TOKEN,
    LOCAL_NUMBER,
    MODEL_KEY,
    NUMBER,
    TOOL_TOKEN,
    TWILIO_TOKEN,
    WEBHOOK_SECRET,
    Asked,
)

from hamsa_async import HamsaClient, HamsaError, RetryPolicy
from hamsa_async._operations import ADD_NUMBER, Operation

KEY = "sk_live_Zk93hQ7"
CALENDAR = ("cal-access-7f", "cal-refresh-9k")
SPACED = "+971 50 000 0123"
SENT = (WEBHOOK_SECRET, MODEL_KEY, TOOL_TOKEN, TWILIO_TOKEN, HEADER_TOKEN)
HIDDEN = (KEY, *SENT, *CALENDAR, NUMBER[1:], CALLER[1:], SPACED, LOCAL_NUMBER)

LOUD = f"{NUMBER} {SPACED} {CALLER} {LOCAL_NUMBER}"
SECRETS = {
    "apiKey": KEY,
    "authSecret": WEBHOOK_SECRET,
    "authToken": TOOL_TOKEN,
    "accessToken": CALENDAR[0],
    "refreshToken": CALENDAR[1],
    "twilioAuthToken": TWILIO_TOKEN,
    "httpHeaders": {"Authorization": HEADER_TOKEN},
    "llmConfig": {"apiKey": MODEL_KEY, "modelName": LOUD},
}
CALENDAR_TOOLS = {"calendarName": LOUD, **SECRETS, "freeSlots": {NUMBER: []}}
THING: dict[str, Any] = {
    "id": "id-1",
    "jobId": "id-1",
    "exportId": "id-1",
    "number": NUMBER,
    "label": LOUD,
    "name": LOUD,
    "agentName": LOUD,
    "title": LOUD,
    "status": LOUD,
    "webhookUrl": f"https://x.example/?secret={WEBHOOK_SECRET}&to={NUMBER}",
    "webhookAuth": {"authKey": "Token", "authSecret": WEBHOOK_SECRET},
    "callParams": {"toNumber": NUMBER, "fromNumber": CALLER},
    "jobResponse": {"deep": [{"er": [SECRETS, LOUD]}]},
    "agentDetails": {"agentName": LOUD, "tools": CALENDAR_TOOLS, **SECRETS, "params": SECRETS},
    "tools": CALENDAR_TOOLS,
    "toolSettings": {**SECRETS, "serverUrl": f"https://x.example/{KEY}"},
    "recipients": {"pending": [{"id": "r", "phoneNumber": NUMBER, "dynamicVariables": SECRETS}]},
    "sipOutboundConfigs": {"address": LOUD, "password": TWILIO_TOKEN},
    NUMBER: [SECRETS, {NUMBER: LOUD}],
    **SECRETS,
}
ROWS = ("calls", "jobs", "voiceAgents", "items", "dictionaries", "campaigns", "voiceDictionaries")
PAGE = {**{row: [THING] for row in ROWS}, "total": 1, **SECRETS}


def http(status: int, body: Any, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {LOUD}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def answers(said: str) -> dict[str, bytes]:
    """What a server may say back, in texts and names of any place, of what it was sent."""
    echo = f"{KEY} {said} {LOUD}"
    error = {
        "success": False,
        "message": echo,
        "messageKey": f"BAD_{KEY}_{NUMBER}",
        "error": echo,
        KEY: {NUMBER: [KEY, SECRETS]},
    }
    headers = (
        f"X-Request-Id: {echo}",
        f"Set-Cookie: key={KEY}; to={NUMBER}",
        f"WWW-Authenticate: Token {KEY}",
        f"Location: https://x.example/{KEY}/{NUMBER}",
        f"Date: {echo}",
        f"Retry-After: {echo}",
        "Content-Type: application/json",
    )
    odd = {**THING, "createdAt": echo, "updatedAt": SECRETS, "logs": echo}
    return {
        "a thing": http(200, {"data": {**THING, **PAGE}}, *headers),
        "a list": http(200, {"data": [THING]}, *headers),
        **{
            str(status): http(status, error, *headers)
            for status in (301, 400, 401, 403, 404, 409, 422, 500)
        },
        "429": http(429, error, headers[0], "Retry-After: 1000"),
        "500 with data": http(500, {**error, "data": THING}, *headers),
        "no data": http(200, error, *headers),
        "odd fields": http(200, {"data": odd}, *headers),
        "odd ids": http(200, {"data": {"id": {KEY: NUMBER}, "jobId": SECRETS, "exportId": [1]}}),
        "odd rows": http(200, {"data": {row: [echo, {NUMBER: KEY}] for row in ROWS}}, *headers),
        "no JSON": http(200, echo.encode(), *headers),
        "half JSON": http(200, json.dumps({"data": THING}).encode()[:-9], *headers),
        "a web page": http(502, f"<html>{echo}</html>".encode(), "Content-Type: text/html"),
        "no HTTP": f"220 {echo}\r\n\r\n".encode(),
        "no headers": f"HTTP/1.1 200 OK\r\n{echo}\r\n\r\n".encode(),
        "a bad length": f"HTTP/1.1 200 OK\r\nContent-Length: {echo}\r\n\r\n".encode(),
        "cut": http(200, {"data": THING}, *headers)[:-50],
    }


CASES = tuple(answers(""))


@pytest.fixture(scope="module")
def echo() -> Iterator[Answering]:
    with Answering() as echo:
        yield echo


def say_back(case: str) -> Callable[[bytes], bytes]:
    """Answer with all that a request's body held of secrets."""
    return lambda body: answers(" ".join(one for one in SENT if one in body.decode()))[case]


@pytest.fixture
async def loud(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Every logger at DEBUG, and a loop in its debug mode."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60  # the next test looks at what is said of slow ones
    yield
    loop.set_debug(False)


def shown(value: Any) -> Iterator[str]:
    """What a careless program prints of a value, and of everything that it holds of ours."""
    yield from (str(value), repr(value), f"{value!s:>5}")
    if isinstance(value, BaseException):
        yield from traceback.format_exception(value)
        yield from traceback.format_exception(value.__cause__ or value.__context__ or value)
        yield pickle.dumps(value).decode("latin-1")
        yield from (repr(item) for name, item in vars(value).items() if name != "reference")
        for inner in (value.__cause__, value.__context__):
            if inner is not None:
                yield from shown(inner)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from shown_within(getattr(value, field.name))


def shown_within(value: Any) -> Iterator[str]:
    """Our values inside of ours. Texts and mappings are the server's data, and are what it said."""
    if attrs.has(type(value)) or isinstance(value, BaseException):
        yield from shown(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from shown_within(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from shown_within(item)


def logged(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    here = threading.get_ident()
    for record in caplog.records:
        if record.thread == here:
            yield formatter.format(record)
            yield repr(vars(record))


def leaks(texts: Iterator[str]) -> list[tuple[str, str]]:
    return [
        (secret, text[max(0, text.index(secret) - 300) :][:700])
        for text in texts
        for secret in HIDDEN
        if secret in text
    ]


@pytest.mark.parametrize(("operation", "asked"), EVERY, ids=lambda part: getattr(part, "name", ""))
@pytest.mark.usefixtures("loud")
async def test_nothing_secret_is_shown_whatever_is_answered(
    operation: Operation,
    asked: Asked,
    echo: Answering,
    heard: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in `str`, `repr`, tracebacks, pickles and events, nor in any log at DEBUG."""
    once = RetryPolicy(attempts=1, wait_initial=0, cooldown=0.001)
    ask = asked.least if operation is ADD_NUMBER else asked.most  # the one with a token in it
    for case in CASES:
        echo.reply, asks = say_back(case), echo.asked
        heard.clear()
        client = HamsaClient(KEY, base_url=echo.base_url, retry=once, hooks=[heard])
        async with client:
            try:
                end: Any = await ask(client)
            except HamsaError as error:
                end = error
            texts = [*(() if isinstance(end, str) else shown(end)), repr(client)]
        for event in heard:
            texts += [*shown(event), *shown_within([getattr(event, "error", None)])]
        assert echo.asked == asks + 1, case
        assert heard, case
        assert leaks(iter(texts)) == [], case
    assert len(caplog.records) > len(CASES)
    assert {"hamsa_async", "asyncio"} <= {record.name for record in caplog.records}
    assert leaks(logged(caplog)) == []


@pytest.mark.parametrize(
    "case", ["a thing", "500 with data", "no JSON", "cut", "no HTTP", "a bad length"]
)
@pytest.mark.usefixtures("loud")
async def test_a_loop_that_logs_each_callback_shows_nothing_either(
    case: str, echo: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    """In debug mode asyncio shows what a slow task came to: aiohttp's errors hold the key."""
    asyncio.get_running_loop().slow_callback_duration = 0
    echo.reply = say_back(case)
    once = RetryPolicy(attempts=1)
    async with HamsaClient(KEY, base_url=echo.base_url, retry=once) as client:
        with suppress(HamsaError):
            await client.projects.current()
    assert any("_exchange" in record.getMessage() for record in caplog.records)
    assert leaks(logged(caplog)) == []
