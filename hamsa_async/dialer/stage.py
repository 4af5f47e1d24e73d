"""How far a run has got on the way to its rate; its `paced` events say it."""

import enum


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
