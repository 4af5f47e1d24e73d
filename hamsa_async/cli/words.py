"""What is said the same everywhere: moments, spans, rows, counts and the pace."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from hamsa_async.cli.output import shown
from hamsa_async.dialer.machine import ContactState
from hamsa_async.dialer.stage import Stage, fates_in_words

STYLES: Final[Mapping[ContactState, str]] = {
    ContactState.PLACED: "blue",
    ContactState.RETRY: "cyan",
    ContactState.DONE: "green",
    ContactState.REFUSED: "red",
    ContactState.UNKNOWN: "bold yellow",
    ContactState.REVIEW: "bold yellow",
    ContactState.DEFERRED: "cyan",
    ContactState.EXPIRED: "magenta",
}


def pace_words(data: Mapping[str, Any]) -> str:
    """What a `paced` event says, in a line."""
    if not data.get("stage"):
        return ""
    reason = shown(str(data["reason"]))
    if data["stage"] == Stage.LOOK:
        calls = fates_in_words(data["calls"])
        until = f", not before {clock(data['until'])}" if data.get("until") else ""
        return f"nobody more is called yet: {reason}{until} (its calls: {calls})"
    of = "" if data["rate"] == data["cap"] else f" of {data['cap']:g}"
    return f"pace {data['rate']:g}{of} call starts per second{f': {reason}' if reason else ''}"


def cell_of(row: int, list_number: int) -> str:
    """A row in a table for people."""
    return str(row) if list_number == 1 else f"{row} (list {list_number})"


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
    outcomes: Mapping[tuple[ContactState, str], int],
) -> Table:
    """The counts with their reasons: they add up to the rows of the list."""
    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("state", footer="rows", no_wrap=True)
    table.add_column("count", justify="right", footer=str(sum(counts.values())), no_wrap=True)
    table.add_column("meaning", footer="every row of the list, once")
    for state, count in counts.items():
        table.add_row(Text(state, style=STYLES.get(state, "")), str(count), meanings[state])
        for (of, reason), number in (*outcomes.items(), *reasons.items()):
            if of is state:
                table.add_row("", str(number), Text(f"· {shown(reason)}", style="dim"))
    return table
