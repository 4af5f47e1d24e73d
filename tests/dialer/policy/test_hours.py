"""When a call may start: held against the plain definition, over all zones and clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.policy.hours import (
    HORIZON,
    LAST_START,
    Blocked,
    Calendar,
    Dates,
    Period,
    Span,
    Week,
    joined,
    offsets,
    without,
)

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
DAY = 86_400


def all_zones() -> list[str]:
    """Every zone of a place that tzdata has."""
    text = (files("tzdata") / "zoneinfo" / "zone.tab").read_text()
    return sorted(line.split("\t")[2] for line in text.splitlines() if not line.startswith("#"))


ZONES = all_zones()


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The instants at which a zone's clock is changed from 2024 to 2030, found in plain steps."""
    info = clock_of(zone)
    found = []
    at = FIRST
    while at < LAST:
        following = at + timedelta(hours=12)
        if at.astimezone(info).utcoffset() != following.astimezone(info).utcoffset():
            low, high = at, following
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                same = middle.astimezone(info).utcoffset() == low.astimezone(info).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        at = following
    return tuple(found)


CHANGING = [zone for zone in ZONES if changes(zone)]


def shows_open(windows: list[Span], zone: str, at: datetime) -> bool:
    """The definition: whether the clock in the zone shows a time within a window."""
    local = at.astimezone(clock_of(zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    return any(start <= second < end for start, end in windows)


def may_start(windows: list[Span], zone: str, at: datetime) -> bool:
    """The same for a start: open at that instant and at each until the margin is over."""
    steps = range(0, int(LAST_START.total_seconds()), 10)
    return all(shows_open(windows, zone, at + timedelta(seconds=step)) for step in steps)


def everyday(*windows: Span) -> Calendar:
    return Calendar(week=Week(days=(windows,) * 7))


def test_some_zones_change_their_clocks() -> None:
    """The search for changes finds some: otherwise the tests below would test nothing."""
    assert len(ZONES) > 400
    assert len(CHANGING) > 120
    assert {"Africa/Cairo", "Asia/Beirut", "Africa/Casablanca", "Asia/Gaza"} <= set(CHANGING)
    assert len(changes("Europe/London")) == 14


@pytest.mark.parametrize("windows", [((9 * 3600, 18 * 3600),), ((0, 2 * 3600), (82_800, DAY))])
def test_every_day_on_which_a_clock_changes(windows: tuple[Span, ...]) -> None:
    """In every zone that changes its clock, around every change: the answer is the definition's.

    A window over midnight in two parts is one: clocks are changed at midnight in some countries.
    """
    calendar = everyday(*windows)
    looked = 0
    for zone in CHANGING:
        for change in changes(zone):
            for minutes in (-1440, -181, -121, -61, -2, -1, 0, 1, 2, 59, 61, 119, 181, 1439):
                at = change + timedelta(minutes=minutes)
                expected = may_start(list(windows), zone, at)
                assert (zone, at, calendar.may_start([zone], at)) == (zone, at, expected)
                looked += 1
    assert looked > 15_000


_MINUTES = st.integers(0, 24 * 12).map(lambda count: count * 300)
_WINDOWS = (
    st.lists(st.tuples(_MINUTES, _MINUTES).map(sorted), max_size=3)
    .map(lambda found: sorted((a, b) for a, b in found if a < b))
    .map(joined)
)
_MOMENTS = st.integers(int(FIRST.timestamp()), int(LAST.timestamp()) - 1)


@settings(max_examples=300)
@given(windows=_WINDOWS, zone=st.sampled_from(ZONES), second=_MOMENTS, data=st.data())
def test_any_window_in_any_zone(windows: list[Span], zone: str, second: int, data: Any) -> None:
    """Whether a call may start, and from when on, is what the clock shows."""
    near = [int(change.timestamp()) for change in changes(zone)]
    if near and data.draw(st.booleans()):
        second = data.draw(st.sampled_from(near)) + data.draw(st.integers(-90_000, 90_000))
    at = datetime.fromtimestamp(second, UTC)
    calendar = everyday(*windows)
    assert calendar.may_start([zone], at) == may_start(windows, zone, at)
    following = calendar.next_start([zone], at)
    if following is None:
        assert all(end - start < LAST_START.total_seconds() for start, end in windows)
        return
    assert may_start(windows, zone, following)
    assert (following == at) == may_start(windows, zone, at)
    # Nothing before it would do.
    if following > at:
        assert not may_start(windows, zone, following - timedelta(seconds=1))
    between = data.draw(st.floats(0, 1)) * (following - at).total_seconds()
    if 0 < between < (following - at).total_seconds():
        assert not may_start(windows, zone, at + timedelta(seconds=int(between)))


@settings(max_examples=100)
@given(
    windows=_WINDOWS,
    zones=st.lists(st.sampled_from(ZONES), min_size=2, max_size=4, unique=True),
    second=_MOMENTS,
)
def test_all_zones_must_allow(windows: list[Span], zones: list[str], second: int) -> None:
    """With several possible zones a call may start only when each of them allows it."""
    at = datetime.fromtimestamp(second, UTC)
    calendar = everyday(*windows)
    allowed = all(may_start(windows, zone, at) for zone in zones)
    assert calendar.may_start(zones, at) == allowed
    following = calendar.next_start(zones, at)
    if following is not None:
        assert all(may_start(windows, zone, following) for zone in zones)
        assert (following == at) == allowed
        assert following - at <= HORIZON


def test_no_common_hours() -> None:
    """Zones twelve hours apart have no moment of business in common."""
    calendar = everyday((9 * 3600, 18 * 3600))
    zones = ["Pacific/Auckland", "Europe/London"]
    at = datetime(2026, 6, 1, tzinfo=UTC)
    assert calendar.next_start(zones, at) is None
    assert calendar.next_start(zones, at + timedelta(hours=1)) is None
    assert calendar.next_start(zones[:1], at) is not None


def dubai(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+04:00")


def test_the_last_start_is_two_minutes_before_the_end() -> None:
    """At 17:58:00 a call may start, a second later not; at 09:00:00 it may, before not."""
    calendar = everyday((9 * 3600, 18 * 3600))
    for text, expected in [
        ("2026-12-01T08:59:59", False),
        ("2026-12-01T09:00:00", True),
        ("2026-12-01T17:58:00", True),
        ("2026-12-01T17:58:01", False),
        ("2026-12-01T18:00:00", False),
    ]:
        assert calendar.may_start(["Asia/Dubai"], dubai(text)) is expected
    after = calendar.next_start(["Asia/Dubai"], dubai("2026-12-01T17:58:01"))
    assert after == dubai("2026-12-02T09:00:00")


def test_windows_that_touch_are_one() -> None:
    """Between two of them, and over midnight, there is no end to keep a distance from."""
    calendar = everyday((0, 3600), (3600, DAY))
    assert calendar.may_start(["Asia/Dubai"], dubai("2026-12-01T00:59:30"))
    assert calendar.may_start(["Asia/Dubai"], dubai("2026-12-01T23:59:30"))


def test_several_windows_a_day_and_days_without_any() -> None:
    """A lunch break closes, and so does a weekday without windows."""
    open_day: tuple[Span, ...] = ((9 * 3600, 12 * 3600), (14 * 3600, 18 * 3600))
    calendar = Calendar(week=Week(days=(open_day,) * 4 + ((),) * 2 + (open_day,)))
    zones = ["Asia/Riyadh"]

    def following(text: str) -> str | None:
        found = calendar.next_start(zones, datetime.fromisoformat(f"{text}+03:00"))
        return None if found is None else found.astimezone(clock_of(zones[0])).isoformat()[:16]

    assert following("2026-12-01T12:00") == "2026-12-01T14:00"
    assert following("2026-12-03T19:00") == "2026-12-06T09:00"  # Thursday to Sunday
    code, sentence = calendar.why_closed(zones, datetime(2026, 12, 4, 9, tzinfo=UTC))
    assert code == "outside_hours"
    assert "Fri 12:00" in sentence
    assert "closed" in sentence


def test_periods_closed_dates_and_blocked_times() -> None:
    """A range of dates has its own hours, a closed date has none, a blocked time is taken out."""
    ramadan = Dates(first=date(2027, 2, 8), last=date(2027, 3, 9), note="Ramadan")
    calendar = Calendar(
        week=Week(days=(((9 * 3600, 18 * 3600),),) * 7),
        periods=(Period(dates=ramadan, week=Week(days=(((10 * 3600, 15 * 3600),),) * 7)),),
        closed=(Dates(first=date(2026, 12, 2), last=date(2026, 12, 3), note="National Day"),),
        blocked=(
            Blocked(
                span=(11 * 3600 + 1800, 14 * 3600), weekdays=frozenset({4}), note="Friday prayer"
            ),
        ),
        weekend=frozenset({6}),
        holidays={date(2026, 12, 7): "Test Day"},
        spans=(
            (
                (
                    int(dubai("2026-12-08T10:00:00").timestamp()),
                    int(dubai("2026-12-08T10:30:00").timestamp()),
                ),
                "maintenance",
            ),
        ),
    )
    zones = ["Asia/Dubai"]
    for text, code, words in [
        ("2027-02-08T09:30:00", "outside_hours", "10:00-15:00"),
        ("2027-03-10T09:30:00", None, ""),
        ("2026-12-03T12:00:00", "closed_date", "National Day"),
        ("2026-12-04T11:28:00", None, ""),
        ("2026-12-04T11:29:00", "blocked_time", "Friday prayer"),
        ("2026-12-04T13:59:00", "blocked_time", "Friday prayer"),
        ("2026-12-04T14:00:00", None, ""),
        ("2026-12-06T12:00:00", "weekend", "weekend"),
        ("2026-12-07T12:00:00", "holiday", "Test Day"),
        ("2026-12-08T09:59:00", "blocked_time", "maintenance"),
        ("2026-12-08T10:30:00", None, ""),
    ]:
        at = dubai(text)
        assert (text, calendar.may_start(zones, at)) == (text, code is None)
        if code is not None:
            found, sentence = calendar.why_closed(zones, at)
            assert (text, found) == (text, code)
            assert words in sentence
        else:
            with pytest.raises(ValueError, match="may start"):
                calendar.why_closed(zones, at)
    assert calendar.next_start(zones, dubai("2026-12-01T18:00:00")) == dubai("2026-12-04T09:00:00")


def test_a_day_that_clocks_skip() -> None:
    """An hour that is never shown is none: a window within it does not exist that day."""
    zone = "Europe/London"  # 2026-03-29: 01:00 is followed by 02:00
    calendar = everyday((3600, 7200))
    at = datetime(2026, 3, 29, tzinfo=UTC)
    following = calendar.next_start([zone], at)
    assert following == datetime(2026, 3, 30, 0, tzinfo=UTC)
    # 2026-10-25: 01:00-02:00 is shown twice, and is one window of two hours.
    at = datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert calendar.next_start([zone], at) == at
    assert calendar.may_start([zone], at + timedelta(minutes=118))
    assert not calendar.may_start([zone], at + timedelta(minutes=119))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calendar forgets rather than grows."""
    from hamsa_async.dialer.policy import hours

    monkeypatch.setattr(hours, "_MOST_KEPT", 10)
    calendar = everyday((9 * 3600, 18 * 3600))
    for day in range(100):
        at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        assert calendar.may_start(["UTC"], at)
    assert len(calendar._kept) <= 10


def test_offsets_are_cut_at_the_second_of_the_change() -> None:
    """Where a clock changes is found exactly, and the stretches leave nothing out."""
    begin = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp())
    end = int(datetime(2026, 3, 31, tzinfo=UTC).timestamp())
    change = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp())
    assert offsets("Europe/London", begin, end) == ((begin, change, 0), (change, end, 3600))


_SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted), max_size=5).map(
    lambda found: sorted((a, b) for a, b in found if a < b)
)


@given(_SPANS, _SPANS)
def test_spans_are_sets_of_moments(one: list[Span], other: list[Span]) -> None:
    """Joining and taking away do with spans what they would do with the moments in them."""

    def moments(spans: list[Span]) -> set[int]:
        return {moment for start, end in spans for moment in range(start, end)}

    assert moments(joined(one)) == moments(one)
    assert moments(without(joined(one), other)) == moments(one) - moments(other)


def test_midnight_is_a_time_of_both_days() -> None:
    """A window to 24:00 ends where the next day's from 00:00 begins."""
    assert datetime.combine(date(2026, 1, 1), time()) == datetime(2026, 1, 1)  # noqa: DTZ001
    calendar = everyday((20 * 3600, DAY))
    assert not calendar.may_start(["UTC"], datetime(2026, 1, 1, 23, 59, tzinfo=UTC))
    assert calendar.may_start(["UTC"], datetime(2026, 1, 1, 23, 58, tzinfo=UTC))
