"""The life of an attempt and of a contact, as tables.

This module decides; it reads no clock and knows neither the journal nor the API. The runner,
crash recovery and the docs read the same tables, so they cannot disagree.

One rule carries the rest. An attempt is written down as *intended* before its request leaves.
So an attempt found *intended* by a process that did not write it may have rung: it is unknown,
always, and goes back to be called only where a living process proved that nothing was sent, or
where evidence of absence was believed.
"""

import enum
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hamsa_async.errors import (
    AuthenticationError,
    Certainty,
    ConfigurationError,
    HamsaError,
    InsufficientBalanceError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
)


class AttemptState(enum.StrEnum):
    """Where one attempt (one request at the most) stands, as far as is proven."""

    INTENDED = "intended"
    """Written down; the request may have left."""
    PLACED = "placed"
    """The API took the call; it has a call id, and its end was not seen."""
    ENDED = "ended"
    """A placed call that has ended, with its outcome."""
    REFUSED = "refused"
    """The API said no; no call was made."""
    NOT_SENT = "not_sent"
    """Provably nothing left this machine."""
    UNKNOWN = "unknown"
    """It may have rung; nothing proves it either way, and evidence is looked for."""
    REVIEW = "review"
    """It may have rung; the evidence does not settle it, and only a person can."""
    ABSENT = "absent"
    """It was in doubt, and is believed never to have become a call."""


class Asked(enum.StrEnum):
    """What whoever dials a campaign can be asked from outside."""

    PAUSE = "pause"
    STOP = "stop"


class ContactState(enum.StrEnum):
    """Where one contact stands. Every row of a list is in exactly one of these."""

    PENDING = "pending"
    """To be called."""
    DEFERRED = "deferred"
    """A rule says later; the reason says which, `due_at` when."""
    DIALING = "dialing"
    """An attempt is open at the API's door."""
    PLACED = "placed"
    """The API took the call; its end was not seen."""
    RETRY = "retry"
    """It will be tried again, from `due_at` on."""
    DONE = "done"
    """Its call has ended, with its outcome; it is not called again."""
    REFUSED = "refused"
    """The API said no to this contact; no call was made."""
    SKIPPED = "skipped"
    """A rule says never; the reason says which."""
    EXPIRED = "expired"
    """Its time ran out before a call."""
    INVALID = "invalid"
    """The row is no contact; the reason says why."""
    UNKNOWN = "unknown"
    """It may have rung, and evidence is looked for. It is not dialed again."""
    REVIEW = "review"
    """It may have rung, and only a person can tell. It is not dialed again."""


class Happening(enum.StrEnum):
    """What can happen to a contact."""

    INTENDED = "intended"
    PLACED = "placed"
    REFUSED = "refused"
    RETURNED = "returned"
    """Provably no call, and for no reason of the contact's: back to be called."""
    RETURNED_AGAIN = "returned_again"
    """The same, to somebody who is being tried again."""
    LOST = "lost"
    """Whether the attempt became a call is unknown."""
    FOUND = "found"
    """A call in doubt was found: it was placed."""
    ABSENT = "absent"
    """A call in doubt is believed never to have been one."""
    ABSENT_AGAIN = "absent_again"
    """The same, of somebody who is being tried again."""
    REVIEWED = "reviewed"
    """The evidence does not settle a doubt."""
    ENDED = "ended"
    """Its call has ended, and it is not tried again."""
    RETRIED = "retried"
    """Its call has ended, and it will be tried again."""
    DEFERRED = "deferred"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    """A rule says never."""
    WITHDRAWN = "withdrawn"
    """The row is gone from an accepted new list."""


_WAITING: Final = {
    Happening.INTENDED: ContactState.DIALING,
    Happening.DEFERRED: ContactState.DEFERRED,
    Happening.EXPIRED: ContactState.EXPIRED,
    Happening.SKIPPED: ContactState.SKIPPED,
    Happening.WITHDRAWN: ContactState.SKIPPED,
    Happening.FOUND: ContactState.PLACED,  # absence was believed, and was not so
}

CONTACT_MOVES: Final[Mapping[ContactState, Mapping[Happening, ContactState]]] = {
    ContactState.PENDING: _WAITING,
    ContactState.DEFERRED: _WAITING,
    # Somebody who was called keeps that record: what ends the waiting leaves the last outcome.
    ContactState.RETRY: {
        Happening.INTENDED: ContactState.DIALING,
        Happening.DEFERRED: ContactState.RETRY,
        Happening.EXPIRED: ContactState.DONE,
        Happening.SKIPPED: ContactState.DONE,
        Happening.WITHDRAWN: ContactState.DONE,
        Happening.FOUND: ContactState.PLACED,
    },
    ContactState.DIALING: {
        Happening.PLACED: ContactState.PLACED,
        Happening.REFUSED: ContactState.REFUSED,
        Happening.RETURNED: ContactState.PENDING,
        Happening.RETURNED_AGAIN: ContactState.RETRY,
        Happening.LOST: ContactState.UNKNOWN,
    },
    ContactState.PLACED: {
        Happening.ENDED: ContactState.DONE,
        Happening.RETRIED: ContactState.RETRY,
    },
    ContactState.UNKNOWN: {
        Happening.FOUND: ContactState.PLACED,
        Happening.ABSENT: ContactState.DEFERRED,
        Happening.ABSENT_AGAIN: ContactState.RETRY,
        Happening.REVIEWED: ContactState.REVIEW,
    },
    ContactState.REVIEW: {
        Happening.FOUND: ContactState.PLACED,
        Happening.ABSENT: ContactState.DEFERRED,
        Happening.ABSENT_AGAIN: ContactState.RETRY,
    },
    ContactState.SKIPPED: {Happening.WITHDRAWN: ContactState.SKIPPED},
    ContactState.INVALID: {Happening.WITHDRAWN: ContactState.SKIPPED},
    ContactState.EXPIRED: {Happening.WITHDRAWN: ContactState.SKIPPED},
    ContactState.DONE: {},
    ContactState.REFUSED: {},
}

