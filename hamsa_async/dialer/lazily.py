"""Names that a package offers, and loads when somebody first asks for one.

A command that puts a number on the do-not-call list needs the journal, and nothing of what dials.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def loading(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's `__getattr__` and `__dir__`.

    Args:
        package: The package.
        homes: The names that each of its modules is the home of.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(import_module(package), name, value)  # it is not asked for again
        return value

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *home_of})

    return load, names
