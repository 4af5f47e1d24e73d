"""Who may send now: slots (how many at once), pace (how many a second) and gate (429).

A `Door` joins the three, one for dials and one for reads. The order is gate, slot, pace: nobody
waits at a closed gate while holding a slot, and a start that was paced goes out at once. All
waiting is first come, first served, by the ticket that a call draws once and keeps over its
tries.

The gate's way back after a 429 is AIMD, from evidence: closed until the server's `Retry-After`;
then one request at a time until one gets through; then at 0.7 of the rate that was seen to get
through, growing by 5 % a second until the next 429 or until it no longer matters. Where nothing
was seen to get through of late it starts at one a second and grows by half, to find out.
"""

import asyncio
import enum
import heapq
import math
from collections.abc import Callable
from typing import Final

import attrs

from hamsa_async._values import frozen
from hamsa_async.errors import NotSentError

LONGEST_COOLDOWN: Final = 3600.0
"""Seconds that a 429 closes the gate for at the most. A server that asks for more is asked
again then, by one request."""

_BACK_OFF: Final = 0.7  # of the rate seen to get through
_GROWTH: Final = 0.05  # of the rate, per second
_GROWTH_UNSEEN: Final = 0.5  # of the rate, per second, where no rate was seen
_LEAST_GROWTH: Final = 0.5  # starts per second, per second
_LEAST_RATE: Final = 1.0  # starts per second
_OPEN_AGAIN: Final = 1000.0  # starts per second: past it a pace bounds nothing
_LONGEST_UNASKED_COOLDOWN: Final = 60.0  # seconds
_WORTH_TELLING: Final = 1.0  # seconds by which a cool-down must grow to be told of again


class LongCooldownError(Exception):
    """The gate is closed for longer than this call may wait. Never leaves the client."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Line:
    """Those who wait, called by ticket, the lowest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, asyncio.Future[int], float]] = []
        self._joined = 0
        self._shut: Callable[[], Exception] | None = None

    def __bool__(self) -> bool:
        if self._heap:
            self._drop_gone()
        return bool(self._heap)

    async def wait(
        self, ticket: int, missed: Callable[[int], None], *, patience: float = math.inf
    ) -> int:
        """Stand in line until called; give what `call_next` said.

        Args:
            ticket: One's place.
            missed: Is told what `call_next` said if one is cancelled in the very turn of the
                loop in which one is called. It must pass the call on, or it is lost.
            patience: See `send_away_above`.

        Raises:
            Exception: What `shut` or `send_away_above` makes.
        """
        if self._shut is not None:
            raise self._shut()
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._joined += 1
        heapq.heappush(self._heap, (ticket, self._joined, waiter, patience))
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                missed(waiter.result())
            raise

    def call_next(self, word: int = 0) -> bool:
        """Call the first in line; `False` when nobody waits."""
        self._drop_gone()
        if not self._heap:
            return False
        heapq.heappop(self._heap)[2].set_result(word)
        return True

    def send_away_above(self, wait: float, reason: Callable[[], Exception]) -> None:
        """Send away those in line whose patience ends before `wait` does."""
        for _, _, waiter, patience in self._heap:
            if patience < wait and not waiter.done():
                waiter.set_exception(reason())

    def shut(self, reason: Callable[[], Exception]) -> None:
        """Send everybody away, now and later."""
        self._shut = reason
        self.send_all_away(reason)

    def send_all_away(self, reason: Callable[[], Exception]) -> None:
        """Send away those in line."""
        for _, _, waiter, _ in self._heap:
            if not waiter.done():
                waiter.set_exception(reason())
        self._heap.clear()

    def _drop_gone(self) -> None:
        while self._heap and self._heap[0][2].done():
            heapq.heappop(self._heap)


