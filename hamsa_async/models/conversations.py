"""What became of calls: the conversation in full, its row in the list, and exports."""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra, keys_of
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.calls import REFERENCE_PARAM


class CallStatus(enum.StrEnum):
    """Where a call stands. An open set: a status that is not in it passes as its text."""

    PENDING = "PENDING"
    """Waits for its start, or rings."""
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    NO_ANSWER = "NO_ANSWER"
    FAILED = "FAILED"
    FORWARDED = "FORWARDED"
    """Passed on to somebody else; the agent's part has ended."""
    TERMINATED = "TERMINATED"
    """Only the list's filter names it; taken to mean that the call was cut off."""


LIVE_STATUSES: Final = frozenset({CallStatus.PENDING, CallStatus.IN_PROGRESS})
"""A call with one of these has not ended."""

FINAL_STATUSES: Final = frozenset(CallStatus) - LIVE_STATUSES
"""A call with one of these has ended, and its status does not change any more."""


class ChannelType(enum.StrEnum):
    """How the person takes part. The API writes it in two ways; both are read as one."""

    TELEPHONE = "TELEPHONE"
    WEB = "Web"


class Period(enum.StrEnum):
    """A span of time that the API knows by name; `CUSTOM` takes its two ends."""

    LAST_HOUR = "LAST_HOUR"
    TODAY = "TODAY"
    YESTERDAY = "YESTERDAY"
    THIS_WEEK = "THIS_WEEK"
    THIS_MONTH = "THIS_MONTH"
    CUSTOM = "CUSTOM"


@frozen(kw_only=True, eq=False, repr=False)
class CallParams(Value, shows=("machine_number", "user_number")):
    """The two ends of a call. Numbers are masked in `repr` and whole in the fields."""

    machine_number: str | None = None
    """The caller number that was used."""

    user_number: str | None = None
    """The person's number."""

    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class Turn(Value, shows=("speaker",)):
    """One thing that was said."""

    speaker: str
    """`Agent` or `User`, as far as is known."""

    text: str


@frozen(kw_only=True, eq=False, repr=False)
class JobResponse(Value, shows=()):
    """What came out of a call. It may lag the call's end by some seconds."""

    transcription: Sequence[Mapping[str, Any]] | None = None
    """As the API sends it: one `{speaker: text}` a turn. See `Conversation.transcript`."""

    outcome_result: Mapping[str, Any] | None = None
    """What the agent's `outcome_response_shape` asks for, mixed with the call's `params`."""

    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class ConversationLog(Value, shows=("id", "category", "timestamp")):
    """One entry of a call's log."""

    id: str | None = None
    timestamp: datetime | None = None
    category: str | None = None
    """`CONVERSATION`, `TOOLS`, `ERROR`, `node_movement`, ... An open set."""

    message: str | None = None
    payload: Any = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class Conversation(Value, shows=("id", "status", "created_at")):
    """One call in full. Its id is the id of the call.

    Source: `GET /v1/voice-agents/conversation/{conversationId}`.
    """

    id: Id
    title: str | None = None
    model: str | None = None
    status: CallStatus | str | None = None
    type: str | None = None
    """`VOICE_AGENTS`."""

    processing_type: str | None = None
    voice_agent_id: str | None = None
    api_key_id: str | None = None
    media_url: str | None = None
    """The recording. The link expires: read the conversation again for a fresh one."""

    call_params: CallParams | None = None
    call_duration: float | None = None
    """Seconds, as far as was seen."""

    channel_type: ChannelType | str | None = None
    agent_details: AgentDetails | None = None
    """The agent as it was when the call was placed."""

    job_response: JobResponse | None = None
    call_analysis: Mapping[str, Any] | None = None
    """Its shape is not documented."""

    voice_agent: Mapping[str, Any] | None = None
    """The agent's tools and knowledge base, in the API's own names."""

    logs: Sequence[ConversationLog] | None = None
    """May be missing for some seconds after the call's end."""

    performance_metrics: Mapping[str, Any] | None = None
    """Its shape is not documented."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()

    @property
    def has_ended(self) -> bool:
        """Whether its status is one that does not change any more."""
        return isinstance(self.status, str) and self.status in FINAL_STATUSES

    @property
    def transcript(self) -> tuple[Turn, ...]:
        """What was said, in order; empty where there is nothing yet."""
        turns = self.job_response.transcription if self.job_response is not None else None
        return tuple(
            Turn(speaker=speaker, text=str(text))
            for turn in (turns if isinstance(turns, Sequence) else ())
            for speaker, text in keys_of(turn).items()
        )

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What the call resulted in, with the call's `params` among it; empty where unknown."""
        return keys_of(self.job_response.outcome_result if self.job_response else None)

    @property
    def reference(self) -> str | None:
        """The reference that the call was placed with, where it comes back."""
        params = self.agent_details.params if self.agent_details is not None else None
        for place in (self.outcome, keys_of(params)):
            reference = place.get(REFERENCE_PARAM)
            if isinstance(reference, str):
                return reference
        return None


@frozen(kw_only=True, eq=False, repr=False)
class ConversationSummary(Value, shows=("id", "status", "created_at")):
    """One call in brief.

    Source: `GET /v1/voice-agents/conversations/minimal-list`.
    """

    id: Id
    created_at: datetime | None = None
    status: CallStatus | str | None = None
    voice_agent_id: str | None = None
    agent_name: str | None = None
    duration: float | None = None
    """Seconds."""

    channel_type: ChannelType | str | None = None
    call_params: CallParams | None = None
    extra: Mapping[str, Any] = extra()

    @property
    def has_ended(self) -> bool:
        """Whether its status is one that does not change any more."""
        return isinstance(self.status, str) and self.status in FINAL_STATUSES


@frozen(kw_only=True, eq=False, repr=False)
class ExportFile(Value, shows=("content_type",)):
    """An export that came at once: a workbook, newest call first.

    Source: `GET /v1/agent-analytics/conversations/export`.
    """

    content: bytes
    content_type: str


@frozen(kw_only=True, eq=False, repr=False)
class ExportTicket(Value, shows=("export_id",)):
    """An export that the API is still making; ask `conversations.export_status` for it."""

    export_id: Id
    extra: Mapping[str, Any] = extra()


class ExportState(enum.StrEnum):
    """How far an export is. An open set."""

    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


@frozen(kw_only=True, eq=False, repr=False)
class ExportStatus(Value, shows=("status",)):
    """Where an export stands.

    Source: `GET /v1/agent-analytics/conversations/export/status`, as observed; no page has it.
    """

    status: ExportState | str | None = None
    download_url: str | None = None
    """A CSV file, once it is ready."""

    error: str | None = None
    extra: Mapping[str, Any] = extra()
