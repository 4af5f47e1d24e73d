"""`hamsa campaign reconcile`: doubts are listed, and settled by evidence or by a person's word."""

from typing import Any

import pytest


def doubtful(dial: Any, contacts: Any, fault: str = "drop_before") -> Any:
    """A campaign of three, of whom the first is in doubt."""
    dial.server.fail({"numbers": [{"number": "+971501000001", "fault": fault, "count": 1}]})
    dial.run(contacts(3), "--concurrency", 1, "--no-wait").ends(4)
    dial.server.fail({})

    def reconcile(*more: object) -> Any:
        return dial.command("campaign", "reconcile", "eid", "--journal", dial.journal, *more)

    return reconcile


def test_found_by_its_reference(dial: Any, contacts: Any) -> None:
    """A call that rang is found at once, and the next run sees its end."""
    reconcile = doubtful(dial, contacts, "drop_after")
    done = reconcile().ends(0)
    assert "nothing is in doubt" in done.out
    dial.resume("--json").ends(0)
    assert dial.counts() == {"done": 3}
    assert len(dial.server.rings()) == 3
    dial.check()


def test_listed_with_its_evidence(dial: Any, contacts: Any) -> None:
    """What is left is listed with what was seen, numbers masked; as JSON they are whole."""
    reconcile = doubtful(dial, contacts)
    listed = reconcile("--lag", 900).ends(4)
    assert "att_" in listed.out
    assert "+9715******01" in listed.out
    assert "+971501000001" not in listed.out
    (one,) = reconcile("--lag", 900, "--json").ends(4).document["in_doubt"]
    assert one["phone_number"] == "+971501000001"
    assert one["state"] == "unknown"
    assert one["evidence"]["kind"] == "seen_once"


def test_absence_that_a_person_accepts(dial: Any, contacts: Any) -> None:
    """With two looks a lag apart, and only then, a person may accept that there was no call."""
    reconcile = doubtful(dial, contacts)
    reconcile("--accept-absent", "--lag", 900).ends(4)
    import time

    time.sleep(2.1)  # the server's clock is cut to the second
    reconcile("--accept-absent", "--lag", 1).ends(0)
    assert dial.counts()["deferred"] == 1
    dial.check()


def test_a_person_says_that_there_was_no_call(dial: Any, contacts: Any) -> None:
    """By its id one attempt is settled; the contact will be called again after the gap."""
    reconcile = doubtful(dial, contacts)
    (one,) = reconcile("--json").ends(4).document["in_doubt"]
    assert reconcile(one["attempt"], "--absent").ends(0)
    rows = {row["phone_number"]: row for row in dial.rows()}
    assert rows["+971501000001"]["state"] == "deferred"
    assert rows["+971501000001"]["reason"] == "person"
    assert "in doubt" in reconcile(one["attempt"], "--absent").ends(2).complaint
    dial.check()


def test_a_person_names_the_call(dial: Any, contacts: Any) -> None:
    """A call is taken for an attempt's only if it is there, and is nobody else's."""
    reconcile = doubtful(dial, contacts)
    (one,) = reconcile("--json").ends(4).document["in_doubt"]
    other = dial.server.ledger_of_now()[0]["call_id"]
    assert "another attempt" in reconcile(one["attempt"], "--placed", other).ends(2).complaint
    assert reconcile(one["attempt"], "--placed", "no-such-call").ends(2).complaint
    dial.check()


@pytest.mark.parametrize(
    "args",
    [
        ("att_1",),
        ("--placed", "x"),
        ("--absent",),
        ("att_1", "--placed", "x", "--absent"),
        ("--lag", "-1"),
    ],
)
def test_what_makes_no_sense(dial: Any, contacts: Any, args: tuple[str, ...]) -> None:
    """Half a word settles nothing."""
    command = ("campaign", "reconcile", "eid", "--journal", dial.journal, *args)
    assert dial.command(*command).ends(2).complaint
