"""What a person on a terminal sees, is asked, and types."""

import re
from typing import Any

import attrs
import pytest

from hamsa_async.testing import FAKE_AGENT_ID

STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text: str) -> str:
    """What was shown, without colours and cursor."""
    return STEERING.sub("", text).replace("\r", "")


@pytest.fixture
def ask(dial: Any, terminal: Any) -> Any:
    """Run a campaign that asks first."""

    def run(*more: object, rate: str = "none", command: Any = None, **size: int) -> Any:
        args = [each for each in attrs.evolve(dial, rate=rate).args(*more) if each != "--yes"]
        return terminal(command or dial.command, *args, **size)

    return run


def test_yes(dial: Any, contacts: Any, ask: Any) -> None:
    """The question names what is about to be done; yes does it, with a live board."""
    shown = ask(contacts(3), "--from", "+97145550000", "--param", "k=v", columns=100)
    question = plain(shown.expect("[y/N]"))
    for words in (
        *("campaign       eid", "project        Fake project (", "agent          Fake agent ("),
        *("caller number  +9714*****00", "policy         none 1: ", "journal        "),
        *("3 to call, of 3 rows", "params         k", "Call 3 contacts now?"),
        *("plan           first call ", "(Asia/Dubai); 3 fit today"),
    ):
        assert words in question
    assert str(dial.journal) in question.replace("\n", "").replace(" " * 15, "")
    assert dial.server.rings() == []
    shown.type("perhaps\n")
    shown.expect("y or n, please")
    shown.expect("[y/N]")
    shown.type("Y\n")
    code, text = shown.to_the_end()
    assert code == 0
    assert "3/3" in plain(text)
    assert "done" in plain(text)
    assert not re.search(r"\+\d{8,}", text)
    assert len(dial.server.rings()) == 3


def test_the_question_says_what_it_can_cost(dial: Any, contacts: Any, ask: Any) -> None:
    """With a price the question says what the calls cost at the most, and what was spent."""
    day = ("--max-calls-per-day", 9, "--budget-zone", "Asia/Dubai")
    money = ("--max-cost", "40", "--price-per-minute", "0.70")
    shown = ask(contacts(3), *day, *money, columns=200)
    question = plain(shown.expect("[y/N]"))
    assert "spent          0 calls; 0 of 9 today (Asia/Dubai); cost 0 of 40" in question
    assert "cost ceiling   10.50: 3 calls of 300 s at the longest, 3.50 each" in question
    shown.type("y\n")
    code, text = shown.to_the_end()
    assert code == 0
    assert "(Asia/Dubai); cost 0.00 of 40" in plain(text)


def test_the_question_says_who_is_not_called(dial: Any, contacts: Any, terminal: Any) -> None:
    """What the rules make of the list stands above the question."""
    path = contacts("phone\n+966501234567\n")
    args = ("campaign", "run", path, "--name", "x", "--journal", dial.journal, "--agent")
    rules = ("--policy", "ae_telemarketing", "--from", "+97142000000")
    shown = terminal(dial.command, *args, FAKE_AGENT_ID, *rules, columns=200)
    question = plain(shown.expect("[y/N]"))
    assert "nobody may be called, as things are" in question
    assert "ae_telemarketing 2026.1: United Arab Emirates" in question
    assert "Not confirmed: " in question
    shown.type("n\n")
    assert shown.to_the_end()[0] == 2


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "لا\n"])
def test_no(dial: Any, contacts: Any, ask: Any, answer: str) -> None:
    """No, nothing, or Ctrl-D: nobody is called, and the journal keeps the list."""
    shown = ask(contacts(2))
    shown.expect("[y/N]")
    shown.type(answer)
    code, text = shown.to_the_end()
    assert code == 2
    assert "hamsa: not confirmed: nobody was called" in plain(text)
    assert dial.server.posts() == 0
    assert dial.counts() == {"pending": 2}


def test_ctrl_c_at_the_question(dial: Any, contacts: Any, ask: Any) -> None:
    """One Ctrl-C is enough."""
    shown = ask(contacts(2))
    shown.expect("[y/N]")
    shown.type("\x03")
    code, text = shown.to_the_end()
    assert code == 130
    assert "Traceback" not in text
    assert dial.server.posts() == 0
    dial.resume().ends(0)
    assert len(dial.server.rings()) == 2


def test_without_a_terminal(nobody: Any, contacts: Any, terminal: Any) -> None:
    """Nobody can be asked: `--yes` is needed, and nothing is sent."""
    args = [each for each in nobody.args(contacts(1)) if each != "--yes"]
    assert "--yes is needed" in nobody.command(*args).ends(2).complaint
    assert not nobody.journal.exists()


def test_ctrl_c_while_dialing(serve: Any, dial_at: Any, contacts: Any, terminal: Any) -> None:
    """On a narrow terminal, resized meanwhile: the board stays whole, and the cursor comes back."""
    dial = dial_at(serve("--latency", "0.05"))
    shown = terminal(dial.command, *dial.args(contacts(300)), columns=60)
    shown.expect("done ")
    shown.resize(40, 20)
    shown.expect("done ")
    shown.type("\x03")
    code, text = shown.to_the_end()
    assert code == 130
    assert "SIGINT: nobody more is dialed" in plain(text)
    assert "interrupted (SIGINT)" in plain(text)
    assert "Traceback" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert dial.counts().keys() - {"placed", "done"} == {"pending"}


