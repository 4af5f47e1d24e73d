"""The rules: may this person be called now, and if not, why, and when. Pure.

A rule is a function of the called person, of what is known about their number, and of the
moment. It reads no clock. Every pack's rules are judged, and each must allow the call: with
several packs the strictest wins by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.dialer.policy.caps import free_at
from hamsa_async.dialer.policy.hours import HORIZON
from hamsa_async.dialer.policy.pack import Pack

SAFETY: Final = "safety"
"""In the place of a pack's name: what holds whatever the pack."""

FINAL_RULES: Final = frozenset(
    {
        "consent_too_old",
        "consent_undated",
        "country_not_covered",
        "declined",
        "no_common_hours",
        "no_consent",
        "no_timezone",
    }
)
"""The codes of packs' rules that say *never*: another policy may say otherwise."""

TIMING_RULES: Final = frozenset({"minimum gap", "caps", "gap between calls", "hours"})
"""The rules, by what they are about, that ask for moments alone: they can be judged again later."""

_MOST_STEPS: Final = 1_000


@attrs.frozen(kw_only=True)
class Person:
    """Who would be called, as far as rules ask.

    Attributes:
        phone_number: E.164.
        region: The number's country, ISO alpha-2, where it has one.
        zones: The IANA names of the time zones that they may be in.
        from_number: The caller number that they would see. `None`: it is not known yet, and no
            rule judges it; nobody is dialed so, but on a server of this machine.
        consent: Whether they agreed to be called; `None` where nobody knows.
        consent_at: When.
        not_before: No call before this moment.
        expires_at: No call from this moment on.
    """

    phone_number: str = attrs.field(repr=mask_number)
    region: str | None = None
    zones: tuple[str, ...] = ()
    from_number: str | None = attrs.field(default=None, repr=False)
    consent: bool | None = None
    consent_at: datetime | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class History:
    """What is known about a number.

    Attributes:
        calls: The moments at which it may have rung, oldest first, whoever called.
        is_open: Whether a call to it has not ended, or nobody knows what became of one.
        gap_until: When the minimum gap since the last call is over.
        declined_at: When the person said in a call that they do not want it.
        suppressed_since: Since when it is on a do-not-call list.
        registers_at: The date of the do-not-call register that was last taken over, for all
            numbers; `None` where none ever was.
    """

    calls: tuple[datetime, ...] = ()
    is_open: bool = False
    gap_until: datetime | None = None
    declined_at: datetime | None = None
    suppressed_since: datetime | None = None
    registers_at: datetime | None = None


NOTHING_KNOWN: Final = History()


@attrs.frozen(kw_only=True)
class Refusal:
    """A rule says no.

    Attributes:
        rule: Its stable code: `outside_hours`, `cap_day`, `min_gap`, `no_consent`, ...
        pack: The pack that it is of, with its version, or `safety`.
        detail: The same as a sentence for people, without the number.
        at: The moment that was judged.
        until: When this rule by itself allows a call again; `None`: time alone changes nothing.
        final: Whether it says *never*, rather than *later* or *not as things are set up*.
    """

    rule: str
    pack: str
    detail: str
    at: datetime
    until: datetime | None = None
    final: bool = False


@attrs.frozen(kw_only=True)
class Judgement:
    """What all rules together say.

    Attributes:
        refusals: Those that say no, the weightiest first; empty: the call is allowed.
        next_at: The first moment at which all of them allow a call; `None`: there is none.
        barrier: Where there is none: the refusal that stands in the way at the end, which may be
            another than those of now (the time for a call may run out before it is allowed).
    """

    refusals: tuple[Refusal, ...] = ()
    next_at: datetime | None = None
    barrier: Refusal | None = None

    @property
    def allowed(self) -> bool:
        """Whether the person may be called now."""
        return not self.refusals

    @property
    def reason(self) -> Refusal | None:
        """The refusal to name where only one can be."""
        return self.refusals[0] if self.refusals else None


@attrs.frozen(kw_only=True)
class _Case:
    """What a rule looks at."""

    pack: Pack
    person: Person
    history: History
    now: datetime

    def refused(
        self, rule: str, detail: str, *, until: datetime | None = None, final: bool = False
    ) -> Refusal:
        return Refusal(
            rule=rule,
            pack=f"{self.pack.name} {self.pack.version}",
            detail=detail,
            at=self.now,
            until=until,
            final=final,
        )


