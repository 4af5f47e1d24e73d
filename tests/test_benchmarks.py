"""The benchmarks still measure what they say, whatever this machine makes of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).with_name("benchmarks")
BRIEFLY = ["--calls", "8", "--in-flight", "2", "--blocks", "1", "--rounds", "1", "--delay", "0"]


def said_by(script: str, *options: str) -> dict[str, list[dict[str, object]]]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--json", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("script", "only"),
    [
        ("call.py", ["client without orjson", "client with a hook", "sockets, uvloop"]),
        ("campaign.py", ["campaign"]),
    ],
)
def test_ways_take_turns_and_are_judged(script: str, only: list[str]) -> None:
    """What was asked for, what it stands against, and every target with its verdict."""
    lines = {str(line["way"]): line for line in said_by(script, *BRIEFLY, "--only", *only)["lines"]}
    assert set(only) < set(lines)
    assert {line["against"] for line in lines.values()} < set(lines)
    assert all(len(line["taken"]) == len(line["ratios"]) == 1 for line in lines.values())  # type: ignore[arg-type]
    assert any(goal["met"] in {True, False} for line in lines.values() for goal in line["goals"])  # type: ignore[attr-defined]


def test_the_import_is_measured() -> None:
    """With and without orjson, and nothing of it comes late."""
    said = said_by("imports.py", "--processes", "1", "--modules", "3")
    assert len(said["lines"]) == 2
    assert len(said["worst"]) == 3
    assert said["late"] == []


def test_the_start_of_commands_is_measured() -> None:
    """Each line once; one that fails would measure nothing."""
    lines = said_by("commands.py", "--processes", "1")["lines"]
    assert len({line["line"] for line in lines}) == len(lines) > 3
    assert all(len(line["cpu_ms"]) == 1 for line in lines)  # type: ignore[arg-type]