def test_second_ctrl_c(dial: Any, contacts: Any, terminal: Any, tools: Any) -> None:
    """It ends at once, and gives the cursor back."""
    dial.server.fail({"rates": [{"rate": 1, "fault": "hang"}]})
    shown = terminal(dial.command, *dial.args(contacts(9)))
    tools.until(lambda: dial.server.ring_count() == 5, shown.process)
    shown.type("\x03")
    shown.expect("answers have 10 s")
    tools.pause()
    shown.type("\x03")
    code, text = shown.to_the_end()
    assert code == 130
    assert "ended at once" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_closed_terminal(serve: Any, dial_at: Any, contacts: Any, terminal: Any) -> None:
    """Closing the window is a SIGHUP: what is in flight settles, and the journal resumes."""
    dial = dial_at(serve("--latency", "0.05"))
    shown = terminal(dial.command, *dial.args(contacts(300)))
    shown.expect("done ")
    shown.close()
    assert shown.process.wait(60) == 130
    assert dial.counts().keys() - {"placed", "done"} == {"pending"}
    assert dial.status()["last_run"]["reason"] == "SIGHUP"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_terminals(dial: Any, contacts: Any, terminal: Any, env: dict[str, str]) -> None:
    """No colours where none are wanted, no cursor games where there is none."""
    shown = terminal(dial.command.with_env(**env), *dial.args(contacts(2)))
    code, text = shown.to_the_end()
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)
    if env.get("TERM") == "dumb":
        assert "\x1b" not in text


@pytest.mark.parametrize("columns", [40, 60, 80, 140])
def test_summary_fits(dial: Any, contacts: Any, terminal: Any, columns: int) -> None:
    """Every line of the rows has its number, whatever the width."""
    shown = terminal(
        dial.command, "campaign", "run", "--fake", contacts(3), "--rate", "none", columns=columns
    )
    code, text = shown.to_the_end()
    assert code == 0
    header = next(line for line in plain(text).splitlines() if "phone_number" in line)
    assert header.split()[:2] == ["row", "contact_id"]
    assert ("call_id" in header) is (columns >= 130)


@pytest.fixture
def canary(dial: Any, ask: Any) -> Any:
    """Run a campaign with a canary of three on a terminal, as far as its question."""

    def run(contacts: Any, **more: Any) -> Any:
        shown = ask(contacts, "--canary", "3", "--ramp", "off", rate="50", **more)
        shown.expect("[y/N]")
        shown.type("y\n")
        shown.expect("Go on? [y/n, Enter looks again] ")
        return shown

    return run


def test_the_canary_is_looked_at(dial: Any, contacts: Any, canary: Any, tools: Any) -> None:
    """Nobody else is called until somebody says so; Enter shows the calls as they are by then."""
    shown = canary(contacts(12))
    assert len(dial.server.rings()) == 3
    tools.until(lambda: dial.counts().get("done") == 3, shown.process)
    shown.type("\n")
    table = plain(shown.expect("Go on? [y/n, Enter looks again] "))
    assert re.search(r"row +state +outcome", table)
    assert len(re.findall(r"^ +[123] +done +completed", table, re.MULTILINE)) == 3
    status = dial.status()
    assert status["pace"]["stage"] == "look"
    assert status["pace"]["asks"] is True
    assert len(dial.server.rings()) == 3
    shown.type("y\n")
    code, text = shown.to_the_end()
    assert code == 0
    assert "12/12" in plain(text)
    assert len(dial.server.rings()) == 12
    assert dial.status()["pace"]["reason"] == "the canary was passed, as somebody said"


@pytest.mark.parametrize("answer", ["n\n", "\x04", "لا\n"])
def test_the_canary_is_not_liked(dial: Any, contacts: Any, canary: Any, answer: str) -> None:
    """No, or Ctrl-D: the others stay as they are, for a run that goes on."""
    shown = canary(contacts(8))
    shown.type(answer)
    code, text = shown.to_the_end()
    assert code == 130
    assert "interrupted (no, after the canary)" in plain(text)
    assert "Traceback" not in text
    assert len(dial.server.rings()) == 3
    dial.resume().ends(0)
    assert len(dial.server.rings()) == 8


def test_ctrl_c_at_the_canary(dial: Any, contacts: Any, canary: Any) -> None:
    """One is enough."""
    shown = canary(contacts(8))
    shown.type("\x03")
    code, text = shown.to_the_end()
    assert code == 130
    assert "Traceback" not in text
    assert len(dial.server.rings()) == 3


def test_the_canary_on_a_dumb_terminal(dial: Any, contacts: Any, canary: Any) -> None:
    """The same question below plain lines; another process can end it."""
    shown = canary(contacts(8), command=dial.command.with_env(TERM="dumb"))
    dial.command("campaign", "stop", "eid", "--journal", dial.journal).ends(0)
    assert shown.to_the_end()[0] == 130
    assert len(dial.server.rings()) == 3


def test_the_breaker_pauses_where_somebody_looks(
    dial: Any, contacts: Any, ask: Any, tools: Any
) -> None:
    """The reason is shown; another terminal has it go on, and Ctrl-C ends it."""
    dial.breaker = "on"
    dial.server.fail({"rates": [{"fault": "status_400", "rate": 1}]})
    shown = ask(contacts(40), "--concurrency", "2", columns=120)
    shown.expect("[y/N]")
    shown.type("y\n")
    shown.expect("paused (breaker: 10 of the last 10 requests were refused)")
    posts = dial.server.posts()
    assert 10 <= posts < 12
    assert (
        "breaker: 10 of the last 10"
        in dial.command("campaign", "status", "eid", "--journal", dial.journal).out
    )
    dial.command("campaign", "resume", "eid", "--journal", dial.journal).ends(0)
    tools.until(lambda: dial.server.posts() > posts, shown.process)
    shown.type("\x03")
    code, text = shown.to_the_end()
    assert code == 130
    assert "Traceback" not in text
