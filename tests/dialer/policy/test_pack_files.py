"""Packs of one's own: what can be said in TOML, and every mistake with its line."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.policy import NOTHING_KNOWN, Person, find_pack, read_pack, read_policy
from hamsa_async.dialer.policy.pack_file import line_of
from hamsa_async.errors import ConfigurationError

HEAD = 'name = "own"\ntitle = "Mine"\nversion = "1"\ncovers = ["AE"]\n'
WHOLE = """\
name = "own"
title = "All that can be said"
version = "2"
checked_on = 2026-11-01
covers = ["AE", "SA"]
sources = [
  "a memo",
  "version = 3",
]
not_covered = ["the rest"]
unconfirmed = "hearsay"
stands_alone = true
min_gap_minutes = 30
refusal_is_final = true
caller_prefixes = ["+971"]
weekends = "closed"
holidays = "closed"

[hours]
every_day = ["09:00-12:00", "14:00-18:00"]
friday = ["09:00-11:00"]

[[period]]
from = 2027-02-08
to = 2027-03-09
note = "Ramadan"
hours.every_day = ["10:00-15:00"]

[[closed]]
date = 2026-12-02

[[closed]]
from = 2026-12-30
to = 2027-01-02
note = "inventory"

[[blocked]]
days = ["monday"]
time = "10:00-10:30"

[[cap]]
calls = 2
per = "week"
zone = "Asia/Dubai"

[consent]
required = true
max_age_days = 365

