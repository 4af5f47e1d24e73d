"""`serve`, `pause`, `resume`, `stop`, `verify`: from the command line, over real processes."""

import re
import signal
from datetime import UTC, datetime
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


def test_a_budget_of_money(dial: Any, contacts: Any, dial_at: Any, lasting: Any) -> None:
    """What is spent is shown while it runs, at its end, and by `status`; open calls at most."""
    dial = dial_at(lasting)
    money = ("--max-cost", "10.50", "--price-per-minute", "0.70")
    done = dial.run(contacts(6), *money, "--no-wait", "--json").ends(7)
    assert len(dial.server.rings()) == 3
    assert "spent: 3 calls; cost 0, at most 10.50 of 10.50" in done.err
    assert "nothing to do now (max_cost: up to 10.50 of 10.50 is spent, and a call can" in done.err
    assert "run --name eid again to go on" in done.err
    status = dial.status()
    assert status["spent"] == done.document["spent"]
    assert status["spent"] == {
        "calls": 3,
        "calls_today": None,
        "cost": "0",
        "cost_at_most": "10.50",
    }
    assert status["budget"]["max_cost"] == "10.50"
    shown = dial.command("campaign", "status", "eid", "--journal", dial.journal).ends(0)
    assert "spent: 3 calls; cost 0, at most 10.50 of 10.50" in shown.out
    # Not one more: a resumed run has the same life, and a budget that can never do says so.
    dial.resume(*money, "--no-wait").ends(7)
    halted = dial.resume("--max-cost", "3", "--price-per-minute", "0.70").ends(5)
    assert (
        "halted: max_cost: up to 10.50 of 3 is spent, and a call can cost 3.50" in halted.complaint
    )
    assert len(dial.server.rings()) == 3


def test_a_budget_of_calls_a_day(dial: Any, contacts: Any, tools: Any) -> None:
    """The run says until when it waits, and in whose day; without waiting it ends with 7."""
    # A zone in which it is about noon, whenever this runs.
    offset = datetime.now(UTC).hour - 12
    zone = f"Etc/GMT{offset:+d}"
    day = ("--max-calls-per-day", 2, "--budget-zone", zone)
    done = dial.run(contacts(6), *day, "--no-wait").ends(7)
    assert len(dial.server.rings()) == 2
    assert f"(max_calls_per_day: 2 were made today in {zone}); next at" in done.complaint
    assert f" {offset % 24:02}:00:00 UTC" in done.complaint
    run = dial.start(contacts(6), *day)
    lines = iter(run.stderr.readline, "")
    assert any("waiting until" in line and "max_calls_per_day" in line for line in lines)
    assert dial.status()["spent"]["calls_today"] == 2
    run.send_signal(signal.SIGTERM)
    tools.finished(run).ends(130)
    assert len(dial.server.rings()) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-calls-per-day", 5), "--budget-zone"),
        (("--max-calls-per-day", 5, "--budget-zone", "local"), "budget_zone"),
        (("--budget-zone", "Asia/Dubai"), "--max-calls-per-day"),
        (("--max-cost", 5), "--price-per-minute"),
        (("--max-cost", "much", "--price-per-minute", 1), "max_cost must be an amount"),
        (("--price-per-minute", 0), "price_per_minute must be an amount"),
    ],
)
def test_budgets_that_cannot_be_kept(
    nobody: Any, contacts: Any, options: tuple[Any, ...], words: str
) -> None:
    """Each is refused in one line, before anything is opened."""
    assert words in nobody.run(contacts(2), *options).ends(2).complaint
    assert not nobody.journal.exists()


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
