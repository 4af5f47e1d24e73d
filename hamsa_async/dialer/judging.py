"""One record of a contact list -> one `Row`: is this person to be called, and if not, why.

Pure: no file, no clock and no other row. A bad record is a row with the state `invalid`, so
that the counts add up.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from hamsa_async.dialer.campaign import HAMSA_DEFAULT
from hamsa_async.dialer.columns import PHONE, trim
from hamsa_async.dialer.contacts import HIGHEST, MOST_ATTEMPTS, Row, RowState
from hamsa_async.dialer.flags import read_flag
from hamsa_async.dialer.json_native import is_json
from hamsa_async.dialer.numbers import NumberFault, NumberProblem, normalise, region_of
from hamsa_async.dialer.zones import is_zone
from hamsa_async.errors import ConfigurationError


class Verdict(Exception):  # noqa: N818  a verdict on one row, not an error
    """Why a row is not to be called."""

    def __init__(
        self, state: RowState, reason: str, detail: str, column: str | None = None
    ) -> None:
        super().__init__(reason)
        self.state: RowState = state
        self.reason = reason
        self.detail = detail
        self.column = column
        """The reserved name or the param of the column at fault, where it is one."""


def invalid(reason: str, detail: str, column: str | None = None) -> Verdict:
    """The verdict that the row itself is wrong."""
    return Verdict("invalid", reason, detail, column)


@attrs.define(kw_only=True)
class Record:
    """What a row says, before it is judged.

    Attributes:
        number: The phone number as given, of any type.
        fields: The reserved columns, by name; a missing one was not given.
        params: What the agent would be told.
        headers: The header as written of each reserved column.
        line: Where it begins in its file.
        text: What stands there, where it could not be taken apart.
        fault: What was wrong with the record already when it was taken apart.
        foreign: Whether its values may be other than JSON's (a file's never are).
    """

    number: Any
    fields: dict[str, Any]
    params: dict[str, Any]
    headers: Mapping[str, str] = attrs.field(factory=dict)
    line: int | None = None
    text: str | None = None
    fault: Verdict | None = None
    foreign: bool = False


def judge(row: int, record: Record, region: str | None) -> Row:
    """Make the row of a record. The first thing that is wrong, in this order, is its reason."""
    number = _written(record.number)
    from_number = due_at = expires_at = timezone = consent = consent_at = None
    priority = max_attempts = None
    state: RowState = "pending"
    reason = detail = column = text = None
    strange = _drop_strange(record) if record.foreign else None
    fields = record.fields
    try:
        if record.fault is not None:
            raise record.fault
        region = _region(fields, region)
        number = _number(record.number, number, region)
        consent = _willing(fields)
        from_number = _from_number(fields, region)
        timezone = _timezone(fields)
        due_at, expires_at = _times(fields)
        consent_at = _moment(fields, "consent_at")
        priority = _count(fields, "priority", HIGHEST)
        max_attempts = _count(fields, "max_attempts", MOST_ATTEMPTS)
        if strange is not None:
            detail = f"The value of {strange!r} is nothing that JSON can hold."
            raise invalid("bad_param", detail, strange)
        if due_at is not None:
            state, reason = "deferred", "not_before"
            detail = "The row says not to call before a time."
    except NumberProblem as problem:
        state, reason, detail = "invalid", problem.code.value, problem.code.sentence
        column, text = PHONE, number
    except Verdict as verdict:
        state, reason, detail = verdict.state, verdict.reason, verdict.detail
        column, text = verdict.column, _text_at(record, verdict.column)
    return Row(
        row=row,
        phone_number=number,
        contact_id=_text(fields, "contact_id"),
        params=record.params,
        state=state,
        reason=reason,
        detail=detail,
        from_number=from_number,
        agent_id=_text(fields, "agent_id"),
        due_at=due_at,
        expires_at=expires_at,
        timezone=timezone,
        consent=consent,
        consent_at=consent_at,
        consent_source=_text(fields, "consent_source"),
        priority=priority,
        max_attempts=max_attempts,
        line=record.line,
        column=None if column is None else record.headers.get(column, column),
        text=text,
    )


def _text_at(record: Record, column: str | None) -> str | None:
    """What stands in the column at fault, as written."""
    if column is None:
        return record.text
    given = record.fields.get(column, record.params.get(column))
    return None if given is None else str(given)


def _written(number: object) -> str:
    """What was given as the phone number, whatever it is, as a text that can be stored."""
    if isinstance(number, str):
        return number.encode("utf-8", "backslashreplace").decode()
    if number is None:
        return ""
    return str(number) if _may_be_number(number) else f"({type(number).__name__})"


def _may_be_number(given: object) -> bool:
    # The text of other types would be searched for digits: "['+9715...']" has a number in it.
    if isinstance(given, bool):
        return False
    return given is None or (isinstance(given, str | int | float) and is_json(given))


def _number(given: object, written: str, region: str | None) -> str:
    if not _may_be_number(given):
        raise NumberProblem(NumberFault.NOT_A_NUMBER, written)
    return normalise(written, country=region)


def _region(fields: Mapping[str, Any], default: str | None) -> str | None:
    country = _text(fields, "country")
    if country is None:
        return default
    try:
        return region_of(country)
    except ConfigurationError:
        detail = "The country is not a two-letter ISO code such as AE, SA or GB."
        raise invalid("bad_country", detail, "country") from None


def _from_number(fields: Mapping[str, Any], region: str | None) -> str | None:
    given = _text(fields, "from_number")
    if given is None or given == HAMSA_DEFAULT:
        return given
    try:
        return normalise(given, country=region)
    except NumberProblem as problem:
        detail = f"The number to call from is none that can be used. {problem.code.sentence}"
        raise invalid("bad_from_number", detail, "from_number") from None


def _willing(fields: Mapping[str, Any]) -> bool | None:
    """Whether the person agreed to be called.

    Raises:
        Verdict: They did not, or asked not to be called.
    """
    if _flag(fields, "dnc"):
        raise Verdict("skipped", "dnc", "The list says not to call this person (dnc).")
    consent = _flag(fields, "consent")
    if consent is False:
        raise Verdict("skipped", "no_consent", "The list says that this person did not consent.")
    return consent


def _timezone(fields: Mapping[str, Any]) -> str | None:
    name = _text(fields, "timezone")
    if name is not None and not is_zone(name):
        detail = "The time zone is no IANA name such as Asia/Dubai."
        raise invalid("bad_timezone", detail, "timezone")
    return name


def _flag(fields: Mapping[str, Any], name: str) -> bool | None:
    given = fields.get(name)
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str) and not trim(given):
        return None
    flag = read_flag(given)
    if flag is None:
        raise invalid("bad_flag", f"The value of {name!r} is neither yes nor no.", name)
    return flag


def _times(fields: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    due_at, expires_at = _moment(fields, "not_before"), _moment(fields, "not_after")
    if due_at is not None and expires_at is not None and due_at >= expires_at:
        raise invalid("bad_time", "not_before does not lie before not_after.", "not_after")
    return due_at, expires_at


def _moment(fields: Mapping[str, Any], name: str) -> datetime | None:
    given = fields.get(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    try:
        return _in_utc(given)
    except (ValueError, OverflowError, AttributeError, TypeError):
        detail = f"{name} is not an ISO time with an offset, such as 2027-01-31T09:00:00+04:00."
        raise invalid("bad_time", detail, name) from None


def _in_utc(given: Any) -> datetime:
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(trim(given))
    if moment.utcoffset() is None:
        raise ValueError("no offset")
    return moment.astimezone(UTC)


def _count(fields: Mapping[str, Any], name: str, most: int) -> int | None:
    """A whole number from 1. A spreadsheet may have written it as `5.0`."""
    given = fields.get(name)
    text = "" if given is None else trim(str(given))
    if not text:
        return None
    whole = text.removesuffix(".0")
    # As many digits as can be meant: int() takes very long over very many.
    if isinstance(given, bool) or not whole.isdecimal() or len(whole) > len(str(most)):
        count = 0
    else:
        count = int(whole)
    if not 1 <= count <= most:
        raise invalid(f"bad_{name}", f"{name} is no whole number from 1 to {most}.", name)
    return count


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    given = fields.get(name)
    return None if given is None else trim(str(given)) or None


_TIMES: Final = frozenset({"not_before", "not_after", "consent_at"})


def _drop_strange(record: Record) -> str | None:
    """Take out what JSON cannot hold, and name the first of it."""
    strange = [
        name
        for name, value in record.params.items()
        if not (isinstance(name, str) and is_json(name, value))
    ]
    for name in strange:
        del record.params[name]
    odd = [
        name
        for name, value in record.fields.items()
        if name not in _TIMES and (not is_json(value) or isinstance(value, list | dict))
    ]
    for name in odd:
        del record.fields[name]
    return next((str(name) for name in (*odd, *strange)), None)