class Slots:
    """At most `limit` at once, first come first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._line = Line()

    def try_take(self) -> bool:
        """Take a slot if one is free and nobody was here first."""
        if self.taken < self.limit and not self._line:
            self.taken += 1
            return True
        return False

    async def take(self, ticket: int) -> None:
        """Wait for a slot. Cancelled or shut meanwhile, none is held."""
        if not self.try_take():
            # The slot is handed over: it is never free in between.
            await self._line.wait(ticket, lambda _: self.give_back())

    def give_back(self) -> None:
        """Hand the slot to the next in line, or free it."""
        if not self._line.call_next():
            self.taken -= 1

    def shut(self, reason: Callable[[], Exception]) -> None:
        """Send away those in line, now and later."""
        self._line.shut(reason)


class Pace:
    """Starts evenly spaced: the k-th no sooner than k/rate seconds after the first. Burst 1."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._next = -math.inf
        self._line = Line()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, ticket: int = 0) -> None:
        """Wait for one's moment, and take it. Whoever cannot use it calls `pass_on`."""
        now = asyncio.get_running_loop().time()
        if now >= self._next and not self._line:
            self._next = now + self._interval
            return
        self._schedule()
        await self._line.wait(ticket, lambda _: self.pass_on())

    def pass_on(self) -> None:
        """Leave one's moment to the next in line, or to whoever comes next."""
        if not self._line.call_next():
            self._next = asyncio.get_running_loop().time()

    def change(self, rate: float) -> None:
        """Start at another rate, counted from the last start."""
        interval = 1.0 / rate
        self._next += interval - self._interval
        self._interval = interval
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._schedule()

    def send_all_away(self, reason: Callable[[], Exception]) -> None:
        """Send away those in line."""
        self._line.send_all_away(reason)

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._next, self._come)

    def _come(self) -> None:
        """The next moment is here."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        if now >= self._next and self._line.call_next():
            # A timer is a little late. Counting from the moment meant keeps the rate; one that
            # is a whole interval late is not made up for.
            late = now - self._next
            self._next = (self._next if late < self._interval else now) + self._interval
        if self._line:
            self._schedule()


@frozen()
class RateLimited:
    """What a 429 told the gate: come back in so many seconds; `None`: it did not say."""

    retry_after: float | None


class _Phase(enum.Enum):
    OPEN = enum.auto()
    """Everybody passes."""
    PROBING = enum.auto()
    """Closed; from `_closed_until` on, one passes at a time until one gets through."""
    PACED = enum.auto()
    """One passes every `1 / _rate` seconds."""


class _Tally:
    """How many requests got through per second, of late."""

    def __init__(self) -> None:
        self._second = 0
        self._now = 0
        self._before = 0

    def count(self, now: float) -> None:
        if int(now) != self._second:
            self._roll(now)
        self._now += 1

    def best(self, now: float) -> int:
        """The better of this second and the one before."""
        self._roll(now)
        return max(self._before, self._now)

    def _roll(self, now: float) -> None:
        second = int(now)
        if second != self._second:
            self._before = self._now if second == self._second + 1 else 0
            self._second, self._now = second, 0


class Gate:
    """Open, until a 429 closes it for all; then back by evidence.

    Args:
        cooldown: Seconds that a 429 without `Retry-After` closes it for; doubled while probes
            are refused.
        on_cooldown: Told the seconds when it closes, and when that is prolonged.
    """

    def __init__(self, cooldown: float, on_cooldown: Callable[[float], None]) -> None:
        self.epoch = 0
        """Counts the closings; a request belongs to the one it passed under."""
        self._cooldown = cooldown
        self._on_cooldown = on_cooldown
        self._line = Line()
        self._phase = _Phase.OPEN
        self._closed_until = 0.0
        self._refusals_in_a_row = 0
        self._probe_out = False
        self._seen = 0.0  # the rate seen to get through, when it closed
        self._rate = _LEAST_RATE
        self._growth = _GROWTH
        self._next = 0.0
        self._tally = _Tally()
        self._timer: asyncio.TimerHandle | None = None
        self._shut = False

    @property
    def is_open(self) -> bool:
        """Whether everybody passes at once."""
        return self._phase is _Phase.OPEN

    def closed_for(self) -> float:
        """Seconds until the gate may let anybody through."""
        return max(self._closed_until - asyncio.get_running_loop().time(), 0.0)

    def lets(self, epoch: int) -> bool:
        """Whether one that passed under `epoch` may still go: no 429 came since."""
        return epoch == self.epoch and self.closed_for() == 0

    async def pass_through(self, ticket: int, *, patience: float = math.inf) -> int:
        """Wait until the gate lets this one through; give the epoch. `report` must follow.

        Raises:
            LongCooldownError: It is closed for more than `patience` seconds.
        """
        if self.is_open:
            return self.epoch
        if self.closed_for() > patience:
            raise LongCooldownError(self.closed_for())
        self._schedule()
        return await self._line.wait(
            ticket, lambda epoch: self.report(epoch, None, good=False), patience=patience
        )

    def report(self, epoch: int, limited: RateLimited | None, *, good: bool) -> None:
        """Say what came of one that passed.

        Args:
            epoch: What `pass_through` gave.
            limited: Its 429, if it got one.
            good: Whether an answer shows that it got through; else there is nothing to learn.
        """
        if limited is not None:
            self._close(epoch, limited)
            return
        now = asyncio.get_running_loop().time()
        if good:
            self._tally.count(now)
        if self._phase is _Phase.OPEN or epoch != self.epoch:
            return
        if self._phase is _Phase.PROBING:
            self._probe_out = False
            if good:
                self._begin_pacing(now)
        elif good:
            self._rate += max(_LEAST_GROWTH, self._rate * self._growth) / self._rate
        if self._phase is _Phase.PACED and self._rate >= _OPEN_AGAIN:
            self._open_wide()
        self._schedule()

    def shut(self, reason: Callable[[], Exception]) -> None:
        """Send away those who wait, now and later."""
        self._shut = True
        self._unschedule()
        self._line.shut(reason)

    def _close(self, epoch: int, limited: RateLimited) -> None:
        now = asyncio.get_running_loop().time()
        # The first 429 of those under way together closes the gate; the others only confirm it.
        # Counting each of them would cut the rate to nothing.
        first = epoch == self.epoch or self.is_open
        if first:
            self._begin_cooldown(now)
        until = now + self._seconds(limited)
        if first or until > self._closed_until + _WORTH_TELLING:
            self._on_cooldown(until - now)
        self._closed_until = max(self._closed_until, until)
        wait = self._closed_until - now
        self._line.send_away_above(wait, lambda: LongCooldownError(wait))
        self._schedule()

    def _begin_cooldown(self, now: float) -> None:
        refused_probe = self._phase is _Phase.PROBING
        self._seen = self._seen * _BACK_OFF if refused_probe else float(self._tally.best(now))
        self._phase = _Phase.PROBING
        self._probe_out = False
        self._refusals_in_a_row += 1
        self._closed_until = now
        self.epoch += 1

    def _seconds(self, limited: RateLimited) -> float:
        if limited.retry_after is not None:
            return min(limited.retry_after, LONGEST_COOLDOWN)
        doubled = self._cooldown * 2.0 ** min(self._refusals_in_a_row - 1, 16)
        return min(doubled, max(_LONGEST_UNASKED_COOLDOWN, self._cooldown))

    def _begin_pacing(self, now: float) -> None:
        self._phase = _Phase.PACED
        self._refusals_in_a_row = 0
        # Those that were under way at the closing got through meanwhile, if only just now.
        seen = max(self._seen, float(self._tally.best(now)))
        self._rate = max(_LEAST_RATE, seen * _BACK_OFF)
        self._growth = _GROWTH if seen > 1 else _GROWTH_UNSEEN  # the probe itself is one
        self._next = now + 1 / self._rate

    def _open_wide(self) -> None:
        self._phase = _Phase.OPEN
        self._unschedule()
        while self._line.call_next(self.epoch):
            pass

    def _schedule(self) -> None:
        """Arrange for the next one in line to be called when it may go."""
        if self._timer is not None or self._shut or self.is_open:
            return
        if self._phase is _Phase.PROBING and self._probe_out:
            return
        moment = self._closed_until
        if self._phase is _Phase.PACED:
            moment = max(moment, self._next)
        # A moment that is past runs in the next turn: whoever asks is in line by then.
        self._timer = asyncio.get_running_loop().call_at(moment, self._let_one_pass)

    def _unschedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_one_pass(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if now >= self._closed_until and not self.is_open:
            if not self._line.call_next(self.epoch):
                return  # the next to come schedules anew
            if self._phase is _Phase.PROBING:
                self._probe_out = True
            else:
                self._next = max(now, self._next) + 1 / self._rate
        self._schedule()


@attrs.define(eq=False)
class Pass:
    """The right to send one request. `leave` must be called exactly once."""

    _door: "Door"
    epoch: int

    def leave(self, *, limited: RateLimited | None = None, good: bool = False) -> None:
        """Give back the slot and tell the gate what came of it."""
        # The gate first: whoever gets the slot must see that it closed.
        self._door.gate.report(self.epoch, limited, good=good)
        self._door.slots.give_back()


class Door:
    """One way out of the client: its gate, its slots and, for dials, its pace."""

    def __init__(
        self,
        *,
        limit: int,
        rate: float | None,
        cooldown: float,
        on_cooldown: Callable[[float], None],
    ) -> None:
        self.slots = Slots(limit)
        self.gate = Gate(cooldown, on_cooldown)
        self._pace = Pace(rate) if rate is not None else None
        self._waited_for: set[Pace] = set()
        self._shut: Callable[[], NotSentError] | None = None

    def try_enter(self) -> Pass | None:
        """Enter without waiting, if nothing is in the way: the usual case, and the cheap one."""
        if (
            self._shut is None
            and self._pace is None
            and self.gate.is_open
            and self.slots.try_take()
        ):
            return Pass(self, self.gate.epoch)
        return None

    async def enter(
        self, ticket: int, *, pace: Pace | None = None, patience: float = math.inf
    ) -> Pass:
        """Wait for gate, slot and pace, in this order.

        Args:
            ticket: One's place in every line.
            pace: One more pace to keep, after the door's own.
            patience: The longest cool-down to wait for at the gate, in seconds.

        Raises:
            NotSentError: The door was shut meanwhile.
            LongCooldownError: The gate is closed for longer than `patience`.

        Cancellation:
            Nothing is held.
        """
        paces = [each for each in (self._pace, pace) if each is not None]
        while True:
            self._refuse_if_shut()
            epoch = await self.gate.pass_through(ticket, patience=patience)
            entered = await self._take_slot(ticket, epoch)
            try:
                await self._keep(paces, ticket)
                self._refuse_if_shut()
            except BaseException:
                entered.leave()
                raise
            if self.gate.lets(epoch):
                return entered
            # The gate closed while we waited: let go of everything and stand in line again.
            entered.leave()
            if paces:
                paces[-1].pass_on()

    async def _take_slot(self, ticket: int, epoch: int) -> Pass:
        try:
            await self.slots.take(ticket)
        except BaseException:
            self.gate.report(epoch, None, good=False)
            raise
        return Pass(self, epoch)

    async def _keep(self, paces: list[Pace], ticket: int) -> None:
        for pace in paces:
            self._waited_for.add(pace)
            await pace.wait(ticket)

    def _refuse_if_shut(self) -> None:
        if self._shut is not None:
            raise self._shut()

    def shut(self, reason: Callable[[], NotSentError]) -> None:
        """Send away everybody who has not been let out yet."""
        self._shut = reason
        self.gate.shut(reason)
        self.slots.shut(reason)
        for pace in self._waited_for:
            pace.send_all_away(reason)
