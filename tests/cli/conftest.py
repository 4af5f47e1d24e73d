"""The command in processes of its own, a fake server in another, and a terminal in between."""

import asyncio
import contextlib
import io
import itertools
import json
import os
import re
import select
import signal
import site
import subprocess
import sys
import sysconfig
import termios
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

import hamsa_async
from hamsa_async.cli.app import run_command
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.report import as_record
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY

T = TypeVar("T")

PATIENCE = 90.0  # seconds after which something hangs
NOISE = re.compile(
    r"Traceback|never retrieved|never awaited|was destroyed|Exception ignored|ResourceWarning"
)


def _interpreter() -> tuple[list[str], dict[str, str]]:
    """Python as the tests run it: with the installed package, else with this checkout's."""
    parent = Path(hamsa_async.__file__).resolve().parents[1]
    installed = {
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *site.getsitepackages(),
    }
    if parent in {Path(folder).resolve() for folder in installed}:
        return [sys.executable, "-I", "-W", "error"], {}
    return [sys.executable, "-W", "error"], {"PYTHONPATH": str(parent)}


@attrs.frozen
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong; nothing else that looks like an error."""
        assert not NOISE.search(self.err), self.err
        lines = [line for line in self.err.splitlines() if line.startswith("hamsa:")]
        assert len(lines) == 1, self.err
        return lines[0]

    def ends(self, code: int) -> "Done":
        """Assert the exit code, and that nothing ugly was said."""
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.err}\n{self.out}"
        assert not NOISE.search(self.err), self.err
        return self


@attrs.define(eq=False)
class Command:
    """`hamsa`, run in its own process, in an empty folder, with a home of its own."""

    folder: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = attrs.field(factory=list)

    def start(
        self, *args: object, code: str | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start it, or code that does."""
        python, path = _interpreter()
        what = ["-m", "hamsa_async.cli"] if code is None else ["-c", code]
        env = {**os.environ, **path, **self.env, **options.pop("env", {})}
        process = subprocess.Popen(
            [*python, *what, *map(str, args)],
            cwd=self.folder,
            env=env,
            text=True,
            encoding="utf-8",
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )
        self.started.append(process)
        return process

    def __call__(self, *args: object, **options: Any) -> Done:
        """Run it to its end."""
        return finished(self.start(*args, **options))

    def with_env(self, **env: str) -> "Command":
        """The same with more environment."""
        return attrs.evolve(self, env={**self.env, **env})


@attrs.define(eq=False)
class Inside:
    """`hamsa` in this process: nothing is started that would have to be waited for."""

    env: Mapping[str, str]
    patch: pytest.MonkeyPatch

    def __call__(self, *args: object, zone: str = "UTC") -> Done:
        """Run it to its end, on a machine in this zone."""
        out, err = io.StringIO(), io.StringIO()
        with self.patch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            for name, value in {**self.env, "TZ": zone}.items():
                patch.setenv(name, value)
            time.tzset()
            code = run_command([str(arg) for arg in args])
        time.tzset()
        return Done(code, out.getvalue(), err.getvalue())


def finished(process: subprocess.Popen[str]) -> Done:
    """Wait for the end of a process."""
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out, err)


def pause() -> None:
    """Wait long enough that a second Ctrl-C is one, not an echo of the first."""
    time.sleep(0.3)


def end(process: "subprocess.Popen[Any]") -> None:
    """End a process that a test started, and forget its pipes."""
    if process.poll() is None:
        process.kill()
    with contextlib.suppress(ValueError):
        process.communicate(timeout=PATIENCE)


def until(what: Callable[[], Any], process: "subprocess.Popen[Any] | None" = None) -> Any:
    """Wait until something is true (and give it), or the process that should see to it ends."""
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        if process is not None and process.poll() is not None:
            return what()
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
    return found


