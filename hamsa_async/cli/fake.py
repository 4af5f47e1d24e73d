"""`hamsa fake`: the fake server as a process of its own."""

import asyncio
import signal
from pathlib import Path

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.output import people
from hamsa_async.errors import ConfigurationError
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa, FaultPlan


async def fake(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ledger: Path | None = None,
    faults: Path | None = None,
    latency: str = "0",
    capacity: int | None = None,
    rate_limit: float | None = None,
) -> Exit:
    """Serve a fake of Hamsa's API that rings nobody and keeps a ledger of who would have rung.

    The ledger can be read at `/_fake/ledger` too. Stop it with Ctrl-C.

    Args:
        host: Where to listen.
        port: The port; 0 takes a free one and says which.
        ledger: A file to which each ring is added as a line of JSON.
        faults: A JSON file of faults to commit; see the documentation of the fake.
        latency: Seconds before a call is answered: one number, or two as low-high.
        capacity: The most calls that are live at once; above it 429.
        rate_limit: The most call starts per second; above it 429.
    """
    server = FakeHamsa(
        host=host,
        port=port,
        ledger_path=ledger,
        faults=_plan(faults),
        latency=_latency(latency),
        capacity=capacity,
        rate_limit=rate_limit,
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await server.start()
    except OSError as error:
        msg = f"{host}:{port} cannot be listened on: {error.strerror}"
        raise ConfigurationError(msg) from error
    try:
        people().print(
            f"export HAMSA_BASE_URL={server.base_url} HAMSA_API_KEY={FAKE_API_KEY}\n"
            f"agent {FAKE_AGENT_ID}; ledger {server.base_url}/_fake/ledger; Ctrl-C stops it",
            markup=False,
        )
        await stopped.wait()
    finally:
        await server.aclose()
    return Exit.DONE


def _plan(path: Path | None) -> FaultPlan | None:
    if path is None:
        return None
    try:
        return FaultPlan.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the faults cannot be read from {path}: {error.strerror}"
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"faults {path}: {error}"
        raise ConfigurationError(msg) from error


def _latency(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError:
        msg = f"--latency {text!r} is neither seconds nor low-high"
        raise ConfigurationError(msg) from None
