"""What a value that is written must keep to, as marks on the types of requests.

So it reads in a request: `response_delay: Annotated[float, Between(100, 1500)]`.
"""

import re
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from hamsa_async._urls import check_url

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@runtime_checkable
class Rule(Protocol):
    """Says what is wrong with a value of the right type."""

    def check(self, name: str, value: Any) -> None:
        """Let it pass.

        Raises:
            ValueError: It breaks the rule; the text says how, and never repeats the value.
        """


@attrs.frozen
class Between:
    """A number from `least` to `most`, both allowed."""

    least: float
    most: float

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not self.least <= value <= self.most:
            raise ValueError(f"{name} must be from {self.least:g} to {self.most:g}")


@attrs.frozen
class AtLeast:
    """A number that is not less."""

    least: float

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not value >= self.least:
            raise ValueError(f"{name} must be at least {self.least:g}")


@attrs.frozen
class Length:
    """A text or a list with so many characters or items."""

    least: int = 1
    most: int | None = None

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if len(value) < self.least:
            raise ValueError(f"{name} must not be empty")
        if self.most is not None and len(value) > self.most:
            raise ValueError(f"{name} must not be longer than {self.most}")


@attrs.frozen
class E164:
    """A number in E.164."""

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not _E164.fullmatch(value):
            raise ValueError(
                f"{name} must be an E.164 number: + and 7 to 15 digits, the country code first"
            )


@attrs.frozen
class WebUrl:
    """A URL that may carry a secret: HTTPS, or on this machine."""

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        check_url(value, what=name)


@attrs.frozen
class ClockTime:
    """A time of day as `HH:MM`."""

    def check(self, name: str, value: Any) -> None:
        """See `Rule`."""
        if not _CLOCK.fullmatch(value):
            raise ValueError(f"{name} must be a time of day such as 09:30")
