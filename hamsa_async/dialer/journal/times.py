"""How the journal writes a moment: whole milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)  # made once: to make it costs more than the rest


def to_millis(moment: datetime) -> int:
    """Write a moment."""
    return (moment - _EPOCH) // _MILLISECOND


def to_moment(millis: int) -> datetime:
    """Read a moment."""
    return _EPOCH + millis * _MILLISECOND
