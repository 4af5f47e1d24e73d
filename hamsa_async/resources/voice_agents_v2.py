"""`client.voice_agents_v2`: saved agents, with their settings in groups."""

from collections.abc import Sequence
from typing import Annotated, Required, Unpack

from hamsa_async._answers import pages_of, reads, writes
from hamsa_async._operations import AGENT_V2, AGENTS_V2, CREATE_AGENT_V2, UPDATE_AGENT_V2
from hamsa_async._paging import Pages
from hamsa_async._requests import build
from hamsa_async._sender import Sender
from hamsa_async._writing import write, write_changes
from hamsa_async.models.agent_fields import VoiceAgentV2Changes, VoiceAgentV2Fields
from hamsa_async.models.agents_v2 import VoiceAgentV2
from hamsa_async.models.rules import Length
from hamsa_async.options import RequestOptions, split_options
from hamsa_async.resources.lists import by_query

_read_page = pages_of(VoiceAgentV2, "voiceAgents")


class _NewAgent(VoiceAgentV2Fields, total=False):
    name: Required[Annotated[str, Length(1)]]


class NewAgentV2Arguments(VoiceAgentV2Fields, RequestOptions, total=False):
    """What `voice_agents_v2.create` takes besides a name."""


class AgentV2Arguments(VoiceAgentV2Changes, RequestOptions, total=False):
    """What `voice_agents_v2.update` takes besides an id."""


class VoiceAgentsV2:
    """Agents by the v2 routes. Made by `HamsaClient`. Calls are in `client.voice_agents`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(self, *, name: str, **fields: Unpack[NewAgentV2Arguments]) -> VoiceAgentV2:
        """Create an agent.

        Args:
            name: What to call it.
            fields: See `VoiceAgentV2Fields`, and `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v2/voice-agents`.
        """
        more, options = split_options(fields)
        body = write(_NewAgent, {"name": name, **more}, what="voice_agents_v2.create")
        return await self._sender.send(
            build(CREATE_AGENT_V2, body=body), writes(VoiceAgentV2), options=options
        )

    def list(
        self,
        *,
        search: str | None = None,
        sort_field: str | None = None,
        sort_order: str | None = None,
        type: str | Sequence[str] | None = None,  # noqa: A002 - the API's name
        language: str | Sequence[str] | None = None,
        page_size: int = 10,
        **options: Unpack[RequestOptions],
    ) -> Pages[VoiceAgentV2]:
        """List agents.

        Args:
            search: Only those that have this in their name.
            sort_field: By what; the API's default is `createdAt`.
            sort_order: Its spelling is not documented.
            type: Only those of this kind, or of one of these.
            language: Only those that speak it, or one of these.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v2/voice-agents`.
        """
        return by_query(
            self._sender,
            AGENTS_V2,
            _read_page,
            page_size=page_size,
            query={
                "search": search,
                "sortField": sort_field,
                "sortOrder": sort_order,
                "type": type,
                "language": language,
            },
            options=options,
        )

    async def get(self, voice_agent_id: str, **options: Unpack[RequestOptions]) -> VoiceAgentV2:
        """Read one agent.

        Args:
            voice_agent_id: Its id.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such agent in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v2/voice-agents/{voiceAgentId}`.
        """
        return await self._sender.send(
            build(AGENT_V2, id=voice_agent_id), reads(VoiceAgentV2), options=options
        )

    async def update(
        self, voice_agent_id: str, **changes: Unpack[AgentV2Arguments]
    ) -> VoiceAgentV2:
        """Change an agent. What is left out stays as it is.

        Args:
            voice_agent_id: Its id.
            changes: One at least, of `VoiceAgentV2Changes`; and `RequestOptions`.

        Returns:
            The agent as it is now.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such agent in this project.
            OutcomeUnknownError: It may have been changed. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `PATCH /v2/voice-agents/{voiceAgentId}`.
        """
        fields, options = split_options(changes)
        body = write_changes(VoiceAgentV2Changes, fields, what="voice_agents_v2.update")
        return await self._sender.send(
            build(UPDATE_AGENT_V2, id=voice_agent_id, body=body),
            writes(VoiceAgentV2),
            options=options,
        )
