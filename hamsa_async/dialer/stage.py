"""How far a run has got on the way to its rate; its `paced` events say it."""

import enum
from collections.abc import Mapping


class Stage(enum.StrEnum):
    """How far a run has got."""

    CANARY = "canary"
    """Its first calls are made."""
    LOOK = "look"
    """They are made, and looked at; nobody more is called meanwhile."""
    CLIMB = "climb"
    """The rate doubles with each clean minute."""
    FULL = "full"
    """It is as high as it may be."""


def fates_in_words(calls: Mapping[str, int]) -> str:
    """What became of a canary's calls, for people."""
    return ", ".join(f"{count} {fate.replace('_', ' ')}" for fate, count in sorted(calls.items()))
