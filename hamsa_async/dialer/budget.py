"""What a campaign may spend over its whole life, and what it has: calls and money. Pure.

The ceiling of the cost holds whatever becomes of what is open. An attempt that may have rung
costs what its conversation says, else its talk in *started* minutes (whoever bills by the second
charges less), and as long as neither is known the longest that its call can last. So what is
spent only falls while calls end, and a call is placed only where its own longest still fits.
Absence is believed, never proved, so it frees nothing.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Self

import attrs

from hamsa_async.dialer.clocks import clock_of, midnight
from hamsa_async.dialer.machine import LONGEST_CALL
from hamsa_async.errors import ConfigurationError

_NOBODY_SPOKE: Final = frozenset({"failed", "no_answer"})
_NOTHING: Final = Decimal(0)
_MINUTE: Final = 60


def as_amount(given: Decimal | float | str | None) -> Decimal | None:
    """An amount of money, exactly as it is written; not a number where it is none."""
    if given is None or isinstance(given, Decimal):
        return given
    try:
        return Decimal(str(given).strip())
    except InvalidOperation:
        return Decimal("NaN")


def started_minutes(seconds: float) -> int:
    """Talk in started minutes: none for nothing, 1 for a second, 2 for 61."""
    return math.ceil(seconds / _MINUTE)


def cost_of(
    outcome: str | None, cost: float | None, duration: float | None, price: Decimal | None
) -> Decimal | None:
    """What a call that has ended cost.

    Args:
        outcome: How it ended: the API's last status in lower case.
        cost: What its conversation says, where it says something.
        duration: Seconds of talk, where they are known.
        price: The price of a minute, where there is one.

    Returns:
        The cost; `None`: nobody knows.
    """
    if cost is not None and math.isfinite(cost) and cost >= 0:
        return Decimal(str(cost))
    if price is None:
        return None
    if duration is None or not math.isfinite(duration):
        return _NOTHING if outcome in _NOBODY_SPOKE else None
    return started_minutes(max(duration, 0.0)) * price


@attrs.frozen(kw_only=True)
class EndedCalls:
    """Calls that have ended, and are alike in what is known of their cost."""

    calls: int
    outcome: str | None = None
    cost: float | None = None
    """Of one of them, as its conversation says."""
    duration: float | None = None
    """Seconds."""
    longest: timedelta | None = None
    """How long one can have lasted, where nothing else is known."""


@attrs.frozen(kw_only=True)
class CallsMade:
    """A campaign's attempts that may have rung."""

    calls: int
    since: int = 0
    """Of these, the ones that were begun since the moment that was asked for."""
    ended: Sequence[EndedCalls] = ()
    open: Mapping[str, timedelta | None] = attrs.field(factory=dict)
    """Attempts whose end is not known, and how long the call of each can last."""


