"""Line, slots, pace, gate and door on a clock that jumps: no waiting, no measured time."""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async._limits import (
    LONGEST_COOLDOWN,
    Door,
    Gate,
    Line,
    LongCooldownError,
    Pace,
    RateLimited,
    Slots,
)
from hamsa_async.errors import NotSentError


class JumpingLoop(asyncio.SelectorEventLoop):
    """When nothing is ready it is the next timer's moment at once."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[has-type]
        if scheduled and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]

    @property
    def timers(self) -> int:
        return sum(not handle._cancelled for handle in self._scheduled)  # type: ignore[attr-defined]


def jump(main: Coroutine[Any, Any, Any]) -> None:
    """Run to the end on a jumping clock, and find nothing left."""
    loop = JumpingLoop()
    try:
        loop.run_until_complete(main)
        assert not asyncio.all_tasks(loop)
    finally:
        loop.close()


def here() -> JumpingLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    return loop


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def gone() -> NotSentError:
    return NotSentError("shut")


# -- line and slots


def test_a_line_is_called_by_ticket_and_not_by_arrival() -> None:
    """Who has waited longest over all tries goes first; equals in the order of arrival."""

    async def main() -> None:
        line, order = Line(), list[str]()

        async def wait(ticket: int, name: str) -> None:
            await line.wait(ticket, lambda _: None)
            order.append(name)

        tasks = [asyncio.create_task(wait(t, n)) for t, n in ((5, "e"), (1, "a"), (3, "c"))]
        tasks.append(asyncio.create_task(wait(3, "c2")))
        await turns()
        while line.call_next():
            await turns()
        await asyncio.gather(*tasks)
        assert order == ["a", "c", "c2", "e"]
        assert not line.call_next()

    jump(main())


def test_called_and_cancelled_in_one_turn_the_call_is_passed_on() -> None:
    """A wake-up is never lost on somebody who leaves."""

    async def main() -> None:
        slots = Slots(1)
        await slots.take(0)
        first, second = (asyncio.create_task(slots.take(t)) for t in (1, 2))
        await turns()
        slots.give_back()  # to the first ...
        first.cancel()  # ... who leaves in the same turn
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert second.done()
        assert second.exception() is None
        assert slots.taken == 1
        slots.give_back()
        assert slots.taken == 0

    jump(main())


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["take", "give", "cancel", "both", "turn"]), st.integers(0, 30)),
    max_size=80,
)


@given(limit=st.integers(1, 4), operations=OPERATIONS)
def test_slots_hold_their_invariants_whatever_happens(  # noqa: C901 - a model in one place
    limit: int, operations: list[tuple[str, int]]
) -> None:
    """Never more than the limit, never a free slot while somebody waits, lowest ticket first."""

    async def main() -> None:  # noqa: C901 - a model in one place
        slots = Slots(limit)
        waiting: dict[asyncio.Task[None], int] = {}
        holding = 0
        tickets = itertools.count()

        async def settle() -> None:
            nonlocal holding
            await turns()
            served = sorted(waiting[task] for task in waiting if task.done())
            for task in [task for task in waiting if task.done()]:
                del waiting[task]
                if not task.cancelled():
                    task.result()
                    holding += 1
            assert holding == slots.taken <= limit
            assert not waiting or holding == limit
            assert not served or not waiting or max(served) < min(waiting.values())

        async def take() -> None:
            ticket = next(tickets)
            waiting[asyncio.create_task(slots.take(ticket))] = ticket
            await settle()

        async def cancelled(task: asyncio.Task[None]) -> None:
            nonlocal holding
            task.cancel()
            del waiting[task]
            await turns()
            if not task.cancelled():
                holding += 1

        for name, which in operations:
            if name == "take":
                await take()
            if name in ("give", "both") and holding:
                holding -= 1
                slots.give_back()
            if name in ("cancel", "both") and waiting:
                await cancelled(list(waiting)[which % len(waiting)])
            await settle()
        while waiting or holding:
            if holding:
                holding -= 1
                slots.give_back()
            await settle()
        assert slots.taken == 0

    jump(main())


def test_a_shut_line_sends_everybody_away_now_and_later() -> None:
    """One who was cancelled in the same turn stays cancelled."""

    async def main() -> None:
        slots = Slots(1)
        await slots.take(0)
        waiting = [asyncio.create_task(slots.take(n)) for n in range(3)]
        await turns()
        waiting[1].cancel()
        slots.shut(gone)
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [NotSentError, asyncio.CancelledError, NotSentError]
        with pytest.raises(NotSentError):
            await slots.take(9)

    jump(main())


# -- pace


def test_a_pace_spaces_starts_evenly_and_never_bunches() -> None:
    """The k-th start is k/rate after the first, by ticket; a pause is not made up for."""

    async def main() -> None:
        pace, starts = Pace(10), list[tuple[float, int]]()

        async def start(ticket: int) -> None:
            await pace.wait(ticket)
            starts.append((here().time(), ticket))

        begin = here().time()
        await asyncio.gather(*(start(ticket) for ticket in (0, 4, 3, 2, 1)))
        assert [ticket for _, ticket in starts] == [0, 1, 2, 3, 4]
        assert [at - begin for at, _ in starts] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
        await asyncio.sleep(60)
        starts.clear()
        begin = here().time()
        await asyncio.gather(*(start(ticket) for ticket in range(3)))
        assert [at - begin for at, _ in starts] == pytest.approx([0, 0.1, 0.2])
        assert here().timers == 0

    jump(main())


def test_a_pace_that_is_changed() -> None:
    """From the last start on, also for those who wait; nobody is lost, and no timer is left."""

    async def main() -> None:
        pace, starts = Pace(1), list[float]()

        async def start(ticket: int) -> None:
            await pace.wait(ticket)
            starts.append(here().time() - begin)

        begin = here().time()
        waiting = asyncio.gather(*(start(ticket) for ticket in range(6)))
        await asyncio.sleep(1.25)
        pace.change(4)
        await asyncio.sleep(0.3)
        pace.change(0.5)
        await waiting
        assert starts == pytest.approx([0, 1, 1.25, 1.5, 3.5, 5.5])
        assert here().timers == 0
        pace.change(10)
        await pace.wait()
        assert here().time() - begin == pytest.approx(5.6)

    jump(main())


def test_a_moment_that_is_not_used_is_the_next_ones() -> None:
    """By cancelling before and in the turn of the moment, and by passing it on."""

    async def main() -> None:
        pace = Pace(1)
        await pace.wait()
        tasks = [asyncio.create_task(pace.wait(ticket)) for ticket in range(3)]
        await turns()
        tasks[0].cancel()
        begin = here().time()
        await tasks[1]
        assert here().time() - begin == pytest.approx(1)
        pace.pass_on()
        await tasks[2]
        assert here().time() - begin == pytest.approx(1)
        pace.pass_on()
        await pace.wait(9)
        assert here().time() - begin == pytest.approx(1)
        await asyncio.gather(*tasks, return_exceptions=True)

    jump(main())


# -- gate


def a_gate(cooldown: float = 1.0) -> tuple[Gate, list[float]]:
    told: list[float] = []
    return Gate(cooldown, told.append), told


LIMITED = RateLimited(5.0)


def test_an_open_gate_holds_up_nobody_and_a_429_closes_it_for_as_long_as_it_says() -> None:
    """Then one passes, and the next only when it got through."""

    async def main() -> None:
        gate, told = a_gate()
        assert await gate.pass_through(0) == 0
        gate.report(0, LIMITED, good=False)
        assert not gate.is_open
        assert told == [5.0]
        begin, passed = here().time(), list[float]()

        async def through(ticket: int) -> int:
            epoch = await gate.pass_through(ticket)
            passed.append(here().time() - begin)
            return epoch

        tasks = [asyncio.create_task(through(ticket)) for ticket in range(4)]
        await asyncio.sleep(60)
        assert passed == pytest.approx([5.0])  # the probe is out, and nobody follows it
        gate.report(await tasks[0], None, good=True)
        await asyncio.gather(*tasks)
        assert len(passed) == 4
        # Nothing was seen to get through before: the least rate, one a second.
        assert [b - a for a, b in itertools.pairwise(passed[1:])] == pytest.approx([1.0, 1.0])

    jump(main())


def test_a_refused_probe_closes_it_again_and_longer_where_the_server_does_not_say() -> None:
    """1, 2, 4, 8 ... seconds, to a minute at the most."""

    async def main() -> None:
        gate, told = a_gate()
        gate.report(gate.epoch, RateLimited(None), good=False)
        for _ in range(8):
            epoch = await gate.pass_through(0)
            gate.report(epoch, RateLimited(None), good=False)
        assert told == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        gate.report(await gate.pass_through(0), None, good=True)
        gate.report(await gate.pass_through(0), RateLimited(None), good=False)
        assert told[-1] == 1
        gate.shut(gone)

    jump(main())


def test_a_probe_that_teaches_nothing_makes_way_for_the_next() -> None:
    """Lost, not sent, or cancelled in the turn in which it was let through."""

    async def main() -> None:
        gate, _ = a_gate()
        gate.report(0, LIMITED, good=False)
        tasks = [asyncio.create_task(gate.pass_through(ticket)) for ticket in range(3)]
        gate.report(await tasks[0], None, good=False)
        await asyncio.sleep(0)
        while not tasks[1].done():
            here().call_soon(tasks[1].cancel)
            await asyncio.sleep(0)
        await tasks[2]
        gate.shut(gone)
        await asyncio.gather(*tasks, return_exceptions=True)

    jump(main())


@pytest.mark.parametrize("after", range(6))
def test_a_waiter_cancelled_at_any_turn_of_the_opening_takes_nobodys_turn(after: int) -> None:
    """The cool-down ends, the first in line leaves: the second is the probe."""

    async def main() -> None:
        gate, _ = a_gate()
        gate.report(0, LIMITED, good=False)
        first, second = (asyncio.create_task(gate.pass_through(ticket)) for ticket in (0, 1))
        await turns()
        here().now += 5
        await turns(after)
        if first.done():
            gate.report(first.result(), None, good=False)
        first.cancel()
        assert await second == 1
        await asyncio.wait([first])

    jump(main())


def test_those_under_way_together_close_it_once_and_are_told_of_once() -> None:
    """A storm of 429s is one closing; the longest pause counts."""

    async def main() -> None:
        gate, told = a_gate()
        for _ in range(100):
            gate.report(0, RateLimited(1.0), good=False)
            here().now += 0.001
        assert gate.epoch == 1
        assert told == [1.0]
        gate.report(0, RateLimited(30.0), good=False)
        assert told == [1.0, 30.0]
        assert gate.closed_for() == pytest.approx(30.0)
        gate.report(0, RateLimited(0.0), good=False)
        assert gate.closed_for() == pytest.approx(30.0)
        gate.shut(gone)

    jump(main())


def test_the_pace_after_a_cooldown_follows_what_was_seen_to_get_through() -> None:
    """0.7 of the best second of late; what was seen an hour ago is no evidence."""

    async def spacing(pause: float) -> float:
        gate, _ = a_gate()
        for _ in range(100):
            gate.report(0, None, good=True)
        await asyncio.sleep(pause)
        gate.report(0, RateLimited(0.0), good=False)
        gate.report(await gate.pass_through(0), None, good=True)
        await gate.pass_through(1)
        begin = here().time()
        await gate.pass_through(2)
        gate.shut(gone)
        return here().time() - begin

    async def main() -> None:
        assert await spacing(0.0) == pytest.approx(1 / 70, rel=0.02)
        assert await spacing(3600.0) == pytest.approx(1.0)

    jump(main())


def test_the_pace_grows_until_it_no_longer_matters_and_then_it_is_open() -> None:
    """Each that gets through is evidence; at a thousand a second the gate steps aside."""

    async def main() -> None:
        gate, _ = a_gate()
        gate.report(0, RateLimited(0.0), good=False)
        count = 0
        while not gate.is_open:
            gate.report(await gate.pass_through(0), None, good=True)
            count += 1
            assert count < 100_000
        assert here().timers == 0
        # A 429 that was under way all the while closes it again.
        gate.report(0, LIMITED, good=False)
        assert not gate.is_open
        assert gate.closed_for() == pytest.approx(5.0)
        gate.shut(gone)

    jump(main())


def test_without_evidence_the_pace_starts_low_and_finds_out() -> None:
    """A client that was quiet does not crawl for minutes: 200 calls in a dozen seconds."""

    async def main() -> None:
        gate, _ = a_gate()
        gate.report(0, RateLimited(0.0), good=False)
        begin = here().time()
        for _ in range(200):
            gate.report(await gate.pass_through(0), None, good=True)
        assert 8 < here().time() - begin < 15
        gate.shut(gone)

    jump(main())


def test_a_pause_beyond_patience_sends_away_those_who_come_and_those_who_wait() -> None:
    """And an absurd one is capped: in an hour somebody asks again."""

    async def main() -> None:
        gate, told = a_gate()
        gate.report(0, RateLimited(100.0), good=False)
        patient = asyncio.create_task(gate.pass_through(0))
        waiting = asyncio.create_task(gate.pass_through(1, patience=120.0))
        await turns()
        with pytest.raises(LongCooldownError):
            await gate.pass_through(2, patience=99.0)
        gate.report(0, RateLimited(1e300), good=False)
        with pytest.raises(LongCooldownError) as caught:
            await waiting
        assert caught.value.seconds == pytest.approx(LONGEST_COOLDOWN)
        begin = here().time()
        assert await patient == 1
        assert here().time() - begin == pytest.approx(LONGEST_COOLDOWN)
        assert told == [100.0, LONGEST_COOLDOWN]

    jump(main())


def test_a_shut_gate_leaves_no_timer_and_nobody_waiting() -> None:
    """Also when something that was under way reports after it."""

    async def main() -> None:
        gate, _ = a_gate()
        gate.report(0, LIMITED, good=False)
        waiting = asyncio.create_task(gate.pass_through(0))
        await turns()
        gate.shut(gone)
        with pytest.raises(NotSentError):
            await waiting
        gate.report(0, LIMITED, good=False)
        gate.report(gate.epoch, None, good=True)
        assert here().timers == 0
        with pytest.raises(NotSentError):
            await gate.pass_through(1)

    jump(main())


# -- door


def a_door(limit: int, rate: float | None = None) -> Door:
    return Door(limit=limit, rate=rate, cooldown=1.0, on_cooldown=lambda _: None)


def test_nobody_waits_at_a_closed_gate_while_holding_a_slot() -> None:
    """Those who had passed it before it closed let go of their slots and queue again."""

    async def main() -> None:
        door = a_door(2)
        inside = [await door.enter(0), await door.enter(1)]
        waiting = [asyncio.create_task(door.enter(ticket)) for ticket in range(2, 6)]
        await turns()
        inside[0].leave(limited=LIMITED)
        await turns(20)
        assert door.slots.taken == 1
        inside[1].leave(good=True)
        await turns(20)
        assert door.slots.taken == 0
        begin = here().time()
        probe = await waiting[0]
        assert here().time() - begin == pytest.approx(5.0)
        probe.leave(good=True)
        for task in waiting[1:]:
            (await task).leave(good=True)
        assert door.slots.taken == 0
        door.shut(gone)

    jump(main())


def test_a_closing_costs_no_moments_of_the_pace() -> None:
    """Those whose moment comes while the gate is closed leave it to who goes first after it."""

    async def main() -> None:
        door = a_door(100, rate=5)
        starts: list[float] = []
        placed = 0

        async def call(ticket: int) -> None:
            nonlocal placed
            while True:
                entered = await door.enter(ticket)
                starts.append(here().time())
                await asyncio.sleep(0.05)
                if len(starts) == 1:
                    entered.leave(limited=RateLimited(1.0))
                    continue
                entered.leave(good=True)
                placed += 1
                return

        begin = here().time()
        await asyncio.gather(*(call(ticket) for ticket in range(30)))
        assert placed == 30
        gaps = [b - a for a, b in itertools.pairwise(starts)]
        assert min(gaps) > 0.19
        # 6 s at the asked rate, the pause, and the careful second start of the gate.
        assert here().time() - begin < 25
        door.shut(gone)

    jump(main())


def test_whoever_leaves_at_any_point_takes_nothing_along() -> None:
    """Cancelled at the gate, for a slot, for a moment: gate, slots and pace go on."""

    async def main() -> None:
        for steps in range(12):
            door = a_door(1, rate=1)
            held = await door.enter(0)
            leaving = asyncio.create_task(door.enter(1))
            staying = asyncio.create_task(door.enter(2))
            await turns(2)
            held.leave(limited=RateLimited(0.0) if steps % 2 else None, good=True)
            await turns(steps)
            leaving.cancel()
            await asyncio.wait([leaving])
            if not leaving.cancelled():
                leaving.result().leave()
            (await staying).leave(good=True)
            assert door.slots.taken == 0
            door.shut(gone)

    jump(main())


def test_a_shut_door_wakes_those_who_wait_for_a_pace_of_their_own() -> None:
    """Nobody sits out the interval of a slow campaign."""

    async def main() -> None:
        door, pace = a_door(5), Pace(0.001)
        (await door.enter(0, pace=pace)).leave()
        waiting = [asyncio.create_task(door.enter(n, pace=pace)) for n in range(1, 4)]
        await turns()
        begin = here().time()
        door.shut(gone)
        for end in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(end, NotSentError)
        assert here().time() == begin
        assert door.slots.taken == 0

    jump(main())


class Bucket:
    """A server that lets `rate` requests a second through."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.level = rate
        self.at = 0.0
        self.requests = 0

    def take(self, now: float) -> bool:
        self.level = (
            min(self.rate, self.level + (now - self.at) * self.rate) if self.at else self.rate
        )
        self.at = now
        self.requests += 1
        if self.level < 1:
            return False
        self.level -= 1
        return True


