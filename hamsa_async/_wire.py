"""What goes over the wire, without the wire: values to requests, answers to values or errors.

Pure functions. Nothing here has a socket, a clock or a loop.
"""

import contextlib
import json
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

import attrs

from hamsa_async._converter import structure
from hamsa_async._masking import hide, mask_text, secrets_in
from hamsa_async._operations import CALL, Operation
from hamsa_async._values import Plain, frozen
from hamsa_async._version import __version__
from hamsa_async.errors import ConfigurationError, ResponseSchemaError
from hamsa_async.models.calls import REFERENCE_PARAM, Call, CallRequest
from hamsa_async.models.projects import Project
from hamsa_async.options import Answer

try:
    import orjson
except ImportError:  # the `speed` extra; the standard library serves as well, only slower
    orjson = None  # type: ignore[assignment, unused-ignore]

USER_AGENT: Final = f"hamsa-async/{__version__}"
_MESSAGE_LIMIT: Final = 200
_NOT_JSON: Final = object()
_HALF_A_CHARACTER: Final = re.compile(rb"\\u[dD][89a-fA-F]")  # or the half of a whole one
_REQUEST_ID_HEADERS: Final = ("x-request-id", "cf-ray", "x-amzn-requestid")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Request(Plain):
    """A request ready to be sent: everything but the server, the key and the connection."""

    operation: Operation
    path: str
    body: bytes | None = attrs.field(default=None, repr=False)
    reference: str | None = None
    to_number: str | None = attrs.field(default=None, repr=False)
    accept: str = "application/json"

    def __attrs_post_init__(self) -> None:
        # The body is what notes that a request was handed to a connection. Without one a write
        # could not be told from one that was never sent, and would be sent again.
        assert self.body or not self.operation.writes

    def secrets(self) -> set[str]:
        """What of it must not be shown when a server says it back to us."""
        found = secrets_in(decode(self.body)) if self.body else set()
        if self.to_number is not None:
            found |= {self.to_number, self.to_number.removeprefix("+")}
        return found


def request_id(answer: Answer) -> str | None:
    """The server's or the edge's own id of a request, for their support."""
    return next(
        (answer.headers[name] for name in _REQUEST_ID_HEADERS if name in answer.headers), None
    )


# -- requests


def build_call(request: CallRequest) -> Request:
    """Turn a call request into its POST.

    Raises:
        ConfigurationError: `params` or `agent_details` hold something that JSON cannot.
    """
    params: Mapping[str, Any] = request.params
    if request.reference is not None:
        params = {**params, REFERENCE_PARAM: request.reference}
    body: dict[str, Any] = {"toNumber": request.to_number}
    if request.from_number is not None:
        body["fromNumber"] = request.from_number
    if request.agent_details is None:
        body["voiceAgentId"] = request.voice_agent_id
        if params:
            body["params"] = dict(params)
    else:
        # `params` goes with a saved agent only; an inline one carries its own.
        inline = dict(request.agent_details)
        if params:
            inline["params"] = {**(inline.get("params") or {}), **params}
        body["agentDetails"] = inline
    if request.webhook_url is not None:
        body["webhookUrl"] = request.webhook_url
    if request.webhook_auth is not None:
        body["webhookAuth"] = {
            "authKey": request.webhook_auth.auth_key,
            "authSecret": request.webhook_auth.auth_secret,
        }
    return Request(
        operation=CALL,
        path=CALL.path,
        body=encode(body),
        reference=request.reference,
        to_number=request.to_number,
    )


def encode(value: Any) -> bytes:
    """Write JSON as UTF-8 bytes, the same with and without orjson.

    Raises:
        ConfigurationError: Something in `value` has no JSON form (a set, a datetime, NaN).
    """
    try:
        return _dump(value) if orjson is None else _dump_fast(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"not JSON: {mask_text(str(error))}") from None


def _dump(value: Any) -> bytes:
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_as_json
    ).encode()


def _dump_fast(value: Any) -> bytes:
    try:
        options = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
        body: bytes = orjson.dumps(value, default=_as_json, option=options)
    except TypeError:  # what it does not take may still be JSON: keys or whole numbers, say
        return _dump(value)
    # orjson writes NaN as null, and a call must not say what nobody meant.
    return _dump(value) if b"null" in body else body


def _as_json(value: object) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def decode(body: bytes) -> Any:
    """Read JSON. Half of a character in a text, as of an emoji that was cut, becomes a `?`.

    Raises:
        ValueError: It is not JSON.
    """
    if orjson is not None:
        # What it does not take may still be JSON to others: half of an emoji, say, where a
        # server cut a text. That must not cost the id of a call that rang.
        with contextlib.suppress(ValueError):
            return orjson.loads(body)
    try:
        value = json.loads(body)
        if _HALF_A_CHARACTER.search(body):  # it can be written nowhere: not to a file, not back
            written = json.dumps(value, ensure_ascii=False).encode(errors="replace")
            value = json.loads(written)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


