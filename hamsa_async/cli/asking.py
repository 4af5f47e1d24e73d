"""The questions before what cannot be undone. Without a terminal there is nobody to ask."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from rich.table import Table

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import short_path
from hamsa_async.cli.money import ceiling
from hamsa_async.cli.output import people, shown, visible
from hamsa_async.dialer import HAMSA_DEFAULT, Campaign, ContactState, Loaded
from hamsa_async.dialer.budget import Spent
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.plan import PlanSummary
from hamsa_async.dialer.policy import find_pack
from hamsa_async.dialer.ramp import START_RATE, Beginning

_YES: Final = frozenset({"y", "yes", "نعم"})
_NEVER: Final = (ContactState.SKIPPED, ContactState.EXPIRED)
_NO: Final = frozenset({"", "n", "no", "لا"})


def can_ask() -> bool:
    """Whether a person sees the question and can answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def confirmed(loaded: Loaded, journal: Path, ahead: PlanSummary | None, spent: Spent) -> bool:
    """Say what is about to be done and ask whether it shall be. No answer is a no.

    Cancellation:
        At once, which reading the terminal in the usual way would not be.
    """
    console = people()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in {
        **_particulars(loaded, journal),
        **_plan(ahead),
        **_budget(loaded, spent),
    }.items():
        table.add_row(name, value)
    console.print(table)
    who = "1 contact" if loaded.to_dial == 1 else f"{loaded.to_dial} contacts"
    return await agreed(f"Call {who} now?")


async def agreed(question: str) -> bool:
    """Ask a question on the terminal. No answer is a no.

    Cancellation:
        At once, which reading the terminal in the usual way would not be.
    """
    console = people()
    while True:
        console.print(f"{question} [y/N] ", end="")
        answer = (await read_line()).strip().lower()
        if answer in _YES or answer in _NO:
            return answer in _YES
        console.print("y or n, please")


def _particulars(loaded: Loaded, journal: Path) -> dict[str, str]:
    campaign = loaded.campaign
    return {
        "campaign": campaign.name,
        "project": f"{visible(loaded.project.name or '?')} ({loaded.project.id})",
        "agent": f"{visible(loaded.agent.agent_name or '?')} ({campaign.voice_agent_id})",
        "caller number": (
            ", ".join(map(_caller, campaign.callers)) or "each row's own, or Hamsa's choice"
        ),
        "policy": "\n".join(map(_pack, campaign.policies)),
        "journal": visible(short_path(journal)),
        "contacts": f"{loaded.to_dial} to call, of {sum(loaded.counts.values())} rows",
        "pace": (
            (f"{campaign.rate:g} call starts per second" if campaign.rate else "unpaced")
            + _climb(campaign, loaded.beginning)
            + f", at most {campaign.concurrency} requests in flight"
        ),
        **({"canary": _canary(loaded.beginning)} if campaign.rate else {}),
        **({"params": shown(", ".join(campaign.params))} if campaign.params else {}),
    }


def _climb(campaign: Campaign, beginning: Beginning) -> str:
    if campaign.rate is None or campaign.rate <= START_RATE or not beginning.climbs:
        return ""
    return f" at the most, doubled each clean minute from {START_RATE:g} on"


def _canary(beginning: Beginning) -> str:
    if beginning.canary:
        what = "call is" if beginning.canary == 1 else f"{beginning.canary} calls are"
        return f"the first {what} made, and you are asked before anybody else is called"
    return "passed before" if beginning.passed else "none"


def _plan(ahead: PlanSummary | None) -> dict[str, str]:
    """When the calls will be, as far as can be said before."""
    if ahead is None:
        return {"plan": "too long to be made here: see hamsa campaign plan"}
    if not ahead.rows:
        return {"plan": "those who wait are called when their time comes"}
    if ahead.first_at is None or ahead.last_at is None:
        return {"plan": "nobody may be called, as things are: see hamsa campaign explain"}
    zone = clock_of(ahead.zone)
    first, last = (f"{at.astimezone(zone):%a %H:%M %z}" for at in (ahead.first_at, ahead.last_at))
    never = sum(count for (state, _), count in ahead.states.items() if state in _NEVER)
    more = f"; {never} not at all" if never else ""
    return {
        "plan": f"first call {first}, last {last} ({ahead.zone}); {ahead.today} fit today{more}"
    }


def _budget(loaded: Loaded, spent: Spent) -> dict[str, str]:
    """What was spent by now, and what may be."""
    if not spent.budget:
        return {}
    told = {"spent": str(spent)}
    if spent.budget.price_per_minute is not None:
        told["cost ceiling"] = ceiling(loaded.to_dial, spent.budget, loaded.longest)
    return told


def _pack(name: str) -> str:
    pack = find_pack(name)
    doubt = "" if pack.unconfirmed is None else f" Not confirmed: {pack.unconfirmed}"
    return f"{pack.name} {pack.version}: {pack.title}{doubt}"


def _caller(number: str) -> str:
    if number == HAMSA_DEFAULT:
        return f"{HAMSA_DEFAULT}: Hamsa's fallback, a foreign number"
    return mask_number(number)


async def read_line() -> str:
    """Read a line from the terminal; at its end, an empty one."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    readable = asyncio.Event()
    read = bytearray()
    loop.add_reader(descriptor, readable.set)
    try:
        while not read.endswith(b"\n"):
            await readable.wait()
            readable.clear()
            some = os.read(descriptor, 1024)
            if not some:  # Ctrl-D
                sys.stderr.write("\n")
                break
            read += some
    except asyncio.CancelledError:
        sys.stderr.write("\n")
        raise
    finally:
        loop.remove_reader(descriptor)
    return read.decode(errors="replace")
