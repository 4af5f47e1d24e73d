"""The values that go in and out of a journal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.machine import AttemptState, ContactState, Happening


def row_of(row: int, list_number: int | None) -> str:
    """A row for people, with its list where that is not the first."""
    return f"row {row}" if list_number in {None, 1} else f"row {row} of list {list_number}"


@attrs.frozen(kw_only=True)
class Identity:
    """Which journal this is: it belongs to one server and one project."""

    base_url: str
    project_id: str


@attrs.frozen(kw_only=True)
class CampaignRecord:
    """A campaign as the journal has it."""

    id: int
    name: str
    settings: Mapping[str, Any]
    loaded: bool
    """Whether its list was read to the end. Nothing is dialed from half a list."""
    created_at: datetime


@attrs.frozen(kw_only=True)
class RunRecord:
    """One run of a campaign by one process."""

    pid: int
    host: str
    began_at: datetime
    ended_at: datetime | None
    ending: str | None
    reason: str | None
    budget: Mapping[str, Any] | None = None
    """What it may spend, as JSON; `None` where a version wrote it that did not say."""


@attrs.frozen(kw_only=True)
class Candidate:
    """A contact that may be dialed now, as far as was read."""

    id: int
    row: int
    phone_number: str = attrs.field(repr=mask_number)
    params: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    from_number: str | None = attrs.field(default=None, repr=False)
    agent_id: str | None = None
    expires_at: datetime | None = None
    timezone: str | None = None
    consent: bool | None = None
    consent_at: datetime | None = None
    consent_source: str | None = attrs.field(default=None, repr=False)
    rank: int = 0
    """Its priority, negated: the least gets its turn first."""
    list_number: int = 1
    """Which of the campaign's lists it is of."""
    suspect: bool = False
    """Whether it looked as if a rule held it: worth a look before it waits for its turn."""
    again: bool = False
    """Whether it is being tried again."""


@attrs.frozen(kw_only=True)
class Called:
    """A contact that may have been rung, and what is known of its number, for a proof."""

    contact: Candidate
    calls: Sequence[datetime]
    """The moments at which the number may have rung, oldest first, whoever called."""


@attrs.frozen(kw_only=True)
class Held:
    """A contact that is not dialed after all; the journal has moved it already."""

    event: DialerEvent | None
    """What was written down; `None`: somebody else moved it meanwhile."""


@attrs.frozen(kw_only=True)
class Barred:
    """A number that a single call may not dial now; nothing was written."""

    reason: str
    """The rule."""
    until: datetime | None = None
    """When to look again; `None`: time does not free it."""
    campaign: str | None = None
    """Whose attempt is open, where one of this journal's is."""
    state: AttemptState | None = None
    """Where that attempt stands."""


@attrs.frozen(kw_only=True)
class Settlement:
    """How an attempt ended, to be written down."""

    state: AttemptState
    happening: Happening
    call_id: str | None = None
    status: int | None = None
    reason: str | None = None
    """A short code."""
    detail: str | None = None
    """The same as a sentence, masked."""
    placed_at: datetime | None = None
    """When the call was placed, as the server says."""
    ends_by: datetime | None = None
    """When a placed call must have ended; from then on nobody waits to see it."""
    server_ahead: float | None = None
    """Seconds by which the server's clock was ahead of ours, where that was heard."""


@attrs.frozen(kw_only=True)
class HeardEvent:
    """What a webhook said of an attempt's call."""

    number: int
    """Its place in the inbox."""
    attempt_id: str
    call_id: str | None
    event: str | None
    state: AttemptState
    """Where the attempt stands."""


@attrs.frozen(kw_only=True)
class AttemptRow:
    """An attempt and what it came to, for a proof."""

    attempt_id: str
    row: int
    list_number: int = 1
    phone_number: str = attrs.field(repr=mask_number)
    state: AttemptState
    intended_at: datetime
    ended_at: datetime | None
    call_id: str | None
    outcome: str | None
    cost: float | None
    duration: float | None = None

    @property
    def place(self) -> str:
        """Its row, for people."""
        return row_of(self.row, self.list_number)


