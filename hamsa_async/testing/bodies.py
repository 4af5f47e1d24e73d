"""The bodies that the routes take, but those that start calls."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hamsa_async.testing.shapes import (
    Check,
    anything,
    fields,
    flag,
    many,
    mapping,
    maybe,
    moment,
    number,
    one_of,
    text,
    uri,
    whole,
)

_MAYBE_TEXT: Final = maybe(text())
_IDS: Final = many(text())
_WEBHOOK_AUTH: Final = maybe(fields({"authKey": _MAYBE_TEXT, "authSecret": _MAYBE_TEXT}))
_ALIGNMENT: Final = maybe(fields({"greetingMessage": _MAYBE_TEXT, "preamble": _MAYBE_TEXT}))
_OUTCOME_SHAPE: Final = maybe(
    fields(
        {
            "type": _MAYBE_TEXT,
            "properties": maybe(mapping),
            "required": maybe(_IDS),
            "items": maybe(mapping),
        }
    )
)
_SWITCHES: Final = fields(
    {
        "genderDetection": maybe(flag),
        "smartCallEnd": maybe(flag),
        "googleCalendar": maybe(flag),
    }
)
_CALENDAR: Final = ("freeSlots", "calendarName", "accessToken", "calendarId")


def _tools(value: object, where: str) -> None:
    """Switches, or a connected calendar."""
    mapping(value, where)
    if not any(name in value for name in _CALENDAR):  # type: ignore[operator]
        _SWITCHES(value, where)


AGENT_V1_FIELDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "agentName": text(),
        "greetingMessage": text(),
        "greetingMessageType": _MAYBE_TEXT,
        "preamble": text(),
        "description": text(),
        "lang": one_of("ar", "en"),
        "pokeMessages": _IDS,
        "realTime": flag,
        "silenceThreshold": number(1),
        "interrupt": flag,
        "type": text(),
        "outcome": _MAYBE_TEXT,
        "outcomeResponseShape": _OUTCOME_SHAPE,
        "webhookUrl": maybe(uri),
        "webhookAuth": _WEBHOOK_AUTH,
        "voiceId": _MAYBE_TEXT,
        "tools": maybe(_tools),
        "params": mapping,
        "alignment": _ALIGNMENT,
        "webToolsIds": _IDS,
        "voiceDictionaryIds": _IDS,
        "knowledgeBaseItemsIds": _IDS,
        "webToolsOverrides": mapping,
        "userInactivityTimeout": number(5, 30),
        "maxCallDuration": number(30, 600),
        "responseDelay": number(100, 1500),
        "backgroundNoise": flag,
        "waitForUserToSpeakFirst": number(0, 2),
        "thinkingVoice": flag,
        "speakerIdentification": flag,
        "llmConfig": maybe(
            fields(
                {
                    "provider": _MAYBE_TEXT,
                    "modelName": _MAYBE_TEXT,
                    "baseUrl": _MAYBE_TEXT,
                    "apiKey": _MAYBE_TEXT,
                    "temperature": maybe(number()),
                }
            )
        ),
        "noiseCancellation": text(),
        "cancelNoisePer": text(),
        "agenticRag": flag,
        "languageDialectSwitcher": flag,
        "minInterruptionDuration": number(0.2, 1.5),
        "vadActivationThreshold": number(0.2, 0.9),
        "enableAutoGainControl": flag,
        "sendDenoisedToStt": flag,
    }
)
CREATE_AGENT: Final = fields(AGENT_V1_FIELDS, required=("agentName",))
UPDATE_AGENT: Final = fields({**AGENT_V1_FIELDS, "isTemplate": flag, "icon": _MAYBE_TEXT}, least=1)
CLONE_AGENT: Final = fields({"agentName": text()})

_CALL_SETTINGS: Final = {
    **dict.fromkeys(("noiseCancellation", "cancelNoisePer"), _MAYBE_TEXT),
    **dict.fromkeys(
        (
            "responseDelay",
            "minInterruptionDuration",
            "vadActivationThreshold",
            "userInactivityTimeout",
            "maxCallDuration",
            "silenceThreshold",
            "waitForUserToSpeakFirst",
        ),
        maybe(number()),
    ),
    **dict.fromkeys(
        (
            "interrupt",
            "backgroundNoise",
            "enableAutoGainControl",
            "sendDenoisedToStt",
            "thinkingVoice",
            "speakerIdentification",
            "agenticRag",
            "languageDialectSwitcher",
            "genderDetection",
            "smartCallEnd",
        ),
        maybe(flag),
    ),
}
_VOICE_RECORD: Final = dict.fromkeys(
    ("id", "name", "provider", "language", "languageCode", "image"), _MAYBE_TEXT
)
AGENT_V2_FIELDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "name": text(),
        "type": text(),
        "conversation": maybe(
            fields(
                {
                    "greetingMessage": _MAYBE_TEXT,
                    "greetingMessageType": _MAYBE_TEXT,
                    "preamble": _MAYBE_TEXT,
                    "pokeMessages": maybe(_IDS),
                    "params": maybe(mapping),
                    "alignment": _ALIGNMENT,
                }
            )
        ),
        "voice": maybe(
            fields(
                {
                    "voiceId": _MAYBE_TEXT,
                    "lang": _MAYBE_TEXT,
                    "voiceRecordId": _MAYBE_TEXT,
                    "voiceRecord": maybe(fields(_VOICE_RECORD)),
                    "ttsParams": maybe(mapping),
                }
            )
        ),
        "llm": maybe(
            fields(
                {
                    "provider": _MAYBE_TEXT,
                    "model": _MAYBE_TEXT,
                    "temperature": maybe(number()),
                    "baseUrl": _MAYBE_TEXT,
                    "apiKey": _MAYBE_TEXT,
                }
            )
        ),
        "callSettings": maybe(fields(_CALL_SETTINGS)),
        "tools": many(
            fields(
                {
                    "persistentId": _MAYBE_TEXT,
                    "toolId": _MAYBE_TEXT,
                    "version": maybe(whole),
                    "toolType": _MAYBE_TEXT,
                    "nodeId": _MAYBE_TEXT,
                    "testResult": maybe(mapping),
                    "overrides": maybe(mapping),
                }
            )
        ),
        "knowledgeBaseItemsIds": _IDS,
        "voiceDictionaryIds": _IDS,
        "phoneNumber": maybe(fields({"type": _MAYBE_TEXT, "id": _MAYBE_TEXT})),
        "webhookUrl": maybe(uri),
        "webhookAuth": _WEBHOOK_AUTH,
        "workflow": maybe(
            fields(dict.fromkeys(("nodes", "edges", "customVariables"), many(mapping)))
        ),
        "outcomeResponseShape": _OUTCOME_SHAPE,
    }
)
CREATE_AGENT_V2: Final = fields(AGENT_V2_FIELDS, required=("name",))
UPDATE_AGENT_V2: Final = fields(AGENT_V2_FIELDS, least=1)

_NOT_EMPTY: Final = text(1)
_TWILIO: Final = fields(
    dict.fromkeys(("phoneNumber", "label", "twilioAccountSid", "twilioAuthToken"), _NOT_EMPTY),
    required=("phoneNumber", "label", "twilioAccountSid", "twilioAuthToken"),
)
_SIP: Final = fields(
    {
        "phoneNumber": _NOT_EMPTY,
        "label": _NOT_EMPTY,
        "sipOutboundConfigs": fields(
            {"address": text(), "transportType": text(), "customHeaders": mapping}
        ),
    }
)


def add_number(value: object, where: str) -> None:
    """A number of one of the two carriers."""
    fields({"type": one_of("TWILIO", "SIP")}, required=("type",))(value, where)
    carrier = _TWILIO if value["type"] == "TWILIO" else _SIP  # type: ignore[index]
    carrier(value, where)


ASSIGN_NUMBER: Final = fields(
    {"voiceAgentId": text(), "phoneNumber": text()}, required=("voiceAgentId",)
)
UNASSIGN_NUMBER: Final = fields({"phoneNumber": _NOT_EMPTY}, required=("phoneNumber",))

TOOL_FIELDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "type": text(),
        "name": text(),
        "description": text(),
        "async": flag,
        "collectionId": _MAYBE_TEXT,
        "toolSettings": maybe(
            fields(
                {
                    "serverUrl": _MAYBE_TEXT,
                    "methodType": _MAYBE_TEXT,
                    "authToken": _MAYBE_TEXT,
                    "timeOut": maybe(number()),
                    "httpHeaders": maybe(mapping),
                    "pathParameters": maybe(mapping),
                }
            )
        ),
        "messages": many(fields({"type": _MAYBE_TEXT, "content": _MAYBE_TEXT})),
        "params": mapping,
    }
)
CREATE_TOOL: Final = fields(
    TOOL_FIELDS, required=("name", "description", "async", "messages", "params")
)
UPDATE_TOOL: Final = fields(TOOL_FIELDS, least=1)

ITEM_FIELDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "itemName": text(),
        "type": text(),
        "content": text(),
        "itemUrl": text(),
        "itemUrls": _IDS,
    }
)
CREATE_ITEMS: Final = fields({"items": many(fields(ITEM_FIELDS), least=1)}, required=("items",))

_WORDS: Final = many(
    fields({"word": text(), "pronunciation": text()}, required=("word", "pronunciation"))
)
CREATE_DICTIONARY: Final = fields({"name": _NOT_EMPTY, "words": _WORDS}, required=("name", "words"))
UPDATE_DICTIONARY: Final = fields({"name": text(), "words": _WORDS}, least=1)
TOGGLE_DICTIONARY: Final = fields(
    {"dictionaryId": text(), "voiceAgentId": text(), "isActive": flag},
    required=("dictionaryId", "voiceAgentId", "isActive"),
)

RECIPIENT_FIELDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "phoneNumber": _NOT_EMPTY,
        "name": text(),
        "ignoreE164Validation": flag,
        "dynamicVariables": mapping,
    }
)
CAMPAIGN_FIELDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "name": text(1, 100),
        "phoneNumber": text(),
        "voiceAgentId": text(),
        "recipients": many(fields(RECIPIENT_FIELDS, required=("phoneNumber",)), least=1),
        "sendType": text(),
        "timeRange": maybe(
            fields({"days": _IDS, "startCallingTime": text(), "endCallingTime": text()})
        ),
        "reservedConcurrency": maybe(whole),
        "scheduledDate": maybe(moment),
        "scheduledTimezone": _MAYBE_TEXT,
        "webhookUrl": _MAYBE_TEXT,
    }
)
CREATE_CAMPAIGN: Final = fields(
    CAMPAIGN_FIELDS, required=("name", "phoneNumber", "voiceAgentId", "recipients")
)
LIST_JOBS: Final = fields(
    {
        "take": number(1),
        "skip": number(1),
        "search": text(),
        "status": one_of("PENDING", "COMPLETED", "FAILED"),
        "type": one_of("TRANSCRIPTION", "TRANSLATION", "TTS", "AI_CONTENT"),
        "sort": mapping,
        "projectId": anything,
    }
)
