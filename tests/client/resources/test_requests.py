"""What a request says on the wire."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hamsa_async import HamsaClient
from hamsa_async._operations import CALL_FROM_NUMBER, CONVERSATIONS, EXPORT
from hamsa_async._requests import build, build_call_from_number
from hamsa_async.models import CallRequest

ID = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"


class Echo:
    """A server that notes requests."""

    def __init__(self) -> None:
        self.queries: list[list[tuple[str, str]]] = []
        self.bodies: list[Any] = []
        self.accepts: list[str] = []
        self.answer: Any = {"data": {"calls": [], "items": [], "jobs": [], "voiceAgents": []}}

    async def handle(self, request: web.Request) -> web.Response:
        self.queries.append(list(request.query.items()))
        self.accepts.append(request.headers["Accept"])
        body = await request.read()
        self.bodies.append(json.loads(body) if body else None)
        return web.json_response(self.answer)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def client(echo: Echo) -> AsyncIterator[HamsaClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo.handle)
    async with (
        TestServer(app) as server,
        HamsaClient("fake-key", base_url=str(server.make_url(""))) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "text", ["a b", "a+b", "a&b=c", "100%", "%2B", "سارة", "a/b?c#d", '"', "\n", "ä€😀", "a;b,c"]
)
async def test_a_text_in_a_query_arrives_as_it_is(
    text: str, client: HamsaClient, echo: Echo
) -> None:
    """Whatever is in it."""
    await client.voice_agents_v2.list(search=text)
    assert echo.queries == [[("search", text), ("skip", "1"), ("take", "10")]]


async def test_the_minimal_list_is_asked_for_in_its_own_words(
    client: HamsaClient, echo: Echo
) -> None:
    """Several statuses repeat the name, moments are whole milliseconds in UTC."""
    dubai = timezone(timedelta(hours=4))
    await client.conversations.list(
        voice_agent_id=ID,
        status=["COMPLETED", "FAILED"],
        start_time=datetime(2026, 3, 1, 4, 0, 0, 1999, dubai),
        end_time=datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC),
    ).page(3)
    assert echo.queries == [
        [
            ("voiceAgentId", ID),
            ("status", "COMPLETED"),
            ("status", "FAILED"),
            ("startTime", "1772323200001"),
            ("endTime", "1772323201000"),
            ("page", "3"),
            ("perPage", "100"),
        ]
    ]


async def test_flags_are_words(client: HamsaClient, echo: Echo) -> None:
    """True is `true`."""
    await client.web_tools.list(is_active=True)
    assert echo.queries == [[("isActive", "true"), ("skip", "1"), ("take", "10")]]


async def test_jobs_are_listed_by_a_body(client: HamsaClient, echo: Echo) -> None:
    """The filter and the page stand in the body, the project in the query."""
    sort: Any = {"field": "createdAt", "direction": "desc"}
    await client.jobs.list(project_id=ID, type="TTS", sort=sort)
    assert echo.queries == [[("projectId", ID)]]
    assert echo.bodies == [{"type": "TTS", "sort": sort, "skip": 1, "take": 10}]


async def test_an_export_takes_a_file(client: HamsaClient, echo: Echo) -> None:
    """It says so; everything else takes JSON."""
    echo.answer = {"data": {"exportId": "e"}}
    await client.conversations.export(voice_agent_id=ID, time_difference=5.5)
    assert "spreadsheetml" in echo.accepts[0]
    assert echo.queries == [[("voiceAgentId", ID), ("timeDifference", "5.5")]]


async def test_null_is_sent_where_it_is_given_and_only_there(
    client: HamsaClient, echo: Echo
) -> None:
    """To leave a field as it is and to empty it are two things."""
    echo.answer = {"data": {"id": ID}}
    await client.voice_agents.update(ID, webhook_url=None)
    assert echo.bodies == [{"webhookUrl": None}]


def test_a_call_from_a_number_has_what_its_page_requires() -> None:
    """`phoneNumber` in place of `fromNumber`, and `params` even where there are none."""
    request = build_call_from_number(
        CallRequest(to_number="+971500000123", from_number="+971500000124", voice_agent_id=ID)
    )
    assert (request.operation, request.path) == (CALL_FROM_NUMBER, CALL_FROM_NUMBER.path)
    assert json.loads(request.body or b"") == {
        "toNumber": "+971500000123",
        "phoneNumber": "+971500000124",
        "voiceAgentId": ID,
        "params": {},
    }
    inline = build_call_from_number(
        CallRequest(
            to_number="+971500000123",
            from_number="+971500000124",
            agent_details={"agentName": "S"},
            reference="r",
        )
    )
    assert json.loads(inline.body or b"")["agentDetails"]["params"] == {"_hamsa_reference": "r"}
    assert "params" not in json.loads(inline.body or b"")
    assert inline.reference == "r"


def test_a_read_has_no_body() -> None:
    """A GET is a GET."""
    assert build(CONVERSATIONS, query={"page": 1}).body is None
    assert build(EXPORT).path == EXPORT.path
