"""One thing for people, particular by particular; and what a value looks like among them.

The API may send anything where its documentation promises a text or a number, so what is shown
here is not trusted to be either.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.table import Table

from hamsa_async._masking import mask_all_but_dates, mask_number, scrub
from hamsa_async.cli.output import results, visible
from hamsa_async.cli.words import clock, span

_LABEL: Final = 12  # columns, so that what is printed one after the other stands in line


def print_particulars(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and what they stand for, wrapped on a terminal and whole elsewhere."""
    if not sys.stdout.isatty():
        for name, value in pairs:
            print_whole(name, value)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(min_width=_LABEL, max_width=2 * _LABEL, no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, value)
    results().print(table)


def print_whole(name: str, value: str) -> None:
    """Print one in a line that is not wrapped, so that it can be copied or opened."""
    blank = " " * max(_LABEL - cell_len(name), 0)
    print(f"{name}{blank}  {value}".rstrip())


def several(name: str, values: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Put several values under one name."""
    return ((name if at == 0 else "", value) for at, value in enumerate(values))


def named(values: Mapping[str, Any]) -> Iterable[str]:
    """Values with their names, each as people read it, without secrets."""
    return (f"{in_line(name)}: {in_line(value)}" for name, value in scrub(values).items())


def in_line(value: Any) -> str:
    """A value from outside for people, in one line: numbers masked, dates left as they are."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return visible(mask_all_but_dates(" ".join(text.split())))


def number(value: Any) -> str:
    """A phone number, masked."""
    return visible(mask_number(value)) if isinstance(value, str) else "?"


def duration(seconds: Any) -> str:
    """A span of time."""
    known = isinstance(seconds, int | float) and math.isfinite(seconds)
    return span(seconds) if known else "?"


def at(moment: datetime | None) -> str:
    """A moment of the API's for people."""
    return clock(moment and moment.astimezone(UTC))
