"""Answers are read leniently, and where they cannot be, the error says where."""

import json
from typing import Any

import pytest

from hamsa_async import (
    CallStatus,
    ChannelType,
    Conversation,
    ExportFile,
    ExportTicket,
    ResponseSchemaError,
    ServerCampaign,
    VoiceAgentV2,
)
from hamsa_async._answers import (
    pages_of,
    read_export,
    read_job,
    read_made_items,
    read_nothing,
    read_text,
    reads,
    writes,
)
from hamsa_async._wire import parse_call
from hamsa_async.models import AgentDetails, ConversationSummary, PhoneNumber
from hamsa_async.options import Answer


def answer(data: Any, **beside: Any) -> Answer:
    return Answer(
        status=200,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"success": True, "data": data, **beside}).encode(),
    )


def raw(body: bytes, content_type: str) -> Answer:
    return Answer(status=200, headers={"Content-Type": content_type}, body=body)


def problem_of(read: Any, given: Answer) -> str:
    with pytest.raises(ResponseSchemaError) as caught:
        read(given)
    return "; ".join(caught.value.problems)


def test_a_conversation_tells_what_happened() -> None:
    """Transcript, outcome and reference come from where they are."""
    conversation = reads(Conversation)(
        answer(
            {
                "id": "c",
                "status": "COMPLETED",
                "channelType": "Telephone",
                "callDuration": 125,
                "jobResponse": {
                    "transcription": [{"Agent": "Hello"}, {"User": "Yes"}],
                    "outcomeResult": {"confirmed": True, "_hamsa_reference": "r"},
                },
                "logs": [{"id": "1", "category": "TOOLS", "payload": 5, "new": 1}],
            }
        )
    )
    assert conversation.status is CallStatus.COMPLETED
    assert conversation.has_ended
    assert conversation.channel_type is ChannelType.TELEPHONE
    assert [(turn.speaker, turn.text) for turn in conversation.transcript] == [
        ("Agent", "Hello"),
        ("User", "Yes"),
    ]
    assert conversation.outcome["confirmed"] is True
    assert conversation.reference == "r"
    assert conversation.logs is not None
    assert conversation.logs[0].extra == {"new": 1}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"jobResponse": None},
        {"jobResponse": {}},
        {"jobResponse": {"transcription": None, "outcomeResult": None}},
        {"jobResponse": {"transcription": ["text", None], "outcomeResult": "text"}},
        {"agentDetails": {"params": None}},
    ],
)
def test_a_conversation_that_tells_nothing_yet(data: dict[str, Any]) -> None:
    """What is not there is empty, and what is odd does not hurt."""
    conversation = reads(Conversation)(answer({"id": "c", **data}))
    assert (conversation.transcript, conversation.outcome) == ((), {})
    assert conversation.reference is None
    assert not conversation.has_ended


def test_the_reference_of_a_call_that_has_not_ended() -> None:
    """It is with the agent's params until it comes back with the outcome."""
    data = {"id": "c", "agentDetails": {"params": {"_hamsa_reference": "r"}}}
    assert reads(Conversation)(answer(data)).reference == "r"


def test_both_call_routes_give_one_kind_of_call() -> None:
    """`jobId` is as good as `id`."""
    call = parse_call(answer({"voiceAgentId": "v", "jobId": "j"}))
    assert (call.id, call.voice_agent_id) == ("j", "v")


def test_an_unknown_member_passes_as_its_text() -> None:
    """Enumerations are open."""
    row = reads(ConversationSummary)(answer({"id": "c", "status": "BUSY", "channelType": None}))
    assert (row.status, row.channel_type, row.has_ended) == ("BUSY", None, False)


def test_an_id_that_is_a_number_is_its_text() -> None:
    """Ids are texts here."""
    assert reads(PhoneNumber)(answer({"id": 17})).id == "17"


@pytest.mark.parametrize(
    ("kind", "data", "problem"),
    [
        (Conversation, {}, "required field missing @ $.data.id"),
        (Conversation, {"id": None}, "expected the documented type @ $.data.id"),
        (Conversation, {"id": ""}, "expected the documented type @ $.data.id"),
        (
            Conversation,
            {"id": "c", "createdAt": "soon"},
            "invalid value, expected the documented type @ $.data.createdAt",
        ),
        (Conversation, {"id": "c", "callParams": 5}, "@ $.data.callParams"),
        (
            Conversation,
            {"id": "c", "logs": [{}, {"timestamp": "x"}]},
            "@ $.data.logs[1].timestamp",
        ),
        (VoiceAgentV2, {"id": "a", "llm": []}, "@ $.data.llm"),
        (AgentDetails, [], "@ $.data"),
    ],
)
def test_a_mismatch_is_named_by_its_path(kind: Any, data: Any, problem: str) -> None:
    """The path is the API's own, into its JSON."""
    assert problem in problem_of(reads(kind), answer(data))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"5", b'{"success":true}', b"\xff"])
