"""Whether the outcome of a call says that the person does not want to be called again. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from hamsa_async.dialer.flags import read_flag

DNC_FIELD: Final = "do_not_call"
"""The field of an outcome that says so, where nothing else was agreed with the agent."""

_NOTHING: Final = object()


def asks_not_to_be_called(result: Mapping[str, Any] | None, field: str) -> bool:
    """Whether an outcome says so.

    In doubt it does: a value that is neither a yes nor a no is somebody's way to say it.

    Args:
        result: The outcome that the agent filled in, if it did.
        field: The name of the field; dots lead into objects.
    """
    value: Any = result
    for name in field.split("."):
        value = value.get(name, _NOTHING) if isinstance(value, Mapping) else _NOTHING
    if value is _NOTHING or value is None or value == "":
        return False
    if isinstance(value, str | bool | int):
        return read_flag(value) is not False
    return bool(value)
