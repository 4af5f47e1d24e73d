"""`hamsa call --wait`: how a call goes on, what came of it, and how one leaves."""

import asyncio
import json
import re
from typing import Any

import pytest

from hamsa_async.cli.waiting import conversation_as_json, print_end
from hamsa_async.models import Conversation
from hamsa_async.models.conversations import JobResponse
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

NUMBER = "+971501234567"
CALL = ("call", NUMBER, "--agent", FAKE_AGENT_ID, "--wait")
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
GOODBYE = "شكرًا، مع السلامة."


@pytest.fixture
def server(lasting: Any) -> Any:
    """A server whose calls go on: whoever waits for them must leave before their end."""
    return lasting


def plain(text: str) -> str:
    return STEERING.sub("", text).replace("\r", "")


def conversation(**more: Any) -> Conversation:
    return Conversation(id="c", status="COMPLETED", **more)


def test_fake(command: Any) -> None:
    """Nobody's phone: each status in a line, then outcome and transcript."""
    done = command("call", NUMBER, "--fake", "--wait", "--param", "name=سارة").ends(0)
    assert re.findall(r"status: (\w+)", done.err) == ["PENDING", "IN_PROGRESS", "COMPLETED"]
    assert "1 ring; no phone rang" in done.err
    lines = done.out.splitlines()
    assert re.fullmatch(r"placed: \+9715\*{6}67, call id [0-9a-f-]{36}", lines[0])
    assert re.fullmatch(r"ended: COMPLETED, \d s", lines[1])
    assert lines[2:] == [
        "outcome:",
        "  confirmed: true",
        "  name: سارة",
        "transcript:",
        "  Agent: Hello, this is nobody calling.",
        f"  User: {GOODBYE}",
    ]


def test_fake_without_waiting(command: Any) -> None:
    done = command("call", NUMBER, "--fake", "--json").ends(0)
    assert set(done.document) == {
        *("phone_number", "certainty", "call_id", "status", "error", "exit_code")
    }


def test_on_a_terminal(command: Any, terminal: Any) -> None:
    """A status that is redrawn in place, then each text on a line of its own."""
    shown = terminal(command, "call", NUMBER, "--fake", "--wait")
    shown.expect("PENDING")
    shown.expect("IN_PROGRESS")
    code, text = shown.to_the_end()
    assert code == 0
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    lines = [line.strip() for line in plain(text).splitlines()]
    at = lines.index("transcript:")
    assert lines[at + 1 : at + 5] == ["Agent", "Hello, this is nobody calling.", "User", GOODBYE]
    assert not re.search(r"\+\d{8,}", text)


@pytest.mark.parametrize(
    ("status", "code"),
    [("COMPLETED", 0), ("FORWARDED", 0), ("TERMINATED", 0), ("FAILED", 3), ("NO_ANSWER", 3)],
)
async def test_json(command: Any, status: str, code: int) -> None:
    """One object, with whole numbers; the exit code says whether anybody spoke."""
    async with FakeHamsa(scripts={NUMBER: [(0, "PENDING"), (0.2, status)]}) as fake:
        call = command.with_env(HAMSA_BASE_URL=fake.base_url, HAMSA_API_KEY=FAKE_API_KEY)
        fake.agents = {FAKE_AGENT_ID: {"maxCallDuration": 60}}
        done = await asyncio.to_thread(call, *CALL, "--json")
        document = done.ends(code).document
        assert len(fake.ledger.rings) == 1
        assert document["call_id"] == fake.ledger.rings[0].call_id
    assert document["phone_number"] == NUMBER
    assert (document["certainty"], document["exit_code"]) == ("placed", code)
    assert document["status"] == document["conversation"]["status"] == status
    spoke = [{"speaker": "Agent", "text": "Hello, this is nobody calling."}]
    assert document["conversation"]["transcript"][:1] == ([] if code else spoke)
    assert NUMBER not in done.err
    assert document["call_id"] in done.err, "it is known before the end"


