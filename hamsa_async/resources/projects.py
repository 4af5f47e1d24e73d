"""`client.projects`: the project that the key belongs to."""

from datetime import datetime
from typing import Unpack

from hamsa_async._answers import reads
from hamsa_async._operations import PROJECT, STATISTICS_CHART, STATISTICS_NUMBERS
from hamsa_async._requests import build, iso, needed
from hamsa_async._sender import Sender
from hamsa_async._wire import parse_project
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.projects import Project
from hamsa_async.models.statistics import StatisticsChart, StatisticsNumbers
from hamsa_async.options import RequestOptions


class Projects:
    """Reads about the project. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def current(self, **options: Unpack[RequestOptions]) -> Project:
        """Read the project of the API key: the cheapest way to check a key.

        Args:
            options: See `RequestOptions`.

        Source: `GET /v1/projects/by-api-key`.

        Raises:
            AuthenticationError: The key was not accepted.
            HamsaError: Nothing was learnt; a read may always be tried again.
        """
        return await self._sender.send(build(PROJECT), parse_project, options=options)

    async def statistics_numbers(
        self,
        *,
        project_id: str,
        start_period: datetime,
        end_period: datetime,
        **options: Unpack[RequestOptions],
    ) -> StatisticsNumbers:
        """Read what the project used within a span of time, summed up.

        Args:
            project_id: The project of the key.
            start_period: The begin of the span. Aware.
            end_period: Its end. Aware.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/projects/statistics/numbers`.
        """
        query = _span(project_id, start_period, end_period)
        return await self._sender.send(
            build(STATISTICS_NUMBERS, query=query), reads(StatisticsNumbers), options=options
        )

    async def statistics_chart(
        self,
        *,
        project_id: str,
        start_period: datetime,
        end_period: datetime,
        **options: Unpack[RequestOptions],
    ) -> StatisticsChart:
        """Read what the project used within a span of time, over time.

        Args:
            project_id: The project of the key.
            start_period: The begin of the span. Aware.
            end_period: Its end. Aware.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/projects/statistics/chart`.
        """
        query = _span(project_id, start_period, end_period)
        return await self._sender.send(
            build(STATISTICS_CHART, query=query), reads(StatisticsChart), options=options
        )


def _span(project_id: str, start: datetime, end: datetime) -> dict[str, str]:
    first, last = iso(start, "start_period"), iso(end, "end_period")
    if last < first:
        raise ConfigurationError("end_period must not be before start_period")
    return {
        "projectId": needed(project_id, "project_id"),
        "startPeriod": first,
        "endPeriod": last,
    }
