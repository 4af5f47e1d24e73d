"""The answers of the canned server: a placed call, as Hamsa and as each peer says it.

Each is written once, and the number of the call is put in when it is given. All are about as
long, but for LiveKit's, which has no more to say.
"""

import json
from typing import Any, Final

NUMBER: Final = "############"
"""Where the number of an answer goes, in its id."""

AGENT: Final = {
    "id": "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10",
    "agentName": "Clinic reminder",
    "greetingMessage": "Hello {{name}}, this is the clinic. " * 4,
    "description": None,
    "preamble": "You remind people of their visits, politely and briefly. " * 12,
    "lang": "ar",
    "pokeMessages": ["Are you still there?", "I can hear you."],
    "realTime": False,
    "silenceThreshold": 800,
    "interrupt": True,
    "outcome": "Say whether the visit was confirmed, moved or cancelled.",
    "projectId": "0d9e6c1b-7a42-4f85-b3d0-5e8f2a6c4b17",
    "apiKeyId": "5f2c8e9a-1b64-4d37-9c50-8a7d3e1f6b42",
    "voiceRecordId": "e4a1b7c3-9d26-4f08-8e5b-2c6f0d9a3b71",
    "voiceRecord": {"id": "e4a1b7c3-9d26-4f08-8e5b-2c6f0d9a3b71", "name": "Salma"},
    "tools": {"genderDetection": False, "smartCallEnd": True},
    "params": {"name": "somebody", "day": "Thursday", "time": "10:30"},
    "createdAt": "2025-11-04T09:30:00.000Z",
    "updatedAt": "2026-02-18T13:05:44.120Z",
}

HAMSA: Final = {
    "success": True,
    "message": "success",
    "data": {
        "id": f"c7b9a2d4-6f13-4e58-a0c7-{NUMBER}",
        "title": "Clinic reminder",
        "model": "Hamsa",
        "type": "VOICE_AGENTS",
        "processingType": "real-time",
        "webhookUrl": None,
        "totalCost": None,
        "usageTime": None,
        "fromLng": None,
        "toLng": None,
        "mediaUrl": None,
        "jobResponse": None,
        "fromScript": None,
        "toScript": None,
        "status": "PENDING",
        "relevantJobId": None,
        "agentDetails": AGENT,
        "apiKeyId": AGENT["apiKeyId"],
        "billingId": None,
        "systemModelKey": None,
        "voiceAgentId": AGENT["id"],
        "createdAt": "2026-03-11T08:15:02.417Z",
        "updatedAt": "2026-03-11T08:15:02.417Z",
    },
}

INSTRUCTIONS: Final = str(AGENT["preamble"])

RETELL: Final = {
    "call_id": f"call_{NUMBER}",
    "call_type": "phone_call",
    "call_status": "registered",
    "direction": "outbound",
    "agent_id": "oBeDLoLOeuAbiuaMFXRtDOLriTJ5tSxD",
    "agent_name": "Clinic reminder",
    "agent_version": 1,
    "from_number": "+14157774444",
    "to_number": "+12137774445",
    "metadata": {"note": INSTRUCTIONS},
    "retell_llm_dynamic_variables": {"name": "somebody", "day": "Thursday", "time": "10:30"},
    "custom_sip_headers": {"X-Custom-Header": "Custom Value"},
    "data_storage_setting": "everything",
    "opt_in_signed_url": True,
    "telephony_identifier": {"twilio_call_sid": "CA5d0d0d8047bf685c3f0ff980fe62c123"},
    "collected_dynamic_variables": {"last_node_name": "Reminder"},
    "transcript": "Agent: hello, how are you today?\nUser: who is this?\n" * 10,
    "transcript_object": [
        {
            "role": "agent",
            "content": "hello, how are you today?",
            "words": [{"word": "hello", "start": 0.7, "end": 1.3}],
        }
    ],
    "recording_url": "https://recordings.example.com/call/recording.wav",
    "public_log_url": "https://recordings.example.com/call/public.log",
    "latency": {"e2e": {"p50": 800, "p90": 1200, "num": 10, "values": [600, 700, 800]}},
}

