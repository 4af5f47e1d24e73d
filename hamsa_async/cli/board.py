"""What a person sees while a campaign runs: a live board on a terminal, plain lines elsewhere.

Both write from a thread of their own: a terminal that is held (Ctrl-S) or a pager that nobody
scrolls must not hold up the loop, where answers of calls are waited for against the clock.
"""

import contextlib
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hamsa_async.cli.output import people, shown, visible
from hamsa_async.cli.words import STYLES, clock, pace_words, span
from hamsa_async.dialer import ContactState, DialerEvent, EventKind, Loaded
from hamsa_async.dialer.budget import Spent
from hamsa_async.dialer.finish import CALLS_OPEN, DOUBTS_OPEN
from hamsa_async.dialer.journal.records import row_of
from hamsa_async.dialer.stage import Stage

STEPS: Final[Mapping[EventKind, tuple[ContactState | None, ContactState]]] = {
    EventKind.INTENDED: (None, ContactState.DIALING),
    EventKind.PLACED: (ContactState.DIALING, ContactState.PLACED),
    EventKind.ENDED: (ContactState.PLACED, ContactState.DONE),
    EventKind.RETRIED: (ContactState.PLACED, ContactState.RETRY),
    EventKind.TAKEN_OVER: (None, ContactState.PLACED),
    EventKind.FOUND: (ContactState.UNKNOWN, ContactState.PLACED),
    EventKind.ABSENT: (ContactState.UNKNOWN, ContactState.DEFERRED),
    EventKind.REVIEWED: (ContactState.UNKNOWN, ContactState.REVIEW),
    EventKind.GIVEN_UP: (ContactState.RETRY, ContactState.DONE),
    EventKind.REFUSED: (ContactState.DIALING, ContactState.REFUSED),
    EventKind.RETURNED: (ContactState.DIALING, ContactState.PENDING),
    EventKind.LOST: (ContactState.DIALING, ContactState.UNKNOWN),
    EventKind.DEFERRED: (None, ContactState.DEFERRED),
    EventKind.EXPIRED: (None, ContactState.EXPIRED),
    EventKind.SKIPPED: (None, ContactState.SKIPPED),
}
"""Which contact states an event takes a contact out of and into. `None`: one that waits to be
called."""

# The same where the contact is being tried again.
_STEPS_AGAIN: Final[Mapping[EventKind, tuple[ContactState | None, ContactState]]] = {
    EventKind.RETURNED: (ContactState.DIALING, ContactState.RETRY),
    EventKind.DEFERRED: (ContactState.RETRY, ContactState.RETRY),
    EventKind.ABSENT: (ContactState.UNKNOWN, ContactState.RETRY),
}
# In the order in which they get their turn.
_WAITING: Final = (ContactState.PENDING, ContactState.DEFERRED, ContactState.RETRY)
_NOTABLE: Final = frozenset(
    {
        EventKind.REFUSED,
        EventKind.LOST,
        EventKind.WAITING,
        EventKind.HOST_UNREACHABLE,
        EventKind.HOST_REACHABLE,
        EventKind.AGENT_CHANGED,
        EventKind.LIST_GREW,
        EventKind.TAKEN_OVER,
        EventKind.FOUND,
        EventKind.ABSENT,
        EventKind.REVIEWED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.PACED,
        EventKind.CLOCK_OFF,
        EventKind.CLOCK_RIGHT,
        EventKind.CLOCK_UNKNOWN,
        EventKind.LOOK_FAILED,
        EventKind.LOOKED,
    }
)
TellSpent: TypeAlias = Callable[[], Spent | None]
"""Says what the campaign has spent by now."""

_FRAMES: Final = 8  # redraws per second
_LINES_EVERY: Final = 5.0  # seconds between plain progress lines
_LINES_KEPT: Final = 1_000  # lines that may wait for a reader who is slow
_WINDOW: Final = 30  # seconds that the shown rate looks back
_BAR: Final = 40  # columns, where there is room
_PATIENCE: Final = 1.0  # seconds that the last lines get to be read


