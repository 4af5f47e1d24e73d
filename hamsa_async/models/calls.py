"""A call: what is asked for, and what the API makes of it.

Source: docs.tryhamsa.com/api-reference/endpoint/start-a-call.
"""

import enum
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from hamsa_async._masking import mask_number, mask_text, show_text
from hamsa_async._urls import check_url
from hamsa_async._values import Plain, frozen
from hamsa_async.errors import ConfigurationError
from hamsa_async.models._declaring import Value, extra
from hamsa_async.models.agents import AgentDetails

REFERENCE_PARAM: Final = "_hamsa_reference"
"""The one key of `params` that is ours: the caller's reference travels under it, and comes
back in the webhook's `outcomeResult` with all other params."""

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, str) or not _E164.fullmatch(value):
        shown = mask_number(value) if isinstance(value, str) else type(value).__name__
        raise ConfigurationError(
            f"{name} must be an E.164 number: + and 7 to 15 digits, the country code"
            f" first; got {shown!r}"
        )


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a text that is not empty")


def _check_params(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping, not {type(value).__name__}")
    if REFERENCE_PARAM in value:
        raise ConfigurationError(
            f"the param {REFERENCE_PARAM} is reserved: pass reference= instead"
        )


def _check_agent(agent: Any) -> None:
    if not isinstance(agent, Mapping):
        raise ConfigurationError(f"agent_details must be a mapping, not {type(agent).__name__}")
    if agent.get("params") is not None:
        _check_params("agent_details", agent["params"])


def _check_moment(name: str, value: Any) -> None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigurationError(f"{name} must be an aware datetime (with a time zone)")


def _check_webhook(url: Any, auth: Any) -> None:
    if auth is not None and not isinstance(auth, WebhookAuth):
        raise ConfigurationError("webhook_auth must be a WebhookAuth")
    if url is None:
        raise ConfigurationError("webhook_auth needs a webhook_url")
    check_url(url, what="webhook_url")


def _or_none_at_all(params: Any) -> Any:
    return {} if params is None else params


def _show_number(value: str | None) -> str:
    return repr(value and mask_number(value))


@frozen(kw_only=True)
class WebhookAuth:
    """What Hamsa puts into `Authorization: <auth_key> <auth_secret>` of its webhooks."""

    auth_key: str = "Token"
    auth_secret: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        _check_text("auth_key", self.auth_key)
        _check_text("auth_secret", self.auth_secret)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CallRequest(Plain):
    """One call to be placed. Validated when made: a bad number is found before any is dialed.

    Exactly one of `voice_agent_id` and `agent_details` must be given.
    """

    to_number: str = attrs.field(repr=_show_number)
    voice_agent_id: str | None = None
    agent_details: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """An agent described on the spot, in the API's own field names."""
    from_number: str | None = attrs.field(default=None, repr=_show_number)
    """The caller number; `None` leaves the choice to the API (a foreign number)."""
    params: Mapping[str, Any] = attrs.field(factory=dict, converter=_or_none_at_all, repr=False)
    """Values for the agent's `{{placeholders}}`. Any JSON."""
    webhook_url: str | None = attrs.field(default=None, repr=False)
    webhook_auth: WebhookAuth | None = None
    reference: str | None = None
    """The caller's own name for this call; see `REFERENCE_PARAM`."""
    not_after: datetime | None = None
    """If the request has not begun by then, it never does: `NotSentError`. Aware."""

    def __attrs_post_init__(self) -> None:
        # Not a validator for each field: most are `None`, and calling nine is a fifth of what
        # the client adds to a call.
        _check_number("to_number", self.to_number)
        if self.from_number is not None:
            _check_number("from_number", self.from_number)
        if (self.voice_agent_id is None) == (self.agent_details is None):
            raise ConfigurationError("give exactly one of voice_agent_id and agent_details")
        if self.voice_agent_id is not None:
            _check_text("voice_agent_id", self.voice_agent_id)
        else:
            _check_agent(self.agent_details)
        _check_params("params", self.params)
        if self.reference is not None:
            _check_text("reference", self.reference)
        if self.not_after is not None:
            _check_moment("not_after", self.not_after)
        if self.webhook_url is not None or self.webhook_auth is not None:
            _check_webhook(self.webhook_url, self.webhook_auth)

    @classmethod
    def of(cls, row: "CallRequest | Mapping[str, Any]") -> "CallRequest":
        """Take a request as it is, or make one of a mapping of `call`'s arguments.

        Raises:
            ConfigurationError: An argument is missing, unknown or not valid.
        """
        if isinstance(row, cls):
            return row
        if not isinstance(row, Mapping):
            raise ConfigurationError(
                f"a row must be a CallRequest or a mapping, not {type(row).__name__}"
            )
        try:
            return cls(**row)
        except TypeError as error:
            # It names the argument, never its value; the name is somebody else's text too.
            said = mask_text(str(error)).replace("CallRequest.__init__() ", "")
            raise ConfigurationError(f"a row does not fit call's arguments: {said}") from None


class Evidence(enum.StrEnum):
    """By what a call was found to be the one of an attempt whose outcome was unknown."""

    REFERENCE = "reference"
    """It carries the attempt's own reference."""
    CALL_ID = "call_id"
    """The API named its id in an answer that proved nothing otherwise."""
    NUMBER_AND_TIME = "number+time"
    """The weakest: the only call to this number at that time that is nobody else's."""


def _no_agent() -> None:
    return None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Call(Value):
    """A placed call: the API's job. Follow it by its `id`.

    Every field but `id` may be `None`: a fresh job has few of them. Fields that the
    documentation does not name are in `extra`.
    """

    id: str
    title: str | None = None
    model: str | None = None
    type: str | None = None
    processing_type: str | None = None
    webhook_url: str | None = None
    total_cost: float | None = None
    usage_time: str | None = None
    from_lng: str | None = None
    to_lng: str | None = None
    media_url: str | None = None
    job_response: Mapping[str, Any] | None = None
    from_script: str | None = None
    to_script: str | None = None
    status: str | None = None
    """`PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, `NO_ANSWER`, ... An open set."""
    relevant_job_id: str | None = None
    api_key_id: str | None = None
    billing_id: str | None = None
    system_model_key: str | None = None
    voice_agent_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    evidence: Evidence | None = None
    """By what `voice_agents.settle` found it; `None` for a call that was answered."""
    extra: Mapping[str, Any] = extra()
    _agent_details: Callable[[], AgentDetails | None] = attrs.field(
        default=_no_agent, eq=False, alias="agent_details"
    )

    def __repr__(self) -> str:
        # Only what says which call it is: the rest is long, and may hold numbers and secrets.
        return f"Call(id={self.id!r}, status={show_text(self.status)})"

    @property
    def agent_details(self) -> AgentDetails | None:
        """The agent as it was when the call was placed, in either age of its shape.

        Raises:
            ResponseSchemaError: The API sent something that is no agent. The call itself
                stands: its id was read.
        """
        return self._agent_details()
