"""The retry table as the pure function that it is."""

import itertools

import pytest

from hamsa_async._retry import RetryBudget, Tries, pause
from hamsa_async._verdicts import Again, Verdict, judge
from hamsa_async.config import RetryPolicy
from hamsa_async.errors import (
    APIError,
    AuthenticationError,
    Certainty,
    ConfigurationError,
    ConflictError,
    HamsaError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseSchemaError,
    ServerError,
)

NEVER, PAUSE, GATE = Again.NEVER, Again.AFTER_PAUSE, Again.THROUGH_GATE
SENT_NOT, REFUSED, UNKNOWN, PLACED = (
    Certainty.NOT_SENT,
    Certainty.REFUSED,
    Certainty.UNKNOWN,
    Certainty.PLACED,
)
EVERY_STATUS = [None, *range(100, 600)]

# Status, body ok, what it proves of a write, whether to write again, the write's error, whether
# to read again, the read's error. `...`: any body.
TABLE: list[tuple[object, ...]] = [
    (200, True, PLACED, NEVER, None, NEVER, None),
    (201, True, PLACED, NEVER, None, NEVER, None),
    (200, False, UNKNOWN, NEVER, OutcomeUnknownError, NEVER, ResponseSchemaError),
    (204, False, UNKNOWN, NEVER, OutcomeUnknownError, NEVER, ResponseSchemaError),
    (301, ..., REFUSED, NEVER, ConfigurationError, NEVER, ConfigurationError),
    (302, ..., UNKNOWN, NEVER, ConfigurationError, NEVER, ConfigurationError),
    (303, ..., UNKNOWN, NEVER, ConfigurationError, NEVER, ConfigurationError),
    (307, ..., REFUSED, NEVER, ConfigurationError, NEVER, ConfigurationError),
    (308, ..., REFUSED, NEVER, ConfigurationError, NEVER, ConfigurationError),
    (400, ..., REFUSED, NEVER, InvalidRequestError, NEVER, InvalidRequestError),
    (401, ..., REFUSED, NEVER, AuthenticationError, NEVER, AuthenticationError),
    (402, ..., REFUSED, NEVER, InsufficientBalanceError, NEVER, InsufficientBalanceError),
    (403, ..., REFUSED, NEVER, PermissionDeniedError, NEVER, PermissionDeniedError),
    (404, ..., REFUSED, NEVER, NotFoundError, NEVER, NotFoundError),
    (413, ..., REFUSED, NEVER, InvalidRequestError, NEVER, InvalidRequestError),
    (415, ..., REFUSED, NEVER, InvalidRequestError, NEVER, InvalidRequestError),
    (422, ..., REFUSED, NEVER, InvalidRequestError, NEVER, InvalidRequestError),
    (429, ..., REFUSED, GATE, RateLimitedError, GATE, RateLimitedError),
    (405, ..., UNKNOWN, NEVER, OutcomeUnknownError, NEVER, APIError),
    (408, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (409, ..., UNKNOWN, NEVER, OutcomeUnknownError, NEVER, ConflictError),
    (418, ..., UNKNOWN, NEVER, OutcomeUnknownError, NEVER, APIError),
    (425, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (451, ..., UNKNOWN, NEVER, OutcomeUnknownError, NEVER, APIError),
    (500, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (501, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (502, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (503, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (504, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (524, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
    (None, ..., UNKNOWN, NEVER, OutcomeUnknownError, PAUSE, ServerError),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_every_row_of_the_table_is_what_the_code_says(row: tuple[object, ...]) -> None:
    """What is proven, whether to try again and what to raise, for a write and for a read."""
    status, body, proven, write_again, write_error, read_again, read_error = row
    for body_ok in (True, False) if body is ... else (bool(body),):
        write = judge(writes=True, handed=True, status=status, body_ok=body_ok)  # type: ignore[arg-type]
        assert (write.certainty, write.again, write.error) == (proven, write_again, write_error)
        read = judge(writes=False, handed=True, status=status, body_ok=body_ok)  # type: ignore[arg-type]
        assert (read.certainty, read.again, read.error) == (None, read_again, read_error)


def test_the_table_is_total_and_a_write_is_tried_again_in_two_rows_only() -> None:
    """Every combination has a verdict; only *not handed* and 429 allow a second POST."""
    for writes, handed, status, body_ok, dial in itertools.product(
        (True, False), (True, False), EVERY_STATUS, (True, False), (True, False)
    ):
        verdict = judge(
            writes=writes, handed=handed, status=status, body_ok=body_ok, dial_on_429=dial
        )
        assert isinstance(verdict, Verdict)
        assert verdict.error is None or issubclass(verdict.error, HamsaError)
        if not handed:
            assert (verdict.certainty, verdict.again, verdict.error) == (
                SENT_NOT,
                PAUSE,
                NotSentError,
            )
        elif writes and verdict.again is not NEVER:
            assert (status, dial, verdict.again) == (429, True, GATE)
        if verdict.error is None:
            assert handed
            assert status in range(200, 300)
            assert body_ok


@pytest.mark.parametrize("status", [s for s in EVERY_STATUS if s is not None])
def test_only_named_statuses_prove_that_no_call_was_made(status: int) -> None:
    """A status that nobody named proves nothing of a write."""
    verdict = judge(writes=True, handed=True, status=status, body_ok=False)
    named = {301, 307, 308, 400, 401, 402, 403, 404, 413, 415, 422, 429}
    assert (verdict.certainty is REFUSED) == (status in named)


def test_a_429_is_unknown_where_the_policy_does_not_trust_it() -> None:
    """`dial_on_429=False` makes a rate-limited call one of unknown outcome."""
    verdict = judge(writes=True, handed=True, status=429, body_ok=False, dial_on_429=False)
    assert (verdict.certainty, verdict.again) == (UNKNOWN, NEVER)
    assert verdict.error is OutcomeUnknownError
    read = judge(writes=False, handed=True, status=429, body_ok=False, dial_on_429=False)
    assert read.again is GATE


def test_the_budget_allows_a_share_of_the_calls_and_a_small_reserve() -> None:
    """Ten tries again at once, then one for every ten calls."""
    budget = RetryBudget(0.1)
    assert [budget.take() for _ in range(12)] == [True] * 10 + [False] * 2
    for _ in range(11):
        budget.pay_in()
    assert [budget.take(), budget.take()] == [True, False]
    none = RetryBudget(0.0)
    none.pay_in()
    assert not none.take()


def test_attempts_deadline_and_budget_bound_the_tries_and_429_burns_none() -> None:
    """A 429 is bound by the deadline alone; *not sent* draws on no budget."""
    now = 0.0
    policy = RetryPolicy(attempts=3)
    tries = Tries(policy, RetryBudget(0.0), lambda: now, deadline=10.0)
    assert tries.may_try_again(PAUSE, SENT_NOT, 1.0)
    assert not tries.may_try_again(PAUSE, None, 1.0)
    assert not tries.may_try_again(PAUSE, SENT_NOT, 10.0)
    tries.counted = 3
    assert not tries.may_try_again(PAUSE, SENT_NOT, 1.0)
    assert tries.may_try_again(GATE, REFUSED, 1.0)
    assert not tries.may_try_again(GATE, REFUSED, 10.0)
    assert not tries.may_try_again(NEVER, UNKNOWN, 0.0)


def test_the_pause_is_drawn_under_an_exponential_ceiling() -> None:
    """Never longer than the ceiling of its try, nor than the longest pause."""
    policy = RetryPolicy(wait_initial=0.5, wait_max=3.0)
    for counted, ceiling in ((1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (10_000, 3.0)):
        drawn = [pause(policy, counted) for _ in range(200)]
        assert 0 <= min(drawn) <= max(drawn) <= ceiling
