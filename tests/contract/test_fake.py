"""FakeHamsa knows every operation, keeps what it is told, and answers as the contract says."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from hamsa_async import HamsaClient, InvalidRequestError, NotFoundError
from hamsa_async._answers import read_nothing
from hamsa_async._operations import CREATE_CAMPAIGN, OPERATIONS, Operation
from hamsa_async._requests import build
from hamsa_async._wire import Request
from hamsa_async.options import Answer
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FAKE_PROJECT_ID, FakeHamsa

NUMBER = "+971500000123"
SPAN: dict[str, Any] = {
    "start_period": datetime(2026, 3, 1, tzinfo=UTC),
    "end_period": datetime(2026, 3, 2, tzinfo=UTC),
}


class Contract:
    """Judges answers by the contract."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        resource = DRAFT202012.create_resource(document)
        self.registry: Registry[Any] = Registry().with_resource("urn:hamsa", resource)
        self.places = {
            method["operationId"]: (path, name)
            for path, item in document["paths"].items()
            for name, method in item.items()
            if name != "parameters"
        }

    def check(self, operation: Operation, answer: Answer) -> None:
        assert operation.id is not None
        path, method = self.places[operation.id]
        where = f"/paths/{path.replace('/', '~1')}/{method}/responses/{answer.status}"
        pointer = f"urn:hamsa#{where}/content/application~1json/schema"
        Draft202012Validator(
            {"$ref": pointer}, registry=self.registry, format_checker=FormatChecker()
        ).validate(json.loads(answer.body))


@pytest.fixture
def contract(document: dict[str, Any]) -> Contract:
    return Contract(document)


@pytest.fixture
async def fake() -> AsyncIterator[FakeHamsa]:
    async with FakeHamsa() as fake:
        yield fake


@pytest.fixture
async def client(fake: FakeHamsa) -> AsyncIterator[HamsaClient]:
    async with HamsaClient(FAKE_API_KEY, base_url=fake.base_url) as client:
        yield client


@pytest.fixture
def heard(client: HamsaClient, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Operation, Answer]]:
    """Every answer that the client gets, as it came."""
    answers: list[tuple[Operation, Answer]] = []
    send = client._sender.send

    async def listen(request: Request, parse: Callable[[Answer], Any], **more: Any) -> Any:
        def noting(answer: Answer) -> Any:
            answers.append((request.operation, answer))
            return parse(answer)

        return await send(request, noting, **more)

    monkeypatch.setattr(client._sender, "send", listen)
    return answers


async def everything(client: HamsaClient) -> None:  # noqa: PLR0915 - one life, from call to figures
    """Ask for each operation once at least."""
    call = await client.voice_agents.call(to_number=NUMBER, voice_agent_id=FAKE_AGENT_ID)
    other = await client.voice_agents.call_from_number(
        to_number="+971500000124", from_number=NUMBER, voice_agent_id=FAKE_AGENT_ID
    )
    assert (await client.conversations.get(other.id)).id == other.id
    assert (await client.jobs.get(call.id)).id == call.id
    assert {row.id async for row in client.conversations.list()} == {call.id, other.id}
    assert {row.id async for row in client.jobs.list(project_id=FAKE_PROJECT_ID)} == {
        call.id,
        other.id,
    }
    ticket = await client.conversations.export(voice_agent_id=FAKE_AGENT_ID)
    status = await client.conversations.export_status(
        project_id=FAKE_PROJECT_ID, export_id=getattr(ticket, "export_id", "")
    )
    assert status.status == "ready"

    made = await client.voice_agents.create(agent_name="Sara", lang="en")
    assert made.id is not None
    changed = await client.voice_agents.update(made.id, max_call_duration=120)
    assert (changed.agent_name, changed.lang, changed.max_call_duration) == ("Sara", "en", 120)
    copy = await client.voice_agents.clone(made.id, agent_name="Sara 2")
    assert copy.max_call_duration == 120
    assert [agent.id async for agent in client.voice_agents.list(page_size=1)] == [
        FAKE_AGENT_ID,
        made.id,
        copy.id,
    ]
    assert (await client.voice_agents.get(copy.id or "")).agent_name == "Sara 2"
    grouped = await client.voice_agents_v2.create(name="Group", voice={"lang": "ar"})
    await client.voice_agents_v2.update(grouped.id, llm={"provider": "OpenAI"})
    read = await client.voice_agents_v2.get(grouped.id)
    assert read.name == "Group"
    assert read.llm is not None
    assert read.llm.provider == "OpenAI"
    assert len(await client.voice_agents_v2.list(search="gro")) == 1

    number = await client.numbers.add_twilio(
        phone_number=NUMBER, label="Main", twilio_account_sid="AC1", twilio_auth_token="t"
    )
    await client.numbers.assign(voice_agent_id=FAKE_AGENT_ID, phone_number=NUMBER)
    assert (await client.numbers.get(number.id)).voice_agent_id == FAKE_AGENT_ID
    assert len(await client.numbers.list(voice_agent_id=FAKE_AGENT_ID)) == 1
    assert await client.numbers.unassign(phone_number=NUMBER)
    assert (await client.numbers.get(number.id)).voice_agent_id is None

    tool = await client.web_tools.create(name="look", description="Looks", params={})
    await client.web_tools_v2.create(name="see", description="Sees", params={})
    await client.web_tools_v2.update(tool.id, tool_settings={"time_out": 3})
    seen = await client.web_tools.get(tool.id)
    assert seen.version == 2
    assert seen.tool_settings is not None
    assert seen.tool_settings.timeout == 3
    assert len(await client.web_tools.list(search="LOOK")) == 1
    assert len(await client.web_tools_v2.list(is_active=True)) == 2

    (item,) = await client.knowledge_base.create([{"item_name": "Prices", "content": "1 2"}])
    assert (await client.knowledge_base.get(item.id)).words_number == 2
    assert len(await client.knowledge_base.list(type=["TEXT"])) == 1

    words = await client.dictionaries.create(
        name="Names", words=[{"word": "Hamsa", "pronunciation": "ham-sa"}]
    )
    await client.dictionaries.update(words.id, name="Names 2")
    await client.dictionaries.toggle(
        dictionary_id=words.id, voice_agent_id=FAKE_AGENT_ID, is_active=True
    )
    (summary,) = await client.dictionaries.list(used=True)
    assert (summary.name, summary.words_count, summary.is_used) == ("Names 2", 1, True)

    batch = await client.campaigns.create(
        name="March",
        phone_number=NUMBER,
        voice_agent_id=FAKE_AGENT_ID,
        recipients=[{"phone_number": "+971500000125"}, {"phone_number": "+971500000126"}],
    )
    (row,) = [row async for row in client.campaigns.list()]
    assert (row.id, row.recipients_count) == (batch.id, 2)
    detail = await client.campaigns.get(batch.id)
    assert detail.recipients is not None
    assert [one.phone_number for one in detail.recipients["pending"]] == [
        "+971500000125",
        "+971500000126",
    ]

    assert (await client.projects.current()).id == FAKE_PROJECT_ID
    used = await client.projects.statistics_numbers(project_id=FAKE_PROJECT_ID, **SPAN)
    assert used.requests is not None
    assert used.requests.value == "2"
    await client.projects.statistics_chart(project_id=FAKE_PROJECT_ID, **SPAN)
    assert (await client.analytics.overview()).live_sessions_number == 2
    await client.analytics.performance()
    await client.analytics.satisfaction()