class Tally:
    """The counts, kept up to date by events, and how fast they change."""

    def __init__(self, loaded: Loaded) -> None:
        self.total: int = loaded.to_dial + loaded.counts.get(ContactState.PLACED, 0)
        # Every state is there from the start: another thread reads while we write.
        self.counts: dict[ContactState, int] = {
            state: loaded.counts.get(state, 0) for state in ContactState
        }
        self._began = time.monotonic()
        self._placed: deque[tuple[int, int]] = deque()  # a second, and how many were placed in it
        self._lock = threading.Lock()
        self._is_waiting = False

    def take(self, event: DialerEvent) -> None:
        """Learn from an event."""
        if event.kind is EventKind.INTENDED:
            self._is_waiting = False
        elif event.kind in {EventKind.WAITING, EventKind.PAUSED} or (
            event.kind is EventKind.PACED and event.data.get("stage") == Stage.LOOK
        ):
            self._is_waiting = True
        if event.kind is EventKind.LIST_GREW:
            self.total += event.data["new"]
            self.counts[ContactState.PENDING] += event.data["new"]
        steps = _STEPS_AGAIN if event.data.get("again") else STEPS
        step = steps.get(event.kind)
        if step is None:
            return
        before, after = step
        self.counts[before or self._waiting()] -= 1
        self.counts[after] += 1
        if after is ContactState.PLACED:
            self._note_placed()

    def correct(self, counts: Mapping[ContactState, int]) -> None:
        """Take the journal's word for it."""
        for state in ContactState:
            self.counts[state] = counts.get(state, 0)

    def _waiting(self) -> ContactState:
        # An event does not say which.
        return next((state for state in _WAITING if self.counts[state] > 0), _WAITING[0])

    def _note_placed(self) -> None:
        second = int(time.monotonic() - self._began)
        with self._lock:
            so_far = 0
            if self._placed and self._placed[-1][0] == second:
                so_far = self._placed.pop()[1]
            self._placed.append((second, so_far + 1))
            while self._placed[0][0] < second - _WINDOW:
                self._placed.popleft()

    @property
    def finished(self) -> int:
        """Contacts of those to be dialed whose fate is known."""
        open_states = (*_WAITING, ContactState.DIALING, ContactState.PLACED)
        return self.total - sum(self.counts[state] for state in open_states)

    def rate(self) -> float:
        """Calls placed per second, of late."""
        now = time.monotonic() - self._began
        with self._lock:
            placed = sum(count for second, count in self._placed if second >= now - _WINDOW)
        return placed / max(min(now, _WINDOW), 1.0)

    def pace(self) -> str:
        """The rate, and how long the pending ones will take at it, for people.

        While nobody is dialed, for a time, a pause or a look, the rate says nothing of that.
        """
        rate = self.rate()
        pending = 0 if self._is_waiting else self.counts[ContactState.PENDING]
        left = f", about {span(pending / rate)} left" if rate and pending else ""
        return f"{rate:.1f}/s{left}"

    def shown(self) -> list[tuple[ContactState, int]]:
        """The states worth showing, in their order."""
        return [(state, self.counts[state]) for state in ContactState if self.counts[state]]


class Board(Protocol):
    """Shows a run."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show no more."""

    def show(self, event: DialerEvent) -> None:
        """Show what happened."""

    def correct(self, counts: Mapping[ContactState, int]) -> None:
        """Show what the journal has in the end."""

    def aside(self) -> AbstractContextManager[None]:
        """Leave the terminal to a question meanwhile."""


