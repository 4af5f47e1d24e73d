"""`hamsa fake`: the fake server as a process of its own."""

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.output import people
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.errors import ConfigurationError

if TYPE_CHECKING:
    from hamsa_async.testing import FaultPlan


async def fake(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ledger: Path | None = None,
    resume: bool = False,
    faults: Path | None = None,
    latency: str = "0",
    call_seconds: str = "5-60",
    outcomes: str = "COMPLETED=0.8,NO_ANSWER=0.15,FAILED=0.05",
    capacity: int | None = None,
    rate_limit: float | None = None,
) -> Exit:
    """Serve a fake of Hamsa's API that rings nobody and keeps a ledger of who would have rung.

    The ledger can be read at `/_fake/ledger` too. Stop it with Ctrl-C.

    Args:
        host: Where to listen.
        port: The port; 0 takes a free one and says which.
        ledger: A file to which each ring is added as a line of JSON.
        resume: Go on with the calls that the ledger's file has, as a server that was started
            again.
        faults: A JSON file of faults to commit; see the documentation of the fake.
        latency: Seconds before a call is answered: one number, or two as low-high.
        call_seconds: How long calls last: one number, or two as low-high.
        outcomes: How calls end and in what shares, as COMPLETED=8,NO_ANSWER=2.
        capacity: The most calls that are live at once; above it 429.
        rate_limit: The most call starts per second; above it 429.
    """
    # The server is a third of what there is to import, and the other commands do without.
    from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa  # noqa: PLC0415

    plan, span, lasts = (
        _plan(faults),
        _span("latency", latency),
        _span("call-seconds", call_seconds),
    )
    shares = _shares(outcomes)
    stopped = asyncio.Event()
    with INTERRUPTIONS.told_to(lambda _: stopped.set()):
        try:
            server = FakeHamsa(
                host=host,
                port=port,
                ledger_path=ledger,
                resume=resume,
                faults=plan,
                latency=span,
                call_seconds=lasts,
                outcomes=shares,
                capacity=capacity,
                rate_limit=rate_limit,
            )
            await server.start()
        except (OSError, OverflowError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"the fake cannot serve at {host}:{port}: {why}") from error
        try:
            people().print(
                f"export HAMSA_BASE_URL={server.base_url} HAMSA_API_KEY={FAKE_API_KEY}\n"
                f"agent {FAKE_AGENT_ID}; ledger {server.base_url}/_fake/ledger; Ctrl-C stops it"
            )
            await stopped.wait()
        finally:
            await server.aclose()
    return Exit.DONE


def _plan(path: Path | None) -> "FaultPlan | None":
    from hamsa_async.testing import FaultPlan  # noqa: PLC0415 - as above

    if path is None:
        return None
    try:
        return FaultPlan.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the faults cannot be read from {path}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"faults {path}: {error}") from error


def _shares(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip().upper()] = float(share or 1)
        except ValueError as error:
            raise ConfigurationError(f"--outcomes {text!r} is not NAME=share,...") from error
    return shares


def _span(name: str, text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        span = float(low), float(high or low)
    except ValueError:
        span = math.nan, math.nan
    if not 0 <= span[0] <= span[1] < math.inf:
        raise ConfigurationError(f"--{name} {text!r} is neither seconds nor low-high")
    return span
