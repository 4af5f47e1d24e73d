"""What the benchmarks share: ways that run alone, a server beside them, rounds, a table.

A *way* is one manner of doing the same work. Each has a process of its own in every round, so
that the imports, the event loop and the heap of one way touch no other; clients have one core
and the server the other, where there are two. Within a round the ways take turns, block by
block in a new order each, and nothing else of ours runs meanwhile.
What is compared is CPU per call of the client's process (user and system, all its threads), as
ratios between neighbouring blocks: they repeat on a busy machine, neither seconds nor calls/s do.

Only the standard library is imported here: a way brings what it needs.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib.metadata
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("canned_server.py")
AGENT = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"

# glibc gives the top of the heap back after every read of asyncio's 256 KiB, or does not, as
# the heap happens to lie: up to 14 % of luck, over plain TCP only. This ends it.
ENVIRONMENT = {"MALLOC_TOP_PAD_": str(1 << 20)}

Row = dict[str, Any]
Call = Callable[[Row], Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much is to be done in a block, and where."""

    base_url: str
    calls: int
    in_flight: int


class Meter:
    """Tells a way when it is its turn, and what a block took: CPU and wall seconds."""

    def turns(self) -> Iterator[int]:
        """Wait for each turn; give its number. The loop stands still meanwhile, on purpose."""
        print("ready", flush=True)
        for number, _ in enumerate(sys.stdin):
            yield number

    def start(self) -> None:
        """Begin, with no garbage from before."""
        gc.collect()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """End, and report."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        print(json.dumps({"cpu": cpu, "wall": wall}), flush=True)


Run = Callable[[Work, Meter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A target of the design: a bound on the ratio to another way, in the same round."""

    against: str
    bound: float
    at_least: bool = False
    rate: bool = False
    """Of calls per second instead of CPU."""
    in_flight: int | None = None
    """Where it holds; `None`: everywhere."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One manner of doing the work."""

    name: str
    run: Run
    against: str
    """The way that its CPU is divided by."""
    goals: Sequence[Goal] = ()
    uvloop: bool = False
    orjson: bool = True
    """`False`: the process cannot import it, as if it were not installed."""
    path: Path | None = None
    """A folder of packages that come before the installed ones."""
    share: float = 1.0
    """How much of the calls it makes: a slow one says as much with fewer."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one block gave, per call."""

    cpu_us: float
    calls_s: float
    server_us: float


@dataclass(kw_only=True)
class Line:
    """What all rounds gave for one way."""

    way: str
    in_flight: int
    against: str
    taken: list[list[Taken]] = field(default_factory=list)
    """The blocks of each round."""
    ratios: list[float] = field(default_factory=list)
    """The middle of each round's ratios, block by block."""
    at_best: float = 1.0
    """The best block by the other's best: neighbours of a machine only ever add."""
    goals: list[dict[str, Any]] = field(default_factory=list)


# -- the work, the same for every way


def rows(calls: int, *, first: int = 0) -> Iterator[Row]:
    """Synthetic calls, as arguments of `voice_agents.call()`; 388 bytes each by `json=`."""
    for number in range(first, first + calls):
        yield {
            "to_number": f"+97150{number:07d}",
            "voice_agent_id": AGENT,
            "params": {
                "name": "somebody",
                "day": "Thursday",
                "time": "10:30",
                "clinic": "the branch at the park, second floor",
                "note": "please bring the card, the letter and whatever was prescribed"
                " before; parking is behind the building, at gate B 2",
            },
            "reference": f"6b1f4a7e-2c35-4d09-9e81-{number:012d}",
        }


def as_body(row: Row) -> dict[str, Any]:
    """Write a row as the API's JSON, as one would by hand."""
    return {
        "toNumber": row["to_number"],
        "voiceAgentId": row["voice_agent_id"],
        "params": {**row["params"], "_hamsa_reference": row["reference"]},
    }


async def pull(call: Call, source: Iterable[Row], in_flight: int) -> None:
    """Make every call of `source`, by so many workers that take the next one when free."""
    left = iter(source)

    async def work() -> None:
        for row in left:
            assert await call(row), "an answer without an id"

    await asyncio.gather(*(work() for _ in range(in_flight)))


def pulled(opened: Callable[[Work], AbstractAsyncContextManager[Call]]) -> Run:
    """Make a way of something that is opened once and then makes calls."""

    async def run(work: Work, meter: Meter) -> None:
        async with opened(work) as call:
            await pull(call, rows(work.calls), work.in_flight)
            for _ in meter.turns():
                # Again, since connections and caches have gone cold while others had their turn.
                await pull(call, rows(work.in_flight), work.in_flight)
                measured = list(rows(work.calls))
                meter.start()
                await pull(call, measured, work.in_flight)
                meter.stop()

    return run


@contextlib.asynccontextmanager
async def bare_aiohttp(work: Work) -> AsyncIterator[Call]:
    """Open what a careful person writes by hand: one session, `json=` and `r.json()`."""
    import aiohttp

    url = f"{work.base_url}/v1/voice-agents/call"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": "Token key"}
    ) as session:

        async def call(row: Row) -> str:
            async with session.post(url, json=as_body(row)) as response:
                answer = await response.json()
                return answer["data"]["id"]

        yield call


