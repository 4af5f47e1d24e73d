"""`client.conversations`: what became of calls."""

from collections.abc import AsyncIterable, Iterable, Sequence
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
from hamsa_async.resources.poller import Poller
from hamsa_async.resources.spans import span
from hamsa_async.resources.watching import CallWatch, wait_for_end

_MOST_ROWS: Final = 200
_WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_read_page = pages_of(ConversationSummary, "calls")


class Conversations:
    """Reads about calls. Made by `HamsaClient`."""

    def __init__(self, sender: Sender, poller: Poller) -> None:
        self._sender = sender
        self._poller = poller

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

    async def wait(self, conversation_id: str, *, timeout: float | None = None) -> Conversation:  # noqa: ASYNC109 - it ends in an error of its own, with the last status
        """Wait until a call has ended, and give it in full.

        Any number of waits of a client and its copies share one poller, which asks the list
        about all of them at once, under the options of the client itself: often at first, every
        15 seconds later. A call that the list does not show is
        read by itself now and then. Any final status is an end, `NO_ANSWER` and `FAILED` too;
        one that is not known is none.

        Args:
            conversation_id: The id of the call.
            timeout: The most seconds to wait. `None`: the agent's longest call (ten minutes
                where the call does not say) and two minutes.

        Returns:
            The call once it has ended. Where people spoke, a few seconds are given to an outcome
            that is still empty; it may stay so.

        Raises:
            NotEndedError: It was not seen to end in time, or the client was closed. The call
                may go on. Its `last_status` is the last that was heard.
            NotFoundError: There is no such call in this project; asked three times, in some
                seconds, for a fresh one may lag.
            APIError: The API refuses to be asked (400, 401, 402, 403). Anything else that goes
                wrong is logged and tried again until the timeout.
            ConfigurationError: An argument is wrong. Nothing was sent.

        Cancellation:
            Prompt. When nobody waits any more, nothing is asked any more. The call goes on.

        Source: `GET /v1/voice-agents/conversations/minimal-list`, and one call in full.
        """
        return await wait_for_end(self._poller, conversation_id, timeout)

    def watch(
        self, ids: Iterable[str] | AsyncIterable[str], *, timeout: float | None = None
    ) -> CallWatch:
        """Watch many calls until all have ended; give each change as it is seen.

            async with hamsa.conversations.watch(ids) as updates:
                async for update in updates:
                    print(update.id, update.status, update.conversation or update.error)

        Args:
            ids: The ids of calls, from any iterable or async iterable. Read lazily: at most
                2,000 calls are watched, or wait to be read, at a time.
            timeout: The most seconds to watch one call, from when its id was taken. `None`: as
                in `wait`.

        Returns:
            An async context manager over an async iterator of `CallUpdate`: one for each change
            of a call's status, and a last one with its `conversation`, or with the `error` that
            `wait` would raise. A failure of one call is a value, never an exception. Leaving
            early ends the watching and leaves no task.

        Raises:
            ConfigurationError: `ids` is a single text, or `timeout` no number above 0.
        """
        return CallWatch(self._poller, ids, timeout=timeout)

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
