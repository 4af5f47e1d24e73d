"""`client.conversations`: what became of calls."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Unpack

from hamsa_async._answers import pages_of, read_export, reads
from hamsa_async._operations import CONVERSATION, CONVERSATIONS, EXPORT, EXPORT_STATUS
from hamsa_async._paging import Pages
from hamsa_async._requests import build, epoch_ms, needed
from hamsa_async._sender import Sender
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.conversations import (
    CallStatus,
    Conversation,
    ConversationSummary,
    ExportFile,
    ExportStatus,
    ExportTicket,
    Period,
)
from hamsa_async.options import RequestOptions
from hamsa_async.resources.lists import by_query
from hamsa_async.resources.spans import span

_MOST_ROWS: Final = 200
_WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_read_page = pages_of(ConversationSummary, "calls")


class Conversations:
    """Reads about calls. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get(self, conversation_id: str, **options: Unpack[RequestOptions]) -> Conversation:
        """Read one call in full: status, transcript, outcome, recording, log.

        Transcript, outcome and log may lag the call's end by some seconds.

        Args:
            conversation_id: The id of the call.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such call in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/conversation/{conversationId}`.
        """
        return await self._sender.send(
            build(CONVERSATION, id=conversation_id), reads(Conversation), options=options
        )

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        status: CallStatus | str | Sequence[CallStatus | str] | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 100,
        **options: Unpack[RequestOptions],
    ) -> Pages[ConversationSummary]:
        """List calls in brief: the cheapest way to follow many at once.

        The order of rows and how soon a new call appears are not documented, and neither is
        whether `total` counts what the filter leaves out.

        Args:
            voice_agent_id: Only this agent's.
            status: Only calls with this status, or with one of these.
            start_time: Only calls created then or later. Aware; to the millisecond.
            end_time: Only calls created then or earlier. Aware; to the millisecond.
            page_size: Rows a page, 1 to 200.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/conversations/minimal-list`.
        """
        start, end = epoch_ms(start_time, "start_time"), epoch_ms(end_time, "end_time")
        if start is not None and end is not None and end < start:
            raise ConfigurationError("end_time must not be before start_time")
        return by_query(
            self._sender,
            CONVERSATIONS,
            _read_page,
            page_size=page_size,
            most=_MOST_ROWS,
            query={
                "voiceAgentId": voice_agent_id,
                "status": status,
                "startTime": start,
                "endTime": end,
            },
            options=options,
        )

    async def export(
        self,
        *,
        voice_agent_id: str,
        period: Period | str | None = None,
        start_period: datetime | None = None,
        end_period: datetime | None = None,
        time_difference: float | None = None,
        status: CallStatus | str | None = None,
        project_id: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> ExportFile | ExportTicket:
        """Ask for an agent's calls as a file.

        The documentation promises a workbook at once; servers were also seen to answer with a
        ticket, when they were given the project. Long spans were seen to fail with a 500 or a
        504, and to work in halves.

        Args:
            voice_agent_id: Whose calls.
            period: Which span; the API's default is today.
            start_period: The begin of a span of one's own. Aware. `period` is then `CUSTOM`.
            end_period: Its end. Aware.
            time_difference: Hours by which local time is ahead of UTC, for the named spans.
            status: Only calls with this status.
            project_id: The project of the key.
            options: See `RequestOptions`.

        Returns:
            `ExportFile`, or an `ExportTicket` for `export_status`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/agent-analytics/conversations/export`.
        """
        query = {
            "voiceAgentId": needed(voice_agent_id, "voice_agent_id"),
            "status": status,
            "projectId": project_id,
            **span(period, start_period, end_period, time_difference),
        }
        return await self._sender.send(
            build(EXPORT, query=query, accept=f"application/json, {_WORKBOOK}"),
            read_export,
            options=options,
        )

    async def export_status(
        self, *, project_id: str, export_id: str, **options: Unpack[RequestOptions]
    ) -> ExportStatus:
        """Ask how far an export is, and where its file is.

        Args:
            project_id: The project of the key.
            export_id: From the `ExportTicket`.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such export.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/agent-analytics/conversations/export/status`, as observed.
        """
        query = {
            "projectId": needed(project_id, "project_id"),
            "exportId": needed(export_id, "export_id"),
        }
        return await self._sender.send(
            build(EXPORT_STATUS, query=query), reads(ExportStatus), options=options
        )
