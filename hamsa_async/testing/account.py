"""What the account behind the keys holds: its project, and its agents in both known shapes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hamsa_async.testing.messages import refuse
from hamsa_async.testing.settings import Settings

API_KEY_ID: Final = "0f6d3b1a-92c4-4e7d-b5a8-6c1e2f9d8b70"

_VOICE_ID: Final = "83e0a6b2-f4c9-4d17-b5e8-1c7d9f2a6034"
_MADE_AT: Final = "2025-11-04T09:30:00.000Z"

# What an agent looks like where nobody said otherwise: the part that both shapes share, and
# what each adds. `older` is the shape with a connected calendar as its tools.
_VOICE_RECORD: Final = {
    "id": _VOICE_ID,
    "name": "Sara",
    "provider": "hamsa",
    "language": "Arabic",
    "languageCode": "ar-AE",
    "image": None,
}
_AGENT: Final[Mapping[str, Any]] = {
    "id": None,  # whoever shows an agent gives it its id and its project
    "agentName": "Fake agent",
    "greetingMessage": "Hello {{name}}, this is nobody calling.",
    "preamble": "You are an agent that never speaks to anybody.",
    "description": "Stands in for a real agent",
    "lang": "ar",
    "pokeMessages": ["Are you still there?"],
    "realTime": False,
    "silenceThreshold": 800,
    "interrupt": True,
    "outcome": None,
    "projectId": None,
    "apiKeyId": API_KEY_ID,
    "voiceRecordId": _VOICE_ID,
    "voiceRecord": _VOICE_RECORD,
    "params": {},
    "createdAt": _MADE_AT,
    "updatedAt": _MADE_AT,
}
_NEWER_PART: Final[Mapping[str, Any]] = {
    "tools": {"genderDetection": False, "smartCallEnd": True},
    "greetingMessageType": "STATIC",
    "type": "Single Prompt",
    "outcomeResponseShape": {
        "type": "object",
        "properties": {"confirmed": {"type": "boolean", "description": "Did they confirm?"}},
        "required": ["confirmed"],
    },
    "webhookUrl": None,
    "webhookAuth": None,
    "voiceId": _VOICE_ID,
    "alignment": {"greetingMessage": "rtl", "preamble": "rtl"},
    "webToolsIds": [],
    "voiceDictionaryIds": [],
    "knowledgeBaseItemsIds": [],
    "webToolsOverrides": {},
    "userInactivityTimeout": 15,
    "maxCallDuration": 300,
    "responseDelay": 400,
    "backgroundNoise": False,
    "waitForUserToSpeakFirst": 0,
    "thinkingVoice": False,
    "speakerIdentification": False,
    "llmConfig": {
        "provider": "OpenAI",
        "modelName": "GPT-4.1",
        "baseUrl": None,
        "apiKey": None,
        "temperature": 0.2,
    },
    "noiseCancellation": "telephony-optimized",
    "cancelNoisePer": "conversation",
    "agenticRag": False,
    "languageDialectSwitcher": False,
    "minInterruptionDuration": 0.5,
    "vadActivationThreshold": 0.5,
    "enableAutoGainControl": False,
    "sendDenoisedToStt": False,
    "collectionId": None,
    "isTemplate": False,
    "icon": None,
}
_OFFICE_HOURS: Final = [[{"from": "09:00", "to": "12:00"}, {"from": "14:00", "to": "17:00"}]]
_OLDER_PART: Final[Mapping[str, Any]] = {
    "tools": {
        "id": "90b4e7d2-1f6c-4a85-b3e0-7d9c2f5a8b14",
        "calendarName": "Fake bookings",
        "accessToken": "fake-access-token",
        "refreshToken": "fake-refresh-token",
        "freeSlots": {
            "Monday": _OFFICE_HOURS,
            "Tuesday": _OFFICE_HOURS,
            "Wednesday": _OFFICE_HOURS,
            "Thursday": _OFFICE_HOURS,
            "Friday": _OFFICE_HOURS,
            "Saturday": _OFFICE_HOURS,
            "Sunday": _OFFICE_HOURS,
        },
        "meetingDuration": 30,
        "timezone": "Asia/Dubai",
        "voiceAgentToolsId": "47c0e9a6-8d3b-4f12-95e7-b6a1d0c8f254",
        "calendarId": "primary",
        "eventTitle": "New meeting by {agentName}",
    },
}
SHAPES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"newer": {**_AGENT, **_NEWER_PART}, "older": {**_AGENT, **_OLDER_PART}}
)
"""An agent by the name of its shape, as it looks where nobody said otherwise."""


def project(settings: Settings) -> dict[str, Any]:
    """The project of the keys."""
    return {
        "id": settings.project_id,
        "name": settings.project_name,
        "isDeactivated": False,
        "createdAt": _MADE_AT,
        "updatedAt": _MADE_AT,
    }


def saved_agent(settings: Settings, agent_id: str) -> dict[str, Any]:
    """A saved agent in full; refuses an id that nobody saved."""
    if settings.agents is not None and agent_id not in settings.agents:
        raise refuse(404, "there is no such voice agent")
    own = (settings.agents or {}).get(agent_id, {})
    return {**_blank(settings), **own, "id": agent_id}


def inline_agent(settings: Settings, details: Mapping[str, Any]) -> dict[str, Any]:
    """An agent that is described on the spot, in full."""
    return {**_blank(settings), "id": None, "agentName": "Inline agent", **details}


def _blank(settings: Settings) -> dict[str, Any]:
    return {**SHAPES[settings.agent_shape], "projectId": settings.project_id}
