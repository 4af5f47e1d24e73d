"""What the dialer needs of the API: so little that a function can stand in for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Protocol

from hamsa_async._limits import Pace
from hamsa_async.config import ClientConfig
from hamsa_async.models import (
    AgentDetails,
    Call,
    CallRequest,
    Conversation,
    ConversationSummary,
    Page,
    Project,
    WebhookAuth,
)
from hamsa_async.models.webhooks import WebhookEvent


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


class CallList(Protocol):
    """A list of calls that is not read yet."""

    def __aiter__(self) -> AsyncIterator[ConversationSummary]:
        """Every row, page by page."""

    async def page(self, number: int) -> Page[ConversationSummary]:
        """One page, from 1."""


class ConversationsApi(Protocol):
    """Reads what became of calls."""

    def list(
        self,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 100,
    ) -> CallList:
        """List the project's calls in brief, every row; see `Conversations.list`."""

    async def get(self, conversation_id: str) -> Conversation:
        """Read one call in full."""


class WebhookDelivery(Protocol):
    """What came by a webhook, proven to be from who it says; `webhooks.Delivery` is one."""

    @property
    def key(self) -> str:
        """The same for every delivery of the same event."""

    @property
    def body(self) -> bytes:
        """What came, as it came."""

    @property
    def reference(self) -> str | None:
        """The call that its secret was made for."""

    @property
    def received_at(self) -> datetime:
        """When, by our clock."""

    @property
    def event(self) -> WebhookEvent:
        """The same, read."""


class CallSecrets(Protocol):
    """Makes the secret that a call's webhooks show; `webhooks.Secrets` does."""

    def auth_for(self, reference: str) -> WebhookAuth:
        """Make the secret of one call."""


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
    def conversations(self) -> ConversationsApi:
        """What became of calls."""

    @property
    def projects(self) -> ProjectsApi:
        """The project."""
