"""What the API talks about, as frozen values. No I/O, no JSON names: those are at the edge."""

from hamsa_async.models.agents import (
    AgentDetails,
    AgentWebhookAuth,
    CalendarTools,
    LLMConfig,
    TimeSlot,
    ToolSwitches,
    VoiceRecord,
)
from hamsa_async.models.calls import REFERENCE_PARAM, Call, CallRequest, WebhookAuth
from hamsa_async.models.projects import Project

__all__ = [
    "REFERENCE_PARAM",
    "AgentDetails",
    "AgentWebhookAuth",
    "CalendarTools",
    "Call",
    "CallRequest",
    "LLMConfig",
    "Project",
    "TimeSlot",
    "ToolSwitches",
    "VoiceRecord",
    "WebhookAuth",
]
