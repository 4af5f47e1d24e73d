"""`hamsa dnc` and `campaign explain`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

NUMBERS = [f"+97150{1_000_000 + at}" for at in range(20)]


@pytest.fixture
def dnc(command: Any, tmp_path: Path) -> Any:
    """The command on one journal."""

    def run(name: str, *args: object) -> Any:
        return command("dnc", name, *args, "--journal", tmp_path / "journal.db")

    return run


def test_add_check_remove(dnc: Any) -> None:
    """A number is put on the list, found there, and taken off again."""
    assert (
        "2 added, 0 there already; no campaign calls them"
        in dnc("add", NUMBERS[0], "0501000001", "--country", "ae").ends(0).err
    )
    assert "1 there already" in dnc("add", NUMBERS[0], "--source", "operator").ends(0).err
    found = dnc("check", NUMBERS[0], NUMBERS[2]).ends(3)
    assert "operator since 20" in found.out
    assert "not on the list" in found.out
    assert NUMBERS[0] not in found.out + found.err
    document = dnc("check", NUMBERS[1], "--json").ends(3).document
    assert document["numbers"][0]["phone_number"] == NUMBERS[1]
    assert document["numbers"][0]["suppressed"] is True
    assert dnc("check", NUMBERS[2]).ends(0)
    dnc("add", NUMBERS[0], "--source", "letter").ends(0)
    assert "still on the list" in dnc("remove", NUMBERS[0], "--source", "letter").ends(0).err + (
        dnc("remove", NUMBERS[0]).ends(0).err
    )
    assert "was not on the list" in dnc("remove", NUMBERS[0]).ends(3).err


def test_import_export_stats(dnc: Any, command: Any, tmp_path: Path) -> None:
    """A register is taken over with its date, shown, replaced, and written out whole."""
    register = tmp_path / "tdra.txt"
    register.write_text("\n".join(NUMBERS[:5]) + "\nnobody\n")
    done = dnc("import", register, "--dated", "2026-10-01").ends(3)
    assert "5 numbers read, 5 new, 0 gone; the register is of 2026-10-01" in done.err
    assert "nobody" in (command.folder / "invalid.csv").read_text()
    register.write_text("phone\n" + "\n".join(NUMBERS[4:6]) + "\n")
    done = dnc("import", register, "--dated", "2026-10-02", "--replace").ends(0)
    assert "2 numbers read, 1 new, 4 gone" in done.err
    stats = dnc("stats", "--json").ends(0).document["sources"]
    assert [(each["source"], each["numbers"]) for each in stats] == [("tdra", 2)]
    assert stats[0]["dated_at"].startswith("2026-10-02")
    assert "2026-10-02" in dnc("stats").ends(0).out
    lines = dnc("export").ends(0).out.splitlines()
    assert lines[0] == "phone_number,source,since"
    assert [line.split(",")[:2] for line in lines[1:]] == [[n, "tdra"] for n in NUMBERS[4:6]]
    target = tmp_path / "all.csv"
    assert "2 rows written" in dnc("export", target).ends(0).err
    assert "cannot be written: File exists" in dnc("export", target).ends(2).complaint


@pytest.mark.parametrize("text", ["0501000001\n0501000002\n", f"{NUMBERS[0]}\nnobody\n", "phone\n"])
def test_a_register_that_is_not_understood_replaces_nothing(
    dnc: Any, tmp_path: Path, text: str
) -> None:
    """A forgotten --country, a bad row, an empty file: nobody is called again, no date is new."""
    register = tmp_path / "tdra.txt"
    register.write_text("\n".join(NUMBERS[:5]) + "\n")
    dnc("import", register, "--dated", "2026-10-01").ends(0)
    register.write_text(text)
    done = dnc("import", register, "--dated", "2026-10-02", "--replace").ends(3)
    assert "nobody was taken off the list" in done.complaint
    (source,) = dnc("stats", "--json").ends(0).document["sources"]
    assert source["numbers"] == 5
    assert source["dated_at"].startswith("2026-10-01")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("add",), "NUMBERS"),
        (("add", "0501234567"), "no country is given"),
        (("import", "nowhere.txt"), "no such file"),
        (("import", "-"), "not from standard input"),
        (("import", "nowhere.txt", "--dated", "yesterday"), "no date"),
        (("import", "nowhere.txt", "--dated", "2999-01-01"), "of the future"),
        (("check", "x"), "not a phone number"),
    ],
)
def test_what_cannot_be_meant(dnc: Any, args: tuple[str, ...], words: str) -> None:
    assert words in dnc(*args).ends(2).complaint


def test_without_a_journal_there_is_no_list(dnc: Any) -> None:
    assert "there is no journal" in dnc("stats").ends(2).complaint
    dnc("add", NUMBERS[0]).ends(0)
    dnc("remove", NUMBERS[0]).ends(0)
    assert "the do-not-call list is empty" in dnc("stats").ends(0).err


def test_who_is_on_the_list_is_not_called(dial: Any, contacts: Any) -> None:
    """The list is of the journal's: every campaign of it keeps to it."""
    dial.command("dnc", "add", NUMBERS[1], "--journal", dial.journal).ends(0)
    dial.run(contacts(NUMBERS[:3])).ends(0)
    assert sorted(dial.server.rings()) == [NUMBERS[0], NUMBERS[2]]
    assert [row["reason"] for row in dial.rows()] == [None, "dnc", None]


