"""What is known of a call that is followed, and when to ask about it again.

No clock and no socket: moments are given, in seconds of one clock.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from hamsa_async._values import Plain, define
from hamsa_async.models.conversations import (
    FINAL_STATUSES,
    CallStatus,
    Conversation,
    ConversationSummary,
)

Status = CallStatus | str | None

_NOTHING_HEARD, _WAITS, _LIVE, _ENDED = range(-1, 3)
_RANKS: Final[Mapping[str, int]] = {
    CallStatus.PENDING: _WAITS,
    CallStatus.IN_PROGRESS: _LIVE,
    **dict.fromkeys(FINAL_STATUSES, _ENDED),
}
# Whose outcome may still come. Nobody spoke in the others, so that there is none to wait for.
_WITH_OUTCOME: Final = frozenset(
    {CallStatus.COMPLETED, CallStatus.FORWARDED, CallStatus.TERMINATED}
)
_LONGEST_CALL: Final = 600.0  # seconds; what agents are limited to where nothing else is said
_LONGEST_BELIEVED: Final = 86_400.0  # seconds; whoever waits must come to an end
_AFTER_LONGEST: Final = 120.0  # seconds for ringing, and for what lags a call's end


def rank(status: Status) -> int:
    """How far a status is. One that we do not know is as far as a live call, and no end."""
    return _NOTHING_HEARD if status is None else _RANKS.get(str(status).upper(), _LIVE)


def is_end(status: Status) -> bool:
    """Whether a call with this status has ended."""
    return rank(status) == _ENDED


def further(seen: Status, heard: Status) -> Status:
    """Give the status that a call has when another was heard of it: it never moves backwards.

    Answers overtake each other, and list and detail need not agree. Only among statuses of live
    calls that we do not know is the later one believed: nobody knows their order.
    """
    if rank(heard) > rank(seen) or rank(heard) == rank(seen) == _LIVE:
        return heard
    return seen


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Patience(Plain):
    """How long to wait between questions. In seconds."""

    sweep_first: float = 1.0
    """Between sweeps at first: a call that is busy or refused is over in a moment."""

    sweep_most: float = 15.0
    """Between sweeps at most: later than that nobody should hear of a call's end."""

    sweep_share: float = 0.1
    """Between sweeps, as a share of how long the latest call has been followed: what is heard
    late is late by a tenth of it."""

    per_page: float = 0.5
    """Between sweeps for each page of the last: two pages a second leave the API's door, and its
    rate limit, to the calls."""

    unseen: float = 3.0
    """How long a call may be missing from the list before it is read by itself. Twice as long
    each further time, for the lag of the list is not known."""

    unseen_most: float = 60.0
    """The most of that."""

    agent: float = 120.0
    """After this a call is read once for its agent's longest call, where the default timeout
    needs it: most calls have ended by then, and have cost nothing more."""

    outcome: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """Before each further look for an outcome that is still empty. Together they are what
    others were seen to wait for it."""

    look_back: float = 600.0
    """How long before it was first asked about a call may have been placed, as long as nothing
    is known of it: a whole call. Wide enough for clocks that differ by minutes, too."""

    missing: int = 3
    """How often in a row the API must say that there is no such call: a fresh one may lag."""

    margin: float = 60.0
    """How much earlier than a call's own moment the list is read from."""

    furthest: float = 7200.0
    """Calls from before that are read by themselves: they would draw the whole day's list in."""

    def between_sweeps(self, age: float, pages: int, failures: int) -> float:
        """How long to wait for the next sweep.

        Args:
            age: How long the latest call has been followed.
            pages: How many pages the last sweep had.
            failures: How many sweeps have failed since one succeeded.
        """
        by_age = max(self.sweep_first, self.sweep_share * age)
        by_failures = self.sweep_first * 2.0 ** min(failures, 10) if failures else 0.0
        return max(min(max(by_age, by_failures), self.sweep_most), self.per_page * pages)

    def before_asking(self, asked: int) -> float:
        """How long a call may be missing from the list, having been read so many times."""
        return min(self.unseen * 2.0 ** min(asked, 10), self.unseen_most)


