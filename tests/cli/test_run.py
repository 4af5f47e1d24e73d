"""`hamsa campaign run` from start to end, `status`, `report`, `journal`, `call`."""

import csv
import io
import re
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.testing import FAKE_AGENT_ID

WHOLE_NUMBER = re.compile(r"\+\d{8,}")
COLUMNS = [
    *("row", "list_number", "contact_id", "phone_number", "state"),
    *("reason", "attempts", "call_id"),
]


# -- --fake


def test_fake_alone(command: Any, tmp_path: Path) -> None:
    """No key, no name, no question: the shipped list is dialed, and nothing is left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = command("campaign", "run", "--fake", "--rate", "none", env={"TMPDIR": str(folder)})
    done.ends(0)
    assert list(folder.iterdir()) == []
    assert list(command.folder.iterdir()) == []
    assert "done" in done.err
    assert "0 numbers rung twice; no phone rang" in done.err
    counted = {
        state: int(n) for state, n in re.findall(r"^(\w+) +(\d+) ", done.out, re.MULTILINE)[:4]
    }
    assert counted["rows"] == sum(n for state, n in counted.items() if state != "rows")
    assert not WHOLE_NUMBER.search(done.out + done.err)
    assert "damaged_by_spreadsheet" in done.out


def test_fake_with_a_list_and_json(command: Any, contacts: Any) -> None:
    """A list of one's own, and one JSON document on stdout."""
    args = ("--fake", "--json", "--name", "mine", "--agent", "a", "--param", "k=v")
    done = command("campaign", "run", contacts(3), "--rate", "none", *args).ends(0)
    assert done.document["campaign"] == "mine"
    assert done.document["settings"]["params"] == {"k": "v"}
    assert done.document["counts"] == {"done": 3}


def test_fake_ignores_the_shell(command: Any, contacts: Any) -> None:
    """The embedded server is dialed whatever key, server and proxy the shell names."""
    env = {
        "HAMSA_API_KEY": "real",
        "HAMSA_BASE_URL": "https://hamsa.invalid",
        "http_proxy": "http://127.0.0.1:9",
    }
    command("campaign", "run", "--fake", contacts(1), env=env).ends(0)


# -- --json and the report


def test_json(dial: Any, contacts: Any, tools: Any) -> None:
    """One document on stdout: the head, and each row with its whole number; progress elsewhere."""
    done = dial.run(contacts(5), "--json", "--param", "a=1", "--param", "b=x=y").ends(0)
    document = done.document
    assert document["exit_code"] == 0
    assert document["ending"] == "done"
    assert document["running"] is False
    assert document["rows_total"] == 5
    assert document["settings"]["params"] == {"a": "1", "b": "x=y"}
    assert [row["phone_number"] for row in document["rows"]] == tools.numbers_of(5)
    assert all(list(row)[:5] == COLUMNS[:5] for row in document["rows"])
    assert all(row.keys() >= set(COLUMNS) for row in document["rows"])
    assert all(row["attempts"] == 1 and row["call_id"] for row in document["rows"])
    assert "done 5" in done.err
    assert not WHOLE_NUMBER.search(done.err)


def test_report(dial: Any, contacts: Any, tmp_path: Path) -> None:
    """As CSV and JSON, on stdout and in a file: the same rows, every row of the list."""
    text = (
        "phone_number,contact_id,name\n"
        "+971501000001,=1+1,سارة\n+971501000001,B,x\n12,ج,عمر\n+971501000004,,y\n"
    )
    dial.run(contacts(text)).ends(0)
    report = ("campaign", "report", "eid", "--journal", dial.journal)
    target = tmp_path / "report.csv"

    shown = dial.command(*report, "--format", "csv").ends(0)
    written = dial.command(*report, "--output", target).ends(0)
    assert written.out == ""
    assert "4 rows written" in written.err
    assert target.read_bytes().decode() == shown.out.replace("\n", "\r\n")
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert set(rows[0]) >= set(COLUMNS)
    assert [row["state"] for row in rows] == ["done", "skipped", "invalid", "done"]
    assert rows[0]["contact_id"] == "'=1+1"  # no formula in anybody's spreadsheet
    assert rows[0]["phone_number"] == "+971501000001"
    assert rows[1]["reason"] == "duplicate_in_file"

    document = dial.command(*report, "--format", "json").ends(0).document
    assert document["rows_total"] == len(document["rows"]) == 4
    assert sum(document["counts"].values()) == 4
    assert [row["contact_id"] for row in document["rows"]] == ["=1+1", "B", "ج", None]

    into_nothing = dial.command(*report, "--output", tmp_path / "no" / "folder.csv")
    assert "cannot be written" in into_nothing.ends(2).complaint


