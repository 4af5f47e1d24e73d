"""SIGINT, SIGTERM and SIGHUP at any moment: 130, no noise, and a journal that resumes."""

import os
import random
import signal
import time
from typing import Any

import pytest

from hamsa_async.testing import FAKE_AGENT_ID

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def chance() -> random.Random:
    """Randomness whose seed is shown when the test fails."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    return random.Random(seed)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_dialing(serve: Any, dial_at: Any, contacts: Any, tools: Any, number: int) -> None:
    """Nobody more is dialed, what is in flight settles, and the name goes on where it was."""
    dial = dial_at(serve("--latency", "0.02-0.05"))
    run = dial.start(contacts(120), "--concurrency", "4", "--json")
    tools.until(lambda: dial.server.ring_count() > 10, run)
    run.send_signal(number)
    done = tools.finished(run).ends(130)
    assert done.document["ending"] == "interrupted"
    assert done.document["reason"] == signal.Signals(number).name
    assert done.document["counts"].keys() - {"placed", "done"} == {"pending"}
    assert "run --name eid again to go on" in done.err
    assert dial.status()["last_run"]["ending"] == "interrupted"
    dial.resume().ends(0)
    assert len(dial.server.rings()) == 120
    dial.check()


def test_at_random_moments(
    serve: Any, dial_at: Any, contacts: Any, tools: Any, chance: random.Random
) -> None:
    """From the first import to the last call: nobody is rung twice, and nothing ugly is said."""
    dial = dial_at(serve("--latency", "0.001-0.01"))
    path = contacts(800)
    endings = set()
    for _ in range(8):
        run = dial.start(path, "--concurrency", "4")
        # Python itself, and the package, are not there yet to hear it any better.
        tools.until(lambda run=run: _is_listening(run), run)
        time.sleep(chance.uniform(0.0, 0.9))
        run.send_signal(chance.choice(SIGNALS))
        done = tools.finished(run)
        endings.add(done.code)
        done.ends(done.code)  # without noise
    assert endings <= {130, 0}
    dial.run(path, "--concurrency", "4").ends(0)
    assert len(dial.server.rings()) == 800
    assert {row["state"] for row in dial.rows()} == {"done"}
    dial.check()


def _is_listening(process: Any) -> bool:
    """Whether a process handles SIGTERM itself."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:  # noqa: PTH123
            caught = next(line for line in status if line.startswith("SigCgt"))
    except OSError:
        return True
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_while_loading(dial: Any, tools: Any, tmp_path: Any) -> None:
    """A list that is still being read is left at once; it is given again."""
    fifo = tmp_path / "list.csv"
    os.mkfifo(fifo)
    run = dial.start(fifo)
    with fifo.open("w") as file:
        file.write("phone_number\n" + "".join(f"{number}\n" for number in tools.numbers_of(5_000)))
        file.flush()
        run.send_signal(signal.SIGINT)
        time.sleep(0.05)
    done = tools.finished(run).ends(130)
    assert "interrupted" in done.complaint
    assert dial.server.posts() == 0
    assert dial.counts() == {}


@pytest.mark.slow
def test_list_that_never_comes(dial: Any, tools: Any, tmp_path: Any) -> None:
    """A pipe that nobody writes to: one signal is enough, and Ctrl-C twice is quicker."""
    fifo = tmp_path / "list.csv"
    os.mkfifo(fifo)
    runs = [dial.start(fifo, name=name) for name in ("a", "b")]
    for run in runs:
        tools.until(lambda run=run: _is_listening(run), run)
    time.sleep(2)  # it is waiting for the list by now
    for run, number in zip(runs, (signal.SIGTERM, signal.SIGINT), strict=True):
        run.send_signal(number)
    tools.pause()
    runs[1].send_signal(signal.SIGINT)
    for run in runs:
        tools.finished(run).ends(130)


def test_second_ctrl_c_ends_at_once(dial: Any, contacts: Any, tools: Any) -> None:
    """A server that never answers: the first waits, the second does not; the doubt is kept."""
    dial.server.fail({"rates": [{"rate": 1, "fault": "hang"}]})
    run = dial.start(contacts(20), "--concurrency", "5")
    tools.until(lambda: dial.server.ring_count() == 5, run)
    run.send_signal(signal.SIGINT)
    lines = iter(run.stderr.readline, "")
    assert any("answers have 10 s" in line for line in lines)
    run.send_signal(signal.SIGTERM)  # a supervisor that says it once more changes nothing
    time.sleep(0.3)
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    done = tools.finished(run).ends(130)
    assert "ended at once" in done.complaint
    assert dial.counts() == {"pending": 15, "dialing": 5}
    dial.server.fail({})
    # They rang, and are found by their references.
    dial.resume().ends(0)
    assert dial.counts() == {"done": 20}
    assert len(dial.server.rings()) == 20
    dial.check()


@pytest.mark.slow
def test_grace_period(dial: Any, contacts: Any, tools: Any) -> None:
    """What is not answered within the grace period is unknown, and said to be."""
    numbers = tools.numbers_of(4)
    dial.server.fail({"numbers": [{"number": number, "fault": "hang"} for number in numbers[:2]]})
    run = dial.start(contacts(numbers), "--concurrency", "2", "--json")
    tools.until(lambda: dial.server.ring_count() == 2, run)
    run.send_signal(signal.SIGTERM)
    done = tools.finished(run).ends(130)
    assert done.document["counts"] == {"pending": 2, "unknown": 2}
    assert "2 unknown" in done.err