@define(kw_only=True, eq=False)
class Followed:
    """What is known of one call."""

    id: str
    patience: Patience
    begun: float
    """Since when it is followed."""

    created_at: datetime
    """When it was placed, or the earliest moment at which it may have been."""

    status: Status = None
    agent_id: str | None = None
    longest: float | None = None
    """How long it may last, once that is known."""

    needs_longest: bool = False
    conversation: Conversation | None = None
    """The call in full, once it has ended and was read."""

    failure: Exception | None = None
    """Why the last look at it taught nothing."""

    _missed: bool = False
    _not_found: int = 0
    _looks: int = 0
    _failures: int = 0
    _ask_at: float = attrs.field(
        default=attrs.Factory(
            lambda self: self.begun + self.patience.before_asking(0), takes_self=True
        )
    )
    _settled: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether its end is known, though perhaps not yet what came of it."""
        return is_end(self.status)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to learn."""
        return self._settled

    @property
    def timeout(self) -> float:
        """How long it is followed by default, as far as is known."""
        return (self.longest or _LONGEST_CALL) + _AFTER_LONGEST

    # -- what is heard

    def see(self, row: ConversationSummary, now: float) -> bool:
        """Learn from its row in the list. Whether its status changed."""
        if self.has_ended:
            return False
        self._missed, self.failure = False, None
        self._ask_at = now + self.patience.before_asking(0)
        self.created_at = row.created_at or self.created_at
        self.agent_id = _id_in(row.voice_agent_id) or self.agent_id
        return self._hear(row.status, now)

    def miss(self) -> None:
        """Learn that a sweep did not show it."""
        self._missed = True

    def read(self, conversation: Conversation, now: float) -> bool:
        """Learn from the call in full. Whether its status changed."""
        self.failure, self._failures, self._not_found = None, 0, 0
        self.created_at = conversation.created_at or self.created_at
        self.agent_id = _id_in(conversation.voice_agent_id) or self.agent_id
        changed = self._hear(conversation.status, now)
        if not self.has_ended:
            self._looks += 1
            self._ask_at = now + self.patience.before_asking(self._looks)
            return changed
        if self.conversation is None:
            self._looks = 0
        self._keep(conversation)
        if self._is_whole(conversation) or self._looks >= len(self.patience.outcome):
            self._settled = True
            return changed
        self._ask_at = now + self.patience.outcome[self._looks]
        self._looks += 1
        return changed

    def fail(self, failure: Exception, now: float) -> None:
        """Learn that it could not be read."""
        self.failure = failure
        self._ask_at = now + self.patience.before_asking(self._failures)
        self._failures += 1

    def is_missing(self) -> bool:
        """Learn that the API says there is no such call. Whether to believe it."""
        self._not_found += 1
        return self.status is None and self._not_found >= self.patience.missing

    def _hear(self, status: Status, now: float) -> bool:
        before, self.status = self.status, further(self.status, status)
        if self.has_ended and not is_end(before):
            self._ask_at = now
        return self.status != before

    def _keep(self, conversation: Conversation) -> None:
        # The list may be ahead of the detail: what is given says how far the call is known to be.
        self.conversation = attrs.evolve(conversation, status=self.status)

    def _is_whole(self, conversation: Conversation) -> bool:
        """Whether what came of it is there, or will never be."""
        if not is_end(conversation.status):
            return False
        return bool(conversation.outcome) or str(conversation.status).upper() not in _WITH_OUTCOME

    # -- what to do

    def read_at(self) -> float | None:
        """When to read it in full; `None` as long as the list says enough."""
        if self._settled:
            return None
        if self.has_ended or self._missed:
            return self._ask_at
        if self.needs_longest and self.longest is None:
            return max(self.begun + self.patience.agent, self._ask_at if self._failures else 0.0)
        return None

    def in_sweep(self, now: datetime) -> bool:
        """Whether the list is asked about it: not if it has ended, or is from long before."""
        oldest = now - timedelta(seconds=self.patience.furthest)
        return not self.has_ended and self.created_at >= oldest


def start_of(calls: Iterable[Followed]) -> datetime:
    """From when on the list has all of these calls."""
    return min(call.created_at - timedelta(seconds=call.patience.margin) for call in calls)


def _id_in(leaf: object) -> str | None:
    """An id of another thing; such leaves are taken as they came, and it may be anything."""
    return leaf if isinstance(leaf, str) else None


def longest_of(conversation: Conversation) -> float:
    """How long a call may last, in seconds, as its agent says, or as agents do by default."""
    agent = conversation.agent_details
    longest = None if agent is None else agent.max_call_duration
    # It may be anything as well, also a time that never ends.
    if not isinstance(longest, int | float) or not 0 < longest <= _LONGEST_BELIEVED:
        return _LONGEST_CALL
    return float(longest)
