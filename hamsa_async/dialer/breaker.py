"""When a run that goes badly is to stop dialing, as a table.

The list is what a bad run uses up: each contact who is refused, whose call fails, or who picks up
and is cut off, is one that is not called again. So a run looks at its own last results.
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from hamsa_async.dialer.machine import AttemptState

WINDOW: Final = 20
"""How many of the last results count: few enough that what breaks after a good hour is seen
within ten, so many that a share of them says something."""

FEWEST: Final = 10
"""Fewer results are no share. With 5 % of bad luck, five bad ones of the first ten come once in
15,000 runs."""

CUT_OFF_WITHIN: Final = 5.0
"""Seconds of talk within which nobody has heard more than a greeting."""

_COMPLETED: Final = "completed"
_FAILED: Final = "failed"


class Sign(enum.StrEnum):
    """What a run can suffer from. Its value is what the reason says of those that count."""

    REFUSED = "requests were refused"
    UNKNOWN = "requests may have rung, and it is not known"
    FAILED = "calls failed"
    CUT_OFF = "answered calls were cut off"


SHARES: Final[Mapping[Sign, float]] = {
    # Lists with bad rows, dead numbers and people who hang up at once stay under a half.
    Sign.REFUSED: 1 / 2,
    Sign.FAILED: 1 / 2,
    Sign.CUT_OFF: 1 / 2,
    # Each may be a person's work, and a connection that is well loses none.
    Sign.UNKNOWN: 1 / 3,
}
"""The share of the last results from which on a run stops."""


@attrs.define(eq=False)
class Breaker:
    """Looks at the last results of one run; it begins anew with each.

    Calls that fail again when somebody is tried again do not count: a wave of retries is made of
    those that failed, and would stop every campaign at its end.

    Attributes:
        reason: Why nobody more is to be dialed, once that is so. It stays.
    """

    reason: str | None = None
    _results: dict[Sign, dict[str, bool]] = attrs.field(
        factory=lambda: {sign: {} for sign in Sign}, init=False
    )
    _live: set[str] = attrs.field(factory=set, init=False)

    def settled(self, attempt_id: str, state: AttemptState, *, again: bool) -> None:
        """Take note of what became of a request.

        Args:
            attempt_id: Its attempt.
            state: What it settled as. One that was not sent says nothing.
            again: Whether the contact was being tried again.
        """
        if state is AttemptState.NOT_SENT:
            return
        if state is AttemptState.PLACED and not again:
            self._live.add(attempt_id)
        self._count(Sign.REFUSED, attempt_id, bad=state is AttemptState.REFUSED)
        self._count(Sign.UNKNOWN, attempt_id, bad=state is AttemptState.UNKNOWN)

    def found(self, attempt_id: str) -> None:
        """Take note that the call of an attempt in doubt was found."""
        if attempt_id in self._results[Sign.UNKNOWN]:
            self._results[Sign.UNKNOWN][attempt_id] = False

    def ended(self, attempt_id: str, outcome: str, duration: float | None) -> None:
        """Take note of how a call ended; those from before this run do not count.

        Args:
            attempt_id: Its attempt.
            outcome: The API's last status, in lower case.
            duration: Seconds of talk, where they are known.
        """
        if attempt_id not in self._live:
            return
        self._live.remove(attempt_id)
        self._count(Sign.FAILED, attempt_id, bad=outcome == _FAILED)
        if outcome == _COMPLETED and duration is not None:
            self._count(Sign.CUT_OFF, attempt_id, bad=_is_cut_off(outcome, duration))

    def _count(self, sign: Sign, attempt_id: str, *, bad: bool) -> None:
        last = self._results[sign]
        last[attempt_id] = bad
        if len(last) > WINDOW:
            del last[next(iter(last))]
        if not bad and len(last) > FEWEST:
            return  # a good one more can only lower the share
        many = sum(last.values())
        if self.reason is None and len(last) >= FEWEST and many >= SHARES[sign] * len(last):
            self.reason = f"breaker: {many} of the last {len(last)} {sign}"


def went_wrong(outcome: str, duration: float | None) -> bool:
    """Whether a call failed or was cut off; its arguments are those of `Breaker.ended`."""
    return outcome == _FAILED or _is_cut_off(outcome, duration)


def _is_cut_off(outcome: str, duration: float | None) -> bool:
    return outcome == _COMPLETED and duration is not None and duration <= CUT_OFF_WITHIN
