"""Phone numbers that calls are placed from.

Source: docs.tryhamsa.com/api-reference/endpoint/list-phone-numbers, add-phone-number.
"""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra


class NumberType(enum.StrEnum):
    """Who carries a number's calls. An open set."""

    TWILIO = "TWILIO"
    SIP = "SIP"


@frozen(kw_only=True, eq=False, repr=False)
class SipInbound(Value, shows=("origination_uri",)):
    """Where a trunk sends calls to."""

    origination_uri: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class SipOutbound(Value, shows=("transport_type",)):
    """Where calls are sent to."""

    address: str | None = None
    transport_type: str | None = None
    """`TCP` or `UDP`."""

    custom_headers: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class NumberAgent(Value, shows=("id", "name")):
    """The agent that a number belongs to."""

    id: str | None = None
    name: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class PhoneNumber(Value, shows=("id", "number", "type")):
    """A number that is registered with Hamsa. One agent a number."""

    id: Id
    number: str | None = None
    """E.164."""

    label: str | None = None
    type: NumberType | str | None = None
    user_id: str | None = None
    sip_inbound_configs: SipInbound | None = None
    sip_outbound_configs: SipOutbound | None = None
    voice_agent_id: str | None = None
    voice_agent: NumberAgent | None = None
    number_sid: str | None = None
    """Older Twilio form."""

    is_active: bool | None = None
    """Older Twilio form."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


class SipOutboundFields(TypedDict, total=False):
    """Where calls from a SIP number are sent to."""

    address: str
    transport_type: str
    """`TCP` or `UDP`."""

    custom_headers: Mapping[str, Any]
