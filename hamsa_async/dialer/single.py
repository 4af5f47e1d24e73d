"""Single calls: outside any list, written down and guarded as a campaign's are.

They are the contacts of one campaign of the journal, `SINGLE_CALLS`, which nobody runs; so its
status, its proof and its doubts are read as any other's. Any number of processes place one at
once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Final

import attrs

from hamsa_async._pull import see_through
from hamsa_async._retry import pause
from hamsa_async.config import ClientConfig
from hamsa_async.dialer.api import ConversationsApi, VoiceAgentsApi
from hamsa_async.dialer.attempt_ids import AttemptIds
from hamsa_async.dialer.campaign import Campaign
from hamsa_async.dialer.clock_watch import utc_now
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.dialing import CANCELLED
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import SINGLE_CALLS, Barred, Candidate, OpenCall, Settlement
from hamsa_async.dialer.machine import (
    ATTEMPT_AFTER,
    HAPPENING_AFTER,
    LASTS,
)
from hamsa_async.dialer.observer import Observer, end_of
from hamsa_async.dialer.others import look_for_others
from hamsa_async.dialer.settlements import lost, placed, settlement_of
from hamsa_async.errors import (
    AuthenticationError,
    Certainty,
    HamsaError,
    JournalError,
    NotSentError,
    RateLimitedError,
)
from hamsa_async.instrumentation import AttemptSettled
from hamsa_async.models import Call, CallRequest, Conversation

# Each call names its own agent; the settings say what is done about its end and a doubt.
_LIKE: Final = Campaign(name="single", voice_agent_id="of each call", retries=())


class _BarredError(Exception):
    """A guard bars the number; nothing was sent, and nothing was intended."""

    def __init__(self, barred: Barred) -> None:
        super().__init__(barred.reason)
        self.barred = barred


@attrs.frozen(kw_only=True)
class Placing:
    """What became of a single call's request: one of the first three, and whether it is written."""

    call: Call | None = None
    error: HamsaError | None = None
    barred: Barred | None = None
    not_written: JournalError | None = None
    """Why the result is not in the journal, which will take the attempt for unknown."""


class SingleCall:
    """One call, placed between its intent and its result. Made by `single_call`.

    Attributes:
        attempt_id: Of its last try; also the call's reference, by which a doubt is settled.
    """

    def __init__(self, journal: Journal, campaign: int) -> None:
        self._journal = journal
        self._id = campaign
        self._ids = AttemptIds()
        self._intended: Candidate | None = None
        self._placed: OpenCall | None = None
        self.attempt_id: str = self._ids.next()
        self.key: str = self.attempt_id
        """Names it among single calls, over all of its tries."""

    async def look_first(self, api: ConversationsApi, agent_id: str) -> None:
        """Learn whom others have called, and how earlier single calls have ended.

        Raises:
            CampaignError: The list of calls could not be read.
            JournalError: What was seen could not be written down.
        """
        await look_for_others(
            self._journal,
            self._id,
            agent_id,
            api,
            longest=timedelta(0),
            made_at=utc_now(),
            tell=_nobody,
            clock=utc_now,
        )
        await see_ends(self._journal, self._id, api, clock=utc_now)

    async def place(
        self, api: VoiceAgentsApi, request: CallRequest, *, config: ClientConfig
    ) -> Placing:
        """Place it: every try an attempt of its own, judged and written down at the last moment.

        It is tried again where that is safe: it was not sent, or refused with a 429.

        Args:
            api: Places it.
            request: The call; its reference is the attempt's.
            config: Says how patiently to try.

        Raises:
            JournalError: An intent could not be written down: that try was not sent.

        Cancellation:
            What has left may still be answered; `stopped` must follow.
        """
        tries = _Tries(config)
        request = attrs.evolve(request, not_after=tries.until)
        while True:
            self.attempt_id = self._ids.next()
            try:
                call = await api.attempt(
                    attrs.evolve(request, reference=self.attempt_id),
                    before_send=lambda: see_through(self._intend(request.to_number)),
                )
            except _BarredError as held:
                return Placing(barred=held.barred)
            except JournalError:
                raise
            except HamsaError as error:
                result = await self._after_error(error, tries)
                if result is not None:
                    return result
            except Exception as error:
                if self._intended is not None:
                    await self._settle(lost(type(error).__name__))
                raise
            else:
                return await self._written(Placing(call=call), _placed(call.id, call))

    async def stopped(self, heard: AttemptSettled | None) -> None:
        """Write down what was proven of a try whose caller was cancelled.

        Args:
            heard: How its request ended; `None` where none had begun.

        Raises:
            JournalError: It could not be written down; the attempt will count as unknown.
        """
        if self._intended is None:
            return
        if heard is None:
            await self._settle(_not_placed(Certainty.NOT_SENT))
        elif heard.certainty is Certainty.PLACED and heard.call_id is not None:
            await self._settle(_placed(heard.call_id))
        else:
            await self._settle(_not_placed(heard.certainty))

    async def end(self, conversation: Conversation) -> None:
        """Write down how the placed call ended; also after `single_call` was left.

        Raises:
            JournalError: It could not be written down.
        """
        assert self._placed is not None
        seen = end_of(self._placed, None, conversation, utc_now())
        await self._journal.end_call(self._id, self.attempt_id, seen, _LIKE.retry_table())

    async def _intend(self, phone_number: str) -> None:
        answer = await self._journal.intend_single(
            self._id, self.key, self.attempt_id, phone_number
        )
        if isinstance(answer, Barred):
            raise _BarredError(answer)
        self._intended = answer

    async def _after_error(self, error: HamsaError, tries: "_Tries") -> Placing | None:
        """Write down what a failed try came to; `None` after the pause before the next one."""
        if self._intended is None:  # it did not get so far as to be one
            return Placing(error=tries.last or error)
        wait = tries.wait_after(error)
        result = await self._written(Placing(error=error), settlement_of(error, own_agent=True))
        if wait is None or result.not_written is not None:
            return result
        await asyncio.sleep(wait)
        return None

    async def _written(self, result: Placing, end: Settlement) -> Placing:
        try:
            await self._settle(end)
        except JournalError as error:
            return attrs.evolve(result, not_written=error)
        return result

    async def _settle(self, end: Settlement) -> None:
        candidate, self._intended = self._intended, None
        assert candidate is not None
        await see_through(self._journal.settle(self._id, candidate, self.attempt_id, end))
        if end.call_id is not None and end.ends_by is not None:
            self._placed = OpenCall(
                attempt_id=self.attempt_id,
                call_id=end.call_id,
                placed_at=end.placed_at,
                settled_at=utc_now(),
                ends_by=end.ends_by,
            )


