"""The tables of the state machine: closed, and with no way from a ring back to a dial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer.machine import (
    ATTEMPT_MOVES,
    CONTACT_MOVES,
    COUNTED_ATTEMPTS,
    DIALABLE,
    MAY_HAVE_RUNG,
    OPEN_ATTEMPTS,
    WITHDRAWABLE,
    AttemptState,
    ContactState,
    Happening,
    attempt_after,
    ends_campaign,
    happening_after,
    move,
    sources,
)
from hamsa_async.errors import (
    APIError,
    AuthenticationError,
    Certainty,
    ConfigurationError,
    HamsaError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
)


def test_every_state_has_its_row() -> None:
    """A state without a row would be a way out of the machine."""
    assert set(CONTACT_MOVES) == set(ContactState)


def test_only_those_waiting_can_be_dialed() -> None:
    """A contact is dialed from pending, deferred and retry, and from nowhere else."""
    assert {ContactState.PENDING, ContactState.DEFERRED, ContactState.RETRY} == DIALABLE


def test_whoever_was_dialed_is_never_withdrawn() -> None:
    """A contact once dialed keeps its record, whatever the next list says."""
    dialed = {
        ContactState.DIALING,
        ContactState.PLACED,
        ContactState.DONE,
        ContactState.REFUSED,
        ContactState.UNKNOWN,
        ContactState.REVIEW,
    }
    assert not dialed & WITHDRAWABLE
    assert move(ContactState.RETRY, Happening.WITHDRAWN) is ContactState.DONE


# What lets a contact be dialed that may have rung: its call has ended and the table of retries
# says so, or it is believed that there was none.
WAYS_BACK = {Happening.RETRIED, Happening.ABSENT, Happening.ABSENT_AGAIN}


@given(st.lists(st.sampled_from(Happening), max_size=30))
def test_a_contact_that_may_have_rung_is_not_dialed_again(happenings: list[Happening]) -> None:
    """In whatever order things happen, between two calls lies an end or a believed absence."""
    state, may_ring = ContactState.PENDING, False
    for happening in happenings:
        try:
            state = move(state, happening)
        except ValueError:
            continue
        if happening is Happening.INTENDED:
            assert not may_ring
        may_ring = (
            may_ring or happening in {Happening.PLACED, Happening.LOST, Happening.FOUND}
        ) and happening not in WAYS_BACK


def test_an_attempt_only_moves_forward() -> None:
    """No chain of moves of an attempt leads back to where it was, but for absence disproved."""
    assert set(ATTEMPT_MOVES) == set(AttemptState)
    for state in AttemptState:
        reached, seen = {state}, set()
        while reached:
            seen |= reached
            reached = {after for each in reached for after in ATTEMPT_MOVES[each]} - seen
        assert AttemptState.INTENDED not in seen - {state}
    assert sources(AttemptState.ENDED) == {AttemptState.PLACED}


def test_what_cannot_happen_is_a_defect() -> None:
    """A move that the table does not have is refused, not guessed."""
    with pytest.raises(ValueError, match="placed cannot be intended"):
        move(ContactState.PLACED, Happening.INTENDED)


def test_doubt_keeps_the_number_closed() -> None:
    """An attempt that may ring now or may have rung keeps everybody else off its number."""
    assert {
        AttemptState.INTENDED,
        AttemptState.PLACED,
        AttemptState.UNKNOWN,
        AttemptState.REVIEW,
    } == OPEN_ATTEMPTS
    assert OPEN_ATTEMPTS < MAY_HAVE_RUNG
    assert AttemptState.NOT_SENT not in COUNTED_ATTEMPTS | MAY_HAVE_RUNG


REFUSED, UNKNOWN, NOT_SENT = Certainty.REFUSED, Certainty.UNKNOWN, Certainty.NOT_SENT


@pytest.mark.parametrize(
    ("kind", "certainty", "happening", "ends"),
    [
        (InvalidRequestError, REFUSED, Happening.REFUSED, False),
        (AuthenticationError, REFUSED, Happening.RETURNED, True),
        (InsufficientBalanceError, REFUSED, Happening.RETURNED, True),
        (PermissionDeniedError, REFUSED, Happening.RETURNED, True),
        (NotFoundError, REFUSED, Happening.RETURNED, True),
        (ConfigurationError, REFUSED, Happening.RETURNED, True),
        (ConfigurationError, UNKNOWN, Happening.LOST, True),
        (RateLimitedError, REFUSED, Happening.RETURNED, False),
        (RateLimitedError, UNKNOWN, Happening.LOST, False),
        (NotSentError, NOT_SENT, Happening.RETURNED, False),
        (OutcomeUnknownError, UNKNOWN, Happening.LOST, False),
        (APIError, None, Happening.LOST, False),
        (HamsaError, None, Happening.LOST, False),
    ],
)
def test_what_an_error_means(
    kind: type[HamsaError], certainty: Certainty | None, happening: Happening, ends: bool
) -> None:
    """Each error returns, refuses or loses its contact, and ends the campaign or not."""
    error = kind("no", certainty=certainty)
    assert happening_after(error) is happening
    assert ends_campaign(error) is ends


def test_an_error_that_proves_nothing_is_doubt() -> None:
    """Without a certainty an attempt is unknown, never not sent."""
    assert attempt_after(HamsaError("?")) is AttemptState.UNKNOWN


def test_a_renewed_key_is_worth_another_try() -> None:
    """After a 401 with another key at hand the campaign goes on."""
    error = AuthenticationError("no", certainty=Certainty.REFUSED)
    error.key_renewed = True
    assert not ends_campaign(error)
    assert happening_after(error) is Happening.RETURNED
