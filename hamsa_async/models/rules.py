"""What a value that is written must keep to, as marks on the types of requests.

So it reads in a request: `response_delay: Annotated[float, Between(100, 1500)]`.
"""

import re
from typing import Any, Final

from hamsa_async._urls import check_url

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Rule:
    """Says what is wrong with a value of the right type.

    Rules are plain classes, for they are made at import, where each that attrs makes costs as
    much as all of these.
    """

    __slots__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({settings})"

    def check(self, name: str, value: Any) -> None:
        """Let it pass.

        Raises:
            ValueError: It breaks the rule; the text says how, and never repeats the value.
        """
        raise NotImplementedError


class Between(Rule):
    """A number from `least` to `most`, both allowed."""

    __slots__ = ("least", "most")

    def __init__(self, least: float, most: float) -> None:
        self.least: float = least
        self.most: float = most

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not self.least <= value <= self.most:
            raise ValueError(f"{name} must be from {self.least:g} to {self.most:g}")


class AtLeast(Rule):
    """A number that is not less."""

    __slots__ = ("least",)

    def __init__(self, least: float) -> None:
        self.least: float = least

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not value >= self.least:
            raise ValueError(f"{name} must be at least {self.least:g}")


class Length(Rule):
    """A text or a list with so many characters or items."""

    __slots__ = ("least", "most")

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self.least: int = least
        self.most: int | None = most

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if len(value) < self.least:
            raise ValueError(f"{name} must not be empty")
        if self.most is not None and len(value) > self.most:
            raise ValueError(f"{name} must not be longer than {self.most}")


class E164(Rule):
    """A number in E.164."""

    __slots__ = ()

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not _E164.fullmatch(value):
            raise ValueError(
                f"{name} must be an E.164 number: + and 7 to 15 digits, the country code first"
            )


class WebUrl(Rule):
    """A URL that may carry a secret: HTTPS, or on this machine."""

    __slots__ = ()

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        check_url(value, what=name)


class ClockTime(Rule):
    """A time of day as `HH:MM`."""

    __slots__ = ()

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not _CLOCK.fullmatch(value):
            raise ValueError(f"{name} must be a time of day such as 09:30")
