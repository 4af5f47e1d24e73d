"""Every fault does on the wire what it says, strikes whom it should, and the ledger tells."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hamsa_async.testing import FAKE_AGENT_ID, FAULTS, FakeHamsa, FaultPlan, Ledger, PlannedFault

CALL = "/v1/voice-agents/call"
PROJECT = "/v1/projects/by-api-key"
AUTH = "Authorization: Token fake-key\r\n"
SARA, OMAR = "+971500000123", "+966500000456"


@pytest.fixture
async def fake() -> AsyncIterator[FakeHamsa]:
    async with FakeHamsa() as fake:
        yield fake


def order(number: str = SARA, reference: str | None = None) -> dict[str, Any]:
    params = {} if reference is None else {"_hamsa_reference": reference}
    return {"toNumber": number, "voiceAgentId": FAKE_AGENT_ID, "params": params}


def post_bytes(number: str = SARA, *, more: str = "Connection: close\r\n", **body: Any) -> bytes:
    raw = json.dumps({**order(number), **body}).encode()
    head = f"POST {CALL} HTTP/1.1\r\nHost: x\r\n{AUTH}{more}Content-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


def get_bytes(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: close\r\n\r\n".encode()


class Wire:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, fake: FakeHamsa) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", fake.port))

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One whole answer of a connection that is kept."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, headers = parsed(head)
        return status, headers, await self.reader.readexactly(int(headers["content-length"]))


def parsed(head: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.strip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}


async def said(fake: FakeHamsa, raw: bytes) -> bytes:
    """Everything that the server sends until it closes."""
    async with await Wire.open(fake) as wire:
        wire.writer.write(raw)
        return await wire.reader.read()


async def spoken(fake: FakeHamsa, raw: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = (await said(fake, raw)).partition(b"\r\n\r\n")
    return *parsed(head.decode()), body


async def until(true: Callable[[], object]) -> None:
    """Let the server run until something is true; a hang is a failure, not a wait for ever."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


def test_every_fault_says_what_it_does() -> None:
    """Each fault has its sentence, which says whether the phone rings."""
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert "ring" in fault.what.lower()
        assert fault.what.endswith(".")
        assert ("no ring" in fault.what or "does not ring" in fault.what) is not fault.rings


@pytest.mark.parametrize(
    ("name", "rings"), [("drop_before", 0), ("drop_after", 1), ("hang", 1), ("not_http", 1)]
)
async def test_rings_and_does_not_answer(name: str, rings: int) -> None:
    """Dropping says nothing, hanging says nothing until the server stops, not-HTTP is just that."""
    async with FakeHamsa() as fake:
        fake.faults.next(name)
        async with await Wire.open(fake) as wire:
            wire.writer.write(post_bytes())
            await until(lambda: fake.ledger.post_log and fake.ledger.post_log[0].fault)
            if name == "hang":
                assert len(fake.ledger.rings) == 1
                await fake.aclose()
            heard = await wire.reader.read()
    assert heard == (b"220 this.is.not.http ESMTP ready\r\n\r\n" if name == "not_http" else b"")
    assert len(fake.ledger.rings) == rings
    post = fake.ledger.post_log[0]
    assert (post.fault, post.rang, post.status) == (name, bool(rings), None)


