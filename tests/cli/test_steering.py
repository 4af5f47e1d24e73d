"""`serve`, `pause`, `resume`, `stop`, `verify`: from the command line, over real processes."""

import re
import signal
from typing import Any

import attrs
import pytest

SECRET = {"HAMSA_WEBHOOK_SECRET": "s" * 40}


def test_pause_resume_and_stop(dial: Any, contacts: Any, tools: Any) -> None:
    """Another process pauses a run, lets it go on, and stops it."""
    steer = lambda what: dial.command(  # noqa: E731
        "campaign", what, "eid", "--journal", dial.journal
    ).ends(0)
    at_first = dial.server.ring_count()
    run = dial.start(contacts(300), "--live-calls", 3)
    tools.until(lambda: dial.server.ring_count() >= at_first + 3, run)
    assert "paused" in steer("pause").err
    tools.until(lambda: "paused by another process" in run.stderr.readline(), run)
    assert dial.status()["asked"] == "pause"
    shown = dial.command("campaign", "status", "eid", "--journal", dial.journal).ends(0)
    assert "is paused" in shown.out
    before = dial.server.ring_count()
    tools.pause()
    assert dial.server.ring_count() <= before
    assert "goes on" in steer("resume").err
    tools.until(lambda: dial.server.ring_count() > before, run)
    assert "stopping" in steer("stop").err
    tools.finished(run).ends(130)
    assert "hamsa campaign run --name eid" in steer("resume").err
    assert dial.command("campaign", "pause", "nope", "--journal", dial.journal).ends(2).complaint
    dial.check()


def test_verify(dial: Any, contacts: Any) -> None:
    """A campaign that is done is proved; one finding makes the code 3."""
    dial.run(contacts(4)).ends(0)
    verify = ("campaign", "verify", "eid", "--journal", dial.journal)
    done = dial.command(*verify).ends(0)
    assert "4 rows and 4 calls, all accounted for" in done.err
    assert "completed 4" in done.out
    dial.server.start_afresh()  # a server that has forgotten its calls
    found = dial.command(*verify, "--json").ends(3).document
    assert len(found["findings"]) == 4
    assert found["exit_code"] == 3


def test_serve(dial: Any, contacts: Any, tools: Any) -> None:
    """`serve` takes the webhooks of a run; the secret is never on a command line."""
    assert "HAMSA_WEBHOOK_SECRET is needed" in dial.command("serve").ends(2).complaint
    with_secret = dial.command.with_env(**SECRET)
    serving = with_secret.start("serve", "--port", 0, "--journal", dial.journal)
    url = re.search(r"at (http://\S+);", serving.stderr.readline())[1]
    dial.command = with_secret
    done = dial.run(contacts(5), "--webhook-url", url).ends(0)
    assert dial.counts() == {"done": 5}
    assert "done 5" in done.err
    serving.send_signal(signal.SIGINT)
    stopped = tools.finished(serving).ends(0)
    assert int(re.search(r"(\d+) stored", stopped.err)[1]) >= 5


def test_a_budget(dial: Any, contacts: Any) -> None:
    """With `--max-calls` the run ends with 5 when they are made, and is resumable."""
    assert "max_calls" in dial.run(contacts(6), "--max-calls", 2).ends(5).complaint
    assert len(dial.server.rings()) == 2
    dial.resume().ends(0)
    assert dial.counts() == {"done": 6}


def test_a_breaker(dial: Any, contacts: Any) -> None:
    """An API that refuses everybody ends the run with 5; `status` says why, and it is resumable."""
    dial.breaker = "on"
    dial.server.fail({"rates": [{"rate": 1, "fault": "status_400"}]})
    halted = dial.run(contacts(60), "--concurrency", 2).ends(5)
    assert "halted: breaker: 10 of the last 10 requests were refused" in halted.complaint
    assert "run --name eid again to go on" in halted.complaint
    assert dial.counts()["pending"] >= 48
    last = dial.status()["last_run"]
    assert (last["ending"], last["reason"][:8]) == ("halted", "breaker:")
    assert dial.counts().keys() == {"refused", "pending"}
    dial.breaker = "off"
    dial.resume().ends(3)
    assert dial.counts().keys() == {"refused"}


def test_the_pace_seen_from_another_process(dial: Any, contacts: Any, tools: Any) -> None:
    """`status` says why it is what it is; pause, resume and stop are heard while it waits."""
    dial = attrs.evolve(dial, rate="40")
    run = dial.start(contacts(9), "--canary", "2", "--json")
    assert any("nobody more is called yet" in line for line in iter(run.stderr.readline, ""))
    status = dial.command("campaign", "status", "eid", "--journal", dial.journal).ends(0)
    assert "nobody more is called yet: 2 clean minutes after the canary, not before" in status.out
    pace = dial.status()["pace"]
    assert (pace["rate"], pace["cap"], sum(pace["calls"].values())) == (40.0, 40.0, 2)
    for what in ("pause", "resume"):
        dial.command("campaign", what, "eid", "--journal", dial.journal).ends(0)
    assert run.poll() is None
    dial.command("campaign", "stop", "eid", "--journal", dial.journal).ends(0)
    done = tools.finished(run).ends(130)
    assert done.document["pace"]["stage"] == "look"
    assert len(dial.server.rings()) == 2
    # A run without a canary says nothing of an earlier one's.
    dial.resume().ends(0)
    assert dial.status()["pace"] is None
    assert len(dial.server.rings()) == 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_the_canary_is_looked_at(
    dial: Any, contacts: Any, tools: Any, number: int
) -> None:
    """At once."""
    dial = attrs.evolve(dial, rate="40")
    run = dial.start(contacts(9), "--canary", "2")
    assert any("nobody more is called yet" in line for line in iter(run.stderr.readline, ""))
    run.send_signal(number)
    tools.finished(run).ends(130)
    assert len(dial.server.rings()) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "none", "--canary", "1"), "--canary needs a rate"),
        (("--rate", "none", "--ramp", "on"), "--ramp needs a rate"),
        (("--canary", "-1"), "--canary must be 0 or more"),
        (("--fake", "--canary", "1"), "--fake has no canary"),
    ],
)
def test_canaries_that_cannot_be(
    nobody: Any, contacts: Any, options: tuple[str, ...], words: str
) -> None:
    args = ("campaign", "run", contacts(1), "--agent", "x", "--policy", "none", "--name", "x")
    assert words in nobody.command(*args, "--yes", *options).ends(2).complaint