@attrs.frozen(kw_only=True)
class SeenCall:
    """A call of the project, as the list shows it."""

    call_id: str
    phone_number: str = attrs.field(repr=mask_number)
    agent_id: str | None
    listed_at: datetime
    """When it was placed, as the server says."""
    placed_at: datetime
    """The same by our clock."""
    ends_by: datetime
    """When it must have ended, by our clock."""
    status: str
    """The API's in lower case, or `live`."""
    duration: float | None


@attrs.frozen(kw_only=True)
class DoubtRecord:
    """An attempt of which it is not known whether it became a call."""

    attempt_id: str
    row: int
    list_number: int = 1
    phone_number: str = attrs.field(repr=mask_number)
    state: AttemptState
    """`unknown` or `review`."""
    begun_at: datetime
    ended_at: datetime
    """When nothing more was to be heard of it."""
    call_id: str | None
    server_ahead: float | None
    first_look: Mapping[str, Any] | None
    looked_at: datetime | None
    """When it was first looked for."""
    evidence: Mapping[str, Any]
    """What was seen last; `text` says it to people."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What a doubt comes to."""

    state: AttemptState
    """`placed`, `absent` or `review`."""
    evidence: Mapping[str, Any]
    call_id: str | None = None
    placed_at: datetime | None = None
    ends_by: datetime | None = None


@attrs.frozen(kw_only=True)
class OpenCall:
    """A placed call whose end was not seen."""

    attempt_id: str
    call_id: str
    placed_at: datetime | None
    """When, as the server says."""
    settled_at: datetime
    """When we heard of it."""
    ends_by: datetime


@attrs.frozen(kw_only=True)
class CallEnd:
    """How a placed call ended, to be written down."""

    call_id: str
    outcome: str
    """The API's last status in lower case, or `unseen`."""
    ended_at: datetime
    duration: float | None = None
    cost: float | None = None
    recording: str | None = attrs.field(default=None, repr=False)
    transcript: Sequence[Mapping[str, Any]] | None = attrs.field(default=None, repr=False)
    result: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class ReportRow:
    """One row of a list and what became of it."""

    row: int
    """Its place in its list, from 1."""
    list_number: int = 1
    """Which list that is: 1 is the campaign's first, and each that was accepted or appended later
    has one more."""
    contact_id: str | None
    phone_number: str = attrs.field(repr=mask_number)
    state: ContactState
    reason: str | None
    detail: str | None
    attempts: int
    call_id: str | None
    due_at: datetime | None
    outcome: str | None = None
    """How its last call ended."""
    duration: float | None = None
    """Seconds."""
    cost: float | None = None
    """In the API's own unit."""
    recording: str | None = attrs.field(default=None, repr=False)
    """A link that expires."""
    result: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    priority: int | None = None
    max_attempts: int | None = None
    consent_source: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class ListDifference:
    """How a new list differs from the one that the journal has, in rows."""

    new: int = 0
    gone: int = 0
    changed: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.changed)


@attrs.frozen(kw_only=True)
class ListRecord:
    """One of the lists that a campaign's rows are of."""

    number: int
    """From 1, in the order in which they were taken over or appended."""
    name: str | None
    """Its file's, where it was one."""
    appended: bool
    at: datetime


@attrs.frozen(kw_only=True)
class StagedAppend:
    """A list that was read to its end and waits to be appended."""

    rows: int
    new: int
    """Rows that the campaign does not have yet."""
    seen: int
    """Rows whose number or contact_id it has."""
    usable: int
    """New rows that are contacts to be called, now or later."""
    without_from_number: int
    """Of these, the ones that name no caller number of their own."""
    states: Mapping[tuple[str, str | None], int]
    """All rows by (state, reason)."""


@attrs.frozen(kw_only=True)
class StagedList:
    """A list that was read to its end and waits to be taken over."""

    rows: int
    usable: int
    """Rows that are contacts to be called, now or later."""
    without_from_number: int
    """Of these, the ones that name no caller number of their own."""
    states: Mapping[tuple[str, str | None], int]
    """Rows by (state, reason)."""
    difference: ListDifference
