"""What is typed wrongly is one line, before anything is opened; `--help` says how it is right."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from hamsa_async.cli.app import run_command
from hamsa_async.dialer import ContactState

WRONG = [
    ("bogus", 'Unknown command "bogus"; see', "hamsa --help"),
    ("agent", 'Did you mean "agents"', "hamsa --help"),
    ("campaign bogus", 'Unknown command "bogus"', "hamsa campaign --help"),
    ("campaign run --bogus", "--bogus", "hamsa campaign run --help"),
    ("campaign run --no-fake", "--no-fake", "hamsa campaign run --help"),
    ("campaign run --agent", "--agent needs a value", "hamsa campaign run --help"),
    ("campaign run --name a --name b", "--name is given twice", "hamsa campaign run --help"),
    ("campaign run a b", "too many arguments, from 'b' on", "hamsa campaign run --help"),
    ("campaign run --concurrency x", "--concurrency", "hamsa campaign run --help"),
    ("campaign report x --format xml", "--format", "hamsa campaign report --help"),
    ("campaign report", "NAME is needed", "hamsa campaign report --help"),
    ("journal backup", "FILE is needed", "hamsa journal backup --help"),
    ("call", "NUMBER is needed", "hamsa call --help"),
    ("call +971500000001", "--agent is needed", "hamsa call --help"),
    ("call +9715000 --agent x", "the number:", ""),
    ("call 0501234567 --agent x", "the number:", ""),
    ("fake --latency x", "--latency 'x'", ""),
    ("fake --latency 2-1", "--latency '2-1'", ""),
    ("fake --faults /nowhere.json", "/nowhere.json", ""),
    ("fake --port 99999999", "99999999", ""),
    ("campaign run --fake --journal x.db", "leave out --journal", ""),
    ("call +971500000001 --fake --journal x.db", "leave out --journal", ""),
    ("campaign run --yes", "--name is needed", ""),
    ("campaign run --name  --yes", "a campaign's name must be printable", ""),
    ("agents show", "ID is needed", "hamsa agents show --help"),
    ("conversations show a b", "from 'b' on", "hamsa conversations show --help"),
    ("conversations list --since 2026-01-31", "2026-01-31T00:00Z for UTC", ""),
    ("conversations list --until 2026-01-31T09:30", "2026-01-31T09:30+04:00 for Dubai", ""),
    ("conversations list --since yesterday", "no time such as", ""),
    (
        "conversations list --since 2026-01-31T09:00+04:00 --until 2026-01-31T04:59Z",
        "--until is before --since",
        "",
    ),
    ("conversations list --status bogus", "no-answer", "hamsa conversations list --help"),
    ("conversations list --limit 0", "--limit must be 1 or more", ""),
    ("conversations list --limit x", "--limit", "hamsa conversations list --help"),
    ("campaign run --name a\tb --yes", "a campaign's name must be printable", ""),
]
WRONG_VALUES = [
    ("--rate", "0"),
    ("--rate", "-1"),
    ("--rate", "nan"),
    ("--rate", "fast"),
    ("--concurrency", "0"),
    ("--concurrency", "-3"),
    ("--concurrency", "99999999"),
    ("--max-invalid", "7"),
    ("--max-invalid", "nan"),
    ("--param", "no-sign"),
    ("--param", "=value"),
    ("--param", "_hamsa_reference=mine"),
    ("--country", "UK"),
    ("--from", "hello"),
    ("--policy", "uae"),
]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: its code, stdout and stderr."""

    def run(*tokens: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return run_command(tokens), out.getvalue(), err.getvalue()

    return run


@pytest.mark.parametrize(("line", "what", "where"), WRONG)
def test_wrong_command_line(typed: Any, line: str, what: str, where: str) -> None:
    """One line on stderr that says what is wrong and where to read on; code 2."""
    code, out, err = typed(*line.split(" "))
    assert code == 2
    assert out == ""
    assert err.startswith("hamsa: ")
    assert err.count("\n") == 1
    assert what in err
    assert where in err


@pytest.mark.parametrize(("option", "value"), WRONG_VALUES)
def test_wrong_value(typed: Any, option: str, value: str) -> None:
    """A value that cannot work is named, before key, server or journal are looked for."""
    code, _, err = typed("campaign", "run", "--name", "x", "--yes", f"{option}={value}")
    assert code == 2
    assert err.count("\n") == 1
    assert option.lstrip("-").split("-")[0] in err


def test_errors_as_json(typed: Any) -> None:
    """`--json` gives its one document also when nothing could be done."""
    code, out, err = typed("campaign", "run", "--json", "--rate", "0")
    assert code == 2
    assert out.count('"error"') == 1
    assert '"exit_code": 2' in out
    assert "--rate" in err


def test_no_command(typed: Any) -> None:
    """Nothing typed is a question, and help the answer."""
    code, out, err = typed()
    assert (code, err) == (0, "")
    assert "campaign" in out


def test_commands_are_grouped(typed: Any) -> None:
    """What calls, what only looks, and what is about this machine stand apart."""
    _, out, _ = typed("--help")
    order = ["Call ─", "campaign ", "Look at your account", "whoami ", "On this machine", "fake "]
    assert sorted(order, key=out.index) == order


def test_version(typed: Any) -> None:
    code, out, _ = typed("--version")
    assert code == 0
    assert out.strip()[0].isdigit()


@pytest.mark.parametrize("columns", [60, 80])
def test_help_of_run(typed: Any, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """It explains every option, state and exit code, and fits the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = typed("campaign", "run", "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= columns
    for option in (
        *("--agent", "--name", "--policy", "--from", "--journal", "--concurrency", "--rate"),
        *("--country", "--param", "--no-wait", "--yes", "--json", "--fake", "--accept-changes"),
        *("--max-invalid", "CONTACTS"),
    ):
        assert option in out
    lines = [line.strip() for line in out.splitlines()]
    for state in ContactState:
        assert any(line.startswith(f"• {state}: ") for line in lines), state
    for number in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert any(line.startswith(f"• {number}: ") for line in lines), number
    assert "False" not in out
    assert "not conversations" in " ".join(out.replace("│", " ").split())


@pytest.mark.parametrize(
    "command",
    [
        *("call", "campaign", "campaign status", "campaign report"),
        *("journal", "journal backup", "journal check", "fake"),
        *("whoami", "agents", "agents list", "agents show", "numbers", "numbers list"),
        *("conversations", "conversations list", "conversations show"),
    ],
)
def test_help_of_the_others(typed: Any, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = typed(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: hamsa")
    assert max(map(len, out.splitlines())) <= 80


def test_help_of_call_says_what_holds_it(typed: Any) -> None:
    """A single call asks the do-not-call list, and no policy."""
    _, out, _ = typed("call", "--help")
    said = " ".join(out.split())
    assert "do-not-call list" in said
    assert "No policy holds it" in said
