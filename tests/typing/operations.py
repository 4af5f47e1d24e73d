"""What a type checker knows of the operations: checked by mypy and pyright, never run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, assert_type

from hamsa_async import (
    FINAL_STATUSES,
    LIVE_STATUSES,
    AgentDetails,
    Call,
    CallStatus,
    CampaignRecipient,
    CampaignStatus,
    ChannelType,
    Conversation,
    ConversationSummary,
    ExportFile,
    ExportState,
    ExportStatus,
    ExportTicket,
    HamsaClient,
    Job,
    JobSummary,
    JobType,
    KnowledgeBaseItem,
    NumberType,
    OverviewAnalytics,
    Page,
    Pages,
    PerformanceAnalytics,
    Period,
    PhoneNumber,
    RecipientStatus,
    SatisfactionAnalytics,
    SendType,
    ServerCampaign,
    ServerCampaignDetail,
    ServerCampaignSummary,
    StatisticsChart,
    StatisticsNumbers,
    Turn,
    VoiceAgentV2,
    VoiceDictionary,
    VoiceDictionarySummary,
    WebTool,
    WebToolType,
)
from hamsa_async.models import RecipientFields


async def reads(hamsa: HamsaClient, moment: datetime) -> None:
    conversation = await hamsa.conversations.get("c")
    assert_type(conversation, Conversation)
    assert_type(conversation.status, CallStatus | str | None)
    assert_type(conversation.outcome, Mapping[str, Any])
    pages: Pages[ConversationSummary] = hamsa.conversations.list(
        status=["COMPLETED", CallStatus.FAILED], start_time=moment
    )
    page = await pages
    assert_type(page, Page[ConversationSummary])
    assert_type(page.items, Sequence[ConversationSummary])
    assert_type(page.total, int | None)
    assert_type(await pages.page(2), Page[ConversationSummary])
    async for row in pages:
        assert_type(row, ConversationSummary)
        assert_type(row.id, str)
    async for each in pages.by_page():
        assert_type(each, Page[ConversationSummary])
    assert_type(await hamsa.conversations.export(voice_agent_id="a"), ExportFile | ExportTicket)
    assert_type(await hamsa.jobs.get("j"), Job)
    async for job in hamsa.jobs.list(project_id="p", type="TTS"):
        assert_type(job, JobSummary)
    assert_type(await hamsa.numbers.get("n"), PhoneNumber)
    assert_type(await hamsa.analytics.overview(), OverviewAnalytics)
    assert_type(await hamsa.campaigns.get("c"), ServerCampaignDetail)
    agents = await hamsa.voice_agents.list()
    assert_type(agents, Page[AgentDetails])
    assert_type(await hamsa.voice_agents.placeholders("a"), tuple[str, ...])
    await hamsa.voice_agents.placeholders(agents.items[0])
    await hamsa.voice_agents.placeholders({"preamble": "{{name}}"})
    await hamsa.voice_agents.placeholders(None)  # type: ignore[arg-type]


async def writes(hamsa: HamsaClient, people: Sequence[RecipientFields]) -> None:
    call = await hamsa.voice_agents.call_from_number(
        to_number="+9715", from_number="+9714", voice_agent_id="a"
    )
    assert_type(call, Call)
    agent = await hamsa.voice_agents.create(
        agent_name="Sara", lang="ar", llm_config={"model_name": "GPT-4.1"}, webhook_url=None
    )
    assert_type(agent, AgentDetails)
    assert_type(await hamsa.voice_agents_v2.update("a", voice={"lang": "ar"}), VoiceAgentV2)
    assert_type(
        await hamsa.campaigns.create(
            name="March", phone_number="+9715", voice_agent_id="a", recipients=people
        ),
        ServerCampaign,
    )
    assert_type(await hamsa.web_tools.create(name="t", description="", params={}), WebTool)
    assert_type(await hamsa.knowledge_base.create([{"content": "a"}]), Sequence[KnowledgeBaseItem])
    words = await hamsa.dictionaries.create(name="n", words=[{"word": "a", "pronunciation": "b"}])
    assert_type(words, VoiceDictionary)
    assert_type(await hamsa.numbers.unassign(phone_number="+9715"), str)


async def lists(hamsa: HamsaClient) -> None:
    assert_type(await hamsa.voice_agents_v2.list(type="Flow Agent"), Page[VoiceAgentV2])
    assert_type(await hamsa.numbers.list(provider=NumberType.SIP), Page[PhoneNumber])
    assert_type(await hamsa.web_tools.list(is_active=True), Page[WebTool])
    assert_type(await hamsa.web_tools_v2.list(type=WebToolType.MCP), Page[WebTool])
    assert_type(await hamsa.knowledge_base.list(used=True), Page[KnowledgeBaseItem])
    assert_type(await hamsa.dictionaries.list(), Page[VoiceDictionarySummary])
    assert_type(await hamsa.campaigns.list(), Page[ServerCampaignSummary])


async def figures(hamsa: HamsaClient, begin: datetime, end: datetime) -> None:
    numbers = await hamsa.projects.statistics_numbers(
        project_id="p", start_period=begin, end_period=end
    )
    assert_type(numbers, StatisticsNumbers)
    chart = await hamsa.projects.statistics_chart(
        project_id="p", start_period=begin, end_period=end
    )
    assert_type(chart, StatisticsChart)
    assert_type(await hamsa.analytics.performance(period=Period.TODAY), PerformanceAnalytics)
    assert_type(await hamsa.analytics.satisfaction(), SatisfactionAnalytics)


def members(
    *,
    conversation: Conversation,
    job: Job,
    number: PhoneNumber,
    tool: WebTool,
    campaign: ServerCampaignDetail,
    export: ExportStatus,
) -> None:
    assert_type(conversation.channel_type, ChannelType | str | None)
    assert_type(conversation.transcript, tuple[Turn, ...])
    assert_type(conversation.status in FINAL_STATUSES | LIVE_STATUSES, bool)
    assert_type(job.type, JobType | str | None)
    assert_type(number.type, NumberType | str | None)
    assert_type(tool.type, WebToolType | str | None)
    assert_type(campaign.status, CampaignStatus | str | None)
    assert_type(campaign.send_type, SendType | str | None)
    assert_type(campaign.recipients, Mapping[str, Sequence[CampaignRecipient]] | None)
    for recipient in (campaign.recipients or {}).get("pending", ()):
        assert_type(recipient.status, RecipientStatus | str | None)
    assert_type(export.status, ExportState | str | None)


async def mistakes(hamsa: HamsaClient) -> None:
    await hamsa.voice_agents.create(lang="ar")  # type: ignore[call-arg]
    await hamsa.voice_agents.create(agent_name="S", lang="fr")  # type: ignore[arg-type]
    await hamsa.voice_agents.create(agent_name="S", agentName="S")  # type: ignore[call-arg]
    await hamsa.voice_agents.update("a", llm_config={"model": "x"})  # type: ignore[arg-type]
    await hamsa.dictionaries.create(name="n", words=[{"word": "a"}])  # type: ignore[typeddict-item]
    await hamsa.campaigns.create(name="March")  # type: ignore[call-arg]
