"""What a client needs is imported with it: an import later would hold up the loop."""

import asyncio
import gzip
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

CALL = {
    "id": "call-1",
    "status": "PENDING",
    "createdAt": "2026-03-11T08:15:02.417Z",
    "agentDetails": {"agentName": "Nour", "tools": {"calendarName": "visits"}},
    "unheardOf": {"a": 1},
}


def answer(status: int, body: object, *headers: str, packed: bool = False) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps({"data": body}).encode()
    if packed:
        raw, headers = gzip.compress(raw), (*headers, "Content-Encoding: gzip")
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


STORY = [
    ("a call", "place()", [answer(200, CALL)]),
    ("a packed answer", "place()", [answer(200, CALL, packed=True)]),
    ("a refusal", "place()", [answer(401, b"<html>no</html>")]),
    ("an answer that is none", "place()", [answer(200, b"<html>")]),
    (
        "a read that is tried again",
        "client.conversations.get('c')",
        [answer(503, b"<html>busy</html>"), answer(200, {"id": "c"})],
    ),
    ("a misshapen answer", "client.conversations.get('c')", [answer(200, {"createdAt": 1})]),
    ("a drop", "place()", [b""]),
    ("a caller who leaves at once", "leave(place())", []),
    (
        "a call through the gate",
        "place()",
        [answer(429, None, "Retry-After: Wed, 11 Mar 2026 08:15:00 GMT"), answer(200, CALL)],
    ),
]

TELLER = """
import asyncio, contextlib, json, logging, sys
from hamsa_async import HamsaClient, HamsaError, RetryPolicy

async def main(base_url, story):
    client = HamsaClient(
        "key", base_url=base_url, retry=RetryPolicy(wait_initial=0, budget=1), hooks=[repr]
    )

    async def place():
        call = await client.voice_agents.call(
            to_number="+971500000123", voice_agent_id="a", params={"name": "x"}, reference="r"
        )
        return call.agent_details

    async def leave(placing):
        task = asyncio.create_task(placing)
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    seen, late = set(sys.modules), {}
    for name, deed in story + [("the end", "client.aclose()")]:
        try:
            await eval(deed, {"client": client, "place": place, "leave": leave})
        except HamsaError as error:
            str(error)
        late[name] = sorted(set(sys.modules) - seen)
        seen |= set(sys.modules)
    print(json.dumps(late))

logging.basicConfig(level=logging.DEBUG)
asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_is_imported_on_the_loop_later(
    raw_server: Callable[..., Awaitable[Any]], host: str
) -> None:
    """Neither ours nor another's, whatever comes of a request, and by name or by address."""
    answers = iter([raw for _, _, all_of_it in STORY for raw in all_of_it])

    async def tell(connection: Any) -> None:
        while await server.next_request(connection):
            raw = next(answers)
            connection.say(raw)
            if not raw:
                return

    server = await raw_server(tell)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", TELLER, f"http://{host}:{server.port}"),
        json.dumps([(name, deed) for name, deed, _ in STORY]),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    late = json.loads(out)
    assert len(late) == len(STORY) + 1
    assert {name: modules for name, modules in late.items() if modules} == {}
    assert next(answers, None) is None, "the story did not go as told"