@pytest.mark.parametrize(("name", "rings"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_is_a_reset(fake: FakeHamsa, name: str, rings: int) -> None:
    """The connection ends in an RST, not in an orderly close."""
    fake.faults.next(name)
    with pytest.raises(ConnectionResetError):
        await said(fake, post_bytes())
    assert len(fake.ledger.rings) == rings


async def test_a_hang_ends_with_the_connection() -> None:
    """A client that goes away does not leave a request behind that hangs for ever."""
    async with FakeHamsa(capacity=None) as fake:
        fake.faults.next("hang")
        async with await Wire.open(fake) as wire:
            wire.writer.write(post_bytes())
            await until(lambda: fake.ledger.rings)
            assert fake.in_flight == 1
        await until(lambda: fake.in_flight == 0)


async def test_a_cut_answer_stops_half_way(fake: FakeHamsa) -> None:
    """The headers promise more body than there is."""
    fake.faults.next("cut")
    status, headers, body = await spoken(fake, post_bytes())
    assert status == 200
    assert len(body) == int(headers["content-length"]) // 2
    assert len(fake.ledger.rings) == 1


async def test_a_slow_answer_comes_after_the_ring(fake: FakeHamsa) -> None:
    """The phone rings while the client still waits, and the answer is the usual one."""
    fake.faults.next("slow", seconds=3600)
    waiting = asyncio.create_task(said(fake, post_bytes()))
    await until(lambda: fake.ledger.rings)
    assert not waiting.done()
    waiting.cancel()
    fake.faults.next("slow", seconds=0)
    status, _, body = await spoken(fake, post_bytes(OMAR))
    assert (status, json.loads(body)["data"]["id"]) == (200, fake.ledger.rings_of(OMAR)[0].call_id)


async def test_a_200_that_says_nothing_of_use(fake: FakeHamsa) -> None:
    """Junk, an empty body, an answer without an id and a failure in words are all 200."""
    for name in ("junk", "empty", "no_id", "success_false"):
        fake.faults.next(name)
    heard = [await spoken(fake, post_bytes()) for _ in range(4)]
    assert [status for status, _, _ in heard] == [200] * 4
    junk, empty, no_id, failure = (body for _, _, body in heard)
    with pytest.raises(ValueError):
        json.loads(junk)
    assert empty == b""
    assert json.loads(no_id)["data"]["status"] == "PENDING"
    assert "id" not in json.loads(no_id)["data"]
    assert json.loads(failure)["success"] is False
    assert "data" not in json.loads(failure)
    assert [post.rang for post in fake.ledger.post_log] == [True, True, True, False]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_to_itself(fake: FakeHamsa, status: int) -> None:
    """A redirect names the address that was asked for, or another one, and rings nobody."""
    fake.faults.next("redirect", status=status)
    fake.faults.next("redirect", status=status, location="https://elsewhere.example/")
    for location in (CALL, "https://elsewhere.example/"):
        heard, headers, _ = await spoken(fake, post_bytes())
        assert (heard, headers["location"]) == (status, location)
    assert not fake.ledger.rings


async def test_every_status_is_answered_as_planned(fake: FakeHamsa) -> None:
    """Each status from 100 to 599 goes out, and rings unless it proves a refusal."""
    refused = {400, 401, 402, 403, 404, 413, 415, 422, 429, *range(300, 400)}
    for code in range(100, 600):
        fake.faults.next(f"status_{code}")
        status, _, _ = await spoken(fake, post_bytes())
        assert status == code
        post = fake.ledger.post_log[-1]
        assert (post.status, post.rang) == (code, code not in refused)


async def test_a_plan_may_say_whether_it_rings(fake: FakeHamsa) -> None:
    """The same status comes with and without a ring."""
    for rings in (True, False):
        fake.faults.next("status_500", rings=rings)
        fake.faults.next("status_429", rings=rings)
        fake.faults.next("hang", rings=rings, on="read")
        for wanted in (500, 429):
            assert (await spoken(fake, post_bytes()))[0] == wanted
            assert fake.ledger.post_log[-1].rang is rings


@pytest.mark.parametrize(
    ("form", "kind"), [("json", "application/json"), ("html", "text/html"), ("empty", None)]
)
async def test_a_status_takes_a_form_of_body(fake: FakeHamsa, form: str, kind: str | None) -> None:
    """An error comes as JSON, as a page or with nothing."""
    fake.faults.next("status_503", body=form, retry_after=2)
    status, headers, body = await spoken(fake, post_bytes())
    assert (status, headers["retry-after"]) == (503, "2")
    if form == "json":
        assert json.loads(body)["success"] is False
    assert (form == "html") is body.startswith(b"<!DOCTYPE html>")
    assert (form == "empty") is (body == b"")
    assert kind is None or headers["content-type"].startswith(kind)


async def test_a_bad_gateway_is_a_page(fake: FakeHamsa) -> None:
    """502 comes as the proxy's page, after the ring."""
    fake.faults.next("html_502")
    status, headers, body = await spoken(fake, post_bytes())
    assert status == 502
    assert headers["content-type"].startswith("text/html")
    assert b"cloudflare" in body
    assert len(fake.ledger.rings) == 1


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "1"),
        ({"retry_after": 2}, "2"),
        ({"retry_after": 2.5}, "2.5"),
        ({"retry_after": "NaN"}, "NaN"),
        ({"retry_after": "9" * 30}, "9" * 30),
        ({"retry_after": "soon"}, "soon"),
        ({"retry_after": ""}, ""),
        ({"retry_after": None}, None),
        ({"retry_after_date": 3}, "Wed, 11 Mar 2026 08:15:05 GMT"),
        ({"retry_after_date": -60}, "Wed, 11 Mar 2026 08:14:02 GMT"),
    ],
)
async def test_a_429_takes_any_retry_after(options: dict[str, Any], wanted: str | None) -> None:
    """Whole and broken forms of Retry-After arrive word for word, and no phone rings."""
    async with FakeHamsa(clock=lambda: datetime(2026, 3, 11, 8, 15, 2, tzinfo=UTC)) as fake:
        fake.faults.next("rate_limited", **options)
        raw = await said(fake, post_bytes())
        heard = [
            line[12:].strip() for line in raw.decode().split("\r\n") if line[:12] == "Retry-After:"
        ]
        assert raw.startswith(b"HTTP/1.1 429 ")
        assert heard == ([] if wanted is None else [wanted])
        assert not fake.ledger.rings


