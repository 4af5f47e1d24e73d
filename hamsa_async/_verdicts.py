"""What an answer, or the lack of one, proves: the retry table, and the errors that say so.

The table is a total function of three things: whether the request was handed to a connection,
the status of a parsed answer (if there was one), and whether its body was what it should be.
A status comes from a parsed answer only, never from an exception: aiohttp puts 400 on what is
not HTTP at all.
"""

import enum
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import attrs

from hamsa_async._masking import MaskedNumber, hide, mask_id
from hamsa_async._values import Plain, frozen
from hamsa_async._wire import Complaint, Request, find_call_id, read_complaint, request_id
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
from hamsa_async.options import Answer


class Again(enum.Enum):
    """Whether and how a request may be sent again."""

    NEVER = enum.auto()
    AFTER_PAUSE = enum.auto()
    """After the pause of the policy, within attempts, deadline and (unless nothing was sent)
    the budget."""
    THROUGH_GATE = enum.auto()
    """When the gate opens; it counts as no attempt."""


@attrs.frozen(eq=False, repr=False)
class Verdict(Plain):
    """What is proven, what may be done, and the error to raise if that is the end of it."""

    certainty: Certainty | None
    again: Again
    error: type[HamsaError] | None


PLACED: Final = Verdict(Certainty.PLACED, Again.NEVER, None)
ANSWERED: Final = Verdict(None, Again.NEVER, None)
NOT_SENT: Final = Verdict(Certainty.NOT_SENT, Again.AFTER_PAUSE, NotSentError)
DOUBT: Final = Verdict(Certainty.UNKNOWN, Again.NEVER, OutcomeUnknownError)
REDIRECTED: Final = Verdict(Certainty.REFUSED, Again.NEVER, ConfigurationError)
REDIRECTED_IN_DOUBT: Final = Verdict(Certainty.UNKNOWN, Again.NEVER, ConfigurationError)
RATE_LIMITED: Final = Verdict(Certainty.REFUSED, Again.THROUGH_GATE, RateLimitedError)
LOST_READ: Final = Verdict(None, Again.AFTER_PAUSE, ServerError)
MISSHAPEN_READ: Final = Verdict(None, Again.NEVER, ResponseSchemaError)

REFUSALS: Final[dict[int, type[APIError]]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
}
"""The statuses that prove that no call was made, whatever their body."""

_READS_AGAIN: Final = frozenset({408, 425})
# RFC 9110 15.4: these send the same request elsewhere, so it was not carried out here. After
# the other redirects it may have been: "see other" is what a server says when it is done.
_ELSEWHERE: Final = frozenset({301, 307, 308})
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_TOO_MANY: Final = 429


def judge(
    *, writes: bool, handed: bool, status: int | None, body_ok: bool, dial_on_429: bool = True
) -> Verdict:
    """Say what one exchange proves. Total: every combination has a verdict.

    Args:
        writes: Whether the operation changes the world.
        handed: Whether the request was handed to a connection. `False` outranks everything:
            an answer that comes all the same answers somebody else's request.
        status: The status of a parsed answer whose body came to its end, or `None`.
        body_ok: Whether the body of a 2xx was the documented shape.
        dial_on_429: `RetryPolicy.dial_on_429`.
    """
    if not handed:
        return NOT_SENT
    if writes:
        return _judge_write(status, body_ok=body_ok, dial_on_429=dial_on_429)
    return _judge_read(status, body_ok=body_ok)


def _judge_write(status: int | None, *, body_ok: bool, dial_on_429: bool) -> Verdict:
    if status is None:
        return DOUBT
    if status in _OK:
        return PLACED if body_ok else DOUBT
    if status == _TOO_MANY:
        return RATE_LIMITED if dial_on_429 else DOUBT
    if status in REFUSALS:
        return Verdict(Certainty.REFUSED, Again.NEVER, REFUSALS[status])
    if status in _REDIRECTS:
        return REDIRECTED if status in _ELSEWHERE else REDIRECTED_IN_DOUBT
    return DOUBT


def _judge_read(status: int | None, *, body_ok: bool) -> Verdict:
    if status is None:
        return LOST_READ
    if status in _OK:
        return ANSWERED if body_ok else MISSHAPEN_READ
    if status == _TOO_MANY:
        return Verdict(None, Again.THROUGH_GATE, RateLimitedError)
    if status in REFUSALS:
        return Verdict(None, Again.NEVER, REFUSALS[status])
    if status in _REDIRECTS:
        return Verdict(None, Again.NEVER, ConfigurationError)
    if status >= 500 or status in _READS_AGAIN:
        return Verdict(None, Again.AFTER_PAUSE, ServerError)
    return Verdict(None, Again.NEVER, ConflictError if status == 409 else APIError)


