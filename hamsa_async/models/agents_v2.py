"""The v2 agent: the same settings as v1's, in groups.

Source: docs.tryhamsa.com/api-reference/endpoint/create-voice-agent-v2.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra
from hamsa_async.models.agents import AgentWebhookAuth, VoiceRecord


@frozen(kw_only=True, eq=False, repr=False)
class AgentConversation(Value, shows=("greeting_message_type",)):
    """What a v2 agent says."""

    greeting_message: str | None = None
    greeting_message_type: str | None = None
    preamble: str | None = None
    poke_messages: Sequence[str] | None = None
    params: Mapping[str, Any] | None = None
    alignment: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class AgentVoice(Value, shows=("voice_id", "lang")):
    """What a v2 agent speaks with."""

    voice_id: str | None = None
    lang: str | None = None
    voice_record_id: str | None = None
    voice_record: VoiceRecord | None = None
    tts_params: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class AgentModel(Value, shows=("provider", "model")):
    """The language model behind a v2 agent."""

    provider: str | None = None
    model: str | None = None
    temperature: float | None = None
    base_url: str | None = None
    api_key: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class CallSettings(Value, shows=("max_call_duration",)):
    """How a v2 agent holds a call."""

    noise_cancellation: str | None = None
    cancel_noise_per: str | None = None
    interrupt: bool | None = None
    response_delay: float | None = None
    """Milliseconds."""
    min_interruption_duration: float | None = None
    """Seconds."""
    vad_activation_threshold: float | None = None
    user_inactivity_timeout: float | None = None
    """Seconds."""
    max_call_duration: float | None = None
    """Seconds."""
    silence_threshold: float | None = None
    """Milliseconds."""
    background_noise: bool | None = None
    enable_auto_gain_control: bool | None = None
    send_denoised_to_stt: bool | None = None
    wait_for_user_to_speak_first: float | None = None
    thinking_voice: bool | None = None
    speaker_identification: bool | None = None
    agentic_rag: bool | None = None
    language_dialect_switcher: bool | None = None
    gender_detection: bool | None = None
    smart_call_end: bool | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class AgentTool(Value, shows=("tool_id", "tool_type", "version")):
    """A tool that a v2 agent has."""

    persistent_id: str | None = None
    tool_id: str | None = None
    version: int | None = None
    tool_type: str | None = None
    """`FUNCTION` or `MCP`."""
    node_id: str | None = None
    test_result: Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class PhoneNumberLink(Value, shows=("type", "id")):
    """The number of a v2 agent."""

    type: str | None = None
    id: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class Workflow(Value, shows=()):
    """The graph of a flow agent. Nodes and edges are in the API's own names."""

    nodes: Sequence[Mapping[str, Any]] | None = None
    edges: Sequence[Mapping[str, Any]] | None = None
    custom_variables: Sequence[Mapping[str, Any]] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class Account(Value, shows=("plan",)):
    """Whose agent it is."""

    plan: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class VoiceAgentV2(Value, shows=("id", "name", "type")):
    """A saved agent, as the v2 routes give it."""

    id: Id
    name: str | None = None
    type: str | None = None
    """`Single Prompt` or `Flow Agent`."""

    conversation: AgentConversation | None = None
    voice: AgentVoice | None = None
    llm: AgentModel | None = None
    call_settings: CallSettings | None = None
    tools: Sequence[AgentTool] | None = None
    knowledge_base_items_ids: Sequence[str] | None = None
    voice_dictionary_ids: Sequence[str] | None = None
    phone_number: PhoneNumberLink | None = None
    webhook_url: str | None = None
    webhook_auth: AgentWebhookAuth | None = None
    workflow: Workflow | None = None
    outcome_response_shape: Mapping[str, Any] | None = None
    resolved_web_tools: Sequence[Mapping[str, Any]] | None = None
    account: Account | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()
