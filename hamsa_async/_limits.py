"""Who may send now: slots (how many at once), pace (how many a second) and gate (429).

A `Door` joins the three, one for dials and one for reads. The order is gate, slot, pace: nobody
waits at a closed gate while holding a slot, and a start that was paced goes out at once. All
waiting is first come, first served, by the ticket that a call draws once and keeps over its
tries.

The gate's way back after a 429 is AIMD, from evidence: closed until the server's `Retry-After`;
then one request at a time until one gets through; then at 0.7 of the rate that was seen to get
through, growing by 5 % a second until the next 429 or until it no longer matters.
"""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final

import attrs

from hamsa_async.errors import NotSentError

_BACK_OFF: Final = 0.7  # of the rate seen to get through
_GROWTH: Final = 0.05  # of the rate, per second
_LEAST_GROWTH: Final = 0.5  # starts per second, per second
_LEAST_RATE: Final = 1.0  # starts per second
_OPEN_AGAIN: Final = 1000.0  # starts per second: past it a pace bounds nothing
_LONGEST_UNASKED_COOLDOWN: Final = 60.0  # seconds


class CalledWhileLeaving(asyncio.CancelledError):
    """Cancelled in the same turn of the loop in which one's turn came: it must be passed on."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch


class Line:
    """Those who wait, called by ticket, the lowest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, asyncio.Future[int]]] = []
        self._joined = 0
        self._shut: Callable[[], Exception] | None = None

    def __bool__(self) -> bool:
        self._drop_gone()
        return bool(self._heap)

    async def wait(self, ticket: int) -> int:
        """Stand in line until called; give what `call_next` said.

        Raises:
            Exception: What `shut` makes, when the line is shut.
            CalledWhileLeaving: Cancelled and called at once.
        """
        if self._shut is not None:
            raise self._shut()
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._joined += 1
        heapq.heappush(self._heap, (ticket, self._joined, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                raise CalledWhileLeaving(waiter.result()) from None
            waiter.cancel()
            raise

    def call_next(self, epoch: int) -> bool:
        """Call the first in line; `False` when nobody waits."""
        self._drop_gone()
        if not self._heap:
            return False
        heapq.heappop(self._heap)[2].set_result(epoch)
        return True

    def shut(self, reason: Callable[[], Exception]) -> None:
        """Send everybody away, now and later."""
        self._shut = reason
        for _, _, waiter in self._heap:
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
        if self.try_take():
            return
        try:
            await self._line.wait(ticket)  # the slot is handed over, never freed in between
        except CalledWhileLeaving:
            self.give_back()
            # asyncio.timeout() knows a plain CancelledError only.
            raise asyncio.CancelledError from None

    def give_back(self) -> None:
        """Hand the slot to the next in line, or free it."""
        if not self._line.call_next(0):
            self.taken -= 1

    def shut(self, reason: Callable[[], Exception]) -> None:
        """Send away those in line."""
        self._line.shut(reason)


class Pace:
    """Starts evenly spaced: the k-th no sooner than k/rate seconds after the first. Burst 1."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for one's moment. A moment that is given up is lost, never bunched up later."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        moment = max(now, self._next)
        self._next = moment + self._interval
        if moment > now:
            await asyncio.sleep(moment - now)


@attrs.frozen
class RateLimited:
    """What a 429 told the gate: come back in so many seconds; `None`: it did not say."""

    retry_after: float | None


class Gate:
    """Open, until a 429 closes it for all; then back by evidence."""

    def __init__(self, cooldown: float, on_cooldown: Callable[[float], None]) -> None:
        self._cooldown = cooldown
        self._on_cooldown = on_cooldown
        self._line = Line()
        self._open = True
        self._closed_until = 0.0
        self.epoch = 0
        """Counts the closings; a request belongs to the one it passed under."""
        self._refusals_in_a_row = 0
        self._probing = False
        self._probe_out = False
        self._rate = 0.0
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._good_now = 0
        self._good_before = 0
        self._good_at_close = 0

    @property
    def is_open(self) -> bool:
        """Whether everybody passes at once."""
        return self._open

    def closed_for(self) -> float:
        """Seconds until the gate may let anybody through."""
        return max(self._closed_until - asyncio.get_running_loop().time(), 0.0)

    async def pass_through(self, ticket: int) -> int:
        """Wait until the gate lets this one through; give the epoch. `report` must follow."""
        if self._open:
            return self.epoch
        self._schedule()
        try:
            return await self._line.wait(ticket)
        except CalledWhileLeaving as leaving:
            self.report(leaving.epoch, None, good=False)
            raise asyncio.CancelledError from None

    def report(self, epoch: int, limited: RateLimited | None, *, good: bool) -> None:
        """Say what came of one that passed: a 429, an answer that shows it got through, or
        nothing to learn from (`good=False`)."""
        if limited is not None:
            self._close(epoch, limited)
            return
        if good:
            self._count_good()
        if self._open or epoch != self.epoch:
            return
        if self._probing:
            self._probe_out = False
            if good:
                self._probing = False
                self._refusals_in_a_row = 0
                self._rate = max(_LEAST_RATE, self._good_at_close * _BACK_OFF)
                self._next = asyncio.get_running_loop().time() + 1 / self._rate
        elif good:
            self._rate += max(_LEAST_GROWTH, self._rate * _GROWTH) / self._rate
        if not self._probing and self._rate >= _OPEN_AGAIN:
            self._open_wide()
        else:
            self._schedule()

    def shut(self, reason: Callable[[], Exception]) -> None:
        """Send away those who wait; nobody passes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._line.shut(reason)

    def _close(self, epoch: int, limited: RateLimited) -> None:
        now = asyncio.get_running_loop().time()
        if epoch == self.epoch:
            # The first 429 of those under way together closes the gate; the others only
            # confirm it. Counting each of them would cut the rate to nothing.
            self.epoch += 1
            self._good_at_close = max(self._good_before, self._good_now)
            self._open = False
            self._probing, self._probe_out = True, False
            self._refusals_in_a_row += 1
        seconds = limited.retry_after
        if seconds is None:
            doubled = self._cooldown * 2.0 ** min(self._refusals_in_a_row - 1, 16)
            seconds = min(doubled, max(_LONGEST_UNASKED_COOLDOWN, self._cooldown))
        if now + seconds > self._closed_until:
            self._closed_until = now + seconds
            self._on_cooldown(seconds)
        self._schedule()

    def _open_wide(self) -> None:
        self._open = True
        while self._line.call_next(self.epoch):
            pass

    def _count_good(self) -> None:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._good_before = self._good_now if second == self._second + 1 else 0
            self._good_now = 0
            self._second = second
        self._good_now += 1
        if not self._open and self._probing:
            self._good_at_close = max(self._good_at_close, self._good_now)

    def _schedule(self) -> None:
        """Arrange for the next one in line to be called when it may go."""
        if self._timer is not None or self._open or (self._probing and self._probe_out):
            return
        loop = asyncio.get_running_loop()
        moment = self._closed_until if self._probing else max(self._closed_until, self._next)
        # Not loop.call_soon: a past moment runs in the next turn, as a due one does.
        self._timer = loop.call_at(moment, self._let_one_pass)

    def _let_one_pass(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if self._open or now < self._closed_until:
            self._schedule()
            return
        if not self._line.call_next(self.epoch):
            return  # the next to come schedules anew
        if self._probing:
            self._probe_out = True
            return
        self._next = max(now, self._next) + 1 / self._rate
        self._schedule()


@attrs.define(eq=False)
class Pass:
    """The right to send one request. `leave` must be called exactly once."""

    _door: "Door"
    epoch: int

    def leave(self, *, limited: RateLimited | None = None, good: bool = False) -> None:
        """Give back the slot and tell the gate what came of it."""
        self._door.slots.give_back()
        self._door.gate.report(self.epoch, limited, good=good)


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

    async def enter(self, ticket: int, *, pace: Pace | None = None) -> Pass:
        """Wait for gate, slot and pace, in this order.

        Raises:
            NotSentError: The door was shut meanwhile.

        Cancellation:
            Nothing is held.
        """
        while True:
            if self._shut is not None:
                raise self._shut()
            epoch = await self.gate.pass_through(ticket)
            try:
                await self.slots.take(ticket)
            except BaseException:
                self.gate.report(epoch, None, good=False)
                raise
            entered = Pass(self, epoch)
            try:
                await self._keep_pace(pace)
                if self._shut is not None:
                    raise self._shut()  # noqa: TRY301 - the slot is given back below
            except BaseException:
                entered.leave()
                raise
            if self.gate.epoch == epoch:
                return entered
            # The gate closed while we waited: let go of the slot and stand in line again.
            entered.leave()

    async def _keep_pace(self, pace: Pace | None) -> None:
        for one in (self._pace, pace):
            if one is not None:
                await one.wait()

    def shut(self, reason: Callable[[], NotSentError]) -> None:
        """Send away everybody who has not been let out yet."""
        self._shut = reason
        self.gate.shut(reason)
        self.slots.shut(reason)
