"""Classes of attrs that cost little to import. What attrs does for them was half of the import.

The client has a value for everything that the API may answer, and a program uses a few: `frozen`
and `define` leave most of the work until a class is first used. What every call needs is made by
attrs itself and at import, for a program first calls on its loop; it may have the methods of
`Plain`.
"""

from typing import TYPE_CHECKING, Any, Final

import attrs

__all__ = ["Plain", "define", "frozen"]

# By these a class is entered: no instance comes to be, and no field is found, but through them.
_ENTRANCES: Final = ("__attrs_attrs__", "__init__", "__setstate__")

if TYPE_CHECKING:  # under their own names, by which checkers know what they make
    from attrs import define, frozen
else:

    def frozen(**options: Any) -> Any:
        """Make a class with slots now, and let attrs make the rest when it is first used.

        Takes what `attrs.frozen` takes, for classes that inherit no fields and whose methods
        have no `super()`.
        """
        return lambda draft: _slotted(draft, attrs.frozen(**options))

    def define(**options: Any) -> Any:
        """The same for `attrs.define`."""
        return lambda draft: _slotted(draft, attrs.define(**options))


def _slotted(draft: type, make: Any) -> type:
    fields = tuple(draft.__annotations__)
    body = {
        name: value
        for name, value in vars(draft).items()
        if name not in fields and name not in {"__dict__", "__weakref__"}
    }

    def finish() -> None:
        made = vars(make(draft))
        # The entrances last: until then whoever comes by another thread goes through here, too.
        for name in [*(made.keys() - vars(cls).keys()), *_ENTRANCES]:
            setattr(cls, name, made[name])

    cls = type(draft)(
        draft.__name__,
        draft.__bases__,
        body
        | {name: _Entrance(name, finish) for name in _ENTRANCES}
        | {"__slots__": (*fields, "__weakref__"), "__qualname__": draft.__qualname__},
    )
    return cls


class Plain:
    """Equality, hash and `repr` as attrs would write and compile them for each class anew."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *_compared(self)))

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{field.name}={repr(value) if field.repr is True else field.repr(value)}"
            for field in attrs.fields(type(self))  # type: ignore[arg-type]
            if field.repr
            for value in [getattr(self, field.name)]
        )
        return f"{type(self).__qualname__}({fields})"


def _compared(value: Any) -> list[Any]:
    return [getattr(value, field.name) for field in attrs.fields(type(value)) if field.eq]


class _Entrance:
    """Stands for what attrs has not made yet."""

    __slots__ = ("_finish", "_name")

    def __init__(self, name: str, finish: Any) -> None:
        self._name = name
        self._finish = finish

    def __get__(self, value: Any, cls: type) -> Any:
        self._finish()
        return getattr(cls if value is None else value, self._name)