_Rule: TypeAlias = Callable[[_Case], Refusal | None]


def _consent(case: _Case) -> Refusal | None:
    pack, person = case.pack, case.person
    if not pack.consent_required:
        return None
    if person.consent is not True:
        return case.refused("no_consent", "Nobody has noted this person's consent.", final=True)
    limit = pack.consent_max_age
    if limit is None:
        return None
    if person.consent_at is None:
        return case.refused("consent_undated", "The consent has no date.", final=True)
    if person.consent_at + limit < case.now:
        return case.refused(
            "consent_too_old", f"The consent is older than {limit.days} days.", final=True
        )
    return None


def _declined(case: _Case) -> Refusal | None:
    at = case.history.declined_at
    if not case.pack.refusal_is_final or at is None:
        return None
    return case.refused("declined", f"The person declined on {at.date()}.", final=True)


def _register(case: _Case) -> Refusal | None:
    pack, dated = case.pack, case.history.registers_at
    if dated is None:
        if not pack.register_required:
            return None
        return case.refused(
            "register_missing", "No do-not-call register was imported (hamsa dnc import)."
        )
    limit = pack.register_max_age
    if limit is None or dated + limit >= case.now:
        return None
    return case.refused(
        "register_too_old",
        f"The do-not-call register is of {dated.date()}, older than {limit.days} days:"
        " import a new one (hamsa dnc import).",
    )


def _caller(case: _Case) -> Refusal | None:
    prefixes, caller = case.pack.caller_prefixes, case.person.from_number
    if not prefixes or caller is None or caller.startswith(prefixes):
        return None
    return case.refused(
        "caller_number", f"The caller number must start with {' or '.join(prefixes)}."
    )


def _place(case: _Case) -> Refusal | None:
    if case.person.zones or not case.pack.needs_zone:
        return None
    return case.refused(
        "no_timezone",
        "Nobody knows this number's time zone: give it in the column timezone.",
        final=True,
    )


def _hours(case: _Case) -> Refusal | None:
    calendar, zones = case.pack.calendar_of(case.person.region), case.person.zones
    if calendar is None or not zones or calendar.may_start(zones, case.now):
        return None
    rule, detail = calendar.why_closed(zones, case.now)
    until = calendar.next_start(zones, case.now)
    if until is None and len(zones) > 1:
        return case.refused(
            "no_common_hours",
            f"The number may be in {len(zones)} time zones, and there is no moment at which all"
            " of them allow a call: give the zone in the column timezone.",
            final=True,
        )
    return case.refused(rule, detail, until=until)


def _caps(case: _Case) -> Refusal | None:
    latest: Refusal | None = None
    for cap in case.pack.caps:
        until = free_at(cap, case.history.calls, case.now, case.person.zones)
        if until is not None and (latest is None or latest.until is None or until > latest.until):
            detail = f"The number may be called {cap}, and was."
            latest = case.refused(cap.code, detail, until=until)
    return latest


def _gap(case: _Case) -> Refusal | None:
    gap, calls = case.pack.min_gap, case.history.calls
    if gap is None or not calls or calls[-1] + gap <= case.now:
        return None
    minutes = gap // timedelta(minutes=1)
    return case.refused(
        "min_gap",
        f"The number was called less than {minutes} minutes ago.",
        until=calls[-1] + gap,
    )


_RULES: Final[Mapping[str, _Rule]] = {
    "consent": _consent,
    "refusal in a call": _declined,
    "do-not-call register": _register,
    "caller number": _caller,
    "time zone known": _place,
    "caps": _caps,
    "gap between calls": _gap,
    "hours": _hours,
}
"""Each rule of a pack, by what it is about."""


