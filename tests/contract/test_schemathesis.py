"""FakeHamsa against the contract, by requests that nobody thought of."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from hamsa_async.testing import FAKE_API_KEY, FakeHamsa

pytestmark = pytest.mark.contract

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]

# What is wrong with a body is refused by these. The others are lenient on purpose: an id need
# not be a UUID, a query may have names that nobody knows, and null in a call is as good as none.
STRICT = {
    "/v1/voice-agents",
    "/v2/voice-agents",
    "/v1/voice-agents/phone-number",
    "/v1/voice-agents/assign-number",
    "/v1/voice-agents/unassign",
    "/v1/voice-agents/web-tool",
    "/v2/voice-agents/web-tool",
    "/v1/voice-agents/knowledge-base",
    "/v1/voice-agents/voice-dictionaries",
    "/v1/voice-agents/voice-dictionaries/toggle-activation",
    "/v1/voice-agents/campaigns",
}

contract = schemathesis.openapi.from_path(Path(__file__).parent / "hamsa-openapi.yaml")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A fake in a thread of its own, in which every agent exists."""
    started = threading.Event()
    found: dict[str, Any] = {}

    async def serve() -> None:
        async with FakeHamsa(agents=None) as fake:
            found.update(url=fake.base_url, loop=asyncio.get_running_loop(), stop=asyncio.Event())
            started.set()
            await found["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield found["url"]
    found["loop"].call_soon_threadsafe(found["stop"].set)
    thread.join(10)


@contract.parametrize()
@settings(max_examples=30, suppress_health_check=list(HealthCheck), derandomize=True)
def test_answers_keep_to_the_contract(case: Any, server: str) -> None:
    """Whatever is asked, the answer is one that the contract lists, in the shape that it has."""
    strict = case.method == "POST" and case.path in STRICT
    case.call_and_validate(
        base_url=server,
        headers={"Authorization": f"Token {FAKE_API_KEY}"},
        checks=[*CHECKS, negative_data_rejection] if strict else CHECKS,
    )
