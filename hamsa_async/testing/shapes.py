"""What a JSON body must look like, as checks that are put together like the contract's schemas."""

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from hamsa_async.testing.messages import refuse

Check: TypeAlias = Callable[[object, str], None]
"""Refuses, with a 400 that names where, what is not of a shape."""

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*")
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def anything(_: object, __: str) -> None:
    """Let everything pass."""


def flag(value: object, where: str) -> None:
    """A boolean."""
    _insist(isinstance(value, bool), where, "true or false")


def mapping(value: object, where: str) -> None:
    """An object, whatever is in it."""
    _insist(isinstance(value, dict), where, "an object")


def uri(value: object, where: str) -> None:
    """An URI."""
    _insist(isinstance(value, str) and _URI.fullmatch(value) is not None, where, "an URI")


def moment(value: object, where: str) -> None:
    """A date and time with an offset."""
    right = isinstance(value, str) and _DATE_TIME.fullmatch(value) is not None
    _insist(right, where, "a date and time")


def whole(value: object, where: str) -> None:
    """A whole number; JSON has 1.0 for one too."""
    right = isinstance(value, int | float) and not isinstance(value, bool)
    _insist(right and float(value).is_integer(), where, "a whole number")  # type: ignore[arg-type]


def text(least: int = 0, most: int | None = None) -> Check:
    """A text with so many characters."""

    def check(value: object, where: str) -> None:
        right = isinstance(value, str) and least <= len(value) <= (most or len(value))
        _insist(right, where, "a text" + (" that is not empty" if least else ""))

    return check


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """A number within bounds."""

    def check(value: object, where: str) -> None:
        right = isinstance(value, int | float) and not isinstance(value, bool)
        _insist(right and least <= value <= most, where, f"a number from {least} to {most}")  # type: ignore[operator]

    return check


def one_of(*allowed: str) -> Check:
    """One of these texts."""

    def check(value: object, where: str) -> None:
        _insist(value in allowed, where, f"one of {', '.join(allowed)}")

    return check


def many(item: Check, *, least: int = 0) -> Check:
    """A list of such items."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise refuse(400, f"{where} must be a list" + (" that is not empty" if least else ""))
        for index, element in enumerate(value):
            item(element, f"{where}[{index}]")

    return check


def maybe(check: Check) -> Check:
    """The same, or null."""

    def relaxed(value: object, where: str) -> None:
        if value is not None:
            check(value, where)

    return relaxed


def fields(known: Mapping[str, Check], *, required: tuple[str, ...] = (), least: int = 0) -> Check:
    """An object whose known fields have such shapes; it may have others besides."""
    frozen = MappingProxyType(dict(known))

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict) or len(value) < least:
            raise refuse(400, f"{where} must be an object" + (" with a field" if least else ""))
        for name in required:
            if name not in value:
                raise refuse(400, f"{where}.{name} is missing")
        for name, item in value.items():
            frozen.get(name, anything)(item, f"{where}.{name}")

    return check


def _insist(right: bool, where: str, wanted: str) -> None:  # noqa: FBT001 - it is what is asked
    if not right:
        raise refuse(400, f"{where} must be {wanted}")


def keep(value: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """What of a body is kept: the fields that its kind has."""
    return {name: item for name, item in value.items() if name in known}
