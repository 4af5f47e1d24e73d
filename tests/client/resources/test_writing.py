"""Requests that write are checked when they are built, and never repeat what was in them."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal, Required, TypedDict

import pytest

from hamsa_async import ConfigurationError, HamsaClient, SendType, WebhookAuth
from hamsa_async._writing import write, write_changes
from hamsa_async.models.rules import E164, AtLeast, Between, ClockTime, Length, WebUrl

ID = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"


class Inner(TypedDict, total=False):
    on_time: bool


class Request(TypedDict, total=False):
    some_name: Required[Annotated[str, Length(1, 5)]]
    ratio: Annotated[float, Between(0.5, 1.5)]
    count: Annotated[int, AtLeast(0)] | None
    flag: bool
    kind: SendType | str
    order: Literal["asc", "desc"]
    at: datetime | None
    inner: Inner | None
    many: Sequence[Inner]
    params: Mapping[str, Any]
    async_: bool
    number: Annotated[str, E164()]
    url: Annotated[str, WebUrl()] | None
    time: Annotated[str, ClockTime()]
    webhook_auth: WebhookAuth | None
    anything: Any


def written(**fields: Any) -> dict[str, Any]:
    return write(Request, {"some_name": "a", **fields}, what="thing.create")


def test_names_and_values_become_the_apis() -> None:
    """Names are camel-cased, values are JSON, open mappings stay as they are."""
    assert written(
        ratio=1,
        count=None,
        kind=SendType.NOW,
        order="asc",
        at=datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=4))),
        inner={"on_time": True},
        many=({"on_time": False}, {}),
        params={"snake_case": {"stays": 1}},
        async_=False,
        webhook_auth=WebhookAuth(auth_secret="s"),
    ) == {
        "someName": "a",
        "ratio": 1,
        "count": None,
        "kind": "NOW",
        "order": "asc",
        "at": "2026-03-01T08:00:00.000Z",
        "inner": {"onTime": True},
        "many": [{"onTime": False}, {}],
        "params": {"snake_case": {"stays": 1}},
        "async": False,
        "webhookAuth": {"authKey": "Token", "authSecret": "s"},
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"some_name": ""}, "some_name must not be empty"),
        ({"some_name": "secret"}, "some_name must not be longer than 5"),
        ({"some_name": None}, "some_name must be a text"),
        ({"ratio": 0.4}, "ratio must be from 0.5 to 1.5"),
        ({"ratio": True}, "ratio must be a number"),
        ({"ratio": math.nan}, "ratio must be a finite number"),
        ({"count": -1}, "count must be at least 0"),
        ({"count": 1.5}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"flag": 1}, "flag must be True or False"),
        ({"kind": 5}, "kind must be a text"),
        ({"order": "up"}, "order must be one of asc, desc"),
        ({"order": ["asc"]}, "order must be one of asc, desc"),
        ({"at": datetime(2026, 3, 1)}, "at must be an aware datetime"),  # noqa: DTZ001
        ({"at": "2026"}, "at must be an aware datetime"),
        ({"inner": {"ontime": True}}, "inner has no field 'ontime'; it has on_time"),
        ({"inner": [1]}, "inner must be a mapping"),
        ({"many": {"a": 1}}, "many must be a list"),
        ({"many": "ab"}, "many must be a list"),
        ({"many": [{}, {"on_time": "yes"}]}, "many[1].on_time must be True or False"),
        ({"params": [1]}, "params must be a mapping"),
        ({"number": "0500000123"}, "number must be an E.164 number"),
        ({"url": "http://example.com"}, "url must be https"),
        ({"time": "24:00"}, "time must be a time of day"),
        ({"webhook_auth": {"auth_secret": "s3cret"}}, "webhook_auth must be a WebhookAuth"),
        ({"some_nam": "x"}, "thing.create has no field 'some_nam'"),
        ({"someName": "x"}, "thing.create has no field 'someName'"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(fields: dict[str, Any], said: str) -> None:
    """The text names the field and its rule; a value may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        written(**fields)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_is_missing_is_named() -> None:
    """A required field cannot be left out, at any depth."""
    with pytest.raises(ConfigurationError, match=r"thing\.create: some_name is missing"):
        write(Request, {}, what="thing.create")


