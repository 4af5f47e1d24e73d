"""What a campaign's book proves by itself: each attempt's way, and how often a number was rung.

Pure: events, attempts and calls come in, sentences about what is not as it must be come out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from hamsa_async._masking import mask_number
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.records import AttemptRow, Candidate
from hamsa_async.dialer.journal.ruling import MIN_GAP
from hamsa_async.dialer.machine import ATTEMPT_MOVES, AttemptState
from hamsa_async.dialer.policy import TIMING_RULES, History
from hamsa_async.dialer.rules import Rules

STATES_AFTER: Final[Mapping[EventKind, frozenset[AttemptState]]] = {
    EventKind.INTENDED: frozenset({AttemptState.INTENDED}),
    EventKind.TAKEN_OVER: frozenset({AttemptState.PLACED}),
    EventKind.PLACED: frozenset({AttemptState.PLACED}),
    EventKind.REFUSED: frozenset({AttemptState.REFUSED}),
    EventKind.RETURNED: frozenset({AttemptState.NOT_SENT, AttemptState.REFUSED}),
    EventKind.LOST: frozenset({AttemptState.UNKNOWN}),
    EventKind.FOUND: frozenset({AttemptState.PLACED}),
    EventKind.ABSENT: frozenset({AttemptState.ABSENT}),
    EventKind.REVIEWED: frozenset({AttemptState.REVIEW}),
    EventKind.ENDED: frozenset({AttemptState.ENDED}),
    EventKind.RETRIED: frozenset({AttemptState.ENDED}),
    EventKind.CORRECTED: frozenset({AttemptState.ENDED}),
}
"""What an attempt may be after an event that names it."""

_FIRST: Final = frozenset({EventKind.INTENDED, EventKind.TAKEN_OVER})


class Ways:
    """Each attempt's way through its states, followed from event to event.

    The events are only ever added to, so whoever has them can go the way again.

    Attributes:
        taken_over: The attempts whose calls others had placed.
    """

    def __init__(self) -> None:
        self.taken_over: set[str] = set()
        self._now: dict[str, frozenset[AttemptState]] = {}
        self._strayed: list[str] = []

    def follow(self, event: DialerEvent) -> None:
        """Go one step; events come in their order."""
        attempt, after = event.attempt_id, STATES_AFTER.get(event.kind)
        if attempt is None or after is None:
            return
        if event.kind is EventKind.TAKEN_OVER:
            self.taken_over.add(attempt)
        before = self._now.get(attempt)
        if before is None:
            allowed = after if event.kind in _FIRST else frozenset()
        elif event.kind is EventKind.CORRECTED:
            allowed = after  # an end takes the place of one that was not seen
        else:
            allowed = after & frozenset().union(*(ATTEMPT_MOVES[state] for state in before))
        if not allowed:
            self._strayed.append(
                f"row {event.row}: event {event.number} says that {attempt} was {event.kind},"
                f" which cannot be after {' or '.join(sorted(before or ['nothing']))}"
            )
        self._now[attempt] = allowed or after

    def findings(self, attempts: Iterable[AttemptRow]) -> Iterator[str]:
        """Ways that cannot be, and those that do not lead to where the attempt is."""
        yield from self._strayed
        for attempt in attempts:
            states = self._now.get(attempt.attempt_id, frozenset())
            if attempt.state not in states:
                yield (
                    f"row {attempt.row}: {attempt.attempt_id} is {attempt.state}, and its events"
                    f" lead to {' or '.join(sorted(states)) or 'nothing'}"
                )


def beyond_rules(
    rules: Rules, contact: Candidate, attempts: Sequence[AttemptRow], calls: Sequence[datetime]
) -> Iterator[str]:
    """Attempts at a number that its caps, gaps or hours did not allow.

    Args:
        rules: The campaign's rules, as they are now.
        contact: The contact at that number.
        attempts: The campaign's attempts at it that may have rung.
        calls: The moments of all calls to it that are known, whoever placed them.
    """
    for attempt in attempts:
        at = attempt.intended_at
        before = tuple(sorted(moment for moment in calls if moment < at))
        history = History(calls=before, gap_until=before[-1] + MIN_GAP if before else None)
        for finding in rules.findings(contact, history, at):
            refusal = finding.refusal
            if finding.rule in TIMING_RULES and refusal is not None:
                yield (
                    f"row {attempt.row}: {mask_number(attempt.phone_number)} was called by"
                    f" {attempt.attempt_id} at {at.isoformat()}, against {refusal.rule} of"
                    f" {finding.pack}: {refusal.detail}"
                )
