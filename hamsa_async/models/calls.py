"""A call: what is asked for, and what the API makes of it.

Source: docs.tryhamsa.com/api-reference/endpoint/start-a-call.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from hamsa_async._masking import mask_number
from hamsa_async._urls import check_url
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.agents import AgentDetails

REFERENCE_PARAM: Final = "_hamsa_reference"
"""The one key of `params` that is ours: the caller's reference travels under it, and comes
back in the webhook's `outcomeResult` with all other params."""

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


def _check_number(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value is None and attribute.name == "from_number":
        return
    if not isinstance(value, str) or not _E164.fullmatch(value):
        shown = mask_number(value) if isinstance(value, str) else type(value).__name__
        msg = (
            f"{attribute.name} must be an E.164 number: + and 7 to 15 digits, the country code"
            f" first; got {shown!r}"
        )
        raise ConfigurationError(msg)


def _show_number(value: str | None) -> str:
    return repr(value and mask_number(value))


@attrs.frozen(kw_only=True)
class WebhookAuth:
    """What Hamsa puts into `Authorization: <auth_key> <auth_secret>` of its webhooks."""

    auth_key: str = "Token"
    auth_secret: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CallRequest:
    """One call to be placed. Validated when made: a bad number is found before any is dialed.

    Exactly one of `voice_agent_id` and `agent_details` must be given.
    """

    to_number: str = attrs.field(validator=_check_number, repr=_show_number)
    voice_agent_id: str | None = None
    agent_details: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """An agent described on the spot, in the API's own field names."""
    from_number: str | None = attrs.field(
        default=None, validator=_check_number, repr=_show_number
    )
    """The caller number; `None` leaves the choice to the API (a foreign number)."""
    params: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """Values for the agent's `{{placeholders}}`. Any JSON."""
    webhook_url: str | None = attrs.field(default=None, repr=False)
    webhook_auth: WebhookAuth | None = None
    reference: str | None = None
    """The caller's own name for this call; see `REFERENCE_PARAM`."""
    not_after: datetime | None = None
    """If the request has not begun by then, it never does: `NotSentError`. Aware."""

    def __attrs_post_init__(self) -> None:
        if (self.voice_agent_id is None) == (self.agent_details is None):
            msg = "give exactly one of voice_agent_id and agent_details"
            raise ConfigurationError(msg)
        for name, value in (("params", self.params), ("agent_details", self.agent_details)):
            if value is not None and not isinstance(value, Mapping):
                msg = f"{name} must be a mapping, not {type(value).__name__}"
                raise ConfigurationError(msg)
        if REFERENCE_PARAM in self.params:
            msg = f"the param {REFERENCE_PARAM} is reserved: pass reference= instead"
            raise ConfigurationError(msg)
        if self.webhook_url is not None:
            check_url(self.webhook_url, what="webhook_url")
        if self.webhook_auth is not None and self.webhook_url is None:
            msg = "webhook_auth needs a webhook_url"
            raise ConfigurationError(msg)
        if self.not_after is not None and self.not_after.tzinfo is None:
            msg = "not_after must be an aware datetime (with a time zone)"
            raise ConfigurationError(msg)

    @classmethod
    def of(cls, row: "CallRequest | Mapping[str, Any]") -> "CallRequest":
        """Take a request as it is, or make one of a mapping of `call`'s arguments.

        Raises:
            ConfigurationError: An argument is missing, unknown or not valid.
        """
        if isinstance(row, cls):
            return row
        if not isinstance(row, Mapping):
            msg = f"a row must be a CallRequest or a mapping, not {type(row).__name__}"
            raise ConfigurationError(msg)
        try:
            return cls(**row)
        except TypeError as error:
            # attrs names the argument, never its value.
            msg = f"a row does not fit call's arguments: {error}".replace("CallRequest.__init__() ", "")
            raise ConfigurationError(msg) from None


def _no_agent() -> None:
    return None


@attrs.frozen(kw_only=True)
class Call:
    """A placed call: the API's job. Follow it by its `id`.

    Every field but `id` may be `None`: a fresh job has few of them. Fields that the
    documentation does not name are in `extra`.
    """

    id: str
    title: str | None = None
    model: str | None = None
    type: str | None = None
    processing_type: str | None = None
    webhook_url: str | None = attrs.field(default=None, repr=False)
    total_cost: float | None = None
    usage_time: str | None = None
    from_lng: str | None = None
    to_lng: str | None = None
    media_url: str | None = attrs.field(default=None, repr=False)
    job_response: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    from_script: str | None = attrs.field(default=None, repr=False)
    to_script: str | None = attrs.field(default=None, repr=False)
    status: str | None = None
    """`PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, `NO_ANSWER`, ... An open set."""
    relevant_job_id: str | None = None
    api_key_id: str | None = None
    billing_id: str | None = None
    system_model_key: str | None = None
    voice_agent_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    _agent_details: Callable[[], AgentDetails | None] = attrs.field(
        default=_no_agent, repr=False, eq=False, alias="agent_details"
    )

    @property
    def agent_details(self) -> AgentDetails | None:
        """The agent as it was when the call was placed, in either age of its shape.

        Raises:
            ResponseSchemaError: The API sent something that is no agent. The call itself
                stands: its id was read.
        """
        return self._agent_details()
