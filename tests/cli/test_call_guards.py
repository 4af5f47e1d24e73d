"""A single call is written down as a campaign's is, and what bars those bars it."""

import contextlib
import json
import signal
import sqlite3
import time
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


def left_hanging(dial: Any, tools: Any, number: str = NUMBER) -> Any:
    """A process whose request has rung and gets no answer."""
    dial.server.fail({"numbers": [{"number": number, "fault": "hang", "count": 1}]})
    before = dial.server.ring_count()
    run = dial.command.start(*typed(dial, number))
    tools.until(lambda: dial.server.ring_count() > before, run)
    return run


def kill(run: Any) -> None:
    run.send_signal(signal.SIGKILL)
    run.communicate()


def test_killed_between_intent_and_result(dial: Any, call: Any, tools: Any) -> None:
    """It may have rung: nobody calls that number until it is settled, by its reference."""
    kill(left_hanging(dial, tools))
    done = call().ends(7)
    assert "may have rung" in done.complaint
    assert f"hamsa campaign reconcile {SINGLE} --journal {dial.journal}" in done.complaint
    assert dial.server.rings() == [NUMBER]
    assert dial.counts(SINGLE) == {"unknown": 1}
    reconcile(dial).ends(0)
    assert dial.counts(SINGLE) == {"placed": 1}
    assert "is open" in call().ends(7).complaint
    dial.check()


def test_reconciled_while_another_is_placed(dial: Any, tools: Any) -> None:
    """What a process that is gone has left is settled; one that lives is left alone."""
    living = left_hanging(dial, tools, OTHER)
    kill(left_hanging(dial, tools))
    assert dial.counts(SINGLE) == {"dialing": 2}
    reconcile(dial).ends(0)
    assert dial.counts(SINGLE) == {"placed": 1, "dialing": 1}
    kill(living)
    reconcile(dial).ends(0)
    assert dial.counts(SINGLE) == {"placed": 2}
    assert not list(dial.journal.parent.glob("*.call-*"))
    assert dial.server.rings() == [OTHER, NUMBER]
    dial.check()


def test_campaign_whose_run_was_killed(dial: Any, tools: Any, contacts: Any) -> None:
    """Reconciling is enough: no run must come first. One that dials is left alone."""
    dial.server.fail({"numbers": [{"number": NUMBER, "fault": "hang", "count": 1}]})
    run = dial.start(contacts([NUMBER]))
    tools.until(lambda: dial.server.ring_count() > 0, run)
    of_it = ("campaign", "reconcile", "eid", "--journal", dial.journal)
    dial.command(*of_it).ends(0)
    assert dial.counts() == {"dialing": 1}
    kill(run)
    dial.command(*of_it).ends(0)
    assert dial.counts() == {"placed": 1}
    assert dial.server.rings() == [NUMBER]
    dial.check()


def test_judged_again_at_each_try(dial: Any, call: Any, tools: Any) -> None:
    """While a call waits for its turn the number is put on the do-not-call list."""
    dial.server.fail({"next": [{"fault": "rate_limited", "retry_after": "5"}]})
    run = dial.command.start(*typed(dial))
    tools.until(lambda: dial.counts(SINGLE) == {"pending": 1}, run)
    dial._read(lambda journal: journal.suppressions.add([NUMBER]))
    assert "do-not-call" in tools.finished(run).ends(2).complaint
    assert dial.server.rings() == []
    assert dial.counts(SINGLE) == {"skipped": 1}
    dial.check()


def test_tried_again_where_that_is_safe(dial: Any, call: Any) -> None:
    """Each try is an attempt of the one contact, with a reference of its own."""
    dial.server.fail({"next": [{"fault": "rate_limited", "retry_after": "0.1"}] * 2})
    call().ends(0)
    assert dial.server.rings() == [NUMBER]
    (row,) = dial.rows(SINGLE)
    assert (row["state"], row["attempts"]) == ("placed", 1)
    with contextlib.closing(sqlite3.connect(dial.journal)) as journal:
        attempts = journal.execute("SELECT id, state FROM attempts ORDER BY id").fetchall()
    assert [state for _, state in attempts] == ["refused", "refused", "placed"]
    dial.check()


