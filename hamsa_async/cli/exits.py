"""What the command's exit code says: the first that applies."""

import enum
from collections.abc import Mapping
from typing import Final

from hamsa_async.dialer import ContactState, Ending, Finish
from hamsa_async.errors import (
    CampaignRunningError,
    Certainty,
    ConfigurationError,
    DialerError,
    HamsaError,
    InvalidRequestError,
    OutcomeUnknownError,
)
from hamsa_async.models import CallStatus


class Exit(enum.IntEnum):
    """The exit codes."""

    OUR_BUG = 1
    CANNOT = 2
    RUNNING_ELSEWHERE = 6
    HALTED = 5
    INTERRUPTED = 130
    UNKNOWNS = 4
    FAILURES = 3
    NOTHING_NOW = 7
    DONE = 0


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.OUR_BUG: "a defect of this program",
    Exit.CANNOT: "nothing was dialed and it can't be: bad input or configuration",
    Exit.RUNNING_ELSEWHERE: "another process runs this campaign",
    Exit.HALTED: "halted: further calls would have failed the same way, or the budget is used up",
    Exit.INTERRUPTED: "interrupted; running it again resumes",
    Exit.UNKNOWNS: "done, but some calls may have rung and nothing proves it",
    Exit.FAILURES: "done, with contacts that were refused or expired",
    Exit.NOTHING_NOW: (
        "nothing to do now: what is left is due later or calls have not ended (with --no-wait),"
        " or no waiting helps"
    ),
    Exit.DONE: "all done",
}

_IN_DOUBT: Final = (ContactState.UNKNOWN, ContactState.REVIEW)
_FAILED: Final = (ContactState.REFUSED, ContactState.EXPIRED)
_NOBODY_SPOKE: Final = frozenset({CallStatus.FAILED, CallStatus.NO_ANSWER})


def after_run(finish: Finish, counts: Mapping[ContactState, int], *, dialed: bool) -> Exit:
    """The exit code of a run that ended.

    Args:
        finish: How it ended.
        counts: The campaign's contacts by state.
        dialed: Whether any attempt was made.
    """
    if finish.ending is Ending.HALTED:
        return Exit.HALTED if finish.by_budget else after_failure(dialed=dialed)
    if finish.ending is Ending.INTERRUPTED:
        return Exit.INTERRUPTED
    if any(counts.get(state) for state in _IN_DOUBT):
        return Exit.UNKNOWNS
    if any(counts.get(state) for state in _FAILED):
        return Exit.FAILURES
    return Exit.NOTHING_NOW if finish.ending is Ending.NOTHING_NOW else Exit.DONE


def after_failure(*, dialed: bool) -> Exit:
    """The exit code of a run that could not go on."""
    return Exit.HALTED if dialed else Exit.CANNOT


def before_dialing(error: HamsaError) -> Exit:
    """The exit code of what went wrong before anything was dialed."""
    return Exit.RUNNING_ELSEWHERE if isinstance(error, CampaignRunningError) else Exit.CANNOT


def after_call(error: HamsaError) -> Exit:
    """The exit code of a single call that was not placed."""
    if isinstance(error, OutcomeUnknownError) or error.certainty is Certainty.UNKNOWN:
        return Exit.UNKNOWNS
    if isinstance(error, ConfigurationError | DialerError):
        return Exit.CANNOT
    return Exit.FAILURES if isinstance(error, InvalidRequestError) else Exit.CANNOT


def after_end(status: CallStatus | str | None) -> Exit:
    """The exit code of a single call that was waited for and has ended."""
    return Exit.FAILURES if status in _NOBODY_SPOKE else Exit.DONE
