"""The values of a contact list: who is to be called, and what a list's row came to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.dialer.columns import NAME, REFERENCE
from hamsa_async.errors import ConfigurationError

HIGHEST: Final = 100
"""The highest priority that a contact can have; 1 is the lowest, and none comes after it."""

MOST_ATTEMPTS: Final = 100
"""The most attempts that a row can ask for."""

RowState = Literal["pending", "deferred", "invalid", "skipped", "expired"]
"""What a row can be when it is staged. (`expired` is the journal's to say: it has the clock.)"""


def _mask(number: str | None) -> str:
    return repr(number if number is None else mask_number(number))


def _is_aware(_contact: object, attribute: "attrs.Attribute[Any]", moment: datetime | None) -> None:
    if moment is not None and moment.utcoffset() is None:
        raise ConfigurationError(f"{attribute.name} needs a time zone: {moment.isoformat()}")


def _is_text(_contact: object, attribute: "attrs.Attribute[Any]", text: object) -> None:
    if text is not None and not isinstance(text, str):
        raise ConfigurationError(f"{attribute.name} must be a string, not {type(text).__name__}")


def _is_count(_contact: object, attribute: "attrs.Attribute[Any]", count: object) -> None:
    most = HIGHEST if attribute.name == "priority" else MOST_ATTEMPTS
    if count is None:
        return
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= most:
        raise ConfigurationError(f"{attribute.name} must be a whole number from 1 to {most}")


def _optional_text() -> Any:
    return attrs.field(default=None, validator=_is_text)


@attrs.frozen(kw_only=True)
class Contact:
    """One person to be called, as the caller of the library gives it.

    The number is kept as given; it is judged when the list is read. `repr` masks numbers and
    shows neither name nor params.

    Attributes:
        phone_number: The number as written; without `+` it needs a country.
        contact_id: The caller's own id of this person.
        name: Passed to the agent as the param `name`.
        params: What the agent is told about this person: JSON-native values.
        from_number: The number to call from, where it is not the campaign's.
        agent_id: The agent that calls, where it is not the campaign's.
        country: ISO alpha-2 code for a number without `+`, where it is not the list's.
        timezone: IANA name of the person's time zone, where their number does not tell it.
        not_before: No call before this moment (aware).
        not_after: No call after this moment (aware).
        dnc: Never call: this person asked not to be called.
        consent: Whether the person agreed to be called; `None` where nobody knows.
        consent_at: When they agreed (aware).
        consent_source: Where that is noted.
        priority: 1 to 100: higher ones are called first, and those without one last.
        max_attempts: The most attempts that this person gets; the campaign's may be fewer.

    Raises:
        ConfigurationError: A value has the wrong type, a moment has no time zone, or `params`
            uses the reserved key or contradicts `name`.
    """

    phone_number: str = attrs.field(repr=_mask)
    contact_id: str | None = _optional_text()
    name: str | None = attrs.field(default=None, validator=_is_text, repr=False)
    params: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    from_number: str | None = attrs.field(default=None, validator=_is_text, repr=_mask)
    agent_id: str | None = _optional_text()
    country: str | None = _optional_text()
    timezone: str | None = _optional_text()
    not_before: datetime | None = attrs.field(default=None, validator=_is_aware)
    not_after: datetime | None = attrs.field(default=None, validator=_is_aware)
    dnc: bool = attrs.field(default=False)
    consent: bool | None = attrs.field(default=None)
    consent_at: datetime | None = attrs.field(default=None, validator=_is_aware)
    consent_source: str | None = _optional_text()
    priority: int | None = attrs.field(default=None, validator=_is_count)
    max_attempts: int | None = attrs.field(default=None, validator=_is_count)

    @phone_number.validator
    def _number_is_text(self, _attribute: object, number: object) -> None:
        if not isinstance(number, str):
            raise ConfigurationError(f"phone_number must be a string, not {type(number).__name__}")

    @params.validator
    def _params_fit(self, _attribute: object, params: object) -> None:
        if not isinstance(params, Mapping):
            raise ConfigurationError(f"params must be a mapping, not {type(params).__name__}")
        if REFERENCE in params:
            raise ConfigurationError(f"the param {REFERENCE!r} is reserved for the dialer itself")
        if self.name is not None and params.get(NAME, self.name) != self.name:
            raise ConfigurationError("name and params['name'] differ: give one of them")

    @dnc.validator
    @consent.validator
    def _is_flag(self, attribute: "attrs.Attribute[Any]", flag: object) -> None:
        if not (isinstance(flag, bool) or (flag is None and attribute.name == "consent")):
            raise ConfigurationError(f"{attribute.name} must be True or False, not {flag!r}")


@attrs.frozen(kw_only=True)
class Row:
    """One row of a contact list, judged by itself: what the journal stages.

    No clock and no other row has been looked at: duplicates and expiry are the journal's.

    Attributes:
        row: Its position in the list from 1; header and blank rows are not counted.
        phone_number: E.164 where it is a number, else the original text.
        contact_id: The caller's own id of this person.
        params: What the agent is told; JSON-native.
        state: `pending`, `deferred` (until `due_at`), `skipped` or `invalid`.
        reason: A stable code for every state but `pending`.
        detail: The same as a sentence for people, without number, name or param.
        from_number: The number to call from, where it is not the campaign's.
        agent_id: The agent that calls, where it is not the campaign's.
        due_at: No call before this moment (UTC).
        expires_at: No call after this moment (UTC).
        timezone: IANA name of the person's time zone, where the list gives it.
        consent: Whether the person agreed to be called; `None` where the list does not say.
        consent_at: When they agreed (UTC).
        consent_source: Where that is noted.
        priority: 1 to 100, the highest first; `None`: after all that have one.
        max_attempts: The most attempts that the list gives this person.
        line: Where the row begins in its file: its line, or its row in a sheet, from 1.
        column: The header below which something is wrong, where one column is at fault.
        text: What stands there, as written.
    """

    row: int
    phone_number: str = attrs.field(repr=_mask)
    contact_id: str | None = None
    params: dict[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    state: RowState = attrs.field(
        default="pending", validator=attrs.validators.in_(get_args(RowState))
    )
    reason: str | None = None
    detail: str | None = None
    from_number: str | None = attrs.field(default=None, repr=_mask)
    agent_id: str | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    timezone: str | None = None
    consent: bool | None = None
    consent_at: datetime | None = None
    consent_source: str | None = None
    priority: int | None = None
    max_attempts: int | None = None
    line: int | None = None
    column: str | None = None
    text: str | None = attrs.field(default=None, repr=False)
