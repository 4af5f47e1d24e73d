"""Phone numbers, and their countries, as typed."""

from hamsa_async.dialer.numbers import NumberProblem, normalise, region_of
from hamsa_async.errors import ConfigurationError


def read_country(code: str | None) -> str | None:
    """Read `--country`: a code of two letters, however it is typed.

    Raises:
        ConfigurationError: There is no such country.
    """
    return None if code is None else region_of(code)


def read_number(text: str, *, what: str, country: str | None = None) -> str:
    """Read a phone number as E.164.

    Raises:
        ConfigurationError: It is no number that can be called.
    """
    try:
        return normalise(text, country=country)
    except NumberProblem as problem:
        raise ConfigurationError(f"{what}: {problem.code.sentence}") from None
