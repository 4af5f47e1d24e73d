"""When a call may start, by the called person's clock. Pure: the moment is an argument.

A *calendar* says when a phone may ring: windows by weekday, other windows in a range of dates,
closed dates, and blocked times. It is judged by what the clock in the zone shows at that
instant, so that the days on which clocks change come right by themselves: an hour that is shown
twice counts twice, and one that is never shown does not exist.

The last start lies `LAST_START` before a window ends: a phone rings for a while.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from hamsa_async.dialer.clocks import clock_of

LAST_START: Final = timedelta(minutes=2)
"""How long before a window ends the last call may start."""

HORIZON: Final = timedelta(days=370)
"""How far ahead a moment is looked for: what is closed for a year is closed."""

Span: TypeAlias = tuple[int, int]
"""A stretch of time, from and to, the latter not included: seconds of a day, or of the epoch."""

# Of several zones: where no common moment is found for two months, hours and zones do not fit.
_HORIZON_OF_MANY: Final = timedelta(days=60)

_DAY: Final = 86_400
_STEP: Final = 6 * 3600  # between looks at an offset: no zone changes twice in such a time
_MOST_KEPT: Final = 8_192

_DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ALL_DAY: Final[tuple[Span, ...]] = ((0, _DAY),)


@attrs.frozen(kw_only=True)
class Dates:
    """A range of dates, both included.

    Attributes:
        first: The first date.
        last: The last date.
        note: What it is, for people.
    """

    first: date
    last: date
    note: str = ""

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@attrs.frozen(kw_only=True)
class Week:
    """Windows by weekday, Monday first: for each day its spans, sorted."""

    days: tuple[tuple[Span, ...], ...] = (_ALL_DAY,) * 7

    def on(self, day: date) -> tuple[Span, ...]:
        """The windows of a date."""
        return self.days[day.weekday()]


@attrs.frozen(kw_only=True)
class Period:
    """Other windows in a range of dates."""

    dates: Dates
    week: Week


@attrs.frozen(kw_only=True)
class Blocked:
    """A time of day at which nobody is called.

    Attributes:
        span: The time of day.
        weekdays: On which weekdays (Monday is 0).
        dates: In which range of dates; always, without one.
        note: Why, for people.
    """

    span: Span
    weekdays: frozenset[int] = frozenset(range(7))
    dates: Dates | None = None
    note: str = ""

    def on(self, day: date) -> bool:
        """Whether it holds on a date."""
        return day.weekday() in self.weekdays and (self.dates is None or day in self.dates)


@attrs.define(kw_only=True, eq=False)
class Calendar:
    """When calls may start. Its answers are remembered; it is not changed after it was made.

    Attributes:
        week: The usual windows.
        periods: Ranges of dates with windows of their own; the first that has a date counts.
        closed: Dates on which nobody is called.
        blocked: Times of day at which nobody is called.
        spans: Instants at which nobody is called, in seconds of the epoch, with a note each.
        weekend: Weekdays on which nobody is called.
        holidays: Public holidays on which nobody is called, with their names.
    """

    week: Week = attrs.field(factory=Week)
    periods: tuple[Period, ...] = ()
    closed: tuple[Dates, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    spans: tuple[tuple[Span, str], ...] = ()
    weekend: frozenset[int] = frozenset()
    holidays: Mapping[date, str] = attrs.field(factory=dict)
    _kept: dict[tuple[str, int], tuple[Span, ...]] = attrs.field(factory=dict, init=False)
    _closed_for_good: dict[tuple[str, ...], int] = attrs.field(factory=dict, init=False)

    def may_start(self, zones: Sequence[str], at: datetime) -> bool:
        """Whether a call may start at this instant in all of these zones."""
        moment = at.timestamp()
        return all(self._next(zone, moment, moment) == moment for zone in zones)

    def next_start(self, zones: Sequence[str], at: datetime) -> datetime | None:
        """The first instant, from this one on, at which a call may start in all of the zones.

        `None`: there is none within the horizon.
        """
        horizon = HORIZON if len(zones) == 1 else _HORIZON_OF_MANY
        moment, end = at.timestamp(), at.timestamp() + horizon.total_seconds()
        key = tuple(zones)
        if self._closed_for_good.get(key) == int(moment) // _DAY:
            return None
        start: float | None = moment
        while start is not None:
            found = [self._next(zone, start, end) for zone in zones]
            latest = max((each for each in found if each is not None), default=None)
            if None in found or latest is None or latest > end:
                break
            if latest == start:
                return at if start == moment else datetime.fromtimestamp(start, UTC)
            start = latest
        self._closed_for_good[key] = int(moment) // _DAY
        return None

    def why_closed(self, zones: Sequence[str], at: datetime) -> tuple[str, str]:
        """Why no call may start at an instant: a code, and a sentence for people."""
        for zone in zones:
            if not self.may_start([zone], at):
                return self._why(zone, at)
        raise ValueError("a call may start then")

    def _why(self, zone: str, at: datetime) -> tuple[str, str]:
        local = at.astimezone(clock_of(zone))
        day, second = local.date(), _second_of(local)
        shown = f"{_DAY_NAMES[day.weekday()]} {local:%H:%M} in {zone}"
        for dates in self.closed:
            if day in dates:
                return "closed_date", f"{day} is closed{_because(dates.note)}."
        if day in self.holidays:
            return "holiday", f"{day} is a public holiday ({self.holidays[day]})."
        if day.weekday() in self.weekend:
            return "weekend", f"It is {shown}, and that day is part of the weekend."
        for blocked in self.blocked:
            start, end = blocked.span
            if blocked.on(day) and start - LAST_START.total_seconds() < second < end:
                return (
                    "blocked_time",
                    f"It is {shown}: that time is blocked{_because(blocked.note)}.",
                )
        moment = at.timestamp()
        for (start, end), note in self.spans:
            if start - LAST_START.total_seconds() < moment < end:
                return "blocked_time", f"It is {shown}: that time is blocked{_because(note)}."
        hours = ", ".join(map(show_span, self._week_of(day).on(day))) or "closed"
        minutes = LAST_START // timedelta(minutes=1)
        last = f"and the last call starts {minutes} minutes before their end"
        return "outside_hours", f"It is {shown}; the hours of that day are {hours}, {last}."

    def _next(self, zone: str, start: float, end: float) -> float | None:
        """The first moment from `start` to `end` at which a call may start in a zone."""
        day = int(start // _DAY)
        while day * _DAY <= end:
            for first, last in self._starts(zone, day):
                if last >= start:
                    return max(float(first), start)
            day += 1
        return None

    def _starts(self, zone: str, day: int) -> tuple[Span, ...]:
        """The spans of a day of the epoch in which a call may start, both ends included."""
        key = (zone, day)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[key] = tuple(self._look_up(zone, day))
        return found

    def _look_up(self, zone: str, day: int) -> Iterator[Span]:
        # A day more on each side: a window does not end where a day of UTC does.
        begin, end = (day - 1) * _DAY, (day + 2) * _DAY
        spans = joined(self._open(zone, begin, end))
        spans = without(spans, [span for span, _ in self.spans])
        margin = int(LAST_START.total_seconds())
        for first, last in spans:
            latest = last - margin if last < end else last
            if latest >= first and latest >= day * _DAY and first < (day + 1) * _DAY:
                yield max(first, day * _DAY), min(latest, (day + 1) * _DAY)

    def _open(self, zone: str, begin: int, end: int) -> Iterator[Span]:
        """The open spans in seconds of the epoch, in order, cut where the clock is changed."""
        for first, last, offset in offsets(zone, begin, end):
            day = first + offset
            for number in range(day // _DAY, (last + offset - 1) // _DAY + 1):
                midnight = number * _DAY - offset
                for start, stop in self._windows(date.fromordinal(number + _EPOCH)):
                    cut = max(midnight + start, first), min(midnight + stop, last)
                    if cut[0] < cut[1]:
                        yield cut

    def _windows(self, day: date) -> Sequence[Span]:
        """What is open on a date, in seconds of its day."""
        if (
            any(day in dates for dates in self.closed)
            or day.weekday() in self.weekend
            or day in self.holidays
        ):
            return ()
        taken = [each.span for each in self.blocked if each.on(day)]
        return without(self._week_of(day).on(day), taken)

    def _week_of(self, day: date) -> Week:
        return next((each.week for each in self.periods if day in each.dates), self.week)


_EPOCH: Final = date(1970, 1, 1).toordinal()


@functools.lru_cache(maxsize=_MOST_KEPT)
def offsets(zone: str, begin: int, end: int) -> tuple[tuple[int, int, int], ...]:
    """The stretches of a time in which a zone's clock is not changed: from, to, its offset."""
    info = clock_of(zone)
    found: list[tuple[int, int, int]] = []
    start, offset = begin, _offset(info, begin)
    at = begin
    while at < end:
        following = min(at + _STEP, end)
        later = _offset(info, following)
        if later != offset:
            change = _change(info, at, following, offset)
            found.append((start, change, offset))
            start, offset = change, later
        at = following
    found.append((start, end, offset))
    return tuple(each for each in found if each[0] < each[1])


def _change(info: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The second at which a clock is changed: the first with another offset."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(info: ZoneInfo, moment: int) -> int:
    offset = datetime.fromtimestamp(moment, info).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch made one."""
    found: list[Span] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Spans in order, less what is taken from them."""
    left = list(spans)
    for start, end in taken:
        left = [
            part
            for span in left
            for part in ((span[0], min(span[1], start)), (max(span[0], end), span[1]))
            if part[0] < part[1]
        ]
    return left


def show_span(span: Span) -> str:
    """A span of a day for people: `09:00-18:00`."""
    return "-".join(f"{second // 3600:02}:{second % 3600 // 60:02}" for second in span)


def _second_of(local: datetime) -> int:
    return local.hour * 3600 + local.minute * 60 + local.second


def _because(note: str) -> str:
    return f" ({note})" if note else ""
