"""Single calls: outside any list, written down and guarded as a campaign's are.

They are the contacts of one campaign of the journal, `SINGLE_CALLS`, which nobody runs; so its
status, its proof and its doubts are read as any other's.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

from hamsa_async.dialer.campaign import SINGLE_CALLS, Campaign
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import (
    Barred,
    CampaignRecord,
    Candidate,
    OpenCall,
    Settlement,
)
from hamsa_async.dialer.machine import (
    ATTEMPT_AFTER,
    HAPPENING_AFTER,
    LONGEST_CALL,
    AttemptState,
    Happening,
)
from hamsa_async.dialer.observer import LEEWAY, end_of
from hamsa_async.dialer.runner import AttemptIds, utc_now
from hamsa_async.errors import CampaignRunningError, Certainty
from hamsa_async.models import Call, Conversation

_PATIENCE: Final = 60.0  # seconds for which another process may be placing its call
_PAUSE: Final = 0.1

# Each call names its own agent; the settings say what is done about its end and a doubt.
_LIKE: Final = Campaign(name="single", voice_agent_id="of each call", retries=())


class SingleCall:
    """One call: `intend`, send the request, `settle`, each durable before the next.

    Made by `single_call`.
    """

    def __init__(self, journal: Journal, campaign: int) -> None:
        self._journal = journal
        self._id = campaign
        self._candidate: Candidate | None = None
        self._placed: OpenCall | None = None
        self.attempt_id: str = AttemptIds().next()
        """Also the call's reference, by which a doubt is settled."""

    async def intend(self, phone_number: str) -> Barred | None:
        """Write down that a number is about to be dialed; gives what bars it, if anything does.

        Raises:
            JournalError: It could not be written down: do not dial.
        """
        answer = await self._journal.intend_single(self._id, self.attempt_id, phone_number)
        if isinstance(answer, Barred):
            return answer
        self._candidate = answer
        return None

    async def settle(self, end: Settlement) -> None:
        """Write down what became of the request.

        Raises:
            JournalError: It could not be written down; the attempt will count as unknown.
        """
        assert self._candidate is not None
        await self._journal.settle_single(self._id, self._candidate, self.attempt_id, end)
        if end.call_id is not None and end.ends_by is not None:
            self._placed = OpenCall(
                attempt_id=self.attempt_id,
                call_id=end.call_id,
                placed_at=end.placed_at,
                settled_at=utc_now(),
                ends_by=end.ends_by,
            )

    async def end(self, conversation: Conversation) -> None:
        """Write down how the placed call ended; also after `single_call` was left.

        Raises:
            JournalError: It could not be written down.
        """
        assert self._placed is not None
        seen = end_of(self._placed, None, conversation, utc_now())
        await self._journal.end_call(self._id, self.attempt_id, seen, _LIKE.retry_table())


@contextlib.asynccontextmanager
async def single_call(journal: Journal) -> AsyncIterator[SingleCall]:
    """Be the one process that places a single call with a journal; others wait for their turn.

    What a process that is gone has left is unknown from here on.

    Raises:
        CampaignRunningError: Another process takes very long to place its own.
        JournalError: Something could not be written down.
    """
    record = await journal.add_campaign(SINGLE_CALLS, _LIKE.settings())
    await _claim(journal, record)
    try:
        await journal.recover(record.id)
        yield SingleCall(journal, record.id)
    finally:
        await journal.release(record)


async def _claim(journal: Journal, record: CampaignRecord) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            await journal.claim(record)
        except CampaignRunningError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return


def placed(call_id: str, call: Call | None = None) -> Settlement:
    """The end of an attempt that became a call; of a cancelled one only the id was heard."""
    return Settlement(
        state=AttemptState.PLACED,
        happening=Happening.PLACED,
        call_id=call_id,
        placed_at=None if call is None else call.created_at,
        ends_by=utc_now() + LONGEST_CALL + LEEWAY,
    )


def not_placed(certainty: Certainty | None, reason: str) -> Settlement:
    """The end of one whose caller was stopped, by what was proven until then."""
    state = ATTEMPT_AFTER[certainty or Certainty.UNKNOWN]
    return Settlement(state=state, happening=HAPPENING_AFTER[state], reason=reason)
