"""The agent as the API describes it inside a call, in both ages of its documentation.

Source: docs.tryhamsa.com/api-reference/endpoint/start-a-call. The older page calls
`agentDetails.tools` a connected calendar, the newer one a set of switches. Every field may
be missing or null; a field we do not know is kept in `extra`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Value, extra


@frozen(kw_only=True, eq=False, repr=False)
class TimeSlot(Value, shows=("from_", "to")):
    """A free span of a day, as `HH:MM` texts in the calendar's own zone."""

    from_: str | None = None
    to: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class CalendarTools(Value, shows=("id", "timezone")):
    """`tools` in the older documentation: a connected calendar, with its tokens hidden."""

    id: str | None = None
    calendar_name: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    free_slots: Mapping[str, Sequence[Sequence[TimeSlot]]] | None = None
    """Weekday name -> groups of slots."""
    meeting_duration: float | None = None
    """Minutes."""
    timezone: str | None = None
    voice_agent_tools_id: str | None = None
    calendar_id: str | None = None
    event_title: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class ToolSwitches(Value, shows=("gender_detection", "smart_call_end")):
    """`tools` in the newer documentation: what the agent may do by itself."""

    gender_detection: bool | None = None
    smart_call_end: bool | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class AgentWebhookAuth(Value, shows=("auth_key",)):
    """How the agent's own webhook proves itself, with the secret hidden."""

    auth_key: str | None = None
    auth_secret: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class LLMConfig(Value, shows=("provider", "model_name")):
    """The language model behind the agent, with its key hidden."""

    provider: str | None = None
    model_name: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    temperature: float | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class VoiceRecord(Value, shows=("id", "name")):
    """The voice that the agent speaks with."""

    id: str | None = None
    name: str | None = None
    provider: str | None = None
    language: str | None = None
    language_code: str | None = None
    image: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class AgentDetails(Value, shows=("id", "agent_name")):
    """The agent as it was when the call was placed: the union of both ages' fields."""

    id: str | None = None
    agent_name: str | None = None
    greeting_message: str | None = None
    greeting_message_type: str | None = None
    description: str | None = None
    preamble: str | None = None
    lang: str | None = None
    poke_messages: Sequence[str] | None = None
    real_time: bool | None = None
    silence_threshold: float | None = None
    """Milliseconds."""
    interrupt: bool | None = None
    type: str | None = None
    outcome: str | None = None
    outcome_response_shape: Mapping[str, Any] | None = None
    project_id: str | None = None
    api_key_id: str | None = None
    voice_id: str | None = None
    voice_record_id: str | None = None
    voice_record: VoiceRecord | None = None
    tools: CalendarTools | ToolSwitches | Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    collection_id: str | None = None
    is_template: bool | None = None
    icon: str | None = None
    webhook_url: str | None = None
    webhook_auth: AgentWebhookAuth | None = None
    alignment: Mapping[str, Any] | None = None
    web_tools_ids: Sequence[str] | None = None
    web_tools_overrides: Mapping[str, Any] | None = None
    voice_dictionary_ids: Sequence[str] | None = None
    knowledge_base_items_ids: Sequence[str] | None = None
    user_inactivity_timeout: float | None = None
    """Seconds."""
    max_call_duration: float | None = None
    """Seconds."""
    response_delay: float | None = None
    """Milliseconds."""
    background_noise: bool | None = None
    wait_for_user_to_speak_first: float | None = None
    thinking_voice: bool | None = None
    speaker_identification: bool | None = None
    llm_config: LLMConfig | None = None
    noise_cancellation: str | None = None
    cancel_noise_per: str | None = None
    agentic_rag: bool | None = None
    language_dialect_switcher: bool | None = None
    min_interruption_duration: float | None = None
    """Seconds."""
    vad_activation_threshold: float | None = None
    enable_auto_gain_control: bool | None = None
    send_denoised_to_stt: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()
