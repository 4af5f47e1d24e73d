"""A clinic's account as an example: agents, numbers, and calls of the last hours.

Ids are the same each time, so that what one process lists another can show.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from hamsa_async.testing.catalogue import USER_ID, iso
from hamsa_async.testing.fake import FAKE_AGENT_ID, FakeHamsa
from hamsa_async.testing.ledger import Ring
from hamsa_async.testing.lifecycle import Call
from hamsa_async.testing.orders import Order

EXAMPLE_CALL_ID: Final = "3e9a1f70-5c2d-4b86-9f41-7d0c6a8e2101"
"""A call that was answered, in Arabic."""

_BOOKING_AGENT_ID: Final = "b41d6e08-7f35-4c92-a1de-50c8f3972b6a"
_MAIN_LINE: Final = "+97145550000"

_AGENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    FAKE_AGENT_ID: {
        "agentName": "تذكير المواعيد",
        "description": "Reminds patients of their visits",
        "greetingMessage": "السلام عليكم {{customer_name}}، معك سارة من عيادة النخيل.",
        "preamble": (
            "أنت موظفة استقبال افتراضية. أكّدي موعد {{customer_name}} يوم {{appointment_day}}"
            " الساعة {{appointment_time}} باختصار ولطف."
        ),
        "lang": "ar",
        "params": {"customer_name": "عميلنا العزيز"},
        "webhookUrl": "https://hooks.example.com/hamsa?token=example-token",
        "webhookAuth": {"authKey": "Token", "authSecret": "example-secret"},
    },
    _BOOKING_AGENT_ID: {
        "agentName": "Booking assistant",
        "description": "Books visits",
        "greetingMessage": "Hello {{customer_name}}, this is the Palm Clinic.",
        "preamble": "You book visits for the clinic. Offer {{doctor}} first.",
        "lang": "en",
        "maxCallDuration": 180,
    },
}

_TALK: Final = (
    ("Agent", "السلام عليكم سارة المنصوري، معك سارة من عيادة النخيل."),
    ("User", "وعليكم السلام، تفضلي."),
    ("Agent", "أتصل لتأكيد موعدك يوم الأحد الساعة التاسعة والنصف صباحاً. هل يناسبك الموعد؟"),
    ("User", "نعم، يناسبني. شكراً لك."),
    ("Agent", "ممتاز، تم تأكيد الموعد. نراك يوم الأحد إن شاء الله، مع السلامة."),
)
_BOOKING: Final = (
    ("Agent", "Hello Fatima Al Zaabi, this is the Palm Clinic. How can I help you?"),
    ("User", "I would like to see Doctor Huda, some afternoon next week, if that is possible."),
    (
        "Agent",
        "She has time on Tuesday at two, or on Thursday at half past three. Which one?",
    ),
    ("User", "Thursday, please."),
    ("Agent", "It is booked. See you on Thursday at half past three, goodbye."),
)


@attrs.frozen(kw_only=True)
class _Past:
    """A call of the past, or one that goes on."""

    to_number: str
    minutes_ago: float
    outcome: str
    seconds: float = 0.0
    agent_id: str = FAKE_AGENT_ID
    params: Mapping[str, Any] = attrs.field(factory=dict)
    talk: Sequence[tuple[str, str]] = ()
    result: Mapping[str, Any] = attrs.field(factory=dict)


_PAST: Final = (
    _Past(
        to_number="+971500000101",
        minutes_ago=12,
        outcome="COMPLETED",
        seconds=48,
        params={
            "customer_name": "سارة المنصوري",
            "appointment_day": "الأحد",
            "appointment_time": "09:30",
        },
        talk=_TALK,
        result={"confirmed": True},
    ),
    _Past(
        to_number="+971500000102",
        minutes_ago=11,
        outcome="NO_ANSWER",
        params={"customer_name": "محمد الهاشمي", "appointment_day": "الأحد"},
    ),
    _Past(
        to_number="+971500000103",
        minutes_ago=95,
        outcome="COMPLETED",
        seconds=71,
        agent_id=_BOOKING_AGENT_ID,
        params={"customer_name": "Fatima Al Zaabi", "doctor": "Doctor Huda"},
        talk=_BOOKING,
        result={"confirmed": True, "doctor": "Huda"},
    ),
    _Past(to_number="+971500000104", minutes_ago=180, outcome="FORWARDED", seconds=33),
    _Past(to_number="+971500000105", minutes_ago=1500, outcome="FAILED"),
    # It goes on for as long as anybody will look.
    _Past(to_number="+971500000106", minutes_ago=0.5, outcome="COMPLETED", seconds=86_400),
)


def example(now: datetime | None = None) -> FakeHamsa:
    """Make a fake in which something has happened already; start it as any other.

    Args:
        now: Its calls are of the hours before. By default the present.
    """
    moment = now or datetime.now(UTC)
    return FakeHamsa(
        project_name="Palm Clinic (example)",
        agents=_AGENTS,
        numbers=_numbers(moment - timedelta(days=90)),
        history=[_call(past, number, moment) for number, past in enumerate(_PAST, 1)],
    )


def _numbers(made_at: datetime) -> Sequence[Mapping[str, Any]]:
    common = {
        "userId": USER_ID,
        "sipInboundConfigs": None,
        "sipOutboundConfigs": None,
        "createdAt": iso(made_at),
        "updatedAt": iso(made_at),
    }
    return (
        {
            **common,
            "id": "c80f5a1e-2b6d-4793-8e14-9a7d3f0b5c22",
            "number": "+97145550001",
            "label": "خط الحجوزات",
            "type": "TWILIO",
            "voiceAgentId": None,
            "voiceAgent": None,
        },
        {
            **common,
            "id": "a17c4d93-6e28-4f0b-b5a9-1d8e7c3f6021",
            "number": _MAIN_LINE,
            "label": "Main line",
            "type": "SIP",
            "voiceAgentId": FAKE_AGENT_ID,
            "voiceAgent": {"id": FAKE_AGENT_ID, "name": _AGENTS[FAKE_AGENT_ID]["agentName"]},
        },
    )


def _call(past: _Past, number: int, now: datetime) -> Call:
    agent, at = _AGENTS[past.agent_id], now - timedelta(minutes=past.minutes_ago)
    answered_at = at + timedelta(seconds=9)
    return Call(
        ring=Ring(
            phone_number=past.to_number,
            at=at,
            call_id=f"{EXAMPLE_CALL_ID[:-2]}{number:02}",
            post=number,
            voice_agent_id=past.agent_id,
            from_number=_MAIN_LINE,
        ),
        order=Order(
            to_number=past.to_number,
            from_number=_MAIN_LINE,
            voice_agent_id=past.agent_id,
            agent_details=None,
            params=past.params,
            webhook_url=None,
            webhook_auth=None,
        ),
        agent={**agent, "id": past.agent_id},
        answered_at=answered_at,
        ended_at=answered_at + timedelta(seconds=past.seconds),
        outcome=past.outcome,
        told_at=answered_at + timedelta(seconds=past.seconds),
        recorded=_recorded(past, number),
    )


def _recorded(past: _Past, number: int) -> Mapping[str, Any]:
    if not past.talk:
        return {}
    return {
        "mediaUrl": f"https://recordings.example.com/{number:02}.wav?expires=3600",
        "jobResponse": {
            "transcription": [{speaker: text} for speaker, text in past.talk],
            "outcomeResult": {**past.params, **past.result},
        },
    }
