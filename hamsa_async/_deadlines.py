"""What must end in time: one timer of the loop for all of it, and exact."""

import asyncio
import math
from collections.abc import Collection
from typing import Final, Generic, Protocol, TypeVar

# Seconds. A loop that comes later than this was held up; it is then given as much again, once.
_HELD_UP: Final = 0.1


class Watched(Protocol):
    """Something that can be told that its time is up."""

    def time_out(self) -> None:
        """Its time is up. Called once at the most."""


W = TypeVar("W", bound=Watched)


class Deadlines(Generic[W]):
    """Keeps what is under way, and tells each whose time is up.

    aiohttp's own total timeout, and a timer of the loop for each request, cost a tenth of a
    call's CPU. Nearly all of what is watched ends long before its time, so one timer looks after
    the earliest deadline that was set, and the others are looked at when it comes.

    A loop that was held up comes to its timers before it has dealt with what arrived meanwhile.
    It is given a moment for that: an answer that is here already must not be cut off unread.
    """

    def __init__(self) -> None:
        self._until: dict[W, float] = {}
        self._looks_at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._gave_time = False

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, watched: object) -> bool:
        return watched in self._until

    @property
    def under_way(self) -> Collection[W]:
        """All that is watched now, the oldest first; a copy."""
        return tuple(self._until)

    def watch(self, watched: W, until: float) -> None:
        """Watch it until it is forgotten; its time is up at `until`, on the loop's clock."""
        self._until[watched] = until
        if until < self._looks_at:
            self._arm(until)

    def forget(self, watched: W) -> None:
        """Leave it alone from now on. Idempotent."""
        self._until.pop(watched, None)

    def clear(self) -> None:
        """Leave all alone, and stop the timer."""
        self._until.clear()
        self._disarm()

    def _arm(self, moment: float) -> None:
        self._disarm()
        self._looks_at = moment
        self._timer = asyncio.get_running_loop().call_at(moment, self._look)

    def _disarm(self) -> None:
        self._looks_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        late = now - self._looks_at
        self._timer, self._looks_at = None, math.inf
        self._gave_time = late > _HELD_UP and not self._gave_time
        if self._gave_time:
            self._arm(now + _HELD_UP)
            return
        for watched in [each for each, until in self._until.items() if until <= now]:
            self._until[watched] = math.inf  # it is told once, and watched until it has ended
            watched.time_out()
        following = min(self._until.values(), default=math.inf)
        if following < self._looks_at:
            self._arm(following)
