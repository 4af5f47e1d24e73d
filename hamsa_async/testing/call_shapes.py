"""A call as the API shows it: the job that started it, the conversation, a row of a list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hamsa_async.testing.account import API_KEY_ID
from hamsa_async.testing.lifecycle import SPOKEN, Call

_FROM_NUMBER: Final = "+18449292835"
# What somebody might say where an agent asks for a value of that type.
_ANSWERS: Final[Mapping[str, Any]] = {"boolean": True, "string": "yes", "number": 1, "integer": 1}
_TRANSCRIPT: Final = [{"Agent": "Hello, this is nobody calling."}, {"User": "شكرًا، مع السلامة."}]


def job(call: Call, now: datetime) -> dict[str, Any]:
    """The answer to the request that placed it."""
    return {
        **_summary(call, now),
        "webhookUrl": call.order.webhook_url,
        "totalCost": None,
        "usageTime": None,
        "fromLng": None,
        "toLng": None,
        "fromScript": None,
        "toScript": None,
        "relevantJobId": None,
        "agentDetails": {**call.agent, "params": _params(call)},
        "billingId": None,
        "systemModelKey": None,
    }


def receipt(call: Call, _: datetime) -> dict[str, Any]:
    """The answer of the route for registered numbers."""
    return {"voiceAgentId": call.ring.voice_agent_id, "jobId": call.ring.call_id}


def conversation(call: Call, now: datetime, *, echoes: bool) -> dict[str, Any]:
    """The call in full, with its `params` if the server echoes them."""
    told = call.status(now).upper() in SPOKEN and now >= call.told_at
    params = _params(call) if echoes else {}
    outcome = {**_outcome(call.agent), **params}
    response = {"transcription": _TRANSCRIPT, "outcomeResult": outcome} if told else {}
    return {
        **_summary(call, now),
        "callParams": _ends(call),
        "callDuration": call.seconds(now) or None,
        "channelType": "TELEPHONE",
        "agentDetails": {
            "id": call.agent["id"],
            "agentName": call.agent["agentName"],
            "lang": call.agent["lang"],
            "maxCallDuration": call.agent.get("maxCallDuration"),
            "params": params,
        },
        "jobResponse": response,
        "callAnalysis": None,
        "voiceAgent": {
            "voiceAgentWebTools": [],
            "webTools": {},
            "voiceAgentKnowledgeBases": [],
        },
        "logs": [],
        "performanceMetrics": {},
        **(call.recorded if now >= call.ended_at else {}),
    }


def row(call: Call, now: datetime, *, with_number: bool) -> dict[str, Any]:
    """The call in the minimal list."""
    ends = _ends(call)
    return {
        "id": call.ring.call_id,
        "createdAt": _iso(call.ring.at),
        "status": call.status(now),
        "voiceAgentId": call.ring.voice_agent_id,
        "agentName": call.agent["agentName"],
        "duration": call.seconds(now),
        "channelType": "Telephone",
        "callParams": ends if with_number else {**ends, "userNumber": None},
    }


def _summary(call: Call, now: datetime) -> dict[str, Any]:
    """What a call's job and its conversation have in common."""
    return {
        "id": call.ring.call_id,
        "title": call.agent["agentName"],
        "model": "Hamsa",
        "type": "VOICE_AGENTS",
        "processingType": "real-time",
        "mediaUrl": None,
        "jobResponse": None,
        "status": call.status(now),
        "apiKeyId": API_KEY_ID,
        "voiceAgentId": call.ring.voice_agent_id,
        "createdAt": _iso(call.ring.at),
        "updatedAt": _iso(call.updated_at(now)),
    }


def _params(call: Call) -> dict[str, Any]:
    return {**(call.agent.get("params") or {}), **call.order.params}


def _outcome(agent: Mapping[str, Any]) -> dict[str, Any]:
    """An answer to each thing that the agent is to find out; whoever made it may say anything."""
    wanted = _object(_object(agent.get("outcomeResponseShape")).get("properties"))
    return {name: _ANSWERS.get(str(_object(field).get("type"))) for name, field in wanted.items()}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _ends(call: Call) -> dict[str, str]:
    machine = call.ring.from_number or _FROM_NUMBER
    return {"machineNumber": machine, "userNumber": call.ring.phone_number}


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
