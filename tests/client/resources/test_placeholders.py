"""The variables of an agent are named as its texts spell them, whichever way it is given."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async import AgentDetails, ConfigurationError, HamsaClient, NotFoundError, VoiceAgentV2
from hamsa_async.models import AgentConversation, placeholders_in
from hamsa_async.testing import FAKE_AGENT_ID, FakeHamsa

TEXTS = [
    ("", ()),
    ("Hello, no variables here.", ()),
    ("Hello {{name}}.", ("name",)),
    ("{{b}} {{a}} {{b}} {{c}}{{a}}", ("b", "a", "c")),
    ("{{ name }} {{name}} {{\tname\n}}", ("name",)),
    ("مرحباً {{اسم العميل}}، موعدك يوم {{ اليوم }}", ("اسم العميل", "اليوم")),
    ("{{customer.first-name}} {{رقم_2}}", ("customer.first-name", "رقم_2")),
    ("{name} {{name} {name}} {{", ()),
    ("{{never closed, {{city}}", ("city",)),
    ("{{city}} {{never closed", ("city",)),
    ("{{}} {{  }} {{\u00a0}}", ()),
    ("{{{name}}}", ("name",)),
    ("{{one\ntwo}}", ()),
    ("{{Name}} {{name}}", ("Name", "name")),
]


@pytest.mark.parametrize(("text", "names"), TEXTS)
def test_names_in_a_text(text: str, names: tuple[str, ...]) -> None:
    """In order of appearance, each once."""
    assert placeholders_in({"greetingMessage": text}) == names
    assert placeholders_in({"preamble": text}) == names


GREETING, PREAMBLE = "Hello {{name}}, {{title}}.", "Remind {{name}} of {{day}}; {{title}}."
NAMES = ("name", "title", "day")


@pytest.mark.parametrize(
    "agent",
    [
        {"greetingMessage": GREETING, "preamble": PREAMBLE, "description": "{{not this}}"},
        AgentDetails(greeting_message=GREETING, preamble=PREAMBLE),
        VoiceAgentV2(
            id="a",
            conversation=AgentConversation(greeting_message=GREETING, preamble=PREAMBLE),
        ),
    ],
)
def test_the_greeting_goes_before_the_preamble(agent: Any) -> None:
    """A flat agent, one in groups and one described on the spot say the same."""
    assert placeholders_in(agent) == NAMES


@pytest.mark.parametrize(
    "agent",
    [
        {},
        {"greetingMessage": None, "preamble": 17},
        AgentDetails(),
        VoiceAgentV2(id="a"),
        VoiceAgentV2(id="a", conversation=AgentConversation()),
    ],
)
def test_an_agent_without_texts_has_none(agent: Any) -> None:
    """What the API leaves out, or sends as something else, holds no variable."""
    assert placeholders_in(agent) == ()


@pytest.mark.parametrize("agent", [None, 7, ["greetingMessage"]])
def test_what_is_no_agent(agent: Any) -> None:
    with pytest.raises(ConfigurationError, match="no agent"):
        placeholders_in(agent)


@given(st.text(alphabet="{} \nnم", max_size=30))
def test_whatever_the_text(text: str) -> None:
    """Names are never empty, never hold braces, and stand in the text between two and two."""
    for name in placeholders_in({"greetingMessage": text}):
        assert name == name.strip() != ""
        assert not set(name) & set("{}\n")
        assert name in text


@pytest.fixture
async def client(fake: FakeHamsa, connect: Any) -> HamsaClient:
    made: HamsaClient = await connect(fake)
    return made


async def test_an_id_is_read(client: HamsaClient, fake: FakeHamsa) -> None:
    assert await client.voice_agents.placeholders(FAKE_AGENT_ID) == ("name",)
    assert fake.requests == {"GET /v1/voice-agents/{voiceAgentId}": 1}


async def test_an_agent_at_hand_is_not_read(client: HamsaClient, fake: FakeHamsa) -> None:
    agent = AgentDetails(greeting_message=GREETING, preamble=PREAMBLE)
    assert await client.voice_agents.placeholders(agent) == NAMES
    assert await client.voice_agents.placeholders({"preamble": "{{x}}"}) == ("x",)
    assert not fake.requests


async def test_an_id_of_nobody(client: HamsaClient) -> None:
    with pytest.raises(NotFoundError):
        await client.voice_agents.placeholders("nobody")


async def test_both_routes_name_the_same(client: HamsaClient) -> None:
    flat = await client.voice_agents.get(FAKE_AGENT_ID)
    grouped = await client.voice_agents_v2.get(FAKE_AGENT_ID)
    assert placeholders_in(flat) == placeholders_in(grouped) == ("name",)
