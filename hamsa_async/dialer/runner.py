"""One run of a campaign: pull a contact when a slot is free, intend, send, settle.

The order is the promise. A contact is taken only by a worker that is free; its intent is on
disk before its request leaves, written at the last moment (slot held, gate and pace passed); its
result is on disk before anybody hears of it.
"""

import asyncio
import enum
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from hamsa_async._limits import Pace
from hamsa_async._masking import mask_text
from hamsa_async._pull import Pull
from hamsa_async.dialer.api import VoiceAgentsApi
from hamsa_async.dialer.campaign import HAMSA_DEFAULT, Campaign
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import Candidate, Held, Settlement
from hamsa_async.dialer.machine import (
    AttemptState,
    Happening,
    attempt_after,
    ends_campaign,
    happening_after,
)
from hamsa_async.errors import HamsaError, JournalError, NotFoundError
from hamsa_async.models import Call, CallRequest

UNREACHABLE_AFTER: Final = 5
"""Requests in a row that could not be sent, before only a probe is."""

PROBE_EVERY: Final = timedelta(seconds=30)

_READ_AHEAD: Final = 200  # contacts read at once
_REASON_LIMIT: Final = 200


class Ending(enum.StrEnum):
    """How a run ended."""

    DONE = "done"
    """Nothing is left to dial."""
    NOTHING_NOW = "nothing_now"
    """What is left may not be dialed yet, and the run was told not to wait."""
    INTERRUPTED = "interrupted"
    """It was stopped; running it again resumes."""
    HALTED = "halted"
    """Every further call would have failed the same way; the reason says which."""


@attrs.frozen(kw_only=True)
class Finish:
    """How a run ended, and why."""

    ending: Ending
    reason: str | None = None
    next_at: datetime | None = None
    """When the first deferred contact is due, for `NOTHING_NOW`."""


class _HeldBackError(Exception):
    """The journal would not let this contact be dialed now; nothing was sent."""

    def __init__(self, held: Held) -> None:
        super().__init__("held back")
        self.held = held


class HostWatch:
    """Whether the host can be reached, judged by requests that could not be sent."""

    def __init__(self, *, after: int, every: timedelta) -> None:
        self._after = after
        self._every = every.total_seconds()
        self._in_a_row = 0
        self._probe_at = 0.0

    @property
    def unreachable(self) -> bool:
        """Whether only probes may be sent."""
        return self._in_a_row >= self._after

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


