"""Whatever a server answers, on every operation: the value with nothing lost, or our own error."""

import asyncio
import json
import pickle
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import attrs
import pytest
from answering import Answering
from asking import EVERY, Asked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending import as_sent, back, jsons, sent

from hamsa_async import (
    Call,
    ExportFile,
    HamsaClient,
    HamsaError,
    OutcomeUnknownError,
    Page,
    Pages,
    Project,
    ResponseSchemaError,
    RetryPolicy,
)
from hamsa_async._operations import NUMBERS, TOGGLE_DICTIONARY, Operation

EACH = pytest.mark.parametrize(
    ("operation", "asked"), EVERY, ids=lambda part: getattr(part, "name", "")
)
ROWS = ("calls", "jobs", "voiceAgents", "items", "voiceDictionaries", "dictionaries", "campaigns")
FEW = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@attrs.frozen
class Asking:
    """A client on a loop of its own, for tests that ask again and again."""

    server: Answering
    client: HamsaClient
    runner: asyncio.Runner

    def __call__(self, asked: Asked, raw: bytes) -> Any:
        """What comes of an operation that is answered with these bytes."""
        self.server.reply = lambda _: raw

        async def ask() -> Any:
            return await asked.most(self.client)

        return self.runner.run(ask())


@pytest.fixture(scope="module")
def ask() -> Iterator[Asking]:
    once = RetryPolicy(attempts=1)
    with Answering() as server, asyncio.Runner() as runner:
        session = runner.run(fresh_connections())
        client = HamsaClient("k", base_url=server.base_url, retry=once, session=session)
        yield Asking(server, client, runner)
        runner.run(client.aclose())
        runner.run(session.close())


async def fresh_connections() -> aiohttp.ClientSession:
    """A session that takes a new connection for each request, as the server ends each."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


def http(body: Any, status: int = 200) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(content)}\r\n\r\n".encode() + content


def given_back(operation: Operation) -> Any:
    """The type that an operation's method gives."""
    area, _, name = operation.name.partition(".")
    method = getattr(getattr(HamsaClient("k"), area), {"add": "add_twilio"}.get(name, name))
    return typing.get_type_hints(method, include_extras=True)["return"]


def data_of(operation: Operation) -> st.SearchStrategy[Any]:
    """What may stand in `data` of an answer to an operation."""
    kind = given_back(operation)
    if typing.get_origin(kind) is Pages:
        rows = st.lists(sent(typing.get_args(kind)[0]), max_size=2)
        if operation is NUMBERS:
            return rows
        return rows.map(lambda rows: {**dict.fromkeys(ROWS, rows), "total": len(rows)})
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        (kind,) = {part for part in typing.get_args(kind) if part is not ExportFile}
    if kind in {Call, Project}:  # of these an id is insisted on, and not only by their type
        return sent(kind).map(lambda data: {**data, "id": data["id"] or "an-id"})
    return sent(kind)


def wanted_of(operation: Operation, data: Any) -> Any:
    """The same, as the value should give it back."""
    if typing.get_origin(given_back(operation)) is not Pages:
        return as_sent(data)
    return as_sent(data if operation is NUMBERS else data[ROWS[0]])


@EACH
def test_nothing_of_an_answer_is_lost(operation: Operation, asked: Asked, ask: Asking) -> None:
    """Unknown fields and members, nulls, both ages of an agent: there and back, over the wire."""

    @FEW
    @given(data_of(operation))
    def check(data: Any) -> None:
        value = ask(asked, http({"success": False, "data": data}))
        if operation is TOGGLE_DICTIONARY:
            assert value is None
            return
        if isinstance(value, Page):
            value = list(value)
        assert back(value) == wanted_of(operation, data)

    if operation is TOGGLE_DICTIONARY:
        ask(asked, http({"success": True}))
    else:
        check()


# Bodies of a 200 that no operation can read, and where they go wrong.
BAD = {
    "nothing": (b"", "@ $"),
    "no JSON": (b"<html>", "not JSON @ $"),
    "half a JSON": (b'{"data": {"id": "x"', "not JSON @ $"),
    "no text": (b"\xff\xfe", "not JSON @ $"),
    "too deep": (b"[" * 100_000, "not JSON @ $"),
    "a list": (b"[]", "expected an object @ $"),
    "a text": (b'"data"', "expected an object @ $"),
    "null": (b"null", "expected an object @ $"),
    "no data": (b'{"success": true}', "required field missing @ $.data"),
    "null data": (b'{"data": null}', "required field missing @ $.data"),
    "a number as data": (b'{"data": 5}', "@ $.data"),
    "true as data": (b'{"data": true}', "@ $.data"),
    "a list of odd things": (b'{"data": [5]}', "@ $.data"),
}


TOGGLE_HAS_NO_DATA = {
    case: (body, "expected an object @ $") for case, (body, _) in BAD.items() if body[:1] != b"{"
} | {"failed": (b'{"success": false}', "@ $.success")}


@EACH
def test_an_answer_of_another_shape_names_the_path(
    operation: Operation, asked: Asked, ask: Asking
) -> None:
    """A read says where it is wrong; a write is in doubt, and says where too."""
    kind = OutcomeUnknownError if operation.writes else ResponseSchemaError
    cases = TOGGLE_HAS_NO_DATA if operation is TOGGLE_DICTIONARY else BAD
    for case, (body, problem) in cases.items():
        with pytest.raises(kind) as caught:
            ask(asked, http(body))
        assert problem in str(caught.value), case
        if isinstance(caught.value, ResponseSchemaError):
            assert caught.value.problems
            assert all(" @ $" in problem for problem in caught.value.problems)
        again = pickle.loads(pickle.dumps(caught.value))
        assert vars(again) == vars(caught.value)


def only_ours(operation: Operation, come: Callable[[], Any]) -> None:
    """What comes of it is a value, or an error of ours that says what is proven."""
    try:
        come()
    except HamsaError as error:
        assert (error.certainty is not None) == operation.writes or isinstance(
            error, ResponseSchemaError
        )
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
        for cause in (error.__cause__, error.__context__):
            assert type(cause).__module__ == "builtins", repr(cause)


@EACH
def test_no_json_makes_an_operation_raise_anything_but_our_errors(
    operation: Operation, asked: Asked, ask: Asking
) -> None:
    """Any JSON where `data` should be, and any where its fields should."""
    data = jsons | st.dictionaries(st.sampled_from([*ROWS, "id", "jobId", "createdAt"]), jsons)

    @FEW
    @given(data=data, status=st.sampled_from([200, 201, 299, 400, 409, 500]))
    def check(data: Any, status: int) -> None:
        only_ours(operation, lambda: ask(asked, http({"data": data, "message": data}, status)))

    check()


WHOLE = http({"data": {"id": "x", "jobId": "x", **{row: [{"id": "x"}] for row in ROWS}}})


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """An answer with bytes of it changed, lost or put in, or no answer at all."""
    raw = bytearray(WHOLE)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        raw[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8) | st.just(b"\r\n"))
    return bytes(raw)


@EACH
def test_no_bytes_make_an_operation_raise_anything_but_our_errors(
    operation: Operation, asked: Asked, ask: Asking
) -> None:
    """Junk for a status line, for headers, for a body; too much and too little of it."""

    @FEW
    @given(spoilt() | st.binary(max_size=40) | st.binary(max_size=20).map(WHOLE.__add__))
    def check(raw: bytes) -> None:
        only_ours(operation, lambda: ask(asked, raw))

    check()
