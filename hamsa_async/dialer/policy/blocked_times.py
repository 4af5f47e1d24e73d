"""Blocked times from a file, such as a prayer timetable: CSV, or a calendar (ICS).

A time without an offset is one of the called person's clock; one with an offset, or with a zone
in a calendar, is an instant.
"""

import csv
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from hamsa_async.dialer.policy.hours import Blocked, Dates, Span
from hamsa_async.errors import ConfigurationError

_DAY: Final = 86_400
_CSV_SHAPE: Final = (
    "a CSV of blocked times has the columns start and end (ISO times), or date, start and end"
    " (13:05), and perhaps note"
)


class BlockedFileError(ConfigurationError):
    """A file of blocked times cannot be used; the text says which line of it."""


def read_blocked(path: Path) -> tuple[list[Blocked], list[tuple[Span, str]]]:
    """Read blocked times: those of the called person's clock, and instants.

    Raises:
        BlockedFileError: It cannot be read, or says what is no time.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BlockedFileError(f"blocked times {str(path)!r} cannot be read: {what}") from None
    is_calendar = text.lstrip().upper().startswith("BEGIN:VCALENDAR")
    entries = _of_calendar(text) if is_calendar else _of_csv(text)
    blocked: list[Blocked] = []
    spans: list[tuple[Span, str]] = []
    try:
        for start, end, note in entries:
            if start.tzinfo is None:
                blocked += _local(start, end, note)
            else:
                spans.append(((int(start.timestamp()), int(end.timestamp())), note))
    except ValueError as error:
        raise BlockedFileError(f"blocked times {str(path)!r}: {error}") from None
    return blocked, spans


def _local(start: datetime, end: datetime, note: str) -> Iterator[Blocked]:
    """A stretch of the called person's clock, day by day."""
    day = start.date()
    while day <= end.date():
        first = _seconds(start) if day == start.date() else 0
        last = _seconds(end) if day == end.date() else _DAY
        if first < last:
            yield Blocked(span=(first, last), dates=Dates(first=day, last=day), note=note)
        day += timedelta(days=1)


def _seconds(moment: datetime) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _checked(start: datetime, end: datetime, note: str) -> tuple[datetime, datetime, str]:
    if (start.tzinfo is None) != (end.tzinfo is None):
        raise ValueError("start and end must both have an offset, or neither")
    if start >= end:
        raise ValueError(f"start {start} does not lie before end {end}")
    return start, end, note


def _of_csv(text: str) -> Iterator[tuple[datetime, datetime, str]]:
    reader = csv.DictReader(text.splitlines())
    names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
    if not {"start", "end"} <= set(names):
        raise ValueError(_CSV_SHAPE)
    for row in reader:
        cells = {name: (row[header] or "").strip() for name, header in names.items()}
        try:
            day = date.fromisoformat(cells["date"]) if "date" in names else None
            start, end = (_moment(cells[name], day) for name in ("start", "end"))
            yield _checked(start, end, cells.get("note", ""))
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None


def _moment(text: str, day: date | None) -> datetime:
    if day is None:
        return datetime.fromisoformat(text)
    return datetime.combine(day, time.fromisoformat(text))


def _of_calendar(text: str) -> Iterator[tuple[datetime, datetime, str]]:
    for event in _events(text):
        note = str(event.get("SUMMARY", ""))
        name = repr(note) if note else "an event without a name"
        if "RRULE" in event or "RDATE" in event:
            raise ValueError(f"{name} repeats: export the calendar with each event by itself")
        try:
            yield _checked(*_times(event), note)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def _events(text: str) -> Iterator[Any]:
    try:
        import icalendar  # noqa: PLC0415 - most packs have no calendar
    except ImportError:
        raise BlockedFileError(
            "calendars need the package icalendar, which is not installed:"
            " pip install 'hamsa-async[dialer]'"
        ) from None
    try:
        yield from icalendar.Calendar.from_ical(text).walk("VEVENT")
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(f"it is no calendar that can be read ({error})") from None


def _times(event: Any) -> tuple[datetime, datetime]:
    if "DTSTART" not in event:
        raise ValueError("it has no start")
    start = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
    elif "DURATION" in event:
        end = start + event["DURATION"].dt
    else:
        end = start + timedelta(days=1)
    return _as_moment(start), _as_moment(end)


def _as_moment(given: date | datetime) -> datetime:
    return given if isinstance(given, datetime) else datetime.combine(given, time())
