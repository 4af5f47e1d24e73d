"""What a campaign is: its settings, validated when made."""

import enum
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from hamsa_async._urls import check_url
from hamsa_async.dialer.budget import Budget, as_amount
from hamsa_async.dialer.callers import caller_for
from hamsa_async.dialer.columns import REFERENCE
from hamsa_async.dialer.journal.records import SINGLE_CALLS
from hamsa_async.dialer.opt_out import DNC_FIELD, REFUSAL_FIELD, is_field, read_refusal_field
from hamsa_async.dialer.policy import Policy, read_policy
from hamsa_async.dialer.retries import DEFAULT_ROWS, Retries
from hamsa_async.errors import ConfigurationError

HAMSA_DEFAULT: Final = "hamsa-default"
"""As `from_number`: take the API's own fallback number, knowingly. It is a foreign one."""

LIVE_CALLS: Final = 10
"""The most live calls, where nothing else is said."""

MAX_ATTEMPTS: Final = 5
"""The most attempts that a contact gets, where nothing else is said."""

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


def _as_rows(rows: Iterable[str]) -> tuple[str, ...]:
    return tuple(rows)


def _check_text(_instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        msg = f"a campaign's {attribute.name} must be a text that is not empty"
        raise ConfigurationError(msg)


def _check_field(_instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    _check_text(_instance, attribute, value)
    if not is_field(value):
        raise ConfigurationError(
            f"dnc field {value!r} is no field of an outcome, such as do_not_call or wishes.stop"
        )


class Delivery(enum.StrEnum):
    """What a campaign promises about those whose call may or may not have been made."""

    AT_MOST_ONCE = "at_most_once"
    """Nobody is called again on the mere belief that there was no call."""
    RECONCILED = "reconciled"
    """Where two looks agree that there was no call, and nothing speaks against them, there was
    none. A call that the list shows later still has rung all the same."""


def _callers(given: str | Iterable[str] | None) -> str | tuple[str, ...] | None:
    if given is None or isinstance(given, str):
        return given
    callers = tuple(dict.fromkeys(given))
    return callers if len(callers) > 1 else callers[0] if callers else None


def _policies(given: str | Iterable[str]) -> str | tuple[str, ...]:
    if isinstance(given, str):
        return given
    policies = tuple(given)
    return policies[0] if len(policies) == 1 else policies


def _is_caller(number: object) -> bool:
    return isinstance(number, str) and (number == HAMSA_DEFAULT or bool(_E164.fullmatch(number)))


@attrs.frozen(kw_only=True)
class Campaign:
    """A contact list's worth of calls by one agent.

    `rate`, `canary`, `ramp`, `concurrency`, `live_calls`, `lag`, `sweep`, `webhook_url`, `breaker`
    and what makes up the `budget` are dials of a run: they may differ from run to run. All other
    settings belong to the campaign, and a run with others must accept the change.

    Raises:
        ConfigurationError: A value cannot work.
    """

    name: str = attrs.field(validator=_check_text)
    """Names the campaign in its journal; running a name again resumes it."""

    voice_agent_id: str = attrs.field(validator=_check_text)
    """The saved agent that speaks. A row's `agent_id` overrides it."""

    from_number: str | tuple[str, ...] | None = attrs.field(default=None, converter=_callers)
    """The caller number, E.164, or `HAMSA_DEFAULT`. Several are used in turn, one person always
    seeing the same one. A row's `from_number` overrides it. `None` is good only where every row
    has its own, or the server is on this machine."""

    policy: str | tuple[str, ...] = attrs.field(default="none", converter=_policies)
    """The packs to dial by, by name or as the file of one (`own.toml`); of several the strictest
    wins. `none`: no rule but the safety ones."""

    dnc_field: str = attrs.field(default=DNC_FIELD, validator=_check_field)
    """The field of a call's outcome that says that the person is not to be called again: they
    are put on the do-not-call list at once. Dots lead into objects."""

    refusal_field: str = attrs.field(default=REFUSAL_FIELD, validator=_check_text)
    """The field of a call's outcome that says that the person declined, alone or with the values
    that do (`interest=none,not now`). They are not tried again, and a pack by which a refusal is
    final has nobody call them again."""

    params: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """Params for every call; a row's own win."""

    country: str | None = None
    """ISO code (`AE`) of numbers that are written without their country code."""

    rate: float | None = 1.0
    """Call starts per second, evenly spaced; `None`: unpaced."""

    canary: int | None = None
    """How many calls are made first and looked at before anybody else is called; 0: none. `None`
    is 5, and none where the rate is unpaced or the server is on this machine. A campaign that has
    passed its canary is not asked again, as long as agent, its texts, caller numbers and params
    are the same."""

    ramp: bool | None = None
    """Whether the rate begins at one a second and doubles with each clean minute up to `rate`, and
    429s lower it; see `hamsa_async.dialer.ramp`. `None`: it does, but where the rate is unpaced or
    the server is on this machine."""

    concurrency: int = 5
    """Requests in flight at the API's door, not conversations."""

    live_calls: int | None = attrs.field(
        default=attrs.Factory(
            lambda self: None if self.rate is None else LIVE_CALLS, takes_self=True
        )
    )
    """Calls that are placed and have not ended, at once. `None`: not capped, as it is by default
    where the rate is unpaced."""

    retries: Sequence[str] = attrs.field(default=DEFAULT_ROWS, converter=_as_rows)
    """Who is tried again, and when; see `hamsa_async.dialer.retries`. `()`: nobody."""

    delivery: str = "at_most_once"
    """What becomes of a contact whose call was looked for as well as can be, and not seen:
    `at_most_once` leaves it to a person, `reconciled` calls it again. See `Delivery`."""

    lag: timedelta = timedelta(minutes=15)
    """How late the list of calls may show one. Absence is believed of two looks this far apart;
    shorter is riskier."""

    webhook_url: str | None = None
    """Where the API is to send each call's events; `hamsa serve` takes them. HTTPS, or a host on
    this machine. Without it the ends of calls are seen in the list, only later."""

    max_calls: int | None = None
    """The most calls over the campaign's whole life, those that may have rung included. The run
    ends when they are made."""

    max_calls_per_day: int | None = None
    """The same for a day of `budget_zone`: when they are made the run waits for its midnight."""

    budget_zone: str | None = None
    """Whose midnight begins a day of the budget, as an IANA name (`Asia/Dubai`)."""

    max_cost: Decimal | None = attrs.field(default=None, converter=as_amount)
    """The most that the campaign may cost over its whole life, in the unit in which the API tells
    costs. No call is placed whose longest would exceed the rest; see
    `hamsa_async.dialer.budget`."""

    price_per_minute: Decimal | None = attrs.field(default=None, converter=as_amount)
    """What a started minute of a call costs, in the same unit: for calls whose cost the API does
    not tell, and for those that are open."""

    breaker: bool = True
    """Whether a run halts when too many of its last requests were refused or are in doubt, or of
    its last calls failed or were cut off; see `hamsa_async.dialer.breaker`. Where somebody is
    asked (`Dialer.run`) it is paused instead. And whether a canary of which half went wrong halts
    it, where nobody is asked."""

    sweep: bool = True
    """Whether the project's calls are looked at before the first dial, so that nobody is called
    whom others have called. A run that cannot look does not start."""

    max_attempts: int = MAX_ATTEMPTS
    """The most attempts that a contact gets, the first one included."""

    def __attrs_post_init__(self) -> None:
        if self.name == SINGLE_CALLS:
            msg = f"the name {SINGLE_CALLS} is that of single calls (hamsa call): choose another"
            raise ConfigurationError(msg)
        self._check_params()
        self.read_policy()
        if not all(map(_is_caller, self.callers)):
            msg = f"from_number must be an E.164 number (+971...) or {HAMSA_DEFAULT}"
            raise ConfigurationError(msg)
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            msg = "rate must be more than 0 call starts per second, or None for unpaced"
            raise ConfigurationError(msg)
        self._check_ramp()
        if self.webhook_url is not None:
            check_url(self.webhook_url, what="webhook_url")
        for name in ("concurrency", "live_calls", "max_attempts"):
            value = getattr(self, name)
            if value is None and name == "live_calls":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigurationError(f"{name} must be a whole number, 1 or more")
        if self.delivery not in set(Delivery):
            raise ConfigurationError(f"delivery must be {' or '.join(Delivery)}")
        if self.lag < timedelta(0):
            raise ConfigurationError("lag must not be negative")
        self.retry_table()
        read_refusal_field(self.refusal_field)
        _ = self.budget

    @property
    def budget(self) -> Budget:
        """What the campaign may spend."""
        return Budget(
            max_calls=self.max_calls,
            max_calls_per_day=self.max_calls_per_day,
            zone=self.budget_zone,
            max_cost=self.max_cost,
            price_per_minute=self.price_per_minute,
        )

    @property
    def policies(self) -> tuple[str, ...]:
        """The packs to dial by."""
        return self.policy if isinstance(self.policy, tuple) else (self.policy,)

    def read_policy(self) -> Policy:
        """The packs, read.

        Raises:
            ConfigurationError: There is no such pack, or it has a mistake.
        """
        return read_policy(self.policies)

    @property
    def callers(self) -> tuple[str, ...]:
        """The caller numbers that there are to choose from."""
        given = self.from_number
        return given if isinstance(given, tuple) else () if given is None else (given,)

    def caller_of(self, phone_number: str) -> str | None:
        """The caller number that this person sees, unless their row has one of its own."""
        return caller_for(phone_number, self.callers)

    def _check_ramp(self) -> None:
        canary = self.canary
        if canary is not None and (
            not isinstance(canary, int) or isinstance(canary, bool) or canary < 0
        ):
            raise ConfigurationError("canary must be a whole number, 0 or more")
        if self.rate is None and (canary or self.ramp):
            raise ConfigurationError("a canary and a ramp need a rate: unpaced there are none")

    def _check_params(self) -> None:
        if REFERENCE in self.params:
            raise ConfigurationError(f"the param {REFERENCE!r} is reserved for the dialer itself")
        try:
            json.dumps(dict(self.params), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"params hold what JSON cannot: {error}") from None

    def retry_table(self) -> Retries:
        """The rows of `retries`, read.

        Raises:
            ConfigurationError: One cannot be understood.
        """
        return Retries.read(self.retries, max_attempts=self.max_attempts)

    def settings(self) -> dict[str, Any]:
        """What belongs to the campaign and is kept in the journal, as JSON."""
        given = self.from_number
        return {
            "voice_agent_id": self.voice_agent_id,
            "from_number": list(given) if isinstance(given, tuple) else given,
            "policy": list(self.policy) if isinstance(self.policy, tuple) else self.policy,
            "params": dict(self.params),
            "country": self.country,
            "dnc_field": self.dnc_field,
            "refusal_field": self.refusal_field,
            "retries": list(self.retries),
            "max_attempts": self.max_attempts,
            "delivery": self.delivery,
        }


SETTINGS_SINCE: Final[Mapping[str, Any]] = {
    "dnc_field": DNC_FIELD,
    "refusal_field": REFUSAL_FIELD,
    "retries": list(DEFAULT_ROWS),
    "max_attempts": MAX_ATTEMPTS,
    "delivery": "at_most_once",
}
"""What a journal means that was written before there were these settings."""
