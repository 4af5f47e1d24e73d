"""`hamsa campaign forget` and `hamsa journal purge`: the judge is what is in the file's bytes."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer.journal import overwriting
from hamsa_async.testing import FAKE_AGENT_ID

ME, OTHER = "+971501000001", "+971501000002"
NAME, NOTE, CRM = "سارة الزعبي", "prefers the blue van", "crm-4711"
LIST = f"phone,name,note,contact_id\n{ME},{NAME},{NOTE},{CRM}\n{OTHER},Omar,red car,crm-2\n"
LOCAL = f"phone,name,note\n050 100 0001,{NAME},{NOTE}\n{OTHER},Omar,red car\n"
NEEDLES = {
    "number": ME,
    "digits": ME[1:],
    "as written": "050 100 0001",
    "name": NAME,
    "name in JSON": json.dumps(NAME)[1:-1],
    "note": NOTE,
    "contact_id": CRM,
}


def found_in(journal: Path) -> set[str]:
    files = [f"{journal}{end}" for end in ("", "-wal", "-shm") if Path(f"{journal}{end}").exists()]
    content = subprocess.run(["cat", *files], capture_output=True, check=True).stdout
    return {name for name, needle in NEEDLES.items() if needle.encode() in content}


@pytest.fixture
def forget(quick: Any) -> Any:
    """The command on the campaigns' journal."""

    def run(number: object, *more: object) -> Any:
        return quick.command("campaign", "forget", number, "--journal", quick.journal, *more)

    return run


def test_a_person_is_forgotten_while_others_are_called(
    dial: Any, quick: Any, contacts: Any, tools: Any
) -> None:
    """In every campaign, with a dialer at work beside it; nobody calls them any more."""
    started, dial = dial, quick
    dial.run(contacts(LIST, "a.csv"), name="called").ends(0)
    dial.run(contacts(LOCAL, "b.csv"), "--max-invalid", "0.5", "--no-wait", name="raw").ends(7)
    dial.command("dnc", "add", ME, "--journal", dial.journal).ends(0)
    calls = dial.rows("called")
    said = dial._read(lambda journal: journal._one("SELECT group_concat(transcript) FROM calls"))
    assert said[0]
    with closing(sqlite3.connect(dial.journal)) as connection, connection:
        body = json.dumps({"callId": calls[0]["call_id"], "params": {"name": NAME, "to": ME}})
        connection.execute(
            "INSERT INTO inbox (key, at, call_id, event, body) VALUES ('k', 0, ?, 'call.ended', ?)",
            (calls[0]["call_id"], body.encode()),
        )
    assert found_in(dial.journal) == {*NEEDLES}
    run = started.command.start(
        *("campaign", "run", contacts(400), "--name", "busy", "--journal", dial.journal, "--yes"),
        *("--agent", FAKE_AGENT_ID, "--policy", "none", "--rate", "20", "--breaker", "off"),
        stdout=subprocess.DEVNULL,
    )
    tools.until(lambda: dial.server.ring_count() > 8, run)
    args = ("campaign", "forget", ME, "--yes", "--journal", dial.journal)
    done = started.command(*args).ends(0)
    assert "+9715******01 is forgotten; erased: 3 rows" in done.err
    assert "in 3 campaigns" in done.err
    assert ME not in done.err + done.out
    assert run.poll() is None
    assert found_in(dial.journal) == set()
    run.send_signal(2)
    tools.finished(run).ends(130)
    assert found_in(dial.journal) == set()
    # What is left adds up, in every report, and is proved.
    (row, other) = dial.rows("called")
    assert row["phone_number"].startswith("forgotten:")
    assert (row["state"], row["outcome"], row["contact_id"]) == ("done", "completed", None)
    assert "was forgotten" in row["detail"]
    assert (row["cost"], row["duration"]) == (calls[0]["cost"], calls[0]["duration"])
    assert other == calls[1]
    assert dial.counts("called") == {"done": 2}
    report = dial.command("campaign", "report", "called", "--journal", dial.journal).ends(0)
    assert "forgotten:" in report.out
    dial.command("campaign", "verify", "called", "--journal", dial.journal).ends(0)
    dial.command("journal", "check", "--journal", dial.journal).ends(0)


def test_a_forgotten_person_is_not_called(quick: Any, contacts: Any, forget: Any) -> None:
    """Not by a new list, nor by the old one, nor by a single call; the do-not-call list says so."""
    rings = quick.server.rings
    path = contacts(LIST)
    quick.run(path).ends(0)
    forget("0501000001", "--country", "ae", "--yes").ends(0)
    assert rings() == [ME, OTHER]
    quick.run(path).ends(0)  # the same list: nothing has changed
    shown = quick.run(contacts(LIST, "new.csv"), "--json", "--no-wait", name="new").ends(7)
    row, other = shown.document["rows"]
    assert (row["state"], row["reason"]) == ("skipped", "dnc")
    assert "forgotten" in row["detail"]
    assert row["phone_number"].startswith("forgotten:")
    assert other["reason"] == "min_gap"
    single = quick.command("call", ME, "--agent", FAKE_AGENT_ID, "--journal", quick.journal)
    assert "do-not-call" in single.ends(2).complaint
    assert rings() == [ME, OTHER]
    assert not {"number", "digits", "note", "contact_id"} & found_in(quick.journal)
    checked = quick.command("dnc", "check", ME, "--journal", quick.journal).ends(3)
    assert "+9715******01: forgotten since 20" in checked.out
    explained = quick.command("campaign", "explain", "eid", ME, "--journal", quick.journal).ends(0)
    assert "done" in explained.out
    assert "no" in explained.out
    exported = quick.command("dnc", "export", "--journal", quick.journal).ends(0)
    assert exported.out.splitlines() == ["phone_number,source,since"]
    assert "1 forgotten number not written" in exported.err
    stats = quick.command("dnc", "stats", "--json", "--journal", quick.journal).ends(0)
    assert [each["source"] for each in stats.document["sources"]] == ["forgotten"]
    add = quick.command("dnc", "add", ME, "--source", "forgotten", "--journal", quick.journal)
    assert "choose another" in add.ends(2).complaint
    removed = quick.command("dnc", "remove", ME, "--journal", quick.journal).ends(0)
    assert "no longer on the list" in removed.err


