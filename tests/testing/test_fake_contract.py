"""FakeHamsa answers as the contract says, and its calls live as calls do."""

import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from hamsa_async.testing import FAKE_AGENT_ID, FAKE_PROJECT_ID, FakeHamsa
from hamsa_async.testing.plugin import fake_hamsa

__all__ = ["fake_hamsa"]

CONTRACT = Path(__file__).parents[1] / "contract"
CALL = "/v1/voice-agents/call"
CONVERSATION = "/v1/voice-agents/conversation/{conversationId}"
LIST = "/v1/voice-agents/conversations/minimal-list"
AGENT = "/v1/voice-agents/{voiceAgentId}"
PROJECT = "/v1/projects/by-api-key"
KEY = {"Authorization": "Token fake-key"}
ORDER = {"toNumber": "+971500000123", "voiceAgentId": FAKE_AGENT_ID}

Reply = tuple[int, dict[str, Any]]


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 11, 8, 15, 2, 417_000, UTC)

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Contract:
    """The OpenAPI document as something that judges answers."""

    def __init__(self) -> None:
        self.document = yaml.safe_load((CONTRACT / "hamsa-openapi.yaml").read_text("utf-8"))
        resource = DRAFT202012.create_resource(self.document)
        self.registry: Registry[Any] = Registry().with_resource("urn:hamsa", resource)

    def schema(self, name: str) -> dict[str, Any]:
        return self.document["components"]["schemas"][name]

    def check(self, path: str, status: int, body: object) -> None:
        """Check an answer of a route; an error that the route does not list is a plain error."""
        method = "post" if path == CALL else "get"
        listed = self.document["paths"].get(path, {}).get(method, {}).get("responses", {})
        response = listed.get(str(status), {"$ref": "#/components/responses/NotFound"})
        where = f"/paths/{path.replace('/', '~1')}/{method}/responses/{status}"
        if "$ref" in response:
            where = response["$ref"].removeprefix("#")
        assert where.startswith("/components") or status == 200
        pointer = f"urn:hamsa#{where}/content/application~1json/schema"
        Draft202012Validator({"$ref": pointer}, registry=self.registry).validate(body)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=KEY) as session:
        yield session


@pytest.fixture
def sample() -> dict[str, Any]:
    return json.loads((CONTRACT / "start-a-call.response.json").read_text("utf-8"))