def test_what_is_not_an_envelope(body: bytes) -> None:
    """No raw decoding error escapes."""
    assert "@ $" in problem_of(reads(Conversation), raw(body, "application/json"))


def test_a_page_has_its_totals() -> None:
    """Rows, and what the API says of the whole; totals that are none are none."""
    read = pages_of(ConversationSummary, "calls")
    page = read(answer({"calls": [{"id": "a"}], "total": 137, "filtered": 2}), 3, 50)
    assert ([row.id for row in page], page.total, page.filtered) == (["a"], 137, 2)
    assert (page.number, page.size) == (3, 50)
    assert read(answer({"calls": [], "total": "many"}), 1, 1).total is None
    bare = pages_of(PhoneNumber, None)
    assert [row.id for row in bare(answer([{"id": "a", "number": "+9"}]), 1, 1)] == ["a"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, "expected a list @ $.data.calls"),
        ({"calls": None}, "expected a list @ $.data.calls"),
        ({"calls": {"id": "a"}}, "expected a list @ $.data.calls"),
        ({"calls": "ab"}, "expected a list @ $.data.calls"),
        ([], "expected a list @ $.data.calls"),
        ({"calls": [{"id": "a"}, {}]}, "required field missing @ $.data.calls[1].id"),
    ],
)
def test_a_page_that_is_none(data: Any, problem: str) -> None:
    """The path says which row."""
    read = pages_of(ConversationSummary, "calls")
    assert problem in problem_of(lambda given: read(given, 1, 1), answer(data))


def test_what_was_made_keeps_its_id() -> None:
    """A field of the wrong shape does not turn a batch that exists into doubt."""
    made = writes(ServerCampaign)(answer({"id": "b", "createdAt": 5, "name": "March"}))
    assert made.id == "b"
    assert made.extra == {"createdAt": 5, "name": "March"}
    assert "$.data" in problem_of(writes(ServerCampaign), answer({"createdAt": 5}))


def test_an_export_is_a_file_or_a_ticket() -> None:
    """A web page is neither."""
    workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    file = read_export(raw(b"PK", workbook))
    assert file == ExportFile(content=b"PK", content_type=workbook)
    assert read_export(answer({"exportId": 5})) == ExportTicket(export_id="5")
    assert "web page" in problem_of(read_export, raw(b"<html>", "text/html; charset=utf-8"))


def test_a_job_has_its_preview() -> None:
    """It stands beside it; its agent may be a text."""
    job = read_job(answer({"id": "j", "agentDetails": "Sara"}, previewUrl="https://x"))
    assert (job.preview_url, job.agent_details) == ("https://x", "Sara")
    agent = read_job(answer({"id": "j", "agentDetails": {"agentName": "Sara"}})).agent_details
    assert isinstance(agent, AgentDetails)


def test_added_items_are_one_or_several() -> None:
    """The page shows one; a list is read too."""
    assert [item.id for item in read_made_items(answer({"id": "a"}))] == ["a"]
    assert [item.id for item in read_made_items(answer([{"id": "a"}, {"id": "b"}]))] == ["a", "b"]
    assert "$.data[0].id" in problem_of(read_made_items, answer([{}]))
    assert "$.data[1]" in problem_of(read_made_items, answer([{"id": "a"}, "b"]))


def test_one_odd_field_of_several_made_items_costs_no_id() -> None:
    """They were made; the id of each is what the caller goes on with."""
    odd = {"id": "b", "createdAt": "soon"}
    first, second = read_made_items(answer([{"id": "a"}, odd]))
    assert (first.id, second.id, second.extra) == ("a", "b", {"createdAt": "soon"})


def test_an_answer_without_data() -> None:
    """It must be the API's all the same."""
    read_nothing(raw(b'{"success":true}', "application/json"))
    assert "expected an object" in problem_of(read_nothing, raw(b"<html>", "text/html"))
    assert "expected an object" in problem_of(read_nothing, raw(b"[]", "application/json"))
    assert "expected a text" in problem_of(read_text, answer({"a": 1}))
