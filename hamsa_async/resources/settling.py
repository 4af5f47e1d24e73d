"""`voice_agents.settle`: what the client knows of a doubt, and the look that may end it."""

import math
from datetime import datetime

from hamsa_async._looking import CallReads, look
from hamsa_async._paging import Pages
from hamsa_async._placed import PlacedCalls
from hamsa_async._settling import Absence, Doubt, NotSeen, StillUnknown, decide
from hamsa_async.errors import ConfigurationError, OutcomeUnknownError
from hamsa_async.models.calls import Call
from hamsa_async.models.conversations import Conversation, ConversationSummary
from hamsa_async.options import RequestOptions
from hamsa_async.resources.conversations import Conversations


async def settle(
    error: OutcomeUnknownError | StillUnknown,
    *,
    calls: CallReads,
    placed: PlacedCalls,
    lag: float,
) -> Call | NotSeen | StillUnknown:
    """Look once for the call of an error; see `VoiceAgents.settle`.

    Args:
        error: What is in doubt.
        calls: How to read about calls.
        placed: What the client remembers of its own.
        lag: Seconds between two looks that must agree.

    Raises:
        ConfigurationError: It is no doubt about a call, or `lag` is not 0 or more.
        HamsaError: A read failed. Nothing is concluded.
    """
    lag = _checked_lag(lag)
    doubt, first = _doubt_of(error)
    seen = await look(
        calls,
        doubt,
        bound=placed.bound(doubt),
        placed=placed.moments(),
    )
    # No await from here on: whoever else settles must not take the same call for theirs.
    settled = decide(doubt, seen, bound=placed.bound(doubt), first=first, lag=lag)
    if isinstance(settled, Call):
        placed.found(settled.id, doubt)
    elif isinstance(settled, StillUnknown) and isinstance(error, OutcomeUnknownError):
        error.first_look = settled.first_look
    return settled


class Reads:
    """The reads of `settle`, under the options of a call of it."""

    def __init__(self, conversations: Conversations, options: RequestOptions) -> None:
        self._conversations = conversations
        self._options = options

    def list(
        self, *, start_time: datetime, end_time: datetime, page_size: int
    ) -> Pages[ConversationSummary]:
        """See `CallReads`."""
        return self._conversations.list(
            start_time=start_time, end_time=end_time, page_size=page_size, **self._options
        )

    async def get(self, conversation_id: str) -> Conversation:
        """See `CallReads`."""
        return await self._conversations.get(conversation_id, **self._options)


def _doubt_of(error: OutcomeUnknownError | StillUnknown) -> tuple[Doubt, Absence | None]:
    """Take what is known of an attempt, and what a first look showed."""
    if isinstance(error, StillUnknown):
        return error.doubt, error.first_look
    if not isinstance(error, OutcomeUnknownError):
        raise ConfigurationError(
            "settle takes an OutcomeUnknownError or a StillUnknown; what other errors prove is"
            f" in their certainty; got {type(error).__name__}"
        )
    if error.to_number is None or error.begun_at is None or error.ended_at is None:
        raise ConfigurationError(
            "settle looks for calls, and this error is of none: look for what the request makes"
            " in the list of its resource"
        )
    doubt = Doubt(
        to_number=error.to_number,
        begun_at=error.begun_at,
        ended_at=error.ended_at,
        reference=error.reference,
        call_id=error.call_id,
        server_ahead=error.server_ahead,
    )
    return doubt, error.first_look if isinstance(error.first_look, Absence) else None


def _checked_lag(lag: float) -> float:
    if isinstance(lag, bool) or not isinstance(lag, int | float) or not math.isfinite(lag):
        raise ConfigurationError("lag must be a number of seconds")
    if lag < 0:
        raise ConfigurationError("lag must be 0 or more")
    return lag