async def place(
    http: aiohttp.ClientSession,
    fake: FakeHamsa,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Reply:
    order = {name: value for name, value in {**ORDER, **more}.items() if value is not ...}
    async with http.post(fake.base_url + CALL, json=order, headers=headers) as answer:
        return answer.status, await answer.json()


async def read(http: aiohttp.ClientSession, fake: FakeHamsa, path: str, **query: Any) -> Reply:
    async with http.get(fake.base_url + path, params=query) as answer:
        return answer.status, await answer.json()


def moments(value: object) -> Iterator[str]:
    """Every createdAt and updatedAt in a value, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("createdAt", "updatedAt"):
                yield item
            yield from moments(item)
    elif isinstance(value, list):
        for item in value:
            yield from moments(item)


def paths_in(value: object, at: str = "") -> set[str]:
    """Every path of keys in a value; lists count as one step."""
    if isinstance(value, dict):
        below = [paths_in(item, f"{at}/{name}") for name, item in value.items()]
        return {f"{at}/{name}" for name in value}.union(*below)
    if isinstance(value, list):
        return set().union(*(paths_in(item, f"{at}/*") for item in value))
    return set()


async def test_a_call_is_answered_as_the_contract_says(
    contract: Contract, http: aiohttp.ClientSession
) -> None:
    """Both agent shapes, saved and inline, conform and know no undocumented field."""
    for shape in ("newer", "older"):
        async with FakeHamsa(agent_shape=shape) as fake:
            inline: dict[str, Any] = {"voiceAgentId": ..., "agentDetails": {"agentName": "Inline"}}
            for order in ({}, inline):
                status, body = await place(http, fake, **order)
                assert status == 200
                assert body["success"] is True
                contract.check(CALL, status, body)
                assert body["data"].keys() <= contract.schema("Job")["properties"].keys()
                known = contract.schema("VoiceAgentV1")["properties"].keys()
                assert body["data"]["agentDetails"].keys() <= known
                assert all(datetime.fromisoformat(text).tzinfo for text in moments(body))


async def test_the_older_shape_has_every_field_of_the_sample(
    http: aiohttp.ClientSession, sample: dict[str, Any]
) -> None:
    """With calendar tools the answer has each field of the documentation's sample, at any depth."""
    async with FakeHamsa(agent_shape="older") as fake:
        _, body = await place(http, fake)
        assert not paths_in(sample) - paths_in(body)


async def test_the_newer_shape_has_every_field_of_the_sample_but_the_calendar(
    fake_hamsa: FakeHamsa, http: aiohttp.ClientSession, sample: dict[str, Any]
) -> None:
    """By default the answer has each field of the sample, with switches as the agent's tools."""
    _, body = await place(http, fake_hamsa)
    missing = paths_in(sample) - paths_in(body)
    assert all(path.startswith("/data/agentDetails/tools/") for path in missing)
    assert body["data"]["agentDetails"]["tools"]["smartCallEnd"] is True


async def test_every_state_of_a_conversation_conforms(
    contract: Contract, http: aiohttp.ClientSession, clock: Clock
) -> None:
    """A conversation reads as the contract says while it rings, is held and is over."""
    for outcome in ("COMPLETED", "NO_ANSWER", "FAILED"):
        async with FakeHamsa(clock=clock, call_seconds=(10, 10), outcomes={outcome: 1.0}) as fake:
            _, placed = await place(http, fake, params={"name": "Sara", "_hamsa_reference": "r1"})
            path = CONVERSATION.format(conversationId=placed["data"]["id"])
            seen = []
            for _ in range(4):
                status, body = await read(http, fake, path)
                contract.check(CONVERSATION, status, body)
                known = contract.schema("Conversation")["properties"].keys()
                assert body["data"].keys() <= known
                assert body["data"]["agentDetails"]["params"]["_hamsa_reference"] == "r1"
                seen.append(body["data"]["status"])
                clock.step(4)
            talking = "IN_PROGRESS" if outcome == "COMPLETED" else "PENDING"
            assert seen == ["PENDING", talking, talking, outcome]


async def test_a_completed_call_has_its_transcript_and_gives_the_params_back(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    """What was said, and the params, are in the conversation once it is over."""
    async with FakeHamsa(clock=clock, outcomes={"COMPLETED": 1.0}) as fake:
        _, placed = await place(http, fake, params={"name": "Sara"})
        clock.step(3600)
        path = CONVERSATION.format(conversationId=placed["data"]["id"])
        _, body = await read(http, fake, path)
        assert body["data"]["jobResponse"]["transcription"]
        assert body["data"]["jobResponse"]["outcomeResult"] == {"name": "Sara", "confirmed": True}
        assert body["data"]["callDuration"] > 0


async def test_a_call_never_goes_back(http: aiohttp.ClientSession, clock: Clock) -> None:
    """A clock that steps back leaves the states of calls where they are."""
    async with FakeHamsa(clock=clock, outcomes={"COMPLETED": 1.0}) as fake:
        _, placed = await place(http, fake)
        path = CONVERSATION.format(conversationId=placed["data"]["id"])
        clock.step(3600)
        assert (await read(http, fake, path))[1]["data"]["status"] == "COMPLETED"
        clock.step(-7200)
        assert (await read(http, fake, path))[1]["data"]["status"] == "COMPLETED"


async def test_the_seed_decides_how_calls_end(http: aiohttp.ClientSession) -> None:
    """Two fakes with one seed end their calls alike, in about the shares that were asked for."""
    endings = []
    for seed in (1, 1, 2):
        clock = Clock()
        async with FakeHamsa(seed=seed, clock=clock) as fake:
            for _ in range(60):
                await place(http, fake)
            clock.step(3600)
            _, body = await read(http, fake, LIST)
            endings.append([call["status"] for call in body["data"]["calls"]])
    assert endings[0] == endings[1] != endings[2]
    assert set(endings[0]) == {"COMPLETED", "NO_ANSWER", "FAILED"}


async def test_the_list_filters_and_pages(
    contract: Contract, http: aiohttp.ClientSession, clock: Clock
) -> None:
    """The minimal list filters by agent, status and inclusive time, and turns pages."""
    start = int(clock().timestamp() * 1000)
    async with FakeHamsa(
        clock=clock, agents=None, call_seconds=(100, 100), outcomes={"NO_ANSWER": 1.0}
    ) as fake:
        for index in range(5):
            await place(http, fake, voiceAgentId=f"agent-{index % 2}")
            clock.step(30)

        async def rows(**query: Any) -> list[dict[str, Any]]:
            status, body = await read(http, fake, LIST, **query)
            contract.check(LIST, status, body)
            assert status == 200
            assert body["data"]["total"] == 5
            return body["data"]["calls"]

        everything = await rows()
        known = contract.schema("MinimalCall")["properties"].keys()
        assert all(row.keys() == known for row in everything)
        assert everything[0]["callParams"]["userNumber"] == ORDER["toNumber"]
        assert len(await rows(voiceAgentId="agent-0")) == 3
        assert len(await rows(status="NO_ANSWER")) == 2
        assert len(await rows(status=["NO_ANSWER", "PENDING"])) == 5
        assert len(await rows(startTime=start, endTime=start + 30_000)) == 2
        assert len(await rows(startTime=start + 1, endTime=start + 29_999)) == 0
        pages = [await rows(page=page, perPage=2) for page in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [2, 2, 1, 0]
        assert [row for page in pages for row in page] == everything


@pytest.mark.parametrize(
    "query",
    [
        {"status": "RINGING"},
        {"page": "0"},
        {"perPage": "0"},
        {"perPage": "201"},
        {"page": "one"},
        {"startTime": "1.5"},
        {"startTime": "9" * 400},
        {"startTime": "2", "endTime": "1"},
    ],
)
async def test_a_wrong_query_is_refused(
    contract: Contract, fake_hamsa: FakeHamsa, http: aiohttp.ClientSession, query: dict[str, str]
) -> None:
    """The minimal list answers 400 to a query that it does not understand."""
    status, body = await read(http, fake_hamsa, LIST, **query)
    assert status == 400
    contract.check(LIST, status, body)


async def test_agents_and_the_project_conform(
    contract: Contract, http: aiohttp.ClientSession
) -> None:
    """Reading an agent, in both shapes, and the key's project conforms."""
    for shape in ("newer", "older"):
        async with FakeHamsa(
            agent_shape=shape, agents={"a1": {"agentName": "Mine"}}, project_name="P"
        ) as fake:
            status, body = await read(http, fake, AGENT.format(voiceAgentId="a1"))
            contract.check(AGENT, status, body)
            assert (body["data"]["id"], body["data"]["agentName"]) == ("a1", "Mine")
            status, body = await read(http, fake, PROJECT)
            contract.check(PROJECT, status, body)
            assert (body["data"]["id"], body["data"]["name"]) == (FAKE_PROJECT_ID, "P")


async def test_what_is_not_there_is_404(
    contract: Contract, fake_hamsa: FakeHamsa, http: aiohttp.ClientSession
) -> None:
    """Unknown calls, agents and routes are answered 404 as the contract words errors."""
    for route, path in (
        (CONVERSATION, CONVERSATION.format(conversationId="nobody")),
        (AGENT, AGENT.format(voiceAgentId="nobody")),
        ("unknown", "/v1/voice-agents/call/again"),
        ("unknown", "/"),
    ):
        status, body = await read(http, fake_hamsa, path)
        assert status == 404
        contract.check(route, status, body)
    status, body = await place(http, fake_hamsa, voiceAgentId="nobody")
    assert status == 404
    contract.check(CALL, status, body)
    assert fake_hamsa.requests["unknown"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"toNumber": ...},
        {"toNumber": None},
        {"toNumber": "0501234567"},
        {"toNumber": "+971 50 000 0123"},
        {"toNumber": "+٩٧١٥٠٠٠٠٠١٢٣"},
        {"toNumber": 971500000123},
        {"voiceAgentId": ...},
        {"agentDetails": {}},
        {"voiceAgentId": 7},
        {"fromNumber": 7},
        {"params": []},
        {"webhookUrl": {}},
        {"webhookAuth": "Token"},
    ],
)
async def test_a_wrong_order_is_refused_and_rings_nobody(
    contract: Contract, fake_hamsa: FakeHamsa, http: aiohttp.ClientSession, change: dict[str, Any]
) -> None:
    """A body that breaks the contract is answered 400 with a reason, and counted."""
    status, body = await place(http, fake_hamsa, **change)
    assert status == 400
    assert body["message"]
    contract.check(CALL, status, body)
    assert (fake_hamsa.ledger.posts, fake_hamsa.ledger.rings) == (1, [])
    assert fake_hamsa.ledger.post_log[0].status == 400


async def test_a_body_that_is_no_object_is_refused(
    contract: Contract, fake_hamsa: FakeHamsa, http: aiohttp.ClientSession
) -> None:
    """Bytes that are not JSON, JSON that is no object, and far too many bytes are refused."""
    for data, wanted in (
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 400),
        (b"", 400),
        (io.BytesIO(b" " * 2**21), 413),
    ):
        async with http.post(fake_hamsa.base_url + CALL, data=data) as answer:
            assert answer.status == wanted
            contract.check(CALL, answer.status, await answer.json())
    assert (fake_hamsa.ledger.posts, fake_hamsa.ledger.rings) == (5, [])


