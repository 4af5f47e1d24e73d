"""What a person sees while a campaign runs: a live board on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from hamsa_async._masking import mask_text
from hamsa_async.dialer import ContactState, DialerEvent, EventKind, Loaded

STYLES: Final[Mapping[ContactState, str]] = {
    ContactState.PLACED: "green",
    ContactState.REFUSED: "red",
    ContactState.UNKNOWN: "bold yellow",
    ContactState.DEFERRED: "cyan",
    ContactState.EXPIRED: "magenta",
}

# Which contact states an event takes a contact out of and into.
_STEPS: Final[Mapping[EventKind, tuple[ContactState | None, ContactState]]] = {
    EventKind.INTENDED: (None, ContactState.DIALING),
    EventKind.PLACED: (ContactState.DIALING, ContactState.PLACED),
    EventKind.REFUSED: (ContactState.DIALING, ContactState.REFUSED),
    EventKind.RETURNED: (ContactState.DIALING, ContactState.PENDING),
    EventKind.LOST: (ContactState.DIALING, ContactState.UNKNOWN),
    EventKind.DEFERRED: (None, ContactState.DEFERRED),
    EventKind.EXPIRED: (None, ContactState.EXPIRED),
}
_NOTABLE: Final = frozenset(
    {
        EventKind.REFUSED,
        EventKind.LOST,
        EventKind.WAITING,
        EventKind.HOST_UNREACHABLE,
        EventKind.HOST_REACHABLE,
    }
)
_LINES_EVERY: Final = 5.0  # seconds between plain progress lines
_WINDOW: Final = 30.0  # seconds that the shown rate looks back


class Tally:
    """The counts, kept up to date by events."""

    def __init__(self, loaded: Loaded) -> None:
        self.total = sum(loaded.counts.values())
        self.to_dial = loaded.to_dial
        self.counts: Counter[ContactState] = Counter(loaded.counts)
        self._deferred_rows: set[int] = set()
        self._placed_at: list[float] = []

    def take(self, event: DialerEvent) -> None:
        """Learn from an event."""
        step = _STEPS.get(event.kind)
        if step is None:
            return
        before, after = step
        self.counts[before or self._waiting_state(event)] -= 1
        self.counts[after] += 1
        if after is ContactState.DEFERRED and event.row is not None:
            self._deferred_rows.add(event.row)
        if after is ContactState.PLACED:
            self._placed_at.append(time.monotonic())

    def _waiting_state(self, event: DialerEvent) -> ContactState:
        if event.row in self._deferred_rows:
            self._deferred_rows.discard(event.row or 0)
            return ContactState.DEFERRED
        return (
            ContactState.PENDING if self.counts[ContactState.PENDING] > 0 else ContactState.DEFERRED
        )

    @property
    def left(self) -> int:
        """Contacts that are still to be called."""
        return self.counts[ContactState.PENDING] + self.counts[ContactState.DEFERRED]

    def rate(self) -> float:
        """Calls placed per second, of late."""
        now = time.monotonic()
        self._placed_at = [at for at in self._placed_at if now - at <= _WINDOW]
        if len(self._placed_at) < 2:
            return 0.0
        return (len(self._placed_at) - 1) / max(now - self._placed_at[0], 1e-3)

    def eta(self) -> float | None:
        """Seconds until the pending ones are dialed, at the rate of late."""
        rate = self.rate()
        return self.counts[ContactState.PENDING] / rate if rate else None

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


class LiveBoard:
    """A bar, the counts and the last notable events, redrawn in place."""

    def __init__(self, console: Console, loaded: Loaded) -> None:
        self._tally = Tally(loaded)
        self._title = f"campaign {loaded.campaign.name}"
        self._notes: list[str] = []
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
        )
        self._task = self._bar.add_task(self._title, total=max(self._tally.to_dial, 1), pace="")
        self._live = Live(self._draw(), console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._live.update(self._draw(), refresh=True)
        self._live.__exit__(*details)

    def show(self, event: DialerEvent) -> None:
        """Take an event; the board is redrawn by itself, a few times a second."""
        self._tally.take(event)
        if event.kind in _NOTABLE:
            self._notes = [*self._notes, describe(event)][-3:]
        self._live.update(self._draw())

    def _draw(self) -> RenderableType:
        tally = self._tally
        eta = tally.eta()
        self._bar.update(
            self._task,
            completed=tally.to_dial - tally.left,
            pace=f"{tally.rate():.1f}/s" + ("" if eta is None else f", about {span(eta)} left"),
        )
        counts = Text("  ").join(
            Text(f"{state} {count}", style=STYLES.get(state, "dim"))
            for state, count in tally.shown()
        )
        return Group(self._bar, counts, *(Text(note, style="dim") for note in self._notes))


class PlainBoard:
    """A line every few seconds, and one for each notable event."""

    def __init__(self, console: Console, loaded: Loaded) -> None:
        self._console = console
        self._tally = Tally(loaded)
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line()

    def show(self, event: DialerEvent) -> None:
        """Take an event; print what is due."""
        self._tally.take(event)
        if event.kind in _NOTABLE:
            self._console.print(describe(event), markup=False)
        if time.monotonic() - self._last >= _LINES_EVERY:
            self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        counts = ", ".join(f"{state} {count}" for state, count in self._tally.shown())
        self._console.print(f"{counts}; {self._tally.rate():.1f}/s", markup=False)


def make_board(console: Console, loaded: Loaded) -> Board:
    """The board that fits where it is shown."""
    return LiveBoard(console, loaded) if console.is_terminal else PlainBoard(console, loaded)


def describe(event: DialerEvent) -> str:
    """An event in a line, for people: numbers masked."""
    where = "" if event.row is None else f"row {event.row}: "
    reason = mask_text(str(event.data.get("reason", "")))
    texts: Mapping[EventKind, str] = {
        EventKind.REFUSED: f"refused: {reason}",
        EventKind.LOST: f"unknown, it may have rung: {reason}",
        EventKind.WAITING: f"waiting until {clock(event.data.get('until'))} ({reason})",
        EventKind.HOST_UNREACHABLE: "the server cannot be reached; trying now and then",
        EventKind.HOST_REACHABLE: "the server can be reached again",
    }
    return where + texts.get(event.kind, str(event.kind))


def clock(moment: str | datetime | None) -> str:
    """A moment for people, in UTC."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return "?" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """A span for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def counts_table(
    counts: Mapping[ContactState, int],
    reasons: Mapping[tuple[ContactState, str], int],
    meanings: Mapping[ContactState, str],
) -> Table:
    """The counts with their reasons: they add up to the rows of the list."""
    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("state", footer="rows")
    table.add_column("count", justify="right", footer=str(sum(counts.values())))
    table.add_column("meaning", footer="every row of the list, once")
    for state, count in counts.items():
        table.add_row(Text(state, style=STYLES.get(state, "")), str(count), meanings[state])
        for (of, reason), number in reasons.items():
            if of is state:
                table.add_row("", str(number), Text(f"· {mask_text(reason)}", style="dim"))
    return table
