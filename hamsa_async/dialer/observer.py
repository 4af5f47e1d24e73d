"""What becomes of placed calls, learnt by looking at the project's list of calls.

One look is for all open calls of the campaign: a request for each 200 rows of the spans of time
in which they were placed, however many there are. A call that has ended is then read in full,
once, and kept in the journal. Nothing that is seen late or twice changes anything.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from hamsa_async._masking import mask_text, scrub
from hamsa_async._pull import see_through
from hamsa_async.dialer.api import ConversationsApi
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import CallEnd, OpenCall
from hamsa_async.dialer.machine import UNSEEN
from hamsa_async.dialer.retries import Retries
from hamsa_async.errors import DialerError, HamsaError
from hamsa_async.models import CallStatus, Conversation, ConversationSummary

LOOK_EVERY: Final = timedelta(seconds=15)
"""How often the list is read while calls are open."""

LOOK_EVERY_BESIDE_WEBHOOKS: Final = timedelta(minutes=5)
"""The same where webhooks say it sooner: for those that get lost."""

_ROWS: Final = 200  # the most that the API gives at once
# How much earlier or later than we think a call may stand in the list: the server's own word may
# be rounded; where it gave none, its clock is not ours.
_MARGIN: Final = timedelta(minutes=1)
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_NEAR: Final = timedelta(minutes=5)  # spans that are no further apart are read as one
_AT_ONCE: Final = 20  # calls read in full side by side
_LOOKS_FOR_DETAILS: Final = 3  # transcript and outcome may lag the end by some seconds
_LOOKS_WITHOUT_ROW: Final = 4  # then the call itself is asked for


def _nothing() -> None:
    return


def _nothing_ended(_attempt_id: str, _end: CallEnd) -> None:
    return


class Observer:
    """Sees how a campaign's placed calls end, and writes it down.

    Args:
        journal: Where the open calls are, and where it is written.
        campaign: The campaign's id in it.
        api: Lists calls, and reads one.
        retries: Says who is tried again.
        tell: Called with every event, after it is durable.
        clock: What time it is (aware).
        every: How often to look while calls are open.

    Attributes:
        changed: Called when fewer calls are open than before.
        ended: Called with the attempt of a call whose end was written down, and that end.
        looked: Set when the calls that were open from before were looked at once.
        blind_since: Since when the list of calls could not be read.
        looked_at: When the last look was over.
    """

    def __init__(
        self,
        journal: Journal,
        campaign: int,
        api: ConversationsApi,
        *,
        retries: Retries,
        tell: Callable[[DialerEvent], None],
        clock: Callable[[], datetime],
        every: timedelta,
    ) -> None:
        self._journal = journal
        self._id = campaign
        self._api = api
        self._retries = retries
        self._tell = tell
        self._clock = clock
        self._every = every.total_seconds()
        self._open: set[str] = set()
        self._something = asyncio.Event()
        self._lacking: Counter[str] = Counter()
        self._rowless: Counter[str] = Counter()
        self._failed = False
        self.changed: Callable[[], None] = _nothing
        self.ended: Callable[[str, CallEnd], None] = _nothing_ended
        self.looked: asyncio.Event = asyncio.Event()
        self.blind_since: datetime | None = None
        self.looked_at: datetime | None = None

    @property
    def live(self) -> int:
        """How many calls are placed and not ended, as far as was seen."""
        return len(self._open)

    def placed(self, attempt_id: str) -> None:
        """A call was placed."""
        self._open.add(attempt_id)
        self._something.set()

    async def begin(self) -> None:
        """Take note of the calls that are open from before."""
        if not await self._open_calls():
            self.looked.set()

    async def watch(self) -> None:
        """Look at the open calls, again and again.

        Raises:
            JournalError: What was seen could not be written down.

        Cancellation:
            At once; what was seen by then is written.
        """
        while True:
            await self._something.wait()
            if self.looked.is_set():
                await asyncio.sleep(self._every)
            await self.look()
            self.looked.set()

    async def look(self) -> None:
        """Look at the open calls once."""
        calls = await self._open_calls()
        try:
            for span in _spans(calls):
                await self._look_at(span)
        except DialerError:
            raise
        except HamsaError as error:
            await self._note(error)
        self.looked_at = self._clock()
        if not self._open:
            self._something.clear()

    async def heard(self, attempt_id: str) -> bool:
        """A call is said to be over: look at it; whether there is nothing more to see."""
        calls = await self._journal.open_calls(self._id)
        call = next((call for call in calls if call.attempt_id == attempt_id), None)
        if call is None:
            return True
        conversation = await self._read(call)
        if conversation is None or not conversation.has_ended:
            return False
        await self._end(call, end_of(call, None, conversation, self._clock()))
        return True

    async def _open_calls(self) -> Sequence[OpenCall]:
        before = set(self._open)
        calls = await self._journal.open_calls(self._id)
        now_open = {call.attempt_id for call in calls}
        # Those placed while the journal was read are in neither.
        self._open -= before - now_open
        self._open |= now_open
        if calls:
            self._something.set()
        if before - now_open:
            self.changed()
        return calls

    async def _look_at(self, span: "_Span") -> None:
        waiting = {call.call_id: call for call in span.calls}
        rows: dict[str, ConversationSummary] = {}
        async for row in self._api.list(start_time=span.start, end_time=span.end, page_size=_ROWS):
            if row.id in waiting:
                rows[row.id] = row
                if len(rows) == len(waiting):
                    break
        await self._note(None)
        now = self._clock()
        telling = [
            call for call in span.calls if self._is_telling(call, rows.get(call.call_id), now)
        ]
        for at in range(0, len(telling), _AT_ONCE):
            some = telling[at : at + _AT_ONCE]
            await asyncio.gather(*(self._see(call, rows.get(call.call_id)) for call in some))

    def _is_telling(self, call: OpenCall, row: ConversationSummary | None, now: datetime) -> bool:
        """Whether there is something to learn of a call: most of a look's are just live."""
        if row is None:
            self._rowless[call.call_id] += 1
            if self._rowless[call.call_id] % _LOOKS_WITHOUT_ROW == 0:
                return True
        return call.ends_by <= now or (row is not None and row.has_ended)

    async def _see(self, call: OpenCall, row: ConversationSummary | None) -> None:
        """Learn from the row of a call, or from its absence."""
        overdue = call.ends_by <= self._clock()
        if row is not None and row.has_ended:
            conversation = await self._read(call)
            if self._is_whole(row, conversation) or overdue:
                await self._end(call, end_of(call, row, conversation, self._clock()))
            return
        if overdue or row is None:
            conversation = await self._read(call)
            if conversation is not None and conversation.has_ended:
                await self._end(call, end_of(call, None, conversation, self._clock()))
            elif overdue:
                await self._end(
                    call, CallEnd(call_id=call.call_id, outcome=UNSEEN, ended_at=call.ends_by)
                )

    async def _read(self, call: OpenCall) -> Conversation | None:
        try:
            return await self._api.get(call.call_id)
        except HamsaError:
            return None

    def _is_whole(self, row: ConversationSummary, conversation: Conversation | None) -> bool:
        """Whether nothing more is to be expected of a call that has ended."""
        talked = row.status == CallStatus.COMPLETED
        if conversation is not None and (
            not talked or conversation.transcript or conversation.outcome
        ):
            return True
        self._lacking[row.id] += 1
        return self._lacking[row.id] >= _LOOKS_FOR_DETAILS

    async def _end(self, call: OpenCall, end: CallEnd) -> None:
        # It is written also when nobody looks any more; then it is told and counted, too.
        await see_through(self._write_end(call, end))

    async def _write_end(self, call: OpenCall, end: CallEnd) -> None:
        event = await self._journal.end_call(self._id, call.attempt_id, end, self._retries)
        self._open.discard(call.attempt_id)
        self._lacking.pop(call.call_id, None)
        self._rowless.pop(call.call_id, None)
        if event is not None:
            self._tell(event)
            self.ended(call.attempt_id, end)
        self.changed()

    async def _note(self, error: HamsaError | None) -> None:
        """Say it once when the list cannot be read, and once when it can be again."""
        self.blind_since = None if error is None else self.blind_since or self._clock()
        if self._failed == (error is not None):
            return
        self._failed = error is not None
        kind = EventKind.LOOKED if error is None else EventKind.LOOK_FAILED
        data = {} if error is None else {"reason": mask_text(str(error))[:200]}
        self._tell(await self._journal.note(self._id, kind, data))


