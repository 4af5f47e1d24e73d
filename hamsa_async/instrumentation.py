"""What a client tells those who listen: frozen event values and the hook they are given to.

A hook is any callable that takes one event. It is called on the event loop and must not
block; what it raises is logged and never reaches the call. Events carry masked numbers only.
"""

from datetime import datetime
from typing import Protocol

import attrs

from hamsa_async.errors import Certainty


@attrs.frozen(kw_only=True)
class AttemptSettled:
    """One request came to its end. Every request that was begun ends in exactly one of these,
    also one whose caller was cancelled meanwhile."""

    operation: str
    """The API operation, such as `voice_agents.call`."""

    certainty: Certainty | None
    """What is proven; `None` for an answered read."""

    reference: str | None
    """The caller's own reference of the call, where one was given."""

    to_number: str | None
    """The number, masked."""

    call_id: str | None
    """The id that the API gave. This is where the id of a call reaches those whose `await`
    was cancelled."""

    status: int | None
    """The HTTP status of a parsed answer."""

    error: BaseException | None
    """What the caller was or would have been given, if not an answer."""

    abandoned: bool
    """Whether the caller was gone (cancelled) when the request ended."""

    seconds: float
    """From the request's begin to its end."""


@attrs.frozen(kw_only=True)
class RetryScheduled:
    """A request will be tried again, as the retry table allows."""

    operation: str
    attempts: int
    """Tries begun so far, the failed one included."""

    wait: float
    """Seconds until the next one."""

    error: BaseException


@attrs.frozen(kw_only=True)
class CooldownStarted:
    """The API said 429: no request passes the gate until then."""

    gate: str
    """`dials` or `reads`."""

    seconds: float
    retry_at: datetime


Event = AttemptSettled | RetryScheduled | CooldownStarted


class Hook(Protocol):
    """Something that wants to be told. Any `def hook(event): ...` is one."""

    def __call__(self, event: Event, /) -> None:
        """Take one event; must not block."""


