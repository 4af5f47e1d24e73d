"""What importing the core costs above the four packages that it stands on.

    python tests/benchmarks/imports.py

CPU of fresh processes (`python -I`, the bytecode written before), each of which imports the four
first. The best says what the code costs, the middle what a busy machine makes of it. Then what a
first call still imports, on the loop, and where the time goes by `-X importtime`.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from typing import Any

import harness
from results import circumstances

TARGET = 20.0  # ms of CPU

IMPORT = """
import sys, time
if {without_orjson}:
    sys.modules["orjson"] = None
begun = time.process_time()
import aiohttp, attrs, cattrs, tenacity
theirs = time.process_time()
import hamsa_async
ours = time.process_time()
print((theirs - begun) * 1e3, (ours - theirs) * 1e3)
"""

CALL = """
import asyncio, sys
from hamsa_async import HamsaClient
async def main():
    async with HamsaClient("key", base_url="{base_url}") as hamsa:
        before = set(sys.modules)
        call = await hamsa.voice_agents.call(to_number="+971500000123", voice_agent_id="a")
        call.agent_details
        print(*sorted(set(sys.modules) - before))
asyncio.run(main())
"""


def fresh(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run in a fresh interpreter that sees what is installed and nothing else."""
    return subprocess.run(
        [sys.executable, "-I", *options, "-c", code], capture_output=True, text=True, check=True
    )


def measure(processes: int) -> list[dict[str, Any]]:
    """Time the imports, with and without orjson in turn."""
    taken: dict[bool, list[list[float]]] = {False: [], True: []}
    for number in range(processes + 1):
        for without_orjson, times in taken.items():
            said = fresh(IMPORT.format(without_orjson=without_orjson)).stdout.split()
            if number:  # the first one may have written bytecode
                times.append([float(part) for part in said])
    return [
        {
            "way": f"hamsa_async with{'out' if without_orjson else ''} orjson",
            "theirs_ms": [theirs for theirs, _ in times],
            "ours_ms": [ours for _, ours in times],
            "met": min(ours for _, ours in times) <= TARGET,
        }
        for without_orjson, times in taken.items()
    ]


def worst_modules(count: int, *, processes: int = 5) -> list[tuple[str, float]]:
    """Give the modules of ours that cost most by themselves, at best, in milliseconds."""
    costs: dict[str, float] = {}
    for _ in range(processes):
        code = "import aiohttp, attrs, cattrs, tenacity, hamsa_async"
        for line in fresh(code, "-X", "importtime").stderr.splitlines():
            itself, _, name = line.removeprefix("import time:").split("|")
            if (name := name.strip()).startswith("hamsa_async"):
                costs[name] = min(int(itself) / 1e3, costs.get(name, math.inf))
    return sorted(costs.items(), key=lambda cost: -cost[1])[:count]


def late_modules() -> list[str]:
    """Give what a first call imports after the client was imported; a host by name."""
    with harness.serving(0.0) as server:
        by_name = server.base_url.replace("127.0.0.1", "localhost")
        return fresh(CALL.format(base_url=by_name)).stdout.split()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=15)
    parser.add_argument("--modules", type=int, default=12, help="how many to list")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines = measure(options.processes)
    late = late_modules()
    worst = worst_modules(options.modules)
    on = circumstances("aiohttp", "attrs", "cattrs", "tenacity", "orjson")
    if options.json:
        print(json.dumps({"on": on, "lines": lines, "late": late, "worst": worst}))
        return
    print(f"{on}; {options.processes} processes each.\n")
    print("| import | CPU ms above the four, best | middle | the four, best | target |")
    print("|---|---|---|---|---|")
    for line in lines:
        ours, theirs = line["ours_ms"], line["theirs_ms"]
        print(
            f"| {line['way']} | {min(ours):.1f} | {statistics.median(ours):.1f}"
            f" | {min(theirs):.1f} | <= {TARGET:.0f} ms: {'met' if line['met'] else 'missed'} |"
        )
    print(f"\nImported later, by a first call: {', '.join(late) or 'nothing'}.\n")
    print("| module | ms by itself |")
    print("|---|---|")
    for name, cost in worst:
        print(f"| {name} | {cost:.1f} |")


if __name__ == "__main__":
    main()