DIALABLE: Final = frozenset(
    state for state, moves in CONTACT_MOVES.items() if Happening.INTENDED in moves
)
"""The states that a contact can be dialed from."""

WITHDRAWABLE: Final = frozenset(
    state for state, moves in CONTACT_MOVES.items() if Happening.WITHDRAWN in moves
)
"""The states that a contact can be withdrawn from."""

NEVER_DIALED: Final = frozenset({ContactState.PENDING, ContactState.DEFERRED})
"""The states of a contact that is to be called and was not called yet."""

_SETTLED_BY_EVIDENCE: Final = frozenset({AttemptState.PLACED, AttemptState.ABSENT})

ATTEMPT_MOVES: Final[Mapping[AttemptState, frozenset[AttemptState]]] = {
    AttemptState.INTENDED: frozenset(
        {
            AttemptState.PLACED,
            AttemptState.REFUSED,
            AttemptState.NOT_SENT,
            AttemptState.UNKNOWN,
        }
    ),
    AttemptState.PLACED: frozenset({AttemptState.ENDED}),
    AttemptState.UNKNOWN: _SETTLED_BY_EVIDENCE | {AttemptState.REVIEW},
    AttemptState.REVIEW: _SETTLED_BY_EVIDENCE,
    # Absence is believed, never proved: a call that shows after all is ours.
    AttemptState.ABSENT: frozenset({AttemptState.PLACED}),
    AttemptState.ENDED: frozenset(),
    AttemptState.REFUSED: frozenset(),
    AttemptState.NOT_SENT: frozenset(),
}
"""What an attempt can become. It only moves forward, whatever comes late or twice."""

IN_DOUBT: Final = frozenset({AttemptState.UNKNOWN, AttemptState.REVIEW})
"""Attempts that may have become a call, for all that is known."""

OPEN_ATTEMPTS: Final = IN_DOUBT | {AttemptState.INTENDED, AttemptState.PLACED}
"""While an attempt is in one of these, its number is not dialed by anybody else."""

MAY_HAVE_RUNG: Final = OPEN_ATTEMPTS | {AttemptState.ENDED, AttemptState.ABSENT}
"""The attempts that the minimum gap counts from."""

LONGEST_CALL: Final = timedelta(seconds=600)
"""How long the API lets a call last; an agent may allow less."""

LEEWAY: Final = timedelta(minutes=15)
"""For ringing, and for how late the list may be."""

LASTS: Final = LONGEST_CALL + LEEWAY
"""From its start on: then a call must be over, whoever's it is, though nobody saw its end."""

UNSEEN: Final = "unseen"
"""The outcome of a call whose end was not seen in the time that it can have lasted."""

COUNTED_ATTEMPTS: Final = frozenset(
    {AttemptState.PLACED, AttemptState.REFUSED, AttemptState.UNKNOWN}
)
"""How an attempt may settle that then counts as one of its contact. One not sent does not."""

ATTEMPT_AFTER: Final[Mapping[Certainty, AttemptState]] = {
    Certainty.PLACED: AttemptState.PLACED,
    Certainty.REFUSED: AttemptState.REFUSED,
    Certainty.NOT_SENT: AttemptState.NOT_SENT,
    Certainty.UNKNOWN: AttemptState.UNKNOWN,
}
"""What an attempt is after what was proven about its request."""

HAPPENING_AFTER: Final[Mapping[AttemptState, Happening]] = {
    AttemptState.PLACED: Happening.PLACED,
    AttemptState.REFUSED: Happening.REFUSED,
    AttemptState.NOT_SENT: Happening.RETURNED,
    AttemptState.UNKNOWN: Happening.LOST,
}
"""What an attempt's end means for its contact, unless it was turned away."""

_TURNED_AWAY: Final = (
    AuthenticationError,
    InsufficientBalanceError,
    PermissionDeniedError,
    NotFoundError,
    RateLimitedError,
    ConfigurationError,
)
"""Refusals for the account's or the campaign's reason: the next contact would get the same."""


def move(state: ContactState, happening: Happening) -> ContactState:
    """Give the state that follows.

    Raises:
        ValueError: That cannot happen to a contact in that state: a defect of ours.
    """
    try:
        return CONTACT_MOVES[state][happening]
    except KeyError:
        msg = f"a contact that is {state} cannot be {happening}"
        raise ValueError(msg) from None


def sources(state: AttemptState) -> frozenset[AttemptState]:
    """The states of an attempt that can become this one."""
    return frozenset(before for before, after in ATTEMPT_MOVES.items() if state in after)


def attempt_after(error: HamsaError) -> AttemptState:
    """What an attempt is after an error. An error that proves nothing leaves it unknown."""
    return ATTEMPT_AFTER[error.certainty or Certainty.UNKNOWN]


def happening_after(error: HamsaError) -> Happening:
    """What an error means for the contact whose attempt it ended."""
    state = attempt_after(error)
    if state is AttemptState.REFUSED and isinstance(error, _TURNED_AWAY):
        return Happening.RETURNED
    return HAPPENING_AFTER[state]


def ends_campaign(error: HamsaError) -> bool:
    """Whether every further contact would be refused as well, so that dialing must stop."""
    if isinstance(error, AuthenticationError):
        return not error.key_renewed
    return isinstance(error, _TURNED_AWAY) and not isinstance(error, RateLimitedError)