class LiveBoard:
    """A bar, the counts and the last notable events, redrawn in place."""

    def __init__(self, console: Console, loaded: Loaded, spent: TellSpent) -> None:
        self._console = console
        self._tally = Tally(loaded)
        self._spent = spent
        self._title = f"campaign {visible(loaded.campaign.name)}"
        self._notes: tuple[str, ...] = ()
        self._paced = ""
        self._live = Live(
            get_renderable=self.picture,
            console=console,
            refresh_per_second=_FRAMES,
            transient=False,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: DialerEvent) -> None:
        """Take an event; the board redraws itself a few times a second."""
        self._tally.take(event)
        if event.kind is EventKind.PACED:
            self._paced = pace_words(event.data)
        elif event.kind in _NOTABLE:
            self._notes = (*self._notes, describe(event))[-3:]

    def correct(self, counts: Mapping[ContactState, int]) -> None:
        """Take the journal's counts for the last picture."""
        self._tally.correct(counts)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the last picture where it is, and draw a new one below afterwards."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def picture(self) -> RenderableType:
        """What is shown now."""
        tally = self._tally
        width = self._console.width
        bar = Table.grid(padding=(0, 1))
        bar.add_column(overflow="ellipsis", no_wrap=True, max_width=max(width // 3, 10))
        bar.add_column(width=max(min(_BAR, width // 3), 5))
        bar.add_column(no_wrap=True)
        bar.add_row(
            Text(self._title, style="bold"),
            ProgressBar(total=max(tally.total, 1), completed=tally.finished),
            f"{tally.finished}/{tally.total}",
        )
        counts = Text("  ").join(
            Text(f"{state} {count}", style=STYLES.get(state, "dim"))
            for state, count in tally.shown()
        )
        notes = (Text(note, style="dim", overflow="ellipsis", no_wrap=True) for note in self._notes)
        paced = "; ".join(filter(None, (tally.pace(), self._paced)))
        spent = [Text(text, style="dim") for text in _in_words(self._spent())]
        return Group(bar, counts, Text(paced, style="dim"), *spent, *notes)


class PlainBoard:
    """A line every few seconds, and one for each notable event."""

    def __init__(self, console: Console, loaded: Loaded, spent: TellSpent) -> None:
        self._console = console
        self._tally = Tally(loaded)
        self._spent = spent
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_aside = False
        self._thread = threading.Thread(target=self._print, name="hamsa-board", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.put(self._line())
        self._lines.put(None)
        self._thread.join(_PATIENCE)

    def show(self, event: DialerEvent) -> None:
        """Take an event; what is notable is printed."""
        self._tally.take(event)
        if event.data.get("asks"):
            return  # the question says it
        if event.kind in _NOTABLE and self._lines.qsize() < _LINES_KEPT:
            self._lines.put(describe(event))

    def correct(self, counts: Mapping[ContactState, int]) -> None:
        """Take the journal's counts for the last line."""
        self._tally.correct(counts)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Print what is notable, and no progress."""
        self._is_aside = True
        try:
            yield
        finally:
            self._is_aside = False

    def _print(self) -> None:
        due = time.monotonic() + _LINES_EVERY
        while True:
            try:
                line = self._lines.get(timeout=max(due - time.monotonic(), 0))
            except queue.Empty:
                due, line = time.monotonic() + _LINES_EVERY, self._line()
                if self._is_aside:
                    continue
            if line is None:
                return
            self._console.print(line)

    def _line(self) -> str:
        counts = ", ".join(f"{state} {count}" for state, count in self._tally.shown())
        return "; ".join((counts, self._tally.pace(), *_in_words(self._spent())))


def make_board(loaded: Loaded, spent: TellSpent) -> Board:
    """The board that fits where it is shown."""
    console = people()
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        return LiveBoard(console, loaded, spent)
    return PlainBoard(console, loaded, spent)


def _in_words(spent: Spent | None) -> list[str]:
    """What was spent, where there is a budget."""
    return [f"spent: {spent}"] if spent is not None and spent.budget else []


def describe(event: DialerEvent) -> str:
    """An event in a line, for people: numbers masked."""
    where = "" if event.row is None else f"{row_of(event.row, event.list_number)}: "
    reason = shown(str(event.data.get("detail") or event.data.get("reason", "")))
    texts: Mapping[EventKind, str] = {
        EventKind.REFUSED: f"refused: {reason}",
        EventKind.LOST: f"unknown, it may have rung: {reason}",
        EventKind.WAITING: _waiting(event),
        EventKind.HOST_UNREACHABLE: "the server cannot be reached; trying now and then",
        EventKind.HOST_REACHABLE: "the server can be reached again",
        EventKind.TAKEN_OVER: "was called by others; it is not called again",
        EventKind.FOUND: f"its call was found ({event.data.get('evidence')})",
        EventKind.ABSENT: f"there was no call, as is believed ({event.data.get('evidence')})",
        EventKind.REVIEWED: f"for review, it may have rung ({event.data.get('evidence')})",
        EventKind.AGENT_CHANGED: _changed(event),
        EventKind.PAUSED: f"paused {f'({reason})' if reason else 'by another process'}:"
        " nobody is dialed until hamsa campaign resume",
        EventKind.RESUMED: "goes on",
        EventKind.PACED: pace_words(event.data),
        EventKind.CLOCK_OFF: f"nobody is called until the clock is set: {reason}",
        EventKind.CLOCK_RIGHT: "the clock is right again",
        EventKind.CLOCK_UNKNOWN: f"the clock was not compared with the server's: {reason}",
        EventKind.LOOK_FAILED: f"the list of calls cannot be read; trying again: {reason}",
        EventKind.LIST_GREW: f"contacts were appended: {event.data.get('new')}",
        EventKind.LOOKED: "the list of calls can be read again",
    }
    return where + texts.get(event.kind, str(event.kind))


def _changed(event: DialerEvent) -> str:
    came, went = (
        ", ".join(f"{sign}{{{{{name}}}}}" for name in event.data.get(what, ()))
        for sign, what in (("+", "came"), ("-", "went"))
    )
    names = shown(" ".join(filter(None, (came, went)))) or "its variables are the same"
    return f"the text of agent {shown(str(event.data.get('agent_id')))} changed: {names}"


def _waiting(event: DialerEvent) -> str:
    live, until = event.data.get("live", 0), event.data.get("until")
    reason = shown(str(event.data.get("reason", "")))
    calls = "1 call" if live == 1 else f"{live} calls"
    if until is not None:
        more = f", {calls} not ended" if live else ""
        return f"waiting until {clock(until)} ({reason}{more})"
    why = "" if reason in {CALLS_OPEN, DOUBTS_OPEN} else f" ({reason})"
    if live:
        return f"waiting for the end of {calls}{why}"
    unknown = event.data.get("unknown")
    return f"waiting until evidence settles what may have rung: {unknown}{why}"
