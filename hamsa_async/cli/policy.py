"""`hamsa policy list | show`."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.output import print_json, results
from hamsa_async.dialer.policy import LAST_START, PACKS, Pack, find_pack
from hamsa_async.dialer.policy.hours import Calendar, Dates, Week, show_span

app: App = App(name="policy", help="The rules to dial by: who may be called when.")

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@app.command(name="list")
async def list_(*, as_json: Annotated[bool, Parameter(name="--json")] = False) -> Exit:
    """List the packs that are shipped.

    Args:
        as_json: Print one JSON document on stdout.
    """
    packs = [find_pack(name) for name in PACKS]
    if as_json:
        print_json({"packs": [pack_as_json(pack) for pack in packs]})
        return Exit.DONE
    table = Table(box=None, pad_edge=False)
    for name in ("pack", "version", "checked on", "what it is"):
        table.add_column(name, no_wrap=name != "what it is", overflow="fold")
    for pack in packs:
        table.add_row(pack.name, pack.version, str(pack.checked_on or ""), pack.title)
    results().print(table)
    return Exit.DONE


@app.command
async def show(name: str, /, *, as_json: Annotated[bool, Parameter(name="--json")] = False) -> Exit:
    """Show a pack: its rules, what they rest on, and what it does not cover.

    Args:
        name: The pack, or the file of one of your own (`own.toml`), which is checked so.
        as_json: Print one JSON document on stdout.
    """
    pack = find_pack(name)
    if as_json:
        print_json(pack_as_json(pack))
        return Exit.DONE
    console = results()
    for line in _lines(pack):
        console.print(line)
    return Exit.DONE


def _lines(pack: Pack) -> Iterator[Text | str]:
    if pack.unconfirmed is not None:
        yield Text(f"Not confirmed: {pack.unconfirmed}", style="bold yellow")
    yield Text(f"{pack.name} {pack.version}: {pack.title}", style="bold")
    yield f"covers: {'anywhere' if pack.covers is None else ', '.join(sorted(pack.covers))}"
    if not pack.stands_alone:
        yield "only adds to another policy"
    yield "rules:"
    yield from (f"  - {rule}" for rule in rules_in_words(pack))
    yield f"sources (checked on {pack.checked_on}):" if pack.sources else "sources: none"
    yield from (f"  - {source}" for source in pack.sources)
    yield "not covered:"
    yield from (f"  - {each}" for each in pack.not_covered)


def rules_in_words(pack: Pack) -> list[str]:
    """Each rule of a pack, as a line for people."""
    return [*_of_time(pack), *_of_frequency(pack), *_of_person(pack)] or ["none"]


def _of_time(pack: Pack) -> Iterator[str]:
    calendars = pack.calendars
    if calendars is None:
        return
    base, minutes = calendars.base, int(LAST_START.total_seconds() // 60)
    yield f"hours, where the person is: {_week(base.week)}; last start {minutes} min before the end"
    for period in base.periods:
        yield f"{_dates(period.dates)}: {_week(period.week)}"
    yield from (f"closed: {_dates(dates)}" for dates in base.closed)
    yield from _blocked(base)
    if calendars.weekends:
        yield "closed on the called country's weekend"
    if calendars.holidays is not None:
        yield "closed on the called country's public holidays"


def _blocked(base: Calendar) -> Iterator[str]:
    dated = [each for each in base.blocked if each.dates is not None]
    for each in base.blocked:
        if each.dates is None:
            days = " ".join(_DAYS[day] for day in sorted(each.weekdays))
            yield f"blocked: {days} {show_span(each.span)}{f' ({each.note})' if each.note else ''}"
    count = len(dated) + len(base.spans)
    if count:
        yield f"blocked: {count} dated times"


def _of_frequency(pack: Pack) -> Iterator[str]:
    yield from (f"a number is called {cap}, at the most" for cap in pack.caps)
    if pack.min_gap is not None:
        yield f"{int(pack.min_gap.total_seconds() // 60)} minutes between two calls to a number"


def _of_person(pack: Pack) -> Iterator[str]:
    if pack.consent_required:
        age = pack.consent_max_age
        yield "consent is needed" + ("" if age is None else f", not older than {age.days} days")
    if pack.register_required:
        yield "a do-not-call register must have been imported"
    if pack.register_max_age is not None:
        yield f"a do-not-call register is good for {pack.register_max_age.days} days"
    if pack.refusal_is_final:
        yield "who declined is not called again"
    if pack.caller_prefixes:
        yield f"the caller number starts with {' or '.join(pack.caller_prefixes)}"


def _week(week: Week) -> str:
    windows = [", ".join(map(show_span, spans)) or "closed" for spans in week.days]
    if len(set(windows)) == 1:
        return f"every day {windows[0]}"
    return "; ".join(f"{day} {text}" for day, text in zip(_DAYS, windows, strict=True))


def _dates(dates: Dates) -> str:
    span = str(dates.first) if dates.first == dates.last else f"{dates.first} to {dates.last}"
    return f"{span} ({dates.note})" if dates.note else span


def pack_as_json(pack: Pack) -> dict[str, Any]:
    """A pack as JSON."""
    return {
        "name": pack.name,
        "title": pack.title,
        "version": pack.version,
        "checked_on": None if pack.checked_on is None else pack.checked_on.isoformat(),
        "unconfirmed": pack.unconfirmed,
        "covers": None if pack.covers is None else sorted(pack.covers),
        "stands_alone": pack.stands_alone,
        "rules": rules_in_words(pack),
        "sources": list(pack.sources),
        "not_covered": list(pack.not_covered),
    }