async def test_next_goes_before_number_and_number_before_rate(fake: FakeHamsa) -> None:
    """Faults strike in their order of precedence, as often as they were planned."""
    fake.faults.at_rate("status_503", 1.0)
    fake.faults.for_number(SARA, "status_502", count=1)
    fake.faults.for_number(SARA, "status_504", count=1)
    fake.faults.next("status_500", count=2)
    heard = [(await spoken(fake, post_bytes(number)))[0] for number in (SARA, OMAR, OMAR, SARA)]
    assert heard == [500, 500, 503, 502]
    heard = [(await spoken(fake, post_bytes()))[0] for _ in range(2)]
    assert heard == [504, 503]


async def test_a_fault_strikes_the_kind_of_route_it_is_for(fake: FakeHamsa) -> None:
    """A fault on reads leaves calls alone, one on calls leaves reads alone, `any` takes both."""
    fake.faults.next("status_500", on="read")
    assert (await spoken(fake, post_bytes()))[0] == 200
    assert (await spoken(fake, get_bytes(PROJECT)))[0] == 500
    fake.faults.next("status_500")
    assert (await spoken(fake, get_bytes(PROJECT)))[0] == 200
    assert (await spoken(fake, post_bytes()))[0] == 500
    fake.faults.next("status_500", count=2, on="any")
    assert (await spoken(fake, get_bytes(PROJECT)))[0] == 500
    assert (await spoken(fake, post_bytes()))[0] == 500


async def test_reads_break_in_every_way_too(fake: FakeHamsa) -> None:
    """Every named fault strikes a read as it strikes a call, and rings nothing."""
    for name in ("drop_before", "drop_after", "not_http", "cut", "junk", "empty", "no_id"):
        fake.faults.next(name, on="read")
        usual = name in ("cut", "junk", "empty", "no_id")
        assert (await said(fake, get_bytes(PROJECT))).startswith(b"HTTP/1.1 200") is usual
    assert not fake.ledger.rings


async def test_a_fault_by_number_strikes_the_reading_of_that_call(fake: FakeHamsa) -> None:
    """A read of one call is a request for its number."""
    fake.faults.for_number(SARA, "status_404", on="read")
    for number, wanted in ((SARA, 404), (OMAR, 200)):
        _, _, body = await spoken(fake, post_bytes(number))
        path = f"/v1/voice-agents/conversation/{json.loads(body)['data']['id']}"
        assert (await spoken(fake, get_bytes(path)))[0] == wanted


BATCH = {
    "name": "March",
    "phoneNumber": SARA,
    "voiceAgentId": FAKE_AGENT_ID,
    "recipients": [{"phoneNumber": OMAR}],
}
CAMPAIGNS = "/v1/voice-agents/campaigns"


def write_bytes(path: str, body: Any, method: str = "POST") -> bytes:
    raw = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: close\r\n"
    return f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw


async def batches(fake: FakeHamsa) -> int:
    _, _, body = await spoken(fake, get_bytes(CAMPAIGNS))
    return len(json.loads(body)["data"]["campaigns"])


