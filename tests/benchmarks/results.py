"""What was measured, and how it is shown."""

import importlib.metadata
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ways import Goal, Way, cores


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
    goals: list[dict[str, Any]] = field(default_factory=list)

    def compare(self, base: "Line") -> None:
        """Divide by the way that this one stands against."""
        self.ratios = self._ratios(base, "cpu_us")

    def judge(self, goal: Goal, base: "Line") -> None:
        """Say whether a target is met, by the middle of the ratios."""
        ratios = self._ratios(base, "calls_s" if goal.rate else "cpu_us")
        middle = statistics.median(ratios)
        met = middle >= goal.bound if goal.at_least else middle <= goal.bound
        self.goals.append(asdict(goal) | {"ratios": ratios, "met": met})

    def middles(self, name: str) -> list[float]:
        """Give the middle block of each round."""
        return [
            statistics.median(getattr(taken, name) for taken in blocks) for blocks in self.taken
        ]

    def _ratios(self, base: "Line", name: str) -> list[float]:
        return [
            statistics.median(
                getattr(taken, name) / getattr(other, name)
                for taken, other in zip(ours, theirs, strict=True)
            )
            for ours, theirs in zip(self.taken, base.taken, strict=True)
        ]


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
    machine = f"{len(cores())} cores ({platform.machine()})"
    return ", ".join([machine, platform.system(), python, *found])


def table(lines: Sequence[Line]) -> str:
    """Write the lines as Markdown."""
    columns = (
        *("way", "in flight", "CPU us a call", "CPU ratio", "to"),
        *("calls/s", "server's CPU us", "target"),
    )
    text = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for line in lines:
        parts = (
            line.way,
            line.in_flight,
            spread(line.middles("cpu_us"), 0),
            spread(line.ratios),
            line.against,
            f"{statistics.median(line.middles('calls_s')):.0f}",
            f"{statistics.median(line.middles('server_us')):.0f}",
            "; ".join(_shown(goal, line) for goal in line.goals),
        )
        text.append(f"| {' | '.join(map(str, parts))} |")
    return "\n".join(text)


def _shown(goal: dict[str, Any], line: Line) -> str:
    bound = f"{'>=' if goal['at_least'] else '<='} {goal['bound']:.2f}"
    verdict = "met" if goal["met"] else "missed"
    if goal["against"] == line.against and not goal["rate"]:
        return f"{bound}: {verdict}"
    what = "calls/s" if goal["rate"] else "CPU"
    return f"{what} {bound} x {goal['against']}: {verdict}, {spread(goal['ratios'])}"
