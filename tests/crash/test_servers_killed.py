"""The others are killed: the server that places the calls, and the receiver of its webhooks."""

import asyncio
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import Campaign, ContactState, Dialer, Ending
from hamsa_async.dialer.verify import verify
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

pytestmark = pytest.mark.crash

CONTACTS = 160
SECRET = {"HAMSA_WEBHOOK_SECRET": "s" * 40}
SOON = timedelta(seconds=0.3)
PATIENCE = 90.0
LATENCY = ("--latency", "0.02-0.05")


async def test_the_server_is_killed_midway(
    serve: Any, serve_again: Any, tools: Any, tmp_path: Any
) -> None:
    """It dies twice with calls on their way, and comes back: nobody rings twice, all are known."""
    server = serve(*LATENCY)
    campaign = Campaign(
        name="eid",
        voice_agent_id=FAKE_AGENT_ID,
        rate=None,
        concurrency=12,
        live_calls=None,
        breaker=False,
        retries=(),
        lag=timedelta(seconds=1),
    )
    numbers = tools.numbers_of(CONTACTS)
    kills = [CONTACTS // 4, CONTACTS // 2]
    async with (
        asyncio.timeout(PATIENCE),
        HamsaClient(FAKE_API_KEY, base_url=server.url) as hamsa,
        Dialer(
            hamsa,
            journal=tmp_path / "journal.db",
            probe_every=SOON,
            look_every=SOON,
            settle_every=SOON,
        ) as dialer,
    ):
        run = dialer.run(campaign, [{"phone_number": number} for number in numbers])
        kinds: Counter[str] = Counter()
        async for event in run:
            kinds[event.kind] += 1
            if kills and kinds["placed"] >= kills[0]:
                kills.pop(0)
                server.process.kill()
                server.process.wait()
                await asyncio.sleep(0.5)  # in which requests find nobody there
                server = await asyncio.to_thread(serve_again, server, *LATENCY)
        record = await dialer.journal.campaign("eid")
        assert record is not None
        proved = await verify(dialer.journal, record, hamsa.conversations, rows=CONTACTS)
        states = {row.phone_number: row.state async for row in dialer.journal.rows(record.id)}
    assert not kills
    assert kinds["lost"] > 0, "nothing was on its way"
    assert run.finish is not None
    assert run.finish.ending is Ending.DONE
    rings = server.rings()
    assert len(set(rings)) == len(rings), "somebody was rung twice"
    assert {number for number, state in states.items() if state is ContactState.DONE} == set(rings)
    assert set(states.values()) <= {ContactState.DONE, ContactState.REVIEW}
    assert len(states) == CONTACTS
    assert proved.findings == []
    assert proved.calls == len(rings)


def test_the_receiver_is_killed_midway(serve: Any, dial_at: Any, contacts: Any, tools: Any) -> None:
    """Ends are seen without it, and whatever it had answered 2xx is in the inbox."""
    server = serve(*LATENCY, seconds="0.1-0.4")
    server.post("webhooks", {"tries": 3, "retry_seconds": 0.3})
    dial = dial_at(server)
    dial.command = dial.command.with_env(**SECRET)
    port = 0
    receiver = None

    def receive() -> str:
        nonlocal receiver
        receiver = dial.command.start("serve", "--port", port, "--journal", dial.journal)
        found = re.search(r"at (http://\S+);", receiver.stderr.readline())
        assert found
        return found[1]

    def in_vain() -> int:
        """How many events found nobody there."""
        return sum(each["sent"] and each["status"] is None for each in server.sent_webhooks())

    url = receive()
    port = int(re.search(r":(\d+)/", url)[1])
    run = dial.start(contacts(CONTACTS), "--concurrency", 8, "--webhook-url", url)
    for share in (3, 2):
        tools.until(lambda share=share: server.ring_count() >= CONTACTS // share, run)
        tools.end(receiver)
        before = in_vain()
        tools.until(lambda before=before: in_vain() > before, run)
        assert receive() == url
    tools.finished(run).ends(0)
    assert dial.counts() == {"done": CONTACTS}
    dial.check()

    sent = server.sent_webhooks()
    taken = {(each["call_id"], each["event"]) for each in sent if each["status"] == 200}
    assert in_vain() > 0
    with closing(sqlite3.connect(dial.journal)) as connection:
        kept = connection.execute("SELECT body FROM inbox").fetchall()
    bodies = [json.loads(body) for (body,) in kept]
    assert taken <= {(body["callId"], body["eventType"]) for body in bodies}
    assert taken
