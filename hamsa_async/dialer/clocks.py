"""The clocks of time zones, by the newest data at hand.

Countries change their clocks at short notice. The package tzdata comes with the extra and is
kept up to date by whoever upgrades; Python itself would ask the system's data first, which may
be years old.
"""

import functools
import re
from datetime import UTC, date, datetime, time
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

_NAME: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


@functools.lru_cache(maxsize=1024)
def clock_of(name: str) -> ZoneInfo:
    """The clock of a zone.

    Args:
        name: Its IANA name.

    Raises:
        LookupError: There is no such zone.
    """
    if not _NAME.fullmatch(name):
        raise LookupError(f"no name of a time zone: {name!r}")
    try:
        resource = files("tzdata").joinpath("zoneinfo", *name.split("/"))
    except ModuleNotFoundError:
        return _of_system(name)
    if not resource.is_file():
        return _of_system(name)
    with resource.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a date (UTC), also where clocks are put forward at midnight."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _of_system(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError) as error:  # a folder, say
        raise LookupError(f"there is no time zone {name!r}") from error
