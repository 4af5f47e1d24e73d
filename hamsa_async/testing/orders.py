"""What a request to start a call asks for, and what makes it invalid."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from hamsa_async.testing.ledger import Ring
from hamsa_async.testing.messages import refuse

_REFERENCE: Final = "_hamsa_reference"
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")

# Fields of a request to start a call that must have a type where they are given and not null.
_TYPES: Final[Mapping[str, tuple[type, str]]] = MappingProxyType(
    {
        "fromNumber": (str, "a string"),
        "voiceAgentId": (str, "a string"),
        "params": (dict, "an object"),
        "agentDetails": (dict, "an object"),
        "webhookUrl": (str, "a string"),
        "webhookAuth": (dict, "an object"),
    }
)


@attrs.frozen(kw_only=True)
class Order:
    """What a valid request to start a call asks for."""

    to_number: str
    from_number: str | None
    voice_agent_id: str | None
    agent_details: Mapping[str, Any] | None
    params: Mapping[str, Any]
    webhook_url: str | None
    webhook_auth: Mapping[str, Any] | None = attrs.field(repr=False)

    @classmethod
    def of(cls, ring: Ring) -> "Order":
        """What a ring of a ledger was asked for with, as far as the ledger has it."""
        return cls(
            to_number=ring.phone_number,
            from_number=ring.from_number,
            voice_agent_id=ring.voice_agent_id,
            agent_details=None if ring.voice_agent_id is not None else {},
            params={} if ring.reference is None else {_REFERENCE: ring.reference},
            webhook_url=None,
            webhook_auth=None,
        )

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Order":
        """Read the body of a request; refuses what the contract does not allow."""
        to_number = body.get("toNumber")
        if not isinstance(to_number, str) or not _E164.fullmatch(to_number):
            raise refuse(400, "toNumber must be a phone number such as +971500000123")
        for name, (kind, wanted) in _TYPES.items():
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise refuse(400, f"{name} must be {wanted}")
        if (body.get("voiceAgentId") is None) is (body.get("agentDetails") is None):
            raise refuse(400, "give exactly one of voiceAgentId and agentDetails")
        return cls(
            to_number=to_number,
            from_number=body.get("fromNumber"),
            voice_agent_id=body.get("voiceAgentId"),
            agent_details=body.get("agentDetails"),
            params=_params_in(body),
            webhook_url=body.get("webhookUrl"),
            webhook_auth=body.get("webhookAuth"),
        )

    @classmethod
    def read_from_number(cls, body: Mapping[str, Any]) -> "Order":
        """Read the body of a request to the route for registered numbers."""
        if not isinstance(body.get("phoneNumber"), str) or not body["phoneNumber"]:
            raise refuse(400, "phoneNumber must be a phone number such as +971500000123")
        if body.get("agentDetails") is None and not isinstance(body.get("params"), dict):
            raise refuse(400, "params must be an object")
        return cls.read({**body, "fromNumber": body["phoneNumber"]})


def _params_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    inline = body.get("agentDetails")
    params = inline.get("params") if isinstance(inline, dict) else body.get("params")
    return params if isinstance(params, dict) else {}


def reference_in(body: Mapping[str, Any]) -> str | None:
    """The dialer's reference in a body, valid or not, if it is there."""
    reference = _params_in(body).get(_REFERENCE)
    return reference if isinstance(reference, str) else None


def number_in(body: Mapping[str, Any]) -> str | None:
    """The number to be called in a body, valid or not, if it is there."""
    number = body.get("toNumber")
    return number if isinstance(number, str) else None
