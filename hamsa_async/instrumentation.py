"""What a client tells those who listen: frozen event values and the hook they are given to.

A hook is any callable that takes one event. It is called on the event loop and must not
block; what it raises is logged and never reaches the call. Events carry masked numbers only.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import attrs

from hamsa_async.errors import Certainty

log: logging.Logger = logging.getLogger("hamsa_async")


@attrs.frozen(kw_only=True)
class AttemptSettled:
    """One request came to its end.

    Every request that was begun ends in exactly one of these, also one whose caller was
    cancelled meanwhile.
    """

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
    """What the caller was or would have been given, if not an answer. If the caller is gone and
    it is an `OutcomeUnknownError`, `voice_agents.settle` takes it from here."""

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


class Teller:
    """Tells hooks and log what happens. What a hook raises is logged and goes no further."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._hooks = tuple(hooks)

    @property
    def heard(self) -> bool:
        """Whether anybody listens, so that an event is worth making."""
        return bool(self._hooks) or log.isEnabledFor(logging.DEBUG)

    def settled(self, event: AttemptSettled) -> None:
        """Tell how a request ended."""
        log.log(
            logging.WARNING if event.abandoned else logging.DEBUG,
            "%s settled%s: %s, call id %s, reference %s",
            event.operation,
            " after its caller had left" if event.abandoned else "",
            event.certainty or event.status or "no answer",
            event.call_id,
            event.reference,
            extra={"action": "attempt_settled", "certainty": event.certainty},
        )
        self._tell(event)

    def missed(self, event: AttemptSettled) -> None:
        """Say that a caller was cancelled in the moment in which its request ended."""
        log.warning(
            "%s settled as its caller left: %s, call id %s, reference %s",
            event.operation,
            event.certainty,
            event.call_id,
            event.reference,
            extra={"action": "answer_missed", "certainty": event.certainty},
        )

    def retrying(self, event: RetryScheduled) -> None:
        """Tell that a request will be tried again."""
        log.info(
            "%s will be tried again in %.1f s: %s",
            event.operation,
            event.wait,
            event.error,
            extra={"action": "retry_scheduled", "wait": event.wait},
        )
        self._tell(event)

    def cooling_down(self, event: CooldownStarted) -> None:
        """Tell that a gate has closed."""
        log.warning(
            "429: no %s for %.1f s",
            event.gate,
            event.seconds,
            extra={"action": "cooldown_started"},
        )
        self._tell(event)

    def _tell(self, event: Event) -> None:
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:
                log.exception("a hook failed", extra={"action": "hook_failed"})
