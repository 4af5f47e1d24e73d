"""What the dialer needs of the API: so little that a function can stand in for it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from hamsa_async._limits import Pace
from hamsa_async.config import ClientConfig
from hamsa_async.models import AgentDetails, Call, CallRequest, Project


class VoiceAgentsApi(Protocol):
    """Places calls and reads agents."""

    async def attempt(
        self,
        request: CallRequest,
        *,
        before_send: Callable[[], Awaitable[None]],
        pace: Pace | None = None,
    ) -> Call:
        """Place a call with one request at the most; see `VoiceAgents.attempt`."""

    async def get(self, voice_agent_id: str) -> AgentDetails:
        """Read an agent."""


class ProjectsApi(Protocol):
    """Reads the project."""

    async def current(self) -> Project:
        """Read the project of the key."""


class Api(Protocol):
    """A client, as far as the dialer sees it. `HamsaClient` is one."""

    @property
    def config(self) -> ClientConfig:
        """How the client is set up."""

    @property
    def voice_agents(self) -> VoiceAgentsApi:
        """Calls and agents."""

    @property
    def projects(self) -> ProjectsApi:
        """The project."""
