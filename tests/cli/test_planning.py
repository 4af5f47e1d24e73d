"""`campaign check` and `campaign plan`: a list before anybody is called, without a key."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.testing import FAKE_AGENT_ID

LIST = """\
الجوال,الاسم,not_after
+971501234567,سارة,
+971501234568,عمر,2026-12-01T08:00:00+04:00
0501234569,x,
+971501234567,again,
+966501234567,y,
"""
PACK = ("--policy", "ae_telemarketing")
FROM = ("--from", "+97142000000")
AT = ("--at", "2026-12-01T07:00:00+04:00")


def test_check_says_what_was_read(command: Any, contacts: Any) -> None:
    """Columns, states and reasons; numbers are nowhere but in invalid.csv."""
    done = command("campaign", "check", contacts(LIST)).ends(0)
    assert "column 'الجوال' is taken for phone_number" in done.err
    assert "duplicate_in_file" in done.out
    assert "needs_country" in done.out
    assert "1234567" not in done.out + done.err
    assert "0501234569" in (command.folder / "invalid.csv").read_text()


def test_check_for_programs(command: Any, contacts: Any) -> None:
    """One document, and exit code 3 where something is found and --strict is given."""
    done = command("campaign", "check", contacts(LIST), "--json", "--strict").ends(3)
    found = done.document
    assert found["rows"] == 5
    assert found["columns"]["phone_number"] == "الجوال"
    assert {"state": "invalid", "reason": "needs_country", "count": 1} in found["states"]
    assert found["agent"] is None
    assert found["exit_code"] == 3
    good = contacts("phone\n+971501234567\n")
    assert command("campaign", "check", good, "--strict", "--json").ends(0).document["rows"] == 1


def test_check_by_rules(command: Any, contacts: Any) -> None:
    """With packs it says what they make of the list at a moment."""
    done = command("campaign", "check", contacts(LIST), *PACK, *FROM, *AT, "--json").ends(0)
    states = {(each["state"], each["reason"]): each["count"] for each in done.document["states"]}
    assert states == {
        ("deferred", "outside_hours"): 1,
        ("expired", "expired"): 1,
        ("invalid", "needs_country"): 1,
        ("skipped", "duplicate_in_file"): 1,
        ("skipped", "country_not_covered"): 1,
    }


def test_plan_for_programs(command: Any, contacts: Any) -> None:
    """JSON lines, one a contact, times in UTC; the summary is for people, on stderr."""
    done = command("campaign", "plan", contacts(LIST), *PACK, *FROM, *AT, "--json").ends(0)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["row"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[0]["phone_number"] == "+971501234567"
    assert lines[0]["first_call_at"] == "2026-12-01T05:00:00Z"
    assert (lines[0]["state"], lines[0]["reason"]) == ("deferred", "outside_hours")
    assert lines[0]["zone"] == "Asia/Dubai"
    assert [line["state"] for line in lines[1:]] == ["expired", "invalid", "skipped", "skipped"]
    assert all(line["first_call_at"] is None for line in lines[1:])
    assert "fit today" in done.err


def test_plan_for_people(command: Any, contacts: Any) -> None:
    """Who, how many today, when it ends, what it costs at the most, and bars over the hours."""
    path = contacts([f"+97150{1_000_000 + at}" for at in range(5000)])
    done = command(
        *("campaign", "plan", path, *PACK, *FROM, "--call-length", "60"),
        *("--live-calls", "none", "--price-per-minute", "0.25", "--canary", "0"),
        *("--at", "2026-12-01T16:58:00+04:00"),
    ).ends(0)
    assert "5000 of 5000 rows" in done.out
    assert "fit today       3601" in done.out
    assert "last call       2026-12-02 09:23:18 +0400" in done.out
    assert "cost ceiling    12500.00: 5000 calls of 600 s at the longest, 2.50 each" in done.out
    assert "about 60 at once" in done.out
    assert "2026-12-01 17:00 ████████████████████████████████████████ 3481" in done.out
    assert "2026-12-02 09:00 " in done.out
    assert "Asia/Dubai" in done.out
    assert "Read in the ministry's and law firms' summaries" in done.err


def test_plan_counts_the_canary(command: Any, contacts: Any) -> None:
    """Five calls, two minutes for a look, and a rate that climbs; or not, as for a run."""
    path = contacts([f"+97150{1_000_000 + at}" for at in range(200)])
    begin = datetime.fromisoformat("2026-12-01T10:00:00+04:00")

    def seconds(*more: str) -> list[float]:
        done = command(
            *("campaign", "plan", path, *PACK, *FROM, "--at", begin.isoformat(), "--json"),
            *("--rate", "4", "--live-calls", "none", *more),
        ).ends(0)
        starts = (json.loads(line)["first_call_at"] for line in done.out.splitlines())
        return [(datetime.fromisoformat(each) - begin).total_seconds() for each in starts]

    usual = seconds()
    assert usual[:7] == [0, 1, 2, 3, 4, 124, 125]
    # A clean minute later it is two a second, and after another one four.
    assert usual[60:70] == [*(179.0 + at for at in range(6)), 184.5, 185.0, 185.5, 186.0]
    assert usual[199] - usual[195] == 1.0
    assert seconds("--canary", "0", "--ramp", "off")[:3] == [0, 0.25, 0.5]
    assert seconds("--ramp", "off", "--canary", "2")[:4] == [0, 0.25, 120.25, 120.5]


def test_several_packs_and_one_of_ones_own(command: Any, contacts: Any, tmp_path: Path) -> None:
    """The strictest wins, and a caller number that is not known is said not to be judged."""
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ntitle = "x"\nversion = "1"\ncovers = "anywhere"\n'
        '[hours]\nevery_day = ["13:00-14:00"]\n'
    )
    path = contacts("phone\n+971501234567\n")
    done = command("campaign", "plan", path, *PACK, "--policy", own, *AT, "--json").ends(0)
    assert json.loads(done.out)["first_call_at"] == "2026-12-01T09:00:00Z"
    assert "without --from the caller number is not judged" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--policy is needed"),
        (("--policy", "gulf_courtesy"), "name one besides"),
        (("--policy", "mars"), "there is no policy"),
        (("--policy", "none", "--at", "2026-12-01T07:00"), "in which zone"),
        (("--policy", "none", "--at", "tomorrow"), "--at"),
        (("--policy", "none", "--rate", "0"), "--rate"),
        (("--policy", "none", "--call-length", "0"), "--call-length"),
        (("--policy", "none", "--live-calls", "0"), "--live-calls"),
        (("--policy", "none", "--price-per-minute", "-1"), "price_per_minute"),
    ],
)
def test_plans_that_cannot_be_made(
    command: Any, contacts: Any, options: tuple[str, ...], words: str
) -> None:
    assert words in command("campaign", "plan", contacts(1), *options).ends(2).complaint


def test_an_unusable_list(command: Any, contacts: Any) -> None:
    """An error in a line, whichever command reads it."""
    for name in ("check", "plan"):
        done = command("campaign", name, contacts("city\nDubai\n"), "--policy", "none").ends(2)
        assert "no column has the phone numbers" in done.complaint


def test_the_agent_is_compared_where_there_is_a_key(
    command: Any, contacts: Any, server: Any
) -> None:
    """Without a key that is skipped with a notice; with one, what is missing is said."""
    path = contacts("phone,town\n+971501234567,Dubai\n")
    without = command("campaign", "check", path, "--agent", FAKE_AGENT_ID).ends(0)
    assert "the agent was not read: there is no API key" in without.err
    astray = command.with_env(HAMSA_API_KEY="x", HAMSA_REGION="mars")
    assert "no Hamsa region 'mars'" in astray("campaign", "check", path, "--agent", "x").ends(0).err
    there = command.with_env(**server.env)
    done = there("campaign", "check", path, "--agent", FAKE_AGENT_ID, "--json").ends(0)
    assert done.document["agent"] is not None
    unread = there("campaign", "check", path, "--agent", "nobody").ends(0)
    assert "the agent was not read" in unread.err


def test_strict_finds_something(command: Any, contacts: Any) -> None:
    """A bad row, or an agent that was not compared, is a finding of a check and of a plan."""
    good = contacts("phone\n+971501234567\n")
    bad = contacts("phone\n+971501234567\nx\n", "bad.csv")
    for name, *more in (("check",), ("plan", "--policy", "none")):
        command("campaign", name, good, *more, "--strict").ends(0)
        command("campaign", name, bad, *more).ends(0)
        command("campaign", name, bad, *more, "--strict").ends(3)
        command("campaign", name, good, *more, "--strict", "--agent", "x").ends(3)


def test_arabic_in_a_terminal(command: Any, contacts: Any, terminal: Any) -> None:
    """Headers and names come out as letters, nothing that turns the line round."""
    path = contacts("\u202bالجوال\u202c,الاسم\n+971501234567,سارة\n")
    code, out = terminal(command, "campaign", "check", path, columns=60).to_the_end()
    assert code == 0
    assert "الجوال" in out
    assert "\u202b" not in out


def test_check_knows_what_time_it_is_without_rules(command: Any, contacts: Any) -> None:
    """Whose time has run out is not to be called; whose time has come is."""
    path = contacts(
        "phone,not_before,not_after\n"
        "+971501234567,,2026-12-01T08:00:00+04:00\n"
        "+971501234568,2026-12-01T07:30:00+04:00,\n"
    )

    def states(moment: str) -> list[tuple[str, str | None]]:
        found = command("campaign", "check", path, "--at", moment, "--json").ends(0).document
        return sorted((each["state"], each["reason"]) for each in found["states"])

    assert states("2026-12-01T07:00:00+04:00") == [("deferred", "not_before"), ("pending", None)]
    assert states("2026-12-01T09:00:00+04:00") == [("expired", "expired"), ("pending", None)]


def test_what_no_rule_judges_is_refused(command: Any, contacts: Any) -> None:
    """A caller number says nothing without packs, so that nobody takes it for judged."""
    done = command("campaign", "check", contacts(1), *FROM).ends(2)
    assert "--from is judged by packs: give --policy" in done.complaint


def test_a_plan_of_nobody(command: Any, contacts: Any) -> None:
    """There is no zone in which most of nobody are."""
    done = command("campaign", "plan", contacts("phone,dnc\n+971501234567,yes\n"), *PACK).ends(0)
    assert "most of them" not in done.out
    assert "0 of 1 rows" in done.out


def test_agents_of_rows_are_compared_too(command: Any, contacts: Any, server: Any) -> None:
    """One that is not there is named before anybody is called."""
    there = command.with_env(**server.env)
    path = contacts("phone,name,agent_id\n+971501234567,x,\n+971501234568,x,gone\n")
    done = there("campaign", "check", path, "--agent", FAKE_AGENT_ID).ends(0)
    assert "there is no agent 'gone', and row 2 names it" in done.err
    found = there("campaign", "check", path, "--agent", FAKE_AGENT_ID, "--json", "--strict")
    (named,) = found.ends(3).document["named_agents"]
    assert (named["agent"], named["is_missing"], named["rows"]) == ("gone", True, 1)
