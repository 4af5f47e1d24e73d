"""The agents that are saved with Hamsa, by the v1 routes: a part of `client.voice_agents`."""

from typing import Annotated, Required, TypedDict, Unpack

from hamsa_async._answers import pages_of, reads, writes
from hamsa_async._operations import AGENT, AGENTS, CLONE_AGENT, CREATE_AGENT, UPDATE_AGENT
from hamsa_async._paging import Pages
from hamsa_async._requests import build, needed
from hamsa_async._transport import Transport
from hamsa_async._writing import write, write_changes
from hamsa_async.models.agent_fields import VoiceAgentChanges, VoiceAgentFields
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.rules import Length
from hamsa_async.resources.lists import by_query

_read_page = pages_of(AgentDetails, "voiceAgents")


class _NewAgent(VoiceAgentFields, total=False):
    agent_name: Required[Annotated[str, Length(1)]]


class _Copy(TypedDict):
    agent_name: Annotated[str, Length(1)]


class SavedAgents:
    """Agents by the v1 routes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, *, agent_name: str, **fields: Unpack[VoiceAgentFields]) -> AgentDetails:
        """Create an agent.

        Args:
            agent_name: What to call it.
            fields: See `VoiceAgentFields`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents`.
        """
        given = {"agent_name": agent_name, **fields}
        body = write(_NewAgent, given, what="voice_agents.create")
        return await self._transport.send(build(CREATE_AGENT, body=body), writes(AgentDetails))

    def list(self, *, page_size: int = 10) -> Pages[AgentDetails]:
        """List the project's agents.

        Args:
            page_size: Rows a page, 1 or more. No upper limit is documented.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents`.
        """
        return by_query(self._transport, AGENTS, _read_page, page_size=page_size, query={})

    async def get(self, voice_agent_id: str) -> AgentDetails:
        """Read a saved agent.

        Args:
            voice_agent_id: Its id.

        Raises:
            NotFoundError: There is no such agent in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/{voiceAgentId}`.
        """
        return await self._transport.send(build(AGENT, id=voice_agent_id), reads(AgentDetails))

    async def update(
        self, voice_agent_id: str, **changes: Unpack[VoiceAgentChanges]
    ) -> AgentDetails:
        """Change an agent. What is left out stays as it is.

        Whether calls that are being held notice is not documented.

        Args:
            voice_agent_id: Its id.
            changes: One at least; see `VoiceAgentChanges`.

        Returns:
            The agent as it is now.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such agent in this project.
            OutcomeUnknownError: It may have been changed. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `PATCH /v1/voice-agents/{voiceAgentId}`.
        """
        body = write_changes(VoiceAgentChanges, changes, what="voice_agents.update")
        return await self._transport.send(
            build(UPDATE_AGENT, id=voice_agent_id, body=body), writes(AgentDetails)
        )

    async def clone(self, voice_agent_id: str, *, agent_name: str) -> AgentDetails:
        """Copy an agent.

        Args:
            voice_agent_id: Which.
            agent_name: What to call the copy.

        Returns:
            The copy.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such agent in this project.
            OutcomeUnknownError: The copy may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/clone`.
        """
        body = write(_Copy, {"agent_name": agent_name}, what="voice_agents.clone")
        query = {"voiceAgentId": needed(voice_agent_id, "voice_agent_id")}
        return await self._transport.send(
            build(CLONE_AGENT, query=query, body=body), writes(AgentDetails)
        )
