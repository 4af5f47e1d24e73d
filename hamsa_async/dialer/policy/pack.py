"""A pack: rules as a value, with what they rest on."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import attrs

from hamsa_async.dialer.policy.caps import Cap
from hamsa_async.dialer.policy.countries import weekend_of
from hamsa_async.dialer.policy.hours import Calendar


@attrs.frozen(kw_only=True, eq=False)
class Pack:
    """Rules that are judged together, and what is known of where they come from.

    Attributes:
        name: What `--policy` calls it.
        title: What it is, in a line.
        version: The version of these very rules.
        checked_on: When its sources were last read.
        sources: What its rules rest on.
        unconfirmed: What could not be confirmed, where that is so: shown first.
        not_covered: What the law asks and no dialer can see to.
        covers: The countries that it is for, ISO alpha-2; `None`: all.
        stands_alone: Whether it may be the only pack for a number; else it adds to another.
        calendars: When calls to each country may start; `None`: always.
        caps: How often one number may be called.
        min_gap: How long a number is left alone after a call.
        consent_required: Whether the list must say that the person consented.
        consent_max_age: How old a consent may be.
        register_required: Whether a do-not-call register must have been imported.
        register_max_age: How old that register may be.
        refusal_is_final: Whether who declined in a call is not called again.
        caller_prefixes: What the caller number must start with, one of them.
    """

    name: str
    title: str
    version: str
    checked_on: date | None = None
    sources: tuple[str, ...] = ()
    unconfirmed: str | None = None
    not_covered: tuple[str, ...] = ()
    covers: frozenset[str] | None = None
    stands_alone: bool = True
    calendars: "Calendars | None" = attrs.field(default=None, repr=False)
    caps: tuple[Cap, ...] = ()
    min_gap: timedelta | None = None
    consent_required: bool = False
    consent_max_age: timedelta | None = None
    register_required: bool = False
    register_max_age: timedelta | None = None
    refusal_is_final: bool = False
    caller_prefixes: tuple[str, ...] = ()

    def applies_to(self, region: str | None) -> bool:
        """Whether it is for numbers of a country; `None`: a number of no country."""
        return self.covers is None or region in self.covers

    @property
    def rules_anything(self) -> bool:
        """Whether it has any rule at all; `none` has not."""
        return bool(
            self.covers is not None
            or self.calendars is not None
            or self.caps
            or self.min_gap is not None
            or self.consent_required
            or self.register_required
            or self.register_max_age is not None
            or self.refusal_is_final
            or self.caller_prefixes
        )

    @property
    def needs_zone(self) -> bool:
        """Whether it asks what the called person's clock shows."""
        return self.calendars is not None or any(
            cap.zone is None and cap.unit != "hours" for cap in self.caps
        )

    def calendar_of(self, region: str | None) -> Calendar | None:
        """When calls to a country may start; `None`: always."""
        return None if self.calendars is None else self.calendars.of(region)


@attrs.define(eq=False)
class Calendars:
    """A calendar for each country, made once: the pack's own, less what is local.

    Attributes:
        base: What holds in all of them.
        weekends: Whether nobody is called on a country's weekend.
        holidays: A country's public holidays, on which nobody is called; `None`: they are not
            asked for.
    """

    base: Calendar
    weekends: bool = False
    holidays: Callable[[str | None], Mapping[date, str]] | None = None
    _made: dict[str | None, Calendar] = attrs.field(factory=dict, init=False)

    def of(self, region: str | None) -> Calendar:
        """When calls to a country may start."""
        if not self.weekends and self.holidays is None:
            return self.base
        found = self._made.get(region)
        if found is None:
            found = self._made[region] = attrs.evolve(
                self.base,
                weekend=weekend_of(region) if self.weekends else frozenset(),
                holidays={} if self.holidays is None else self.holidays(region),
            )
        return found
