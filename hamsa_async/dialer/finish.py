"""How a run ends, and why."""

import enum
from datetime import datetime
from typing import Final

import attrs

CALLS_OPEN: Final = "calls_open"
"""Why a run waits, or ends, when only the ends of placed calls are outstanding."""

DOUBTS_OPEN: Final = "unknown"
"""The same, when only doubts are outstanding that may still be settled."""

LIST_UNREADABLE: Final = "list_unreadable"
"""Why a run ends when the list of calls cannot be read, and nothing is left but to look."""


class Ending(enum.StrEnum):
    """How a run ended."""

    DONE = "done"
    """Nothing is left to dial, and every placed call has ended."""
    NOTHING_NOW = "nothing_now"
    """What is left may not be dialed yet, or calls have not ended, and the run was told not to
    wait; or waiting would not help, because what holds it is a call whose outcome is unknown."""
    INTERRUPTED = "interrupted"
    """It was stopped; running it again resumes."""
    HALTED = "halted"
    """Every further call would have failed the same way, or so it looks from the last ones, or
    a budget is used up; the reason says which."""


@attrs.frozen(kw_only=True)
class Finish:
    """How a run ended, and why."""

    ending: Ending
    reason: str | None = None
    next_at: datetime | None = None
    """When the first contact is due that waits, for `NOTHING_NOW`."""
    by_budget: bool = False
    """Whether a budget is what ended it."""
