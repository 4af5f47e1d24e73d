"""Every pack against its sources' numbers, the UAE's month, and what a pack must say of itself."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.policy import (
    NOTHING_KNOWN,
    PACKS,
    History,
    Person,
    Policy,
    find_pack,
    read_policy,
)
from hamsa_async.dialer.policy.countries import public_holidays, weekend_of
from hamsa_async.dialer.zones import zones_of
from hamsa_async.errors import ConfigurationError

NUMBERS = {
    "AE": "+971501234567",
    "SA": "+966501234567",
    "US": "+12125550123",
    "GB": "+442079460117",
    "DE": "+4930123456",
    "JO": "+962790123456",
}
CALLERS = {"AE": "+97142000000"}


def person(region: str, **more: Any) -> Person:
    usual: dict[str, Any] = {
        "phone_number": NUMBERS[region],
        "region": region,
        "zones": zones_of(NUMBERS[region]).names,
        "from_number": CALLERS.get(region, "+12025550100"),
        "consent": True,
    }
    return Person(**{**usual, **more})


def local(text: str, who: Person) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock_of(who.zones[0]))


def rules(policy: Policy, who: Person, at: datetime, history: History = NOTHING_KNOWN) -> list[str]:
    return [refusal.rule for refusal in policy.refusals(who, history, at)]


# 2026-12-01 is a Tuesday, 12-04 a Friday, 12-05 a Saturday, 12-06 a Sunday.
@pytest.mark.parametrize(
    ("pack", "region", "first", "last", "closed_days"),
    [
        ("ae_telemarketing", "AE", "09:00", "17:58", []),
        ("sa_conservative", "SA", "09:00", "19:58", ["12-04", "12-05"]),
        ("us_federal", "US", "08:00", "20:58", []),
        ("us_strict", "US", "08:00", "19:58", []),
        ("uk_marketing", "GB", "09:00", "19:58", []),
        ("eu_marketing", "DE", "09:00", "19:58", ["12-06"]),
        ("service_calls", "JO", "08:00", "20:58", []),
    ],
)
def test_the_hours_of_each_pack(
    pack: str, region: str, first: str, last: str, closed_days: list[str]
) -> None:
    """The first and the last minute of a call in each, and the days without any."""
    policy, who = read_policy([pack]), person(region)
    for day in range(1, 8):
        date_ = f"12-{day:02}"
        early, late = (local(f"2026-{date_}T{text}:00", who) for text in (first, last))
        if date_ in closed_days:
            assert "outside_hours" in rules(policy, who, local(f"2026-{date_}T12:00:00", who))
            continue
        assert rules(policy, who, early) == []
        assert rules(policy, who, late) == []
        assert rules(policy, who, early - timedelta(seconds=1)) == ["outside_hours"]
        assert rules(policy, who, late + timedelta(seconds=1)) == ["outside_hours"]


@pytest.mark.parametrize(
    ("pack", "region", "cap", "calls"),
    [
        ("ae_telemarketing", "AE", "cap_day", 1),
        ("ae_telemarketing", "AE", "cap_7_days", 2),
        ("sa_conservative", "SA", "cap_day", 3),
        ("sa_conservative", "SA", "cap_7_days", 5),
        ("us_federal", "US", "cap_30_days", 3),
        ("us_strict", "US", "cap_24_hours", 3),
        ("us_strict", "US", "cap_30_days", 3),
        ("uk_marketing", "GB", "cap_day", 3),
        ("eu_marketing", "DE", "cap_7_days", 5),
        ("service_calls", "JO", "cap_day", 3),
    ],
)
def test_the_caps_of_each_pack(pack: str, region: str, cap: str, calls: int) -> None:
    """So many calls as the sources allow, and not one more."""
    (found,) = [each for each in find_pack(pack).caps if each.code == cap]
    assert found.calls == calls


@pytest.mark.parametrize("pack", ["us_federal", "us_strict", "uk_marketing", "eu_marketing"])
def test_packs_that_ask_for_consent(pack: str) -> None:
    """Without a consent that was noted nobody is called."""
    region = {"us": "US", "uk": "GB", "eu": "DE"}[pack[:2]]
    policy = read_policy([pack])
    for consent in (None, False):
        who = person(region, consent=consent)
        (refusal, *_) = policy.refusals(who, NOTHING_KNOWN, local("2026-12-01T12:00", who))
        assert (refusal.rule, refusal.final) == ("no_consent", True)


@pytest.mark.parametrize("pack", ["ae_telemarketing", "us_federal", "us_strict"])
def test_a_register_is_good_for_31_days(pack: str) -> None:
    """An older one stops the calls, until a new one is imported."""
    who = person("AE" if pack.startswith("ae") else "US")
    at = local("2026-12-01T12:00", who)
    for days, expected in [(31, []), (32, ["register_too_old"])]:
        history = History(registers_at=at - timedelta(days=days))
        assert rules(read_policy([pack]), who, at, history) == expected
    history = History(registers_at=at - timedelta(days=40))
    judgement = read_policy([pack]).judge(who, history, at)
    assert judgement.next_at is None
    assert judgement.reason is not None
    assert "hamsa dnc import" in judgement.reason.detail


def test_the_uae_pack() -> None:
    """A local caller number, and a refusal is final."""
    policy, who = read_policy(["ae_telemarketing"]), person("AE")
    at = local("2026-12-01T12:00", who)
    for caller in ("+442079460117", "hamsa-default"):
        assert rules(policy, attrs.evolve(who, from_number=caller), at) == ["caller_number"]
    declined = History(declined_at=at - timedelta(days=300))
    assert rules(policy, who, at, declined) == ["declined"]
    assert policy.judge(who, declined, at).next_at is None


def test_once_a_day_and_twice_a_week_in_the_uae() -> None:
    """Whoever calls as soon as the rules allow, for a month, never calls more often than that."""
    policy, who = read_policy(["ae_telemarketing"]), person("AE")
    zone = clock_of("Asia/Dubai")
    now = datetime(2026, 11, 1, tzinfo=UTC)
    made: list[datetime] = []
    while now < datetime(2026, 12, 1, tzinfo=UTC):
        history = History(calls=tuple(made))
        judgement = policy.judge(who, history, now)
        if judgement.allowed:
            made.append(now)
            now += timedelta(minutes=7)
            continue
        assert judgement.next_at is not None
        assert judgement.next_at > now
        before = judgement.next_at - timedelta(seconds=1)
        assert policy.refusals(who, history, before)
        now = judgement.next_at
    days = [call.astimezone(zone).date() for call in made]
    assert len(set(days)) == len(days)
    weeks = [day.isocalendar()[:2] for day in days]
    assert all(weeks.count(week) <= 2 for week in weeks)
    for day in days:
        assert sum(timedelta() <= other - day < timedelta(days=7) for other in days) <= 2
    assert all(9 <= call.astimezone(zone).hour < 18 for call in made)
    assert [day.day for day in days] == [1, 2, 8, 9, 15, 16, 22, 23, 29, 30]  # as many as fit


def test_friday_noon_in_the_gulf() -> None:
    """The courtesy pack closes Friday noon, adds to another one, and leaves the rest to it."""
    policy, who = read_policy(["ae_telemarketing", "gulf_courtesy"]), person("AE")
    assert rules(policy, who, local("2026-12-04T11:27:59", who)) == []
    assert rules(policy, who, local("2026-12-04T11:30", who)) == ["blocked_time"]
    assert rules(policy, who, local("2026-12-04T14:00", who)) == []
    assert rules(policy, who, local("2026-12-03T12:00", who)) == []
    assert rules(policy, who, local("2026-12-04T08:00", who)) == ["outside_hours"]


def test_ramadan_is_expected_and_strictest_wins() -> None:
    """In Ramadan the courtesy pack's hours and the law's must both allow: 10:00 to 16:00."""
    policy, who = read_policy(["ae_telemarketing", "gulf_courtesy"]), person("AE")
    assert rules(policy, who, local("2027-02-15T09:30", who)) == ["outside_hours"]
    assert rules(policy, who, local("2027-02-15T10:00", who)) == []
    assert rules(policy, who, local("2027-02-15T16:30", who)) == ["outside_hours"]
    assert rules(policy, who, local("2027-02-15T21:00", who)) == ["outside_hours"]
    calendars = find_pack("gulf_courtesy").calendars
    assert calendars is not None
    for period in calendars.base.periods:
        assert "expected" in period.dates.note
        # The feast at its end, as computed, lies within a day of the last date.
        feasts = [
            day
            for day, name in sorted(public_holidays("SA").items())
            if day.year == period.dates.last.year and "Fitr" in name
        ] or [date(period.dates.last.year, period.dates.last.month, period.dates.last.day)]
        assert abs((feasts[0] - period.dates.last).days) <= 2


@pytest.mark.parametrize("name", PACKS)
def test_what_every_pack_says_of_itself(name: str) -> None:
    """Name, version, date, sources and what it leaves out: nobody should take it for more."""
    pack = find_pack(name)
    assert pack.name == name
    assert pack.title
    assert pack.version
    assert pack.not_covered
    if name != "none":
        assert pack.sources
        assert pack.checked_on is not None
        assert pack.min_gap in {timedelta(minutes=60), None}


def test_packs_whose_sources_were_not_confirmed_say_so() -> None:
    """The text that is shown first."""
    unconfirmed = {name for name in PACKS if find_pack(name).unconfirmed}
    assert unconfirmed == {
        "ae_telemarketing",
        "sa_conservative",
        "us_strict",
        "eu_marketing",
        "gulf_courtesy",
    }


def test_a_number_that_no_pack_covers_is_not_called() -> None:
    """A pack for one country allows nothing in another; an added one allows nothing alone."""
    who = person("SA")
    at = local("2026-12-01T12:00", who)
    assert rules(read_policy(["ae_telemarketing"]), who, at) == ["country_not_covered"]
    assert rules(read_policy(["ae_telemarketing", "gulf_courtesy"]), who, at) == [
        "country_not_covered"
    ]
    assert rules(read_policy(["ae_telemarketing", "sa_conservative"]), who, at) == []


def test_no_pack_but_none_calls_without_a_zone() -> None:
    """Where nobody knows the person's clock, nobody is called."""
    who = Person(phone_number="+80012345678")
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert rules(read_policy(["service_calls"]), who, at) == ["no_timezone"]
    assert rules(read_policy(["none"]), who, at) == []


