"""Which of several caller numbers a person sees."""

import hashlib
from collections.abc import Sequence


def caller_for(phone_number: str, callers: Sequence[str]) -> str | None:
    """Choose the caller number for a person; `None` where there is none to choose from.

    The numbers are used in equal shares, and one person always sees the same one: in every
    campaign, and for all but a share of the people also after a number was added or taken away.
    """
    if len(callers) < 2:
        return callers[0] if callers else None
    # Rendezvous hashing: each caller bids for each person, and the highest bid wins.
    return max(
        callers, key=lambda caller: hashlib.sha256(f"{caller}{phone_number}".encode()).digest()
    )