def test_killed_while_it_waits_for_another_try(dial: Any, tools: Any) -> None:
    """Nothing rang, and nothing is left to be called."""
    dial.server.fail({"next": [{"fault": "rate_limited", "retry_after": "60"}]})
    run = dial.command.start(*typed(dial))
    tools.until(lambda: dial.counts(SINGLE) == {"pending": 1}, run)
    kill(run)
    reconcile(dial).ends(0)
    assert dial.counts(SINGLE) == {"skipped": 1}
    dial.check()


def test_what_others_have_called(dial: Any, call: Any, serve: Any, tmp_path: Any) -> None:
    """Another journal's call is found in the list; `--no-sweep` does not look."""
    call().ends(0)
    elsewhere = (*typed(dial)[:-1], tmp_path / "another.db")
    done = dial.command(*elsewhere).ends(7)
    assert "is open (by others)" in done.complaint
    assert "the last week" in done.err
    assert "the last week" not in dial.command(*elsewhere).ends(7).err
    assert dial.server.rings() == [NUMBER]
    dial.command(*elsewhere[:-1], tmp_path / "third.db", "--no-sweep").ends(0)
    assert dial.server.rings() == [NUMBER, NUMBER]


def test_list_that_cannot_be_read(dial: Any, call: Any) -> None:
    """Nobody is called blindly."""
    whose = {"fault": "slow", "on": "read", "seconds": 0}  # the journal is can be read
    dial.server.fail({"next": [whose, {"fault": "status_404", "on": "read"}]})
    assert "--no-sweep" in call().ends(2).complaint
    assert dial.server.posts() == 0


def test_end_that_the_next_call_sees(command: Any, serve: Any) -> None:
    """Without --wait nobody saw it end; the next call looks, and the gap counts from there."""
    command = command.with_env(**serve().env)
    args = ("call", NUMBER, "--agent", FAKE_AGENT_ID)
    command(*args).ends(0)
    time.sleep(1.1)
    assert "minimum gap" in command(*args).ends(7).complaint
    status = command("campaign", "status", SINGLE, "--json").ends(0).document
    assert status["counts"]["done"] == 1


@pytest.mark.parametrize("what", ["pause", "resume", "stop"])
def test_nobody_runs_single_calls(dial: Any, call: Any, what: str) -> None:
    """What would have no effect is refused."""
    call().ends(0)
    done = dial.command("campaign", what, SINGLE, "--journal", dial.journal).ends(2)
    assert "nobody runs it" in done.complaint
    call(OTHER).ends(0)


def spoil(dial: Any, when: str) -> None:
    """Make the journal fail at a write, as a full disk would."""
    with contextlib.closing(sqlite3.connect(dial.journal)) as journal:
        journal.execute(
            f"CREATE TRIGGER spoiled BEFORE UPDATE ON attempts WHEN {when}"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        journal.commit()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (None, 4, "is placed; journal"),
        ("status_400", 2, "nothing was dialed; journal"),
        ("drop_after", 4, "may have rung"),
    ],
)
def test_result_that_cannot_be_written(
    dial: Any, call: Any, fault: str | None, code: int, words: str
) -> None:
    """It is told as it is; for the journal it may have rung, and nobody calls again."""
    call(OTHER).ends(0)
    spoil(dial, "OLD.state = 'intended' AND NEW.reason IS NOT 'crashed'")
    dial.server.fail({"next": [{"fault": fault}] if fault else []})
    done = call(NUMBER, "--json").ends(code)
    assert words in done.complaint
    assert "the disk is full" in done.complaint
    assert done.document["exit_code"] == code
    assert "may have rung" in call().ends(7).complaint
    assert dial.counts(SINGLE) == {"placed": 1, "unknown": 1}
    dial.check()


def test_end_that_cannot_be_written(dial_at: Any, serve: Any) -> None:
    """The call was waited for: what was seen is shown, and that it is not written is told."""
    dial = dial_at(serve())
    dial.command(*typed(dial, OTHER)).ends(0)
    spoil(dial, f"NEW.state = 'ended' AND OLD.phone_number = '{NUMBER}'")
    done = dial.command(*typed(dial), "--wait").ends(4)
    assert "could not be written down" in done.complaint
    assert "completed" in done.out.lower()
    assert dial.counts(SINGLE)["placed"] >= 1
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