@pytest.mark.parametrize(
    ("name", "options", "done"),
    [
        ("drop_before", {}, 0),
        ("drop_after", {}, 1),
        ("not_http", {}, 1),
        ("junk", {"rings": False}, 0),
        ("junk", {}, 1),
        ("status_500", {}, 1),
        ("status_500", {"rings": False}, 0),
        ("status_422", {}, 0),
        ("rate_limited", {}, 0),
    ],
)
async def test_a_write_is_carried_out_where_a_phone_would_ring(
    name: str, options: dict[str, Any], done: int, fake: FakeHamsa
) -> None:
    """A batch whose answer is lost is there all the same; one that was refused is not."""
    fake.faults.next(name, on="write", **options)
    await said(fake, write_bytes(CAMPAIGNS, BATCH))
    assert await batches(fake) == done
    assert not fake.ledger.rings
    await said(fake, write_bytes(CAMPAIGNS, BATCH))
    assert await batches(fake) == done + 1


async def test_what_is_taken_back_is_as_it_was(fake: FakeHamsa) -> None:
    """A change that nothing came of leaves the thing, and its agents, untouched."""
    agent = f"/v1/voice-agents/{FAKE_AGENT_ID}"
    before = await spoken(fake, get_bytes(agent))
    fake.faults.next("drop_before", on="write")
    await said(fake, write_bytes(agent, {"agentName": "Other"}, "PATCH"))
    assert (await spoken(fake, get_bytes(agent)))[2] == before[2]
    await said(fake, write_bytes(agent, {"agentName": "Other"}, "PATCH"))
    assert json.loads((await spoken(fake, get_bytes(agent)))[2])["data"]["agentName"] == "Other"
    fake.reset()
    assert (await spoken(fake, get_bytes(agent)))[2] == before[2]


async def test_a_fault_on_writes_strikes_neither_calls_nor_reads(fake: FakeHamsa) -> None:
    """Listing jobs is a read, though it is asked by a POST; a refused write uses nothing up."""
    jobs = write_bytes("/v1/jobs/all?projectId=" + fake.project_id, {"take": 5, "skip": 1})
    fake.faults.next("status_500", on="write")
    assert (await spoken(fake, post_bytes()))[0] == 200
    assert (await spoken(fake, jobs))[0] == 200
    assert (await spoken(fake, write_bytes(CAMPAIGNS, {"name": "March"})))[0] == 400
    unknown = write_bytes("/v1/voice-agents/unassign", {"phoneNumber": OMAR})
    assert (await spoken(fake, unknown))[0] == 404
    assert (await spoken(fake, write_bytes(CAMPAIGNS, BATCH)))[0] == 500
    fake.faults.next("status_500", on="read")
    assert (await spoken(fake, write_bytes(CAMPAIGNS, BATCH)))[0] == 200
    assert (await spoken(fake, jobs))[0] == 500


async def test_a_refused_request_uses_no_fault_up(fake: FakeHamsa) -> None:
    """What would have been refused anyway is refused, does not ring, and leaves the plan."""
    fake.faults.next("drop_after")
    assert (await spoken(fake, post_bytes(toNumber="nobody")))[0] == 400
    assert (await spoken(fake, post_bytes(voiceAgentId="nobody")))[0] == 404
    wrong_key = post_bytes().replace(b"fake-key", b"evil-key")
    assert (await spoken(fake, wrong_key))[0] == 401
    assert await said(fake, post_bytes()) == b""
    assert [post.rang for post in fake.ledger.post_log] == [False, False, False, True]


def test_a_rate_strikes_its_share_the_same_way_each_time() -> None:
    """One seed strikes the same requests, in about the share asked for, whatever comes behind."""

    def struck(plan: FaultPlan, *names: str) -> list[bool]:
        chosen = [plan.choose("call") for _ in range(1000)]
        return [fault is not None and fault.name in names for fault in chosen]

    plans = [FaultPlan(seed=seed) for seed in (1, 1, 2)]
    for plan in plans:
        plan.at_rate("hang", 0.2)
    plans[1].at_rate("cut", 0.3)
    first, second, third = (struck(plan, "hang") for plan in plans)
    assert first == second != third
    assert 150 < sum(first) < 250
    assert sum(struck(plans[1], "hang", "cut")) > 400


