"""Keeps a run to its ramp: hears what becomes of its calls, sets the pace, tells why."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from hamsa_async._limits import Pace
from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal.records import CallEnd, Settlement
from hamsa_async.dialer.machine import Happening
from hamsa_async.dialer.ramp import Ramp


def _nothing() -> None:
    return


def _nothing_over(_reason: str) -> None:
    return


class Pacer:
    """Applies a ramp to a pace.

    Args:
        ramp: Decides; its moments are the loop's.
        pace: What calls wait for.
        mark: What the canary vouches for, where one was passed or is made; see `ramp.mark_of`.
        note: Writes an event down.
        clock: What time it is (aware).

    Attributes:
        changed: Called when more may be dialed than before.
        over: Called with the reason when nobody more is to be called.
    """

    def __init__(
        self,
        ramp: Ramp,
        pace: Pace,
        *,
        mark: str | None,
        note: Callable[[EventKind, Mapping[str, Any]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._ramp = ramp
        self._pace = pace
        self._mark = mark
        self._note = note
        self._clock = clock
        self._news = asyncio.Event()
        self._told: Mapping[str, Any] = {}
        self.changed: Callable[[], None] = _nothing
        self.over: Callable[[str], None] = _nothing_over
        pace.change(ramp.rate)

    async def watch(self) -> None:
        """Judge each minute when it is over, and tell what the pace is.

        Raises:
            JournalError: It could not be written down.

        Cancellation:
            At once.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            await self.tell()
            due = self._ramp.due
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._news.wait()
            self._heed(changed=self._ramp.tick(loop.time()))

    async def tell(self) -> None:
        """Write down what the pace is and why, if that was not said yet."""
        picture = self._ramp.picture()
        if picture == self._told:
            return
        self._told = picture
        data = dict(picture)
        soonest = data.pop("soonest", None)
        if soonest is not None:
            data["until"] = (self._clock() + timedelta(seconds=soonest - _now())).isoformat()
        if self._ramp.is_over and self._mark is not None:
            data["passed"] = self._mark
        await self._note(EventKind.PACED, data)

    def has_room(self, in_hand: int) -> bool:
        """Whether one more may be begun, where so many are; else begin to look where none is."""
        if not in_hand:
            self._heed(changed=not self._ramp.has_room(0) and self._ramp.look(_now()))
        return self._ramp.has_room(in_hand)

    def settled(self, attempt_id: str, end: Settlement, *, again: bool) -> None:
        """Take note of what became of a request."""
        changed = self._ramp.settled(
            attempt_id,
            end.state,
            _now(),
            returned=end.happening is Happening.RETURNED,
            limited=end.status == 429,
            again=again,
        )
        self._heed(changed=changed)

    def found(self, attempt_id: str) -> None:
        """Take note that the call of an attempt in doubt was found."""
        self._heed(changed=self._ramp.found(attempt_id))

    def ended(self, attempt_id: str, end: CallEnd) -> None:
        """Take note of how a call ended."""
        self._heed(changed=self._ramp.ended(attempt_id, end.outcome, end.duration))

    def go_on(self) -> None:
        """Somebody has looked at the canary's calls."""
        self._heed(changed=self._ramp.go_on(_now()))

    def _heed(self, *, changed: bool) -> None:
        if not changed:
            return
        if self._ramp.verdict is not None:
            self.over(self._ramp.verdict)
        self._pace.change(self._ramp.rate)
        self._news.set()
        self.changed()


def _now() -> float:
    return asyncio.get_running_loop().time()