def test_what_cannot_be_forgotten(quick: Any, contacts: Any, forget: Any, tmp_path: Path) -> None:
    """Each is one line with the way out, and nothing is erased."""
    assert "no terminal to ask: --yes" in forget(ME).ends(2).complaint
    assert "there is no journal" in forget(ME, "--yes").ends(2).complaint
    quick.server.fail({"numbers": [{"number": ME, "fault": "drop_before", "count": 1}]})
    quick.run(contacts(LIST), "--no-wait", "--concurrency", 1).ends(4)
    quick.server.fail({})
    for number, says in (("123", "country code"), ("nobody", "not a phone number")):
        assert says in forget(number, "--yes").ends(2).complaint
    complaint = forget(ME, "--yes").ends(2).complaint
    assert "in doubt; settle it first: hamsa campaign reconcile eid" in complaint
    assert "Nothing was erased" in complaint
    assert ME not in complaint
    assert {"number", "note"} <= found_in(quick.journal)


def test_it_asks(quick: Any, dial: Any, contacts: Any, terminal: Any) -> None:
    """On a terminal it says what is about to be done; only a yes is one."""
    quick.run(contacts(LIST)).ends(0)
    args = ("campaign", "forget", ME, "--journal", quick.journal)
    for answer, code, left in (("n", 2, True), ("", 2, True), ("y", 0, False)):
        screen = terminal(dial.command, *args)
        screen.expect("Erase +9715******01 from journal")
        screen.type(f"{answer}\n")
        ended, shown = screen.to_the_end()
        assert ended == code, shown
        assert ME not in shown
        assert ("digits" in found_in(quick.journal)) == left


def test_a_log_that_is_being_read(
    quick: Any, contacts: Any, forget: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be overwritten yet is said, and how it is finished; then it is."""
    monkeypatch.setattr(overwriting, "_PATIENCE", 0.0)
    quick.run(contacts(LIST)).ends(0)
    with closing(sqlite3.connect(quick.journal, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contacts").fetchone()
        done = forget(ME, "--yes").ends(3)
        assert "is forgotten; erased: 1 row, 1 attempt, 1 call in 1 campaign" in done.err
        assert "write-ahead log" in done.complaint
        assert "run this command again when that one has ended" in done.complaint
        assert "digits" in found_in(quick.journal)
        reader.execute("COMMIT")
    done = forget(ME, "--yes").ends(0)
    assert "was forgotten before; nothing of it is in the journal" in done.err
    assert "digits" not in found_in(quick.journal)


def test_copies_are_named(quick: Any, tmp_path: Path) -> None:
    """The copy that an upgrade made holds it all: it is named, and left to whoever owns it."""
    frozen = Path(__file__).parents[1] / "journals" / "v3.db"
    journal = tmp_path / "old.db"
    journal.write_bytes(frozen.read_bytes())
    args = ("campaign", "forget", "+971501200003", "--yes", "--json", "--journal", journal)
    done = quick.command(*args).ends(0)
    assert f"delete them: {tmp_path / 'old.db.v3.bak'}" in done.err
    assert done.document == {
        "phone_number": "+971501200003",
        "rows": 1,
        "campaigns": 1,
        "attempts": 1,
        "calls": 0,
        "deliveries": 0,
        "suppressions": 0,
        "again": False,
        "overwritten": {"log": True, "pages": True},
        "copies": [str(tmp_path / "old.db.v3.bak")],
    }
    assert b"971501200003" in (tmp_path / "old.db.v3.bak").read_bytes()
    assert b"971501200003" not in journal.read_bytes()


def test_what_is_old_is_let_go(quick: Any, contacts: Any) -> None:
    """What lists and calls said is gone; rows, numbers, counts and the proof stay."""

    def purge(*more: object) -> Any:
        return quick.command("journal", "purge", "--journal", quick.journal, *more)

    path = contacts(LIST)
    quick.run(path).ends(0)
    before = quick.status()
    none = purge("--older-than", "90d").ends(0)
    assert "purged: 0 contacts, 0 calls, 0 webhook events" in none.err
    done = purge("--older-than", "0s").ends(0)
    assert "purged: 2 contacts, 2 calls, 0 webhook events" in done.err
    assert found_in(quick.journal) == {"number", "digits", "contact_id"}
    assert quick.status() == before
    rows = quick.rows()
    assert [row["phone_number"] for row in rows] == [ME, OTHER]
    assert [row["recording"] for row in rows] == [None, None]
    assert all(row["duration"] is not None for row in rows)
    quick.command("campaign", "verify", "eid", "--journal", quick.journal).ends(0)
    quick.run(path).ends(0)  # no other list than it was
    assert "note" not in found_in(quick.journal)
    assert quick.server.rings() == [ME, OTHER]
    quick.check()
    assert "'90' is no time such as 90d" in purge("--older-than", "90").ends(2).complaint