def test_a_plan_survives_its_json() -> None:
    """What is left of a plan can be written down and read again."""
    text = """{
      "seed": 7,
      "next":    [{"fault": "drop_after", "count": 2},
                  {"fault": "slow", "seconds": 2, "on": "any"}],
      "numbers": [{"number": "+971500000123", "fault": "status_500", "rings": false}],
      "rates":   [{"rate": 0.05, "fault": "rate_limited", "retry_after": "NaN"}]
    }"""
    plan = FaultPlan.from_json(text)
    assert plan.choose("call", SARA) == PlannedFault(name="drop_after")
    assert plan.to_json() == {
        "seed": 7,
        "next": [
            {"count": 1, "fault": "drop_after", "on": "call"},
            {"count": 1, "fault": "slow", "on": "any", "seconds": 2},
        ],
        "numbers": [{"number": SARA, "fault": "status_500", "on": "call", "rings": False}],
        "rates": [{"rate": 0.05, "fault": "rate_limited", "on": "call", "retry_after": "NaN"}],
    }
    again = FaultPlan.from_json(json.dumps(plan.to_json()))
    assert again.to_json() == plan.to_json()
    assert SARA not in repr(again)
    again.clear()
    assert again.choose("call", SARA) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('{"nxt": []}', "no part 'nxt'"),
        ('{"seed": "x"}', "'seed'"),
        ('{"next": {}}', "'next' must be a list"),
        ('{"next": [5]}', r"next\[0\]: an entry must be a JSON object"),
        ('{"next": [{"fault": "hang"}, {}]}', r"next\[1\]: 'fault' is missing"),
        ('{"next": [{"fault": "hangs"}]}', r"next\[0\]: there is no fault 'hangs'"),
        ('{"next": [{"fault": ["hang"]}]}', r"next\[0\]: there is no fault"),
        ('{"next": [{"fault": "status_600"}]}', r"next\[0\]: there is no fault"),
        ('{"next": [{"fault": "hang", "count": 0}]}', r"next\[0\]: 'count'"),
        ('{"next": [{"fault": "hang", "count": true}]}', r"next\[0\]: 'count'"),
        ('{"next": [{"fault": "hang", "on": "calls"}]}', r"next\[0\]: 'on' must be one of"),
        ('{"next": [{"fault": "hang", "seconds": 1}]}', r"next\[0\]: hang does not take 'seconds'"),
        ('{"next": [{"fault": "drop_before", "rings": true}]}', r"next\[0\]: drop_before does not"),
        ('{"next": [{"fault": "slow", "seconds": -1}]}', r"next\[0\]: 'seconds' must be"),
        ('{"next": [{"fault": "slow", "seconds": NaN}]}', r"next\[0\]: 'seconds' must be"),
        ('{"next": [{"fault": "status_500", "body": "xml"}]}', r"next\[0\]: 'body' must be one of"),
        ('{"next": [{"fault": "status_500", "body": []}]}', r"next\[0\]: 'body' must be one of"),
        ('{"next": [{"fault": "hang", "rings": 1}]}', r"next\[0\]: 'rings' must be"),
        ('{"next": [{"fault": "rate_limited", "retry_after": "1\\r\\nX: y"}]}', r"next\[0\]: 'ret"),
        ('{"next": [{"fault": "rate_limited", "retry_after_date": "x"}]}', r"next\[0\]: 'retry_a"),
        ('{"next": [{"fault": "redirect", "status": 304}]}', r"next\[0\]: 'status' must be"),
        ('{"numbers": [{"fault": "hang"}]}', r"numbers\[0\]: 'number' is missing"),
        ('{"numbers": [{"fault": "hang", "number": 5}]}', r"numbers\[0\]: 'number' must be"),
        ('{"rates": [{"fault": "hang"}]}', r"rates\[0\]: 'rate' is missing"),
        ('{"rates": [{"fault": "hang", "rate": 2}]}', r"rates\[0\]: 'rate' must be"),
        ('{"rates": [{"fault": "hang", "rate": true}]}', r"rates\[0\]: 'rate' must be"),
        (
            '{"rates": [{"fault": "hang", "rate": 1, "count": 1}]}',
            r"rates\[0\]: hang does not take",
        ),
        ('{"next": [{"fault": "hang", "fault_": 1}]}', r"next\[0\]: hang does not take 'fault_'"),
        ('{"next": [{"fault": "hang", "self": 1}]}', r"next\[0\]: hang does not take 'self'"),
    ],
)
def test_a_wrong_plan_names_the_entry(text: str, says: str) -> None:
    """A mistake in a plan's file is a ValueError that says where it is."""
    with pytest.raises(ValueError, match=says):
        FaultPlan.from_json(text)


