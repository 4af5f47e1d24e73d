"""What the models have in common: ids, what is kept besides, equality, and what `repr` shows."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

import attrs

from hamsa_async._masking import show_text

ID: Final = "an id"
"""Marks a field that is an id: required, and a text here even where the API sends a number."""

Id = Annotated[str, ID]


def extra() -> Any:
    """Declare the field that keeps what the documentation does not name, in the API's names."""
    return attrs.field(factory=dict)


class Value:  # noqa: PLW1641 - it has none, as its text says
    """The base of models: equal where all fields are, and with a `repr` that shows a few.

    A model has no hash: `extra` has none either.

    Written once here, for attrs would generate and compile both for each of many classes, which
    is most of what importing them costs.
    """

    __slots__ = ()
    _shown: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, shows: tuple[str, ...] | None = None) -> None:
        # Twice for a class with slots: attrs makes it anew, with what the first one has.
        if shows is not None:
            cls._shown = shows

    def __repr__(self) -> str:
        # The rest is long, and may hold numbers and secrets.
        fields = ", ".join(f"{name}={_show(getattr(self, name))}" for name in self._shown)
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            getattr(self, field.name) == getattr(other, field.name)
            for field in attrs.fields(type(self))  # type: ignore[arg-type]
        )


def _show(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_show, value))}]"
    return show_text(value)


def keys_of(value: Any) -> Mapping[str, Any]:
    """Give open JSON as a mapping, empty where it is none."""
    return value if isinstance(value, Mapping) else {}