# -- answers


def unwrap(answer: Answer) -> Any:
    """Take `data` out of the envelope.

    `success` is not asked: the reference's own examples print `false` on a 200. An answer
    without `data` has failed, whatever it says.
    """
    try:
        envelope = decode(answer.body)
    except ValueError:
        envelope = _NOT_JSON
    if envelope is _NOT_JSON:
        misshapen(answer, "not JSON @ $")
    if not isinstance(envelope, Mapping):
        misshapen(answer, "expected an object @ $")
    data = envelope.get("data")
    if data is None:
        misshapen(answer, "required field missing @ $.data")
    return data


def misshapen(answer: Answer, problem: str) -> NoReturn:
    """Say that an answer is not the documented shape, and where."""
    raise ResponseSchemaError(
        f"the answer is not the documented shape: {problem}",
        problems=(problem,),
        status=answer.status,
        request_id=request_id(answer),
    )


def parse_call(answer: Answer) -> Call:
    """Read the answer to a placed call. Only the id is insisted on.

    A timestamp that is none must not cost the id of a call that rang: it is kept in `extra`.

    Raises:
        ResponseSchemaError: There is no id in it.
    """
    data = unwrap(answer)
    call_id = _call_id(data)
    if call_id is None:
        misshapen(answer, "required field missing @ $.data.id")
    if data.get("id") != call_id:
        data = {**data, "id": call_id}
    with contextlib.suppress(ResponseSchemaError):
        return structure(data, Call, at="$.data")
    odd = {name: data[name] for name in _TIMESTAMPS if name in data}
    rest = {name: value for name, value in data.items() if name not in odd}
    call = structure(rest, Call, at="$.data")
    return attrs.evolve(call, extra={**call.extra, **odd})


_TIMESTAMPS: Final = ("createdAt", "updatedAt")


def find_call_id(answer: Answer) -> str | None:
    """Look for a call's id in an answer that proves nothing, such as a 500 that has one."""
    try:
        body = decode(answer.body)
    except ValueError:
        return None
    return _call_id(body.get("data")) if isinstance(body, Mapping) else None


def _call_id(data: Any) -> str | None:
    """The other call route names it `jobId`."""
    if not isinstance(data, Mapping):
        return None
    return _as_id(data.get("id")) or _as_id(data.get("jobId"))


def _as_id(value: object) -> str | None:
    """An id that is a number is as good as its text."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def parse_project(answer: Answer) -> Project:
    """Read the project of a key.

    Raises:
        ResponseSchemaError: It has no id, or is no project.
    """
    data = unwrap(answer)
    if not isinstance(data, Mapping):
        misshapen(answer, "expected an object @ $.data")
    if _as_id(data.get("id")) is None:
        misshapen(answer, "required field missing @ $.data.id")
    return structure(data, Project, at="$.data")


@frozen(kw_only=True)
class Complaint:
    """What an answer that is a no says about itself."""

    message: str | None = None
    message_key: str | None = None


def read_complaint(answer: Answer, secrets: Iterable[str] = ()) -> Complaint:
    """Find the API's reason in an error body, which may as well be an edge's HTML page.

    Args:
        answer: The answer.
        secrets: What the server may say back to us and must not be repeated.
    """
    try:
        body = decode(answer.body)
    except ValueError:
        return Complaint()
    if not isinstance(body, Mapping):
        return Complaint()
    return Complaint(
        message=_said(body.get("message") or body.get("error"), secrets),
        message_key=_said(body.get("messageKey"), secrets),
    )


def _said(text: object, secrets: Iterable[str]) -> str | None:
    if isinstance(text, list):
        text = "; ".join(part for part in text if isinstance(part, str))
    if not isinstance(text, str) or not text.strip():
        return None
    return mask_text(hide(" ".join(text.split()), secrets))[:_MESSAGE_LIMIT]


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After` as seconds from now: seconds, a decimal number, or an HTTP date.

    RFC 9110 section 10.2.3. A date is held against the server's own `Date`, so that our clock
    does not matter. What is past or negative is 0; what is not finite or no date, `None`.

    Returns:
        Seconds, 0 or more; `None` where the header is missing or means nothing.
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, headers, now)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(text: str, headers: Mapping[str, str], now: datetime) -> float | None:
    then = _http_date(text)
    if then is None:
        return None
    said = server_date(headers) or now
    return max((then - said).total_seconds(), 0.0)


def server_date(headers: Mapping[str, str]) -> datetime | None:
    """Read the server's clock off an answer, cut to the second; `None` where it does not say.

    A date at either end of the calendar says nothing, and an hour more or less would not exist.
    """
    said = _http_date(headers.get("Date", ""))
    return said if said is not None and 1970 <= said.year <= 9000 else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def moment_after(now: datetime, seconds: float) -> datetime:
    """`now` plus a span that a server chose, which may be absurd."""
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
