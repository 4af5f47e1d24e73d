"""A pack's TOML -> `Pack`, every mistake with its line.

Pure but for a file of blocked times, which the pack may name.
"""

import itertools
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.policy.blocked_times import BlockedFileError, read_blocked
from hamsa_async.dialer.policy.caps import Cap
from hamsa_async.dialer.policy.countries import public_holidays
from hamsa_async.dialer.policy.hours import Blocked, Calendar, Dates, Period, Span, Week, joined
from hamsa_async.dialer.policy.pack import Calendars, Pack
from hamsa_async.errors import ConfigurationError

T = TypeVar("T")

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVERY_DAY: Final = "every_day"
_LEAST_GAP: Final = 5  # minutes
_ANYWHERE: Final = "anywhere"
_CLOSED: Final = "closed"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SPAN: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_PER: Final = re.compile(r"(\d+) (days|hours)")
_REGION: Final = re.compile(r"[A-Z]{2}")


def read_pack(text: str, *, origin: str, folder: Path | None = None) -> Pack:
    """Make a pack of its TOML.

    Args:
        text: The TOML.
        origin: How errors call it.
        folder: Where a file of blocked times is looked for that the pack names.

    Raises:
        ConfigurationError: It is no TOML, or no pack; the text says which line.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"pack {origin}: it is no TOML: {error}") from None
    top = _Table(given, (), _Place(origin, text))
    pack = _pack(top, folder)
    top.finish()
    return pack


def _pack(top: "_Table", folder: Path | None) -> Pack:
    consent, register = top.table("consent"), top.table("register")
    pack = Pack(
        name=top.take("name", _name),
        title=top.take("title", _text),
        version=top.take("version", _text),
        checked_on=top.take("checked_on", _date, None),
        sources=top.take("sources", _texts, ()),
        unconfirmed=top.take("unconfirmed", _text, None),
        not_covered=top.take("not_covered", _texts, ()),
        covers=top.take("covers", _covers),
        stands_alone=top.take("stands_alone", _flag, True),  # noqa: FBT003 - a value
        caps=tuple(map(_cap, top.tables("cap"))),
        min_gap=top.take("min_gap_minutes", _gap, None),
        consent_required=consent.take("required", _flag, False),  # noqa: FBT003 - a value
        consent_max_age=consent.take("max_age_days", _days, None),
        register_required=register.take("required", _flag, False),  # noqa: FBT003 - a value
        register_max_age=register.take("max_age_days", _days, None),
        refusal_is_final=top.take("refusal_is_final", _flag, False),  # noqa: FBT003 - a value
        caller_prefixes=top.take("caller_prefixes", _prefixes, ()),
        calendars=_calendars(top, folder),
    )
    consent.finish()
    register.finish()
    return pack


def _calendars(top: "_Table", folder: Path | None) -> Calendars | None:
    hours = top.table("hours")
    week = _week(hours)
    periods = tuple(map(_period, top.tables("period")))
    closed = tuple(map(_dates, top.tables("closed")))
    blocked = tuple(map(_blocked, top.tables("blocked")))
    more, spans = top.take("blocked_file", lambda given: _file(given, folder), ([], []))
    weekends = top.take("weekends", _closing, False)  # noqa: FBT003 - a value
    holidays = top.take("holidays", _closing, False)  # noqa: FBT003 - a value
    if not (hours.given or periods or closed or blocked or more or spans or weekends or holidays):
        return None
    calendar = Calendar(
        week=week, periods=periods, closed=closed, blocked=(*blocked, *more), spans=tuple(spans)
    )
    return Calendars(calendar, weekends, public_holidays if holidays else None)


def _week(hours: "_Table") -> Week:
    usual = hours.take(_EVERY_DAY, _spans, ((0, 86_400),))
    week = Week(days=tuple(hours.take(day, _spans, usual) for day in _DAYS))
    hours.finish()
    return week


def _period(table: "_Table") -> Period:
    week = _week(table.table("hours", needed=True))
    return Period(dates=_dates(table), week=week)


def _dates(table: "_Table") -> Dates:
    day = table.take("date", _date, None)
    if day is None:
        first, last = table.take("from", _date), table.take("to", _date)
        if first > last:
            table.fail("to", f"{last} lies before {first}")
    else:
        first = last = day
    dates = Dates(first=first, last=last, note=table.take("note", _text, ""))
    table.finish()
    return dates


def _blocked(table: "_Table") -> Blocked:
    first, last = table.take("from", _date, None), table.take("to", _date, None)
    if (first is None) != (last is None):
        table.fail("from", "from and to are given together, or neither")
    note = table.take("note", _text, "")
    blocked = Blocked(
        span=table.take("time", _span),
        weekdays=table.take("days", _weekdays, frozenset(range(7))),
        dates=None if first is None or last is None else Dates(first=first, last=last, note=note),
        note=note,
    )
    table.finish()
    return blocked


def _cap(table: "_Table") -> Cap:
    unit, count = table.take("per", _per)
    zone = table.take("zone", _zone, None)
    if zone is not None and unit == "hours":
        table.fail("zone", "hours are the same in every zone: leave it out")
    cap = Cap(calls=table.take("calls", _count), unit=unit, count=count, zone=zone)
    table.finish()
    return cap


# -- values: each gives what was meant, or raises ValueError with what is wrong


def _text(given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError("a text is needed")
    return given


def _name(given: Any) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise ValueError(
            "a name has small letters, digits and _ only, 40 at the most, and starts with a letter"
        )
    return given


def _texts(given: Any) -> tuple[str, ...]:
    return tuple(_each(_text, given))


def _each(read: Callable[[Any], T], given: Any) -> list[T]:
    if not isinstance(given, list):
        raise ValueError("a list is needed: [...]")
    return [read(each) for each in given]


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError("true or false is needed")
    return given


def _count(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError("a whole number, 1 or more, is needed")
    return given


def _days(given: Any) -> timedelta:
    return timedelta(days=_count(given))


def _gap(given: Any) -> timedelta:
    if _count(given) < _LEAST_GAP:
        raise ValueError(f"the gap between two calls is never under {_LEAST_GAP} minutes")
    return timedelta(minutes=given)


def _date(given: Any) -> date:
    if isinstance(given, datetime) or not isinstance(given, date):
        raise ValueError("a date is needed, without quotes: 2027-02-08")
    return given


def _covers(given: Any) -> frozenset[str] | None:
    if given == _ANYWHERE:
        return None
    regions = _each(_region, given)
    if not regions:
        raise ValueError(f'countries are needed: ["AE"], or "{_ANYWHERE}"')
    return frozenset(regions)


def _region(given: Any) -> str:
    if not isinstance(given, str) or not _REGION.fullmatch(given):
        raise ValueError(f"{given!r} is no country: two capital letters, such as AE")
    return given


def _prefixes(given: Any) -> tuple[str, ...]:
    prefixes = tuple(_each(_text, given))
    for prefix in prefixes:
        if not re.fullmatch(r"\+[1-9]\d*", prefix):
            raise ValueError(f'{prefix!r} is no start of a number: "+971"')
    return prefixes


def _closing(given: Any) -> bool:
    if given != _CLOSED:
        raise ValueError(f'"{_CLOSED}" is the only thing to say here')
    return True


def _zone(given: Any) -> str:
    try:
        return str(clock_of(_text(given)))
    except LookupError:
        raise ValueError(f"there is no time zone {given!r}") from None


def _per(given: Any) -> tuple[Any, int]:
    if given in {"day", "week", "month"}:
        return given, 1
    found = _PER.fullmatch(given) if isinstance(given, str) else None
    if found is None or int(found[1]) < 1:
        raise ValueError('"day", "week", "month", "7 days" or "24 hours" is needed')
    return found[2], int(found[1])


def _weekdays(given: Any) -> frozenset[int]:
    return frozenset(_each(_weekday, given))


def _weekday(given: Any) -> int:
    if given not in _DAYS:
        raise ValueError(f"{given!r} is no day: {', '.join(_DAYS)}")
    return _DAYS.index(given)


def _spans(given: Any) -> tuple[Span, ...]:
    spans = sorted(_each(_span, given))
    if any(first[1] > second[0] for first, second in itertools.pairwise(spans)):
        raise ValueError("windows of one day overlap")
    return tuple(joined(spans))


def _span(given: Any) -> Span:
    found = _SPAN.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError(f'{given!r} is no window: "09:00-18:00"')
    hour, minute, to_hour, to_minute = map(int, found.groups())
    start, end = hour * 3600 + minute * 60, to_hour * 3600 + to_minute * 60
    if minute > 59 or to_minute > 59 or end > 86_400:
        raise ValueError(f"{given!r} is no time of day: 00:00 to 24:00")
    if start >= end:
        raise ValueError(f"{given!r} ends before it starts: write two windows over midnight")
    return start, end


def _file(given: Any, folder: Path | None) -> tuple[list[Blocked], list[tuple[Span, str]]]:
    if folder is None:
        raise ValueError("only a pack from a file can name another file")
    return read_blocked(folder / _text(given))


# -- where things stand


@attrs.frozen
class _Place:
    """A pack's text, to say where a mistake is."""

    origin: str
    text: str

    def fail(self, path: tuple[str | int, ...], what: str) -> "ConfigurationError":
        line = line_of(self.text, path)
        where = f"line {line}: " if line else ""
        name = ".".join(part for part in path if isinstance(part, str))
        return ConfigurationError(f"pack {self.origin}, {where}{name}: {what}")