_LOOK_FIRST: Final = "it may have been carried out: do not send it again before you have looked for"
_SETTLE: Final = (
    "the phone may have rung: do not send it again blindly; voice_agents.settle(error) looks for"
    " the call"
)
_SAYS: Final[dict[type[HamsaError], str]] = {
    NotSentError: "nothing was sent, so it is safe to try again",
    InvalidRequestError: "the API does not accept this request; nothing was done",
    AuthenticationError: "the API key was not accepted; check HAMSA_API_KEY and the server",
    InsufficientBalanceError: "the account cannot pay for this; top it up",
    PermissionDeniedError: "this API key may not do that",
    NotFoundError: "there is no such thing on this server; check the id and the server",
    ConflictError: "the API is in a state that does not allow it",
    RateLimitedError: "too many requests; nothing was done, come back at retry_at",
    ServerError: "the server failed to answer; reading again later is safe",
    ConfigurationError: "the server redirects; check base_url",
    ResponseSchemaError: "the answer is not the documented shape",
    APIError: "the API refused",
}


# Texts of `message` that stand in every answer of the API, a failed one's too.
_SAYS_NOTHING: Final = (None, "success", "Success")


@frozen(kw_only=True)
class Ending:
    """All that is known of how an exchange ended."""

    answer: Answer | None = None
    """The parsed answer, if it answers this request at all."""

    cause: BaseException | None = attrs.field(default=None, repr=False)
    """What was raised instead of an answer."""

    problems: tuple[str, ...] = ()
    """Where a 2xx is not the documented shape."""

    attempts: int = 0
    """Requests begun for this logical call so far."""

    retry_at: datetime | None = None
    """When the API may be asked again."""

    begun_at: datetime | None = None
    ended_at: datetime | None = None
    server_ahead: float | None = None
    """Seconds by which the server's clock is ahead of ours, as far as it was heard."""


def failure(
    verdict: Verdict, request: Request, ending: Ending, *, secrets: AbstractSet[str]
) -> HamsaError:
    """Make the error of a verdict: what happened, what is proven, what to do.

    Args:
        verdict: What `judge` said; its `error` must not be `None`.
        request: What was asked.
        ending: How that ended.
        secrets: What the server may say back besides what stands in the request.
    """
    kind, answer = verdict.error, ending.answer
    assert kind is not None
    secrets = request.secrets() | secrets
    complaint = read_complaint(answer, secrets) if answer is not None else Complaint()
    problems = tuple(hide(problem, secrets) for problem in ending.problems)
    found = None if answer is None else request_id(answer)
    known: dict[str, Any] = {
        "status": answer.status if answer is not None else None,
        "request_id": None if found is None else mask_id(hide(found, secrets)),
        "attempts": ending.attempts,
    }
    if kind is ResponseSchemaError:
        known["problems"] = problems
    else:
        known["certainty"] = verdict.certainty
        known["message_key"] = complaint.message_key
        known["reference"] = request.reference
        known["retry_at"] = ending.retry_at
    if kind is OutcomeUnknownError:
        known["call_id"] = find_call_id(answer) if answer is not None else None
        known["to_number"] = request.to_number and MaskedNumber(request.to_number)
        known["begun_at"], known["ended_at"] = ending.begun_at, ending.ended_at
        known["server_ahead"] = ending.server_ahead
    said = f" ({complaint.message})" if complaint.message not in _SAYS_NOTHING else ""
    happened = _happened(answer, ending.cause, problems)
    error = kind(
        f"{request.operation.name}: {happened}{said}: {_advice(verdict, request)}", **known
    )
    error.__cause__ = _presentable(ending.cause)
    return error


def _advice(verdict: Verdict, request: Request) -> str:
    assert verdict.error is not None
    of_call = request.to_number is not None
    look_first = f"{_LOOK_FIRST} {'the call' if of_call else 'what it makes, in its list'}"
    if verdict.error is OutcomeUnknownError:
        return _SETTLE if of_call else look_first
    advice = _SAYS[verdict.error]
    return f"{advice}; {look_first}" if verdict.certainty is Certainty.UNKNOWN else advice


def _happened(answer: Answer | None, cause: BaseException | None, problems: tuple[str, ...]) -> str:
    if answer is not None:
        return f"status {answer.status}" + (f", {'; '.join(problems)}" if problems else "")
    if cause is None:
        return "no answer"
    host, port = getattr(cause, "host", None), getattr(cause, "port", None)
    where = f"no connection to {host}:{port}, " if host and port else ""
    return f"{where}{type(cause).__name__}"


def _presentable(cause: BaseException | None) -> BaseException | None:
    """Choose what may stand in a traceback: the operating system's own word.

    The transport's exceptions hold the request's headers with the key in them, a proxy's
    password, and what a server said that is not HTTP; so do the frames of any exception there.
    """
    os_error = getattr(cause, "os_error", None)
    if isinstance(os_error, OSError):
        return os_error.with_traceback(None)
    if cause is None or type(cause).__module__ != "builtins":
        return None
    return cause.with_traceback(None)
