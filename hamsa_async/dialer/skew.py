"""How far our clock is from the server's, as one answer shows it. Pure."""

from datetime import datetime, timedelta
from typing import Final

import attrs

TOLERANCE: Final = timedelta(minutes=2)
"""How far the clocks may differ. The last call before a window ends is as far from its end."""

_RESOLUTION: Final = timedelta(seconds=1)  # a `Date` is cut to the second
_AGREED: Final = timedelta()


@attrs.frozen(kw_only=True)
class Reading:
    """One look at the server's clock.

    Attributes:
        asked_at: Our clock when it was asked.
        answered_at: Our clock when it had answered.
        said: The server's clock in between, cut to the second; `None`: it did not say.
    """

    asked_at: datetime
    answered_at: datetime
    said: datetime | None

    @property
    def ahead(self) -> timedelta | None:
        """By how much our clock is ahead, at the least; negative: behind. `None`: nobody knows.

        It is zero where the answer's way and the cut second can explain the difference.
        """
        if self.said is None:
            return None
        least = self.asked_at - (self.said + _RESOLUTION)
        most = self.answered_at - self.said
        return max(least, _AGREED) or min(most, _AGREED)

    @property
    def is_off(self) -> bool:
        """Whether the clocks are known to differ by more than may be."""
        ahead = self.ahead
        return ahead is not None and abs(ahead) > TOLERANCE

    @property
    def words(self) -> str:
        """By how much our clock is off, and in which direction."""
        ahead = self.ahead or _AGREED
        way = "ahead of" if ahead > _AGREED else "behind"
        return f"this machine's clock is {_span(abs(ahead))} {way} the server's"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2])
