"""Every exception this package raises, as one tree.

An error says three things: whose fault it was (its class), what was proven about the
request (`certainty`), and what to do (its text). It is made of primitives only, so that it
survives `pickle` and imports nothing of ours. Neither `str` nor `repr` shows an API key
or a whole phone number.

    HamsaError
    ├─ ConfigurationError (ValueError)   ours to fix; found before anything is sent, or a 3xx
    ├─ NotSentError                      nothing left this machine: safe to try again
    ├─ OutcomeUnknownError               it may have happened: never try again blindly
    ├─ APIError                          the API said no
    │  ├─ InvalidRequestError            400 413 415 422
    │  ├─ AuthenticationError            401
    │  ├─ InsufficientBalanceError       402
    │  ├─ PermissionDeniedError          403
    │  ├─ NotFoundError                  404
    │  ├─ ConflictError                  409 (reads only: for a write it proves nothing)
    │  ├─ RateLimitedError               429
    │  └─ ServerError                    5xx (reads only: for a write it proves nothing)
    ├─ ResponseSchemaError               an answer to a read that is not the documented shape
    ├─ NotEndedError                     a call that was waited for was not seen to end
    ├─ WebhookVerificationError          a webhook whose secret does not prove where it is from
    ├─ WebhookParseError                 a webhook's body that is no event
    └─ DialerError                       the dialer cannot go on; its leaves live here too
       ├─ ContactListError               the list cannot be read or used
       ├─ JournalError                   the journal cannot be used
       └─ CampaignError                  the campaign cannot be run as asked
          └─ CampaignRunningError        somebody else runs it now
"""

import enum
from datetime import datetime


class Certainty(enum.StrEnum):
    """What is proven about a request that changes something."""

    NOT_SENT = "not_sent"
    """Not a byte of the request left this machine."""
    REFUSED = "refused"
    """The API answered that it did not do it."""
    UNKNOWN = "unknown"
    """It may have been done. No answer, or one that proves nothing."""
    PLACED = "placed"
    """The API answered that it did it."""


class HamsaError(Exception):
    """The base of everything that this package raises.

    Attributes:
        certainty: What is proven about the request, or `None` where no request was meant.
        status: The HTTP status of a parsed answer, else `None`.
        message_key: The API's machine-readable reason, where it gave one.
        request_id: The server's or edge's id of the request, from its headers.
        reference: The caller's own reference of the call (`call(reference=...)`).
        attempts: How many requests were begun for this logical call, this one included.
        retry_at: When the API said it may be asked again (UTC), where it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        certainty: Certainty | None = None,
        status: int | None = None,
        message_key: str | None = None,
        request_id: str | None = None,
        reference: str | None = None,
        attempts: int = 0,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.certainty = certainty
        self.status = status
        self.message_key = message_key
        self.request_id = request_id
        self.reference = reference
        self.attempts = attempts
        self.retry_at = retry_at


class ConfigurationError(HamsaError, ValueError):
    """Something that the caller set is wrong: an argument, a URL, a key, a redirecting host."""


class NotSentError(HamsaError):
    """Nothing was sent, provably. Trying again rings nobody twice."""


class OutcomeUnknownError(HamsaError):
    """The request left, and no answer proves what came of it: the phone may have rung.

    Do not send it again blindly: `voice_agents.settle(error)` looks for the call. It needs
    what the error carries, which survives `pickle`, so that another process may do it later.

    Attributes:
        status: The status of an answer that proved nothing (any 5xx, say).
        call_id: The id, if one could be read all the same.
        to_number: Whom the call was for; `None` where it was not about a call. Whole as a
            text, masked in `repr`.
        begun_at: When the request was begun (UTC, by our clock).
        ended_at: When nothing more was to be heard of it (UTC, by our clock).
        server_ahead: Seconds by which the server's clock was ahead of ours (negative:
            behind), by the `Date` of the last answer until then; `None` where none had one.
        first_look: What the first look of `settle` showed, for the second one.
    """

    def __init__(
        self,
        message: str,
        *,
        call_id: str | None = None,
        to_number: str | None = None,
        begun_at: datetime | None = None,
        ended_at: datetime | None = None,
        server_ahead: float | None = None,
        certainty: Certainty | None = Certainty.UNKNOWN,
        status: int | None = None,
        message_key: str | None = None,
        request_id: str | None = None,
        reference: str | None = None,
        attempts: int = 0,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(
            message,
            certainty=certainty,
            status=status,
            message_key=message_key,
            request_id=request_id,
            reference=reference,
            attempts=attempts,
            retry_at=retry_at,
        )
        self.call_id = call_id
        self.to_number = to_number
        self.begun_at = begun_at
        self.ended_at = ended_at
        self.server_ahead = server_ahead
        self.first_look: object = None


class APIError(HamsaError):
    """The API answered, and its answer was no."""


class InvalidRequestError(APIError):
    """400, 413, 415 or 422: the API does not accept this request. No call was made."""


class AuthenticationError(APIError):
    """401: the API key was not accepted. No call was made."""

    key_renewed: bool = False
    """Whether there is another key by now (`HAMSA_API_KEY_FILE`, a callable): try once more."""


class InsufficientBalanceError(APIError):
    """402: the account cannot pay for it. No call was made."""


class PermissionDeniedError(APIError):
    """403: this key may not do that. No call was made."""


class NotFoundError(APIError):
    """404: there is no such agent, call or route. No call was made."""


class ConflictError(APIError):
    """409 in answer to a read. For a write a 409 proves nothing: `OutcomeUnknownError`."""


class RateLimitedError(APIError):
    """429 until the deadline passed. No call was made; `retry_at` says when to come back."""


class ServerError(APIError):
    """5xx in answer to a read. For a write a 5xx proves nothing: `OutcomeUnknownError`."""


class ResponseSchemaError(HamsaError):
    """An answer to a read that is not the documented shape.

    Attributes:
        problems: One text a problem, each ending in the JSON path: `"... @ $.data.createdAt"`.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[str, ...] = (),
        status: int | None = None,
        request_id: str | None = None,
        attempts: int = 0,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, attempts=attempts)
        self.problems = problems


class NotEndedError(HamsaError):
    """A call that was waited for was not seen to end: time ran out, or the client was closed.

    It says nothing about the call, which may go on: wait for it again, or read it. `__cause__`
    is why the last look at it taught nothing, if it did not.

    Attributes:
        call_id: The id of the call.
        last_status: The last status that was heard of it; `None` where nothing was. A final one
            means that it has ended, and only what came of it could not be read.
    """

    def __init__(
        self, message: str, *, call_id: str | None = None, last_status: str | None = None
    ) -> None:
        super().__init__(message)
        self.call_id = call_id
        self.last_status = last_status


class WebhookVerificationError(HamsaError):
    """A webhook's secret is missing, not one of ours, or another call's. Believe nothing of it."""


class WebhookParseError(HamsaError):
    """A webhook's body is no event: not JSON, not an object, or without a type."""


class DialerError(HamsaError):
    """The dialer cannot go on. Nothing that was dialed is lost: the journal has it."""


class ContactListError(DialerError):
    """The contact list cannot be read or cannot be used. Nothing was dialed from it."""


class JournalError(DialerError):
    """The journal cannot be opened, written or trusted. Nothing is dialed without it."""


class CampaignError(DialerError):
    """The campaign cannot be run as asked; the text says what differs and the way out."""


class CampaignRunningError(CampaignError):
    """Another process runs this campaign on this journal; the text says which and since when."""
