"""What the models have in common: ids, what is kept besides, equality, and what `repr` shows."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

import attrs

from hamsa_async._masking import show_text
from hamsa_async._values import Plain

ID: Final = "an id"
"""Marks a field that is an id: required, and a text here even where the API sends a number."""

Id = Annotated[str, ID]


def extra() -> Any:
    """Declare the field that keeps what the documentation does not name, in the API's names."""
    return attrs.field(factory=dict)


class Value(Plain):
    """The base of models: equal where all fields are, and with a `repr` that shows a few.

    A model has no hash, for `extra` has none.
    """

    __slots__ = ()
    _shown: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, shows: tuple[str, ...] | None = None) -> None:
        # More than once for a class with slots: it is made anew, with what the first one has.
        if shows is not None:
            cls._shown = shows

    def __repr__(self) -> str:
        # The rest is long, and may hold numbers and secrets.
        fields = ", ".join(f"{name}={_show(getattr(self, name))}" for name in self._shown)
        return f"{type(self).__name__}({fields})"


def _show(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_show, value))}]"
    return show_text(value)


def keys_of(value: Any) -> Mapping[str, Any]:
    """Give open JSON as a mapping, empty where it is none."""
    return value if isinstance(value, Mapping) else {}
