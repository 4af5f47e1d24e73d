"""Requests for any operation of the table: an id in the path, a query, a body."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import attrs

from hamsa_async._operations import CALL_FROM_NUMBER, Operation
from hamsa_async._wire import Request, build_call, decode, encode
from hamsa_async._writing import moment
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.calls import CallRequest

_PATH_PART: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)

Query = Mapping[str, Any]
"""By the API's names. `None` is left out; a list repeats its name."""


def build(
    operation: Operation,
    *,
    id: str | None = None,  # noqa: A002 - it is what the path calls it
    query: Query | None = None,
    body: Mapping[str, Any] | None = None,
    accept: str = "application/json",
) -> Request:
    """Build a request of an operation.

    Args:
        operation: What is asked.
        id: The id in the path, where there is one.
        query: What stands behind the path.
        body: JSON, by the API's names.
        accept: Which kinds of answers are understood.

    Raises:
        ConfigurationError: `id` would leave its place in the path, a value of `query` has no
            text form, or `body` holds something that JSON cannot.
    """
    path = operation.path
    if "{id}" in path:
        path = path.format(id=_checked(id))
    pairs = list(_pairs(query or {}))
    if pairs:
        path = f"{path}?{urlencode(pairs, quote_via=quote)}"
    return Request(
        operation=operation,
        path=path,
        body=None if body is None else encode(body),
        accept=accept,
    )


def _checked(part: object) -> str:
    if not isinstance(part, str) or not _PATH_PART.fullmatch(part):
        raise ConfigurationError("id must be an id as the API gives it: letters, digits and - only")
    return part


def needed(value: str, name: str) -> str:
    """Take a text that a query must have.

    Raises:
        ConfigurationError: It is none, or empty.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a text that is not empty")
    return value


def build_call_from_number(request: CallRequest) -> Request:
    """Turn a call request into the POST of the route for registered numbers.

    Raises:
        ConfigurationError: It has no caller number, or a webhook, which goes into the inline or
            saved agent here; or it holds something that JSON cannot.
    """
    if request.from_number is None:
        raise ConfigurationError("from_number must be given on this route")
    if request.webhook_url is not None:
        raise ConfigurationError("this route takes a webhook from the agent only")
    call = build_call(request)
    assert call.body is not None
    body = decode(call.body)
    body["phoneNumber"] = body.pop("fromNumber")
    if "voiceAgentId" in body:
        body.setdefault("params", {})  # the page calls it required
    return attrs.evolve(
        call, operation=CALL_FROM_NUMBER, path=CALL_FROM_NUMBER.path, body=encode(body)
    )


def _pairs(query: Query) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        if value is None:
            continue
        several = isinstance(value, Sequence) and not isinstance(value, str)
        for item in value if several else (value,):
            yield name, _text(name, item)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return str(value)
    raise ConfigurationError(f"{name} must be a text or a whole number, not {type(value).__name__}")


def epoch_ms(value: datetime | None, name: str) -> int | None:
    """Write a moment as the API's filters take it: whole milliseconds since 1970, rounded down.

    Raises:
        ConfigurationError: It is no datetime, or has no time zone.
    """
    return None if value is None else (moment(value, name) - _EPOCH) // timedelta(milliseconds=1)


def iso(value: datetime, name: str) -> str:
    """Write a moment as ISO 8601 in UTC.

    Raises:
        ConfigurationError: It is no datetime, or has no time zone.
    """
    return moment(value, name).isoformat(timespec="milliseconds").replace("+00:00", "Z")