@attrs.define(eq=False)
class Server:
    """`hamsa fake` in its own process, and its ledger."""

    url: str
    ledger: Path
    process: subprocess.Popen[str]
    earlier: int = 0

    @property
    def env(self) -> dict[str, str]:
        return {"HAMSA_BASE_URL": self.url, "HAMSA_API_KEY": FAKE_API_KEY}

    def ledger_of_now(self) -> list[dict[str, Any]]:
        """The rings since the test began."""
        if not self.ledger.exists():
            return []
        lines = self.ledger.read_text(encoding="utf-8").splitlines()[self.earlier :]
        return [json.loads(line) for line in lines]

    def rings(self) -> list[str]:
        """The numbers that rang, in order."""
        return [ring["phone_number"] for ring in self.ledger_of_now()]

    def ring_count(self) -> int:
        """How many rings there are, cheaply."""
        if not self.ledger.exists():
            return 0
        return self.ledger.read_bytes().count(b"\n") - self.earlier

    def start_afresh(self) -> "Server":
        """Forget calls and faults; rings of before are another test's."""
        self.post("reset", {})
        return attrs.evolve(self, earlier=self.ring_count() + self.earlier)

    def posts(self) -> int:
        """How many POSTs arrived at the call route."""
        with urllib.request.urlopen(f"{self.url}/_fake/ledger") as answer:
            posts: int = json.load(answer)["posts"]
        return posts

    def sent_webhooks(self) -> list[dict[str, Any]]:
        """Which webhooks were sent, and how they were answered."""
        with urllib.request.urlopen(f"{self.url}/_fake/webhooks") as answer:
            sent: list[dict[str, Any]] = json.load(answer)
        return sent

    def fail(self, plan: Mapping[str, Any]) -> None:
        """Give it faults to commit."""
        self.post("faults", plan)

    def post(self, what: str, body: Mapping[str, Any]) -> None:
        """Steer it."""
        url, data = f"{self.url}/_fake/{what}", json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, method="POST")):
            pass


@attrs.define(eq=False)
class Campaigns:
    """A command that dials a server, with one journal."""

    command: Any
    server: Server
    journal: Path
    breaker: str = "off"
    """Calls that are over at once look as if they were cut off."""
    rate: str = "none"

    def args(self, *more: object, name: str = "eid") -> tuple[object, ...]:
        """The arguments of a run that rings everybody at once."""
        return (
            *("campaign", "run", *more, "--name", name, "--journal", self.journal),
            *("--agent", FAKE_AGENT_ID, "--policy", "none", "--rate", self.rate, "--yes"),
            *("--lag", "1", "--breaker", self.breaker),
        )

    def run(self, *more: object, name: str = "eid", **options: Any) -> Done:
        return self.command(*self.args(*more, name=name), **options)

    def start(self, *more: object, name: str = "eid", **options: Any) -> subprocess.Popen[str]:
        return self.command.start(*self.args(*more, name=name), **options)

    def resume(self, *more: object, name: str = "eid") -> Done:
        """Run by name alone."""
        return self.command(
            *("campaign", "run", "--name", name, "--journal", self.journal),
            *("--rate", "none", "--yes", "--lag", "1", "--breaker", self.breaker, *more),
        )

    def status(self, name: str = "eid") -> Any:
        args = ("campaign", "status", name, "--journal", self.journal, "--json")
        return self.command(*args).ends(0).document

    def rows(self, name: str = "eid") -> list[dict[str, Any]]:
        """The rows of the report, quicker than by the command."""

        async def read(journal: SqliteJournal) -> list[dict[str, Any]]:
            record = await journal.campaign(name)
            assert record is not None
            return [as_record(row) async for row in journal.rows(record.id)]

        return self._read(read)

    def counts(self, name: str = "eid") -> Counter[str]:
        """The campaign's counts, as far as the journal has it."""

        async def read(journal: SqliteJournal) -> Counter[str]:
            record = await journal.campaign(name)
            return Counter(await journal.counts(record.id) if record is not None else {})

        return self._read(read) if self.journal.exists() else Counter()

    def check(self) -> None:
        """Assert that the journal is sound and nobody was rung twice."""
        assert self._read(lambda journal: journal.problems()) == []
        rings = self.server.rings()
        assert len(set(rings)) == len(rings), "somebody was rung twice"

    def _read(self, look: Callable[[SqliteJournal], Coroutine[Any, Any, T]]) -> T:
        async def read() -> T:
            async with await SqliteJournal.open(self.journal, create=False) as journal:
                return await look(journal)

        return asyncio.run(read())