async def test_the_ledger_tells_what_rang(fake: FakeHamsa) -> None:
    """A ring carries its reference and its POST, for a saved agent and for an inline one."""
    params = {"_hamsa_reference": "r1"}
    await said(fake, post_bytes(params=params, fromNumber="+14155550142"))
    await said(fake, post_bytes(voiceAgentId=None, agentDetails={"params": params}, params={}))
    first, second = fake.ledger.rings
    assert (first.reference, first.post, first.voice_agent_id) == ("r1", 1, FAKE_AGENT_ID)
    assert first.from_number == "+14155550142"
    assert (second.reference, second.post, second.voice_agent_id) == ("r1", 2, None)
    assert list(fake.ledger.rung_twice()) == [SARA]
    assert [post.reference for post in fake.ledger.post_log] == ["r1", "r1"]


async def test_a_ring_is_on_disk_before_any_answer(tmp_path: Path) -> None:
    """While the client waits in vain, the ledger's file already has the ring."""
    path = tmp_path / "rings.jsonl"
    async with FakeHamsa(ledger_path=path) as fake:
        fake.faults.next("hang")
        async with await Wire.open(fake) as wire:
            wire.writer.write(post_bytes())
            await until(lambda: fake.ledger.rings)
            assert Ledger.load(path).rings == fake.ledger.rings


async def test_a_post_whose_body_never_came_is_counted_and_does_not_ring(
    fake: FakeHamsa,
) -> None:
    """Headers alone make a POST in the ledger, not a ring."""
    async with await Wire.open(fake) as wire:
        wire.writer.write(post_bytes()[:-5])
        await until(lambda: fake.in_flight == 1)
    await until(lambda: fake.in_flight == 0)
    (post,) = fake.ledger.post_log
    assert (post.phone_number, post.rang, post.status) == (None, False, None)


async def test_a_client_that_left_is_rung_all_the_same(fake: FakeHamsa) -> None:
    """Closing the connection right after sending does not take the request back."""
    async with await Wire.open(fake) as wire:
        wire.writer.write(post_bytes())
        await wire.writer.drain()
    await until(lambda: fake.ledger.rings)


