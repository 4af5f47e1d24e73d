"""One run of a campaign: pull a contact when a slot is free, intend, send, settle.

The order is the promise. A contact is taken only by a worker that is free; its intent is on
disk before its request leaves, written at the last moment (slot held, gate and pace passed); its
result is on disk before anybody hears of it.
"""

import asyncio
import contextlib
import enum
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from hamsa_async._limits import Pace
from hamsa_async._pull import Pull, see_through
from hamsa_async.dialer.agent_watch import AgentWatch
from hamsa_async.dialer.api import VoiceAgentsApi
from hamsa_async.dialer.attempt_ids import AttemptIds
from hamsa_async.dialer.breaker import Breaker
from hamsa_async.dialer.budget import Refusal, Spending, Spent
from hamsa_async.dialer.campaign import HAMSA_DEFAULT, Campaign
from hamsa_async.dialer.clock_watch import ClockWatch
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.finish import CALLS_OPEN, DOUBTS_OPEN, LIST_UNREADABLE, Ending, Finish
from hamsa_async.dialer.host import PROBE_EVERY, HostWatch
from hamsa_async.dialer.inbox import Inbox
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import CallEnd, Candidate, Held, Settlement
from hamsa_async.dialer.machine import (
    LEEWAY,
    LONGEST_CALL,
    MAY_HAVE_RUNG,
    Asked,
    AttemptState,
    Happening,
    ends_campaign,
)
from hamsa_async.dialer.observer import Observer
from hamsa_async.dialer.pacer import Pacer
from hamsa_async.dialer.ramp import Ramp
from hamsa_async.dialer.reconcile import Reconciler
from hamsa_async.dialer.rules import Rules
from hamsa_async.dialer.settlements import lost, placed, settlement_of, words_of
from hamsa_async.dialer.spending import recount
from hamsa_async.errors import HamsaError, JournalError
from hamsa_async.models import Call, CallRequest, WebhookAuth

GIVE_UP_LOOKING_AFTER: Final = timedelta(minutes=30)
"""How long a run tries to read the list when nothing is left but to look."""

_READ_AHEAD: Final = 200  # contacts read at once
_HELD_AT_ONCE: Final = 200  # contacts: others wait as long as their rules take, some 20 ms
_LISTEN_EVERY: Final = 0.5  # seconds; whoever pauses a campaign wants to see it paused
_LOOK_AT_CLOCK: Final = 1.0  # seconds; the wall clock may be set, and a laptop may sleep


class _HeldBackError(Exception):
    """This contact is not dialed now; nothing was sent, and nothing was intended."""

    def __init__(self, event: DialerEvent | None) -> None:
        super().__init__("held back")
        self.event = event


class _Step(enum.Enum):
    """How far a contact got: what must be done if its worker is cancelled there."""

    TAKEN = enum.auto()
    AT_DOOR = enum.auto()
    """Waiting for gate, slot and pace. Nothing is written; it can be sent home."""
    INTENDING = enum.auto()
    """The intent may be on disk or not; nothing was sent."""
    INTENDED = enum.auto()
    """The request may have left."""
    SETTLING = enum.auto()
    """Its end is being written."""
    PLACED = enum.auto()
    """The same, and nobody waits for it: its call was placed, and its worker has moved on."""


@attrs.define(eq=False)
class _Dial:
    """One contact in a worker's hands."""

    candidate: Candidate
    attempt_id: str
    worker: "asyncio.Task[Any]"
    is_probe: bool
    step: _Step = _Step.TAKEN
    intended_at: datetime | None = None
    sent_home: bool = False

    def send_home(self) -> None:
        """Let its worker leave the door, if that is where it waits."""
        if self.step is _Step.AT_DOOR and not self.sent_home:
            self.sent_home = True
            self.worker.cancel()

    def was_sent_home(self) -> bool:
        """Whether a cancellation was ours, and ours alone; then it is dealt with."""
        return self.sent_home and self.worker.uncancel() == 0


def _by_budget(refusal: Refusal, ending: Ending) -> Finish:
    return Finish(ending=ending, reason=refusal.reason, next_at=refusal.until, by_budget=True)


