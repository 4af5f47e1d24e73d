"""A long list costs time, not memory."""

import re
from pathlib import Path
from typing import Any

import pytest

ROWS = 200_000
ROOM = 60_000  # KiB


@pytest.mark.slow
def test_memory_while_loading(dial: Any, contacts: Any, terminal: Any) -> None:
    """With 200,000 rows in the journal the process is little bigger than with a few rows."""
    peaks = []
    for name, rows in (("few", 100), ("many", ROWS)):
        args = [each for each in dial.args(contacts(rows), name=name) if each != "--yes"]
        shown = terminal(dial.command, *args)
        shown.expect(f"Call {rows} contacts now? [y/N]")
        status = Path(f"/proc/{shown.process.pid}/status").read_text(encoding="ascii")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak
        peaks.append(int(peak[1]))
        shown.type("n\n")
        assert shown.to_the_end()[0] == 2
    assert dial.server.posts() == 0
    assert dial.counts("many") == {"pending": ROWS}
    assert peaks[1] - peaks[0] < ROOM, f"{peaks} KiB"
