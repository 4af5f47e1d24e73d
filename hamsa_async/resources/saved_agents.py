"""The agents that are saved with Hamsa, by the v1 routes: a part of `client.voice_agents`."""

from typing import Annotated, Required, TypedDict, Unpack

from hamsa_async._answers import pages_of, reads, writes
from hamsa_async._operations import AGENT, AGENTS, CLONE_AGENT, CREATE_AGENT, UPDATE_AGENT
from hamsa_async._paging import Pages
from hamsa_async._requests import build, needed
from hamsa_async._sender import Sender
from hamsa_async._writing import write, write_changes
from hamsa_async.models.agent_fields import VoiceAgentChanges, VoiceAgentFields
from hamsa_async.models.agents import AgentDetails
from hamsa_async.models.placeholders import AnyAgent, placeholders_in
from hamsa_async.models.rules import Length
from hamsa_async.options import RequestOptions, split_options
from hamsa_async.resources.lists import by_query

_read_page = pages_of(AgentDetails, "voiceAgents")


class _NewAgent(VoiceAgentFields, total=False):
    agent_name: Required[Annotated[str, Length(1)]]


class _Copy(TypedDict):
    agent_name: Annotated[str, Length(1)]


class NewAgentArguments(VoiceAgentFields, RequestOptions, total=False):
    """What `voice_agents.create` takes besides a name."""


class AgentArguments(VoiceAgentChanges, RequestOptions, total=False):
    """What `voice_agents.update` takes besides an id."""


class SavedAgents:
    """Agents by the v1 routes."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(self, *, agent_name: str, **fields: Unpack[NewAgentArguments]) -> AgentDetails:
        """Create an agent.

        Args:
            agent_name: What to call it.
            fields: See `VoiceAgentFields`, and `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents`.
        """
        more, options = split_options(fields)
        given = {"agent_name": agent_name, **more}
        body = write(_NewAgent, given, what="voice_agents.create")
        return await self._sender.send(
            build(CREATE_AGENT, body=body), writes(AgentDetails), options=options
        )

    def list(
        self, *, page_size: int = 10, **options: Unpack[RequestOptions]
    ) -> Pages[AgentDetails]:
        """List the project's agents.

        Args:
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents`.
        """
        return by_query(
            self._sender, AGENTS, _read_page, page_size=page_size, query={}, options=options
        )

    async def get(self, voice_agent_id: str, **options: Unpack[RequestOptions]) -> AgentDetails:
        """Read a saved agent.

        Args:
            voice_agent_id: Its id.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such agent in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/{voiceAgentId}`.
        """
        return await self._sender.send(
            build(AGENT, id=voice_agent_id), reads(AgentDetails), options=options
        )

    async def update(self, voice_agent_id: str, **changes: Unpack[AgentArguments]) -> AgentDetails:
        """Change an agent. What is left out stays as it is.

        Whether calls that are being held notice is not documented.

        Args:
            voice_agent_id: Its id.
            changes: One at least, of `VoiceAgentChanges`; and `RequestOptions`.

        Returns:
            The agent as it is now.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such agent in this project.
            OutcomeUnknownError: It may have been changed. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `PATCH /v1/voice-agents/{voiceAgentId}`.
        """
        fields, options = split_options(changes)
        body = write_changes(VoiceAgentChanges, fields, what="voice_agents.update")
        return await self._sender.send(
            build(UPDATE_AGENT, id=voice_agent_id, body=body), writes(AgentDetails), options=options
        )

    async def clone(
        self, voice_agent_id: str, *, agent_name: str, **options: Unpack[RequestOptions]
    ) -> AgentDetails:
        """Copy an agent.

        Args:
            voice_agent_id: Which.
            agent_name: What to call the copy.
            options: See `RequestOptions`.

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
        return await self._sender.send(
            build(CLONE_AGENT, query=query, body=body), writes(AgentDetails), options=options
        )

    async def placeholders(
        self, agent: str | AnyAgent, **options: Unpack[RequestOptions]
    ) -> tuple[str, ...]:
        """Name the `{{variables}}` in an agent's greeting and preamble: what `params` may fill.

        Only an id is read from the API; for an agent that is at hand nothing is sent, and
        `hamsa_async.models.placeholders_in` does the same without a client.

        Args:
            agent: An id, an agent as either route gives it, or one described on the spot as
                `call(agent_details=...)` takes it.
            options: See `RequestOptions`; of use where an id is read.

        Returns:
            The names without braces and surrounding whitespace, each once, in the order in
            which they appear, the greeting's first. What the nodes of a flow agent say is not
            looked at.

        Raises:
            ConfigurationError: It is neither. Nothing was sent.
            NotFoundError: There is no such agent in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/{voiceAgentId}`, for an id.
        """
        if isinstance(agent, str):
            agent = await self.get(agent, **options)
        return placeholders_in(agent)
