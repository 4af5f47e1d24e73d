"""What can be set for one call, or for a copy of a client, and the answer as it came.

quick = hamsa.with_options(timeout=5)                           # for every call of a copy
await hamsa.voice_agents.get("...", headers={"X-Trace": "7"})   # for one call
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict, cast

import attrs

from hamsa_async._values import Plain
from hamsa_async.config import RetryPolicy, Timeouts
from hamsa_async.errors import ConfigurationError

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2: a token
# Those that say whose request it is, where it ends and what is in it.
_OURS: Final = frozenset(
    {
        "accept",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "proxy-authorization",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Answer(Plain):
    """A whole answer as it came: the head was HTTP, and the body came to its end.

    Its `repr` shows the status only: headers and body may hold numbers and secrets.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Their names are found in any case."""

    body: bytes = attrs.field(repr=False)


class RequestOptions(TypedDict, total=False):
    """What every method takes besides its own arguments, and `HamsaClient.with_options` too.

    But for `conversations.wait` and `watch`, whose `timeout` bounds the waiting.
    """

    timeout: float | Timeouts
    """A number is the `response` timeout in seconds, and leaves the other two as they are."""

    retry: RetryPolicy
    """Its `budget` and `cooldown` do not apply: these two are the client's as a whole."""

    headers: Mapping[str, str]
    """Sent besides the client's own, which cannot be changed so."""

    on_answer: Callable[[Answer], None]
    """Called on the event loop with every whole answer to this call, also of a try that failed
    and of one whose caller has left. What it raises is logged and goes no further."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Settings(Plain):
    """The options in force for a call."""

    timeouts: Timeouts
    retry: RetryPolicy
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    on_answer: Callable[[Answer], None] | None = None

    def with_options(self, options: RequestOptions) -> "Settings":
        """Give the settings that these options make of them.

        Raises:
            ConfigurationError: An option is unknown or cannot work.
        """
        unknown = options.keys() - RequestOptions.__annotations__.keys()
        if unknown:
            raise ConfigurationError(
                f"there is no option {min(unknown)!r}; there are"
                f" {', '.join(RequestOptions.__annotations__)}"
            )
        return Settings(
            timeouts=self._timeouts(options.get("timeout")),
            retry=self._retry(options.get("retry")),
            headers={**self.headers, **checked_headers(options.get("headers"))},
            on_answer=self._on_answer(options.get("on_answer")),
        )

    def _timeouts(self, timeout: object) -> Timeouts:
        if timeout is None:
            return self.timeouts
        if isinstance(timeout, Timeouts):
            return timeout
        if not isinstance(timeout, int | float) or isinstance(timeout, bool):
            raise ConfigurationError("timeout must be a number of seconds, or Timeouts")
        return attrs.evolve(self.timeouts, response=timeout)

    def _retry(self, retry: object) -> RetryPolicy:
        if retry is None:
            return self.retry
        if not isinstance(retry, RetryPolicy):
            raise ConfigurationError(f"retry must be a RetryPolicy, not {type(retry).__name__}")
        return retry

    def _on_answer(self, on_answer: object) -> Callable[[Answer], None] | None:
        if on_answer is None:
            return self.on_answer
        if not callable(on_answer):
            raise ConfigurationError("on_answer must be a callable that takes an Answer")
        return on_answer


def checked_headers(headers: object) -> Mapping[str, str]:
    """Take headers that may be sent besides ours.

    Raises:
        ConfigurationError: One is ours, or cannot stand in a request. No value is repeated.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a mapping, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError("a header's name must be of letters, digits and - only")
        if name.lower() in _OURS:
            raise ConfigurationError(f"the header {name} is the client's own")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"the header {name} must be a text of printable ASCII")
    return headers


def split_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], RequestOptions]:
    """Tell what is to be written from the options of the request that writes it."""
    names = RequestOptions.__annotations__.keys()
    fields = {name: value for name, value in given.items() if name not in names}
    options = {name: value for name, value in given.items() if name in names}
    return fields, cast("RequestOptions", options)