VAPI: Final = {
    "id": f"c7b9a2d4-6f13-4e58-a0c7-{NUMBER}",
    "orgId": "0d9e6c1b-7a42-4f85-b3d0-5e8f2a6c4b17",
    "type": "outboundPhoneCall",
    "status": "queued",
    "createdAt": "2026-03-11T08:15:02.417Z",
    "updatedAt": "2026-03-11T08:15:02.417Z",
    "phoneCallProvider": "twilio",
    "phoneCallProviderId": "CA5d0d0d8047bf685c3f0ff980fe62c123",
    "phoneCallTransport": "pstn",
    "assistantId": AGENT["id"],
    "phoneNumberId": AGENT["projectId"],
    "customer": {"number": "+12137774445", "name": "somebody"},
    "name": "Clinic reminder",
    "cost": 0.0,
    "costBreakdown": {"transport": 0.0, "stt": 0.0, "llm": 0.0, "tts": 0.0, "total": 0.0},
    "monitor": {
        "listenUrl": "wss://monitor.example.com/call/listen",
        "controlUrl": "https://monitor.example.com/call/control",
    },
    "analysis": {"summary": INSTRUCTIONS},
    "artifact": {"transcript": "AI: hello, how are you today?\nUser: who is this?\n" * 13},
    "assistantOverrides": {
        "variableValues": {"name": "somebody", "day": "Thursday", "time": "10:30"}
    },
}

TWILIO_ACCOUNT: Final = "AC" + "0123456789abcdef" * 2
TWILIO_CALLS: Final = f"/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Calls"
_TWILIO_CALL: Final = f"CA{NUMBER}00000000000000000000"

TWILIO: Final = {
    "sid": _TWILIO_CALL,
    "date_created": None,
    "date_updated": None,
    "parent_call_sid": None,
    "account_sid": TWILIO_ACCOUNT,
    "to": "+12137774445",
    "to_formatted": "(213) 777-4445",
    "from": "+14157774444",
    "from_formatted": "(415) 777-4444",
    "phone_number_sid": "PN0123456789abcdef0123456789abcdef",
    "status": "queued",
    "start_time": None,
    "end_time": None,
    "duration": None,
    "price": None,
    "price_unit": "USD",
    "direction": "outbound-api",
    "answered_by": None,
    "annotation": None,
    "api_version": "2010-04-01",
    "forwarded_from": None,
    "group_sid": None,
    "caller_name": None,
    "queue_time": "0",
    "trunk_sid": None,
    "uri": f"{TWILIO_CALLS}/CA0123456789abcdef0123456789abcdef.json",
    "subresource_uris": {
        name: f"{TWILIO_CALLS}/CA0123456789abcdef0123456789abcdef/{name}.json"
        for name in (
            *("notifications", "recordings", "streams", "transcriptions", "siprec", "payments"),
            *("user_defined_message_subscriptions", "user_defined_messages", "events"),
        )
    },
}


def http(body: bytes, *, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """Write an answer."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Canned:
    """An answer that was written once, but for the number in its id."""

    def __init__(
        self, shape: Any, *, status: str = "200 OK", content_type: str = "application/json"
    ) -> None:
        body = shape if isinstance(shape, bytes) else json.dumps(shape).encode()
        whole = http(body, status=status, content_type=content_type)
        self._before, self._after = whole.split(NUMBER.encode())

    def numbered(self, number: int) -> bytes:
        """Write it with the id of this number."""
        return b"%b%012d%b" % (self._before, number, self._after)


def _protobuf(*texts: str) -> bytes:
    """Write a message of text fields, numbered from 1, each shorter than 128 bytes."""
    return b"".join(
        bytes([number << 3 | 2, len(text)]) + text.encode() for number, text in enumerate(texts, 1)
    )


CALL: Final = Canned(HAMSA)
OF_PEERS: Final = {
    b"/v2/create-phone-call": Canned(RETELL, status="201 Created"),
    b"/call": Canned(VAPI, status="201 Created"),
    f"{TWILIO_CALLS}.json".encode(): Canned(TWILIO, status="201 Created"),
    b"/twirp/livekit.SIP/CreateSIPParticipant": Canned(
        _protobuf("PA_s9T7XdWz3pTq", "somebody", "clinic-reminders", f"SCL_{NUMBER}"),
        content_type="application/protobuf",
    ),
}