def test_safety_holds_whatever_the_pack() -> None:
    """Do-not-call, a time that is over and one that has not come are judged under `none` too."""
    policy = read_policy(["none"])
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    who = person("AE", expires_at=at, not_before=at + timedelta(hours=1))
    history = History(suppressed_since=at - timedelta(days=1))
    assert rules(policy, who, at, history) == ["dnc", "expired", "not_before"]
    later = person("AE", not_before=at + timedelta(hours=1))
    assert policy.judge(later, NOTHING_KNOWN, at).next_at == at + timedelta(hours=1)


def test_the_next_moment_is_one_at_which_all_rules_allow() -> None:
    """Cap, gap, hours and courtesy are gone through until none of them says no."""
    policy, who = read_policy(["ae_telemarketing", "gulf_courtesy"]), person("AE")
    thursday = local("2026-12-03T17:00", who)
    history = History(calls=(thursday,))
    judgement = policy.judge(who, history, thursday + timedelta(minutes=5))
    assert [refusal.rule for refusal in judgement.refusals] == ["cap_day", "min_gap"]
    assert judgement.next_at == local("2026-12-04T09:00", who)
    late = person("AE", not_before=local("2026-12-04T12:00", who))
    assert policy.judge(late, history, thursday).next_at == local("2026-12-04T14:00", who)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["gulf_courtesy"], "only adds to another"),
        ([], "a policy is needed"),
        (["none", "none"], "named twice"),
        (["mars"], "there is no policy 'mars'; there is: ae_telemarketing"),
        (["nowhere.toml"], "No such file"),
    ],
)
def test_policies_that_cannot_be_meant(names: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_policy(names)


@pytest.mark.parametrize(
    ("region", "days"),
    [("SA", {4, 5}), ("EG", {4, 5}), ("AE", {5, 6}), ("MA", {5, 6}), ("IR", {4}), (None, {5, 6})],
)
def test_weekends(region: str | None, days: set[int]) -> None:
    assert weekend_of(region) == days
