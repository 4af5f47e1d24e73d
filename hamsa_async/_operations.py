"""Everything that the API can be asked, as one table.

Requests are built from its rows, and the retry table asks them whether they write. Whatever is
not proven to only read, writes: a batch that is created twice rings a whole list twice.
"""

import enum
from typing import Final

import attrs

from hamsa_async._values import Plain

_DOCS: Final = "https://docs.tryhamsa.com/api-reference/"


class Paging(enum.Enum):
    """How a list is asked for its pages. The API has three ways."""

    PAGE = enum.auto()
    """`page` counts pages from 1, `perPage` is their size."""

    PAGE_IN_SKIP = enum.auto()
    """`skip` counts pages from 1, whatever its name says; `take` is their size."""

    ROWS_IN_SKIP = enum.auto()
    """`skip` counts rows from 0, `take` is the size of a page."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Operation(Plain):
    """One thing that the API can be asked, and whether asking changes the world.

    `writes` decides the column of the retry table: a write is never sent again unless it is
    proven that nothing came of it.
    """

    name: str
    """As it is called here: `voice_agents.call`."""

    method: str
    path: str
    """With `{id}` where an id belongs."""

    writes: bool
    id: str | None = None
    """Its `operationId` in the contract; `None` for one that is documented elsewhere only."""

    paging: Paging | None = None
    source: str | None = None
    """The page that documents it; `None` where it was only observed."""


def _read(
    name: str,
    path: str,
    operation_id: str | None,
    page: str | None = None,
    *,
    method: str = "GET",
    paging: Paging | None = None,
) -> Operation:
    return Operation(
        name=name,
        method=method,
        path=path,
        writes=False,
        id=operation_id,
        paging=paging,
        source=page and _DOCS + page,
    )


def _write(
    name: str, path: str, operation_id: str, page: str | None = None, *, method: str = "POST"
) -> Operation:
    return Operation(
        name=name,
        method=method,
        path=path,
        writes=True,
        id=operation_id,
        source=page and _DOCS + page,
    )


# -- calls

CALL: Final = _write(
    "voice_agents.call", "/v1/voice-agents/call", "startCall", "endpoint/start-a-call"
)
CALL_FROM_NUMBER: Final = _write(
    "voice_agents.call_from_number",
    "/v1/voice-agents/phone-number/call",
    "startCallFromNumber",
    "endpoint/call-phone-number",
)

# -- what became of them

CONVERSATION: Final = _read(
    "conversations.get",
    "/v1/voice-agents/conversation/{id}",
    "getConversation",
    "endpoint/get-conversation",
)
CONVERSATIONS: Final = _read(
    "conversations.list",
    "/v1/voice-agents/conversations/minimal-list",
    "listCallsMinimal",
    "endpoint/list-minimal-calls",
    paging=Paging.PAGE,
)
EXPORT: Final = _read(
    "conversations.export",
    "/v1/agent-analytics/conversations/export",
    "exportConversations",
    "endpoint/export-conversations",
)
EXPORT_STATUS: Final = _read(
    "conversations.export_status",
    "/v1/agent-analytics/conversations/export/status",
    "getExportStatus",
)
JOB: Final = _read("jobs.get", "/v1/jobs", "getJob", "endpoint/get-job-by-id")
JOBS: Final = _read(  # a POST because its filter is a body: it changes nothing
    "jobs.list",
    "/v1/jobs/all",
    None,
    "endpoint/get-jobs-list",
    method="POST",
    paging=Paging.PAGE_IN_SKIP,
)

# -- agents

CREATE_AGENT: Final = _write(
    "voice_agents.create", "/v1/voice-agents", "createVoiceAgent", "endpoint/create-voice-agent"
)
AGENTS: Final = _read(
    "voice_agents.list",
    "/v1/voice-agents",
    "listVoiceAgents",
    "endpoint/get-all-voice-agents",
    paging=Paging.PAGE_IN_SKIP,
)
AGENT: Final = _read(
    "voice_agents.get",
    "/v1/voice-agents/{id}",
    "getVoiceAgent",
    "endpoint/get-voice-agent-by-id",
)
UPDATE_AGENT: Final = _write(
    "voice_agents.update",
    "/v1/voice-agents/{id}",
    "updateVoiceAgent",
    "endpoint/update-voice-agent",
    method="PATCH",
)
CLONE_AGENT: Final = _write(
    "voice_agents.clone",
    "/v1/voice-agents/clone",
    "cloneVoiceAgent",
    "endpoint/clone-voice-agent",
)
CREATE_AGENT_V2: Final = _write(
    "voice_agents_v2.create",
    "/v2/voice-agents",
    "createVoiceAgentV2",
    "endpoint/create-voice-agent-v2",
)
AGENTS_V2: Final = _read(
    "voice_agents_v2.list",
    "/v2/voice-agents",
    "listVoiceAgentsV2",
    "endpoint/list-voice-agents-v2",
    paging=Paging.PAGE_IN_SKIP,
)
AGENT_V2: Final = _read(
    "voice_agents_v2.get",
    "/v2/voice-agents/{id}",
    "getVoiceAgentV2",
    "endpoint/get-voice-agent-v2",
)
UPDATE_AGENT_V2: Final = _write(
    "voice_agents_v2.update",
    "/v2/voice-agents/{id}",
    "updateVoiceAgentV2",
    "endpoint/update-voice-agent-v2",
    method="PATCH",
)

# -- numbers

ADD_NUMBER: Final = _write(
    "numbers.add",
    "/v1/voice-agents/phone-number",
    "addPhoneNumber",
    "endpoint/add-phone-number",
)
NUMBER: Final = _read(
    "numbers.get",
    "/v1/voice-agents/phone-number",
    "getPhoneNumber",
    "endpoint/get-phone-number",
)
NUMBERS: Final = _read(
    "numbers.list",
    "/v1/voice-agents/phone-number/list",
    "listPhoneNumbers",
    "endpoint/list-phone-numbers",
    paging=Paging.PAGE_IN_SKIP,
)
ASSIGN_NUMBER: Final = _write(
    "numbers.assign",
    "/v1/voice-agents/assign-number",
    "assignPhoneNumber",
    "endpoint/assign-phone-number",
)
UNASSIGN_NUMBER: Final = _write(
    "numbers.unassign",
    "/v1/voice-agents/unassign",
    "unassignPhoneNumber",
    "endpoint/unassign-phone-number",
)

# -- what agents work with

CREATE_WEB_TOOL: Final = _write(
    "web_tools.create",
    "/v1/voice-agents/web-tool",
    "createWebTool",
    "create-a-new-web-tool",
)
WEB_TOOLS: Final = _read(
    "web_tools.list",
    "/v1/voice-agents/web-tool/list",
    "listWebTools",
    "return-a-list-of-web-tools",
    paging=Paging.PAGE_IN_SKIP,
)
WEB_TOOL: Final = _read(
    "web_tools.get", "/v1/voice-agents/web-tool/{id}", "getWebTool", "get-a-web-tool-by-id"
)
CREATE_WEB_TOOL_V2: Final = _write(
    "web_tools_v2.create",
    "/v2/voice-agents/web-tool",
    "createWebToolV2",
    "endpoint/v2/create-web-tool",
)
WEB_TOOLS_V2: Final = _read(
    "web_tools_v2.list",
    "/v2/voice-agents/web-tool/list",
    "listWebToolsV2",
    "endpoint/v2/list-web-tools",
    paging=Paging.PAGE_IN_SKIP,
)
UPDATE_WEB_TOOL_V2: Final = _write(
    "web_tools_v2.update",
    "/v2/voice-agents/web-tool/{id}",
    "updateWebToolV2",
    "endpoint/v2/update-web-tool",
    method="PATCH",
)
CREATE_KNOWLEDGE: Final = _write(
    "knowledge_base.create",
    "/v1/voice-agents/knowledge-base",
    "createKnowledgeBaseItems",
    "create-new-knowledge-base-items",
)
KNOWLEDGE: Final = _read(
    "knowledge_base.list",
    "/v1/voice-agents/knowledge-base/list",
    "listKnowledgeBaseItems",
    "return-a-list-of-knowledge-base-items",
    paging=Paging.PAGE_IN_SKIP,
)
KNOWLEDGE_ITEM: Final = _read(
    "knowledge_base.get",
    "/v1/voice-agents/knowledge-base/{id}",
    "getKnowledgeBaseItem",
    "endpoint/get-kb-item",
)
CREATE_DICTIONARY: Final = _write(
    "dictionaries.create",
    "/v1/voice-agents/voice-dictionaries",
    "createVoiceDictionary",
    "endpoint/create-voice-dictionary",
)
DICTIONARIES: Final = _read(
    "dictionaries.list",
    "/v1/voice-agents/voice-dictionaries/list",
    "listVoiceDictionaries",
    "endpoint/list-voice-dictionaries",
    paging=Paging.PAGE_IN_SKIP,
)
UPDATE_DICTIONARY: Final = _write(
    "dictionaries.update",
    "/v1/voice-agents/voice-dictionaries/{id}",
    "updateVoiceDictionary",
    "endpoint/update-voice-dictionary",
    method="PATCH",
)
TOGGLE_DICTIONARY: Final = _write(
    "dictionaries.toggle",
    "/v1/voice-agents/voice-dictionaries/toggle-activation",
    "toggleVoiceDictionary",
    "endpoint/toggle-voice-dictionary-activation",
)

# -- Hamsa's own batches

CREATE_CAMPAIGN: Final = _write(
    "campaigns.create",
    "/v1/voice-agents/campaigns",
    "createCampaign",
    "endpoint/create-campaign",
)
CAMPAIGNS: Final = _read(
    "campaigns.list",
    "/v1/voice-agents/campaigns",
    "listCampaigns",
    "endpoint/list-campaigns",
    paging=Paging.ROWS_IN_SKIP,
)
CAMPAIGN: Final = _read(
    "campaigns.get",
    "/v1/voice-agents/campaigns/{id}",
    "getCampaign",
    "endpoint/get-campaign",
)

# -- the project, and figures

PROJECT: Final = _read("projects.current", "/v1/projects/by-api-key", "getProjectByApiKey")
STATISTICS_NUMBERS: Final = _read(
    "projects.statistics_numbers",
    "/v1/projects/statistics/numbers",
    "getStatisticsNumbers",
    "endpoint/statistics-numbers",
)
STATISTICS_CHART: Final = _read(
    "projects.statistics_chart",
    "/v1/projects/statistics/chart",
    "getStatisticsChart",
    "endpoint/statistics-chart.md",
)
OVERVIEW: Final = _read(
    "analytics.overview",
    "/v1/agent-analytics/overview",
    "getOverviewAnalytics",
    "endpoint/get-overview-analytics",
)
PERFORMANCE: Final = _read(
    "analytics.performance",
    "/v1/agent-analytics/performance",
    "getPerformanceAnalytics",
    "endpoint/get-performance-analytics",
)
SATISFACTION: Final = _read(
    "analytics.satisfaction",
    "/v1/agent-analytics/satisfaction",
    "getSatisfactionAnalytics",
    "endpoint/get-satisfaction-analytics",
)

OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    row for row in list(globals().values()) if isinstance(row, Operation)
)
"""All of them, in the order of this file."""
