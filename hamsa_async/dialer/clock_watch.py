"""Holds our clock against the server's: the hours in which people may be called depend on it.

It is compared before anybody is called, every few minutes, and at once when it moved by itself:
against a clock that only goes forward (the loop's) a jump shows without asking anybody. Until the
server's clock was read again, nobody is called by a clock that has jumped.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from hamsa_async._masking import mask_text
from hamsa_async.dialer.api import ConversationsApi
from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.skew import Reading
from hamsa_async.errors import CampaignError, HamsaError

COMPARE_EVERY: Final = timedelta(minutes=10)
"""How often the clocks are compared during a run."""

_AGAIN: Final = timedelta(seconds=30)  # while the clock is wrong, or the server's cannot be read
_JUMP: Final = timedelta(seconds=10)  # what no network time service corrects without a jump
_LOOK_AT_CLOCK: Final = 1.0  # seconds
_SPAN: Final = timedelta(hours=1)  # of the list that is asked for; nobody reads its rows
_REASON_LIMIT: Final = 200


class ClockWatch:
    """Says whether our clock may be trusted.

    Args:
        api: Lists calls; each answer says what time it is there.
        clock: Our clock (aware).
        note: Writes an event down.
        every: How often to compare.
    """

    def __init__(
        self,
        api: ConversationsApi,
        *,
        clock: Callable[[], datetime],
        note: Callable[[EventKind, Mapping[str, Any]], Awaitable[None]],
        every: timedelta = COMPARE_EVERY,
    ) -> None:
        self._api = api
        self._clock = clock
        self._note = note
        self._every = every.total_seconds()
        self._again = min(_AGAIN, every).total_seconds()
        self._base: datetime | None = None
        self._next = 0.0
        self._told: tuple[EventKind, bool] | None = None
        self._right = asyncio.Event()
        self._news = asyncio.Event()

    async def begin(self) -> None:
        """Compare the clocks before anybody is called.

        A server that does not say what time it is, or cannot be asked, is told of and refuses
        nobody.

        Raises:
            CampaignError: Ours is off by more than it may be. Nothing was dialed.
        """
        reading = await self._compare()
        if reading is not None and reading.is_off:
            raise CampaignError(
                f"{reading.words}: nothing was dialed, because the hours in which people may be"
                " called are judged by it; set the clock (have it set by the network), then run"
                " again"
            )

    def may_trust(self) -> bool:
        """Whether our clock was right when it was compared, and has not jumped since."""
        return self._right.is_set() and not self._has_jumped()

    async def until_right(self) -> None:
        """Wait until it may be trusted."""
        while not self.may_trust():
            self._right.clear()
            self._news.set()
            await self._right.wait()

    async def watch(self) -> None:
        """Compare again, from time to time and after each jump.

        Raises:
            JournalError: What was seen could not be written down.

        Cancellation:
            At once.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AT_CLOCK):
                    await self._news.wait()
            jumped = self._has_jumped()
            if jumped:
                self._right.clear()
            if jumped or loop.time() >= self._next:
                await self._compare()

    def _has_jumped(self) -> bool:
        return self._base is not None and abs(self._now_base() - self._base) > _JUMP

    def _now_base(self) -> datetime:
        """What our clock said when the loop's was 0, if neither has jumped since."""
        return self._clock() - timedelta(seconds=asyncio.get_running_loop().time())

    async def _compare(self) -> Reading | None:
        """Read the server's clock, and take note of what it shows."""
        jumped, base = self._has_jumped(), self._now_base()
        try:
            reading = await self._read()
        except HamsaError as error:
            await self._note_unread(base, error, jumped=jumped)
            return None
        self._base = base
        self._plan(self._again if reading.is_off else self._every)
        if reading.is_off:
            self._right.clear()
            await self._tell(EventKind.CLOCK_OFF, reading.words)
            return reading
        self._right.set()
        if reading.said is None:
            await self._tell(EventKind.CLOCK_UNKNOWN, "the server does not say what time it is")
        else:
            await self._tell(EventKind.CLOCK_RIGHT, None)
        return reading

    async def _note_unread(self, base: datetime, error: HamsaError, *, jumped: bool) -> None:
        """What was right stays so, unless our clock has jumped; at the beginning it is believed."""
        if self._base is None:
            self._right.set()
        elif jumped:
            self._right.clear()
        self._base = base
        self._plan(self._again)
        held = "" if self._right.is_set() else "nobody is called meanwhile: "
        await self._tell(EventKind.CLOCK_UNKNOWN, held + mask_text(str(error))[:_REASON_LIMIT])

    async def _read(self) -> Reading:
        asked_at = self._clock()
        # A question that nobody asked before: no cache on the way can have its answer.
        page = await self._api.list(
            start_time=asked_at, end_time=asked_at + _SPAN, page_size=1
        ).page(1)
        return Reading(asked_at=asked_at, answered_at=self._clock(), said=page.at)

    def _plan(self, seconds: float) -> None:
        self._next = asyncio.get_running_loop().time() + seconds

    async def _tell(self, kind: EventKind, reason: str | None) -> None:
        """Say what has changed: that it is right is no news at the beginning."""
        before, self._told = self._told, (kind, self._right.is_set())
        if self._told != before and not (before is None and kind is EventKind.CLOCK_RIGHT):
            await self._note(kind, {} if reason is None else {"reason": reason})