@attrs.frozen(kw_only=True)
class Finding:
    """What one rule says.

    Attributes:
        pack: The pack that it is of, with its version, or `safety`.
        rule: What it is about.
        refusal: Its no; `None`: it has nothing against a call.
    """

    pack: str
    rule: str
    refusal: Refusal | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as JSON."""
        refusal = self.refusal
        if refusal is None:
            return {"pack": self.pack, "rule": self.rule, "allows": True}
        until = refusal.until
        return {
            "pack": self.pack,
            "rule": self.rule,
            "allows": False,
            "code": refusal.rule,
            "detail": refusal.detail,
            "until": None if until is None else until.astimezone(UTC).isoformat(),
            "final": refusal.final,
        }


def _safety(
    person: Person, history: History, now: datetime
) -> Iterator[tuple[str, Refusal | None]]:
    """What holds whatever the packs, by what it is about."""
    dnc = expired = early = busy = gap = None
    if history.suppressed_since is not None:
        detail = f"The number is on the do-not-call list since {history.suppressed_since.date()}."
        dnc = Refusal(rule="dnc", pack=SAFETY, detail=detail, at=now, final=True)
    if person.expires_at is not None and person.expires_at <= now:
        detail = f"The time for a call ended at {person.expires_at.isoformat()}."
        expired = Refusal(rule="expired", pack=SAFETY, detail=detail, at=now, final=True)
    if person.not_before is not None and person.not_before > now:
        early = Refusal(
            rule="not_before",
            pack=SAFETY,
            detail="The list says not to call before a time.",
            at=now,
            until=person.not_before,
        )
    if history.is_open:
        detail = "A call to this number has not ended, or nobody knows what became of one."
        busy = Refusal(rule="number_open", pack=SAFETY, detail=detail, at=now)
    if history.gap_until is not None and history.gap_until > now:
        detail = "The number was called too short a time ago."
        until = history.gap_until
        gap = Refusal(rule="min_gap", pack=SAFETY, detail=detail, at=now, until=until)
    yield "do-not-call list", dnc
    yield "one open attempt", busy
    yield "minimum gap", gap
    yield "not after", expired
    yield "not before", early


@attrs.frozen
class Policy:
    """The packs that a campaign is dialed by.

    Attributes:
        packs: Their rules must all allow a call.
    """

    packs: tuple[Pack, ...]

    @property
    def asks_for_place(self) -> bool:
        """Whether any rule asks in which country or time zone a person is, or for more of them."""
        return any(pack.rules_anything for pack in self.packs)

    @property
    def longest(self) -> timedelta:
        """How far back a call can count for its caps."""
        caps = (cap.longest for pack in self.packs for cap in pack.caps)
        return max(caps, default=timedelta(0))

    def findings(self, person: Person, history: History, now: datetime) -> Iterator[Finding]:
        """What every rule says at a moment, in the order in which they are judged."""
        for rule, refusal in _safety(person, history, now):
            yield Finding(pack=SAFETY, rule=rule, refusal=refusal)
        packs = [pack for pack in self.packs if pack.applies_to(person.region)]
        yield Finding(pack=SAFETY, rule="country", refusal=self._uncovered(person, packs, now))
        for pack in packs:
            case = _Case(pack=pack, person=person, history=history, now=now)
            for name, judged in _RULES.items():
                label = f"{pack.name} {pack.version}"
                yield Finding(pack=label, rule=name, refusal=judged(case))

    def _uncovered(self, person: Person, packs: Sequence[Pack], now: datetime) -> Refusal | None:
        if any(pack.stands_alone for pack in packs):
            return None
        names = ", ".join(pack.name for pack in self.packs)
        return Refusal(
            rule="country_not_covered",
            pack=names,
            detail=f"{names} does not cover {person.region or 'numbers of no country'}.",
            at=now,
            final=True,
        )

    def refusals(self, person: Person, history: History, now: datetime) -> list[Refusal]:
        """Every rule's no at a moment, the weightiest first: *never*, then the latest *later*."""
        found = [each.refusal for each in self.findings(person, history, now)]
        return sorted((each for each in found if each is not None), key=_weight)

    def judge(self, person: Person, history: History, now: datetime) -> Judgement:
        """Say whether a person may be called at a moment; if not, why, and when they may."""
        first = refusals = self.refusals(person, history, now)
        at = now
        for _ in range(_MOST_STEPS):
            if not refusals:
                return Judgement(refusals=tuple(first), next_at=at)
            # They are in order: what no time frees comes first, then the latest.
            latest = None if refusals[0].final else refusals[0].until
            if latest is None or latest <= at or latest > now + HORIZON:
                break
            at = latest.astimezone(UTC)
            refusals = self.refusals(person, history, at)
        return Judgement(refusals=tuple(first), barrier=refusals[0])


def _weight(refusal: Refusal) -> tuple[int, float]:
    if refusal.final:
        return 0, 0.0
    if refusal.until is None:
        return 1, 0.0
    return 2, -refusal.until.timestamp()