async def test_on_post_comes_before_the_ring() -> None:
    """The hook, plain or async, sees the body while nothing has rung yet."""
    seen = []
    fake = FakeHamsa()

    def plain(body: dict[str, Any]) -> None:
        seen.append((body["toNumber"], len(fake.ledger.rings), fake.ledger.posts))

    async def later(body: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        plain(body)

    async with fake:
        fake.on_post = plain
        fake.faults.next("drop_before")
        await said(fake, post_bytes())
        fake.on_post = later
        await said(fake, post_bytes())
        assert seen == [(SARA, 0, 1), (SARA, 0, 2)]
        assert len(fake.ledger.rings) == 1


async def test_expect_100_is_honoured(fake: FakeHamsa) -> None:
    """A client that asks before it sends its body is told to go on."""
    head, _, body = post_bytes(more="Expect: 100-continue\r\nConnection: close\r\n").partition(
        b"\r\n\r\n"
    )
    async with await Wire.open(fake) as wire:
        wire.writer.write(head + b"\r\n\r\n")
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.writer.write(body)
        assert (await wire.answer())[0] == 200


async def test_a_paused_host_refuses_and_comes_back(fake: FakeHamsa) -> None:
    """While it is down the port refuses and old connections are dead; then all is as before."""
    port = fake.port
    await said(fake, post_bytes())
    async with await Wire.open(fake) as wire:
        wire.writer.write(post_bytes(more=""))
        await wire.answer()
        await fake.pause_listening()
        await fake.pause_listening()
        with suppress(ConnectionResetError):
            assert await wire.reader.read() == b""
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await Wire.open(fake)
    await fake.resume_listening()
    await fake.resume_listening()
    assert fake.port == port
    assert (await spoken(fake, post_bytes()))[0] == 200
    assert len(fake.ledger.rings) == 3


async def test_a_paused_host_rings_what_it_took_in() -> None:
    """A request that was being handled when the host went down goes on without its client."""
    held = asyncio.Event()

    async def hold(_: dict[str, Any]) -> None:
        await held.wait()

    async with FakeHamsa(on_post=hold) as fake:
        waiting = asyncio.create_task(said(fake, post_bytes()))
        await until(lambda: fake.ledger.posts)
        await fake.pause_listening()
        with suppress(ConnectionResetError):
            assert await waiting == b""
        held.set()
        await until(lambda: fake.ledger.rings)


async def test_a_paused_host_can_be_closed() -> None:
    """Closing while paused, and closing twice, leaves nothing open."""
    fake = FakeHamsa()
    await fake.start()
    await fake.pause_listening()
    await fake.aclose()
    await fake.aclose()


async def test_idle_connections_hear_what_nobody_asked_for(fake: FakeHamsa) -> None:
    """Bytes go to connections that are kept and idle, not to new, busy or closed ones."""
    raw = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
    assert await fake.say_on_idle(raw) == 0
    fake.faults.for_number(OMAR, "hang")
    new, busy, idle = [await Wire.open(fake) for _ in range(3)]
    async with new, busy, idle:
        busy.writer.write(post_bytes(OMAR))
        await until(lambda: fake.in_flight == 1)
        idle.writer.write(post_bytes(more=""))
        assert (await idle.answer())[0] == 200
        await said(fake, post_bytes())
        assert await fake.say_on_idle(raw) == 1
        assert (await idle.answer())[0] == 429
        idle.writer.write(post_bytes(more=""))
        assert (await idle.answer())[0] == 200


async def test_the_most_in_flight_is_remembered() -> None:
    """`max_in_flight` is the highest number of POSTs that were handled at once."""
    everybody = asyncio.Barrier(3)

    async def meet(_: dict[str, Any]) -> None:
        await everybody.wait()

    async with FakeHamsa(on_post=meet) as fake:
        await asyncio.gather(*(said(fake, post_bytes()) for _ in range(3)))
        fake.on_post = None
        await said(fake, post_bytes())
        assert (fake.max_in_flight, fake.in_flight) == (3, 0)


async def test_another_process_steers_it_without_a_key(fake: FakeHamsa) -> None:
    """The control routes show the ledger and the plan, replace the plan, and reset."""
    base = f"{fake.base_url}/_fake"
    async with aiohttp.ClientSession() as http:
        plan = {"next": [{"fault": "drop_after"}]}
        async with http.post(f"{base}/faults", json=plan) as answer:
            assert (await answer.json())["next"] == [
                {"count": 1, "fault": "drop_after", "on": "call"}
            ]
        async with http.post(f"{base}/faults", json={"next": [{}]}) as answer:
            assert answer.status == 400
            assert "next[0]" in (await answer.json())["message"]
        await said(fake, post_bytes())
        await said(fake, post_bytes())
        async with http.get(f"{base}/ledger") as answer:
            ledger = await answer.json()
        assert ledger["posts"] == len(ledger["rings"]) == len(ledger["rung_twice"][SARA]) == 2
        async with http.get(f"{base}/faults") as answer:
            assert (await answer.json())["next"] == []
        fake.faults.next("hang")
        async with http.post(f"{base}/reset") as answer:
            assert answer.status == 200
        async with http.get(f"{base}/ledger") as answer:
            assert await answer.json() == {
                "rings": [],
                "posts": 0,
                "post_log": [],
                "rung_twice": {},
            }
        assert not fake.faults.to_json()["next"]
        assert not fake.requests


async def test_it_starts_once_and_stops_what_waits() -> None:
    """A second start is refused, and closing does not wait for answers that take for ever."""
    async with FakeHamsa(latency=(3600, 3600)) as fake:
        with pytest.raises(RuntimeError, match="started already"):
            await fake.start()
        waiting = asyncio.create_task(said(fake, post_bytes()))
        await until(lambda: fake.ledger.rings)
    with suppress(ConnectionResetError):
        assert await waiting == b""
    assert fake.in_flight == 0
    with pytest.raises(RuntimeError, match="not started"):
        await fake.say_on_idle(b"")
    assert len(fake.ledger.rings) == 1
