"""The server's time: it never runs backwards, whatever the clock behind it does."""

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime


class ServerClock:
    """Tells the time of a source (aware, in UTC). Where that steps back, it stands still."""

    def __init__(self, source: Callable[[], datetime]) -> None:
        self._source = source
        self._latest = source()
        self._dated = (-1, "")

    def now(self) -> datetime:
        """The time."""
        self._latest = max(self._latest, self._source())
        return self._latest

    def http_date(self) -> str:
        """The time as the `Date` header says it, put in words once a second."""
        now = self.now()
        second = int(now.timestamp())
        if self._dated[0] != second:
            self._dated = (second, format_datetime(now, usegmt=True))
        return self._dated[1]
