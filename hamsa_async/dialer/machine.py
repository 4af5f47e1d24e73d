"""The life of an attempt and of a contact, as tables.

This module decides; it reads no clock and knows neither the journal nor the API. The runner,
crash recovery and the docs read the same tables, so they cannot disagree.

One rule carries the rest. An attempt is written down as *intended* before its request leaves.
So an attempt found *intended* by a process that did not write it may have rung: it is unknown,
always, and goes back to be called only where a living process proved that nothing was sent.
"""

import enum
from collections.abc import Mapping
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
    """The API took the call; it has a call id."""
    REFUSED = "refused"
    """The API said no; no call was made."""
    NOT_SENT = "not_sent"
    """Provably nothing left this machine."""
    UNKNOWN = "unknown"
    """It may have rung; nothing proves it either way."""


class ContactState(enum.StrEnum):
    """Where one contact stands. Every row of a list is in exactly one of these."""

    PENDING = "pending"
    """To be called."""
    DEFERRED = "deferred"
    """A rule says later; the reason says which, `due_at` when."""
    DIALING = "dialing"
    """An attempt is open at the API's door."""
    PLACED = "placed"
    """The API took the call."""
    REFUSED = "refused"
    """The API said no to this contact; no call was made."""
    SKIPPED = "skipped"
    """A rule says never; the reason says which."""
    EXPIRED = "expired"
    """Its time ran out before a call."""
    INVALID = "invalid"
    """The row is no contact; the reason says why."""
    UNKNOWN = "unknown"
    """It may have rung, and nothing proves it yet. It is not dialed again."""


class Happening(enum.StrEnum):
    """What can happen to a contact."""

    INTENDED = "intended"
    PLACED = "placed"
    REFUSED = "refused"
    RETURNED = "returned"
    """Provably no call, and for no reason of the contact's: back to be called."""
    LOST = "lost"
    """The attempt's outcome is unknown."""
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
}

CONTACT_MOVES: Final[Mapping[ContactState, Mapping[Happening, ContactState]]] = {
    ContactState.PENDING: _WAITING,
    ContactState.DEFERRED: _WAITING,
    ContactState.DIALING: {
        Happening.PLACED: ContactState.PLACED,
        Happening.REFUSED: ContactState.REFUSED,
        Happening.RETURNED: ContactState.PENDING,
        Happening.LOST: ContactState.UNKNOWN,
    },
    ContactState.SKIPPED: {Happening.WITHDRAWN: ContactState.SKIPPED},
    ContactState.INVALID: {Happening.WITHDRAWN: ContactState.SKIPPED},
    ContactState.EXPIRED: {Happening.WITHDRAWN: ContactState.SKIPPED},
    # A contact once dialed keeps its record.
    ContactState.PLACED: {},
    ContactState.REFUSED: {},
    ContactState.UNKNOWN: {},
}

DIALABLE: Final = frozenset(
    state for state, moves in CONTACT_MOVES.items() if Happening.INTENDED in moves
)
"""The states that a contact can be dialed from."""

WITHDRAWABLE: Final = frozenset(
    state for state, moves in CONTACT_MOVES.items() if Happening.WITHDRAWN in moves
)
"""The states that a contact can be withdrawn from."""

OPEN_ATTEMPTS: Final = frozenset({AttemptState.INTENDED, AttemptState.UNKNOWN})
"""While an attempt is in one of these, its number is not dialed by anybody else."""

MAY_HAVE_RUNG: Final = OPEN_ATTEMPTS | {AttemptState.PLACED}
"""The attempts that the minimum gap counts from."""

COUNTED_ATTEMPTS: Final = frozenset(
    {AttemptState.PLACED, AttemptState.REFUSED, AttemptState.UNKNOWN}
)
"""The attempts that count as attempts of a contact. One that was not sent does not."""

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