class _Span:
    """Open calls that were placed about the same time, and the time to ask for."""

    def __init__(self, call: OpenCall) -> None:
        self.calls = [call]
        self.start, self.end = _around(call)

    def takes(self, call: OpenCall) -> bool:
        """Take a call in, if it is near."""
        start, end = _around(call)
        if start > self.end + _NEAR or end < self.start - _NEAR:
            return False
        self.calls.append(call)
        self.start, self.end = min(self.start, start), max(self.end, end)
        return True


def _around(call: OpenCall) -> tuple[datetime, datetime]:
    if call.placed_at is not None:
        return call.placed_at - _MARGIN, call.placed_at + _MARGIN
    return call.settled_at - _CLOCKS_DIFFER, call.settled_at + _CLOCKS_DIFFER


def _spans(calls: Iterable[OpenCall]) -> list[_Span]:
    spans: list[_Span] = []
    for call in sorted(calls, key=lambda call: call.placed_at or call.settled_at):
        if not (spans and spans[-1].takes(call)):
            spans.append(_Span(call))
    return spans


def end_of(
    call: OpenCall,
    row: ConversationSummary | None,
    conversation: Conversation | None,
    now: datetime,
) -> CallEnd:
    """How a call ended, of what was read about it."""
    status = (conversation.status if conversation is not None else None) or (row and row.status)
    duration = conversation.call_duration if conversation is not None else None
    cost = conversation.extra.get("totalCost") if conversation is not None else None
    response = conversation.job_response if conversation is not None else None
    return CallEnd(
        call_id=call.call_id,
        outcome=str(status).lower(),
        # By our clock: the server's may be another, and the minimum gap counts from here.
        ended_at=min(now, call.ends_by),
        duration=duration if duration is not None or row is None else row.duration,
        cost=cost if isinstance(cost, int | float) else None,
        recording=None if conversation is None else conversation.media_url,
        transcript=_plain(response and response.transcription),
        result=_plain(response and response.outcome_result),
    )


def _plain(value: Any) -> Any:
    """What the API sent, as plain JSON without a secret in it."""
    return None if value is None else scrub(value)
