"""What differs from country to country: weekends and public holidays."""

import functools
from collections.abc import Mapping
from datetime import date
from typing import Final

from hamsa_async.errors import ConfigurationError

_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6

_FRIDAY_AND_SATURDAY: Final = (
    *("AF", "BD", "BH", "DZ", "EG", "IL", "IQ", "JO", "KW", "LY"),
    *("OM", "PS", "QA", "SA", "SD", "SY", "YE"),
)
_WEEKENDS: Final[Mapping[str, frozenset[int]]] = {
    **dict.fromkeys(_FRIDAY_AND_SATURDAY, frozenset({_FRIDAY, _SATURDAY})),
    "IR": frozenset({_FRIDAY}),
    "DJ": frozenset({_FRIDAY}),
    "SO": frozenset({_FRIDAY}),
}
_ELSEWHERE: Final = frozenset({_SATURDAY, _SUNDAY})


def weekend_of(region: str | None) -> frozenset[int]:
    """A country's weekend (Monday is 0): Saturday and Sunday where nothing else is known."""
    return _WEEKENDS.get(region or "", _ELSEWHERE)


@functools.cache
def public_holidays(region: str | None) -> Mapping[date, str]:
    """A country's public holidays; none where they are not known.

    Dates that follow the moon are computed, and announced late: expect a day's difference.

    Raises:
        ConfigurationError: The package that knows them is not installed.
    """
    try:
        import holidays  # noqa: PLC0415 - 14 MB that few packs ask for
    except ImportError:
        raise ConfigurationError(
            "public holidays need the package holidays, which is not installed:"
            " pip install 'hamsa-async[holidays]'"
        ) from None
    try:
        return holidays.country_holidays(region) if region else {}
    except NotImplementedError:
        return {}
