"""Jobs: what Hamsa works on, calls among them."""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Required, TypedDict

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.conversations import CallParams, CallStatus


class JobType(enum.StrEnum):
    """What a job is about. An open set; calls cannot be asked for in the list."""

    TRANSCRIPTION = "TRANSCRIPTION"
    TRANSLATION = "TRANSLATION"
    TTS = "TTS"
    AI_CONTENT = "AI_CONTENT"
    VOICE_AGENTS = "VOICE_AGENTS"


@frozen(kw_only=True, eq=False, repr=False)
class Job(Value, shows=("id", "type", "status")):
    """One job in full; a call's has the call's id.

    Source: `GET /v1/jobs`.
    """

    id: Id
    title: str | None = None
    model: str | None = None
    type: JobType | str | None = None
    processing_type: str | None = None
    webhook_url: str | None = None
    total_cost: float | None = None
    """Its unit is not documented."""

    usage_time: str | None = None
    """Its unit is not documented."""

    from_lng: str | None = None
    to_lng: str | None = None
    media_url: str | None = None
    job_response: Mapping[str, Any] | None = None
    from_script: str | None = None
    to_script: str | None = None
    status: CallStatus | str | None = None
    relevant_job_id: str | None = None
    agent_details: AgentDetails | str | None = None
    """This route's page calls it a text; elsewhere it is the agent."""

    call_params: CallParams | None = None
    api_key_id: str | None = None
    billing_id: str | None = None
    system_model_key: str | None = None
    voice_agent_id: str | None = None
    preview_url: str | None = None
    """From beside the job in the answer."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class JobSummary(Value, shows=("id", "type", "status")):
    """One job in brief.

    Source: `POST /v1/jobs/all`, which only reads.
    """

    id: Id
    title: str | None = None
    type: JobType | str | None = None
    url: str | None = None
    status: CallStatus | str | None = None
    cost: float | None = None
    system_model_key: str | None = None
    relevant_job_id: str | None = None
    attributes: Mapping[str, Any] | None = None
    """Depends on the type; in the API's own names."""

    api_key: Any = None
    created_by: Any = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


class JobSort(TypedDict, total=False):
    """In which order jobs are listed."""

    field: Required[Literal["createdAt"]]
    direction: Required[Literal["asc", "desc"]]


class JobFilter(TypedDict, total=False):
    """Which jobs are listed, and in which order."""

    sort: JobSort
    search: str
    status: Literal["PENDING", "COMPLETED", "FAILED"]
    type: Literal["TRANSCRIPTION", "TRANSLATION", "TTS", "AI_CONTENT"]
