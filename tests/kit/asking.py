"""Every operation of the client, called once with as little and once with as much as it takes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from hamsa_async import HamsaClient, WebhookAuth
from hamsa_async._operations import OPERATIONS, Operation
from hamsa_async.testing import FAKE_API_KEY, FakeHamsa

Make = Callable[[HamsaClient], Awaitable[Any]]

ID = "9c1f7b2e-3d54-4e0a-8b66-1f2a7c5d9e10"
NUMBER = "+971500000123"
CALLER = "+18449292835"
LOCAL_NUMBER = "0500000123"
WEBHOOK_SECRET = "fake-secret"
MODEL_KEY = "fake-model-key"
TOOL_TOKEN = "fake-tool-token"
TWILIO_TOKEN = "fake-twilio-token"
HEADER_TOKEN = "fake-header-token"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 3, 2, tzinfo=UTC)
SPAN: dict[str, Any] = {"start_period": BEGIN, "end_period": END}
HOOK: dict[str, Any] = {
    "webhook_url": "https://example.com/hook",
    "webhook_auth": WebhookAuth(auth_secret=WEBHOOK_SECRET),
}
SHAPE = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
SETTINGS: dict[str, Any] = {
    "noise_cancellation": "telephony_optimized",
    "cancel_noise_per": "conversation",
    "interrupt": True,
    "response_delay": 400,
    "min_interruption_duration": 0.5,
    "vad_activation_threshold": 0.5,
    "user_inactivity_timeout": 15,
    "max_call_duration": 300,
    "silence_threshold": 800,
    "background_noise": False,
    "enable_auto_gain_control": False,
    "send_denoised_to_stt": False,
    "wait_for_user_to_speak_first": 0,
    "thinking_voice": False,
    "speaker_identification": False,
    "agentic_rag": False,
    "language_dialect_switcher": False,
}
V1: dict[str, Any] = {
    **SETTINGS,
    **HOOK,
    "greeting_message": "Hello {{name}}",
    "greeting_message_type": None,
    "preamble": "Be brief.",
    "description": "",
    "lang": "en",
    "poke_messages": ["Hello?"],
    "real_time": False,
    "type": "Single Prompt",
    "outcome": None,
    "outcome_response_shape": SHAPE,
    "voice_id": ID,
    "tools": {"gender_detection": False, "smart_call_end": True, "google_calendar": None},
    "params": {"name": "سارة"},
    "alignment": {"greeting_message": "rtl", "preamble": None},
    "web_tools_ids": [ID],
    "voice_dictionary_ids": [],
    "knowledge_base_items_ids": [],
    "web_tools_overrides": {},
    "llm_config": {
        "provider": "OpenAI",
        "model_name": "GPT-4.1",
        "base_url": None,
        "api_key": MODEL_KEY,
        "temperature": 0.2,
    },
}
V2: dict[str, Any] = {
    **HOOK,
    "type": "Flow Agent",
    "conversation": {
        "greeting_message": "Hello",
        "greeting_message_type": "TEXT",
        "preamble": None,
        "poke_messages": [],
        "params": {},
        "alignment": {"greeting_message": "ltr"},
    },
    "voice": {"voice_id": ID, "lang": "ar", "voice_record_id": None, "tts_params": {}},
    "llm": {
        "provider": "Groq",
        "model": "openai/gpt-oss-20b",
        "temperature": 0,
        "base_url": None,
        "api_key": None,
    },
    "call_settings": {**SETTINGS, "gender_detection": False, "smart_call_end": None},
    "tools": [
        {
            "persistent_id": ID,
            "tool_id": ID,
            "version": 2,
            "tool_type": "FUNCTION",
            "node_id": None,
            "test_result": None,
            "overrides": {},
        }
    ],
    "knowledge_base_items_ids": [],
    "voice_dictionary_ids": [ID],
    "phone_number": {"type": "TWILIO", "id": ID},
    "workflow": {"nodes": [{"id": "1"}], "edges": [], "custom_variables": []},
    "outcome_response_shape": None,
}
TOOL: dict[str, Any] = {
    "name": "look_up",
    "description": "Looks it up",
    "params": {"type": "object", "properties": {}},
}
FULL_TOOL: dict[str, Any] = {
    **TOOL,
    "messages": [{"type": "system", "content": "One moment"}],
    "async_": True,
    "type": "FUNCTION",
    "collection_id": None,
    "tool_settings": {
        "server_url": "https://example.com/tool",
        "method_type": "POST",
        "auth_token": TOOL_TOKEN,
        "time_out": 10,
        "http_headers": {"Authorization": HEADER_TOKEN},
        "path_parameters": {},
    },
}
BATCH: dict[str, Any] = {
    "name": "March",
    "phone_number": CALLER,
    "voice_agent_id": ID,
    "recipients": [{"phone_number": NUMBER}],
}
FULL_BATCH: dict[str, Any] = {
    **BATCH,
    "recipients": [
        {"phone_number": NUMBER, "name": "Sara", "dynamic_variables": {"name": "Sara"}},
        {"phone_number": LOCAL_NUMBER, "ignore_e164_validation": True},
    ],
    "send_type": "NOW",
    "time_range": {
        "days": ["MONDAY", "SUNDAY"],
        "start_calling_time": "09:00",
        "end_calling_time": "17:30",
    },
    "reserved_concurrency": 10,
    "scheduled_date": END,
    "scheduled_timezone": "Asia/Dubai",
    "webhook_url": "https://example.com/hook",
}


@attrs.frozen(kw_only=True)
class Asked:
    """One operation, and how the client asks for it."""

    id: str
    least: Make
    most: Make

    def __repr__(self) -> str:
        return self.id


def ask(operation_id: str, least: Make, most: Make | None = None) -> Asked:
    return Asked(id=operation_id, least=least, most=most or least)


ALL = [
    ask(
        "startCall",
        lambda c: c.voice_agents.call(to_number=NUMBER, voice_agent_id=ID),
        lambda c: c.voice_agents.call(
            to_number=NUMBER,
            agent_details={"agentName": "Inline"},
            from_number=CALLER,
            params={"name": "Sara"},
            reference="r-1",
            **HOOK,
        ),
    ),
    ask(
        "startCallFromNumber",
        lambda c: c.voice_agents.call_from_number(
            to_number=NUMBER, from_number=CALLER, voice_agent_id=ID
        ),
        lambda c: c.voice_agents.call_from_number(
            to_number=NUMBER,
            from_number=CALLER,
            agent_details={"agentName": "Inline"},
            params={"name": "Sara"},
            reference="r-2",
        ),
    ),
    ask("getConversation", lambda c: c.conversations.get(ID)),
    ask(
        "listCallsMinimal",
        lambda c: c.conversations.list().page(1),
        lambda c: c.conversations.list(
            voice_agent_id=ID,
            status=["COMPLETED", "FAILED"],
            start_time=BEGIN,
            end_time=END,
            page_size=200,
        ).page(2),
    ),
    ask(
        "exportConversations",
        lambda c: c.conversations.export(voice_agent_id=ID),
        lambda c: c.conversations.export(
            voice_agent_id=ID, status="COMPLETED", project_id=ID, time_difference=4, **SPAN
        ),
    ),
    ask(
        "getExportStatus",
        lambda c: c.conversations.export_status(project_id=ID, export_id="export-1"),
    ),
    ask("getJob", lambda c: c.jobs.get(ID), lambda c: c.jobs.get(ID, speaker="1")),
    ask(
        "createVoiceAgent",
        lambda c: c.voice_agents.create(agent_name="Sara"),
        lambda c: c.voice_agents.create(agent_name="Sara", **V1),
    ),
    ask(
        "listVoiceAgents",
        lambda c: c.voice_agents.list().page(1),
        lambda c: c.voice_agents.list(page_size=50).page(3),
    ),
    ask("getVoiceAgent", lambda c: c.voice_agents.get(ID)),
    ask(
        "updateVoiceAgent",
        lambda c: c.voice_agents.update(ID, interrupt=False),
        lambda c: c.voice_agents.update(ID, agent_name="S", is_template=False, icon=None, **V1),
    ),
    ask("cloneVoiceAgent", lambda c: c.voice_agents.clone(ID, agent_name="Sara 2")),
    ask(
        "createVoiceAgentV2",
        lambda c: c.voice_agents_v2.create(name="Sara"),
        lambda c: c.voice_agents_v2.create(name="Sara", **V2),
    ),
    ask(
        "listVoiceAgentsV2",
        lambda c: c.voice_agents_v2.list().page(1),
        lambda c: c.voice_agents_v2.list(
            search="s & p",
            sort_field="createdAt",
            sort_order="asc",
            type=["Single Prompt", "Flow Agent"],
            language="ar",
            page_size=20,
        ).page(2),
    ),
    ask("getVoiceAgentV2", lambda c: c.voice_agents_v2.get(ID)),
    ask(
        "updateVoiceAgentV2",
        lambda c: c.voice_agents_v2.update(ID, name="Sara"),
        lambda c: c.voice_agents_v2.update(ID, name="Sara", **V2),
    ),
    ask(
        "addPhoneNumber",
        lambda c: c.numbers.add_twilio(
            phone_number=NUMBER,
            label="Main",
            twilio_account_sid="AC1",
            twilio_auth_token=TWILIO_TOKEN,
        ),
        lambda c: c.numbers.add_sip(
            phone_number=NUMBER,
            label="Trunk",
            sip_outbound_configs={
                "address": "sip.example.com",
                "transport_type": "TCP",
                "custom_headers": {"X-A": "1"},
            },
        ),
    ),
    ask("getPhoneNumber", lambda c: c.numbers.get(ID)),
    ask(
        "listPhoneNumbers",
        lambda c: c.numbers.list().page(1),
        lambda c: c.numbers.list(voice_agent_id=ID, provider="SIP", page_size=5).page(2),
    ),
    ask("assignPhoneNumber", lambda c: c.numbers.assign(voice_agent_id=ID, phone_number=NUMBER)),
    ask("unassignPhoneNumber", lambda c: c.numbers.unassign(phone_number=NUMBER)),
    ask(
        "createWebTool",
        lambda c: c.web_tools.create(**TOOL),
        lambda c: c.web_tools.create(**FULL_TOOL),
    ),
    ask(
        "listWebTools",
        lambda c: c.web_tools.list().page(1),
        lambda c: c.web_tools.list(
            voice_agent_id=ID, is_active=True, search="look", page_size=5
        ).page(2),
    ),
    ask("getWebTool", lambda c: c.web_tools.get(ID)),
    ask(
        "createWebToolV2",
        lambda c: c.web_tools_v2.create(**TOOL),
        lambda c: c.web_tools_v2.create(**FULL_TOOL),
    ),
    ask(
        "listWebToolsV2",
        lambda c: c.web_tools_v2.list().page(1),
        lambda c: c.web_tools_v2.list(
            voice_agent_id=ID,
            is_active=False,
            search="look",
            collection_id=ID,
            return_uncategorized=True,
            type="MCP",
            page_size=5,
        ).page(2),
    ),
    ask(
        "updateWebToolV2",
        lambda c: c.web_tools_v2.update(ID, description="Looks"),
        lambda c: c.web_tools_v2.update(ID, **FULL_TOOL),
    ),
    ask(
        "createKnowledgeBaseItems",
        lambda c: c.knowledge_base.create([{"item_name": "Prices"}]),
        lambda c: c.knowledge_base.create(
            [
                {"item_name": "Prices", "type": "TEXT", "content": "One dirham"},
                {"item_url": "https://example.com", "item_urls": ["https://example.com/a"]},
            ]
        ),
    ),
    ask(
        "listKnowledgeBaseItems",
        lambda c: c.knowledge_base.list().page(1),
        lambda c: c.knowledge_base.list(
            voice_agent_id=ID, is_active=True, used=False, search="p", type=["TEXT"], page_size=5
        ).page(2),
    ),
    ask("getKnowledgeBaseItem", lambda c: c.knowledge_base.get(ID)),
    ask(
        "createVoiceDictionary",
        lambda c: c.dictionaries.create(name="Names", words=[]),
        lambda c: c.dictionaries.create(
            name="Names", words=[{"word": "Hamsa", "pronunciation": "ham-sa"}]
        ),
    ),
    ask(
        "listVoiceDictionaries",
        lambda c: c.dictionaries.list().page(1),
        lambda c: c.dictionaries.list(search="n", used=True, voice_agent_id=ID, page_size=5).page(
            2
        ),
    ),
    ask(
        "updateVoiceDictionary",
        lambda c: c.dictionaries.update(ID, name="Names"),
        lambda c: c.dictionaries.update(
            ID, name="Names", words=[{"word": "Hamsa", "pronunciation": "ham-sa"}]
        ),
    ),
    ask(
        "toggleVoiceDictionary",
        lambda c: c.dictionaries.toggle(dictionary_id=ID, voice_agent_id=ID, is_active=True),
    ),
    ask(
        "createCampaign",
        lambda c: c.campaigns.create(**BATCH),
        lambda c: c.campaigns.create(**FULL_BATCH),
    ),
    ask(
        "listCampaigns",
        lambda c: c.campaigns.list().page(1),
        lambda c: c.campaigns.list(voice_agent_id=ID, search="M", page_size=5).page(2),
    ),
    ask("getCampaign", lambda c: c.campaigns.get(ID)),
    ask("getProjectByApiKey", lambda c: c.projects.current()),
    ask("getStatisticsNumbers", lambda c: c.projects.statistics_numbers(project_id=ID, **SPAN)),
    ask("getStatisticsChart", lambda c: c.projects.statistics_chart(project_id=ID, **SPAN)),
    *(
        ask(
            f"get{name.capitalize()}Analytics",
            lambda c, name=name: getattr(c.analytics, name)(),
            lambda c, name=name: getattr(c.analytics, name)(
                voice_agent_id=ID, period="CUSTOM", time_difference=-3.5, **SPAN
            ),
        )
        for name in ("overview", "performance", "satisfaction")
    ),
]

LIST_JOBS = ask(
    "jobs.list",
    lambda c: c.jobs.list(project_id=ID).page(1),
    lambda c: c.jobs.list(project_id=ID, page_size=5).page(2),
)

_ASKED = {asked.id: asked for asked in ALL}

EVERY: list[tuple[Operation, Asked]] = [
    (row, LIST_JOBS if row.id is None else _ASKED[row.id]) for row in OPERATIONS
]
"""Each row of the table, the one that is documented elsewhere too, with how it is asked."""


async def furnish(fake: FakeHamsa) -> None:
    """Let a fake know of one thing of each kind, under the ids and the number that are asked for.

    Nothing that the client does is judged by this: what it asks for must only be there.
    """
    fake.agents = None  # every id exists
    async with HamsaClient(FAKE_API_KEY, base_url=fake.base_url) as client:
        await client.voice_agents.call(to_number=NUMBER, voice_agent_id=ID)
        await client.conversations.export(voice_agent_id=ID)
        await client.numbers.add_twilio(
            phone_number=NUMBER,
            label="Main",
            twilio_account_sid="AC1",
            twilio_auth_token=TWILIO_TOKEN,
        )
        await client.web_tools.create(**TOOL)
        await client.knowledge_base.create([{"item_name": "Prices"}])
        await client.dictionaries.create(name="Names", words=[])
        await client.campaigns.create(**BATCH)
    kept = fake._catalogue
    for shelf in (kept.numbers, kept.tools, kept.items, kept.dictionaries, kept.campaigns):
        ((_, row),) = shelf.rows.items()
        shelf.rows = {ID: {**row, "id": ID}}
    (fake._calls.by_id[ID],) = fake._calls.by_id.values()
    fake.ledger.clear()
    fake.requests.clear()
