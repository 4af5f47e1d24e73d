"""Who is called when: the run's own rules and order, on a fake clock. Pure.

What it cannot know it leaves out: answers of the API, calls that are tried again, and calls
that others place.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.machine import ContactState
from hamsa_async.dialer.persons import person_of
from hamsa_async.dialer.policy import History, Person, Policy, Refusal
from hamsa_async.dialer.ramp import Ramp, after_call
from hamsa_async.dialer.zones import Zones

_CALLABLE: Final = frozenset({"pending", "deferred"})
_UNWILLING: Final = frozenset({"dnc", "no_consent"})
_WITHOUT_CALL: Final = {"expired": ContactState.EXPIRED}
_NOT_BEFORE: Final = ("not_before", "The list says not to call before a time.")
_LONGEST: Final = timedelta(days=370)


@attrs.frozen(kw_only=True)
class Planned:
    """What is planned for one row.

    Attributes:
        row: Its place in the list.
        phone_number: E.164 where it is a number.
        first_call_at: When it is called (UTC); `None`: it is not.
        turn: Its place among those that are called, from 1.
        state: `pending` (called when its turn comes), `deferred` (a rule says later), `skipped`,
            `expired` or `invalid`.
        reason: The code of what holds it, for every state but `pending`.
        detail: The same as a sentence, without the number.
        zone: The called person's time zone, or how many it may be.
        display_zone: One zone that it may be, to show times in.
    """

    row: int
    phone_number: str = attrs.field(repr=mask_number)
    first_call_at: datetime | None = None
    turn: int | None = None
    state: ContactState = ContactState.PENDING
    reason: str | None = None
    detail: str | None = None
    zone: str | None = None
    display_zone: str | None = None


@attrs.frozen(kw_only=True)
class Pacing:
    """How fast calls are started.

    Attributes:
        rate: Call starts per second; `None`: all at once.
        live_calls: The most calls that are placed and not ended; `None`: no cap.
        call_length: How long a call lasts on average.
        canary: How many calls come first, before a pause of clean minutes.
        ramp: Whether the rate climbs to `rate`, as it does where all minutes are clean.
    """

    rate: float | None = 1.0
    live_calls: int | None = None
    call_length: timedelta = timedelta(seconds=90)
    canary: int = 0
    ramp: bool = False

    def begin(self, at: datetime) -> Callable[[datetime], datetime]:
        """Begin to start calls; gives what says, after each start, when the next may be."""
        paced = self._paced(at)
        live: deque[datetime] = deque(maxlen=self.live_calls)

        def following(start: datetime) -> datetime:
            live.append(start)
            moment = paced(start)
            if len(live) == self.live_calls:  # the first of them must have ended
                moment = max(moment, live[0] + self.call_length)
            return moment

        return following

    def _paced(self, at: datetime) -> Callable[[datetime], datetime]:
        """The same, as far as the rate says."""
        if self.rate is None:
            return lambda start: start
        if not (self.canary or self.ramp):
            interval = timedelta(seconds=1 / self.rate)
            return lambda start: start + interval
        ramp = Ramp(now=0.0, cap=self.rate, canary=self.canary, climbs=self.ramp)

        def following(start: datetime) -> datetime:
            ramp.tick((start - at).total_seconds())
            return start + timedelta(seconds=after_call(ramp, (start - at).total_seconds()))

        return following


def plan(
    rows: Iterable[Row],
    policy: Policy,
    *,
    at: datetime,
    pacing: Pacing,
    caller_of: Callable[[str], str | None] = lambda _number: None,
    history_of: Callable[[str], History] = lambda _number: History(),
) -> list[Planned]:
    """Plan a list.

    Args:
        rows: The rows of the list, in its order.
        policy: The packs to dial by.
        at: The moment at which dialing would begin (aware).
        pacing: How fast calls are started.
        caller_of: The caller number that a person sees, where their row names none.
        history_of: What is known of a number.

    Returns:
        One plan a row, in the order of the list.
    """
    found: dict[int, Planned] = {}
    waiting: list[_Waiting] = []
    for row in once_each(rows):
        if row.state in _CALLABLE:
            waiting.append(_waiting(row, caller_of, history_of))
        else:
            found[row.row] = Planned(
                row=row.row,
                phone_number=row.phone_number,
                state=ContactState(row.state),
                reason=row.reason,
                detail=row.detail,
            )
    for planned in _dialed(waiting, policy, at.astimezone(UTC), pacing):
        found[planned.row] = planned
    return [found[row] for row in sorted(found)]


def once_each(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows as a campaign takes them, with what each is by the others.

    Whoever refuses in one row is called for none; of rows with one number, or with one
    contact_id, the first is called.
    """
    given = list(rows)
    unwilling = [row for row in given if row.reason in _UNWILLING]
    numbers = {row.phone_number for row in unwilling}
    ids = {row.contact_id for row in unwilling if row.contact_id is not None}
    seen: set[str] = set()
    seen_ids: set[str] = set()
    for row in given:
        if row.state not in _CALLABLE:
            yield row
        elif row.phone_number in numbers or row.contact_id in ids:
            yield _skipped(row, "dnc", "Another row of the list says not to call this person.")
        elif row.phone_number in seen:
            yield _skipped(row, "duplicate_in_file", "The same number is in the list before.")
        elif row.contact_id in seen_ids:
            yield _skipped(
                row, "duplicate_contact_id", "The same contact_id is in the list before."
            )
        else:
            seen.add(row.phone_number)
            if row.contact_id is not None:
                seen_ids.add(row.contact_id)
            yield row


def _skipped(row: Row, reason: str, detail: str) -> Row:
    return attrs.evolve(row, state="skipped", reason=reason, detail=detail)