@attrs.frozen(kw_only=True)
class _Batch:
    """Contacts that were read to be dialed, one after the other."""

    candidates: Sequence[Candidate]
    last: int | None
    """The last of those read who wait for no time; `None` where others come first."""
    until: datetime | None
    """When somebody's turn comes who goes before these."""
    at_end: bool
    """Whether nobody is left who waits for no time."""


class Runner:
    """Dials one campaign's contacts until nothing can be dialed, or it is stopped.

    Args:
        journal: Where everything is written down.
        campaign_id: The campaign's id in it; the caller holds its claim.
        campaign: Its settings.
        api: Places the calls.
        observer: Sees how they end.
        reconciler: Settles doubts.
        inbox: Acts on what webhooks said, where there are any.
        agents: Watches the agents' texts.
        webhook_auth: Makes the secret of an attempt's webhooks.
        longest: How long a call by the campaign's agent can last.
        tell: Called with every event, after it is durable.
        ready: Awaited before a contact is taken; it may hold up new dials.
        wait: Whether to wait for contacts that are due later, and for the ends of calls.
        asks: Whether somebody is there to look: where the breaker opens the run is paused for
            them; else it ends.
        appended: How many contacts were appended to the campaign, as far as its run has heard.
        clock: What time it is (aware).
        probe_every: How often an unreachable host is tried.
        ramp: How fast it may be, where that is not the campaign's rate from the start.
        mark: See `Pacer`.
        clocks: Says whether the clock may be trusted, where there is a doubt.
    """

    def __init__(
        self,
        journal: Journal,
        campaign_id: int,
        campaign: Campaign,
        api: VoiceAgentsApi,
        *,
        observer: Observer,
        reconciler: Reconciler,
        inbox: Inbox | None = None,
        agents: AgentWatch | None = None,
        webhook_auth: Callable[[str], WebhookAuth] | None = None,
        longest: timedelta,
        tell: Callable[[DialerEvent], None],
        ready: Callable[[], Awaitable[None]],
        wait: bool,
        asks: bool = False,
        appended: int | None = None,
        clock: Callable[[], datetime],
        probe_every: timedelta = PROBE_EVERY,
        ramp: Ramp | None = None,
        mark: str | None = None,
        clocks: ClockWatch | None = None,
    ) -> None:
        self._journal = journal
        self._id = campaign_id
        self._campaign = campaign
        self._api = api
        self._tell = tell
        self._ready = ready
        self._wait = wait
        self._clock = clock
        self._pace = None if campaign.rate is None else Pace(campaign.rate)
        self._host = HostWatch(every=probe_every)
        self._ids = AttemptIds()
        self._rules = Rules.of(campaign)
        self._judge = self._rules.ruling if self._rules.policy.asks_for_place else None
        self._in_hand: dict[int, _Dial] = {}
        self._settling: set[asyncio.Future[DialerEvent]] = set()
        self._failure: BaseException | None = None
        self._settled = asyncio.Event()
        self._observer = observer
        self._reconciler = reconciler
        self._inbox = inbox
        self._agents = agents
        self._webhook_auth = webhook_auth
        self._appended = appended
        self._grew = False
        self._spending = Spending(campaign.budget)
        self._clocks = clocks
        self._breaker = Breaker()
        self._pacer: Pacer | None = None
        if ramp is not None and self._pace is not None:
            self._pacer = Pacer(ramp, self._pace, mark=mark, note=self._note, clock=clock)
            self._pacer.changed = self._settled.set
            self._pacer.over = self._halt
        observer.changed = reconciler.changed = self._settled.set
        observer.ended = self._ended
        reconciler.found = self._found
        self._longest = longest
        self._asks = asks
        self._whole = asyncio.Event()
        self._whole.set()
        self._may_dial = asyncio.Event()
        self._may_dial.set()
        self._told_waiting: Mapping[str, Any] = {}
        self._is_over = False
        self._finish: Finish | None = None
        self._source = self._candidates()
        self._pull = Pull(self._source, self._dial, workers=campaign.concurrency)

    @property
    def appended(self) -> int:
        """How many contacts were appended to the campaign, as far as was heard."""
        return self._appended or 0

    def spent(self) -> Spent:
        """What the campaign has spent by now."""
        return self._spending.spent(self._clock())

    def stop(self, reason: str) -> None:
        """Dial nobody more; what is in flight settles. The run ends as interrupted."""
        self._end(Finish(ending=Ending.INTERRUPTED, reason=reason))

    def go_on(self) -> None:
        """Somebody has looked at the canary's calls; see `Run.go_on`."""
        if self._pacer is not None:
            self._pacer.go_on()

    async def run(self) -> Finish:
        """Dial.

        Raises:
            JournalError: Something could not be written down; nobody is dialed after that.

        Cancellation:
            Nobody more is dialed. What was intended and not sent is written down as such, and
            what may have been sent as unknown.
        """
        await self._observer.begin()
        await self._reconciler.begin()
        await self._recount()
        if self._appended is None:
            self._appended = await self._journal.appended(self._id)
        await self._tell_pace()
        async with contextlib.aclosing(self._source):
            watching = [asyncio.create_task(self._beside(watch)) for watch in self._watches()]
            try:
                await self._pull.run()
            finally:
                for each in watching:
                    each.cancel()
                unfinished: list[asyncio.Future[Any]] = [*watching, *self._settling]
                await see_through(asyncio.wait(unfinished))
        for each in watching:
            if not each.cancelled():
                each.result()
        if self._failure is not None:
            raise self._failure
        await self._tell_pace()
        return self._finish or Finish(ending=Ending.DONE)

    async def _tell_pace(self) -> None:
        if self._pacer is not None:
            await self._pacer.tell()

    def _watches(self) -> Iterator[Callable[[], Awaitable[None]]]:
        yield self._observer.watch
        yield self._reconciler.watch
        yield self._listen
        if self._inbox is not None:
            yield self._inbox.watch
        if self._agents is not None:
            yield self._agents.watch
        if self._pacer is not None:
            yield self._pacer.watch
        if self._clocks is not None:
            yield self._clocks.watch

    async def _listen(self) -> None:
        """Hear what is asked from outside: no intent is written since it was."""
        while True:
            if not self._whole.is_set():
                await self._pause_broken()
            asked = await self._journal.asked(self._id)
            if asked is Asked.STOP:
                self._end(Finish(ending=Ending.INTERRUPTED, reason="stopped by another process"))
                return
            if (asked is Asked.PAUSE) == self._may_dial.is_set():
                await self._note_paused(paused=asked is Asked.PAUSE)
            if self._breaker.reason is None:
                self._whole.set()  # now that whoever waits for it finds the pause
            await self._look_for_more()
            await asyncio.sleep(_LISTEN_EVERY)

    async def _look_for_more(self) -> bool:
        """See whether contacts were appended, also by another process, and take them up."""
        appended = await self._journal.appended(self._id)
        new, self._appended = appended - self.appended, appended
        if new:
            self._grew = True
            self._settled.set()
            await self._note(EventKind.LIST_GREW, {"new": new})
        return self._grew

    async def _note_paused(self, *, paused: bool) -> None:
        data = {}
        if paused:
            self._may_dial.clear()
            reason = await self._journal.asked_reason(self._id)
            data = {} if reason is None else {"reason": reason}
        else:
            self._may_dial.set()
            if self._agents is not None:
                self._agents.look_now()
        await self._note(EventKind.PAUSED if paused else EventKind.RESUMED, data)

    async def _beside(self, watch: Callable[[], Awaitable[None]]) -> None:
        """Watch; nobody more is dialed where what is seen cannot be written down."""
        try:
            await watch()
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._dial_no_more()
            raise

    def _end(self, finish: Finish) -> None:
        if self._finish is None:
            self._finish = finish
        self._dial_no_more()

    def _found(self, attempt_id: str) -> None:
        self._observer.placed(attempt_id)
        self._breaker.found(attempt_id)
        if self._pacer is not None:
            self._pacer.found(attempt_id)

    def _ended(self, attempt_id: str, end: CallEnd) -> None:
        self._spending.ended(attempt_id, end.outcome, end.cost, end.duration)
        self._breaker.ended(attempt_id, end.outcome, end.duration)
        self._heed_breaker()
        if self._pacer is not None:
            self._pacer.ended(attempt_id, end)

    def _heed_breaker(self) -> None:
        if not self._campaign.breaker or self._breaker.reason is None:
            return
        if self._asks:
            self._whole.clear()
        else:
            self._halt(self._breaker.reason)

    async def _pause_broken(self) -> None:
        """Pause the campaign as a person would; whoever has it go on has looked at it."""
        reason = self._breaker.reason
        assert reason is not None
        self._breaker = Breaker()
        await self._journal.pause(self._id, reason)

    def _halt(self, reason: str) -> None:
        self._end(Finish(ending=Ending.HALTED, reason=reason))

    def _dial_no_more(self) -> None:
        """Take no further contact, and send those home who wait for their turn.

        A gate may be closed for an hour. Nobody is to be dialed after it opens, nor is the run
        to last that long.
        """
        self._is_over = True
        self._pull.stop()
        myself = asyncio.current_task()
        for dial in self._in_hand.values():
            if dial.worker is not myself:
                dial.send_home()

    # -- what to dial next

    async def _candidates(self) -> AsyncGenerator[Candidate, None]:
        """Give contacts to dial; nobody more is dialed after it failed."""
        async with contextlib.aclosing(self._sweeps()) as candidates:
            try:
                async for candidate in candidates:
                    yield candidate
            except Exception:
                self._dial_no_more()
                raise

    async def _sweeps(self) -> AsyncGenerator[Candidate, None]:
        """Give contacts as their turn comes (see `journal.turns`), until there are none."""
        place, found = 0, False
        self._settled.clear()
        while True:
            if self._grew:
                self._grew, place = False, 0
            batch = await self._batch(place)
            waiting = deque(batch.candidates)
            while waiting:
                await self._ready()
                # Before anybody is asked to look at a canary, and again after all that waits.
                await self._until_affordable(waiting[0])
                await self._until_looked_at()
                if self._clocks is not None:
                    await self._clocks.until_right()
                await self._whole.wait()
                await self._may_dial.wait()
                await self._until_reachable()
                await self._until_room()
                await self._until_affordable(waiting[0])
                if self._grew or not self._trusts_clock():
                    break
                if batch.until is not None and self._clock() >= batch.until:
                    break  # somebody's turn may have come who goes before these
                found = True
                held = await self._hold(waiting)
                last = held[-1] if held else waiting.popleft()
                place = place if batch.last is None else last.id
                if not held:
                    yield last
            else:
                place = place if batch.last is None else batch.last
                if batch.at_end:
                    if not found and not await self._more_to_come():
                        return
                    place, found = 0, False
                    self._settled.clear()

    async def _batch(self, place: int) -> "_Batch":
        """Those whose turn it is, past a contact in the list's order; all of one rank."""
        now, limit = self._clock(), _READ_AHEAD + len(self._in_hand)
        fresh = await self._journal.pending(self._id, after=place, limit=limit)
        rank = fresh[0].rank if fresh else None
        due = await self._journal.due(self._id, now=now, limit=limit, before=rank)
        # What is in hand is still pending, or due, on disk until its intent is written.
        due = [each for each in due if each.id not in self._in_hand]
        candidates = due or [each for each in fresh if each.id not in self._in_hand]
        following = None
        if candidates:
            following = await self._journal.next_due(self._id, before=candidates[0].rank, after=now)
        return _Batch(
            candidates=candidates,
            last=fresh[-1].id if fresh and not due else None,
            until=None if following is None else following[0],
            at_end=not fresh,
        )

    async def _hold(self, waiting: deque[Candidate]) -> list[Candidate]:
        """Take away those at the head that a rule holds.

        They use up no turn at the door. Outside calling hours all of a list is held: as many are
        judged in one write as seem to be held, for they would be reached within moments.
        """
        first, judge = waiting[0], self._judge
        if not first.suspect and (judge is None or not self._rules.may_hold(first, self._clock())):
            return []
        some = list(itertools.islice(waiting, _HELD_AT_ONCE))
        holding = asyncio.ensure_future(self._journal.hold(self._id, some, judge))
        holding.add_done_callback(self._tell_held)
        held = await see_through(holding)
        return [waiting.popleft() for _ in held]

    def _tell_held(self, holding: "asyncio.Future[Sequence[Held]]") -> None:
        if holding.cancelled() or holding.exception() is not None:
            return  # who waits for it hears of that
        for held in holding.result():
            if held.event is not None:
                self._tell(held.event)

    async def _more_to_come(self) -> bool:
        """Nothing can be dialed this moment: wait for what may come, or say that it is over."""
        # What settled since this look at the list began may be behind what was read of it.
        if self._settled.is_set() or await self._look_for_more():
            return True
        if self._in_hand:
            # What is in hand may come back to be dialed.
            await self._settled.wait()
            return True
        following = await self._journal.next_due(self._id, freed_by_time=self._wait)
        if following is not None and self._outstanding is None:
            # No time frees whom the budget will not let be called when theirs comes.
            await self._recount()
            if refusal := self._spending.used_up(self._clock()):
                self._finish = self._finish or _by_budget(refusal, Ending.HALTED)
                return False
        if self._wait and (following is not None or self._outstanding):
            await self._until(*(following or (None, self._outstanding)))
            return True
        # Those that do not wait have at least looked at what was open from before.
        await self._observer.looked.wait()
        await self._reconciler.looked.wait()
        if self._settled.is_set():
            return True
        following = following or await self._journal.next_due(self._id)
        if await self._look_for_more():
            return True
        if following is not None or self._outstanding:
            until, reason = following or (None, self._outstanding)
            # A run that would have waited knows that no time frees what is left.
            # One that was ended while the journal was read keeps that reason.
            self._finish = self._finish or Finish(
                ending=Ending.NOTHING_NOW, reason=reason, next_at=None if self._wait else until
            )
            return False
        # Another process may have found a call meanwhile, or have appended somebody.
        await self._observer.begin()
        return await self._look_for_more() or self._outstanding is not None

    @property
    def _outstanding(self) -> str | None:
        """What must come before the campaign is done, besides the time of contacts."""
        if self._observer.live:
            return CALLS_OPEN
        return DOUBTS_OPEN if self._reconciler.unknown else None

    async def _until(self, moment: datetime | None, reason: str | None) -> None:
        """Wait for a contact's time to come, for a call to end or for a doubt to be settled."""
        if moment is None or moment > self._clock():
            until = None if moment is None else moment.isoformat()
            await self._tell_waiting({"until": until, "reason": reason})
        await self._until_news(moment)

    async def _until_news(self, moment: datetime | None) -> None:
        """Wait until something was settled, or for a moment."""
        while not self._settled.is_set():
            if moment is None:
                await self._give_up_looking()
            pause = _LOOK_AT_CLOCK
            if moment is not None:
                pause = min(pause, (moment - self._clock()).total_seconds())
            if pause <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._settled.wait()

    async def _give_up_looking(self) -> None:
        """End a run that waits for what it cannot see; another one goes on when it can be seen."""
        watch = self._observer if self._observer.live else self._reconciler
        if watch.blind_since is None or watch.looked_at is None:
            return
        until = watch.blind_since + GIVE_UP_LOOKING_AFTER
        # By the last look, not by the clock: a machine that was asleep looks once more.
        if watch.looked_at < until:
            await self._tell_waiting({"until": until.isoformat(), "reason": LIST_UNREADABLE})
        else:
            self._end(Finish(ending=Ending.NOTHING_NOW, reason=LIST_UNREADABLE))
            await asyncio.sleep(0)  # we are cancelled here

    async def _tell_waiting(self, why: Mapping[str, Any]) -> None:
        if why != self._told_waiting:
            self._told_waiting = why
            known = {name: value for name, value in why.items() if value is not None}
            await self._note(
                EventKind.WAITING,
                {**known, "live": self._observer.live, "unknown": self._reconciler.unknown},
            )

    async def _until_settled(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    async def _until_looked_at(self) -> None:
        """Begin no more calls than the canary's, until those were looked at."""
        while self._pacer is not None and not self._pacer.has_room(len(self._in_hand)):
            await self._until_settled()

    async def _until_room(self) -> None:
        """Keep to the number of calls that may be live at once."""
        most = self._campaign.live_calls
        while most is not None and self._observer.live + len(self._in_hand) >= most:
            self._settled.clear()
            await (self._settled.wait() if self._in_hand else self._until_news(None))

    async def _until_affordable(self, candidate: Candidate) -> None:
        """Keep to the budget, by the journal's own count before anybody waits or ends."""
        while self._refusal(candidate) is not None:
            self._settled.clear()
            if self._in_hand:
                await self._settled.wait()
                continue
            # Nobody is in hand, so what is read cannot have grown meanwhile.
            await self._recount()
            refusal = self._refusal(candidate)
            if refusal is not None:
                await self._heed(refusal)

    def _refusal(self, candidate: Candidate) -> Refusal | None:
        longest, in_hand = self._longest_of(candidate), len(self._in_hand)
        return self._spending.refusal(longest, self._clock(), in_hand=in_hand)

    async def _recount(self) -> None:
        """Take the journal's word for what was spent: other processes settle doubts, too."""
        await recount(self._spending, self._journal, self._id, self._clock())

    async def _heed(self, refusal: Refusal) -> None:
        """One more call does not fit: wait, where that can change it, or end the run."""
        if refusal.freed_by_ends and self._outstanding is None:
            # Another process may have found a call meanwhile.
            await self._observer.begin()
        passes = refusal.until is not None or (
            refusal.freed_by_ends and self._outstanding is not None
        )
        if passes and self._wait:
            await self._until(refusal.until, refusal.budget)
            return
        if passes:
            # Those that do not wait have at least looked at what was open from before.
            await self._observer.looked.wait()
            await self._reconciler.looked.wait()
            if self._settled.is_set():
                return
        self._end(_by_budget(refusal, Ending.NOTHING_NOW if passes else Ending.HALTED))
        await self._until_settled()

    async def _until_reachable(self) -> None:
        """While the host is unreachable let one through now and then, and nobody else."""
        while self._host.unreachable:
            if self._in_hand:
                await self._until_settled()
            elif (pause := self._host.pause()) > 0:
                await asyncio.sleep(pause)
            else:
                return

    # -- one contact

    async def _dial(self, candidate: Candidate) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        dial = _Dial(
            candidate,
            self._ids.next(),
            worker,
            # Taken while the host is unreachable: `_until_reachable` let it through as a probe.
            is_probe=self._host.unreachable,
        )
        self._in_hand[candidate.id] = dial
        self._spending.take(dial.attempt_id, self._longest_of(candidate))
        try:
            await self._attempt(dial)
        except asyncio.CancelledError:
            await self._leave(dial)
            if not dial.was_sent_home():
                raise
        except Exception:
            self._dial_no_more()
            raise
        finally:
            if dial.step is not _Step.PLACED:
                self._out_of_hand(dial)

    def _out_of_hand(self, dial: _Dial) -> None:
        del self._in_hand[dial.candidate.id]
        if dial.step not in {_Step.SETTLING, _Step.PLACED}:
            self._spending.leave(dial.attempt_id)
        self._settled.set()

    async def _attempt(self, dial: _Dial) -> None:
        try:
            request = self._request(dial)
            dial.step = _Step.AT_DOOR
            call = await self._api.attempt(
                request, before_send=lambda: self._intend(dial), pace=self._pace
            )
        except _HeldBackError as held_back:
            if held_back.event is not None:
                self._tell(held_back.event)
        except JournalError:
            raise
        except HamsaError as error:
            await self._after_error(dial, error)
        except Exception as error:
            if dial.step is _Step.INTENDED:
                await self._settle(dial, lost(type(error).__name__))
            raise
        else:
            self._settle_placed(dial, self._placed(dial, call))
            await self._watch(sent=True)

    async def _intend(self, dial: _Dial) -> None:
        """Write the intent down: the last thing before the request leaves."""
        unreachable = self._host.unreachable and not dial.is_probe
        if self._is_over or unreachable or not self._whole.is_set() or not self._trusts_clock():
            raise _HeldBackError(None)
        dial.step = _Step.INTENDING
        answer = await self._journal.intend(self._id, dial.candidate, dial.attempt_id, self._judge)
        if isinstance(answer, Held):
            dial.step = _Step.TAKEN
            raise _HeldBackError(answer.event)
        if self._failure is not None:
            raise self._failure
        self._tell(answer)
        if not self._trusts_clock():
            # It jumped while the rules were judged: a machine that slept, say.
            raise _HeldBackError(
                await self._journal.take_back(self._id, dial.candidate, dial.attempt_id)
            )
        dial.step = _Step.INTENDED
        dial.intended_at = answer.at
        if dial.is_probe:
            self._host.probing()

    def _trusts_clock(self) -> bool:
        """Whether anybody may be judged by our clock: it is known to be right."""
        return self._clocks is None or self._clocks.may_trust()

    async def _leave(self, dial: _Dial) -> None:
        """Cancelled: write down what is proven, so that nobody has to find it out later."""
        with contextlib.suppress(JournalError):
            if dial.step is _Step.INTENDING:
                event = await self._journal.take_back(self._id, dial.candidate, dial.attempt_id)
                if event is not None:
                    self._tell(event)
            elif dial.step is _Step.INTENDED:
                await self._settle(dial, lost("cancelled"))

    async def _after_error(self, dial: _Dial, error: HamsaError) -> None:
        if dial.step is not _Step.INTENDED:
            # Without an intent nothing was tried: the client is closed, or refuses to serve.
            self._end(Finish(ending=Ending.HALTED, reason=words_of(error)))
            return
        end = settlement_of(error, own_agent=dial.candidate.agent_id is not None)
        await self._settle(dial, end)
        if ends_campaign(error) and end.happening is not Happening.REFUSED:
            self._end(Finish(ending=Ending.HALTED, reason=words_of(error)))
            return
        await self._watch(sent=end.state is not AttemptState.NOT_SENT)

    def _request(self, dial: _Dial) -> CallRequest:
        candidate = dial.candidate
        from_number = candidate.from_number or self._campaign.caller_of(candidate.phone_number)
        return CallRequest(
            to_number=candidate.phone_number,
            voice_agent_id=candidate.agent_id or self._campaign.voice_agent_id,
            from_number=None if from_number == HAMSA_DEFAULT else from_number,
            params={**self._campaign.params, **candidate.params},
            reference=dial.attempt_id,
            webhook_url=None if self._webhook_auth is None else self._campaign.webhook_url,
            webhook_auth=None
            if self._webhook_auth is None
            else self._webhook_auth(dial.attempt_id),
        )

    def _placed(self, dial: _Dial, call: Call) -> Settlement:
        ends_by = self._clock() + self._longest_of(dial.candidate) + LEEWAY
        return placed(call.id, placed_at=call.created_at, ends_by=ends_by)

    def _longest_of(self, candidate: Candidate) -> timedelta:
        return self._longest if candidate.agent_id is None else LONGEST_CALL

    def _settle_placed(self, dial: _Dial, end: Settlement) -> None:
        """Settle a call that was placed, while its worker turns to the next contact.

        What the worker then intends is written after this. Until this is durable nobody hears
        of it, and the contact stays in hand.
        """
        dial.step = _Step.PLACED
        self._spending.made(dial.intended_at or self._clock())
        settling = asyncio.ensure_future(
            self._journal.settle(self._id, dial.candidate, dial.attempt_id, end)
        )
        self._settling.add(settling)
        settling.add_done_callback(lambda settled: self._settled_placed(dial, end, settled))

    def _settled_placed(
        self, dial: _Dial, end: Settlement, settled: "asyncio.Future[DialerEvent]"
    ) -> None:
        self._settling.discard(settled)
        try:
            event = settled.result()
        except BaseException as error:  # noqa: BLE001 - raised by run()
            self._failure = self._failure or error
            self._dial_no_more()
        else:
            self._tell(event)
            self._observer.placed(dial.attempt_id)
            self._learn(dial, end)
        self._out_of_hand(dial)

    async def _settle(self, dial: _Dial, end: Settlement) -> None:
        dial.step = _Step.SETTLING
        if end.state in MAY_HAVE_RUNG:
            self._spending.made(dial.intended_at or self._clock())
        else:
            self._spending.leave(dial.attempt_id)
        self._tell(await self._journal.settle(self._id, dial.candidate, dial.attempt_id, end))
        if end.state is AttemptState.UNKNOWN:
            self._reconciler.lost()
        self._learn(dial, end)

    def _learn(self, dial: _Dial, end: Settlement) -> None:
        """Let what became of a request slow the run down, or end it."""
        attempt_id, again = dial.attempt_id, dial.candidate.again
        if end.happening is not Happening.RETURNED:  # that was for no reason of the call's
            self._breaker.settled(attempt_id, end.state, again=again)
            self._heed_breaker()
        if self._pacer is not None:
            self._pacer.settled(attempt_id, end, again=again)

    async def _watch(self, *, sent: bool) -> None:
        changed = self._host.note(sent=sent)
        if changed is not None:
            await self._note(changed, {})

    async def _note(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        self._tell(await self._journal.note(self._id, kind, data))