class _Tries:
    """How often a single call was tried, and whether it may be again: as the client itself does."""

    def __init__(self, config: ClientConfig) -> None:
        self._policy = config.retry
        self._counted = 0
        self._renewed = False
        self.until: datetime = utc_now() + timedelta(seconds=config.timeouts.deadline)
        self.last: HamsaError | None = None

    def wait_after(self, error: HamsaError) -> float | None:
        """Seconds until the next try; `None`: there is none."""
        self.last = error
        wait = self._wait(error)
        if wait is None or utc_now() + timedelta(seconds=wait) >= self.until:
            return None
        return wait

    def _wait(self, error: HamsaError) -> float | None:
        if isinstance(error, RateLimitedError):
            # The gate does the waiting. Longer than we do, and it is no use.
            late = error.retry_at is not None and error.retry_at >= self.until
            return None if late else 0.0
        if isinstance(error, AuthenticationError) and error.key_renewed and not self._renewed:
            self._renewed = True
            return 0.0
        self._counted += 1
        if isinstance(error, NotSentError) and self._counted < self._policy.attempts:
            return pause(self._policy, self._counted)
        return None


@contextlib.asynccontextmanager
async def single_call(journal: Journal) -> AsyncIterator[SingleCall]:
    """Be about to place a single call. What processes that are gone have left is unknown by now.

    Raises:
        JournalError: Something could not be written down.
    """
    record = await journal.add_campaign(SINGLE_CALLS, _LIKE.settings())
    await journal.recover_singles(record.id)
    single = SingleCall(journal, record.id)
    await journal.begin_single(single.key)
    try:
        yield single
    finally:
        # What is not written then is judged by the next process that looks.
        with contextlib.suppress(JournalError):
            await see_through(journal.end_single(record.id, single.key))


async def see_ends(
    journal: Journal, campaign: int, api: ConversationsApi, *, clock: Callable[[], datetime]
) -> None:
    """Look once how placed single calls have ended: no run does.

    Raises:
        JournalError: What was seen could not be written down.
    """
    observer = Observer(
        journal,
        campaign,
        api,
        retries=_LIKE.retry_table(),
        tell=_nobody,
        clock=clock,
        every=timedelta(0),
    )
    await observer.look()


def _nobody(_: DialerEvent) -> None:
    """A single call tells what became of it by itself."""


def _placed(call_id: str, call: Call | None = None) -> Settlement:
    """The end of an attempt that became a call; of a cancelled one only the id was heard."""
    placed_at = None if call is None else call.created_at
    return placed(call_id, placed_at=placed_at, ends_by=utc_now() + LASTS)


def _not_placed(certainty: Certainty | None) -> Settlement:
    """The end of one whose caller was stopped, by what was proven until then."""
    state = ATTEMPT_AFTER[certainty or Certainty.UNKNOWN]
    return Settlement(state=state, happening=HAPPENING_AFTER[state], reason=CANCELLED)
