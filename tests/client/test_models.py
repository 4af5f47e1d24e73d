"""What the API says becomes values: every documented field, in both ages, and nothing lost."""

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async import (
    AgentDetails,
    CalendarTools,
    Call,
    CallRequest,
    ConfigurationError,
    ResponseSchemaError,
    TimeSlot,
    ToolSwitches,
    WebhookAuth,
)
from hamsa_async._answers import reads
from hamsa_async._converter import camel_case, structure
from hamsa_async._wire import parse_call, parse_project
from hamsa_async.options import Answer
from hamsa_async.testing import FAKE_AGENT_ID, FakeHamsa

SAMPLE = Path(__file__).parent.parent / "contract" / "start-a-call.response.json"


def answer(body: Any, status: int = 200) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={}, body=raw)


def sample() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return value


def call_of(**data: Any) -> Call:
    return parse_call(answer({"data": {"id": "1", **data}}))


def fields_of(kind: type[Any]) -> dict[str, str]:
    """Our name of each field, by the API's."""
    return {
        camel_case(field.alias): field.name.lstrip("_")
        for field in attrs.fields(kind)
        if field.name not in {"extra", "evidence"}  # these are ours
    }


def test_every_field_of_the_documented_answer_is_an_attribute() -> None:
    """The documentation's own example, field by field; `success: false` in it means nothing."""
    body = sample()
    assert body["success"] is False
    call = parse_call(answer(body))
    data = body["data"]
    assert set(data) <= set(fields_of(Call))
    assert not call.extra
    for name, value in data.items():
        if name == "agentDetails":
            continue
        given = getattr(call, fields_of(Call)[name])
        if isinstance(given, datetime):
            assert given == datetime(2023, 11, 7, 5, 31, 56, tzinfo=UTC)
        else:
            assert given == value
    agent = call.agent_details
    assert agent is not None
    assert not agent.extra
    for name, value in data["agentDetails"].items():
        given = getattr(agent, fields_of(AgentDetails)[name])
        if name not in {"tools", "voiceRecord", "createdAt", "updatedAt"}:
            assert given == value
    assert agent.created_at == call.created_at
    tools = agent.tools
    assert isinstance(tools, CalendarTools)
    assert not tools.extra
    assert tools.free_slots is not None
    assert tools.free_slots["Monday"][0][0] == TimeSlot(from_="<string>", to="<string>")
    assert tools.meeting_duration == 123


@pytest.mark.parametrize(("shape", "kind"), [("newer", ToolSwitches), ("older", CalendarTools)])
async def test_both_ages_of_an_agent_are_typed(shape: Any, kind: type[Any], connect: Any) -> None:
    """As the fake tells them, in a call's answer and read by itself."""
    async with FakeHamsa(agent_shape=shape) as fake:
        client = await connect(fake)
        call = await client.voice_agents.call(
            to_number="+971500000123", voice_agent_id=FAKE_AGENT_ID
        )
        agent = await client.voice_agents.get(FAKE_AGENT_ID)
    for each in (call.agent_details, agent):
        assert isinstance(each, AgentDetails)
        assert isinstance(each.tools, kind)
        assert not each.extra
        assert not each.tools.extra
        assert each.voice_record is not None
        assert each.voice_record.name == "Sara"
        assert each.poke_messages == ["Are you still there?"]
        assert each.created_at == datetime(2025, 11, 4, 9, 30, tzinfo=UTC)
    assert call.created_at is not None
    assert call.created_at.utcoffset() == timedelta(0)


def test_an_agent_is_built_when_it_is_looked_at_and_once() -> None:
    """Half of the answer is rarely read, and its shape does not decide whether the id is known."""
    call = call_of(agentDetails={"id": "a"})
    assert call.agent_details is call.agent_details
    broken = call_of(agentDetails={"voiceRecord": 7, "tools": {"freeSlots": {"Monday": [[3]]}}})
    assert broken.id == "1"
    with pytest.raises(ResponseSchemaError) as caught:
        _ = broken.agent_details
    paths = [problem.rpartition(" @ ")[2] for problem in caught.value.problems]
    assert paths[0] == "$.data.agentDetails.voiceRecord"
    assert paths[1].startswith("$.data.agentDetails.tools")
    assert call_of(agentDetails=None).agent_details is None
    assert call_of().agent_details is None


@pytest.mark.parametrize("tools", ["later", ["a"], {"something": "else"}, None, 5])
def test_tools_that_nobody_documented_stay_as_they_came(tools: Any) -> None:
    """An open union: what is neither age's is no failure."""
    agent = call_of(agentDetails={"tools": tools}).agent_details
    assert agent is not None
    assert agent.tools == tools


