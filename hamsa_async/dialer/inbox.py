"""What webhooks said, acted on: an event is a hint to look now, and where to look.

An event itself ends nothing. The call that it names is read from the API, as a sweep of the list
would have it read, only sooner: so a lost, late, doubled or disordered event changes nothing but
the time, and nobody can move a call by sending one.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Final

from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import HeardEvent
from hamsa_async.dialer.machine import IN_DOUBT, AttemptState
from hamsa_async.dialer.observer import Observer
from hamsa_async.dialer.reconcile import Reconciler
from hamsa_async.models.webhooks import EventType

READ_EVERY: Final = timedelta(seconds=1)
"""How often the inbox is read."""

_AT_ONCE: Final = 200
_TRIES: Final = 5  # then the sweeps see to it


class Inbox:
    """Reads what webhooks said of a campaign's calls.

    Args:
        journal: What has the inbox.
        campaign: The campaign's id in it.
        observer: Looks at a call that is said to be over.
        reconciler: Settles an attempt in doubt of which a call is named.
        every: How often to read.
    """

    def __init__(
        self,
        journal: Journal,
        campaign: int,
        observer: Observer,
        reconciler: Reconciler,
        *,
        every: timedelta = READ_EVERY,
    ) -> None:
        self._journal = journal
        self._id = campaign
        self._observer = observer
        self._reconciler = reconciler
        self._every = every.total_seconds()
        self._tries: Counter[int] = Counter()

    async def watch(self) -> None:
        """Read it, again and again.

        Raises:
            JournalError: What followed from an event could not be written down.

        Cancellation:
            At once; what was not acted on is read again by the next run.
        """
        while True:
            await self.read()
            await asyncio.sleep(self._every)

    async def read(self) -> None:
        """Act on what came, once."""
        after = 0
        while events := await self._journal.waiting_events(self._id, after=after, limit=_AT_ONCE):
            taken = [event.number for event in events if await self._take(event)]
            if taken:
                await self._journal.take_events(taken)
            after = events[-1].number

    async def _take(self, event: HeardEvent) -> bool:
        """Act on an event; whether it is done with."""
        if await self._act(event):
            self._tries.pop(event.number, None)
            return True
        self._tries[event.number] += 1
        return self._tries[event.number] >= _TRIES

    async def _act(self, event: HeardEvent) -> bool:
        if event.state is AttemptState.INTENDED:
            return False  # faster than the answer to the request
        if event.state in IN_DOUBT:
            # Once it is found, the same event may say that it is over.
            await self._reconciler.heard(event.attempt_id, event.call_id)
            return event.call_id is None or event.event != EventType.CALL_ENDED
        if event.event == EventType.CALL_ENDED and event.state is AttemptState.PLACED:
            return await self._observer.heard(event.attempt_id)
        return True
