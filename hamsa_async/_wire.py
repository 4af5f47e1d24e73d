"""What goes over the wire, without the wire: values to requests, answers to values or errors.

Pure functions. Nothing here has a socket, a clock or a loop.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

import attrs

from hamsa_async._converter import structure
from hamsa_async._masking import mask_text
from hamsa_async._version import __version__
from hamsa_async.errors import ConfigurationError, ResponseSchemaError
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.calls import REFERENCE_PARAM, Call, CallRequest
from hamsa_async.models.projects import Project

try:
    import orjson
except ImportError:  # the `speed` extra; the standard library serves as well, only slower
    orjson = None  # type: ignore[assignment, unused-ignore]

USER_AGENT: Final = f"hamsa-async/{__version__}"
_MESSAGE_LIMIT: Final = 200
_REQUEST_ID_HEADERS: Final = ("x-request-id", "cf-ray", "x-amzn-requestid")


@attrs.frozen(kw_only=True)
class Operation:
    """One thing that the API can be asked, and whether asking changes the world.

    `writes` decides the column of the retry table: a write is never sent again unless it is
    proven that nothing came of it.
    """

    name: str
    method: str
    path: str
    writes: bool


CALL: Final = Operation(
    name="voice_agents.call", method="POST", path="/v1/voice-agents/call", writes=True
)
AGENT: Final = Operation(
    name="voice_agents.get", method="GET", path="/v1/voice-agents/{id}", writes=False
)
PROJECT: Final = Operation(
    name="projects.current", method="GET", path="/v1/projects/by-api-key", writes=False
)


@attrs.frozen(kw_only=True)
class Request:
    """A request ready to be sent: everything but the server, the key and the connection."""

    operation: Operation
    path: str
    body: bytes | None = attrs.field(default=None, repr=False)
    reference: str | None = None
    to_number: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Answer:
    """A whole answer: the status line and headers were HTTP, and the body came to its end."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    @property
    def request_id(self) -> str | None:
        """The server's or the edge's own id of the request, for their support."""
        return next(
            (self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None
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
            body["params"] = params
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


def build_read(operation: Operation, **parts: str) -> Request:
    """Turn a read into its GET, with `parts` filled into the path.

    Raises:
        ConfigurationError: A part is empty or would leave its place in the path.
    """
    for name, value in parts.items():
        if not value or not all(char.isalnum() or char in "-_.~" for char in value) or ".." in value:
            msg = f"{name} must be an id as the API gives it: letters, digits and - only"
            raise ConfigurationError(msg)
    return Request(operation=operation, path=operation.path.format(**parts))


def encode(value: Any) -> bytes:
    """Write JSON as UTF-8 bytes.

    Raises:
        ConfigurationError: Something in `value` has no JSON form (a set, a datetime, NaN).
    """
    try:
        if orjson is not None:
            return orjson.dumps(value)
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"not JSON: {mask_text(str(error))}"
        raise ConfigurationError(msg) from None


def decode(body: bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is not JSON.
    """
    if orjson is not None:
        return orjson.loads(body)
    try:
        return json.loads(body)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None


# -- answers


def _unwrap(answer: Answer) -> Any:
    """Take `data` out of the envelope.

    `success` is not asked: the reference's own examples print `false` on a 200. An answer
    without `data` has failed, whatever it says.
    """
    try:
        envelope = decode(answer.body)
    except ValueError:
        _misshapen(answer, "not JSON @ $")
    if not isinstance(envelope, Mapping):
        _misshapen(answer, "expected an object @ $")
    data = envelope.get("data")
    if data is None:
        said = _said(envelope)
        _misshapen(answer, f"required field missing @ $.data{said and f' (it says: {said})'}")
    return data


def _misshapen(answer: Answer, problem: str) -> NoReturn:
    msg = f"the answer is not the documented shape: {problem}"
    raise ResponseSchemaError(
        msg, problems=(problem,), status=answer.status, request_id=answer.request_id
    )


def parse_call(answer: Answer) -> Call:
    """Read the answer to a placed call. Only the id is insisted on.

    A field that is not of its documented type must not cost the id of a call that rang: the
    whole answer is then kept in `extra`.

    Raises:
        ResponseSchemaError: There is no id in it.
    """
    data = _unwrap(answer)
    call_id = _call_id(data)
    if call_id is None:
        _misshapen(answer, "required field missing @ $.data.id")
    if data.get("id") != call_id:
        data = {**data, "id": call_id}
    try:
        return structure(data, Call, at="$.data")
    except ResponseSchemaError:
        return Call(id=call_id, extra=dict(data))


def _call_id(data: Any) -> str | None:
    """The other call route names it `jobId`; an id that is a number is as good as its text."""
    if not isinstance(data, Mapping):
        return None
    for name in ("id", "jobId"):
        value = data.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def parse_project(answer: Answer) -> Project:
    """Read the project of a key.

    Raises:
        ResponseSchemaError: It has no id, or is no project.
    """
    project = structure(_unwrap(answer), Project, at="$.data")
    if not isinstance(project.id, str) or not project.id:
        _misshapen(answer, "expected a text @ $.data.id")
    return project


def parse_agent(answer: Answer) -> AgentDetails:
    """Read an agent.

    Raises:
        ResponseSchemaError: It is no agent.
    """
    return structure(_unwrap(answer), AgentDetails, at="$.data")


@attrs.frozen(kw_only=True)
class Complaint:
    """What an answer that is a no says about itself."""

    message: str | None = None
    message_key: str | None = None


def read_complaint(answer: Answer) -> Complaint:
    """Find the API's reason in an error body, which may as well be an edge's HTML page."""
    try:
        body = decode(answer.body)
    except ValueError:
        return Complaint()
    if not isinstance(body, Mapping):
        return Complaint()
    key = body.get("messageKey")
    return Complaint(message=_said(body), message_key=key if isinstance(key, str) else None)


def _said(body: Mapping[str, Any]) -> str | None:
    said = body.get("message") or body.get("error")
    if isinstance(said, list):
        said = "; ".join(str(part) for part in said)
    if not isinstance(said, str) or not said.strip():
        return None
    # The server may quote the number back at us.
    return mask_text(" ".join(said.split()))[:_MESSAGE_LIMIT]


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After` as seconds from now: seconds, a decimal number, or an HTTP date.

    RFC 9110 section 10.2.3. A date is held against the server's own `Date`, so that our clock
    does not matter. What is past, negative, not finite or not to be read gives `None` or 0.

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
    if seconds != seconds or seconds in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return None
    return max(seconds, 0.0)


def _seconds_until(text: str, headers: Mapping[str, str], now: datetime) -> float | None:
    then = _http_date(text)
    if then is None:
        return None
    said = _http_date(headers.get("Date", "")) or now
    return max((then - said).total_seconds(), 0.0)


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