async def test_every_operation_is_answered_as_the_contract_says(
    client: HamsaClient,
    fake: FakeHamsa,
    heard: list[tuple[Operation, Answer]],
    contract: Contract,
) -> None:
    """Asked for everything, it knows every route, and each answer has the contract's shape."""
    await everything(client)
    assert {operation.name for operation, _ in heard} == {
        operation.name for operation in OPERATIONS
    }
    assert fake.requests["unknown"] == 0
    for operation, answer in heard:
        if operation.id is not None:
            contract.check(operation, answer)


async def test_only_calls_ring(client: HamsaClient, fake: FakeHamsa) -> None:
    """Both call routes ring, once each; a batch rings nobody."""
    await everything(client)
    assert sorted(ring.phone_number for ring in fake.ledger.rings) == [
        "+971500000123",
        "+971500000124",
    ]


async def test_a_reset_forgets_what_was_created(client: HamsaClient, fake: FakeHamsa) -> None:
    """After a reset the project is as it was made."""
    await everything(client)
    fake.reset()
    assert fake.agents == {FAKE_AGENT_ID: {}}
    for pages in (client.numbers.list(), client.web_tools.list(), client.campaigns.list()):
        assert len(await pages) == 0
    assert len(await client.voice_agents.list()) == 1


UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.conversations.get(UNKNOWN),
        lambda c: c.conversations.export_status(project_id=UNKNOWN, export_id=UNKNOWN),
        lambda c: c.jobs.get(UNKNOWN),
        lambda c: c.voice_agents.get(UNKNOWN),
        lambda c: c.voice_agents.update(UNKNOWN, interrupt=False),
        lambda c: c.voice_agents.clone(UNKNOWN, agent_name="Sara"),
        lambda c: c.voice_agents_v2.get(UNKNOWN),
        lambda c: c.voice_agents_v2.update(UNKNOWN, name="Sara"),
        lambda c: c.numbers.get(UNKNOWN),
        lambda c: c.numbers.assign(voice_agent_id=FAKE_AGENT_ID, phone_number=NUMBER),
        lambda c: c.numbers.unassign(phone_number=NUMBER),
        lambda c: c.web_tools.get(UNKNOWN),
        lambda c: c.web_tools_v2.update(UNKNOWN, name="look"),
        lambda c: c.knowledge_base.get(UNKNOWN),
        lambda c: c.dictionaries.update(UNKNOWN, name="Names"),
        lambda c: c.campaigns.get(UNKNOWN),
    ],
)
async def test_what_it_does_not_know_is_not_found(
    ask: Callable[[HamsaClient], Any], client: HamsaClient
) -> None:
    """An id or a number that nothing has gets a 404."""
    with pytest.raises(NotFoundError):
        await ask(client)


async def test_what_breaks_the_contract_is_refused(client: HamsaClient) -> None:
    """A body of the wrong shape gets a 400 that says where."""
    request = build(CREATE_CAMPAIGN, body={"name": "March"})
    with pytest.raises(InvalidRequestError, match=r"body\.phoneNumber is missing"):
        await client._sender.send(request, read_nothing)