def test_people_see_no_whole_number(dial: Any, contacts: Any) -> None:
    """Numbers are masked in what people read, also those that stand where none should."""
    text = (
        "phone_number,contact_id,+971509999999\n+971501000001,+971501000001,a\n9715010x,0501000002,"
    )
    done = dial.run(contacts(text), "--from", "+97145550000").ends(0)
    changed = dial.run(contacts(text), "--from", "+97145550001").ends(2)
    accepted = dial.run(contacts(text), "--from", "+97145550001", "--accept-changes").ends(0)
    status = dial.command("campaign", "status", "--journal", dial.journal).ends(0)
    for each in (done, changed, accepted, status):
        said = re.sub(r"\S*/\S*|[0-9a-f]{8}-[0-9a-f-]+", "", each.out + each.err)  # paths, ids
        assert not re.search(r"\d{7,}", said)
    assert "from_number" in changed.complaint
    assert "accepted: from_number" in accepted.err


def test_output_that_nobody_reads(dial: Any, contacts: Any) -> None:
    """A reader who leaves, or a full disk behind a redirection, costs no call and no trace."""
    with Path("/dev/full").open("w") as full:
        done = dial.run(contacts(5), "--json", stdout=full)
    assert done.code == 2
    assert "could not be written" in done.complaint
    assert len(dial.server.rings()) == 5

    process = dial.start(contacts(10), "--accept-changes")
    process.stdout.close()
    process.stderr.close()
    assert process.wait(60) == 0
    assert len(dial.server.rings()) == 10

    report = ("campaign", "report", "eid", "--journal", dial.journal)
    process = dial.command.start(*report)
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_closed_streams(command: Any) -> None:
    """Started without stdin, stdout and stderr it dials all the same."""
    code = (
        "import os, sys; [os.close(fd) for fd in (0, 1, 2)];"
        " sys.stdin = sys.stdout = sys.stderr = None; sys.argv[0] = 'hamsa';"
        " from hamsa_async.cli import main; main()"
    )
    assert command("campaign", "run", "--fake", "--rate", "none", code=code).code == 0


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LANG": "C"}]
)
def test_locale_without_arabic(dial: Any, contacts: Any, env: dict[str, str]) -> None:
    """A locale that cannot write Arabic crashes nothing, and reports are UTF-8 in any."""
    path = contacts("رقم الجوال,الاسم,contact_id\n+971501000001,سارة,سارة\n")
    done = dial.run(path, env=env).ends(0)
    assert "is taken for phone_number" in done.err
    report = ("campaign", "report", "eid", "--journal", dial.journal)
    assert "سارة" in dial.command(*report, env=env).ends(0).out
    json_report = dial.command(*report, "--format", "json", env=env).ends(0)
    assert json_report.document["rows"][0]["contact_id"] == "سارة"


def test_what_steers_a_terminal_is_shown_harmless(dial: Any, contacts: Any) -> None:
    """Markup, colons and escape sequences of a list mean nothing on the terminal."""
    path = contacts(
        "phone_number,contact_id\n+971501000001,\x1b[2J[red]x[/nope]\n+971501000002,:boom:\n"
    )
    done = dial.run(path).ends(0)
    assert "\x1b" not in done.out
    assert "[red]x[/nope]" in done.out
    assert ":boom:" in done.out