@pytest.mark.parametrize("rate", [2, 10, 100])
@pytest.mark.parametrize("said", [1.0, 0.2, None])
@pytest.mark.parametrize("slots", [8, 64, 512])
def test_against_a_rate_limit_all_are_placed_with_a_third_more_requests_at_the_most(
    rate: float, said: float | None, slots: int
) -> None:
    """500 calls, a token bucket, any cool-down: nobody gives up, and no burst after one."""

    async def main() -> None:
        door, server = a_door(slots), Bucket(rate)
        bursts: list[int] = []
        finished: list[int] = []

        async def call(ticket: int) -> None:
            while True:
                entered = await door.enter(ticket)
                await asyncio.sleep(0.05)
                if server.take(here().time()):
                    entered.leave(good=True)
                    finished.append(ticket)
                    return
                bursts.append(entered.epoch)
                entered.leave(limited=RateLimited(said))

        begin = here().time()
        await asyncio.gather(*(call(ticket) for ticket in range(500)))
        first_burst = bursts.count(0)
        assert first_burst <= slots
        assert server.requests <= 500 * 4 / 3 + first_burst
        later = [epoch for epoch in bursts if epoch > 0]
        assert max((later.count(epoch) for epoch in later), default=0) <= max(3, rate / 10)
        assert here().time() - begin < 500 / rate * 2.5 + 10
        door.shut(gone)

    jump(main())


def test_a_door_that_nothing_bars_is_entered_without_waiting() -> None:
    """The usual way in, and what takes it away: a slot, a closed gate, a rate, the end."""

    async def main() -> None:
        def tried(door: Door) -> bool:
            return door.try_enter() is not None

        door = a_door(1)
        assert tried(door)
        assert not tried(door)
        assert not tried(a_door(1, rate=5))
        closed = a_door(1)
        closed.gate.report(0, LIMITED, good=False)
        assert not tried(closed)
        closed.shut(gone)
        shut = a_door(1)
        shut.shut(gone)
        assert not tried(shut)

    jump(main())
