"""How often one number may be called, and how long it is left alone. Pure.

A day, a week (from Monday) and a month are those of a *named* zone, or of the called person's
own: then, where that may be one of several, of each of them.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from hamsa_async.dialer.clocks import clock_of, midnight

Unit: TypeAlias = Literal["day", "week", "month", "days", "hours"]

_CALENDAR: Final = frozenset({"day", "week", "month"})


@attrs.frozen(kw_only=True)
class Cap:
    """So many calls to one number in so much time.

    Attributes:
        calls: The most calls.
        unit: `day`, `week` or `month` of the calendar; `days`: any so many dates in a row;
            `hours`: any so many hours.
        count: How many days or hours.
        zone: Whose calendar counts, as an IANA name; `None`: the called person's.
    """

    calls: int
    unit: Unit
    count: int = 1
    zone: str | None = None

    @property
    def code(self) -> str:
        """The refusal's code: `cap_day`, `cap_7_days`."""
        return f"cap_{self.unit}" if self.unit in _CALENDAR else f"cap_{self.count}_{self.unit}"

    @property
    def longest(self) -> timedelta:
        """How far back a call can count."""
        if self.unit == "hours":
            return timedelta(hours=self.count)
        days = {"day": 1, "week": 7, "month": 31, "days": self.count}[self.unit]
        # Its calendar may be another than the server's.
        return timedelta(days=days + 1)

    def __str__(self) -> str:
        times = "once" if self.calls == 1 else f"{self.calls} times"
        per = f"a {self.unit}" if self.unit in _CALENDAR else f"in any {self.count} {self.unit}"
        if self.unit == "hours":
            return f"{times} {per}"
        return f"{times} {per} ({self.zone or 'where the person is'})"


def free_at(
    cap: Cap, calls: Sequence[datetime], now: datetime, zones: Sequence[str]
) -> datetime | None:
    """When a cap allows a call again; `None`: it does now.

    Args:
        cap: The cap.
        calls: The moments at which the number may have rung, oldest first.
        now: The moment that is judged.
        zones: The zones that the called person may be in.
    """
    if len(calls) < cap.calls:
        return None
    if cap.unit == "hours":
        free = calls[-cap.calls] + timedelta(hours=cap.count)
        return free if free > now else None
    moments = [
        _free_in(clock_of(zone), cap, calls, now)
        for zone in ([cap.zone] if cap.zone is not None else zones)
    ]
    return max((each for each in moments if each is not None), default=None)


def _free_in(zone: ZoneInfo, cap: Cap, calls: Sequence[datetime], now: datetime) -> datetime | None:
    # The call that must be past for another one to be allowed.
    decisive = calls[-cap.calls].astimezone(zone).date()
    today = now.astimezone(zone).date()
    free = _first_date_after(decisive, cap)
    return None if free <= today else midnight(free, zone)


def _first_date_after(decisive: date, cap: Cap) -> date:
    """The first date that is not in one calendar period, or row of dates, with another."""
    if cap.unit == "week":
        return decisive + timedelta(days=7 - decisive.weekday())
    if cap.unit == "month":
        return (decisive.replace(day=1) + timedelta(days=32)).replace(day=1)
    return decisive + timedelta(days=cap.count if cap.unit == "days" else 1)
