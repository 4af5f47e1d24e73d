"""What a command loads before it does anything: what it needs, not what only others need."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest

from hamsa_async.dialer import SqliteJournal

NUMBER: Final = "+971500000001"
NUMBERS: Final = "phonenumbers"
# What dials, reads lists, knows packs of rules, shows a run, and the fake.
OF_A_RUN: Final = frozenset(
    {
        *("hamsa_async.dialer.dialer", "hamsa_async.dialer.runner", "hamsa_async.dialer.plan"),
        *("hamsa_async.dialer.campaign", "hamsa_async.dialer.ramp", "hamsa_async.dialer.reading"),
        *("hamsa_async.dialer.policy.packs", "tomllib", "holidays", "icalendar"),
        *("hamsa_async.cli.running", "hamsa_async.cli.board", "hamsa_async.cli.options"),
        *("rich.live", "rich.progress", "python_calamine", "aiohttp.web"),
        *("hamsa_async.testing", "hamsa_async.webhooks"),
    }
)
# Runs the command, and writes down what is loaded at its end.
SPYING: Final = """
import json, pathlib, sys
from hamsa_async.cli import app, main
run = app.run_command
def run_command(tokens):
    code = run(tokens)
    pathlib.Path("loaded.json").write_text(json.dumps([*sys.modules]))
    return code
app.run_command = run_command
main()
"""


@pytest.fixture
def loaded(command: Any, tools: Any, tmp_path: Path) -> Any:
    """Run a command with a journal that has a campaign; give what it had loaded in the end."""
    journal = tmp_path / "journal.db"

    async def make() -> None:
        async with await SqliteJournal.open(journal) as opened:
            await opened.add_campaign("eid", {})

    asyncio.run(make())

    def run(line: str) -> set[str]:
        done = tools.finished(command.start(*line.split(), "--journal", journal, code=SPYING))
        done.ends(0)
        return set(json.loads((command.folder / "loaded.json").read_text(encoding="utf-8")))

    return run


@pytest.mark.parametrize("line", [f"dnc add {NUMBER}", "dnc stats"])
def test_the_list_of_numbers(loaded: Any, line: str) -> None:
    """Who puts a number on the do-not-call list beside a busy run waits for nothing of a run."""
    assert sorted(OF_A_RUN & loaded(line)) == []


@pytest.mark.parametrize(
    "line", [f"campaign {what} eid" for what in ("pause", "resume", "stop", "status")]
)
def test_steering(loaded: Any, line: str) -> None:
    """Who pauses a campaign, or looks where it stands, needs no numbers either."""
    assert sorted((OF_A_RUN | {NUMBERS}) & loaded(line)) == []


@pytest.mark.parametrize("name", ["cyclopts", "platformdirs", "rich"])
def test_a_missing_part_is_named(command: Any, tools: Any, name: str) -> None:
    """Whatever is typed, also where that command would not have needed it."""
    code = f"import sys; sys.modules[{name!r}] = None; from hamsa_async.cli import main; main()"
    done = tools.finished(command.start("--version", code=code)).ends(2)
    assert done.complaint.startswith(f"hamsa: {name} is missing")
    assert "pip install 'hamsa-async[dialer]'" in done.complaint


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "Call one number, once."),
        ("--help", "Call a list of contacts, each once"),
        ("campaign", "Call every contact of a list once"),
        ("campaign --help", "Say what every rule says of a number"),
        ("dnc --help", "Take over a register"),
    ],
)
def test_help_says_what_each_command_is_for(command: Any, line: str, what: str) -> None:
    """Also of commands that are loaded only when they are typed."""
    out = command(*line.split()).ends(0).out
    assert what in " ".join(out.replace("│", " ").split())
