"""What CPU a command needs from its start to its end, with a journal that has one campaign.

    python tests/benchmarks/commands.py
    python tests/benchmarks/commands.py --before ../another-checkout

Fresh processes in turn, their user and system time, the bytecode written before. `import` is what
every command begins with: the package, and with it aiohttp.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from results import circumstances

from hamsa_async.dialer import SqliteJournal

COMMAND: Final = ("-m", "hamsa_async.cli")
NUMBER: Final = "+971500000001"
LINES: Final[Mapping[str, Sequence[str]]] = {
    "import": ("-c", "import hamsa_async"),
    "hamsa --version": (*COMMAND, "--version"),
    "hamsa campaign --help": (*COMMAND, "campaign", "--help"),
    "hamsa dnc add": (*COMMAND, "dnc", "add", NUMBER, "--journal", "journal.db"),
    "hamsa campaign pause": (*COMMAND, "campaign", "pause", "eid", "--journal", "journal.db"),
    "hamsa campaign status": (*COMMAND, "campaign", "status", "eid", "--journal", "journal.db"),
}


def cpu_ms(line: Sequence[str], folder: str, checkout: Path | None) -> float:
    """Run it in a process of its own; give the CPU that this took."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    if checkout is not None:
        env["PYTHONPATH"] = str(checkout)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-P", *line],
        cwd=folder,
        env=env,
        capture_output=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3


async def _make_journal(path: Path) -> None:
    async with await SqliteJournal.open(path) as journal:
        await journal.add_campaign("eid", {})


def measure(processes: int, checkouts: Mapping[str, Path | None]) -> list[dict[str, Any]]:
    """Run all lines of all checkouts in turn."""
    taken: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_make_journal(Path(folder, "journal.db")))
        for number in range(processes + 1):
            for name, line in LINES.items():
                for of, checkout in checkouts.items():
                    cost = cpu_ms(line, folder, checkout)
                    if number:  # the first one may have written bytecode
                        taken.setdefault((name, of), []).append(cost)
    return [{"line": name, "of": of, "cpu_ms": costs} for (name, of), costs in taken.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=15)
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    checkouts: dict[str, Path | None] = {"now": None}
    if options.before is not None:
        checkouts = {"before": options.before.resolve(), **checkouts}
    lines = measure(options.processes, checkouts)
    on = circumstances("aiohttp", "cyclopts", "rich", "phonenumbers")
    if options.json:
        print(json.dumps({"on": on, "lines": lines}))
        return
    print(f"{on}; {options.processes} processes each.\n")
    print("| command | of | CPU ms, middle | best |")
    print("|---|---|---|---|")
    for each in lines:
        costs = each["cpu_ms"]
        print(
            f"| `{each['line']}` | {each['of']} | {statistics.median(costs):.0f}"
            f" | {min(costs):.0f} |"
        )


if __name__ == "__main__":
    main()
