"""What is public is what `__all__` says, and importing it drags in nothing of the extras."""

import os
import subprocess
import sys
from pathlib import Path

import hamsa_async

PUBLIC = [
    "APIError",
    "AgentDetails",
    "AgentWebhookAuth",
    "AttemptSettled",
    "AuthenticationError",
    "CalendarTools",
    "Call",
    "CallRequest",
    "CallResult",
    "Answer",
    "AttemptBegan",
    "AttemptSent",
    "CallEnded",
    "CallQueued",
    "RequestOptions",
    "CallStatus",
    "CallStream",
    "CallUpdate",
    "CallWatch",
    "CampaignError",
    "CampaignRecipient",
    "CampaignRunningError",
    "CampaignStatus",
    "Certainty",
    "ChannelType",
    "ClientConfig",
    "ConfigurationError",
    "ConflictError",
    "ContactListError",
    "Conversation",
    "ConversationSummary",
    "CooldownStarted",
    "DialerError",
    "Event",
    "Evidence",
    "ExportFile",
    "ExportState",
    "ExportStatus",
    "ExportTicket",
    "FINAL_STATUSES",
    "HamsaClient",
    "HamsaError",
    "Hook",
    "InsufficientBalanceError",
    "InvalidRequestError",
    "Job",
    "JobSummary",
    "JobType",
    "JournalError",
    "KnowledgeBaseItem",
    "LIVE_STATUSES",
    "LLMConfig",
    "NotEndedError",
    "NotFoundError",
    "NotSeen",
    "NotSentError",
    "NumberType",
    "OutcomeUnknownError",
    "OverviewAnalytics",
    "Page",
    "Pages",
    "PerformanceAnalytics",
    "Period",
    "PermissionDeniedError",
    "PhoneNumber",
    "Project",
    "REFERENCE_PARAM",
    "RateLimitedError",
    "RecipientStatus",
    "ResponseSchemaError",
    "RetryPolicy",
    "RetryScheduled",
    "SatisfactionAnalytics",
    "SendType",
    "ServerCampaign",
    "ServerCampaignDetail",
    "ServerCampaignSummary",
    "ServerError",
    "StatisticsChart",
    "StatisticsNumbers",
    "StillUnknown",
    "TimeSlot",
    "Timeouts",
    "ToolSwitches",
    "Turn",
    "UnknownReason",
    "VoiceAgentV2",
    "VoiceDictionary",
    "VoiceDictionarySummary",
    "VoiceRecord",
    "WebTool",
    "WebToolType",
    "WebhookAuth",
    "WebhookParseError",
    "WebhookVerificationError",
    "__version__",
]

EXTRAS = [
    "phonenumbers",
    "cyclopts",
    "rich",
    "platformdirs",
    "filelock",
    "openpyxl",
    "python_calamine",
    "xlsxwriter",
    "prometheus_client",
    "opentelemetry",
    "procrastinate",
    "psycopg",
    "uvloop",
    "pytest",
    "hypothesis",
    "sqlite3",
]


def test_all_is_exactly_what_is_public() -> None:
    """A name more or less is a decision, made here."""
    assert sorted(hamsa_async.__all__) == sorted(PUBLIC)
    assert all(hasattr(hamsa_async, name) for name in PUBLIC)


def run(code: str) -> str:
    """Run in a fresh interpreter."""
    package = Path(hamsa_async.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_public_name_can_be_imported_from_the_package() -> None:
    """In a fresh interpreter, with warnings as errors."""
    assert run(f"from hamsa_async import {', '.join(PUBLIC)}; print('ok')") == "ok\n"


def test_importing_the_core_imports_no_extra_and_no_other_part_of_ours() -> None:
    """No dialer, no command, no fake, none of what they need."""
    loaded = run("import sys, hamsa_async; print(*sys.modules)").split()
    assert not {name for name in loaded if name.partition(".")[0] in EXTRAS}
    parts = {name.split(".")[1] for name in loaded if name.startswith("hamsa_async.")}
    assert not parts & {"dialer", "cli", "testing", "webhooks"}


def test_the_core_works_without_its_faster_parts() -> None:
    """Orjson is an extra: without it the same is said, more slowly."""
    code = """
import sys
sys.modules["orjson"] = None
from hamsa_async._wire import decode, encode
print(decode(encode({"a": [1, "x"]})))
"""
    assert run(code) == "{'a': [1, 'x']}\n"
