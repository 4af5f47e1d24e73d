"""`HamsaClient`: one session, one loop, the API by area."""

import copy
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self, Unpack

import aiohttp
import attrs

from hamsa_async._keys import KeyCallable, KeySource
from hamsa_async._sender import Sender
from hamsa_async._transport import Transport
from hamsa_async.config import ClientConfig, RetryPolicy, Timeouts, resolve_base_url
from hamsa_async.instrumentation import Hook
from hamsa_async.options import RequestOptions, Settings, checked_headers
from hamsa_async.resources.analytics import Analytics
from hamsa_async.resources.campaigns import Campaigns
from hamsa_async.resources.conversations import Conversations
from hamsa_async.resources.dictionaries import Dictionaries
from hamsa_async.resources.jobs import Jobs
from hamsa_async.resources.knowledge_base import KnowledgeBase
from hamsa_async.resources.numbers import Numbers
from hamsa_async.resources.poller import Poller
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
        headers: Sent with every request besides the client's own, which they cannot change.
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
        headers: Mapping[str, str] | None = None,
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
        settings = Settings(
            timeouts=config.timeouts, retry=config.retry, headers=dict(checked_headers(headers))
        )
        self._transport = Transport(config, KeySource.find(api_key), session=session, hooks=hooks)
        self._is_copy = False
        self.config: ClientConfig = attrs.evolve(
            config, concurrency_limit=self._transport.concurrency_limit
        )
        sender = Sender(self._transport, settings)
        self._poller = Poller(sender)
        self._hand_out(sender)

    def _hand_out(self, sender: Sender) -> None:
        self._sender = sender
        self.voice_agents_v2: VoiceAgentsV2 = VoiceAgentsV2(sender)
        self.conversations: Conversations = Conversations(sender, self._poller)
        self.voice_agents: VoiceAgents = VoiceAgents(sender, self.conversations)
        self.jobs: Jobs = Jobs(sender)
        self.numbers: Numbers = Numbers(sender)
        self.projects: Projects = Projects(sender)
        self.analytics: Analytics = Analytics(sender)
        self.campaigns: Campaigns = Campaigns(sender)
        self.web_tools: WebTools = WebTools(sender)
        self.web_tools_v2: WebToolsV2 = WebToolsV2(sender)
        self.knowledge_base: KnowledgeBase = KnowledgeBase(sender)
        self.dictionaries: Dictionaries = Dictionaries(sender)

    def with_options(self, **options: Unpack[RequestOptions]) -> "HamsaClient":
        """Give a copy of this client under other options.

            quick = hamsa.with_options(timeout=5, headers={"X-Service": "billing"})

        It is cheap, and shares everything else: the pool of connections, limits, gates, the
        retry budget and the hooks. Headers are added to those of this client.

        Args:
            options: See `RequestOptions`; every method takes them too, for one call.

        Returns:
            The copy. It need not be closed: closing it does nothing, and closing the client
            that it came from ends both.

        Raises:
            ConfigurationError: An option is unknown or cannot work.
        """
        made = copy.copy(self)
        made._is_copy = True  # noqa: SLF001 - it is one of us
        made._hand_out(self._sender.with_options(options))  # noqa: SLF001
        return made

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
        borrowed session stays open. Whoever waits for a call's end gets a `NotEndedError` at
        once; the call goes on. A copy by `with_options` has nothing to close.

        Raises:
            ConfigurationError: The client belongs to another loop, which still runs. It is as
                it was.

        Cancellation:
            What has not settled is cut off at once and ends as unknown.
        """
        if not self._is_copy:
            self._transport.check_may_close()
            self._poller.shut()
            await self._transport.aclose()