async def test_a_right_key_is_needed(contract: Contract) -> None:
    """Without an accepted key every route answers 401, and no phone rings."""
    async with FakeHamsa(api_keys=("k1", "k2")) as fake, aiohttp.ClientSession() as http:
        for header in ("", "k1", "Token", "Token fake-key", "Basic k1"):
            headers = {"Authorization": header} if header else {}
            status, body = await place(http, fake, headers)
            assert status == 401
            contract.check(CALL, status, body)
            async with http.get(fake.base_url + PROJECT, headers=headers) as answer:
                assert answer.status == 401
                contract.check(PROJECT, 401, await answer.json())
        assert not fake.ledger.rings
        for header in ("Token k1", "Token k2", "Bearer k1"):
            assert (await place(http, fake, {"Authorization": header}))[0] == 200


async def test_over_capacity_is_429(
    contract: Contract, http: aiohttp.ClientSession, clock: Clock
) -> None:
    """One call more than may be live is refused until one of them has ended."""
    async with FakeHamsa(clock=clock, capacity=2, call_seconds=(10, 10), retry_after="7") as fake:
        assert [(await place(http, fake))[0] for _ in range(2)] == [200, 200]
        async with http.post(fake.base_url + CALL, json=ORDER) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
            contract.check(CALL, 429, await answer.json())
        clock.step(10)
        assert (await place(http, fake))[0] == 200
        assert len(fake.ledger.rings) == 3


