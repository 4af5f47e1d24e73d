"""The soak and what is done beside dialers, in little: they still prove what they say they do."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.crash

HERE = Path(__file__).parent


def said_by(tool: str, *options: object) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / tool), *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_small_soak() -> None:
    """Faults and kills: nobody rings twice, nobody is lost, the counts are the ledger's."""
    said = said_by("soak.py", "--contacts", 400, "--kills", 2, "--faults", 0.2)
    assert "| numbers that rang twice | 0 |" in said
    assert "| rows lost | 0 |" in said


def test_steering_beside_two_dialers() -> None:
    """Lists that overlap, webhooks, a list of who is not called, and pauses: rings stay one."""
    said = said_by("beside.py", "--contacts", 1500, "--events", 50)
    assert "| numbers that rang twice | 0 |" in said
    assert "| events taken and not in the inbox | 0 |" in said
    assert "`campaign pause` beside all that" in said
