"""How a request is tried again, where the table allows it: budget, attempts, deadline, tenacity."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import tenacity

from hamsa_async._verdicts import Again
from hamsa_async.config import RetryPolicy
from hamsa_async.errors import Certainty, HamsaError

T = TypeVar("T")


class RetryBudget:
    """How many tries again the whole client may still make: a share of its logical calls.

    Every logical call pays in `share`; a try again takes out 1. It starts with enough for
    `reserve` tries, so that a quiet client can retry at all, and never saves up more.
    """

    def __init__(self, share: float, *, reserve: float = 10.0) -> None:
        self._share = share
        self._most = reserve if share else 0.0
        self._left = self._most

    def pay_in(self) -> None:
        """Count one logical call."""
        self._left = min(self._left + self._share, self._most)

    def take(self) -> bool:
        """Ask for one try again; `False` when the budget is spent."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


@attrs.define(eq=False)
class Tries:
    """The tries of one logical call so far, and whether there may be another."""

    policy: RetryPolicy
    budget: RetryBudget
    clock: Callable[[], float]
    deadline: float = float("inf")
    """On `clock`; set when the call first leaves the queue."""
    begun: int = 0
    """Requests begun, those answered 429 included."""
    counted: int = 0
    """Tries that count against the policy's attempts."""

    def may_try_again(self, again: Again, certainty: Certainty | None, wait: float) -> bool:
        """Whether the table, the attempts, the deadline and the budget allow another try."""
        if again is Again.NEVER or self.clock() + wait >= self.deadline:
            return False
        if again is Again.THROUGH_GATE:
            return True
        if self.counted >= self.policy.attempts:
            return False
        return certainty is Certainty.NOT_SENT or self.budget.take()


class Retryable(Exception):  # noqa: N818 - it is a signal inside the client, never an error to see
    """A failed try that may be followed by another; never leaves the client.

    Args:
        error: What to raise if it were the end.
        expected: Seconds until the next try.
        at_gate: Whether the gate does the waiting, for everybody alike.
    """

    def __init__(self, error: HamsaError, expected: float, *, at_gate: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.expected = expected
        self.wait = 0.0 if at_gate else expected


def _wait_of(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.wait if isinstance(error, Retryable) else 0.0


async def try_again(
    first: Retryable,
    attempt: Callable[[], Awaitable[T]],
    *,
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """Go on after a first failed try, until a try succeeds or raises something final.

    tenacity is entered only here, so a call that succeeds at once pays nothing for it.

    Args:
        first: The failure of the first try; its pause is kept.
        attempt: One more try. Raises `Retryable` while there may be another.
        sleep: Waits between two tries.
    """
    failed: list[Retryable] = [first]

    async def step() -> T:
        if failed:
            raise failed.pop()
        return await attempt()

    again = tenacity.AsyncRetrying(
        sleep=sleep,
        # An allow-list: a deny-list would swallow CancelledError and send the call again.
        retry=tenacity.retry_if_exception_type(Retryable),
        # What stops it is the try itself: it raises `Retryable` only where there may be another.
        stop=tenacity.stop_never,
        wait=_wait_of,
        reraise=True,
    )
    result: T = await again(step)
    return result


def pause(policy: RetryPolicy, counted: int) -> float:
    """Draw the pause after `counted` tries: full jitter under an exponential ceiling."""
    ceiling = min(policy.wait_max, policy.wait_initial * 2.0 ** min(max(counted - 1, 0), 64))
    return random.uniform(0.0, ceiling)