async def test_over_the_rate_is_429(http: aiohttp.ClientSession, clock: Clock) -> None:
    """Starts come in bursts of the rate, and as many again a second later."""
    async with FakeHamsa(clock=clock, rate_limit=3) as fake:
        assert [(await place(http, fake))[0] for _ in range(4)] == [200, 200, 200, 429]
        clock.step(1)
        assert [(await place(http, fake))[0] for _ in range(4)] == [200, 200, 200, 429]


async def test_a_rate_below_one_lets_one_pass_at_a_time(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    """A rate of one call in two seconds is a rate too."""
    async with FakeHamsa(clock=clock, rate_limit=0.5) as fake:
        assert [(await place(http, fake))[0] for _ in range(2)] == [200, 429]
        clock.step(2)
        assert [(await place(http, fake))[0] for _ in range(2)] == [200, 429]


async def test_the_date_header_is_the_servers_time(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    """`Date` follows the clock that calls follow."""
    async with FakeHamsa(clock=clock) as fake, http.get(fake.base_url + PROJECT) as answer:
        assert answer.headers["Date"] == "Wed, 11 Mar 2026 08:15:02 GMT"


async def test_an_answer_speaks_of_the_moment_of_the_ring(http: aiohttp.ClientSession) -> None:
    """With latency the answer comes later, and still says when the call was made."""
    async with FakeHamsa(latency=(0.01, 0.02)) as fake:
        _, body = await place(http, fake)
        made = datetime.fromisoformat(body["data"]["createdAt"])
        assert made == fake.ledger.rings[0].at.replace(microsecond=made.microsecond // 1000 * 1000)
        assert body["data"]["status"] == "PENDING"


async def test_requests_are_counted_by_route(
    fake_hamsa: FakeHamsa, http: aiohttp.ClientSession
) -> None:
    """Each route has its own count, whatever ids stand in the path."""
    await place(http, fake_hamsa)
    for agent in ("a", "b", FAKE_AGENT_ID):
        await read(http, fake_hamsa, AGENT.format(voiceAgentId=agent))
    assert fake_hamsa.requests == {f"POST {CALL}": 1, f"GET {AGENT}": 3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_keys": ()},
        {"port": -1},
        {"agent_shape": "newest"},
        {"latency": (2.0, 1.0)},
        {"call_seconds": (-1.0, 1.0)},
        {"outcomes": {"RINGING": 1.0}},
        {"outcomes": {}},
        {"capacity": -1},
        {"rate_limit": 0.0},
        {"keepalive_timeout": 0.0},
    ],
)
def test_wrong_settings_are_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    """A setting that makes no sense is a ValueError at once, not a strange server later."""
    make: Callable[..., FakeHamsa] = FakeHamsa
    with pytest.raises(ValueError):
        make(**wrong)
