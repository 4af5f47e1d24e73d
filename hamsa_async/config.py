"""What can be set on a client: frozen values, validated the moment they are made.

All times are in seconds. A value that cannot work raises `ConfigurationError` here, before
a client exists, and never as a surprise in the middle of a campaign.
"""

import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from hamsa_async._urls import check_url, is_loopback
from hamsa_async._values import Plain
from hamsa_async.errors import ConfigurationError

REGIONS: Final[Mapping[str, str]] = {
    "eu": "https://api.tryhamsa.com",
    "uae": "https://api.uae.tryhamsa.com",
}
"""Hamsa's own regions and their hosts (`HAMSA_REGION`)."""

_Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _number(*, low: float, high: float = math.inf, optional: bool = False) -> _Validator:
    """A validator for a finite number in `[low, high]`; `None` too where it means "none"."""

    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value is None and optional:
            return
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or not low <= value <= high
        ):
            limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
            raise ConfigurationError(f"{attribute.name} must be a number, {limits}; got {value!r}")

    return check


def _whole(*, low: int) -> _Validator:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise ConfigurationError(
                f"{attribute.name} must be a whole number, {low} or more; got {value!r}"
            )

    return check


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Timeouts(Plain):
    """How long to wait for what."""

    response: float = attrs.field(default=60.0, validator=_number(low=0.001))
    """From the connection's first byte sought to the answer's last. Long on purpose: giving
    up early on a call is what makes its outcome unknown."""

    connect: float = attrs.field(default=5.0, validator=_number(low=0.001))
    """To get a connection. Running out of it proves that nothing was sent."""

    deadline: float = attrs.field(default=120.0, validator=_number(low=0.001))
    """For all tries of one logical call together, from the moment it leaves the queue. No
    new try begins past it; a try under way is left to its own `response` timeout."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RetryPolicy(Plain):
    """How often and how patiently to try again, where the retry table allows it at all.

    The pause before try n is drawn evenly from 0 to `min(wait_max, wait_initial * 2**(n-2))`.
    """

    attempts: int = attrs.field(default=3, validator=_whole(low=1))
    """Tries of one logical call, the first included. A 429 does not count."""

    wait_initial: float = attrs.field(default=0.5, validator=_number(low=0))
    """The longest pause before the second try."""

    wait_max: float = attrs.field(default=8.0, validator=_number(low=0))
    """The longest pause before any try."""

    budget: float = attrs.field(default=0.1, validator=_number(low=0, high=1))
    """Tries again per logical call, over the whole client: 0.1 keeps a failing server at
    1.1 requests a call. A 429 and a request that was not sent do not draw on it."""

    cooldown: float = attrs.field(default=1.0, validator=_number(low=0.001))
    """How long a 429 without a usable `Retry-After` closes the gate."""

    dial_on_429: bool = True
    """Whether a call answered with 429 is placed again. By convention a 429 is said before
    anything is dialed; for Hamsa nobody has proved it. `False` makes such a call unknown."""


def _is(kind: type) -> _Validator:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, kind):
            raise ConfigurationError(
                f"{attribute.name} must be a {kind.__name__}; got a {type(value).__name__}"
            )

    return check


def _is_one_word(scheme: object) -> bool:
    return (
        isinstance(scheme, str)
        and bool(scheme)
        and scheme.isascii()
        and scheme.isprintable()
        and " " not in scheme
    )


def _without_last_slash(url: Any) -> Any:
    return url.rstrip("/") if isinstance(url, str) else url


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ClientConfig(Plain):
    """Everything of a client but its key, its session and its hooks."""

    base_url: str = attrs.field(default=REGIONS["eu"], converter=_without_last_slash)
    """Scheme and host, and a path prefix if there is one. HTTPS, but for loopback hosts."""

    auth_scheme: str = attrs.field(default="Token")
    """The word before the key in `Authorization`. Hamsa documents `Token`."""

    concurrency_limit: int = attrs.field(default=100, validator=_whole(low=1))
    """The most calls at the API's door at once: requests in flight, not conversations.
    Reads have as many slots of their own."""

    rate: float | None = attrs.field(default=None, validator=_number(low=0.001, optional=True))
    """The most call starts per second, evenly spaced; `None`: unpaced."""

    grace_period: float = attrs.field(default=10.0, validator=_number(low=0))
    """How long `aclose()` lets requests that have begun come to their end."""

    timeouts: Timeouts = attrs.field(factory=Timeouts, validator=_is(Timeouts))
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, validator=_is(RetryPolicy))

    @base_url.validator
    def _check_base_url(self, _: object, value: str) -> None:
        parts = check_url(value, what="base_url")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigurationError(
                "base_url must be scheme, host and path only: no user, password, query or fragment"
            )

    @auth_scheme.validator
    def _check_scheme(self, _: object, value: str) -> None:
        if not _is_one_word(value):
            raise ConfigurationError(
                "auth_scheme must be one printable ASCII word, such as Token or Bearer"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, where no call reaches a phone."""
        return is_loopback(self.base_url)


def resolve_base_url(base_url: str | None, region: str | None) -> str:
    """Choose the server: the arguments, then `HAMSA_BASE_URL`, then `HAMSA_REGION`, then `eu`.

    Raises:
        ConfigurationError: Both arguments were given, or the region is not one of Hamsa's.
    """
    if base_url is not None and region is not None:
        raise ConfigurationError("give base_url or region, not both")
    if base_url is None and region is None:
        base_url = os.environ.get("HAMSA_BASE_URL") or None
        region = os.environ.get("HAMSA_REGION") or None
    if base_url is not None:
        return base_url
    name = (region or "eu").strip().lower()
    if name not in REGIONS:
        raise ConfigurationError(
            f"there is no Hamsa region {name!r}; the regions are {', '.join(REGIONS)}"
        )
    return REGIONS[name]
