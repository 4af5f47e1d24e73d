"""What the benchmarks share: a server, ways beside it that take turns, and the command line.

Every way has a process of its own in every round, so that the imports, the event loop and the
heap of one touch no other; they have one core and the server the other, where there are two.
Within a round the ways take turns, block by block in a new order each, and nothing else of ours
runs meanwhile. What is compared is CPU per call of the client's process (user and system, all
its threads), as ratios within one turn of all: they repeat on a busy machine, and neither seconds
nor calls/s do.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from results import Line, Taken, circumstances, table
from ways import Way, Work, cores, measure_here

SERVER = Path(__file__).with_name("canned_server.py")
# glibc gives the top of the heap back after every read of asyncio's 256 KiB, or does not, as
# the heap happens to lie: up to 14 % of luck, over plain TCP only. This ends it.
ENVIRONMENT = {"MALLOC_TOP_PAD_": str(1 << 20)}

# -- the server, in a process of its own


class Server:
    """The canned server, beside the client."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def spent(self) -> tuple[float, int]:
        """CPU seconds that it has used, and answers that it has given."""
        self._connection.request("GET", "/spent")
        said = json.load(self._connection.getresponse())
        return said["cpu"], said["answers"]

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextlib.contextmanager
def serving(delay: float) -> Iterator[Server]:
    """Start the canned server, on the other core where there is one."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--delay", str(delay)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT,
    )
    try:
        if len(own := cores()) > 1:
            os.sched_setaffinity(process.pid, own[1:])
        assert process.stdout is not None
        with contextlib.closing(Server(int(process.stdout.readline()))) as server:
            yield server
    finally:
        process.kill()
        process.wait()


# -- rounds


def measure(
    script: Path, ways: Sequence[Way], server: Server, options: argparse.Namespace
) -> list[Line]:
    """Measure every way in every round; give the lines of the table."""
    lines = []
    for in_flight in options.in_flight:
        found = {
            way.name: Line(way=way.name, in_flight=in_flight, against=way.against) for way in ways
        }
        for number in range(options.rounds):
            _say(f"{in_flight} in flight, round {number + 1} of {options.rounds}")
            with contextlib.ExitStack() as stack:
                sides = [
                    stack.enter_context(_beside(script, way, server, options.calls, in_flight))
                    for way in ways
                ]
                for name, blocks in _take_turns(sides, options.blocks).items():
                    found[name].taken.append(blocks)
        for way in ways:
            line = found[way.name]
            line.compare(found[way.against])
            for goal in way.goals:
                if goal.in_flight in {None, in_flight}:
                    line.judge(goal, found[goal.against])
        lines += found.values()
    return lines


def _take_turns(sides: "Sequence[_Side]", blocks: int) -> dict[str, list[Taken]]:
    """Let each do so many blocks, in a new order every time."""
    taken: dict[str, list[Taken]] = {side.way.name: [] for side in sides}
    for _ in range(blocks):
        for side in random.sample(sides, len(sides)):
            taken[side.way.name].append(side.take_turn())
    return taken


class _Side:
    """A way in its own process, seen from the outside."""

    def __init__(
        self, way: Way, calls: int, server: Server, process: "subprocess.Popen[str]"
    ) -> None:
        self.way = way
        self._calls = calls
        self._server = server
        self._process = process
        self._heard()

    def take_turn(self) -> Taken:
        """Let it do one block."""
        assert self._process.stdin is not None
        cpu, answers = self._server.spent()
        print(file=self._process.stdin, flush=True)
        took = json.loads(self._heard())
        cpu_after, answers_after = self._server.spent()
        return Taken(
            cpu_us=took["cpu"] / self._calls * 1e6,
            calls_s=self._calls / took["wall"],
            server_us=(cpu_after - cpu) / (answers_after - answers) * 1e6,
        )

    def _heard(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.way.name} ended by itself: {self._process.wait()}")
        return line


@contextlib.contextmanager
def _beside(script: Path, way: Way, server: Server, calls: int, in_flight: int) -> Iterator[_Side]:
    """Start a way, and wait until it is warm."""
    calls = max(round(max(calls, 4 * in_flight) * way.share), in_flight)
    environment = os.environ | ENVIRONMENT
    if way.path is not None:
        environment["PYTHONPATH"] = str(way.path)
    process = subprocess.Popen(
        [
            *(sys.executable, str(script), "--alone", way.name, "--base-url", server.base_url),
            *("--calls", str(calls), "--in-flight", str(in_flight)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:  # which closes its stdin, and that ends it
        try:
            yield _Side(way, calls, server, process)
        except BaseException:
            process.kill()
            raise


def _say(text: str) -> None:
    """Show how far it is, to a person who waits."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


# -- the command line of a benchmark


def parser_for(
    about: str | None,
    *,
    calls: int,
    blocks: int,
    in_flight: Sequence[int] = (64, 512),
    delay: float = 0.0,
) -> argparse.ArgumentParser:
    """Give the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--calls", type=int, default=calls, help="in a block; 4 x in flight at least"
    )
    parser.add_argument("--blocks", type=int, default=blocks, help="in a round")
    parser.add_argument("--rounds", type=int, default=3, help="each with new processes")
    parser.add_argument("--in-flight", type=int, nargs="+", default=in_flight)
    parser.add_argument("--delay", type=float, default=delay, help="the server's, in seconds")
    parser.add_argument(
        "--only", nargs="+", metavar="WAY", help="these, and what they stand against"
    )
    parser.add_argument("--json", action="store_true", help="print every measurement")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    return parser


def chosen(ways: Sequence[Way], only: Sequence[str] | None) -> list[Way]:
    """Take the ways that were asked for, and those that they are divided by."""
    if only is None:
        return list(ways)
    names = [way.name for way in ways]
    if unknown := sorted(set(only) - set(names)):
        sys.exit(f"no such way: {', '.join(unknown)}; there are: {', '.join(names)}")
    wanted = {way.name for way in ways if way.name in only}
    wanted |= {way.against for way in ways if way.name in only}
    wanted |= {goal.against for way in ways if way.name in only for goal in way.goals}
    return [way for way in ways if way.name in wanted]


def run(script: str, ways: Sequence[Way], options: argparse.Namespace, *packages: str) -> None:
    """Measure, and print a Markdown table or JSON."""
    if options.alone is not None:
        (way,) = (way for way in ways if way.name == options.alone)
        (in_flight,) = options.in_flight
        work = Work(base_url=options.base_url, calls=options.calls, in_flight=in_flight)
        measure_here(way, work)
        return
    ways = chosen(ways, options.only)
    with serving(options.delay) as server:
        lines = measure(Path(script), ways, server, options)
    _say("")
    on = circumstances(*packages, ways=ways)
    if options.json:
        print(json.dumps({"on": on, "lines": [asdict(line) for line in lines]}))
        return
    print(f"{on}.")
    print(
        f"Rounds: {options.rounds}; blocks in each: {options.blocks}, of {options.calls} calls.\n"
    )
    print(table(lines))