def test_fields_that_nobody_documented_are_kept() -> None:
    """At every depth, by the API's own names."""
    call = call_of(newField={"a": 1}, agentDetails={"other": 2, "llmConfig": {"deep": 3}})
    assert call.extra == {"newField": {"a": 1}}
    assert call.agent_details is not None
    assert call.agent_details.extra == {"other": 2}
    assert call.agent_details.llm_config is not None
    assert call.agent_details.llm_config.extra == {"deep": 3}


def test_null_is_welcome_everywhere_but_for_the_id() -> None:
    """Every documented field may be null."""
    body = sample()
    agent = dict.fromkeys(body["data"]["agentDetails"])
    call = call_of(**{**dict.fromkeys(body["data"]), "id": "1", "agentDetails": agent})
    values = attrs.asdict(call, recurse=False, filter=lambda field, _: field.name != "id")
    values.pop("_agent_details")
    assert values.pop("extra") == {}
    assert set(values.values()) == {None}
    assert call.agent_details == AgentDetails()


@pytest.mark.parametrize("bad", ["yesterday", 12, "", {}, [], True, "2023-99-99T00:00:00Z"])
def test_a_timestamp_that_is_none_costs_nothing_else(bad: Any) -> None:
    """The id and every other field stand; what came is kept in `extra`."""
    call = call_of(createdAt=bad, updatedAt="2024-01-01T00:00:00Z", status="PENDING", more=1)
    assert (call.id, call.status, call.created_at) == ("1", "PENDING", None)
    assert call.extra["createdAt"] == bad
    assert call.extra["more"] == 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-11-29T13:24:13.221Z", datetime(2025, 11, 29, 13, 24, 13, 221000, tzinfo=UTC)),
        ("2025-11-29T13:24:13", datetime(2025, 11, 29, 13, 24, 13, tzinfo=UTC)),
        (
            "2025-11-29T17:24:13+04:00",
            datetime(2025, 11, 29, 17, 24, 13, tzinfo=timezone(timedelta(hours=4))),
        ),
    ],
)
def test_a_timestamp_is_aware(text: str, moment: datetime) -> None:
    """One without an offset is UTC, which is what the API's examples end in."""
    found = call_of(createdAt=text).created_at
    assert found is not None
    assert found.utcoffset() is not None
    assert found == moment


@pytest.mark.parametrize(
    ("data", "call_id"),
    [({"id": "a"}, "a"), ({"id": 7}, "7"), ({"jobId": "j"}, "j"), ({"id": "", "jobId": 3}, "3")],
)
def test_an_id_is_a_text_whatever_it_was(data: dict[str, Any], call_id: str) -> None:
    """The sibling route names it `jobId`; a number is as good as its text."""
    assert parse_call(answer({"data": data})).id == call_id


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON @ $"),
        (b"[1", "not JSON @ $"),
        (b"[]", "expected an object @ $"),
        (b"{}", "required field missing @ $.data"),
        (b'{"data":null}', "required field missing @ $.data"),
        (b'{"data":[]}', "required field missing @ $.data.id"),
        (b'{"data":"x"}', "required field missing @ $.data.id"),
        (b'{"data":{"id":null}}', "required field missing @ $.data.id"),
        (b'{"data":{"id":true}}', "required field missing @ $.data.id"),
        (b'{"data":{"id":{}}}', "required field missing @ $.data.id"),
    ],
)
def test_an_answer_without_an_id_names_what_is_missing(body: bytes, problem: str) -> None:
    """One problem, with its path."""
    with pytest.raises(ResponseSchemaError) as caught:
        parse_call(answer(body))
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"data": {}}, "$.data.id"),
        ({"data": {"id": {}}}, "$.data.id"),
        ({"data": {"id": "a", "createdAt": "x"}}, "$.data.createdAt"),
        ({"data": 5}, "$.data"),
    ],
)
def test_a_project_that_is_none_names_the_path(body: Any, path: str) -> None:
    """By the API's own names."""
    with pytest.raises(ResponseSchemaError) as caught:
        parse_project(answer(body))
    assert caught.value.problems[0].endswith(f" @ {path}")


