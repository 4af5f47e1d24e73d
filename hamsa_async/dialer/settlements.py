"""What an answer means for the attempt that it ends, and for its contact. Pure."""

import re
from datetime import datetime
from typing import Final

from hamsa_async._masking import mask_text
from hamsa_async.dialer.journal.records import Settlement
from hamsa_async.dialer.machine import (
    AttemptState,
    Happening,
    attempt_after,
    happening_after,
)
from hamsa_async.errors import HamsaError, NotFoundError

_DETAIL_LIMIT: Final = 200
_CODE: Final = re.compile(r"[A-Za-z][\w.-]{0,59}", re.ASCII)
_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def placed(call_id: str, *, placed_at: datetime | None, ends_by: datetime) -> Settlement:
    """The end of an attempt that became a call; when the API says that it did may be unknown."""
    return Settlement(
        state=AttemptState.PLACED,
        happening=Happening.PLACED,
        call_id=call_id,
        placed_at=placed_at,
        ends_by=ends_by,
    )


def lost(reason: str) -> Settlement:
    """The end of an attempt of which nothing is proven."""
    return Settlement(state=AttemptState.UNKNOWN, happening=Happening.LOST, reason=reason)


def settlement_of(error: HamsaError, *, own_agent: bool) -> Settlement:
    """What an error means for the attempt and its contact.

    An agent that is missing ends the campaign, unless it is the row's own.
    """
    happening = happening_after(error)
    if own_agent and isinstance(error, NotFoundError):
        happening = Happening.REFUSED
    return Settlement(
        state=attempt_after(error),
        happening=happening,
        call_id=getattr(error, "call_id", None),
        status=error.status,
        reason=code_of(error),
        detail=words_of(error),
        server_ahead=getattr(error, "server_ahead", None),
    )


def code_of(error: HamsaError) -> str:
    """An error as a short code that stays: the API's own, its status, or what it is here."""
    key = error.message_key or ""
    if _CODE.fullmatch(key) and mask_text(key) == key:
        return key
    if error.status is not None:
        return f"http_{error.status}"
    return _CAPITAL.sub("_", type(error).__name__.removesuffix("Error")).lower()


def words_of(error: HamsaError) -> str:
    """An error as a sentence, without what nobody may read."""
    return mask_text(str(error))[:_DETAIL_LIMIT]