class Runner:
    """Dials one campaign's contacts until nothing can be dialed, or it is stopped.

    Args:
        journal: Where everything is written down.
        campaign_id: The campaign's id in it; the caller holds its claim.
        campaign: Its settings.
        api: Places the calls.
        tell: Called with every event, after it is durable.
        ready: Awaited before a contact is taken; it may hold up new dials.
        wait: Whether to wait for deferred contacts.
        clock: What time it is (aware).
        probe_every: How often an unreachable host is tried.
    """

    def __init__(
        self,
        journal: Journal,
        campaign_id: int,
        campaign: Campaign,
        api: VoiceAgentsApi,
        *,
        tell: Callable[[DialerEvent], None],
        ready: Callable[[], Awaitable[None]],
        wait: bool,
        clock: Callable[[], datetime],
        probe_every: timedelta = PROBE_EVERY,
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
        self._host = HostWatch(after=UNREACHABLE_AFTER, every=probe_every)
        self._in_hand: set[int] = set()
        self._settled = asyncio.Event()
        self._finish: Finish | None = None
        self._pull = Pull(self._candidates(), self._dial, workers=campaign.concurrency)

    def stop(self, reason: str) -> None:
        """Dial nobody more; what is in flight settles. The run ends as interrupted."""
        self._end(Finish(ending=Ending.INTERRUPTED, reason=reason))

    async def run(self) -> Finish:
        """Dial.

        Raises:
            JournalError: Something could not be written down; nobody is dialed after that.

        Cancellation:
            At once. An attempt whose request was handed to a connection stays intended, and is
            unknown from the next start on.
        """
        await self._pull.run()
        return self._finish or Finish(ending=Ending.DONE)

    def _end(self, finish: Finish) -> None:
        if self._finish is None:
            self._finish = finish
        self._pull.stop()

    # -- what to dial next

    async def _candidates(self) -> AsyncIterator[Candidate]:
        """Give contacts to dial: those pending in the list's order, then those due again."""
        place, found = 0, False
        while True:
            batch = await self._journal.pending(self._id, after=place, limit=_READ_AHEAD)
            at_end = not batch
            if at_end:
                batch = await self._journal.due(self._id, now=self._clock(), limit=_READ_AHEAD)
            else:
                place = batch[-1].id
            # What is in hand is still pending on disk until its intent is written.
            for candidate in [each for each in batch if each.id not in self._in_hand]:
                await self._until_reachable()
                await self._ready()
                found = True
                self._in_hand.add(candidate.id)
                yield candidate
            if at_end:
                if not found and not await self._more_to_come():
                    return
                place, found = 0, False

    async def _more_to_come(self) -> bool:
        """Nothing can be dialed this moment: wait for what may come, or say that it is over."""
        if self._in_hand:
            # What is in hand may come back to be dialed.
            self._settled.clear()
            await self._settled.wait()
            return True
        following = await self._journal.next_due(self._id)
        if following is None:
            return False
        until, reason = following
        if not self._wait:
            self._finish = Finish(ending=Ending.NOTHING_NOW, reason=reason, next_at=until)
            return False
        pause = (until - self._clock()).total_seconds()
        if pause > 0:
            await self._note(EventKind.WAITING, {"until": until.isoformat(), "reason": reason})
            await asyncio.sleep(pause)
        return True

    async def _until_reachable(self) -> None:
        """While the host is unreachable let one through now and then, and nobody else."""
        while self._host.unreachable:
            if self._in_hand:
                self._settled.clear()
                await self._settled.wait()
            elif (pause := self._host.pause()) > 0:
                await asyncio.sleep(pause)
            else:
                self._host.probing()
                return

    # -- one contact

    async def _dial(self, candidate: Candidate) -> None:
        try:
            await self._attempt(candidate)
        finally:
            self._in_hand.discard(candidate.id)
            self._settled.set()

    async def _attempt(self, candidate: Candidate) -> None:
        attempt_id = new_attempt_id()
        intended = False

        async def intend() -> None:
            nonlocal intended
            answer = await self._journal.intend(self._id, candidate, attempt_id)
            if isinstance(answer, Held):
                raise _HeldBackError(answer)
            intended = True
            self._tell(answer)

        try:
            call = await self._api.attempt(
                self._request(candidate, attempt_id), before_send=intend, pace=self._pace
            )
        except _HeldBackError as held_back:
            if held_back.held.event is not None:
                self._tell(held_back.held.event)
        except JournalError:
            raise
        except HamsaError as error:
            if intended:
                end = _end_of(error, own_agent=candidate.agent_id is not None)
                await self._settle(candidate, attempt_id, end)
                if end.happening is Happening.REFUSED:
                    await self._watch(sent=True)
                    return
            await self._learn(error, intended=intended)
        else:
            await self._settle(candidate, attempt_id, _placed(call))
            await self._watch(sent=True)

    def _request(self, candidate: Candidate, attempt_id: str) -> CallRequest:
        from_number = candidate.from_number or self._campaign.from_number
        return CallRequest(
            to_number=candidate.phone_number,
            voice_agent_id=candidate.agent_id or self._campaign.voice_agent_id,
            from_number=None if from_number == HAMSA_DEFAULT else from_number,
            params={**self._campaign.params, **candidate.params},
            reference=attempt_id,
        )

    async def _settle(self, candidate: Candidate, attempt_id: str, end: Settlement) -> None:
        self._tell(await self._journal.settle(self._id, candidate, attempt_id, end))

    async def _learn(self, error: HamsaError, *, intended: bool) -> None:
        """What an error means for the contacts after this one."""
        if ends_campaign(error) or not intended:
            # Without an intent nothing was tried: the client is closed, or refuses to serve.
            self._end(Finish(ending=Ending.HALTED, reason=_words(error)))
            return
        await self._watch(sent=attempt_after(error) is not AttemptState.NOT_SENT)

    async def _watch(self, *, sent: bool) -> None:
        changed = self._host.note(sent=sent)
        if changed is not None:
            await self._note(changed, {})

    async def _note(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        self._tell(await self._journal.note(self._id, kind, data))


def new_attempt_id() -> str:
    """Make an attempt's id: unique, and in the order of time, so that it files cheaply."""
    return f"att_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _placed(call: Call) -> Settlement:
    return Settlement(state=AttemptState.PLACED, happening=Happening.PLACED, call_id=call.id)


def _end_of(error: HamsaError, *, own_agent: bool) -> Settlement:
    """What an error means for the attempt and its contact.

    An agent that is missing ends the campaign, unless it is the row's own.
    """
    happening = happening_after(error)
    if own_agent and isinstance(error, NotFoundError):
        happening = Happening.REFUSED
    return Settlement(
        state=attempt_after(error),
        happening=happening,
        status=error.status,
        reason=_words(error),
    )


def _words(error: HamsaError) -> str:
    return mask_text(str(error))[:_REASON_LIMIT]


def utc_now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)
