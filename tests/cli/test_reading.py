"""The commands that only read, over a fake server in a process of its own."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FAKE_PROJECT_ID
from hamsa_async.testing.example import EXAMPLE_CALL_ID

FROM = "+97145550000"
WHOLE_NUMBER = re.compile(r"\+\d{8,}")
SECRETS = ("example-token", "example-secret", FAKE_API_KEY)
LOOKING = [
    "whoami",
    "agents list",
    f"agents show {FAKE_AGENT_ID}",
    "numbers list",
    "conversations list",
    f"conversations show {EXAMPLE_CALL_ID}",
]


@pytest.fixture
def server(lasting: Any) -> Any:
    """Calls that are looked at have not ended."""
    return lasting


@pytest.fixture
def look(command: Any, server: Any) -> Any:
    """The command, with the key of a fake server."""
    return command.with_env(**server.env)


@pytest.fixture
def place(server: Any) -> Any:
    """Place calls on the server; give their ids in order."""

    def place(count: int = 1, **options: Any) -> Sequence[str]:
        async def run() -> Sequence[str]:
            async with HamsaClient(FAKE_API_KEY, base_url=server.url) as client:
                calls = [
                    await client.voice_agents.call(
                        to_number=f"+97150{1_000_000 + at}",
                        voice_agent_id=FAKE_AGENT_ID,
                        from_number=FROM,
                        **options,
                    )
                    for at in range(count)
                ]
            return [call.id for call in calls]

        return asyncio.run(run())

    return place


# -- an example account, for somebody who has no key


@pytest.mark.parametrize("line", LOOKING)
def test_example_for_people(command: Any, line: str) -> None:
    """It needs no key, shows something, no secret, and no whole number."""
    done = command(*line.split(), "--fake").ends(0)
    assert done.out.count("\n") >= 3
    assert "not yours" in done.err
    assert not WHOLE_NUMBER.search(done.out + done.err)
    assert not [secret for secret in SECRETS if secret in done.out + done.err]


@pytest.mark.parametrize("line", LOOKING)
def test_example_for_programs(command: Any, line: str) -> None:
    """One JSON document, with whole numbers and no secret."""
    done = command(*line.split(), "--fake", "--json").ends(0)
    assert done.document
    assert bool(WHOLE_NUMBER.search(done.out)) is line.startswith(("numbers", "conversations"))
    assert not [secret for secret in SECRETS if secret in done.out + done.err]


def test_what_is_listed_can_be_shown(command: Any) -> None:
    """The example is the same each time."""
    listed = command("conversations", "list", "--fake", "--json").ends(0).document
    statuses = {call["status"] for call in listed["conversations"]}
    assert {"COMPLETED", "NO_ANSWER", "FAILED", "IN_PROGRESS"} <= statuses
    call = listed["conversations"][0]
    shown = command("conversations", "show", call["id"], "--fake", "--json").ends(0).document
    assert shown["status"] == call["status"]


def test_call_for_people(command: Any) -> None:
    """Status, masked numbers, params, outcome, recording, and the talk in its order."""
    out = command("conversations", "show", EXAMPLE_CALL_ID, "--fake").ends(0).out
    for line in (
        "status        COMPLETED",
        "duration      48 s",
        "to            +9715******01",
        "from          +9714*****00",
        "params        customer_name: سارة المنصوري",
        "              appointment_time: 09:30",
        "outcome       confirmed: true",
        "recording     https://recordings.example.com/01.wav?expires=3600",
    ):
        assert line in out.splitlines()
    assert out.index("وعليكم السلام") < out.index("نعم، يناسبني")
    assert out.count("\nAgent  ") == 3


def test_agent_for_people(command: Any) -> None:
    """Placeholders with their defaults, and of the webhook the host alone."""
    out = command("agents", "show", FAKE_AGENT_ID, "--fake").ends(0).out
    for line in (
        "agent         تذكير المواعيد",
        "language      ar, voice Sara ar-AE",
        "greeting      السلام عليكم {{customer_name}}، معك سارة من عيادة النخيل.",
        "placeholders  customer_name (default: عميلنا العزيز)",
        "              appointment_day",
        "longest call  5 min 00 s",
        "webhook       hooks.example.com",
    ):
        assert line in out.splitlines()


def test_agent_for_programs(command: Any) -> None:
    shown = command("agents", "show", FAKE_AGENT_ID, "--fake", "--json").ends(0).document
    assert shown["placeholders"] == ["customer_name", "appointment_day", "appointment_time"]
    assert shown["webhook_url"] == "https://hooks.example.com/hamsa?***"
    assert shown["webhook_auth"]["auth_secret"] == "***"
    assert shown["max_call_duration"] == 300


# -- one's own account


def test_whoami(look: Any, server: Any, tmp_path: Path) -> None:
    """It says where the key comes from and never what it is."""
    out = look("whoami").ends(0).out
    assert out.splitlines() == [
        "project       Fake project",
        f"project id    {FAKE_PROJECT_ID}",
        f"server        {server.url}",
        "key           HAMSA_API_KEY",
    ]
    file = tmp_path / "key"
    file.write_text(f"{FAKE_API_KEY}\n")
    by_file = look.with_env(HAMSA_API_KEY="", HAMSA_API_KEY_FILE=str(file))
    document = by_file("whoami", "--json").ends(0).document
    assert document["key"] == f"HAMSA_API_KEY_FILE ({file})"
    assert document["project"]["id"] == FAKE_PROJECT_ID
    assert (document["server"], document["region"]) == (server.url, None)


def test_no_key(command: Any) -> None:
    """The way out is in the line."""
    complaint = command("agents", "list").ends(2).complaint
    assert "set HAMSA_API_KEY" in complaint
    assert "--fake" in complaint


def test_wrong_key(look: Any) -> None:
    key = "no-such-key-at-all"
    done = look.with_env(HAMSA_API_KEY=key)("whoami", "--json").ends(2)
    assert "401" in done.complaint
    assert key not in done.out + done.err
    assert done.document["exit_code"] == 2


def test_server_is_down(command: Any) -> None:
    down = command.with_env(HAMSA_BASE_URL="http://127.0.0.1:9", HAMSA_API_KEY="k")
    assert "no connection to 127.0.0.1:9" in down("agents", "list").ends(2).complaint


@pytest.mark.parametrize("what", ["agents", "conversations"])
def test_wrong_id(look: Any, what: str) -> None:
    """One line that says where ids are found."""
    done = look(what, "show", "00000000-0000-4000-8000-000000000000").ends(2)
    assert f"hamsa {what} list shows" in done.complaint
    assert done.out == ""


@pytest.mark.parametrize("what", ["agents", "conversations"])
def test_a_number_is_no_id(look: Any, what: str) -> None:
    """It is not repeated."""
    done = look(what, "show", "+971500000101").ends(2)
    assert "id" in done.complaint
    assert "0101" not in done.err


@pytest.mark.parametrize("what", ["numbers", "conversations"])
def test_nothing_to_list(look: Any, what: str) -> None:
    """Said to people, and an empty list to programs."""
    done = look(what, "list").ends(0)
    assert done.out == ""
    assert f"no {what} found" in done.err
    assert look(what, "list", "--json").ends(0).document == {what: [], "more": False}


def test_call_that_goes_on(look: Any, place: Any) -> None:
    (call_id,) = place(params={"name": "سارة"}, reference="order-17")
    done = look("conversations", "show", call_id).ends(0)
    assert "status        PENDING" in done.out
    assert "reference     order-17" in done.out
    assert "params        name: سارة" in done.out
    assert "_hamsa" not in done.out
    assert "has not ended" in done.err


def test_a_list_that_goes_on(look: Any, place: Any) -> None:
    """No more than asked for, over several pages, each row once, and that there is more."""
    placed = place(230)[::-1]
    few = look("conversations", "list").ends(0)
    rows = few.out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == placed[:20]
    assert "more than 20" in few.err
    all_but_one = look("conversations", "list", "--limit", "229", "--json").ends(0).document
    assert [row["id"] for row in all_but_one["conversations"]] == placed[:229]
    assert all_but_one["more"] is True
    exactly = look("conversations", "list", "--limit", "230").ends(0)
    assert len(exactly.out.splitlines()) == 231
    assert "more" not in exactly.err


def test_lines_stay_in_their_columns(look: Any, place: Any) -> None:
    """Every row has its number where the others have theirs."""
    place(60)
    out = look("conversations", "list", "--limit", "60").ends(0).out
    header, *rows = out.splitlines()
    at = header.index("number")
    assert {row[at : at + 5] for row in rows} == {"+9715"}
    assert len(rows) == 60


def test_filters(look: Any, place: Any) -> None:
    """The API is asked for what was typed."""
    place(3)

    def count(*args: str) -> int:
        document = look("conversations", "list", "--json", *args).ends(0).document
        return len(document["conversations"])

    assert count("--agent", FAKE_AGENT_ID) == 3
    assert count("--agent", "somebody-else") == 0
    assert count("--status", "pending", "--status", "IN_PROGRESS") == 3
    assert count("--status", "no_answer", "--status", "failed", "--status", "TERMINATED") == 0
    assert count("--since", "2020-01-01T00:00+04:00") == 3
    assert count("--since", "2020-01-01T00:00+04:00", "--until", "2021-01-01T00:00Z") == 0


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_reader_that_leaves(look: Any, place: Any, form: Sequence[str]) -> None:
    """`| head -1` is no error."""
    place(200)
    reading, writing = os.pipe()
    process = look.start("conversations", "list", "--limit", "200", *form, stdout=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.readline()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0
    assert err == ""


def test_no_stdout(look: Any) -> None:
    """Nowhere to write to, and no error."""
    done = look("agents", "list", stdout=subprocess.DEVNULL)
    assert done.code == 0
    assert done.err == ""


def test_what_an_agent_says_steers_no_terminal(look: Any, server: Any) -> None:
    """Control characters are shown as such, numbers masked, half characters survive."""

    async def create() -> str:
        async with HamsaClient(FAKE_API_KEY, base_url=server.url) as client:
            agent = await client.voice_agents.create(
                agent_name="Sa\x1b[2Jra \u202e+971500000101",
                greeting_message="line one\nline two {{ name }} on 2026-01-31",
                webhook_url="https://user:pass-word@hooks.example.com/x?token=example-token#y",
            )
        assert agent.id is not None
        return agent.id

    agent_id = asyncio.run(create())
    for line in (f"agents show {agent_id}", "agents list"):
        done = look(*line.split()).ends(0)
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
        assert "+9715******01" in done.out
    out = look("agents", "show", agent_id).ends(0).out
    assert "greeting      line one line two {{ name }} on 2026-01-31" in out
    assert "webhook       hooks.example.com\n" in out
    document = look("agents", "show", agent_id, "--json").ends(0).document
    assert document["webhook_url"] == "https://***@hooks.example.com/x?***"
    assert document["agent_name"].endswith("+971500000101")


def test_half_a_character(command: Any) -> None:
    """Text that no encoding can write does not cost the rest of a document."""
    code = r"from hamsa_async.cli.output import *; forgive(); print_json({'x': 'half \ud83d'})"
    assert command(code=code).ends(0).document == {"x": "half \ud83d"}


# -- on a terminal


@pytest.mark.parametrize("columns", [60, 100])
@pytest.mark.parametrize("line", LOOKING)
def test_fits_the_terminal(command: Any, terminal: Any, line: str, columns: int) -> None:
    """No line is wider than the terminal, and ids are whole."""
    code, text = terminal(command, *line.split(), "--fake", columns=columns).to_the_end()
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").splitlines()
    wide = [each for each in lines if len(each) > columns and "recording" not in each]
    # Marks over letters take no room: a line may hold more characters than columns.
    assert not [each for each in wide if len(re.sub("[\u064b-\u0652]", "", each)) > columns]
    if "list" in line and ("numbers" not in line or columns >= 96):
        assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", text)
    assert not WHOLE_NUMBER.search(text)


def test_wrapped_text_stands_in_line(command: Any, terminal: Any) -> None:
    """What is said is wrapped between words, behind who says it."""
    args = ("conversations", "show", EXAMPLE_CALL_ID, "--fake")
    code, text = terminal(command, *args, columns=60).to_the_end()
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").splitlines()
    at = next(at for at, line in enumerate(lines) if "التاسعة" in line)
    assert lines[at].startswith("Agent         أتصل")
    assert lines[at + 1].startswith(" " * 14 + "والنصف")


def test_json_is_utf8_whatever_the_locale(command: Any) -> None:
    there = command.with_env(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    document = there("agents", "list", "--fake", "--json").ends(0).document
    assert document["agents"][0]["agent_name"] == "تذكير المواعيد"
    assert json.dumps(document)
