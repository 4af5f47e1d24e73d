"""Doubt settled by evidence: unknown -> placed | absent | review. Nothing here dials.

What a look at the list proves is decided in `_settling`, as for the bare client. A call that
carries the attempt's reference is believed at once. That there was no call is never proved: it
is believed where the campaign's delivery is `reconciled`, or a person says so; else the contact
is for review, with what was seen.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from hamsa_async._looking import CallReads, look
from hamsa_async._settling import (
    Absence,
    Doubt,
    NotSeen,
    Settled,
    Span,
    StillUnknown,
    UnknownReason,
    decide,
    read_number,
    same_number,
)
from hamsa_async.dialer.api import ConversationsApi
from hamsa_async.dialer.campaign import Delivery
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import DoubtRecord, Verdict
from hamsa_async.dialer.machine import LASTS, AttemptState
from hamsa_async.errors import CampaignError, DialerError, HamsaError
from hamsa_async.models import Call, Conversation, ConversationSummary, Page

LAG: Final = timedelta(minutes=15)
"""How late the list may show a call: what lies between two looks that absence is believed on."""

LOOK_EVERY: Final = timedelta(seconds=60)
"""How often a doubt is looked into."""

_STEP: Final = timedelta(minutes=15)  # of what is read for each, so that it serves many

NOT_SEEN: Final = "not_seen"
"""The evidence where two looks agree that there was no call."""


BY_WORD: Final[Mapping[str, Any]] = {"kind": "person"}
"""The evidence where a person has said it."""


BY_WEBHOOK: Final[Mapping[str, Any]] = {"kind": "webhook"}
"""The evidence where the attempt's own webhook has said it."""


def _nothing() -> None:
    return


def _nothing_found(_: str) -> None:
    return


