"""How often one number may be called: days, weeks and months of a named zone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.policy.caps import Cap, free_at

DUBAI = "Asia/Dubai"


def at(text: str) -> datetime:
    """`12-01 09:00` of 2026 (January is of 2027), in Dubai."""
    year = 2027 if text.startswith("01") else 2026
    return datetime.fromisoformat(f"{year}-{text}").replace(tzinfo=clock_of(DUBAI))


DAILY = Cap(calls=1, unit="day", zone=DUBAI)
TWICE_A_DAY = Cap(calls=2, unit="day", zone=DUBAI)
IN_LONDON = Cap(calls=1, unit="day", zone="Europe/London")
WEEKLY = Cap(calls=2, unit="week", zone=DUBAI)
MONTHLY = Cap(calls=1, unit="month", zone=DUBAI)
SEVEN_DAYS = Cap(calls=2, unit="days", count=7, zone=DUBAI)
A_DAY_LONG = Cap(calls=1, unit="hours", count=24)
WHERE_THEY_ARE = Cap(calls=1, unit="day")


@pytest.mark.parametrize(
    ("cap", "calls", "now", "free"),
    [
        (DAILY, ["12-01 09:00"], "12-01 17:00", "12-02 00:00"),
        (DAILY, ["12-01 23:59"], "12-02 00:00", None),
        # It is the second of the month there four hours later.
        (IN_LONDON, ["12-01 09:00"], "12-02 01:00", "12-02 04:00"),
        (TWICE_A_DAY, ["12-01 09:00"], "12-01 17:00", None),
        (WEEKLY, ["11-30 09:00", "12-01 09:00"], "12-06 23:00", "12-07 00:00"),
        (WEEKLY, ["11-29 09:00", "12-01 09:00"], "12-02 23:00", None),
        (MONTHLY, ["12-31 09:00"], "12-31 23:00", "01-01 00:00"),
        (MONTHLY, ["12-31 09:00"], "01-01 00:00", None),
        (SEVEN_DAYS, ["12-01 09:00", "12-04 09:00"], "12-07 23:00", "12-08 00:00"),
        (SEVEN_DAYS, ["12-01 09:00", "12-04 09:00"], "12-08 00:00", None),
        (A_DAY_LONG, ["12-01 09:00"], "12-02 08:59", "12-02 09:00"),
        (A_DAY_LONG, ["12-01 09:00"], "12-02 09:00", None),
        (WHERE_THEY_ARE, ["12-01 09:00"], "12-01 10:00", "12-02 00:00"),
    ],
)
def test_when_a_cap_allows_again(cap: Cap, calls: list[str], now: str, free: str | None) -> None:
    """Each kind of cap, to the minute at which it ends."""
    found = free_at(cap, list(map(at, calls)), at(now), [DUBAI])
    assert found == (None if free is None else at(free))


def test_of_several_possible_zones_the_last_to_allow_counts() -> None:
    """A day is over when it is over in every zone that the person may be in."""
    cap = Cap(calls=1, unit="day")
    calls = [datetime(2026, 12, 1, 12, tzinfo=UTC)]
    now = datetime(2026, 12, 1, 23, tzinfo=UTC)
    found = free_at(cap, calls, now, ["Asia/Dubai", "America/New_York"])
    assert found == datetime(2026, 12, 2, 5, tzinfo=UTC)


def test_a_midnight_that_clocks_skip() -> None:
    """Where a day begins at 01:00 it begins at that instant."""
    cap = Cap(calls=1, unit="day", zone="Africa/Cairo")  # 2026-04-24 00:00 is followed by 01:00
    calls = [datetime(2026, 4, 23, 12, tzinfo=UTC)]
    found = free_at(cap, calls, calls[0] + timedelta(hours=1), [])
    assert found == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert found.astimezone(clock_of("Africa/Cairo")).isoformat() == "2026-04-24T01:00:00+03:00"


_UNITS: Any = st.sampled_from(
    [("day", 1), ("week", 1), ("month", 1), ("days", 7), ("days", 30), ("hours", 24)]
)


@given(
    calls=st.integers(1, 3),
    unit=_UNITS,
    zone=st.sampled_from(["Asia/Dubai", "Africa/Cairo", "America/New_York", "Pacific/Auckland"]),
    steps=st.lists(st.integers(1, 60), max_size=40),
)
def test_no_cap_is_ever_exceeded(
    calls: int, unit: tuple[Any, int], zone: str, steps: list[int]
) -> None:
    """Whoever calls as soon as is allowed never has more calls in a period than the cap says."""
    cap = Cap(calls=calls, unit=unit[0], count=unit[1], zone=None if unit[0] == "hours" else zone)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    made: list[datetime] = []
    for step in steps:
        now += timedelta(hours=step)
        free = free_at(cap, made, now, [zone])
        if free is not None:
            assert free > now
            # It is the first moment: a second before it is none.
            assert free_at(cap, made, free - timedelta(seconds=1), [zone]) is not None
            now = free
            assert free_at(cap, made, now, [zone]) is None
        made.append(now)
    for moment in made:
        assert sum(_together(unit, zone, moment, other) for other in made) <= calls


def _together(unit: tuple[Any, int], zone: str, one: datetime, other: datetime) -> bool:
    """Whether two calls are in one period that begins with the first one's."""
    if unit[0] == "hours":
        return timedelta() <= other - one < timedelta(hours=unit[1])
    first, second = (each.astimezone(clock_of(zone)).date() for each in (one, other))
    if unit[0] == "days":
        return timedelta() <= second - first < timedelta(days=unit[1])
    if unit[0] == "week":
        return first.isocalendar()[:2] == second.isocalendar()[:2]
    if unit[0] == "month":
        return (first.year, first.month) == (second.year, second.month)
    return first == second


def test_a_cap_in_words() -> None:
    """What a refusal says of a cap, and its code."""
    assert str(Cap(calls=1, unit="day", zone=DUBAI)) == "once a day (Asia/Dubai)"
    assert str(Cap(calls=2, unit="days", count=7)) == "2 times in any 7 days (where the person is)"
    assert str(Cap(calls=3, unit="hours", count=24)) == "3 times in any 24 hours"
    assert Cap(calls=3, unit="hours", count=24).code == "cap_24_hours"
    assert Cap(calls=1, unit="week").code == "cap_week"