# -- resuming and changing


def test_resume_by_name(dial: Any, contacts: Any) -> None:
    """The name alone goes on, with the settings of the journal; a finished one rings nobody."""
    dial.run(contacts(4), "--param", "k=v", "--country", "ae").ends(0)
    again = dial.resume("--json").ends(0)
    assert again.document["counts"] == {"done": 4}
    assert again.document["settings"]["params"] == {"k": "v"}
    assert again.document["settings"]["country"] == "AE"
    assert len(dial.server.rings()) == 4
    assert dial.resume(name="  eid ").ends(0)
    assert "has no campaign" in dial.resume(name="nope").ends(2).complaint


def test_changed_list(dial: Any, contacts: Any, tools: Any) -> None:
    """The difference is shown; accepted, new rows are called and gone ones withdrawn."""
    old, new = tools.numbers_of(4), tools.numbers_of(6)[1:]
    # Nobody answers the third and fourth: they stay to be called.
    dial.run(contacts(old[:2])).ends(0)
    grown = contacts([*old, "12"])
    complaint = dial.run(grown).ends(2).complaint
    assert "3 rows new" in complaint
    assert "--accept-changes" in complaint
    assert len(dial.server.rings()) == 2
    dial.server.fail({"rates": [{"rate": 1, "fault": "status_401"}]})
    assert dial.run(grown, "--accept-changes").ends(5)
    dial.server.fail({})
    shrunk = contacts([old[1], old[3], *new[3:]])
    complaint = dial.run(shrunk).ends(2).complaint
    assert "2 rows new" in complaint
    assert "2 rows gone" in complaint
    done = dial.run(shrunk, "--accept-changes").ends(0)
    assert "accepted: 2 rows gone" in done.err
    rows = {row["phone_number"]: row for row in dial.rows()}
    assert {number for number, row in rows.items() if row["state"] == "done"} == {
        *(old[0], old[1], old[3]),
        *new[3:],
    }
    assert (rows[old[2]]["state"], rows[old[2]]["reason"]) == ("skipped", "withdrawn")
    assert sorted(dial.server.rings()) == sorted([old[0], old[1], old[3], *new[3:]])
    dial.check()


def test_changed_setting(dial: Any, contacts: Any, tools: Any) -> None:
    """A setting that differs is shown and refused until it is accepted; nobody is called twice."""
    dial.run(contacts(2)).ends(0)
    complaint = dial.run(contacts(2), "--from", "hamsa-default").ends(2).complaint
    assert "from_number is 'hamsa-default', was None" in complaint
    done = dial.run(contacts(2), "--from", "hamsa-default", "--accept-changes", "--json").ends(0)
    assert done.document["settings"]["from_number"] == "hamsa-default"
    assert sorted(dial.server.rings()) == tools.numbers_of(2)


def test_rate_and_concurrency_are_no_settings(dial: Any, contacts: Any) -> None:
    dial.run(contacts(2), "--concurrency", "3").ends(0)
    args = ("--name", "eid", "--journal", dial.journal, "--rate", "50", "--yes")
    dial.command("campaign", "run", *args, "--concurrency", "7").ends(0)


def test_default_rate(dial: Any, contacts: Any) -> None:
    """Without `--rate` the second call starts a second after the first."""
    args = [each for each in dial.args(contacts(2)) if each not in {"--rate", "none"}]
    args.insert(args.index("--policy") + 1, "none")
    dial.command(*args).ends(0)
    first, second = (ring["at"] for ring in dial.server.ledger_of_now())
    assert first[:19] != second[:19]


# -- status


