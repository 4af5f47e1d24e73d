"""What the tools here need: the command in processes of its own, and a fake server in another.

Everything that is proved is proved by what is left on disk when they are gone: the server's
ledger, and the journal.
"""

import contextlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, Ledger

PATIENCE = 600.0  # seconds after which something hangs

# One of each kind: before and after the ring, with and without an answer, and refusals.
MIXED = (
    *("drop_before", "drop_after", "reset_before", "reset_after", "cut", "hang", "slow", "junk"),
    *("empty", "no_id", "not_http", "html_502", "status_500", "status_503", "status_408"),
    *("success_false", "status_400"),
)
_429S = 0.1  # as often as another: each slows everybody down, as it should
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "slow": {"seconds": 2.0},
}
_READS = ("drop_before", "status_500", "status_503", "cut", "junk")


def fault_plan(share: float, seed: int) -> dict[str, Any]:
    """A share of all requests for a call go wrong, in all ways alike; of the reads a tenth as many.

    What goes wrong with a read proves nothing of a call, it only hides what is known.
    """
    each = share / (len(MIXED) + _429S)
    calls = [{"rate": each, "fault": fault, **_OPTIONS.get(fault, {})} for fault in MIXED]
    calls.append({"rate": each * _429S, "fault": "rate_limited", "retry_after": "0.05"})
    reads = [{"rate": share / 10 / len(_READS), "fault": fault, "on": "read"} for fault in _READS]
    return {"seed": seed, "rates": [*calls, *reads]}


@attrs.define(eq=False)
class Rig:
    """Processes in a folder of their own. Leaving it ends what still runs."""

    folder: Path
    env: dict[str, str] = attrs.field(factory=dict)
    _started: list["subprocess.Popen[Any]"] = attrs.field(factory=list)

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            kill(process)

    def start(self, *args: object, err: Any = subprocess.DEVNULL) -> "subprocess.Popen[Any]":
        """Start the command."""
        process = subprocess.Popen(
            [sys.executable, "-m", "hamsa_async.cli", *map(str, args)],
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        self._started.append(process)
        return process

    def ask(self, *args: object) -> "Answer":
        """Run the command to its end, with what it says on both streams."""
        began, used = time.monotonic(), _cpu_of_children()
        done = subprocess.run(
            [sys.executable, "-m", "hamsa_async.cli", *map(str, args)],
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Answer(
            code=done.returncode,
            out=done.stdout,
            err=done.stderr,
            seconds=time.monotonic() - began,
            cpu=_cpu_of_children() - used,
        )


def _cpu_of_children() -> float:
    """Seconds that processes used which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@attrs.frozen(kw_only=True)
class Answer:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float
    cpu: float

    @property
    def document(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)


def kill(process: "subprocess.Popen[Any]") -> None:
    """SIGKILL, which asks nobody."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@attrs.define(eq=False)
class Server:
    """`hamsa fake` in a process of its own, and the file that has its rings."""

    rig: Rig
    ledger: Path
    options: Sequence[object]
    url: str = ""
    process: "subprocess.Popen[Any] | None" = None
    _seen: int = 0
    _rings: int = 0

    def start(self, *more: object) -> "Server":
        """Start it, at the place where it was if it was there before."""
        port = self.url.rpartition(":")[2] or 0
        self.process = self.rig.start(
            *("fake", "--ledger", self.ledger, "--port", port, *self.options, *more),
            err=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        said = self.process.stderr.readline().decode()
        found = re.search(r"HAMSA_BASE_URL=(\S+)", said)
        assert found, said
        self.url = found[1]
        self.rig.env |= {"HAMSA_BASE_URL": self.url, "HAMSA_API_KEY": FAKE_API_KEY}
        return self

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        kill(self.process)

    def ring_count(self) -> int:
        """How many phones rang, cheaply: only what is new in the file is read."""
        with contextlib.suppress(FileNotFoundError), self.ledger.open("rb") as file:
            file.seek(self._seen)
            new = file.read()
            self._seen += len(new)
            self._rings += new.count(b"\n")
        return self._rings

    def rings(self) -> Ledger:
        """The ledger of the file."""
        return Ledger.load(self.ledger) if self.ledger.exists() else Ledger()

    def faults(self) -> Counter[str]:
        """Which faults struck, of the POSTs that it remembers."""
        with urllib.request.urlopen(f"{self.url}/_fake/ledger") as answer:
            posts = json.load(answer)["post_log"]
        return Counter(post["fault"] for post in posts if post["fault"])


def numbers_of(count: int) -> list[str]:
    """So many numbers of people who are not there."""
    return [f"+97150{1_000_000 + at}" for at in range(count)]


def write_list(path: Path, numbers: Sequence[str]) -> Path:
    """Write a contact list."""
    rows = "".join(f"{number},P{at}\n" for at, number in enumerate(numbers))
    path.write_text("phone_number,name\n" + rows, encoding="utf-8")
    return path


def run_args(journal: Path, name: str, *more: object) -> tuple[object, ...]:
    """The arguments of a run as fast as it goes, in which nobody is tried again."""
    return (
        *("campaign", "run", "--name", name, "--journal", journal, "--agent", FAKE_AGENT_ID),
        *("--policy", "none", "--rate", "none", "--retry", "none", "--breaker", "off"),
        *("--lag", "1", "--yes", *more),
    )


def until(what: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
    """Wait until something is true, or the process that should see to it is at its end."""
    deadline = time.monotonic() + PATIENCE
    while not what() and process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError("it never came true")
        time.sleep(0.005)


def table(rows: Mapping[str, object]) -> Iterator[str]:
    """A Markdown table of two columns."""
    yield "| what | seen |"
    yield "|---|---|"
    for name, value in rows.items():
        yield f"| {name} | {value} |"


def machine() -> str:
    """Where this was seen."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()},"
        f" CPython {platform.python_version()}"
    )