@attrs.frozen
class _Waiting:
    row: int
    rank: int
    person: Person
    zones: Zones
    history: History


def _waiting(
    row: Row,
    caller_of: Callable[[str], str | None],
    history_of: Callable[[str], History],
) -> _Waiting:
    person, zones = person_of(
        row.phone_number,
        timezone=row.timezone,
        from_number=row.from_number or caller_of(row.phone_number),
        consent=row.consent,
        consent_at=row.consent_at,
        not_before=row.due_at,
        expires_at=row.expires_at,
    )
    return _Waiting(row.row, -(row.priority or 0), person, zones, history_of(row.phone_number))


def _dialed(
    waiting: list[_Waiting], policy: Policy, at: datetime, pacing: Pacing
) -> Iterator[Planned]:
    """By priority; in one, those pending in the list's order, then those due, by that moment."""
    now, end, turn = at, at + _LONGEST, 0
    following = pacing.begin(at)
    reasons: dict[int, tuple[str, str]] = {}
    turns = _Turns()
    for each in waiting:
        if each.person.not_before is None:
            turns.add(each)
        else:
            reasons[each.row] = _NOT_BEFORE
            turns.add_later(each, each.person.not_before)
    while turns:
        now, each = turns.next(now)
        judgement = policy.judge(each.person, each.history, now)
        if judgement.allowed:
            turn += 1
            yield _planned(each, now, turn, reasons.get(each.row))
            now = following(now)
            continue
        refusal = judgement.reason
        assert refusal is not None
        reasons.setdefault(each.row, (refusal.rule, refusal.detail))
        if judgement.next_at is None or judgement.next_at > end:
            yield _never(each, judgement.barrier or refusal)
        else:
            turns.add_later(each, judgement.next_at)


_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


class _Turns:
    """Whose turn it is, as a run has it (`journal.turns`)."""

    def __init__(self) -> None:
        # By rank, then by the moment they are due: those who wait for none come before all.
        self._ready: list[tuple[int, datetime, int, _Waiting]] = []
        self._later: list[tuple[datetime, int, _Waiting]] = []

    def __bool__(self) -> bool:
        return bool(self._ready or self._later)

    def add(self, each: _Waiting, moment: datetime = _NO_TIME) -> None:
        heapq.heappush(self._ready, (each.rank, moment, each.row, each))

    def add_later(self, each: _Waiting, moment: datetime) -> None:
        heapq.heappush(self._later, (moment, each.row, each))

    def next(self, now: datetime) -> tuple[datetime, _Waiting]:
        """The next one, and the moment at which it is their turn."""
        if not self._ready:
            now = max(now, self._later[0][0])
        while self._later and self._later[0][0] <= now:
            moment, _, each = heapq.heappop(self._later)
            self.add(each, moment)
        *_, each = heapq.heappop(self._ready)
        return now, each


def _planned(each: _Waiting, at: datetime, turn: int, reason: tuple[str, str] | None) -> Planned:
    rule, detail = reason or (None, None)
    return Planned(
        row=each.row,
        phone_number=each.person.phone_number,
        first_call_at=at,
        turn=turn,
        state=ContactState.PENDING if reason is None else ContactState.DEFERRED,
        reason=rule,
        detail=detail,
        zone=str(each.zones),
        display_zone=each.zones.names[0] if each.zones.names else None,
    )


def _never(each: _Waiting, refusal: Refusal) -> Planned:
    return Planned(
        row=each.row,
        phone_number=each.person.phone_number,
        state=_WITHOUT_CALL.get(
            refusal.rule, ContactState.SKIPPED if refusal.final else ContactState.DEFERRED
        ),
        reason=refusal.rule,
        detail=refusal.detail,
        zone=str(each.zones),
        display_zone=each.zones.names[0] if each.zones.names else None,
    )


@attrs.frozen(kw_only=True)
class PlanSummary:
    """A plan in numbers.

    Attributes:
        rows: Rows of the list.
        to_call: Those that are called.
        first_at: The first call; `None`: nobody is called.
        last_at: The last one.
        zone: The zone in which days and hours are counted: the one most people are in.
        today: How many calls fit in the day, there, on which dialing begins.
        hours: Calls by hour, as the clock shows it there, in order.
        states: Rows by state and reason.
        live_calls: How many calls are live at once at the most, to expect.
    """

    rows: int
    to_call: int
    first_at: datetime | None
    last_at: datetime | None
    zone: str
    today: int
    hours: Mapping[datetime, int]
    states: Mapping[tuple[ContactState, str | None], int]
    live_calls: int


def summarise(planned: Iterable[Planned], *, at: datetime, pacing: Pacing) -> PlanSummary:
    """Count a plan."""
    rows = list(planned)
    calls = sorted(each.first_call_at for each in rows if each.first_call_at is not None)
    zones = Counter(each.display_zone for each in rows if each.first_call_at is not None)
    name = next((zone for zone, _ in zones.most_common() if zone is not None), "UTC")
    zone = clock_of(name)
    local = [call.astimezone(zone) for call in calls]
    today = at.astimezone(zone).date()
    return PlanSummary(
        rows=len(rows),
        to_call=len(calls),
        first_at=calls[0] if calls else None,
        last_at=calls[-1] if calls else None,
        zone=name,
        today=sum(call.date() == today for call in local),
        hours=Counter(call.replace(minute=0, second=0, microsecond=0) for call in local),
        states=Counter((each.state, each.reason) for each in rows),
        live_calls=_most_live(calls, pacing.call_length),
    )


def _most_live(calls: list[datetime], length: timedelta) -> int:
    """The most calls of one length that are live at once; the starts are in order."""
    most = first = 0
    for number, start in enumerate(calls):
        while start - calls[first] >= length:
            first += 1
        most = max(most, number - first + 1)
    return most
