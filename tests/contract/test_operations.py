"""The table of operations is the contract's, and the client has a method for each."""

import inspect
import re
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hamsa_async import HamsaClient, OutcomeUnknownError, RetryPolicy, ServerError
from hamsa_async._operations import JOBS, OPERATIONS, Operation

BY_ID = {operation.id: operation for operation in OPERATIONS}


def plain(path: str) -> str:
    """A path without the names of its ids."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_operation_of_the_contract_is_in_the_table_once(document: dict[str, Any]) -> None:
    """Method, path and id agree, and there is no more than one operation besides."""
    listed = {
        method["operationId"]: (name.upper(), plain(path))
        for path, item in document["paths"].items()
        for name, method in item.items()
        if name != "parameters"
    }
    ours = [operation for operation in OPERATIONS if operation.id is not None]
    assert len(ours) == len(listed) == 43
    assert {row.id: (row.method, plain(row.path)) for row in ours} == listed
    assert [row for row in OPERATIONS if row.id is None] == [JOBS]


def test_sources_are_the_contracts(document: dict[str, Any]) -> None:
    """The page that a row names is the one that the contract names."""
    for path, item in document["paths"].items():
        for name, method in item.items():
            if name != "parameters":
                row = BY_ID[method["operationId"]]
                assert ([row.source] if row.source else None) == method.get("x-source"), path


def test_what_is_not_a_get_writes_but_for_one() -> None:
    """Only reads are read."""
    odd = [row for row in OPERATIONS if row.writes is (row.method == "GET")]
    assert odd == [JOBS]


def test_lists_say_how_they_count() -> None:
    """An operation has a dialect of paging where it is a list, and only there."""
    assert {row.name for row in OPERATIONS if row.paging} == {
        row.name for row in OPERATIONS if row.name.endswith(".list")
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.name)
async def test_the_client_has_a_method_of_its_name(operation: Operation) -> None:
    """It is documented with its route."""
    client = HamsaClient("fake-key")
    area, _, name = operation.name.partition(".")
    names = {"add": ["add_twilio", "add_sip"]}.get(name, [name])
    for each in names:
        text = inspect.getdoc(getattr(getattr(client, area), each)) or ""
        (route,) = re.findall(r"Source: `(\w+ [^`]+)`", text)
        assert plain(route) == f"{operation.method} {plain(operation.path)}"
    await client.aclose()


async def test_a_write_is_sent_once_and_a_read_again(asked: Any) -> None:
    """A 500 proves nothing: a write ends in doubt after one request, a read is tried again."""
    requests = 0

    async def fail(request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response(status=500)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fail)
    writes = BY_ID[asked.id].writes
    retry = RetryPolicy(attempts=3, wait_initial=0.001, wait_max=0.001)
    async with (
        TestServer(app) as server,
        HamsaClient("fake-key", base_url=str(server.make_url("")), retry=retry) as client,
    ):
        with pytest.raises(OutcomeUnknownError if writes else ServerError):
            await asked.most(client)
    assert requests == (1 if writes else 3)