def test_ignored_signals_stay_ignored(serve: Any, dial_at: Any, contacts: Any, tools: Any) -> None:
    """`nohup` means what it says."""
    dial = dial_at(serve("--latency", "0.02"))
    run = dial.start(
        contacts(30),
        *("--concurrency", "1"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    tools.until(lambda: dial.server.ring_count() > 2, run)
    run.send_signal(signal.SIGHUP)
    tools.finished(run).ends(0)
    assert len(dial.server.rings()) == 30


def test_waiting_for_a_deferred_contact(dial: Any, contacts: Any, tools: Any) -> None:
    """Without `--no-wait` a run says until when it waits; a signal ends the waiting."""
    run = dial.start(contacts("phone_number,not_before\n+971501000001,2999-01-01T00:00:00Z\n"))
    lines = iter(run.stderr.readline, "")
    assert any("waiting until 2999-01-01 00:00:00 UTC (not_before)" in line for line in lines)
    run.send_signal(signal.SIGINT)
    tools.finished(run).ends(130)
    assert dial.counts() == {"deferred": 1}


def test_fake_run(command: Any, tools: Any, tmp_path: Any) -> None:
    """`--fake` leaves no folder behind, however it ends."""
    for signals in ([signal.SIGTERM], [signal.SIGINT, signal.SIGINT]):
        run = command.start("campaign", "run", "--fake", env={"TMPDIR": str(tmp_path)})
        tools.until(lambda: list(tmp_path.glob("hamsa-fake-*/journal.db")), run)
        for number in signals:
            time.sleep(0.4)
            run.send_signal(number)
        tools.finished(run).ends(130)
        assert list(tmp_path.glob("hamsa-fake-*")) == []


@pytest.mark.parametrize(
    ("fault", "code", "certainty"),
    [("slow", 0, "placed"), pytest.param("hang", 4, "unknown", marks=pytest.mark.slow)],
)
def test_call(dial: Any, tools: Any, fault: str, code: int, certainty: str) -> None:
    """A call whose request has left is waited for; its answer decides what is said."""
    dial.server.fail({"next": [{"fault": fault}]})
    run = dial.command.start("call", "+971501234567", "--agent", FAKE_AGENT_ID, "--json")
    tools.until(lambda: dial.server.ring_count() > 0, run)
    run.send_signal(signal.SIGINT)
    done = tools.finished(run).ends(code)
    assert done.document["certainty"] == certainty
    assert bool(done.document["call_id"]) is (code == 0)


def test_call_that_is_ended_at_once(dial: Any, tools: Any) -> None:
    """A second Ctrl-C while its request is away is told as it is: the phone may have rung."""
    dial.server.fail({"next": [{"fault": "hang"}]})
    run = dial.command.start("call", "+971501234567", "--agent", FAKE_AGENT_ID)
    tools.until(lambda: dial.server.ring_count() > 0, run)
    run.send_signal(signal.SIGINT)
    tools.pause()
    run.send_signal(signal.SIGINT)
    done = tools.finished(run).ends(4)
    assert "may have rung" in done.err
    assert "hamsa conversations list --since 20" in done.err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"fault": "drop_after"}, 4, "no answer: the phone may have rung"),
        ({"fault": "status_500"}, 4, "hamsa conversations list --since 20"),
        ({"fault": "rate_limited", "retry_after": "3600"}, 2, "UTC)"),
    ],
)
def test_call_names_a_way_out_of_a_shell(
    dial: Any, fault: dict[str, Any], code: int, words: str
) -> None:
    """What an error tells a program to do nobody can type; the command says what can be."""
    dial.server.fail({"next": [fault]})
    done = dial.command("call", "+971501234567", "--agent", FAKE_AGENT_ID).ends(code)
    assert words in done.complaint
    assert "settle" not in done.complaint


def test_call_that_waits_for_its_turn(dial: Any, tools: Any) -> None:
    """A call that was refused for now and waits to be placed again is not placed."""
    server = dial.server
    server.fail({"rates": [{"rate": 1, "fault": "rate_limited", "retry_after": "60"}]})
    call = ("call", "+971501234567", "--agent", FAKE_AGENT_ID)
    run = dial.command.start(*call)
    tools.until(lambda: server.posts() > 0, run)
    time.sleep(0.2)
    run.send_signal(signal.SIGTERM)
    tools.finished(run).ends(130)
    assert server.rings() == []


def test_fake_server(serve: Any, tools: Any) -> None:
    """`hamsa fake` is stopped, not broken, by a signal."""
    for number in SIGNALS:
        server = serve()
        server.process.send_signal(number)
        tools.finished(server.process).ends(0)


def test_looking(dial: Any, contacts: Any, tools: Any) -> None:
    """Those who only look end with 130 too."""
    dial.run(contacts(2)).ends(0)
    run = dial.command.start("journal", "check", "--journal", dial.journal)
    tools.until(lambda: _is_listening(run), run)
    run.send_signal(signal.SIGTERM)
    done = tools.finished(run)
    done.ends(done.code)
    assert done.code in {0, 130}