@contextlib.asynccontextmanager
async def this_client(
    work: Work, *, hooks: Sequence[Callable[[Any], None]] = ()
) -> AsyncIterator[Call]:
    """Open this client with all that it does."""
    from hamsa_async import HamsaClient

    async with HamsaClient(
        "key", base_url=work.base_url, concurrency_limit=work.in_flight, hooks=hooks
    ) as hamsa:

        async def call(row: Row) -> str:
            return (await hamsa.voice_agents.call(**row)).id

        yield call


# -- one measurement, in this process


def measure_here(way: Way, work: Work) -> None:
    """Do the work one way, a block at each turn."""
    if not way.orjson:
        sys.modules["orjson"] = None  # type: ignore[assignment]  # importing it fails from now on
    if len(cores := _cores()) > 1:
        os.sched_setaffinity(0, cores[:1])
    if way.uvloop:
        import uvloop

        uvloop.run(way.run(work, Meter()))
    else:
        asyncio.run(way.run(work, Meter()))
    assert way.orjson or sys.modules["orjson"] is None


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


# -- the server, in a process of its own


class Server:
    """The canned server, beside the client."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def spent(self) -> tuple[float, int]:
        """CPU seconds that it has used, and answers that it has given."""
        with urllib.request.urlopen(f"{self.base_url}/spent") as response:
            said = json.load(response)
        return said["cpu"], said["answers"]


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
        if len(cores := _cores()) > 1:
            os.sched_setaffinity(process.pid, cores[1:])
        assert process.stdout is not None
        yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
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
                for side in sides:
                    found[side.way.name].taken.append([])
                for _ in range(options.blocks):
                    for side in random.sample(sides, len(sides)):
                        found[side.way.name].taken[-1].append(side.take_turn())
        for way in ways:
            line = found[way.name]
            line.ratios = _ratios(line, found[way.against])
            line.at_best = _best(line) / _best(found[way.against])
            line.goals = [
                _judge(goal, line, found[goal.against])
                for goal in way.goals
                if goal.in_flight in {None, in_flight}
            ]
        lines += found.values()
    return lines


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


def _ratios(line: Line, base: Line, *, rate: bool = False) -> list[float]:
    name = "calls_s" if rate else "cpu_us"
    return [
        statistics.median(
            getattr(taken, name) / getattr(other, name)
            for taken, other in zip(ours, theirs, strict=True)
        )
        for ours, theirs in zip(line.taken, base.taken, strict=True)
    ]


def _best(line: Line) -> float:
    return min(taken.cpu_us for blocks in line.taken for taken in blocks)


def _judge(goal: Goal, line: Line, base: Line) -> dict[str, Any]:
    ratios = _ratios(line, base, rate=goal.rate)
    middle = statistics.median(ratios)
    met = middle >= goal.bound if goal.at_least else middle <= goal.bound
    return asdict(goal) | {"ratios": ratios, "met": met}


# -- what is shown


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def circumstances(*packages: str, ways: Sequence[Way] = ()) -> str:
    """What it was measured on, in one line."""
    asked: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in packages]
    asked += [(way.name, {"path": [str(way.path)]}) for way in ways if way.path is not None]
    found = [
        f"{name} {package.version}"
        for name, where in asked
        for package in importlib.metadata.distributions(name=name, **where)
    ]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    cores = f"{len(_cores())} cores ({platform.machine()})"
    return ", ".join([cores, platform.system(), python, *found])


def table(lines: Sequence[Line]) -> str:
    """Write the lines as Markdown."""
    columns = (
        *("way", "in flight", "CPU us a call", "CPU ratio", "at best", "to"),
        *("calls/s", "server's CPU us", "target"),
    )
    text = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for line in lines:
        parts = (
            line.way,
            line.in_flight,
            spread(_middles(line, "cpu_us"), 0),
            spread(line.ratios),
            f"{line.at_best:.2f}",
            line.against,
            f"{statistics.median(_middles(line, 'calls_s')):.0f}",
            f"{statistics.median(_middles(line, 'server_us')):.0f}",
            "; ".join(_shown(goal) for goal in line.goals),
        )
        text.append(f"| {' | '.join(map(str, parts))} |")
    return "\n".join(text)


def _middles(line: Line, name: str) -> list[float]:
    return [statistics.median(getattr(taken, name) for taken in blocks) for blocks in line.taken]


def _shown(goal: dict[str, Any]) -> str:
    sign = ">=" if goal["at_least"] else "<="
    what = "calls/s" if goal["rate"] else "CPU"
    return (
        f"{what} {sign} {goal['bound']:.2f} x {goal['against']}:"
        f" {'met' if goal['met'] else 'missed'}, {spread(goal['ratios'])}"
    )


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
    print(f"{options.rounds} rounds of {options.blocks} blocks of {options.calls} calls.\n")
    print(table(lines))