def test_explain(dial: Any, contacts: Any) -> None:
    """Every rule's verdict, and when the number may be called next; under other rules too."""
    dial.run(contacts(NUMBERS[:2])).ends(0)
    explain = ("campaign", "explain", "eid", NUMBERS[0], "--journal", dial.journal)
    done = dial.command(*explain).ends(0)
    assert "in campaign eid: done" in done.out
    assert "no  safety: minimum gap: min_gap" in done.out
    assert "may be called at" in done.out
    assert "the campaign does not call it while it is " in done.out
    assert NUMBERS[0] not in done.out
    rules = ("--policy", "ae_telemarketing", "--at", "2030-12-01T07:00:00+04:00")
    found = dial.command(*explain, *rules, "--json").ends(0).document
    assert found["allowed"] is False
    assert found["next_at"] == "2030-12-01T05:00:00+00:00"
    assert found["zones"] == ["Asia/Dubai"]
    said = {each["rule"]: each for each in found["rules"]}
    assert said["hours"]["code"] == "outside_hours"
    assert said["caps"]["allows"] is True
    dial.command("dnc", "add", NUMBERS[0], "--journal", dial.journal).ends(0)
    assert "no time frees it: dnc" in dial.command(*explain).ends(0).out
    stranger = dial.command(*explain[:3], NUMBERS[9], *explain[4:]).ends(0)
    assert "not in its list" in stranger.out
    assert "no rule is against a call now" in stranger.out
    nowhere = dial.command("campaign", "explain", "x", NUMBERS[0], "--journal", dial.journal)
    assert "no campaign 'x'" in nowhere.ends(2).complaint


def test_a_run_by_rules(dial: Any, contacts: Any) -> None:
    """What a run by packs may not do now it says, and ends with 7; nobody is called."""
    path = contacts(f"phone,not_before\n{NUMBERS[0]},2999-01-01T00:00:00Z\n+442079460117,\n")
    args = ("campaign", "run", path, "--name", "ruled", "--journal", dial.journal, "--yes")
    more = ("--agent", "x", "--rate", "none", "--no-wait", "--json")
    refused = dial.command(*args, *more, "--policy", "ae_telemarketing", "--from", "+442079460117")
    assert "must start with +971" in refused.ends(2).document["error"]
    from hamsa_async.testing import FAKE_AGENT_ID

    more = ("--agent", FAKE_AGENT_ID, "--rate", "none", "--no-wait", "--json")
    packs = ("--policy", "ae_telemarketing", "--policy", "gulf_courtesy", "--from", "+97142000000")
    done = dial.command(*args, *more, *packs).ends(7)
    assert done.document["settings"]["policy"] == ["ae_telemarketing", "gulf_courtesy"]
    assert [row["reason"] for row in done.document["rows"]] == [
        "not_before",
        "country_not_covered",
    ]
    assert dial.server.rings() == []
    # Resumed by name, the campaign keeps its rules.
    again = dial.command(
        *("campaign", "run", "--name", "ruled", "--journal", dial.journal, "--yes"),
        *("--no-wait", "--json"),
    ).ends(7)
    assert json.loads(again.out)["settings"]["policy"] == ["ae_telemarketing", "gulf_courtesy"]


def test_a_register_from_a_pipe(dnc: Any, command: Any, tools: Any, tmp_path: Path) -> None:
    """What a shell makes of `<(...)` is read once, whether it has a header or not."""
    for number, content in enumerate(["", "phone\n"]):
        pipe = tmp_path / f"pipe-{number}"
        os.mkfifo(pipe)
        journal = tmp_path / "journal.db"
        run = command.start("dnc", "import", pipe, "--source", "tdra", "--journal", journal)
        with pipe.open("w") as file:
            file.write(content + "\n".join(NUMBERS) + "\n")
        assert "20 numbers read" in tools.finished(run).ends(0).err
