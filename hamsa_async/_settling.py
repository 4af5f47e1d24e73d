"""Doubt about a call, settled by evidence: what a look at the list of calls proves.

Pure decisions. `_looking` reads what they need; the client and the dialer settle alike.

Presence is proved by a reference or an id, and believed of the only call to the number at that
time. Absence is never proved, only believed, and only where nothing at all speaks against it:
`_FLAWS` is the list of what does.
"""

import enum
import functools
import re
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import attrs

from hamsa_async._masking import MaskedNumber
from hamsa_async._values import frozen
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.calls import Call, Evidence
from hamsa_async.models.conversations import Conversation, ConversationSummary

WIDER: Final = timedelta(hours=1)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
"""By how much a look is wider, on each side, than the time of the request."""

SLACK: Final = timedelta(minutes=1)
"""How far the clocks of one server may differ, and how late a request may be taken in."""

_FEWEST_DIGITS: Final = 7
_NUMBER: Final = re.compile(r"\+?[\d\s().-]+")


# -- what is known of it


@frozen(kw_only=True)
class Span:
    """From one moment to another, both included."""

    begin: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.begin <= moment <= self.end

    def wider(self, by: timedelta) -> Self:
        """The same, wider on each side."""
        return attrs.evolve(self, begin=self.begin - by, end=self.end + by)

    def outward(self, step: timedelta) -> "Span":
        """The span that reaches to the next whole step on each side, counted from 1970."""
        end = self.end - (self.end - _EPOCH) % step
        return attrs.evolve(
            self,
            begin=self.begin - (self.begin - _EPOCH) % step,
            end=end if end == self.end else end + step,
        )

    def halves(self) -> "tuple[Span, Span] | None":
        """Both halves; `None` for a span that the API, which counts milliseconds, cannot cut.

        They share the moment between them, or what is younger by less than a millisecond would
        be in neither.
        """
        if self.end - self.begin <= timedelta(milliseconds=1):
            return None
        middle = self.begin + (self.end - self.begin) / 2
        return attrs.evolve(self, end=middle), attrs.evolve(self, begin=middle)


def _aware(_: object, attribute: "attrs.Attribute[datetime]", value: object) -> None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigurationError(f"{attribute.name} must be an aware datetime (with a time zone)")