[register]
required = true
max_age_days = 31
"""


def test_all_that_can_be_said() -> None:
    """Each key is read, and means what it says."""
    pack = read_pack(WHOLE, origin="own.toml")
    assert pack.covers == {"AE", "SA"}
    assert pack.checked_on == date(2026, 11, 1)
    assert pack.min_gap == timedelta(minutes=30)
    assert (pack.consent_required, pack.consent_max_age) == (True, timedelta(days=365))
    assert (pack.register_required, pack.register_max_age) == (True, timedelta(days=31))
    assert [str(cap) for cap in pack.caps] == ["2 times a week (Asia/Dubai)"]
    assert pack.refusal_is_final
    calendar = pack.calendar_of("SA")
    assert calendar is not None
    assert calendar.weekend == {4, 5}
    assert date(2026, 9, 23) in calendar.holidays
    assert calendar is pack.calendar_of("SA")
    zone = clock_of("Asia/Riyadh")
    for text, expected in [
        ("2026-12-01T12:30", False),
        ("2026-12-01T14:00", True),
        ("2026-12-02T14:00", False),
        ("2027-01-02T14:00", False),
        ("2026-12-07T10:10", False),
        ("2027-02-09T09:30", False),
        ("2027-02-09T14:00", True),
    ]:
        at = datetime.fromisoformat(text).replace(tzinfo=zone)
        assert (text, calendar.may_start(["Asia/Riyadh"], at)) == (text, expected)


def test_consent_has_an_age() -> None:
    """One without a date, and one that is too old, are none."""
    pack = read_pack(HEAD + "[consent]\nrequired = true\nmax_age_days = 10\n", origin="own.toml")
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    from hamsa_async.dialer.policy import Policy

    for dated, rule in [
        (None, "consent_undated"),
        (at - timedelta(days=11), "consent_too_old"),
        (at - timedelta(days=9), None),
    ]:
        who = Person(phone_number="+971501234567", region="AE", consent=True, consent_at=dated)
        found = [each.rule for each in Policy((pack,)).refusals(who, NOTHING_KNOWN, at)]
        assert found == ([] if rule is None else [rule])


def test_a_register_that_must_be_there() -> None:
    """Where a pack needs a register, none is a refusal that no time mends."""
    from hamsa_async.dialer.policy import Policy

    pack = read_pack(HEAD + "[register]\nrequired = true\n", origin="own.toml")
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    who = Person(phone_number="+971501234567", region="AE")
    judgement = Policy((pack,)).judge(who, NOTHING_KNOWN, at)
    assert judgement.reason is not None
    assert (judgement.reason.rule, judgement.reason.final) == ("register_missing", False)
    assert judgement.next_at is None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("x = [", "it is no TOML"),
        ("colour = 1", "line 5: colour: there is no such key"),
        ("\n[hours]\nfriday = ['9-18']", "line 7: hours.friday: '9-18' is no window"),
        ("[hours]\nfriday = ['18:00-09:00']", "ends before it starts"),
        ("[hours]\nfriday = ['09:61-10:00']", "no time of day"),
        ("[hours]\nfriday = ['23:00-24:30']", "no time of day"),
        ("[hours]\nfriday = '09:00-18:00'", "a list is needed"),
        ("[hours]\nfriday = ['09:00-12:00', '11:00-13:00']", "overlap"),
        ("[hours]\nfryday = []", "line 6: hours.fryday: there is no such key"),
        ("hours = 3", "line 5: hours: a table is needed"),
        ("[[period]]\nfrom = 2027-01-01\nto = 2027-02-01", "line 5: period.hours: a table"),
        ("[[period]]\nfrom = 2027-03-01\nto = 2027-02-01\nhours.every_day=[]", "line 7: period.to"),
        ("[[closed]]\ndate = '2027-01-01'", "line 6: closed.date: a date is needed"),
        ("[[closed]]\ndate = 2027-01-01T00:00:00", "a date is needed"),
        ("[[closed]]\nfrom = 2027-01-01", "line 5: closed.to: is needed"),
        ("[[blocked]]\ntime = '10:00-11:00'\ndays = ['fri']", "line 7: blocked.days"),
        ("[[blocked]]\ntime = '10:00-11:00'\nfrom = 2027-01-01", "given together"),
        ("[[cap]]\ncalls = 1\nper = 'day'\n[[cap]]\ncalls = 0\nper = 'day'", "line 9: cap.calls"),
        ("[[cap]]\ncalls = true\nper = 'day'", "whole number"),
        ("[[cap]]\ncalls = 1\nper = 'fortnight'", "line 7: cap.per"),
        ("[[cap]]\ncalls = 1\nper = 'day'\nzone = 'Gulf'", "no time zone 'Gulf'"),
        ("[[cap]]\ncalls = 1\nper = '24 hours'\nzone = 'Asia/Dubai'", "leave it out"),
        ("[cap]\ncalls = 1", "tables are needed"),
        ("min_gap_minutes = 4", "never under 5 minutes"),
        ("caller_prefixes = ['971']", "no start of a number"),
        ("weekends = true", '"closed" is the only thing'),
        ("stands_alone = 'no'", "true or false"),
        ("sources = 'x'", "a list is needed"),
        ("sources = ['']", "a text is needed"),
        ("blocked_file = 'x.ics'", "only a pack from a file"),
        ("[consent]\nneeded = true", "line 6: consent.needed: there is no such key"),
    ],
)
def test_each_mistake_is_told_with_its_line(more: str, words: str) -> None:
    """What cannot be meant is refused, and a misspelt rule is not one that is not there."""
    with pytest.raises(ConfigurationError) as caught:
        read_pack(HEAD + more, origin="own.toml")
    assert str(caught.value).startswith("pack own.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("", "name: is needed"),
        (HEAD.replace('"own"', '"Own Pack"'), "line 1: name: a name has"),
        (HEAD.replace('["AE"]', '["ae"]'), "line 4: covers: 'ae' is no country"),
        (HEAD.replace('["AE"]', "[]"), "countries are needed"),
        (HEAD.replace('version = "1"\n', ""), "version: is needed"),
    ],
)
def test_mistakes_at_the_top(head: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_pack(head, origin="own.toml")
    assert words in str(caught.value)


def test_lines_of_keys() -> None:
    """The line of a key, in a table and in the right one of several."""
    assert line_of(WHOLE, ("version",)) == 3
    assert line_of(WHOLE, ("hours", "friday")) == 21
    assert line_of(WHOLE, ("closed", 1, "note")) == 35
    assert line_of(WHOLE, ("closed", 1, "nothing")) == 32
    assert line_of(WHOLE, ("period", 0, "hours", "every_day")) == 27
    assert line_of(WHOLE, ("nowhere",)) == 0


def test_a_pack_from_a_file(tmp_path: Path) -> None:
    """It is named by its path; its blocked times lie beside it."""
    (tmp_path / "prayers.csv").write_text("date,start,end,note\n2026-12-01,12:00,12:30,Dhuhr\n")
    path = tmp_path / "own.toml"
    path.write_text(HEAD + 'blocked_file = "prayers.csv"\n')
    policy = read_policy([str(path)])
    who = Person(phone_number="+971501234567", region="AE", zones=("Asia/Dubai",))
    at = datetime(2026, 12, 1, 8, 10, tzinfo=UTC)
    (refusal,) = policy.refusals(who, NOTHING_KNOWN, at)
    assert (refusal.rule, refusal.until) == ("blocked_time", at + timedelta(minutes=20))
    assert "Dhuhr" in refusal.detail
    path.write_text(HEAD.replace("own", "none"))
    with pytest.raises(ConfigurationError, match="is a pack that is shipped"):
        find_pack(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        find_pack(str(path))


ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//x//EN
BEGIN:VEVENT
UID:1
DTSTART:20261201T080000Z
DTEND:20261201T083000Z
SUMMARY:an instant
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART:20261201T150000
DURATION:PT30M
SUMMARY:their own clock
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;TZID=Asia/Riyadh:20261201T160000
DTEND;TZID=Asia/Riyadh:20261201T163000
SUMMARY:a zone's
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART;VALUE=DATE:20261202
SUMMARY:a whole day
END:VEVENT
END:VCALENDAR
"""


