"""`HamsaClient`: one session, one loop, the API by area."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

import aiohttp
import attrs

from hamsa_async._keys import KeyCallable, KeySource
from hamsa_async._transport import Transport
from hamsa_async.config import ClientConfig, RetryPolicy, Timeouts, resolve_base_url
from hamsa_async.instrumentation import Hook
from hamsa_async.resources.analytics import Analytics
from hamsa_async.resources.campaigns import Campaigns
from hamsa_async.resources.conversations import Conversations
from hamsa_async.resources.dictionaries import Dictionaries
from hamsa_async.resources.jobs import Jobs
from hamsa_async.resources.knowledge_base import KnowledgeBase
from hamsa_async.resources.numbers import Numbers
from hamsa_async.resources.projects import Projects
from hamsa_async.resources.voice_agents import VoiceAgents
from hamsa_async.resources.voice_agents_v2 import VoiceAgentsV2
from hamsa_async.resources.web_tools import WebTools, WebToolsV2


class HamsaClient:
    """Hamsa's voice-agent API for asyncio.

        async with HamsaClient() as hamsa:
            call = await hamsa.voice_agents.call(to_number="+9715...", voice_agent_id="...")

    One client serves any number of tasks of one event loop; make one per loop. Nothing is
    opened before the first request.

    Args:
        api_key: The key, or an async callable that gives it. `None` reads `HAMSA_API_KEY`, or
            the file that `HAMSA_API_KEY_FILE` names, which is read once more after a 401.
        base_url: The server. `None` reads `HAMSA_BASE_URL`, then the region.
        region: `eu` or `uae`. `None` reads `HAMSA_REGION`; without it `eu`.
        session: An `aiohttp.ClientSession` of yours: used, never closed. Its own middlewares,
            `raise_for_status` and timeouts do not apply; if its pool is smaller than
            `concurrency_limit`, that is lowered, with a warning in the log.
        concurrency_limit: The most calls at the API's door at once (requests in flight, not
            conversations). Any number of calls may wait for their turn; waiting counts
            towards no timeout.
        rate: The most call starts per second, evenly spaced; `None`: unpaced.
        timeouts: See `Timeouts`.
        retry: See `RetryPolicy`.
        grace_period: Seconds that `aclose()` gives to requests that have begun.
        auth_scheme: The word before the key in `Authorization`.
        hooks: Callables that are told what happens; see `hamsa_async.instrumentation`.

    Raises:
        ConfigurationError: There is no key, or a value cannot work. Nothing was sent.
    """

    def __init__(
        self,
        api_key: str | KeyCallable | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        session: aiohttp.ClientSession | None = None,
        concurrency_limit: int = 100,
        rate: float | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        grace_period: float = 10.0,
        auth_scheme: str = "Token",
        hooks: Iterable[Hook] = (),
    ) -> None:
        config = ClientConfig(
            base_url=resolve_base_url(base_url, region),
            auth_scheme=auth_scheme,
            concurrency_limit=concurrency_limit,
            rate=rate,
            grace_period=grace_period,
            timeouts=timeouts or Timeouts(),
            retry=retry or RetryPolicy(),
        )
        self._transport = Transport(config, KeySource.find(api_key), session=session, hooks=hooks)
        self.config: ClientConfig = attrs.evolve(
            config, concurrency_limit=self._transport.concurrency_limit
        )
        self.voice_agents: VoiceAgents = VoiceAgents(self._transport)
        self.voice_agents_v2: VoiceAgentsV2 = VoiceAgentsV2(self._transport)
        self.conversations: Conversations = Conversations(self._transport)
        self.jobs: Jobs = Jobs(self._transport)
        self.numbers: Numbers = Numbers(self._transport)
        self.projects: Projects = Projects(self._transport)
        self.analytics: Analytics = Analytics(self._transport)
        self.campaigns: Campaigns = Campaigns(self._transport)
        self.web_tools: WebTools = WebTools(self._transport)
        self.web_tools_v2: WebToolsV2 = WebToolsV2(self._transport)
        self.knowledge_base: KnowledgeBase = KnowledgeBase(self._transport)
        self.dictionaries: Dictionaries = Dictionaries(self._transport)

    def __repr__(self) -> str:
        return f"<HamsaClient {self.config.base_url} limit={self.config.concurrency_limit}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client. Idempotent.

        Calls still waiting for their turn end in `NotSentError`. Requests that have begun get
        `grace_period` seconds to settle, so that the id of a call that rang is heard; those
        that have not by then end in `OutcomeUnknownError`, each in its `AttemptSettled`. A
        borrowed session stays open.

        Cancellation:
            What has not settled is cut off at once and ends as unknown.
        """
        await self._transport.aclose()