class Terminal:
    """A command on a terminal of its own: what it shows, and what a person types."""

    def __init__(
        self, command: Command, args: Sequence[object], *, columns: int, lines: int
    ) -> None:
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, (lines, columns))

        def own_terminal() -> None:
            os.setsid()
            os.login_tty(slave)

        self.process = command.start(
            *args,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=own_terminal,
        )
        os.close(slave)
        self.seen = ""
        self._read = bytearray()

    def expect(self, text: str) -> str:
        """Read until a text was shown since the last time; give what was shown so far."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} was not shown:\n{self.seen}"
            if not self._more():
                break
        assert text in self.seen, f"{text!r} was not shown:\n{self.seen}"
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def type(self, text: str) -> None:
        """Type."""
        os.write(self.master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Change the window."""
        termios.tcsetwinsize(self.master, (lines, columns))
        self.process.send_signal(signal.SIGWINCH)

    def to_the_end(self) -> tuple[int, str]:
        """Wait for the end of the command: its exit code, and all that was shown."""
        while self._more():
            pass
        return self.process.wait(PATIENCE), self._read.decode(errors="replace")

    def close(self) -> None:
        """Close the window."""
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def _more(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], PATIENCE)
        assert ready, f"nothing more is shown:\n{self.seen}"
        try:
            some = os.read(self.master, 65536)
        except OSError:  # the command has left its terminal
            return False
        self._read += some
        self.seen += some.decode(errors="replace")
        return bool(some)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> Iterator[None]:
    """A background job ignores SIGINT, and so would its children."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def command(tmp_path: Path, _environment_of_nobody: None) -> Iterator[Command]:
    """The command, without key and server. What was started is ended."""
    folder = tmp_path / "here"
    folder.mkdir()
    command = Command(folder, {"TERM": "xterm-256color"})
    yield command
    for process in command.started:
        end(process)


def serving(command: Command, ledger: Path, *options: object, seconds: object = 0) -> Server:
    """Start a fake server and wait until it listens.

    Calls are over as soon as somebody looks (each look is a second apart), or last.
    """
    usual = ("--call-seconds", seconds, "--outcomes", "COMPLETED")
    process = command.start("fake", "--ledger", ledger, *usual, *options)
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"HAMSA_BASE_URL=(\S+)", line)
    assert found, line
    return Server(found[1], ledger, process)


@pytest.fixture
def serve(command: Command, tmp_path: Path) -> Callable[..., Server]:
    """Start a fake server."""
    numbers = itertools.count()
    return lambda *options, seconds=0: serving(
        command, tmp_path / f"ledger-{next(numbers)}.jsonl", *options, seconds=seconds
    )


@pytest.fixture
def serve_again(command: Command) -> Callable[..., Server]:
    """Start a fake server where one was killed, which goes on with its calls."""

    def start(killed: Server, *options: object) -> Server:
        port = killed.url.rpartition(":")[2]
        return serving(command, killed.ledger, "--resume", "--port", port, *options)

    return start


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = serving(Command(folder, {}), folder / "ledger.jsonl")
    yield server
    end(server.process)


@pytest.fixture(scope="session")
def _lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("lasting")
    server = serving(Command(folder, {}), folder / "ledger.jsonl", seconds=600)
    yield server
    end(server.process)


@pytest.fixture
def lasting(_lasting: Server) -> Server:
    """A fake server whose calls go on."""
    return _lasting.start_afresh()


@pytest.fixture
def server(_shared: Server) -> Server:
    """A fake server that answers at once."""
    return _shared.start_afresh()


@pytest.fixture
def dial(command: Command, server: Server, tmp_path: Path) -> Campaigns:
    """Campaigns on the fake server."""
    return Campaigns(command.with_env(**server.env), server, tmp_path / "journal.db")


@pytest.fixture
def quick(dial: Campaigns, monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    """The same, in this process: for tests that are not about processes."""
    monkeypatch.chdir(dial.command.folder)
    return attrs.evolve(dial, command=Inside(dial.command.env, monkeypatch))


@pytest.fixture
def nobody(dial: Campaigns) -> Iterator[Campaigns]:
    """Campaigns in which nobody is called: no request to call anybody arrives."""
    yield dial
    assert dial.server.posts() == 0


@pytest.fixture
def dial_at(command: Command, tmp_path: Path) -> Callable[[Server], Campaigns]:
    """Campaigns on a server of the test's choice."""
    return lambda server: Campaigns(command.with_env(**server.env), server, tmp_path / "journal.db")


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Run a command on a terminal."""
    opened: list[Terminal] = []

    def run(command: Command, *args: object, columns: int = 80, lines: int = 24) -> Terminal:
        opened.append(Terminal(command, args, columns=columns, lines=lines))
        return opened[-1]

    yield run
    for each in opened:
        end(each.process)
        each.close()


@pytest.fixture
def contacts(tmp_path: Path) -> Callable[..., Path]:
    """Write a contact list: so many numbers, or these lines."""

    def write(content: int | str | bytes | Sequence[str], name: str = "contacts.csv") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            numbers = numbers_of(content) if isinstance(content, int) else content
            rows = "".join(f"{number},P{at}\n" for at, number in enumerate(numbers))
            path.write_text("phone_number,name\n" + rows, encoding="utf-8")
        return path

    return write


def numbers_of(count: int) -> list[str]:
    """So many numbers of people who are not there."""
    return [f"+97150{1_000_000 + at}" for at in range(count)]


@pytest.fixture
def tools() -> Any:
    """What tests of processes need besides, where modules cannot be imported."""
    return Tools


class Tools:
    """The functions above."""

    until = staticmethod(until)
    pause = staticmethod(pause)
    end = staticmethod(end)
    finished = staticmethod(finished)
    numbers_of = staticmethod(numbers_of)
