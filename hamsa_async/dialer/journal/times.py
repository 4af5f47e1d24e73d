"""How the journal writes a moment: whole milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_millis(moment: datetime) -> int:
    """Write a moment."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_moment(millis: int) -> datetime:
    """Read a moment."""
    return _EPOCH + timedelta(milliseconds=millis)