def test_status(dial: Any, contacts: Any) -> None:
    """Of one campaign and of all, for people and as JSON."""
    dial.run(contacts(2)).ends(0)
    dial.run(contacts(["+971502222222"], name="b.csv"), name="b [red]").ends(0)
    status = ("campaign", "status", "--journal", dial.journal)
    people = dial.command(*status).ends(0)
    assert "campaign eid: done at " in people.out
    assert "campaign b [red]: done at " in people.out
    named = dial.command(*status, "eid").ends(0)
    assert "b [red]" not in named.out
    assert "its call has ended" in named.out
    document = dial.command(*status, "--json").ends(0).document
    assert [each["campaign"] for each in document["campaigns"]] == ["eid", "b [red]"]
    one = dial.status()
    assert one["last_run"]["ending"] == "done"
    assert one["rows_total"] == sum(one["counts"].values()) == 2
    assert "has no campaign 'c'" in dial.command(*status, "c").ends(2).complaint


def test_status_without_a_journal(command: Any, tmp_path: Path) -> None:
    """Looking makes nothing."""
    journal = tmp_path / "journal.db"
    assert "no journal" in command("campaign", "status", "--journal", journal).ends(2).complaint
    assert "no journal" in command("journal", "check").ends(2).complaint
    assert not journal.exists()