def test_an_agent_that_is_none_names_the_path() -> None:
    """Every problem of it, not only the first."""
    with pytest.raises(ResponseSchemaError) as caught:
        reads(AgentDetails)(answer({"data": {"id": "a", "voiceRecord": [], "createdAt": 5}}))
    assert sorted(problem.rpartition(" @ ")[2] for problem in caught.value.problems) == [
        "$.data.createdAt",
        "$.data.voiceRecord",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted(set(fields_of(Call)) - {"id", "agentDetails", "createdAt", "updatedAt"})


@given(data=st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON), agent=JSON)
def test_whatever_comes_with_an_id_is_a_call_and_nothing_of_it_is_lost(
    data: dict[str, Any], agent: Any
) -> None:
    """Known names are attributes as they came, the rest is in `extra`, and it survives pickle."""
    given_data = {**data, "id": "1", "agentDetails": agent}
    data = {k: v for k, v in given_data.items() if k not in ("createdAt", "updatedAt")}
    call = parse_call(answer({"data": data}))
    known = fields_of(Call)
    for name, value in data.items():
        if name == "agentDetails":
            continue
        assert (getattr(call, known[name]) if name in known else call.extra[name]) == value
    assert pickle.loads(pickle.dumps(call)) == call
    try:
        details = call.agent_details
    except ResponseSchemaError as error:
        assert error.problems
    else:
        assert (details is None) == (agent is None)


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_makes_a_parser_raise_anything_but_its_own_error(body: bytes) -> None:
    """Whatever bytes come."""
    for parse in (parse_call, parse_project, reads(AgentDetails)):
        try:
            parse(answer(body))
        except ResponseSchemaError as error:
            assert error.problems


def test_values_are_frozen_and_keyword_only() -> None:
    """What was checked cannot be changed afterwards."""
    with pytest.raises(AttributeError):
        call_of().status = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Call("1")  # type: ignore[misc]
    assert not hasattr(call_of(), "__dict__")


def test_structure_names_a_path_by_the_apis_names_and_masks_the_servers() -> None:
    """A key of a mapping is the server's text, and may be somebody's number."""
    with pytest.raises(ResponseSchemaError) as caught:
        structure({"freeSlots": {"+971501234567": [[{"from": {}}, 5]]}}, CalendarTools, at="$.t")
    (problem,) = caught.value.problems
    assert "$.t.freeSlots[" in problem
    assert "+971501234567" not in problem
    assert problem.endswith("[0][1]")


# -- what is asked for

GOOD: dict[str, Any] = {"to_number": "+971500000123", "voice_agent_id": "a"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"to_number": "971500000123"},
        {"to_number": "+0971500000123"},
        {"to_number": "+97150"},
        {"to_number": "+9715000001234567"},
        {"to_number": "+97150000012٣"},
        {"to_number": "+971 50 000 0123"},
        {"to_number": None},
        {"to_number": 971500000123},
        {"from_number": "0500"},
        {"voice_agent_id": None},
        {"voice_agent_id": ""},
        {"voice_agent_id": 5},
        {"agent_details": {}},
        {"voice_agent_id": None, "agent_details": []},
        {"voice_agent_id": None, "agent_details": {"params": 3}},
        {"voice_agent_id": None, "agent_details": {"params": {"_hamsa_reference": "x"}}},
        {"params": []},
        {"params": {"_hamsa_reference": "x"}},
        {"webhook_url": "http://example.com/hook"},
        {"webhook_url": "nonsense"},
        {"webhook_auth": WebhookAuth(auth_secret="s")},
        {"webhook_url": "https://example.com", "webhook_auth": {"auth_secret": "s"}},
        {"reference": ""},
        {"reference": 5},
        {"not_after": datetime(2025, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"not_after": "2025-01-01T00:00:00Z"},
        {"colour": "red"},
        {"+971501234567": "red"},
    ],
    ids=str,
)
def test_a_request_that_cannot_work_is_refused_before_any_is_sent(wrong: dict[str, Any]) -> None:
    """And the text shows no whole number."""
    with pytest.raises(ConfigurationError) as caught:
        CallRequest.of({**GOOD, **wrong})
    assert "500000123" not in str(caught.value)
    assert "501234567" not in str(caught.value)


def test_a_request_shows_whom_it_calls_masked_and_no_secret() -> None:
    """Params, webhook and its secret are not in `repr`."""
    request = CallRequest(
        **GOOD,
        from_number="+18449292835",
        params={"pin": "hunter2"},
        webhook_url="https://example.com/?token=hunter2",
        webhook_auth=WebhookAuth(auth_secret="hunter2"),
    )
    text = repr(request)
    assert "+9715******23" in text
    assert "hunter2" not in text
    assert "8449292835" not in text


def test_none_for_params_is_no_params() -> None:
    """A row of a table has a cell for everything."""
    assert CallRequest.of({**GOOD, "params": None}).params == {}