_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-]+)\s*\]\]?")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_.\-]+)\s*=")


def line_of(text: str, path: Iterable[str | int]) -> int:
    """The line, from 1, in which a key (or its table, where there is no key) stands; else 0."""
    names = [part for part in path if isinstance(part, str)]
    numbers = [part for part in path if isinstance(part, int)]
    table: list[str] = []
    seen: dict[str, int] = {}
    best = 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            table = header[2].split(".")
            if header[1] == "[[":
                seen[header[2]] = seen.get(header[2], -1) + 1
            in_turn = not numbers or seen.get(table[0], 0) == numbers[0]
            if table == names[: len(table)] and in_turn:
                best = best or number
                if table == names:
                    return number
            continue
        key = _KEY.match(line)
        if key is None:
            continue
        in_turn = not numbers or not table or seen.get(table[0], 0) == numbers[0]
        if [*table, *key[1].split(".")] == names and in_turn:
            return number
    return best


_NEEDED: Final = object()


@attrs.define
class _Table:
    """A table of the TOML, of which everything must be taken."""

    given: Mapping[str, Any]
    path: tuple[str | int, ...]
    place: _Place
    taken: set[str] = attrs.field(factory=set)

    def take(self, name: str, read: Callable[[Any], T], default: Any = _NEEDED) -> Any:
        """Read a value.

        Raises:
            ConfigurationError: It is missing and needed, or is not what can stand there.
        """
        self.taken.add(name)
        if name not in self.given:
            if default is _NEEDED:
                self.fail(name, "is needed")
            return default
        try:
            return read(self.given[name])
        except BlockedFileError:
            raise
        except ValueError as error:
            self.fail(name, str(error))

    def table(self, name: str, *, needed: bool = False) -> "_Table":
        """A table in this one; an empty one where there is none."""
        self.taken.add(name)
        given = self.given.get(name, {})
        if not isinstance(given, dict) or (needed and name not in self.given):
            self.fail(name, f"a table is needed: [{name}]")
        return _Table(given, (*self.path, name), self.place)

    def tables(self, name: str) -> list["_Table"]:
        """The tables of an array of them."""
        self.taken.add(name)
        given = self.given.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            self.fail(name, f"tables are needed: [[{name}]]")
        return [
            _Table(each, (*self.path, name, number), self.place)
            for number, each in enumerate(given)
        ]

    def finish(self) -> None:
        """Refuse what nobody took: a misspelt rule would be one that is not there."""
        for name in self.given:
            if name not in self.taken:
                self.fail(name, f"there is no such key; there is: {', '.join(sorted(self.taken))}")

    def fail(self, name: str, what: str) -> Any:
        """Say what is wrong, and where."""
        raise self.place.fail((*self.path, name), what)
