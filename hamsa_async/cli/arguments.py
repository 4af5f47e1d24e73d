"""What the commands' arguments mean."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from hamsa_async.cli.typed_numbers import read_number
from hamsa_async.dialer.campaign import HAMSA_DEFAULT, LIVE_CALLS
from hamsa_async.dialer.columns import REFERENCE, Naming
from hamsa_async.dialer.retries import DEFAULT_ROWS, RetryRow
from hamsa_async.errors import ConfigurationError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])", re.ASCII)
_MOST_AT_ONCE: Final = 10_000  # requests in flight: more is a typing mistake


def read_concurrency(number: int) -> int:
    """Read `--concurrency`.

    Raises:
        ConfigurationError: So many cannot be in flight.
    """
    if not 1 <= number <= _MOST_AT_ONCE:
        raise ConfigurationError(f"--concurrency must be 1 to {_MOST_AT_ONCE}, not {number}")
    return number


def read_share(share: float) -> float:
    """Read `--max-invalid`.

    Raises:
        ConfigurationError: It is no share.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(f"--max-invalid is a share, 0 to 1 (all rows), not {share:g}")
    return share


def read_params(pairs: Iterable[str]) -> dict[str, Any]:
    """Read `k=v` pairs.

    Raises:
        ConfigurationError: One has no `=`, or a name is given twice.
    """
    params: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        name = name.strip()
        if not sign or not name:
            raise ConfigurationError(f"--param {pair!r} is not name=value")
        if name == REFERENCE:
            raise ConfigurationError(f"the param {name} is reserved for the dialer itself")
        if name in params:
            raise ConfigurationError(f"--param {name} is given twice")
        params[name] = value
    return params


def read_moment(text: str | None, *, option: str) -> datetime | None:
    """Read a moment, as ISO 8601 with its offset from UTC.

    Raises:
        ConfigurationError: It is none, or it does not say in which zone it is meant.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r} is no time such as 2026-01-31T09:00+04:00"
        ) from None
    if moment.tzinfo is None:
        plain = moment.isoformat(timespec="minutes")
        raise ConfigurationError(
            f"{option} {text!r} does not say in which zone: write {plain}Z for UTC,"
            f" {plain}+04:00 for Dubai"
        )
    return moment


def read_age(text: str, *, option: str) -> timedelta:
    """Read how long ago something was: `90d`, `12h`.

    Raises:
        ConfigurationError: It is no such time.
    """
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"{option} {text!r} is no time such as 90d or 12h (s, m, h, d)")
    try:
        age = timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
        datetime.now(UTC) - age
    except OverflowError:
        raise ConfigurationError(f"{option} {text!r} is longer ago than time goes back") from None
    return age


def read_limit(number: int) -> int:
    """Read `--limit`.

    Raises:
        ConfigurationError: It is less than 1.
    """
    if number < 1:
        raise ConfigurationError(f"--limit must be 1 or more, not {number}")
    return number


def read_rate(text: str | None, default: float | None) -> float | None:
    """Read `--rate`: call starts per second, or `none` for unpaced.

    Raises:
        ConfigurationError: It is neither.
    """
    if text is None:
        return default
    if text.strip().lower() == "none":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise ConfigurationError(
            f"--rate {text!r} is neither a number of call starts per second nor none"
        )
    return rate


def read_canary(count: int | None, rate: float | None) -> int | None:
    """Read `--canary`: how many calls; `None` where nothing was typed.

    Raises:
        ConfigurationError: It is less than 0, or there is no rate.
    """
    if count is not None and count < 0:
        raise ConfigurationError(f"--canary must be 0 or more, not {count}")
    if count and rate is None:
        raise ConfigurationError("--canary needs a rate: with --rate none there is no canary")
    return count


def read_ramp(text: str | None, rate: float | None) -> bool | None:
    """Read `--ramp`: `on` or `off`; `None` where nothing was typed.

    Raises:
        ConfigurationError: It is on, and there is no rate.
    """
    if text == "on" and rate is None:
        raise ConfigurationError("--ramp needs a rate: with --rate none there is no ramp")
    return None if text is None else text == "on"


def read_live_calls(text: str | None, rate: float | None) -> int | None:
    """Read `--live-calls`: a number, or `none` for no limit, as an unpaced rate has.

    Raises:
        ConfigurationError: It is neither.
    """
    if text is None:
        return None if rate is None else LIVE_CALLS
    if text.strip().lower() == "none":
        return None
    if not text.strip().isdecimal() or int(text) < 1:
        raise ConfigurationError(f"--live-calls {text!r} is neither a number of calls nor none")
    return int(text)


def read_retries(rows: Sequence[str]) -> tuple[str, ...] | None:
    """Read `--retry`: rows that go before the usual ones; `None` where nothing was typed.

    Raises:
        ConfigurationError: One cannot be understood.
    """
    if not rows:
        return None
    if [row.strip().lower() for row in rows] == ["none"]:
        return ()
    for row in rows:
        RetryRow.read(row)
    return (*rows, *DEFAULT_ROWS)


def read_from_number(text: str | None, country: str | None = None) -> str | None:
    """Read `--from`: a caller number, or `hamsa-default`."""
    if text is None or text == HAMSA_DEFAULT:
        return text
    return read_number(text, what="--from", country=country)


def read_from_numbers(texts: Iterable[str], country: str | None = None) -> tuple[str, ...]:
    """Read `--from` where it may be given several times.

    Raises:
        ConfigurationError: One is no number that can be called.
    """
    return tuple(filter(None, (read_from_number(text, country) for text in texts)))


def read_policies(names: Iterable[str]) -> tuple[str, ...]:
    """Read `--policy`: a file of one's own is found again from wherever the campaign is resumed."""
    return tuple(str(Path(name).absolute()) if name.endswith(".toml") else name for name in names)


def read_naming(pairs: Iterable[str], ignored: Iterable[str]) -> Naming:
    """Read `--map HEADER=NAME` and `--ignore HEADER`.

    Raises:
        ConfigurationError: One has no `=`, a header is given twice, or cannot be meant.
    """
    named: dict[str, str] = {}
    for pair in pairs:
        header, sign, name = pair.rpartition("=")
        header, name = header.strip(), name.strip()
        if not sign or not header or not name:
            raise ConfigurationError(f"--map {pair!r} is not HEADER=NAME")
        if header in named:
            raise ConfigurationError(f"--map {header} is given twice")
        named[header] = name
    return Naming(named=named, ignored=ignored)


def caller_is_needed(from_number: str | None, *, loopback: bool) -> None:
    """Refuse to leave the caller number to chance.

    Raises:
        ConfigurationError: There is none, and the server is not on this machine.
    """
    if from_number is None and not loopback:
        raise ConfigurationError(
            "--from is needed: without it Hamsa calls from a foreign number"
            f" (--from {HAMSA_DEFAULT} takes it knowingly)"
        )


def short_path(path: Path) -> str:
    """A path as a person would write it."""
    try:
        return f"~/{path.absolute().relative_to(Path.home())}"
    except (ValueError, RuntimeError):  # it lies elsewhere, or nobody's home is known
        return str(path)
