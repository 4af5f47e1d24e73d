"""Whether the host can be reached, judged by requests that could not be sent."""

import asyncio
from datetime import timedelta
from typing import Final

from hamsa_async.dialer.events import EventKind

UNREACHABLE_AFTER: Final = 5
"""Requests in a row that could not be sent, before only a probe is."""

PROBE_EVERY: Final = timedelta(seconds=30)
"""How often a host is tried that cannot be reached."""


class HostWatch:
    """Counts the requests in a row that could not be sent.

    Args:
        every: The least time between two probes.
    """

    def __init__(self, *, every: timedelta) -> None:
        self._every = every.total_seconds()
        self._in_a_row = 0
        self._probe_at = 0.0

    @property
    def unreachable(self) -> bool:
        """Whether only probes may be sent."""
        return self._in_a_row >= UNREACHABLE_AFTER

    def pause(self) -> float:
        """Seconds until the next probe."""
        return max(self._probe_at - asyncio.get_running_loop().time(), 0.0)

    def probing(self) -> None:
        """A probe is about to be sent; the next one is due a period later."""
        self._probe_at = asyncio.get_running_loop().time() + self._every

    def note(self, *, sent: bool) -> EventKind | None:
        """Learn from one request; say what that changed, if anything."""
        before = self.unreachable
        self._in_a_row = 0 if sent else self._in_a_row + 1
        if self.unreachable and not before:
            self.probing()
            return EventKind.HOST_UNREACHABLE
        return EventKind.HOST_REACHABLE if before and not self.unreachable else None
