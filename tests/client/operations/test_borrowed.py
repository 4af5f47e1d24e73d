"""A session of the caller's changes nothing in the table, whatever it does on its own account."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from asking import EVERY, furnish

from hamsa_async import (
    HamsaClient,
    HamsaError,
    InvalidRequestError,
    OutcomeUnknownError,
    ResponseSchemaError,
    RetryPolicy,
    ServerError,
)
from hamsa_async._operations import CALL, CALL_FROM_NUMBER, CREATE_CAMPAIGN, PROJECT
from hamsa_async.testing import FakeHamsa

ASKED = dict(EVERY)


async def retrying(request: Any, handler: Any) -> Any:
    """Do what a middleware against unreliable servers does."""
    for _ in range(3):
        try:
            response = await handler(request)
        except aiohttp.ClientError:
            continue
        if response.status < 400:
            break
    return response


async def key_of_its_own(request: Any, handler: Any) -> Any:
    request.headers["Authorization"] = "Token somebody-elses"
    return await handler(request)


def nosy() -> aiohttp.TraceConfig:
    """Be told of everything, and be slow to let go of it."""
    trace = aiohttp.TraceConfig()

    async def note(*told: Any) -> None: ...

    for name in ("start", "chunk_sent", "end", "exception", "redirect", "headers_sent"):
        getattr(trace, f"on_request_{name}").append(note)
    for name in ("queued_start", "queued_end", "create_start", "create_end", "reuseconn"):
        getattr(trace, f"on_connection_{name}").append(note)
    trace.on_response_chunk_received.append(note)
    return trace


def pool(**options: Any) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(**options)


SESSIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "retrying": lambda: {"middlewares": (retrying, key_of_its_own)},
    "raising": lambda: {"raise_for_status": True},
    "traced": lambda: {"trace_configs": [nosy()]},
    "a small pool": lambda: {"connector": pool(limit=1)},
    "no kept connections": lambda: {"connector": pool(force_close=True)},
    "all of it": lambda: {
        "middlewares": (retrying, key_of_its_own),
        "raise_for_status": True,
        "trace_configs": [nosy()],
        "connector": pool(limit=1, limit_per_host=1),
        "timeout": aiohttp.ClientTimeout(total=0.000001),
        "headers": {"X-Own": "1", "Content-Type": "text/plain", "Authorization": "Basic x"},
        "cookies": {"own": "1"},
    },
}

# Fault, what becomes of a write, of a read, and how often a read is sent.
TABLE: list[tuple[str, type[HamsaError] | None, type[HamsaError] | None, int]] = [
    ("status_503", OutcomeUnknownError, ServerError, 3),
    ("html_502", OutcomeUnknownError, ServerError, 3),
    ("status_408", OutcomeUnknownError, ServerError, 3),
    ("status_422", InvalidRequestError, InvalidRequestError, 1),
    ("drop_before", OutcomeUnknownError, ServerError, 3),
    ("drop_after", OutcomeUnknownError, ServerError, 3),
    ("reset_after", OutcomeUnknownError, ServerError, 3),
    ("cut", OutcomeUnknownError, ServerError, 3),
    ("not_http", OutcomeUnknownError, ServerError, 3),
    ("junk", OutcomeUnknownError, ResponseSchemaError, 1),
    ("slow", None, None, 1),
]


@pytest.mark.parametrize("session", SESSIONS)
async def test_the_table_is_the_same_over_any_session(session: str) -> None:
    """One request of a write, of either call route and of a batch; a read as its attempts say."""
    policy = RetryPolicy(wait_initial=0, budget=1.0)
    async with FakeHamsa() as fake, aiohttp.ClientSession(**SESSIONS[session]()) as borrowed:
        await furnish(fake)
        for operation in (CALL, CALL_FROM_NUMBER, CREATE_CAMPAIGN, PROJECT):
            for fault, of_write, of_read, reads in TABLE:
                fake.requests.clear()
                fake.ledger.clear()
                fake.faults.clear()
                options = {"seconds": 0.001} if fault == "slow" else {}
                fake.faults.next(fault, count=9, on="any", **options)
                client = HamsaClient(
                    "fake-key", base_url=fake.base_url, session=borrowed, retry=policy
                )
                end: Any = None
                try:
                    await ASKED[operation].most(client)
                except HamsaError as error:
                    end = error
                await client.aclose()
                where = (operation.name, fault, repr(end))
                kind = of_write if operation.writes else of_read
                assert (type(end) if end else None) is kind, where
                assert sum(fake.requests.values()) == (1 if operation.writes else reads), where
                assert not fake.ledger.rung_twice()
        assert not borrowed.closed
