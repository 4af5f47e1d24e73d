"""Who is tried again, and when: a table of outcomes and delays, read from text. Pure.

A row is a condition, a colon, and what follows:

    no_answer: 1h, 4h                      after the first such end, and after the second
    failed: 30m
    completed and under 5s: 30m            answered, and gone at once
    completed and result.interest=later: 1d
    completed: at result.callback_at       at the time that a field of the result holds
    no_answer: never

The first row that fits decides. An outcome that no row names is not tried again: whoever
answered, ended well or was refused is left alone.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import attrs

from hamsa_async.errors import ConfigurationError

DEFAULT_ROWS: Final = ("no_answer: 1h, 4h", "failed: 30m")
"""Nobody picked up: twice more. The platform failed: once more."""

_JITTER: Final = 0.1  # a delay is this share longer at the most, and never shorter
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DELAY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_LONGEST: Final = timedelta(days=365)
_OUTCOME: Final = re.compile(r"[a-z][a-z0-9_]*")
_FIELD: Final = re.compile(r"result\.(\S+?)\s*=\s*(.+)")
_AT: Final = re.compile(r"at\s+result\.(\S+)")


@attrs.frozen(kw_only=True)
class Ended:
    """What is known of a call that has ended, as far as a row may ask for it."""

    outcome: str
    at: datetime
    """When it ended."""

    duration: float | None = None
    result: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    nth: int = 1
    """How many calls to this contact have ended like this, this one included."""

    attempts: int = 1
    """How many attempts this contact has had."""

    max_attempts: int | None = None
    """The most that its row gives it; the campaign's may be fewer."""


@attrs.frozen(kw_only=True)
class RetryRow:
    """One row: for which ends it is, and when those are tried again."""

    outcome: str | None = None
    under: float | None = None
    fields: Mapping[str, str] = attrs.field(factory=dict)
    delays: tuple[timedelta, ...] = ()
    at: str | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a row.

        Raises:
            ConfigurationError: It is none.
        """
        # The colon that parts the two is the last one: a value may hold others.
        when, colon, then = text.rpartition(":")
        if not colon:
            raise _bad(text, "it has no colon")
        conditions: dict[str, Any] = {"fields": {}}
        for part in re.split(r"\s+and\s+", when.strip()):
            _read_condition(text, part.strip(), conditions)
        return cls(**conditions, **_read_delays(text, then.strip()))

    def fits(self, ended: Ended) -> bool:
        """Whether the row is for this end."""
        return (
            self.outcome in (None, ended.outcome)
            and (self.under is None or (ended.duration or 0) < self.under)
            and all(_says(ended.result, name, value) for name, value in self.fields.items())
        )


@attrs.frozen
class Retries:
    """The table of a campaign.

    Attributes:
        rows: Its rows, in order.
        max_attempts: The most attempts that a contact gets, the first one included.
    """

    rows: tuple[RetryRow, ...]
    max_attempts: int

    @classmethod
    def read(cls, rows: Iterable[str], *, max_attempts: int) -> Self:
        """Read a table.

        Raises:
            ConfigurationError: A row is none.
        """
        return cls(tuple(map(RetryRow.read, rows)), max_attempts)

    def due(self, ended: Ended, *, draw: float = 0.0) -> datetime | None:
        """When a contact is tried again whose call ended so; `None` for never.

        Args:
            ended: How its call ended.
            draw: Between 0 and 1: spreads those that ended together.
        """
        row = next((row for row in self.rows if row.fits(ended)), None)
        most = min(self.max_attempts, ended.max_attempts or self.max_attempts)
        if row is None or ended.attempts >= most:
            return None
        if row.at is not None:
            moment = _moment(ended.result.get(row.at))
            return moment if moment is not None and moment > ended.at else None
        if ended.nth > len(row.delays):
            return None
        return ended.at + row.delays[ended.nth - 1] * (1 + _JITTER * draw)


def _read_condition(text: str, part: str, conditions: dict[str, Any]) -> None:
    field = _FIELD.fullmatch(part)
    if field is not None:
        conditions["fields"][field[1]] = field[2].strip()
    elif part.startswith("under "):
        conditions["under"] = _delay(text, part.removeprefix("under ")).total_seconds()
    elif _OUTCOME.fullmatch(part.lower()) and "outcome" not in conditions:
        conditions["outcome"] = part.lower()
    else:
        raise _bad(text, f"{part!r} is no outcome, no `under 5s` and no `result.field=value`")


def _read_delays(text: str, then: str) -> dict[str, Any]:
    if then == "never":
        return {}
    at = _AT.fullmatch(then)
    if at is not None:
        return {"at": at[1]}
    return {"delays": tuple(_delay(text, part) for part in then.split(","))}


def _delay(text: str, part: str) -> timedelta:
    found = _DELAY.fullmatch(part.strip())
    if found is None:
        raise _bad(text, f"{part.strip()!r} is no time such as 30m, 1h or 2d")
    delay = timedelta(**{_UNITS[found[2]]: min(float(found[1]), _LONGEST / timedelta(seconds=1))})
    return min(delay, _LONGEST)


def _bad(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"retry {text!r}: {why}; a row is `no_answer: 1h, 4h`, say")


def _says(result: Mapping[str, Any], name: str, value: str) -> bool:
    given = result.get(name)
    if isinstance(given, bool):
        given = "true" if given else "false"
    return given is not None and str(given).strip().casefold() == value.casefold()


def _moment(given: object) -> datetime | None:
    """A time to call back, if one was said that can only be read in one way."""
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given.strip())
        return None if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