def test_an_update_changes_something() -> None:
    """An empty one is a mistake."""
    with pytest.raises(ConfigurationError, match="at least one field"):
        write_changes(Request, {}, what="thing.update")


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.voice_agents.create(agent_name="S", max_call_duration=601),
        lambda c: c.voice_agents.create(agent_name="S", lang="fr"),
        lambda c: c.voice_agents.create(agent_name="S", agentname="S"),
        lambda c: c.voice_agents.create(agent_name=""),
        lambda c: c.voice_agents.update(ID),
        lambda c: c.voice_agents.update("../x", interrupt=True),
        lambda c: c.voice_agents.clone("", agent_name="S"),
        lambda c: c.voice_agents.get("a/b"),
        lambda c: c.voice_agents_v2.create(name="S", call_settings={"response_delay": 1}),
        lambda c: c.voice_agents_v2.update(ID, llm={"modelName": "x"}),
        lambda c: c.numbers.add_twilio(
            phone_number="1", label="M", twilio_account_sid="A", twilio_auth_token="t"
        ),
        lambda c: c.numbers.assign(voice_agent_id=ID, phone_number="12"),
        lambda c: c.numbers.get(""),
        lambda c: c.web_tools.create(name="", description="", params={}),
        lambda c: c.web_tools_v2.update(ID, tool_settings={"timeout": 3}),
        lambda c: c.knowledge_base.create([]),
        lambda c: c.dictionaries.create(name="N", words=[{"word": "a"}]),
        lambda c: c.dictionaries.toggle(dictionary_id=ID, voice_agent_id=ID, is_active="yes"),
        lambda c: c.campaigns.create(
            name="M", phone_number="+971500000123", voice_agent_id=ID, recipients=[]
        ),
        lambda c: c.campaigns.create(
            name="M",
            phone_number="+971500000123",
            voice_agent_id=ID,
            recipients=[{"phone_number": "0500000123"}],
        ),
        lambda c: c.campaigns.create(
            name="x" * 101,
            phone_number="+971500000123",
            voice_agent_id=ID,
            recipients=[{"phone_number": "+971500000124"}],
        ),
        lambda c: c.conversations.export(voice_agent_id=ID, period="CUSTOM"),
        lambda c: c.conversations.export(
            voice_agent_id=ID, period="TODAY", start_period=datetime.now(UTC), end_period=None
        ),
        lambda c: c.analytics.overview(
            start_period=datetime(2026, 3, 2, tzinfo=UTC),
            end_period=datetime(2026, 3, 1, tzinfo=UTC),
        ),
        lambda c: c.projects.statistics_chart(
            project_id=ID,
            start_period=datetime(2026, 3, 2),  # noqa: DTZ001
            end_period=datetime(2026, 3, 3, tzinfo=UTC),
        ),
        lambda c: c.voice_agents.call_from_number(
            to_number="+971500000123", from_number=None, voice_agent_id=ID
        ),
        lambda c: c.voice_agents.call_from_number(
            to_number="+971500000123", from_number="+971500000124"
        ),
    ],
)
async def test_nothing_is_sent_that_is_not_valid(ask: Any) -> None:
    """A mistake is a ConfigurationError before a connection is thought of."""
    async with HamsaClient("fake-key", base_url="https://nowhere.invalid") as client:
        with pytest.raises(ConfigurationError):
            await ask(client)


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.conversations.list(page_size=201),
        lambda c: c.conversations.list(start_time=datetime(2026, 3, 1)),  # noqa: DTZ001
        lambda c: c.conversations.list(
            start_time=datetime(2026, 3, 2, tzinfo=UTC), end_time=datetime(2026, 3, 1, tzinfo=UTC)
        ),
        lambda c: c.jobs.list(project_id=""),
        lambda c: c.jobs.list(project_id=ID, type="VOICE_AGENTS"),
        lambda c: c.campaigns.list(page_size=0),
        lambda c: c.voice_agents_v2.list(type=[None]),
    ],
)
async def test_a_list_that_cannot_be_asked_for_is_refused_at_once(ask: Any) -> None:
    """Not at its first page: the mistake is where the list is made."""
    async with HamsaClient("fake-key", base_url="https://nowhere.invalid") as client:
        with pytest.raises(ConfigurationError):
            ask(client)
