"""The client against a mock of the contract that refuses every request that breaks it.

`HAMSA_PRISM` names Stoplight Prism's command; the session `contract` installs it and sets that.
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from hamsa_async import (
    APIError,
    AuthenticationError,
    Certainty,
    HamsaClient,
    HamsaError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from hamsa_async._operations import OPERATIONS

pytestmark = pytest.mark.contract

CONTRACT = Path(__file__).parent / "hamsa-openapi.yaml"
PRISM = os.environ["HAMSA_PRISM"]
READS = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: InvalidRequestError,
    429: RateLimitedError,
    500: ServerError,
    502: ServerError,
    504: ServerError,
}
WRITES = {**READS, 500: OutcomeUnknownError, 502: OutcomeUnknownError, 504: OutcomeUnknownError}
BY_ID = {operation.id: operation for operation in OPERATIONS}


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"Prism ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return  # it speaks
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("Prism did not start within a minute")


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    """A mock of the contract with request validation on."""
    port = free_port()
    process = subprocess.Popen(
        [PRISM, "mock", "--errors", "--host", "127.0.0.1", "--port", str(port), str(CONTRACT)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/projects/by-api-key", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@attrs.define
class Mocked:
    """A client of the mock, and the status that the mock is to answer with."""

    client: HamsaClient
    session: aiohttp.ClientSession
    headers: dict[str, str]

    def prefer(self, status: int, kind: str) -> None:
        # Only a mock asks whether we take the page of a broken edge; an edge just sends it.
        self.headers.update({"Prefer": f"code={status}", "Accept": kind})


@pytest.fixture
async def mocked(prism: str) -> AsyncIterator[Mocked]:
    headers: dict[str, str] = {}

    async def add_headers(
        _: aiohttp.ClientSession, __: object, params: aiohttp.TraceRequestStartParams
    ) -> None:
        params.headers.update(headers)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(add_headers)
    async with (
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        HamsaClient(
            "fake-key",
            base_url=prism,
            session=session,
            retry=RetryPolicy(attempts=1, cooldown=0.01),
            timeouts=Timeouts(deadline=0.5, response=20),
        ) as client,
    ):
        yield Mocked(client, session, headers)


async def test_a_request_passes_and_its_answer_is_read(
    asked: Any, fully: bool, mocked: Mocked
) -> None:
    """The mock takes the request as the contract has it, and its example becomes a value."""
    await (asked.most if fully else asked.least)(mocked.client)


async def test_a_documented_error_is_the_class_of_the_table(
    asked: Any, mocked: Mocked, document: dict[str, Any]
) -> None:
    """Every status that the contract lists for the operation gives the error that the table has."""
    operation = BY_ID[asked.id]
    (listed,) = [
        method["responses"]
        for where, item in document["paths"].items()
        for name, method in item.items()
        if name != "parameters" and method["operationId"] == asked.id
    ]
    statuses = sorted(map(int, listed.keys() - {"200"}))
    statuses.sort(key=(429).__eq__)  # last: it closes the client's gate for what comes after
    for status in statuses:
        mocked.prefer(status, "text/html" if status in {502, 504} else "application/json")
        expected = (WRITES if operation.writes else READS)[status]
        with pytest.raises(HamsaError) as caught:
            await asked.least(mocked.client)
        assert type(caught.value) is expected, (status, caught.value)
        assert caught.value.status == status
        if operation.writes:
            refused = isinstance(caught.value, APIError)
            assert caught.value.certainty is (Certainty.REFUSED if refused else Certainty.UNKNOWN)


async def test_the_mock_refuses_what_breaks_the_contract(mocked: Mocked, prism: str) -> None:
    """That requests pass proves something: one that breaks the contract does not."""
    url = f"{prism}/v1/voice-agents/campaigns"
    headers = {"Authorization": "Token fake-key", "Content-Type": "application/json"}
    async with mocked.session.post(url, data=json.dumps({"name": ""}), headers=headers) as answer:
        assert answer.status in {400, 422}
