"""`client.analytics`: how agents do."""

from datetime import datetime
from typing import TypeVar, Unpack

from hamsa_async._answers import reads
from hamsa_async._operations import OVERVIEW, PERFORMANCE, SATISFACTION, Operation
from hamsa_async._requests import build
from hamsa_async._sender import Sender
from hamsa_async.models.conversations import Period
from hamsa_async.models.statistics import (
    OverviewAnalytics,
    PerformanceAnalytics,
    SatisfactionAnalytics,
)
from hamsa_async.options import RequestOptions
from hamsa_async.resources.spans import span

T = TypeVar("T")


class Analytics:
    """Reads figures about agents. Made by `HamsaClient`.

    All take the same arguments and raise the same errors:

    Args:
        voice_agent_id: Only this agent; `None` for all.
        period: Which span; the API's default is today.
        start_period: The begin of a span of one's own. Aware. `period` is then `CUSTOM`.
        end_period: Its end. Aware.
        time_difference: Hours by which local time is ahead of UTC, for the named spans.
        options: See `RequestOptions`.

    Raises:
        ConfigurationError: An argument cannot be asked for. Nothing was sent.
        HamsaError: Nothing was learnt; a read may always be tried again.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def overview(
        self,
        *,
        voice_agent_id: str | None = None,
        period: Period | str | None = None,
        start_period: datetime | None = None,
        end_period: datetime | None = None,
        time_difference: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> OverviewAnalytics:
        """How much agents talk, and how many calls there are right now.

        Source: `GET /v1/agent-analytics/overview`.
        """
        query = span(period, start_period, end_period, time_difference)
        return await self._read(OVERVIEW, OverviewAnalytics, voice_agent_id, query, options)

    async def performance(
        self,
        *,
        voice_agent_id: str | None = None,
        period: Period | str | None = None,
        start_period: datetime | None = None,
        end_period: datetime | None = None,
        time_difference: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> PerformanceAnalytics:
        """How fast agents answer.

        Source: `GET /v1/agent-analytics/performance`.
        """
        query = span(period, start_period, end_period, time_difference)
        return await self._read(PERFORMANCE, PerformanceAnalytics, voice_agent_id, query, options)

    async def satisfaction(
        self,
        *,
        voice_agent_id: str | None = None,
        period: Period | str | None = None,
        start_period: datetime | None = None,
        end_period: datetime | None = None,
        time_difference: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> SatisfactionAnalytics:
        """How content people are.

        Source: `GET /v1/agent-analytics/satisfaction`.
        """
        query = span(period, start_period, end_period, time_difference)
        return await self._read(SATISFACTION, SatisfactionAnalytics, voice_agent_id, query, options)

    async def _read(
        self,
        operation: Operation,
        kind: type[T],
        agent_id: str | None,
        query: dict[str, str],
        options: RequestOptions,
    ) -> T:
        request = build(operation, query={"voiceAgentId": agent_id, **query})
        return await self._sender.send(request, reads(kind), options=options)
