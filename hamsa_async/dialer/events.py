"""What the dialer tells: numbered, durable, in order."""

import enum
from datetime import datetime
from typing import Any

import attrs


class EventKind(enum.StrEnum):
    """What happened."""

    RUN_BEGAN = "run_began"
    RUN_ENDED = "run_ended"
    LIST_LOADED = "list_loaded"
    """A list was taken over; `data` counts its rows that were new, gone and changed."""
    LIST_APPENDED = "list_appended"
    """A list was appended; `data` has its number, and counts its rows that were new and seen
    before, and the contacts of other lists that it calls off."""
    LIST_GREW = "list_grew"
    """The run has seen that contacts were appended; `data["new"]` says how many."""
    WAITING = "waiting"
    """Nothing can be dialed now; `data["until"]` says until when."""
    PAUSED = "paused"
    """The campaign was asked to pause, by another process or for `data["reason"]`: nobody is
    dialed until it is asked to go on."""
    RESUMED = "resumed"
    AGENT_CHANGED = "agent_changed"
    """An agent's text is another one than before; `data` names the variables that came and
    went, and those that no column gives, for which the campaign is paused."""
    CLOCK_OFF = "clock_off"
    """This machine's clock is not the server's: nobody is called until it is set right.
    `data["reason"]` says by how much it is off."""
    CLOCK_RIGHT = "clock_right"
    CLOCK_UNKNOWN = "clock_unknown"
    """The server's clock could not be read, or it does not say what time it is."""
    PACED = "paced"
    """The pace is another, or for another reason; `data` has `stage`, `rate`, `cap`, `reason`, and
    `calls` where the canary's are looked at. See `hamsa_async.dialer.ramp`."""
    HOST_UNREACHABLE = "host_unreachable"
    """Several requests in a row could not be sent; only a probe is, now and then."""
    HOST_REACHABLE = "host_reachable"
    INTENDED = "intended"
    """An attempt is written down and its request is about to leave."""
    PLACED = "placed"
    ENDED = "ended"
    """A placed call has ended; `data["outcome"]` says how."""
    RETRIED = "retried"
    """The same, and the contact will be tried again, at `data["until"]`."""
    CORRECTED = "corrected"
    """How a call ended was seen after all, when nobody waited for it any more."""
    GIVEN_UP = "given_up"
    """A contact that was to be tried again will not be: its time ran out."""
    REFUSED = "refused"
    RETURNED = "returned"
    """Provably no call was made; the contact will be dialed later."""
    TAKEN_OVER = "taken_over"
    """A call that this journal did not place was this contact's: it is not called again."""
    LOST = "lost"
    """It may have rung: the contact is unknown."""
    FOUND = "found"
    """A call in doubt was found: it was placed; `data["evidence"]` says what shows it."""
    ABSENT = "absent"
    """A call in doubt is believed never to have been one; the contact will be tried again."""
    REVIEWED = "reviewed"
    """The evidence does not settle a doubt; only a person can tell."""
    LOOK_FAILED = "look_failed"
    """The list of calls could not be read; it is tried again. Told once, until it can be."""
    LOOKED = "looked"
    """The list of calls can be read again."""
    DEFERRED = "deferred"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    """A rule says never; `data["reason"]` says which."""
    FORGOTTEN = "forgotten"
    """All that the journal had of a person was erased, for one of their rows."""


@attrs.frozen(kw_only=True)
class DialerEvent:
    """One thing that happened, as the journal has it.

    Attributes:
        number: Its place in the journal, over all campaigns; never reused. Whoever keeps the
            last one misses none: `Dialer.events(after=number)`.
        at: When (UTC).
        kind: What.
        campaign: The campaign's name.
        row: The contact's row in its list, where a contact is meant.
        attempt_id: The attempt, where one is meant; also the call's reference.
        data: More of it, as JSON: `reason`, `call_id`, `status`, `until`, ...; `again` where it
            is about a contact that is being tried again.
        list_number: Which of the campaign's lists that is.
    """

    number: int
    at: datetime
    kind: EventKind
    campaign: str
    row: int | None = None
    attempt_id: str | None = None
    data: dict[str, Any] = attrs.field(factory=dict)
    list_number: int | None = None
