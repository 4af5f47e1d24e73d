"""What a client tells those who listen: frozen event values and the hook they are given to.

A hook is any callable that takes one event. It is called on the event loop and must not
block; what it raises is logged and never reaches the call. Events carry masked numbers only.

One logical call gives, in this order: `CallQueued`, then for each try `AttemptBegan`,
`AttemptSent` (if it came so far) and `AttemptSettled`, a `RetryScheduled` between two tries (not
before the one that a renewed key allows at once), and `CallEnded`. All have its `number`.
`CallQueued` is told in the caller's own task and context; what comes later may be told in another.
`CooldownStarted` concerns the client as a whole.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from hamsa_async._values import frozen
from hamsa_async.errors import Certainty

log: logging.Logger = logging.getLogger("hamsa_async")


@frozen(kw_only=True)
class CallQueued:
    """An operation was asked for, and waits for its turn."""

    operation: str
    """The API operation, such as `voice_agents.call`."""

    number: int
    """Which of the process's logical calls. All its clients count together, so that one hook may
    listen to several."""

    base_url: str
    """The server that is asked: scheme and host, and a path prefix if there is one."""

    reference: str | None
    """The caller's own reference of the call, where one was given."""

    to_number: str | None
    """The number, masked."""


@frozen(kw_only=True)
class AttemptBegan:
    """A try has its slot, gate and pace behind it, and seeks a connection."""

    operation: str
    number: int
    attempt: int
    """Which try of this call, from 1."""


@frozen(kw_only=True)
class AttemptSent:
    """A request was handed to a connection. From here on the API may have it."""

    operation: str
    number: int
    attempt: int


@frozen(kw_only=True)
class AttemptSettled:
    """One request came to its end.

    Every request that was begun ends in exactly one of these, also one whose caller was
    cancelled meanwhile.
    """

    operation: str
    number: int
    attempt: int
    certainty: Certainty | None
    """What is proven; `None` for an answered read."""

    reference: str | None
    """The caller's own reference of the call, where one was given."""

    to_number: str | None
    """The number, masked."""

    call_id: str | None
    """The id that the API gave. This is where the id of a call reaches those whose `await`
    was cancelled."""

    made_id: str | None = None
    """The id of what a write made or changed: of a call, and of a batch, an agent, a tool."""

    status: int | None
    """The HTTP status of a parsed answer."""

    error: BaseException | None
    """What the caller was or would have been given, if not an answer. If the caller is gone and
    it is an `OutcomeUnknownError`, `voice_agents.settle` takes it from here."""

    abandoned: bool
    """Whether the caller was gone (cancelled) when the request ended."""

    seconds: float
    """From the request's begin to its end."""


@frozen(kw_only=True)
class RetryScheduled:
    """A request will be tried again, as the retry table allows."""

    operation: str
    number: int
    attempts: int
    """Tries begun so far, the failed one included."""

    wait: float
    """Seconds until the next one."""

    error: BaseException


@frozen(kw_only=True)
class CooldownStarted:
    """The API said 429: no request passes the gate until then."""

    gate: str
    """`dials` or `reads`."""

    seconds: float
    retry_at: datetime


@frozen(kw_only=True)
class CallEnded:
    """A logical call came to its end: its caller has its answer or its error.

    Where the caller was cancelled and left a request on its way, this waits for its end.
    """

    operation: str
    number: int
    attempts: int
    """Tries begun."""

    error: BaseException | None
    """What the caller was given, if not an answer; a `CancelledError` where it was cancelled."""

    seconds: float
    """From the moment it was asked for, the wait for its turn included."""


Event = (
    CallQueued
    | AttemptBegan
    | AttemptSent
    | AttemptSettled
    | RetryScheduled
    | CooldownStarted
    | CallEnded
)


class Hook(Protocol):
    """Something that wants to be told. Any `def hook(event): ...` is one."""

    def __call__(self, event: Event, /) -> None:
        """Take one event; must not block."""


class Teller:
    """Tells hooks and log what happens. What a hook raises is logged and goes no further."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._hooks = tuple(hooks)

    @property
    def hooked(self) -> bool:
        """Whether there is a hook, so that an event is worth making."""
        return bool(self._hooks)

    @property
    def heard(self) -> bool:
        """Whether a hook or the log wants to hear how a request ended."""
        return bool(self._hooks) or log.isEnabledFor(logging.DEBUG)

    def settled(self, event: AttemptSettled) -> None:
        """Tell how a request ended."""
        log.log(
            logging.WARNING if event.abandoned else logging.DEBUG,
            "%s settled%s: %s, id %s, reference %s",
            event.operation,
            " after its caller had left" if event.abandoned else "",
            event.certainty or event.status or "no answer",
            event.call_id or event.made_id,
            event.reference,
            extra={"action": "attempt_settled", **_found(event)},
        )
        self.tell(event)

    def missed(self, event: AttemptSettled) -> None:
        """Say that a caller was cancelled in the moment in which its request ended."""
        log.warning(
            "%s settled as its caller left: %s, id %s, reference %s",
            event.operation,
            event.certainty,
            event.call_id or event.made_id,
            event.reference,
            extra={"action": "answer_missed", **_found(event)},
        )

    def retrying(self, event: RetryScheduled) -> None:
        """Tell that a request will be tried again."""
        log.info(
            "%s will be tried again in %.1f s: %s",
            event.operation,
            event.wait,
            event.error,
            extra={"action": "retry_scheduled", "operation": event.operation, "wait": event.wait},
        )
        self.tell(event)

    def cooling_down(self, event: CooldownStarted) -> None:
        """Tell that a gate has closed."""
        log.warning(
            "429: no %s for %.1f s",
            event.gate,
            event.seconds,
            extra={"action": "cooldown_started", "gate": event.gate, "seconds": event.seconds},
        )
        self.tell(event)

    def tell(self, event: Event) -> None:
        """Tell the hooks, not the log."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:
                log.exception("a hook failed", extra={"action": "hook_failed"})


def _found(event: AttemptSettled) -> dict[str, str | None]:
    """What a log line says of how a request ended, for programs that read it."""
    return {
        "operation": event.operation,
        "certainty": event.certainty,
        "call_id": event.call_id,
        "made_id": event.made_id,
        "reference": event.reference,
    }
