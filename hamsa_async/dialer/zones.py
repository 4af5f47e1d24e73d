"""Where a called person's clock may stand: the time zones of a phone number, and who says so.

In this order: the contact's own column; our table, for countries with one time zone and where
libphonenumber is wrong; libphonenumber's list. A number with several possible zones may be
called only when all of them allow it, and one with none not at all.

An area code is not a location: numbers are ported, and phones travel.
"""

import enum
import functools
from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

import attrs
import phonenumbers

from hamsa_async.dialer.clocks import clock_of

try:
    from phonenumbers.timezone import time_zones_for_number
except ImportError:  # phonenumberslite has no such data: then only the column and our table speak

    def time_zones_for_number(numobj: phonenumbers.PhoneNumber) -> tuple[str, ...]:
        """Know of none."""
        del numobj
        return ()


class ZoneSource(enum.StrEnum):
    """Who says in which time zone a number is."""

    COLUMN = "column"
    """The contact list."""
    TABLE = "table"
    """Our own table of countries."""
    PHONENUMBERS = "phonenumbers"
    """libphonenumber's data."""
    NONE = "none"
    """Nobody: the number is not called."""


@attrs.frozen(kw_only=True)
class Zones:
    """The time zones that a called person may be in.

    Attributes:
        names: IANA names; empty where nobody knows.
        source: Who says so.
    """

    names: tuple[str, ...]
    source: ZoneSource

    def __str__(self) -> str:
        """For a report: `Asia/Dubai`, or how many there are."""
        if len(self.names) == 1:
            return self.names[0]
        return f"{len(self.names)} possible zones" if self.names else "unknown"


def is_zone(name: str) -> bool:
    """Whether there is an IANA time zone of this name."""
    return _zone(name) is not None


def region_code(phone_number: str) -> str | None:
    """The country of an E.164 number, as an ISO alpha-2 code; `None` where it has none."""
    return _known(phone_number)[0]


def zones_of(phone_number: str, *, timezone: str | None = None) -> Zones:
    """Say in which time zones the called person may be.

    Args:
        phone_number: E.164.
        timezone: What the contact list says of this person.
    """
    if timezone is not None and is_zone(timezone):
        return Zones(names=(timezone,), source=ZoneSource.COLUMN)
    return _known(phone_number)[1]


# A contact is judged several times within seconds, and libphonenumber takes its time.
@functools.lru_cache(maxsize=4096)
def _known(phone_number: str) -> tuple[str | None, Zones]:
    """What a number itself says: its country and its zones."""
    number = phonenumbers.parse(phone_number)
    region = _region(number)
    names = _TABLE.get(region or "")
    if names is not None:
        return region, Zones(names=names, source=ZoneSource.TABLE)
    names = tuple(name for name in time_zones_for_number(number) if is_zone(name))
    if not names:
        return region, Zones(names=(), source=ZoneSource.NONE)
    return region, Zones(names=names, source=ZoneSource.PHONENUMBERS)


# libphonenumber's word for not knowing is `Etc/Unknown`, which is no zone either.
@functools.lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    if "/" not in name and name != "UTC":
        return None  # `localtime`, `EST` and their like say nothing about a place
    try:
        return clock_of(name)
    except LookupError:
        return None


def _region(number: phonenumbers.PhoneNumber) -> str | None:
    code = phonenumbers.region_code_for_number(number)
    # `001`: a service without a country, such as +800.
    return code if code and code.isalpha() else None


_CARIBBEAN: Final = {
    # Of these libphonenumber gives every zone from Guam to Newfoundland.
    "AG": "America/Antigua",
    "AI": "America/Anguilla",
    "AS": "Pacific/Pago_Pago",
    "BB": "America/Barbados",
    "BM": "Atlantic/Bermuda",
    "BS": "America/Nassau",
    "DM": "America/Dominica",
    "DO": "America/Santo_Domingo",
    "GD": "America/Grenada",
    "GU": "Pacific/Guam",
    "JM": "America/Jamaica",
    "KN": "America/St_Kitts",
    "KY": "America/Cayman",
    "LC": "America/St_Lucia",
    "MP": "Pacific/Saipan",
    "MS": "America/Montserrat",
    "PR": "America/Puerto_Rico",
    "SX": "America/Lower_Princes",
    "TC": "America/Grand_Turk",
    "TT": "America/Port_of_Spain",
    "VC": "America/St_Vincent",
    "VG": "America/Tortola",
    "VI": "America/St_Thomas",
}
_MIDDLE_EAST_AND_NORTH_AFRICA: Final = {
    "AE": "Asia/Dubai",
    "BH": "Asia/Bahrain",
    "DJ": "Africa/Djibouti",
    "DZ": "Africa/Algiers",  # libphonenumber: Europe/Paris
    "EG": "Africa/Cairo",
    "IL": "Asia/Jerusalem",
    "IQ": "Asia/Baghdad",
    "IR": "Asia/Tehran",
    "JO": "Asia/Amman",
    "KM": "Indian/Comoro",
    "KW": "Asia/Kuwait",
    "LB": "Asia/Beirut",
    "LY": "Africa/Tripoli",  # libphonenumber: Europe/Bucharest
    "MA": "Africa/Casablanca",  # libphonenumber: Atlantic/Canary
    "MR": "Africa/Nouakchott",
    "OM": "Asia/Muscat",
    "QA": "Asia/Qatar",
    "SA": "Asia/Riyadh",
    "SD": "Africa/Khartoum",
    "SO": "Africa/Mogadishu",
    "SY": "Asia/Damascus",
    "TN": "Africa/Tunis",
    "TR": "Europe/Istanbul",
    "YE": "Asia/Aden",
}
_WRONG_ELSEWHERE: Final = {
    # What libphonenumber says of these goes by other clocks than theirs, or did.
    "BY": "Europe/Minsk",
    "EH": "Africa/El_Aaiun",
    "GB": "Europe/London",
    "GG": "Europe/Guernsey",
    "IE": "Europe/Dublin",
    "IM": "Europe/Isle_of_Man",
    "JE": "Europe/Jersey",
    "KP": "Asia/Pyongyang",
    "KZ": "Asia/Almaty",  # one time in the whole country since 2024-03-01
    "NI": "America/Managua",
    "SS": "Africa/Juba",
}
_TABLE: Final[Mapping[str, tuple[str, ...]]] = {
    **{
        region: (name,)
        for names in (_CARIBBEAN, _MIDDLE_EAST_AND_NORTH_AFRICA, _WRONG_ELSEWHERE)
        for region, name in names.items()
    },
    "PS": ("Asia/Gaza", "Asia/Hebron"),  # libphonenumber: Europe/Bucharest
}
