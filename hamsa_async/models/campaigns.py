"""Hamsa's own batches of calls, which its servers dial.

Not to be confused with the campaigns of `hamsa_async.dialer`, which this machine dials.
Source: docs.tryhamsa.com/api-reference/endpoint/create-campaign.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Required, TypedDict

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra
from hamsa_async.models.rules import AtLeast, ClockTime, Length, WebUrl


class CampaignStatus(enum.StrEnum):
    """How far a batch is. An open set."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class RecipientStatus(enum.StrEnum):
    """How far a batch is with one person. An open set."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    """Waits for capacity."""
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    NO_ANSWER = "NO_ANSWER"


class SendType(enum.StrEnum):
    """When a batch begins. An open set: how a scheduled start is spelt was not seen."""

    NOW = "NOW"
    """At the worker's next round, within about a minute."""


@frozen(kw_only=True, eq=False, repr=False)
class CampaignTimeRange(Value, shows=("days",)):
    """When a batch may call."""

    days: Sequence[str] | None = None
    """`MONDAY` and so on."""

    start_calling_time: str | None = None
    """`HH:MM`."""

    end_calling_time: str | None = None
    """`HH:MM`."""

    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class ServerCampaign(Value, shows=("id", "status", "created_at")):
    """A batch, as it comes back when it was created."""

    id: Id
    name: str | None = None
    status: CampaignStatus | str | None = None
    send_type: SendType | str | None = None
    scheduled_date: datetime | None = None
    scheduled_timezone: str | None = None
    time_range: CampaignTimeRange | None = None
    reserved_concurrency: int | None = None
    """Calls kept free for others."""

    project_id: str | None = None
    voice_agent_id: str | None = None
    webhook_url: str | None = None
    user_id: str | None = None
    phone_number_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class ServerCampaignSummary(Value, shows=("id", "status", "recipients_count")):
    """A batch in brief."""

    id: Id
    name: str | None = None
    status: CampaignStatus | str | None = None
    send_type: SendType | str | None = None
    scheduled_date: datetime | None = None
    scheduled_timezone: str | None = None
    time_range: CampaignTimeRange | None = None
    reserved_concurrency: int | None = None
    project_id: str | None = None
    voice_agent_id: str | None = None
    recipients_count: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class CampaignRecipient(Value, shows=("id", "status", "job_id")):
    """One person of a batch."""

    id: Id
    campaign_id: str | None = None
    phone_number: str | None = None
    name: str | None = None
    ignore_e164_validation: bool | None = None
    dynamic_variables: Mapping[str, Any] | None = None
    status: RecipientStatus | str | None = None
    latest_action_timestamp: datetime | None = None
    attempts: int | None = None
    max_attempts: int | None = None
    next_retry_at: datetime | None = None
    job_id: str | None = None
    """Leads to the conversation."""

    last_error: str | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class ServerCampaignDetail(Value, shows=("id", "status", "total_recipients")):
    """A batch with everybody in it."""

    id: Id
    name: str | None = None
    status: CampaignStatus | str | None = None
    send_type: SendType | str | None = None
    scheduled_date: datetime | None = None
    scheduled_timezone: str | None = None
    time_range: CampaignTimeRange | None = None
    reserved_concurrency: int | None = None
    project_id: str | None = None
    voice_agent_id: str | None = None
    total_recipients: int | None = None
    agent_name: str | None = None
    recipients: Mapping[str, Sequence[CampaignRecipient]] | None = None
    """By state: `pending`, `queued`, `inProgress`, ... An open set, in the API's own names."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


class TimeRangeFields(TypedDict, total=False):
    """When a batch may call."""

    days: Sequence[Weekday]
    start_calling_time: Annotated[str, ClockTime()]
    """`HH:MM`."""
    end_calling_time: Annotated[str, ClockTime()]
    """`HH:MM`."""


class RecipientFields(TypedDict, total=False):
    """One person to be called."""

    phone_number: Required[Annotated[str, Length(1)]]
    """E.164, unless `ignore_e164_validation` is set."""
    name: str
    ignore_e164_validation: bool
    dynamic_variables: Mapping[str, Any]
    """Seen in answers; that it may be given here is inferred. Values for `{{placeholders}}`."""


class CampaignOptions(TypedDict, total=False):
    """What a batch may have besides."""

    send_type: str
    """`NOW`; how a scheduled start is spelt was not seen."""
    time_range: TimeRangeFields | None
    reserved_concurrency: Annotated[int, AtLeast(0)] | None
    """Calls kept free for others."""
    scheduled_date: datetime | None
    """Aware."""
    scheduled_timezone: str | None
    """IANA name."""
    webhook_url: Annotated[str, WebUrl()] | None
    """Seen in answers; that it may be given here is inferred."""
