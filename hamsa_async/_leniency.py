"""What reading answers forgives, beyond the leaves that are taken as they came.

- An enumeration is open: `Status | str` gives the member that we know, or the text as it is.
- What may be one of our values or a text is what came: an object is the value.
- An id that is a number is as good as its text. One that is missing, or neither, is an error.
"""

import enum
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Union

import attrs
import cattrs

from hamsa_async.models._declaring import ID


def register(converter: cattrs.Converter) -> None:
    """Teach a converter the leniencies of this module."""
    converter.register_structure_hook_func(_is_id, _id)
    converter.register_structure_hook_func(lambda kind: _is_enum(_beside_text(kind)), _member)
    converter.register_structure_hook_func(
        lambda kind: attrs.has(_beside_text(kind) or str),
        lambda value, kind: (
            converter.structure(value, _beside_text(kind)) if isinstance(value, Mapping) else value
        ),
    )


def _is_id(kind: Any) -> bool:
    return typing.get_origin(kind) is Annotated and ID in kind.__metadata__


def _id(value: Any, _: Any) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"expected an id, got {type(value).__name__}")


def _beside_text(kind: Any) -> Any:
    """The one other type in `X | str` or `X | str | None`."""
    if typing.get_origin(kind) not in {Union, types.UnionType}:
        return None
    parts = set(typing.get_args(kind))
    others = parts - {str, type(None)}
    return others.pop() if str in parts and len(others) == 1 else None


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.StrEnum)


def _member(value: Any, kind: Any) -> Any:
    if not isinstance(value, str):
        return value
    plain = value.casefold()  # "Telephone" here is "TELEPHONE" there
    members: type[enum.StrEnum] = _beside_text(kind)
    return next((member for member in members if member.casefold() == plain), value)