def _readable(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if read_number(value) is None:  # it would be found nowhere, and so be called absent
        raise ConfigurationError(f"{attribute.name} must be a phone number, with its country code")


@frozen(kw_only=True)
class Doubt:
    """What is known of an attempt whose outcome is not."""

    to_number: str = attrs.field(converter=MaskedNumber, validator=_readable)
    """Whole as a text, masked in `repr`."""

    begun_at: datetime = attrs.field(validator=_aware)
    """When its request was begun, by our clock."""

    ended_at: datetime = attrs.field(validator=_aware)
    """When nothing more was to be heard of it, by our clock."""

    reference: str | None = None
    call_id: str | None = None
    """An id that the API named in an answer that proved nothing."""

    server_ahead: float | None = None
    """Seconds by which the server's clock was ahead of ours then, where that was heard.

    Where it was not, a clock of ours that has jumped since by more than an hour leads astray.
    """

    def taken_in(self, ahead: float) -> Span:
        """When the server may have taken it in, by the server's clock.

        A clock of ours that jumped since then makes it wider: both offsets may be the right one.

        Args:
            ahead: Seconds by which the server's clock is ahead of ours now.
        """
        offsets = [ahead] if self.server_ahead is None else [ahead, self.server_ahead]
        return Span(
            begin=min(self.begun_at, self.ended_at) + timedelta(seconds=min(offsets)),
            end=self._latest + timedelta(seconds=max(offsets)),
        )

    @property
    def _latest(self) -> datetime:
        return max(self.begun_at, self.ended_at)  # our clock may have stepped back in between

    def later(self, placed: Mapping[str, datetime]) -> dict[str, datetime]:
        """Those of our calls that can be a control: asked for when this one had ended.

        Args:
            placed: Ids of calls that were placed, with the moments before which none of them
                was begun, by our clock.
        """
        return {call_id: at for call_id, at in placed.items() if at >= self._latest}


def to_look_at(taken: Span, later: Iterable[datetime], ahead: float) -> Span:
    """Choose the span of the list that a look must read, by the server's clock.

    An hour wider on each side, and so long that the first later call of ours is in it.
    """
    span = taken.wider(WIDER)
    first = min(later, default=None)
    if first is None:
        return span
    return attrs.evolve(span, end=max(span.end, first + timedelta(seconds=ahead) + WIDER))


# -- what a look shows


@frozen(kw_only=True)
class Candidate:
    """A call that may be the one: the right number, at about the right time."""

    call_id: str
    created_at: datetime | None
    reference: str | None
    """What it carries, ours or not; `None` where nothing comes back."""

    call: Call = attrs.field(repr=False)

    @classmethod
    def of(cls, seen: ConversationSummary | Conversation) -> Self:
        """Take a row of the list, or the call in full."""
        known: dict[str, object] = {}
        reference = None
        if isinstance(seen, Conversation):
            reference = seen.reference
            known = {
                "title": seen.title,
                "model": seen.model,
                "type": seen.type,
                "processing_type": seen.processing_type,
                "api_key_id": seen.api_key_id,
                "media_url": seen.media_url,
                "updated_at": seen.updated_at,
                "agent_details": functools.partial(_given, seen.agent_details),
            }
        call = Call(
            id=seen.id,
            status=seen.status,
            voice_agent_id=seen.voice_agent_id,
            created_at=seen.created_at,
            **known,  # type: ignore[arg-type]
        )
        return cls(call_id=seen.id, created_at=seen.created_at, reference=reference, call=call)


def _given(agent: AgentDetails | None) -> AgentDetails | None:
    return agent


@frozen(kw_only=True)
class Look:
    """One look at the list."""

    at: datetime
    """When, by our clock."""

    taken: Span
    """When the request may have been taken in, by the server's clock."""

    span: Span
    """What was read, by the server's clock."""

    dates: Span | None
    """The server's clock at the first and at the last answer; `None` where one did not say."""

    crowded: bool
    """Whether an answer was full although its span could not be halved any more."""

    unreadable: int
    """How many rows have no number that can be compared."""

    control: str | None
    """A call that we know was placed after the one in doubt."""

    candidates: tuple[Candidate, ...]
    named: Candidate | None
    """The call whose id the API gave, if it shows it and it speaks for the attempt."""


@frozen(kw_only=True)
class Absence:
    """A look that showed nothing, and to which nothing can be objected."""

    span: Span
    """What was read, by the server's clock."""

    dates: Span
    """When, by the server's clock."""

    control: str
    """The id of a later call of ours that it did show."""


def read_number(text: object) -> str | None:
    """Read a phone number as its digits, without what countries put before; `None` for none."""
    return _digits_of(text) if isinstance(text, str) else None


# Kept, for a look over a long list reads it for each doubt, and a campaign may have hundreds.
@functools.lru_cache(maxsize=65_536)
def _digits_of(text: str) -> str | None:
    if not _NUMBER.fullmatch(text.strip()):
        return None
    digits = "".join(str(int(sign)) for sign in text if sign.isdecimal()).lstrip("0")
    return digits if len(digits) >= _FEWEST_DIGITS else None


def same_number(one: str, other: str) -> bool:
    """Whether two read numbers may be the same. One may lack its country code.

    Being wrong about it costs a look into one call more, or an absence that is not believed.
    """
    return one.endswith(other) or other.endswith(one)


def number_of(seen: ConversationSummary | Conversation) -> str | None:
    """Read the number that was called."""
    return read_number(seen.call_params.user_number if seen.call_params is not None else None)


def may_be_to(doubt: Doubt, seen: ConversationSummary | Conversation) -> bool:
    """Whether a call was to the number of an attempt, as far as its number can be read."""
    ours, number = read_number(doubt.to_number), number_of(seen)
    return ours is not None and number is not None and same_number(ours, number)


def find_control(
    rows: Iterable[ConversationSummary], later: Container[str], taken: Span
) -> str | None:
    """Find the first call that is one of ours and younger than the one in doubt.

    Our own clock has already said so. It may have jumped, so the server's is asked as well, to
    a minute: offsets are not known better than that.
    """
    young = [
        (row.created_at, row.id)
        for row in rows
        if row.id in later and row.created_at is not None and row.created_at >= taken.end - SLACK
    ]
    return min(young)[1] if young else None


def speaks_for(doubt: Doubt, named: Conversation) -> bool:
    """Whether a call whose id the API gave is not plainly somebody else's."""
    if named.reference is not None:
        return named.reference == doubt.reference
    return number_of(named) is None or may_be_to(doubt, named)


# -- what it proves


class UnknownReason(enum.StrEnum):
    """Why it is still unknown whether the phone rang."""

    SEEN_ONCE = "seen_once"
    """Nothing was seen so far, and absence is believed of two looks only."""
    NO_CONTROL = "no_control"
    """The list shows no call that was placed later, so it may not be up to date."""
    UNREADABLE_NUMBER = "unreadable_number"
    """The list has calls without a number that can be read."""
    CROWDED = "crowded"
    """The list has more calls at one moment than fit on a page."""
    NO_SERVER_DATE = "no_server_date"
    """The server does not say what time it is."""
    ID_NOT_SHOWN = "id_not_shown"
    """The API gave an id for the call, and does not show that call."""
    SEVERAL = "several"
    """Several calls may be the one."""
    OUT_OF_TIME = "out_of_time"
    """The only call that may be the one was made at another time."""


_IN_WORDS: Final[Mapping[UnknownReason, str]] = {
    UnknownReason.SEEN_ONCE: "not seen so far, and absence is believed of two looks only",
    UnknownReason.NO_CONTROL: "the list shows no later call, so it may not be up to date",
    UnknownReason.UNREADABLE_NUMBER: "the list has calls without a number that can be read",
    UnknownReason.CROWDED: "the list has more calls at one moment than fit on a page",
    UnknownReason.NO_SERVER_DATE: "the server does not say what time it is",
    UnknownReason.ID_NOT_SHOWN: "the API gave an id for the call, and does not show that call",
    UnknownReason.SEVERAL: "several calls may be the one",
    UnknownReason.OUT_OF_TIME: "the only call that may be the one was made at another time",
}


FOR_A_PERSON: Final = frozenset(
    {UnknownReason.ID_NOT_SHOWN, UnknownReason.SEVERAL, UnknownReason.OUT_OF_TIME}
)
"""What looking again will hardly settle."""


@frozen(kw_only=True)
class NotSeen:
    """The call was looked for twice, as well as that can be done, and was not seen.

    That is no proof: a call that the list shows later still may have rung. Whether to dial
    again is yours to decide, and yours to answer for.
    """

    reference: str | None
    as_of: datetime
    """When it was last looked for, by the server's clock."""

    first_look_at: datetime
    """When it was first looked for, by the server's clock."""

    begin: datetime
    end: datetime
    """The time over which all calls were looked through, by the server's clock."""

    control: str
    """The id of a later call of yours which the same answers did show."""

    def __str__(self) -> str:
        return (
            f"not seen as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC among all calls from"
            f" {self.begin:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S}, which show the"
            f" later call {self.control}; that is no proof: dialing again is at your own risk"
        )


@frozen(kw_only=True)
class StillUnknown:
    """Nothing is proved, and absence is not to be believed yet. Do not dial again.

    Give it, or the error, to `voice_agents.settle` again, at `ask_again_at` or later. It
    survives `pickle`, so that another process may ask.
    """

    reason: UnknownReason
    ask_again_at: datetime
    """When looking again may tell more (UTC, by our clock)."""

    candidates: tuple[str, ...] = ()
    """The ids of calls that may be the one."""

    doubt: Doubt
    """What is known of the attempt."""

    first_look: Absence | None = None
    """The first look that showed nothing, if there was one: a second one may end the doubt."""

    @property
    def for_a_person(self) -> bool:
        """Whether looking again will hardly help, and somebody has to decide."""
        return self.reason in FOR_A_PERSON

    def __str__(self) -> str:
        which = f" ({', '.join(self.candidates)})" if self.candidates else ""
        return (
            f"still unknown: {_IN_WORDS[self.reason]}{which}; do not dial again, ask again from"
            f" {self.ask_again_at:%Y-%m-%d %H:%M:%S} UTC on"
        )


Settled = Call | NotSeen | StillUnknown

_Flaw = Callable[[Doubt, Look], bool]

_FLAWS: Final[Mapping[UnknownReason, _Flaw]] = {
    UnknownReason.ID_NOT_SHOWN: lambda doubt, _: doubt.call_id is not None,
    UnknownReason.NO_SERVER_DATE: lambda _, look: look.dates is None,
    UnknownReason.CROWDED: lambda _, look: look.crowded,
    UnknownReason.UNREADABLE_NUMBER: lambda _, look: look.unreadable > 0,
    UnknownReason.NO_CONTROL: lambda _, look: look.control is None,
}
"""What forbids to believe that a call which a look did not show was not made."""


def decide(
    doubt: Doubt, look: Look, *, bound: Container[str], first: Absence | None, lag: float
) -> Settled:
    """Say what a look proves.

    Args:
        doubt: The attempt.
        look: What was seen.
        bound: Ids of calls that belong to other attempts. They may be more than when the look
            was taken.
        first: What an earlier look showed, if it showed nothing.
        lag: Seconds that must lie between two looks.
    """
    free = [seen for seen in look.candidates if seen.call_id not in bound]
    ours = [seen for seen in free if _is_ours(doubt, seen)]
    nameless = [seen for seen in free if seen.reference is None]
    named = look.named
    if named is not None and named.call_id not in bound:
        return _found(named, Evidence.REFERENCE if _is_ours(doubt, named) else Evidence.CALL_ID)
    if len(ours) == 1:
        return _found(ours[0], Evidence.REFERENCE)
    if ours or nameless:
        return _choose(doubt, look, ours or nameless, first, lag)
    flaw = next((reason for reason, holds in _FLAWS.items() if holds(doubt, look)), None)
    if flaw is not None:
        return _unknown(flaw, doubt, look.at + timedelta(seconds=lag), first=first)
    return _agree(doubt, look, first, lag)


def _is_ours(doubt: Doubt, seen: Candidate) -> bool:
    return doubt.reference is not None and seen.reference == doubt.reference


def _found(seen: Candidate, evidence: Evidence) -> Call:
    return attrs.evolve(seen.call, evidence=evidence)


def _choose(
    doubt: Doubt, look: Look, seen: list[Candidate], first: Absence | None, lag: float
) -> Settled:
    """Believe that the only one is it, if it is the only one and its time is right."""
    if len(seen) > 1:
        reason = UnknownReason.SEVERAL
    elif look.crowded:
        reason = UnknownReason.CROWDED  # there may be others that were not seen
    elif seen[0].created_at is None or seen[0].created_at not in look.taken.wider(SLACK):
        reason = UnknownReason.OUT_OF_TIME
    else:
        return _found(seen[0], Evidence.NUMBER_AND_TIME)
    again = look.at + timedelta(seconds=lag)
    return _unknown(reason, doubt, again, first=first, candidates=seen)


def _agree(doubt: Doubt, look: Look, first: Absence | None, lag: float) -> Settled:
    """Hold a look that showed nothing against the first such look."""
    assert look.dates is not None
    assert look.control is not None
    this = Absence(span=look.span, dates=look.dates, control=look.control)
    if first is None or not _covers(first.span, look.taken):
        again = look.at + timedelta(seconds=lag)
        return _unknown(UnknownReason.SEEN_ONCE, doubt, again, first=this)
    early = timedelta(seconds=lag) - (look.dates.begin - first.dates.end)
    if early > timedelta(0):
        # The server's clock is cut to the second.
        again = look.at + early + timedelta(seconds=1)
        return _unknown(UnknownReason.SEEN_ONCE, doubt, again, first=first)
    return NotSeen(
        reference=doubt.reference,
        as_of=look.dates.end,
        first_look_at=first.dates.begin,
        begin=max(first.span.begin, look.span.begin),
        end=min(first.span.end, look.span.end),
        control=look.control,
    )


def _covers(read: Span, taken: Span) -> bool:
    """Whether a span that was read earlier is wide enough by what the clocks say now."""
    needed = taken.wider(WIDER - SLACK)
    return needed.begin in read and needed.end in read


def _unknown(
    reason: UnknownReason,
    doubt: Doubt,
    again: datetime,
    *,
    first: Absence | None,
    candidates: Iterable[Candidate] = (),
) -> StillUnknown:
    return StillUnknown(
        reason=reason,
        ask_again_at=again,
        candidates=tuple(seen.call_id for seen in candidates),
        doubt=doubt,
        first_look=first,
    )