def test_not_ended_in_time(dial: Any) -> None:
    """4, as for all of which one must not say that nobody was reached."""
    done = dial.command(*CALL, "--timeout", "1", "--json").ends(4)
    document = done.document
    assert (document["certainty"], document["conversation"]) == ("placed", None)
    assert document["status"] in {"PENDING", "IN_PROGRESS"}
    assert document["call_id"] in done.complaint
    assert "within 1 s" in done.complaint
    assert len(dial.server.rings()) == 1


async def test_what_becomes_of_it_cannot_be_read(command: Any) -> None:
    """It is placed all the same, and its id is told."""
    async with FakeHamsa() as fake:
        fake.faults.next("slow", on="read", seconds=0)  # whose the journal is can be read
        fake.faults.at_rate("status_403", 1.0, on="read")
        call = command.with_env(HAMSA_BASE_URL=fake.base_url, HAMSA_API_KEY=FAKE_API_KEY)
        done = (await asyncio.to_thread(call, *CALL, "--no-sweep")).ends(4)
        call_id = fake.ledger.rings[0].call_id
    assert f"call {call_id} is placed, and what becomes of it cannot be read" in done.complaint


def test_not_placed(dial: Any) -> None:
    """There is nothing to wait for."""
    dial.server.fail({"rates": [{"rate": 1, "fault": "status_400"}]})
    done = dial.command(*CALL, "--json").ends(3)
    assert "conversation" not in done.document


@pytest.mark.parametrize("how", ["\x03", "close"])
def test_leaving(dial: Any, terminal: Any, how: str) -> None:
    """The call goes on, and its id is told; a second Ctrl-C is not needed."""
    shown = terminal(dial.command, *CALL)
    shown.expect("call id ")
    shown.expect("PENDING")
    if how == "close":
        shown.close()
        assert shown.process.wait(60) == 130
        return
    shown.type(how)
    code, text = shown.to_the_end()
    assert code == 130
    call_id = dial.server.ledger_of_now()[0]["call_id"]
    assert f"hamsa: SIGINT: not waited for any longer; the call goes on: {call_id}" in plain(text)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_leaving_while_it_is_placed(dial: Any, tools: Any) -> None:
    """Its answer is waited for, its end is not."""
    dial.server.fail({"next": [{"fault": "slow"}]})
    run = dial.command.start(*CALL, "--json")
    tools.until(lambda: dial.server.ring_count() > 0, run)
    run.send_signal(2)
    done = tools.finished(run).ends(130)
    assert done.document["certainty"] == "placed"
    assert done.document["call_id"]
    assert "the call goes on" in done.err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--timeout", "5"), "--timeout goes with --wait"),
        (("--wait", "--timeout", "0"), "--timeout must be seconds above 0"),
        (("--wait", "--timeout", "nan"), "--timeout must be seconds above 0"),
    ],
)
def test_wrong_options(command: Any, wrong: tuple[str, ...], words: str) -> None:
    assert words in command("call", NUMBER, "--agent", "a", *wrong).ends(2).complaint


def test_texts_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    """Masked for people, with nothing that steers a terminal; whole for programs, but secrets."""
    said = conversation(
        call_duration=61.0,
        job_response=JobResponse(
            transcription=[{"User": "call\n+971507654321\x1b[2J"}],
            outcome_result={
                "_hamsa_reference": "r",
                "n": {"phone": "+971507654321"},
                "apiKey": "sk-1",
                "none": None,
            },
        ),
    )
    print_end(said)
    out = capsys.readouterr().out
    assert "ended: COMPLETED, 1 min 01 s" in out
    assert "7654321" not in out
    assert "\x1b" not in out
    assert "sk-1" not in out
    assert "User: call +9715******21\ufffd[2J" in out
    assert "none: null" in out
    document = json.dumps(conversation_as_json(said))
    assert "+971507654321" in document
    assert "sk-1" not in document
    assert "_hamsa_reference" not in document


def test_nothing_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_end(conversation())
    assert capsys.readouterr().out == "ended: COMPLETED\n"
    assert conversation_as_json(None) is None