def test_default_journal(dial: Any, contacts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--journal` there is one in the user's own folder, for nobody else to read."""
    args = [each for each in dial.args(contacts(1)) if each not in {"--journal", dial.journal}]
    dial.command(*args).ends(0)
    found = list(Path.home().rglob("journal.db"))
    assert len(found) == 1
    assert stat.S_IMODE(found[0].stat().st_mode) == 0o600
    assert "campaign eid" in dial.command("campaign", "status").ends(0).out


# -- journal


def test_backup_and_check(dial: Any, contacts: Any, tmp_path: Path) -> None:
    """A backup is a journal, it overwrites nothing, and a check finds what does not agree."""
    dial.run(contacts(3)).ends(0)
    target = tmp_path / "copy.db"
    backup = ("journal", "backup", target, "--journal", dial.journal)
    done = dial.command(*backup).ends(0)
    assert done.out == ""
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "exists already" in dial.command(*backup).ends(2).complaint
    assert dial.command("journal", "check", "--journal", target).ends(0)
    into_folder = ("journal", "backup", tmp_path, "--journal", dial.journal)
    assert dial.command(*into_folder).ends(2).complaint
    copied = dial.journal
    dial.journal = target
    assert len(dial.rows()) == 3
    dial.journal = copied

    connection = sqlite3.connect(target)
    connection.execute("UPDATE contacts SET outcome = NULL WHERE row = 1")
    connection.commit()
    connection.close()
    found = dial.command("journal", "check", "--journal", target).ends(3)
    assert "contacts that are done without" in found.err


# -- call


def test_call(dial: Any) -> None:
    """One call: 0 and its id; masked for people, whole for programs."""
    call = ("call", "0501234567", "--country", "ae", "--agent", FAKE_AGENT_ID, "--param", "k=v")
    done = dial.command(*call).ends(0)
    assert "placed: +9715******67, call id" in done.out
    other = ("call", "0501234568", *call[2:], "--json")
    document = dial.command(*other).ends(0).document
    assert document["phone_number"] == "+971501234568"
    assert (document["certainty"], document["exit_code"]) == ("placed", 0)
    assert document["call_id"]


@pytest.mark.parametrize(
    ("fault", "code", "certainty"),
    [
        ("status_400", 3, "refused"),
        ("status_401", 2, "refused"),
        ("status_404", 2, "refused"),
        ("status_500", 4, "unknown"),
        ("drop_after", 4, "unknown"),
        ("junk", 4, "unknown"),
    ],
)
def test_call_that_is_not_placed(dial: Any, fault: str, code: int, certainty: str) -> None:
    """The exit code says what is proven: 2 or 3 nobody was called, 4 it may have rung."""
    dial.server.fail({"rates": [{"rate": 1, "fault": fault}]})
    done = dial.command("call", "+971501234567", "--agent", FAKE_AGENT_ID, "--json").ends(code)
    assert done.document["certainty"] == certainty
    assert done.document["exit_code"] == code
    assert done.complaint
    assert "501234567" not in done.err
    assert dial.server.posts() == 1


# -- the exit codes of a run


def test_exit_3_failures(dial: Any, contacts: Any, tools: Any) -> None:
    """Done, but some were refused."""
    number = tools.numbers_of(3)[1]
    dial.server.fail({"numbers": [{"number": number, "fault": "status_400"}]})
    done = dial.run(contacts(3)).ends(3)
    assert "1 refused" in done.complaint
    assert "row 2: refused" in done.err


def test_exit_4_unknowns(dial: Any, contacts: Any, tools: Any) -> None:
    """Done, but one may have rung, as far as evidence goes; it is not dialed again."""
    number = tools.numbers_of(3)[1]
    dial.server.fail({"numbers": [{"number": number, "fault": "drop_before"}]})
    assert "1 unknown" in dial.run(contacts(3), "--no-wait").ends(4).complaint
    dial.server.fail({})
    assert "1 review" in dial.resume().ends(4).complaint
    assert len(dial.server.rings()) == 2
    dial.check()


@pytest.mark.parametrize("fault", ["status_401", "status_402", "status_403"])
def test_exit_5_halted(dial: Any, contacts: Any, fault: str) -> None:
    """What every further call would be answered ends the run; running it again goes on."""
    dial.server.fail({"rates": [{"rate": 1, "fault": fault}]})
    complaint = dial.run(contacts(30)).ends(5).complaint
    assert "halted" in complaint
    assert fault[-3:] in complaint
    assert dial.server.posts() <= 5
    dial.server.fail({})
    dial.resume().ends(0)
    assert len(dial.server.rings()) == 30


def test_exit_6_running(serve: Any, dial_at: Any, contacts: Any, tools: Any) -> None:
    """A second process is told who runs the campaign, and since when; status says so too."""
    dial = dial_at(serve("--latency", "0.1"))
    first = dial.start(contacts(600), "--concurrency", "2")
    tools.until(lambda: dial.server.ring_count() > 0, first)
    second = dial.run(contacts(600)).ends(6)
    assert f"process {first.pid} on " in second.complaint
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", second.complaint)
    assert dial.resume("--json").ends(6).document["exit_code"] == 6
    status = dial.status()
    assert status["running"] is True
    assert status["last_run"]["pid"] == first.pid
    assert sum(status["counts"].values()) == 600
    people = dial.command("campaign", "status", "eid", "--journal", dial.journal).ends(0)
    assert f"is being run by process {first.pid}" in people.out
    assert len(dial.rows()) == 600
    backup = ("journal", "backup", dial.journal.with_name("b.db"), "--journal", dial.journal)
    dial.command(*backup).ends(0)
    first.terminate()
    assert tools.finished(first).code == 130


def test_exit_7_nothing_now(dial: Any, contacts: Any) -> None:
    """With `--no-wait` what is deferred ends the run, which says why and until when."""
    text = "phone_number,not_before\n+971501000001,2999-01-01T00:00:00+00:00\n+971501000002,\n"
    done = dial.run(contacts(text), "--no-wait", "--json").ends(7)
    assert "next at 2999-01-01 00:00:00 UTC" in done.complaint
    assert done.document["next_at"].startswith("2999-01-01T00:00:00")
    assert done.document["counts"] == {"deferred": 1, "placed": 1}
    people = dial.command("campaign", "status", "--journal", dial.journal).ends(0)
    assert "next at 2999-01-01" in people.out


def test_one_number_in_two_campaigns(dial: Any, contacts: Any) -> None:
    """Who was called by one campaign is deferred in another, for the minimum gap."""
    dial.run(contacts(2)).ends(0)
    done = dial.run(contacts(3), "--no-wait", "--json", name="other").ends(7)
    assert [row["reason"] for row in done.document["rows"]] == ["min_gap", "min_gap", None]
    assert len(dial.server.rings()) == 3
    dial.check()