def test_blocked_times_from_a_calendar(tmp_path: Path) -> None:
    """Instants, times of the person's own clock, of a zone, and whole days."""
    (tmp_path / "a.ics").write_text(ICS.replace("\n", "\r\n"))
    path = tmp_path / "own.toml"
    path.write_text(HEAD + 'blocked_file = "a.ics"\n')
    calendar = find_pack(str(path)).calendar_of("AE")
    assert calendar is not None
    zone = clock_of("Asia/Dubai")
    for text, expected in [
        ("2026-12-01T11:57", True),
        ("2026-12-01T12:10", False),
        ("2026-12-01T14:00", True),
        ("2026-12-01T15:10", False),
        ("2026-12-01T16:10", True),
        ("2026-12-01T17:10", False),
        ("2026-12-02T10:00", False),
        ("2026-12-03T10:00", True),
    ]:
        at = datetime.fromisoformat(text).replace(tzinfo=zone)
        assert (text, calendar.may_start(["Asia/Dubai"], at)) == (text, expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n", "has the columns start and end"),
        ("start,end\n2026-12-01T12:00,nonsense\n", "line 2"),
        ("start,end\n2026-12-01T12:00,2026-12-01T11:00\n", "does not lie before"),
        ("start,end\n2026-12-01T12:00,2026-12-01T13:00Z\n", "both have an offset"),
        ("date,start,end\nDecember,12:00,13:00\n", "line 2"),
        (ICS.replace("DURATION:PT30M", "RRULE:FREQ=DAILY"), "'their own clock' repeats"),
        (ICS.replace("DTSTART:20261201T150000\n", ""), "has no start"),
        ("BEGIN:VCALENDAR\nnonsense", "no calendar that can be read"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_blocked_times_that_cannot_be_read(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    """The error names the file, and the line or the event."""
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "a.csv").write_bytes(data)
    path = tmp_path / "own.toml"
    path.write_text(HEAD + 'blocked_file = "a.csv"\n')
    with pytest.raises(ConfigurationError, match=words) as caught:
        find_pack(str(path))
    assert "a.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("module", "more", "words"),
    [
        ("icalendar", 'blocked_file = "a.ics"\n', r"hamsa-async\[dialer\]"),
        ("holidays", 'holidays = "closed"\n', r"hamsa-async\[holidays\]"),
    ],
)
def test_packages_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, more: str, words: str
) -> None:
    (tmp_path / "a.ics").write_text(ICS)
    path = tmp_path / "own.toml"
    path.write_text(HEAD + more)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=words):
        find_pack(str(path)).calendar_of("QA")


def test_the_pack_of_the_docs_is_one(tmp_path: Path) -> None:
    """What the guide shows can be used as it stands there, and its Python too."""
    guide = Path(__file__).parents[3] / "docs" / "howto" / "rules.md"
    text = guide.read_text(encoding="utf-8")
    _, _, toml = text.partition("```toml\n")
    (tmp_path / "prayers-dubai.ics").write_text(ICS)
    path = tmp_path / "clinic.toml"
    path.write_text(toml.partition("```")[0])
    pack = find_pack(str(path))
    assert pack.name == "clinic"
    assert [cap.code for cap in pack.caps] == ["cap_week"]
    _, _, code = text.partition("```python\n")
    exec(code.partition("```")[0], {})  # noqa: S102 - it is ours


def test_every_refusal_is_explained_in_the_docs() -> None:
    """Each code that the rules can give is in the guide's table."""
    import inspect
    import re

    from hamsa_async.dialer.policy import hours, judging

    source = inspect.getsource(judging) + inspect.getsource(hours)
    codes = set(re.findall(r'(?:refused\(\s*|rule=|return \(?\s*)"([a-z_]+)"', source))
    assert len(codes) > 15
    guide = Path(__file__).parents[3] / "docs" / "howto" / "rules.md"
    text = guide.read_text(encoding="utf-8")
    assert {code for code in codes - {"country"} if f"`{code}`" not in text} == set()