class Reconciler:
    """Looks into a campaign's doubts and settles those that evidence settles.

    Args:
        journal: Where the doubts are, and where it is written.
        campaign: The campaign's id in it.
        api: Lists calls, and reads one.
        delivery: Whether absence is believed.
        lag: How late the list may show a call.
        tell: Called with every event, after it is durable.
        clock: What time it is (aware).
        every: How often to look while there is doubt.

    Attributes:
        changed: Called when less is in doubt than before.
        found: Called with the attempt of a call that was found.
        looked: Set when the doubts from before were looked into once.
    """

    def __init__(
        self,
        journal: Journal,
        campaign: int,
        api: ConversationsApi,
        *,
        delivery: Delivery,
        lag: timedelta,
        tell: Callable[[DialerEvent], None],
        clock: Callable[[], datetime],
        every: timedelta = LOOK_EVERY,
    ) -> None:
        self._journal = journal
        self._id = campaign
        self._api = api
        self._delivery = delivery
        self._lag = lag
        self._tell = tell
        self._clock = clock
        self._every = every
        self._something = asyncio.Event()
        self._more = False
        self.unknown: int = 0
        """How many attempts are unknown, as far as was seen; those for review are not."""
        self.blind_since: datetime | None = None
        """Since when no doubt could be looked into, though there are some."""
        self.looked_at: datetime | None = None
        """When the last look was over."""
        self.changed: Callable[[], None] = _nothing
        self.found: Callable[[str], None] = _nothing_found
        self.looked: asyncio.Event = asyncio.Event()

    def lost(self) -> None:
        """There is one more doubt."""
        self.unknown += 1
        self._more = True
        self._something.set()

    async def begin(self) -> None:
        """Take note of the doubts from before."""
        self.unknown = len(await self._unknown())
        if self.unknown:
            self._something.set()
        else:
            self.looked.set()

    async def watch(self) -> None:
        """Look into the doubts, again and again.

        Raises:
            JournalError: What was found could not be written down.

        Cancellation:
            At once; what was found by then is written.
        """
        if not self.looked.is_set():
            await self.look()
            self.looked.set()
        while True:
            await self._something.wait()
            await asyncio.sleep(self._every.total_seconds())
            await self.look()

    async def heard(self, attempt_id: str, call_id: str | None) -> None:
        """A webhook of an attempt in doubt came: there is a call, and this may be its id."""
        records = {each.attempt_id: each for each in await self._journal.doubts(self._id)}
        record = records.get(attempt_id)
        if record is None or call_id is None:
            return
        try:
            conversation = await self._api.get(call_id)
            verdict = by_word(record, conversation, evidence=BY_WEBHOOK)
        except CampaignError:
            return  # what is said of another call proves nothing of this one
        except DialerError:
            raise
        except HamsaError:
            return
        await self._settle(record, verdict)

    async def look(self, *, review: bool = False) -> None:
        """Look into each doubt once; with `review`, also into those left to a person."""
        records = await self._unknown(review=review)
        calls = _OneReading(self._api)  # after them: what it reads is younger than each doubt
        seen = [await self._look_into(record, calls) for record in records]
        self.looked_at = self._clock()
        self.blind_since = (self.blind_since or self.looked_at) if seen and not any(seen) else None
        await self._count()

    async def _count(self) -> None:
        """Take the journal's word for how many are unknown."""
        while True:
            self._more = False
            count = len(await self._unknown())
            if not self._more:  # else one was lost while the journal was read
                break
        fewer = count < self.unknown  # another process settles doubts, too
        self.unknown = count
        if not count:
            self._something.clear()
        if fewer:
            self.changed()

    async def _unknown(self, *, review: bool = False) -> list[DoubtRecord]:
        records = await self._journal.doubts(self._id)
        return [record for record in records if review or record.state is AttemptState.UNKNOWN]

    async def _look_into(self, record: DoubtRecord, calls: CallReads) -> bool:
        """Look into a doubt; whether what is needed for that could be read."""
        settled = await see(self._journal, calls, record, lag=self._lag, now=self._clock)
        if settled is None:
            return False
        verdict = self._verdict(record, settled)
        if verdict is None or verdict.state is record.state:
            # What two looks agreed on stays: the first of them was used up by it.
            if isinstance(settled, StillUnknown):
                first = _as_json(settled.first_look)
                await self._journal.note_look(record.attempt_id, first, evidence_of(settled))
            return True
        await self._settle(record, verdict)
        return True

    async def _settle(self, record: DoubtRecord, verdict: Verdict) -> None:
        event = await self._journal.settle_doubt(self._id, record.attempt_id, verdict)
        if event is None:
            return
        self._tell(event)
        self.unknown -= 1
        if verdict.state is AttemptState.PLACED:
            self.found(record.attempt_id)
        self.changed()

    def _verdict(self, record: DoubtRecord, settled: Settled) -> Verdict | None:
        evidence = evidence_of(settled)
        if isinstance(settled, Call):
            return placed(record, settled.id, settled.created_at, evidence)
        if isinstance(settled, NotSeen):
            believed = self._delivery == Delivery.RECONCILED
            state = AttemptState.ABSENT if believed else AttemptState.REVIEW
            return Verdict(state=state, evidence=evidence)
        # Seen once and not again is settled by the second look, whenever that comes.
        waits = settled.reason is UnknownReason.SEEN_ONCE
        if settled.for_a_person or (self._is_late(record) and not waits):
            return Verdict(state=AttemptState.REVIEW, evidence=evidence)
        return None

    def _is_late(self, record: DoubtRecord) -> bool:
        """Whether looking again will hardly help: two looks, a lag apart, had their time."""
        if record.looked_at is None:
            return False
        return self._clock() >= record.looked_at + 2 * self._lag + self._every


class _OneReading:
    """The list, each part of it read once: many doubts of a crash are of about the same time."""

    def __init__(self, api: ConversationsApi) -> None:
        self._api = api
        self._pages: dict[tuple[datetime, datetime, int, int], Page[ConversationSummary]] = {}

    def list(self, *, start_time: datetime, end_time: datetime, page_size: int) -> "_Part":
        return _Part(self._pages, self._api, (start_time, end_time, page_size))

    async def get(self, conversation_id: str) -> Conversation:
        return await self._api.get(conversation_id)


