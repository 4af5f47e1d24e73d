"""What the outcome of a call says of the person's wish to be called. Pure.

Whoever does not want to be called again goes on the do-not-call list. Whoever declined what they
were called for is a lesser thing: a pack says whether that is final.
"""

from collections.abc import Mapping
from typing import Any, Final

from hamsa_async.dialer.flags import read_flag
from hamsa_async.errors import ConfigurationError

DNC_FIELD: Final = "do_not_call"
"""The field of an outcome that says so, where nothing else was agreed with the agent."""

REFUSAL_FIELD: Final = "declined"
"""The field of an outcome that says that the person declined, where nothing else was agreed."""

_NOTHING: Final = object()


def asks_not_to_be_called(result: Mapping[str, Any] | None, field: str) -> bool:
    """Whether an outcome says so.

    In doubt it does: a value that is neither a yes nor a no is somebody's way to say it.

    Args:
        result: The outcome that the agent filled in, if it did.
        field: The name of the field; dots lead into objects.
    """
    return _is_yes(_value_at(result, field))


def declines(result: Mapping[str, Any] | None, field: str) -> bool:
    """Whether an outcome says that the person declined.

    Args:
        result: The outcome that the agent filled in, if it did.
        field: The name of the field, in which anything but a no says so; or the name and the
            values that do: `interest=none,not now`. Dots lead into objects.
    """
    name, values = read_refusal_field(field)
    value = _value_at(result, name)
    if not values:
        return _is_yes(value)
    if isinstance(value, bool):
        return ("true" if value else "false") in values
    return isinstance(value, str | int | float) and str(value).strip().casefold() in values


def read_refusal_field(field: str) -> tuple[str, frozenset[str]]:
    """Take the name of a field, and the values that mean a refusal, apart.

    Raises:
        ConfigurationError: There is no name, or nothing between two of its dots, or `=` and no
            value.
    """
    name, sign, given = field.partition("=")
    values = frozenset(value for part in given.split(",") if (value := part.strip().casefold()))
    if not is_field(name) or bool(sign) != bool(values):
        raise ConfigurationError(
            f"refusal field {field!r} is neither a field (declined) nor a field and its values"
            " (interest=none,not now)"
        )
    return name.strip(), values


def is_field(name: str) -> bool:
    """Whether an outcome can have such a field: between two dots stands a name."""
    return all(part.strip() for part in name.split("."))


def _value_at(result: Mapping[str, Any] | None, field: str) -> Any:
    value: Any = result
    for name in field.split("."):
        value = value.get(name, _NOTHING) if isinstance(value, Mapping) else _NOTHING
    return value


def _is_yes(value: Any) -> bool:
    """Whether a value says yes; one that is neither a yes nor a no does."""
    if value is _NOTHING or value is None or value == "":
        return False
    if isinstance(value, str | bool | int):
        return read_flag(value) is not False
    return bool(value)
