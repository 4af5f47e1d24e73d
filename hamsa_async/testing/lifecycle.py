"""Calls that were placed, and how far each has got: a matter of the time alone."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from hamsa_async.testing.ledger import Ring
from hamsa_async.testing.orders import Order

LIVE: Final = ("PENDING", "IN_PROGRESS")
SPOKEN: Final = ("COMPLETED", "FORWARDED", "TERMINATED")
FINAL: Final = (*SPOKEN, "NO_ANSWER", "FAILED")


@attrs.frozen(kw_only=True)
class Call:
    """A call that was placed. Where it stands follows from the time alone.

    Attributes:
        ring: Its ring in the ledger.
        order: What was asked for.
        agent: The agent that speaks, in full.
        answered_at: When somebody took it.
        ended_at: When it ended.
        outcome: The status with which it ended.
        told_at: From when on its transcript and outcome are there.
        script: Statuses by the moment at which they come, in place of its own.
        recorded: What its conversation shows in place of what is made up, once it has ended.
    """

    ring: Ring
    order: Order
    agent: Mapping[str, Any] = attrs.field(repr=False)
    answered_at: datetime
    ended_at: datetime
    outcome: str
    told_at: datetime
    script: Sequence[tuple[datetime, str]] = ()
    recorded: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def created_ms(self) -> int:
        """When it rang, in milliseconds since 1970."""
        return _epoch_ms(self.ring.at)

    def status(self, now: datetime) -> str:
        """How far it has got: one of `LIVE`, or its outcome; or what the script says."""
        if self.script:
            come = [status for at, status in self.script if at <= now]
            return come[-1] if come else LIVE[0]
        if now >= self.ended_at:
            return self.outcome
        # Somebody who does not answer, and a call that fails, never get as far as talking.
        talks = self.outcome in SPOKEN
        return LIVE[talks and now >= self.answered_at]

    def updated_at(self, now: datetime) -> datetime:
        """When its status last changed."""
        moments = {"PENDING": self.ring.at, "IN_PROGRESS": self.answered_at}
        return moments.get(self.status(now), self.ended_at)

    def seconds(self, now: datetime) -> int | None:
        """How long they talked; `None` before the end."""
        if now < self.ended_at:
            return None
        talked = self.outcome not in {"NO_ANSWER", "FAILED"}
        return round((self.ended_at - self.answered_at).total_seconds()) if talked else 0


@attrs.define(eq=False)
class Calls:
    """The calls that were placed, in the order in which they rang."""

    placed: list[Call] = attrs.field(factory=list)
    by_id: dict[str, Call] = attrs.field(factory=dict)
    _times: list[int] = attrs.field(factory=list)
    _ends: list[datetime] = attrs.field(factory=list)

    def add(self, call: Call) -> None:
        """Take in a call that rings now."""
        self.placed.append(call)
        self.by_id[call.ring.call_id] = call
        self._times.append(call.created_ms)
        heapq.heappush(self._ends, call.ended_at)

    def live(self, now: datetime) -> int:
        """How many have not ended."""
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return len(self._ends)

    def between(self, start_ms: int | None, end_ms: int | None) -> Sequence[Call]:
        """Those that rang between two moments, both of them included; `None` for no bound."""
        first = 0 if start_ms is None else bisect_left(self._times, start_ms)
        last = len(self._times) if end_ms is None else bisect_right(self._times, end_ms)
        return self.placed[first:last]

    def clear(self) -> None:
        """Forget them all."""
        self.placed.clear()
        self.by_id.clear()
        self._times.clear()
        self._ends.clear()


def later(at: datetime, seconds: float) -> datetime:
    """So many seconds after a moment; infinitely many are never."""
    if seconds == float("inf"):
        return datetime.max.replace(tzinfo=UTC)
    return at + timedelta(seconds=seconds)


def _epoch_ms(at: datetime) -> int:
    # Whole numbers all the way: a float would round some moments up into the next millisecond.
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