class _Part:
    def __init__(
        self,
        pages: dict[tuple[datetime, datetime, int, int], Page[ConversationSummary]],
        api: ConversationsApi,
        asked: tuple[datetime, datetime, int],
    ) -> None:
        self._pages = pages
        self._api = api
        self._asked = asked

    async def page(self, number: int) -> Page[ConversationSummary]:
        key = (*self._asked, number)
        if key not in self._pages:
            begin, end, size = self._asked
            part = self._api.list(start_time=begin, end_time=end, page_size=size)
            self._pages[key] = await part.page(number)
        return self._pages[key]


async def see(
    journal: Journal,
    calls: CallReads,
    record: DoubtRecord,
    *,
    lag: timedelta,
    now: Callable[[], datetime],
) -> Settled | None:
    """Look for the call of an attempt in doubt; `None` where the list could not be read."""
    doubt = Doubt(
        to_number=record.phone_number,
        begun_at=record.begun_at,
        ended_at=record.ended_at,
        reference=record.attempt_id,
        call_id=record.call_id,
        server_ahead=record.server_ahead,
    )
    bound = await journal.bound_calls(record.phone_number, record.attempt_id)
    later = await journal.later_calls(record.ended_at)
    try:
        seen = await look(calls, doubt, bound=bound, placed=later, now=now, step=_STEP)
    except DialerError:
        raise
    except HamsaError:
        return None
    first = _absence(record.first_look)
    return decide(doubt, seen, bound=bound, first=first, lag=lag.total_seconds())


def placed(
    record: DoubtRecord,
    call_id: str,
    created_at: datetime | None,
    evidence: Mapping[str, Any],
) -> Verdict:
    """The verdict that an attempt became a call."""
    return Verdict(
        state=AttemptState.PLACED,
        call_id=call_id,
        placed_at=created_at,
        ends_by=record.ended_at + LASTS,
        evidence=evidence,
    )


def by_word(
    record: DoubtRecord, conversation: Conversation, *, evidence: Mapping[str, Any] = BY_WORD
) -> Verdict:
    """The verdict where it is said which call an attempt became.

    Raises:
        CampaignError: The call carries another reference, or went to another number.
    """
    reference = conversation.reference
    called = conversation.call_params.user_number if conversation.call_params else None
    ours, number = read_number(record.phone_number), read_number(called)
    if reference not in (None, record.attempt_id):
        raise CampaignError(f"call {conversation.id} is that of another attempt, {reference}")
    if ours is not None and number is not None and not same_number(ours, number):
        raise CampaignError(f"call {conversation.id} went to another number")
    return placed(record, conversation.id, conversation.created_at, evidence)


def evidence_of(settled: Settled) -> dict[str, Any]:
    """What a look has shown, as JSON: `kind` in a word, and `text` for people."""
    if isinstance(settled, Call):
        return {"kind": str(settled.evidence), "call_id": settled.id}
    if isinstance(settled, NotSeen):
        return {
            "kind": NOT_SEEN,
            "as_of": settled.as_of.isoformat(),
            "control": settled.control,
            "text": str(settled),
        }
    return {
        "kind": str(settled.reason),
        "candidates": list(settled.candidates),
        "text": str(settled),
    }


def _as_json(first: Absence | None) -> dict[str, Any] | None:
    if first is None:
        return None
    moments = (first.span.begin, first.span.end, first.dates.begin, first.dates.end)
    return {"moments": [each.isoformat() for each in moments], "control": first.control}


def _absence(kept: Mapping[str, Any] | None) -> Absence | None:
    if kept is None:
        return None
    begin, end, *dates = map(datetime.fromisoformat, kept["moments"])
    return Absence(
        span=Span(begin=begin, end=end),
        dates=Span(begin=dates[0], end=dates[1]),
        control=kept["control"],
    )