@attrs.frozen(kw_only=True)
class Budget:
    """What a campaign may spend; what is `None` is not limited.

    Raises:
        ConfigurationError: A value cannot work.
    """

    max_calls: int | None = None
    max_calls_per_day: int | None = None
    zone: str | None = None
    """Whose midnight begins a day, as an IANA name."""
    max_cost: Decimal | None = attrs.field(default=None, converter=as_amount)
    """In the unit of the costs that the API tells."""
    price_per_minute: Decimal | None = attrs.field(default=None, converter=as_amount)
    """What a started minute costs, in the same unit."""

    def __attrs_post_init__(self) -> None:
        for name in ("max_calls", "max_calls_per_day"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value is True or value < 1):
                raise ConfigurationError(f"{name} must be a whole number, 1 or more")
        for name in ("max_cost", "price_per_minute"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value > 0):
                raise ConfigurationError(f"{name} must be an amount of more than 0, such as 12.50")
        if self.max_cost is not None and self.price_per_minute is None:
            raise ConfigurationError(
                "max_cost needs price_per_minute (--price-per-minute): a call that is open counts"
                " at its longest"
            )
        if self.max_calls_per_day is not None and self.zone is None:
            raise ConfigurationError(
                "max_calls_per_day needs budget_zone (--budget-zone): whose midnight begins a day,"
                " such as Asia/Dubai"
            )
        if self.max_calls_per_day is None and self.zone is not None:
            raise ConfigurationError(
                "budget_zone is for max_calls_per_day (--max-calls-per-day): how many calls a day?"
            )
        if self.zone is not None:
            try:
                clock_of(self.zone)
            except LookupError as error:
                raise ConfigurationError(f"budget_zone: {error}") from None

    def __bool__(self) -> bool:
        """Whether there is anything to count for."""
        return any(each is not None for each in attrs.astuple(self))

    def day_of(self, now: datetime) -> tuple[datetime, datetime] | None:
        """When the day of its zone began and when the next one begins (UTC), if it counts days."""
        if self.zone is None:
            return None
        zone = clock_of(self.zone)
        today = now.astimezone(zone).date()
        return midnight(today, zone), midnight(today + timedelta(days=1), zone)

    def most(self, longest: timedelta | None) -> Decimal:
        """What a call can cost that lasts so long; nothing where there is no price."""
        price = self.price_per_minute
        if price is None:
            return _NOTHING
        return started_minutes((longest or LONGEST_CALL).total_seconds()) * price

    def as_json(self) -> dict[str, Any]:
        """The same as JSON; amounts are texts, which keep every digit."""
        return {
            "max_calls": self.max_calls,
            "max_calls_per_day": self.max_calls_per_day,
            "zone": self.zone,
            "max_cost": _text(self.max_cost),
            "price_per_minute": _text(self.price_per_minute),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self:
        """What `as_json` gave; no budget where nothing was kept."""
        return cls(**(kept or {}))


def ended_cost(made: CallsMade, budget: Budget) -> Decimal:
    """What those calls cost together that have ended, as far as it is known."""
    costs = ((each, _cost_of_each(each, budget)) for each in made.ended)
    return sum((cost * each.calls for each, cost in costs if cost is not None), _NOTHING)


def _cost_of_each(calls: EndedCalls, budget: Budget) -> Decimal | None:
    return cost_of(calls.outcome, calls.cost, calls.duration, budget.price_per_minute)


@attrs.frozen(kw_only=True)
class Refusal:
    """Why one more call does not fit."""

    budget: str
    """Which budget: the name of its field."""
    what: str
    """What was made of it."""
    until: datetime | None = None
    """From when on it does; `None`: no time changes it."""
    freed_by_ends: bool = False
    """Whether the ends of calls that are open may make room."""

    @property
    def reason(self) -> str:
        """Both, for people."""
        return f"{self.budget}: {self.what}"


@attrs.frozen(kw_only=True)
class Spent:
    """What was spent of a budget, as of a moment."""

    budget: Budget
    calls: int
    calls_today: int | None
    """`None`: days are not counted."""
    cost: Decimal | None
    """Of the calls whose cost is known; `None`: without a price it is not counted."""
    cost_at_most: Decimal | None
    """The same with all others at their longest."""

    def as_json(self) -> dict[str, Any]:
        """The same as JSON; amounts are texts, which keep every digit."""
        return {
            "calls": self.calls,
            "calls_today": self.calls_today,
            "cost": _text(self.cost),
            "cost_at_most": _text(self.cost_at_most),
        }

    def __str__(self) -> str:
        budget = self.budget
        parts = [_of(f"{self.calls}", budget.max_calls, "calls")]
        if self.calls_today is not None:
            today = _of(f"{self.calls_today}", budget.max_calls_per_day, "today")
            parts.append(f"{today} ({budget.zone})")
        if self.cost is not None:
            most = "" if self.cost == self.cost_at_most else f", at most {self.cost_at_most}"
            parts.append(_of(f"cost {self.cost}{most}", budget.max_cost, ""))
        return "; ".join(parts)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _of(made: str, most: object, what: str) -> str:
    return " ".join(filter(None, (made, "" if most is None else f"of {most}", what)))


@attrs.define(eq=False)
class Spending:
    """What a campaign has spent, kept up from attempt to attempt.

    It begins with what the journal counts (`recount`), and may be counted anew whenever nobody
    is in hand: then nothing of what was read can have grown meanwhile.

    Attributes:
        budget: What it may spend.
    """

    budget: Budget
    _calls: int = attrs.field(default=0, init=False)
    _days: Counter[datetime] = attrs.field(factory=Counter, init=False)
    _since: datetime = attrs.field(default=datetime.max.replace(tzinfo=UTC), init=False)
    _cost: Decimal = attrs.field(default=_NOTHING, init=False)
    _open: Decimal = attrs.field(default=_NOTHING, init=False)
    _held: dict[str, Decimal] = attrs.field(factory=dict, init=False)

    def recount(self, made: CallsMade, now: datetime) -> None:
        """Take the journal's word, which counted since the day of `now` began."""
        self._calls = made.calls
        day = self.budget.day_of(now)
        if day is not None:
            self._since = day[0]
            self._days = Counter({day[0]: made.since})
        self._cost, self._open = ended_cost(made, self.budget), _NOTHING
        self._held = {}
        for each in made.ended:
            if _cost_of_each(each, self.budget) is None:
                self._open += self.budget.most(each.longest) * each.calls
        for attempt_id, longest in made.open.items():
            self.take(attempt_id, longest)

    def take(self, attempt_id: str, longest: timedelta | None) -> None:
        """Keep back what the call of an attempt can cost."""
        if self.budget.price_per_minute is not None:
            most = self.budget.most(longest)
            self._held[attempt_id] = most
            self._open += most

    def leave(self, attempt_id: str) -> None:
        """An attempt was not made, or provably became no call."""
        self._open -= self._held.pop(attempt_id, _NOTHING)

    def made(self, intended_at: datetime) -> None:
        """An attempt may have rung."""
        self._calls += 1
        day = self.budget.day_of(intended_at)
        if day is not None:
            self._days[day[0]] += 1

    def ended(
        self, attempt_id: str, outcome: str, cost: float | None, duration: float | None
    ) -> None:
        """A call has ended. One for which nothing is kept back was counted as ended already."""
        known = cost_of(outcome, cost, duration, self.budget.price_per_minute)
        if known is not None and attempt_id in self._held:
            self.leave(attempt_id)
            self._cost += known

    def refusal(
        self, longest: timedelta | None, now: datetime, *, in_hand: int = 0
    ) -> Refusal | None:
        """Why one more call does not fit, if it does not.

        Args:
            longest: How long it can last.
            now: What time it is.
            in_hand: Attempts that are being made, of which each may ring.
        """
        budget, day = self.budget, self.budget.day_of(now)
        if budget.max_calls is not None and self._calls + in_hand >= budget.max_calls:
            return Refusal(budget="max_calls", what=f"{self._calls} were made")
        if budget.max_cost is not None:
            most = budget.most(longest)
            if self._cost + self._open + most > budget.max_cost:
                return Refusal(
                    budget="max_cost",
                    what=(
                        f"up to {self._cost + self._open} of {budget.max_cost} is spent,"
                        f" and a call can cost {most}"
                    ),
                    freed_by_ends=self._cost + most <= budget.max_cost,
                )
        if day is not None and budget.max_calls_per_day is not None:
            today = self._today(day[0])
            # Before the day that was counted: the clock was set back, so count again.
            if today is None or today + in_hand >= budget.max_calls_per_day:
                return Refusal(
                    budget="max_calls_per_day",
                    what=f"{today or 0} were made today in {budget.zone}",
                    until=day[1],
                )
        return None

    def used_up(self, now: datetime) -> Refusal | None:
        """Why no call fits any more, however short, and whatever time passes or call ends."""
        refusal = self.refusal(timedelta(0), now)
        passes = refusal is not None and (refusal.until is not None or refusal.freed_by_ends)
        return None if passes else refusal

    def spent(self, now: datetime) -> Spent:
        """What was spent by now."""
        day, counts_money = self.budget.day_of(now), self.budget.price_per_minute is not None
        return Spent(
            budget=self.budget,
            calls=self._calls,
            calls_today=None if day is None else self._today(day[0]),
            cost=self._cost if counts_money else None,
            cost_at_most=self._cost + self._open if counts_money else None,
        )

    def _today(self, begins: datetime) -> int | None:
        """Calls since then; `None` where they were not counted from so early on."""
        if begins < self._since:
            return None
        return sum(calls for day, calls in tuple(self._days.items()) if day >= begins)
