"""What an agent is made of, as it is written: the requests that create and change agents.

Sources: docs.tryhamsa.com/api-reference/endpoint/create-voice-agent, create-voice-agent-v2.
The ranges are the documentation's; which field some of them belong to is inferred.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

from hamsa_async.models.calls import WebhookAuth
from hamsa_async.models.rules import AtLeast, Between, WebUrl


class AlignmentFields(TypedDict, total=False):
    """In which direction texts are shown: `ltr` or `rtl`."""

    greeting_message: str | None
    preamble: str | None


class LLMFields(TypedDict, total=False):
    """The language model behind a v1 agent. Names of providers are case-sensitive."""

    provider: str | None
    model_name: str | None
    base_url: str | None
    api_key: str | None
    temperature: float | None


class ToolSwitchFields(TypedDict, total=False):
    """What a v1 agent may do by itself."""

    gender_detection: bool | None
    smart_call_end: bool | None
    google_calendar: bool | None
    """Older pages only."""


class VoiceAgentFields(TypedDict, total=False):
    """A v1 agent, but for its name. A field that is left out gets the API's default."""

    greeting_message: str
    """The first words; may hold `{{placeholders}}`."""
    greeting_message_type: str | None
    """`STATIC` or `PROMPT`."""
    preamble: str
    """The system prompt; may hold `{{placeholders}}`."""
    description: str
    lang: Literal["ar", "en"]
    poke_messages: Sequence[str]
    """Said when the person is silent."""
    real_time: bool
    silence_threshold: Annotated[float, AtLeast(1)]
    """Milliseconds, 1 or more."""
    interrupt: bool
    """Whether the person may talk over the agent."""
    type: str
    """`Single Prompt` or `Flow Agent`."""
    outcome: str | None
    """A prompt that turns the conversation into a result."""
    outcome_response_shape: Mapping[str, Any] | None
    """The shape of that result: a JSON schema of an object."""
    webhook_url: Annotated[str, WebUrl()] | None
    webhook_auth: WebhookAuth | None
    voice_id: str | None
    tools: ToolSwitchFields | None
    params: Mapping[str, Any]
    """Default values of the placeholders."""
    alignment: AlignmentFields | None
    web_tools_ids: Sequence[str]
    voice_dictionary_ids: Sequence[str]
    knowledge_base_items_ids: Sequence[str]
    web_tools_overrides: Mapping[str, Any]
    user_inactivity_timeout: Annotated[float, Between(5, 30)]
    """Seconds, 5 to 30."""
    max_call_duration: Annotated[float, Between(30, 600)]
    """Seconds, 30 to 600."""
    response_delay: Annotated[float, Between(100, 1500)]
    """Milliseconds, 100 to 1,500."""
    background_noise: bool
    wait_for_user_to_speak_first: Annotated[float, Between(0, 2)]
    """0 to 2."""
    thinking_voice: bool
    speaker_identification: bool
    llm_config: LLMFields | None
    noise_cancellation: str
    cancel_noise_per: str
    agentic_rag: bool
    language_dialect_switcher: bool
    min_interruption_duration: Annotated[float, Between(0.2, 1.5)]
    """Seconds, 0.2 to 1.5."""
    vad_activation_threshold: Annotated[float, Between(0.2, 0.9)]
    """0.2 to 0.9."""
    enable_auto_gain_control: bool
    send_denoised_to_stt: bool


class VoiceAgentChanges(VoiceAgentFields, total=False):
    """What may be changed of a v1 agent. What is left out stays as it is."""

    agent_name: str
    is_template: bool
    icon: str | None


class ConversationFields(TypedDict, total=False):
    """What a v2 agent says."""

    greeting_message: str | None
    greeting_message_type: str | None
    preamble: str | None
    poke_messages: Sequence[str] | None
    params: Mapping[str, Any] | None
    alignment: AlignmentFields | None


class VoiceFields(TypedDict, total=False):
    """What a v2 agent speaks with."""

    voice_id: str | None
    lang: str | None
    voice_record_id: str | None
    tts_params: Mapping[str, Any] | None


class ModelFields(TypedDict, total=False):
    """The language model behind a v2 agent. Names of providers are case-sensitive."""

    provider: str | None
    model: str | None
    temperature: float | None
    base_url: str | None
    api_key: str | None


class CallSettingsFields(TypedDict, total=False):
    """How a v2 agent holds a call. Units as in `VoiceAgentFields`."""

    noise_cancellation: str | None
    cancel_noise_per: str | None
    interrupt: bool | None
    response_delay: Annotated[float, Between(100, 1500)] | None
    min_interruption_duration: Annotated[float, Between(0.2, 1.5)] | None
    vad_activation_threshold: Annotated[float, Between(0.2, 0.9)] | None
    user_inactivity_timeout: Annotated[float, Between(5, 30)] | None
    max_call_duration: Annotated[float, Between(30, 600)] | None
    silence_threshold: Annotated[float, AtLeast(1)] | None
    background_noise: bool | None
    enable_auto_gain_control: bool | None
    send_denoised_to_stt: bool | None
    wait_for_user_to_speak_first: Annotated[float, Between(0, 2)] | None
    thinking_voice: bool | None
    speaker_identification: bool | None
    agentic_rag: bool | None
    language_dialect_switcher: bool | None
    gender_detection: bool | None
    smart_call_end: bool | None


class AgentToolFields(TypedDict, total=False):
    """A tool that a v2 agent has."""

    persistent_id: str | None
    tool_id: str | None
    version: int | None
    tool_type: str | None
    """`FUNCTION` or `MCP`."""
    node_id: str | None
    test_result: Mapping[str, Any] | None
    overrides: Mapping[str, Any] | None


class PhoneNumberLinkFields(TypedDict, total=False):
    """The number of a v2 agent."""

    type: str | None
    id: str | None


class WorkflowFields(TypedDict, total=False):
    """The graph of a flow agent. Nodes and edges are in the API's own names."""

    nodes: Sequence[Mapping[str, Any]]
    edges: Sequence[Mapping[str, Any]]
    custom_variables: Sequence[Mapping[str, Any]]


class VoiceAgentV2Fields(TypedDict, total=False):
    """A v2 agent, but for its name. A field that is left out gets the API's default."""

    type: str
    """`Single Prompt` or `Flow Agent`."""
    conversation: ConversationFields | None
    voice: VoiceFields | None
    llm: ModelFields | None
    call_settings: CallSettingsFields | None
    tools: Sequence[AgentToolFields]
    knowledge_base_items_ids: Sequence[str]
    voice_dictionary_ids: Sequence[str]
    phone_number: PhoneNumberLinkFields | None
    webhook_url: Annotated[str, WebUrl()] | None
    webhook_auth: WebhookAuth | None
    workflow: WorkflowFields | None
    outcome_response_shape: Mapping[str, Any] | None


class VoiceAgentV2Changes(VoiceAgentV2Fields, total=False):
    """What may be changed of a v2 agent. What is left out stays as it is."""

    name: str
