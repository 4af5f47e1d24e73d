"""A single call is written down as a campaign's is, and what bars those bars it."""

import json
import signal
from typing import Any

import pytest

from hamsa_async.testing import FAKE_AGENT_ID

NUMBER = "+971501234567"
OTHER = "+971501234568"
SINGLE = "hamsa-call"


@pytest.fixture
def server(lasting: Any) -> Any:
    """A server whose calls go on: a placed call stays open."""
    return lasting


@pytest.fixture
def call(dial: Any) -> Any:
    """Call a number with the campaigns' journal."""

    def run(number: str = NUMBER, *more: object) -> Any:
        return dial.command(*typed(dial, number), *more)

    return run


def typed(dial: Any, number: str = NUMBER) -> tuple[object, ...]:
    return ("call", number, "--agent", FAKE_AGENT_ID, "--journal", dial.journal)


def reconcile(dial: Any, *more: object) -> Any:
    return dial.command("campaign", "reconcile", SINGLE, "--journal", dial.journal, *more)


def test_number_that_is_not_to_be_called(dial: Any, call: Any) -> None:
    """Nothing is sent; taken off the list it rings."""
    dial.command("dnc", "add", NUMBER, "--journal", dial.journal).ends(0)
    done = call(NUMBER, "--json").ends(2)
    assert "on the do-not-call list" in done.complaint
    assert (done.document["certainty"], done.document["exit_code"]) == ("not_sent", 2)
    assert dial.server.posts() == 0
    dial.command("dnc", "remove", NUMBER, "--journal", dial.journal).ends(0)
    call().ends(0)
    assert dial.server.rings() == [NUMBER]


def test_twice_while_the_call_is_open(dial: Any, call: Any) -> None:
    """One ring; another number is not held up."""
    call().ends(0)
    assert "a call to the number is open (of campaign hamsa-call)" in call().ends(7).complaint
    call(OTHER).ends(0)
    assert dial.server.rings() == [NUMBER, OTHER]
    dial.check()


def test_twice_within_the_gap(command: Any, serve: Any) -> None:
    """Waited for, its end is written down; the gap counts from there. In the default journal."""
    server = serve()
    command = command.with_env(**server.env)
    args = ("call", NUMBER, "--agent", FAKE_AGENT_ID)
    command(*args, "--wait").ends(0)
    assert "minimum gap" in command(*args).ends(7).complaint
    assert server.rings() == [NUMBER]
    status = command("campaign", "status", SINGLE, "--json").ends(0).document
    assert status["counts"]["done"] == 1
    command("campaign", "verify", SINGLE).ends(0)
    command("campaign", "report", SINGLE).ends(0)
    command("journal", "check").ends(0)


def test_number_that_a_campaign_has_open(dial: Any, call: Any, contacts: Any) -> None:
    dial.run(contacts([NUMBER]), "--no-wait", "--no-sweep").ends(7)
    assert "(of campaign eid)" in call().ends(7).complaint
    assert dial.server.rings() == [NUMBER]


def test_number_that_a_single_call_has_open(dial: Any, call: Any, contacts: Any) -> None:
    call().ends(0)
    dial.run(contacts([NUMBER, OTHER]), "--no-wait", "--no-sweep").ends(7)
    assert dial.server.rings() == [NUMBER, OTHER]
    assert dial.status()["counts"]["deferred"] == 1


def test_killed_between_intent_and_result(dial: Any, call: Any, tools: Any) -> None:
    """It may have rung: nobody calls that number until it is settled, by its reference."""
    dial.server.fail({"next": [{"fault": "hang"}]})
    run = dial.command.start(*typed(dial))
    tools.until(lambda: dial.server.ring_count() > 0, run)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    done = call().ends(7)
    assert "may have rung" in done.complaint
    assert f"hamsa campaign reconcile {SINGLE}" in done.complaint
    assert dial.server.rings() == [NUMBER]
    assert dial.counts(SINGLE) == {"unknown": 1}
    reconcile(dial).ends(0)
    assert dial.counts(SINGLE) == {"placed": 1}
    assert "is open" in call().ends(7).complaint
    dial.check()


def test_call_that_was_refused_or_not_sent(dial: Any, call: Any) -> None:
    """Provably not called: the number is free, and nothing is left to be called."""
    dial.server.fail({"next": [{"fault": "status_400"}, {"fault": "status_402"}]})
    call().ends(3)
    call().ends(2)
    assert dial.counts(SINGLE) == {"refused": 1, "skipped": 1}
    call().ends(0)
    assert dial.server.rings() == [NUMBER]
    dial.check()


def test_two_at_once(dial: Any, tools: Any) -> None:
    """Each waits for its turn; of two to one number one rings."""
    runs = [dial.command.start(*typed(dial, number)) for number in (NUMBER, NUMBER, OTHER)]
    assert sorted(tools.finished(run).code for run in runs) == [0, 0, 7]
    assert sorted(dial.server.rings()) == [NUMBER, OTHER]
    dial.check()


def test_journal_that_cannot_be_used(dial: Any, call: Any, serve: Any) -> None:
    """Nobody is dialed without one, nor with another server's."""
    dial.journal.write_bytes(b"x" * 4096)
    assert "not a journal" in call().ends(2).complaint
    dial.journal.unlink()
    elsewhere = dial.command.with_env(**serve().env)
    elsewhere(*typed(dial)).ends(0)
    done = call(OTHER, "--json").ends(2)
    assert "it belongs to project" in done.complaint
    assert json.loads(done.out)["exit_code"] == 2
    assert dial.server.posts() == 0


def test_name_of_single_calls(dial: Any, call: Any, contacts: Any) -> None:
    """No list is taken for it, and nobody runs it."""
    call().ends(0)
    for more in ((contacts([OTHER]),), ()):
        assert "choose another" in dial.run(*more, name=SINGLE).ends(2).complaint
    assert dial.server.rings() == [NUMBER]
