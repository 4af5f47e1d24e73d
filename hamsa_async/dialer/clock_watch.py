"""Holds our clock against the server's: the hours in which people may be called depend on it.

It is compared before anybody is called, every few minutes, and at once when it moved by itself:
against a clock that only goes forward a jump shows without asking anybody. Until the server's
clock was read again nobody is called, and what happens meanwhile is written down by the time that
has passed since our clock was right.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
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


def utc_now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


class SteadyClock:
    """Our clock, which does not jump as long as it is watched.

    Args:
        source: Our clock as it is (aware).
    """

    def __init__(self, source: Callable[[], datetime]) -> None:
        self.source: Callable[[], datetime] = source
        self._began: datetime | None = None

    def __call__(self) -> datetime:
        """What time it is."""
        if self._began is None:
            return self.source()
        return self._began + timedelta(seconds=time.monotonic())

    def began(self) -> datetime:
        """What our clock said when the one that only goes forward was 0, if neither has jumped."""
        return self.source() - timedelta(seconds=time.monotonic())

    def hold_to(self, began: datetime | None) -> None:
        """From here on count from a moment at which it was right; `None`: tell what it says."""
        self._began = began


class ClockWatch:
    """Says whether our clock may be trusted.

    Args:
        api: Lists calls; each answer says what time it is there.
        clock: Our clock.
        note: Writes an event down.
        every: How often to compare.
    """

    def __init__(
        self,
        api: ConversationsApi,
        *,
        clock: SteadyClock,
        note: Callable[[EventKind, Mapping[str, Any]], Awaitable[None]],
        every: timedelta = COMPARE_EVERY,
    ) -> None:
        self._api = api
        self._clock = clock
        self._note = note
        self._every = every.total_seconds()
        self._again = min(_AGAIN, every).total_seconds()
        self._began: datetime | None = None
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
        try:
            while True:
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AT_CLOCK):
                        await self._news.wait()
                jumped = self._has_jumped()
                if jumped:
                    self._right.clear()
                if jumped or time.monotonic() >= self._next:
                    await self._compare()
        finally:
            self._clock.hold_to(None)  # nobody watches it any more

    def _has_jumped(self) -> bool:
        return self._began is not None and abs(self._clock.began() - self._began) > _JUMP

    async def _compare(self) -> Reading | None:
        """Read the server's clock, and take note of what it shows."""
        began = self._clock.began()
        try:
            reading = await self._read()
        except HamsaError as error:
            await self._note_unread(began, error)
            return None
        self._began = began
        self._plan(self._again if reading.is_off else self._every)
        if reading.is_off:
            self._right.clear()
            await self._tell(EventKind.CLOCK_OFF, reading.words)
            return reading
        self._clock.hold_to(began)
        self._right.set()
        if reading.said is None:
            await self._tell(EventKind.CLOCK_UNKNOWN, "the server does not say what time it is")
        else:
            await self._tell(EventKind.CLOCK_RIGHT, None)
        return reading

    async def _note_unread(self, began: datetime, error: HamsaError) -> None:
        """What was right stays so, and what was not; at the beginning it is believed."""
        if self._began is None:
            self._right.set()
        self._began = began
        self._plan(self._again)
        held = "" if self._right.is_set() else "nobody is called meanwhile: "
        await self._tell(EventKind.CLOCK_UNKNOWN, held + mask_text(str(error))[:_REASON_LIMIT])

    async def _read(self) -> Reading:
        asked_at = self._clock.source()
        # A question that nobody asked before: no cache on the way can have its answer.
        page = await self._api.list(
            start_time=asked_at, end_time=asked_at + _SPAN, page_size=1
        ).page(1)
        return Reading(asked_at=asked_at, answered_at=self._clock.source(), said=page.at)

    def _plan(self, seconds: float) -> None:
        self._next = time.monotonic() + seconds

    async def _tell(self, kind: EventKind, reason: str | None) -> None:
        """Say what has changed: that it is right is no news at the beginning."""
        before, self._told = self._told, (kind, self._right.is_set())
        if self._told != before and not (before is None and kind is EventKind.CLOCK_RIGHT):
            await self._note(kind, {} if reason is None else {"reason": reason})
