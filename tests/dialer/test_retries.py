"""The table of retries: what a row means, which one decides, and when nobody is tried again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer.retries import DEFAULT_ROWS, Ended, Retries, RetryRow
from hamsa_async.errors import ConfigurationError

END = datetime(2026, 1, 1, 12, tzinfo=UTC)


def due(*rows: str, most: int = 5, draw: float = 0.0, **ended: Any) -> timedelta | None:
    """How long after its end a call is tried again."""
    table = Retries.read(rows or DEFAULT_ROWS, max_attempts=most)
    moment = table.due(Ended(at=END, **ended), draw=draw)
    return None if moment is None else moment - END


@pytest.mark.parametrize(
    ("outcome", "nth", "hours"),
    [
        ("no_answer", 1, 1),
        ("no_answer", 2, 4),
        ("no_answer", 3, None),
        ("failed", 1, 0.5),
        ("failed", 2, None),
        ("completed", 1, None),
        ("forwarded", 1, None),
        ("terminated", 1, None),
        ("unseen", 1, None),
        ("busy", 1, None),
    ],
)
def test_the_usual_table(outcome: str, nth: int, hours: float | None) -> None:
    """Nobody there: twice more. The platform failed: once. Everybody else is left alone."""
    expected = None if hours is None else timedelta(hours=hours)
    assert due(outcome=outcome, nth=nth) == expected


def test_no_more_than_the_most_attempts() -> None:
    """Whatever the table says, a contact gets so many attempts in all."""
    assert due(outcome="failed", attempts=2, most=3) is not None
    assert due(outcome="failed", attempts=3, most=3) is None


def test_jitter_makes_a_delay_longer_and_never_shorter() -> None:
    """Those that ended together do not come back together, and nobody comes back early."""
    assert due(outcome="failed", draw=1.0) == timedelta(minutes=33)
    assert due(outcome="failed", draw=0.0) == timedelta(minutes=30)


def test_the_first_row_that_fits_decides() -> None:
    """A row may ask for a short call, or for a field of the result; the first one counts."""
    rows = (
        "completed and under 5s: 30m",
        "completed and result.interest=later: 2d",
        "no_answer: never",
        "no_answer: 1h",
    )
    assert due(*rows, outcome="completed", duration=3) == timedelta(minutes=30)
    assert due(*rows, outcome="completed", duration=5) is None
    assert due(*rows, outcome="completed", duration=9, result={"interest": "Later "}) == (
        timedelta(days=2)
    )
    assert due(*rows, outcome="completed", duration=9, result={"interest": "no"}) is None
    assert due(*rows, outcome="no_answer") is None


def test_a_field_may_be_true_or_a_number() -> None:
    """What JSON holds is compared with what was typed."""
    assert due("result.again=true: 1h", outcome="completed", result={"again": True}) is not None
    assert due("result.again=1: 1h", outcome="completed", result={"again": True}) is None
    assert due("result.score=3: 1h", outcome="completed", result={"score": 3}) is not None


@pytest.mark.parametrize(
    ("value", "hours"),
    [
        ("2026-01-01T18:00:00+04:00", 2),
        ("2026-01-01T14:00:00Z", 2),
        ("2026-01-01T11:00:00Z", None),  # before the call has ended
        ("2026-01-01T14:00:00", None),  # whose time?
        ("tomorrow", None),
        (None, None),
        (17, None),
        (["2026-01-01T14:00:00Z"], None),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_a_field_may_hold_a_time_to_call_back(value: Any, hours: float | None) -> None:
    """A time that can be read in one way only is kept; anything else calls nobody."""
    expected = None if hours is None else timedelta(hours=hours)
    rows = ("completed: at result.callback_at",)
    assert due(*rows, outcome="completed", result={"callback_at": value}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no_answer",
        ": 1h",
        "no_answer: soon",
        "no_answer: 1h,",
        "no_answer: -1h",
        "no_answer and busy: 1h",
        "under x: 1h",
        "no answer: 1h",
        "completed: at noon",
    ],
)
def test_a_row_that_is_none(text: str) -> None:
    """A row that cannot be understood says so, and shows how one looks."""
    with pytest.raises(ConfigurationError, match="a row is `no_answer: 1h, 4h`, say"):
        RetryRow.read(text)


@given(st.text())
def test_whatever_is_typed(text: str) -> None:
    """A row is read or refused, and nothing else happens."""
    try:
        row = RetryRow.read(text)
    except ConfigurationError:
        return
    assert all(timedelta(0) <= delay <= timedelta(days=365) for delay in row.delays)
