"""Many calls as a stream of results: `voice_agents.call_many`."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import attrs

from hamsa_async._pull import Pull, as_stream, see_through
from hamsa_async._values import frozen
from hamsa_async.errors import (
    AuthenticationError,
    Certainty,
    ConfigurationError,
    HamsaError,
    InsufficientBalanceError,
    NotSentError,
    PermissionDeniedError,
)
from hamsa_async.models.calls import Call, CallRequest

log: logging.Logger = logging.getLogger("hamsa_async")

Row = CallRequest | Mapping[str, Any]

# What every further call would be refused for as well.
_ENDS_THE_STREAM: Final = (
    AuthenticationError,
    InsufficientBalanceError,
    PermissionDeniedError,
)


@frozen(kw_only=True)
class CallResult:
    """What became of one row: exactly one of `call` and `error` is set."""

    index: int
    """The row's place in the source, from 0."""

    row: Row = attrs.field(repr=False)
    """The row as it was given."""

    call: Call | None = None
    error: HamsaError | None = None

    @property
    def certainty(self) -> Certainty | None:
        """What is proven about this call."""
        if self.call is not None:
            return Certainty.PLACED
        return self.error.certainty if self.error is not None else None


class CallStream(AsyncIterator[CallResult]):
    """Results as they settle. Use it with `async with`, then `async for`.

    Attributes:
        unread: After an early leave: the results that nobody read, of calls that had begun, in
            the order in which they settled.
    """

    def __init__(
        self,
        place: Callable[[CallRequest], Awaitable[Call]],
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        workers: int,
    ) -> None:
        self.unread: list[CallResult] = []
        self._place = place
        self._pull: Pull[tuple[int, Row]] = Pull(_numbered(rows), self._work, workers=workers)
        self._most_ready = workers
        self._ready: deque[CallResult] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._leaving = False
        self._raised = False
        self._ended_by: HamsaError | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to place calls."""
        if self._task is not None:
            raise ConfigurationError(
                "a stream of calls can be entered once; make another with call_many"
            )
        self._task = asyncio.create_task(self._pull.run())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Begin no further call, let those in flight settle, keep them in `unread`.

        Cancellation:
            Prompt, also when the block itself was cancelled: requests that were handed to a
            connection go on in the client, and end in their events.
        """
        assert self._task is not None
        self._leaving = True
        self._room.set()
        self._pull.stop()
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            self._task.cancel()
        try:
            await asyncio.wait([self._task])
        finally:
            self._task.cancel()
            await see_through(asyncio.wait([self._task]))
            self.unread.extend(self._ready)
            self._ready.clear()
            self._note_error_of_source(self._task)

    def _note_error_of_source(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._raised:
            log.warning(
                "the rows ended in %s, which nobody read so far",
                type(error).__name__,
                extra={"action": "source_failed"},
            )

    async def __anext__(self) -> CallResult:
        """Give the next result that settled.

        Raises:
            Exception: What the source itself raised, after all results of rows before it.
        """
        if self._task is None:
            raise ConfigurationError(
                "enter the stream first: async with client.voice_agents.call_many(rows) as ..."
            )
        while not self._ready:
            if self._task.done():
                self._end(self._task)
            self._news.clear()
            await self._news.wait()
        result = self._ready.popleft()
        if len(self._ready) < self._most_ready:
            self._room.set()
        return result

    def _end(self, task: "asyncio.Task[None]") -> NoReturn:
        self._raised = True
        if task.cancelled():
            # The loop is being closed around us. Ending quietly would pass for a whole list.
            raise RuntimeError("the stream was cancelled from outside before its rows ended")
        error = task.exception()
        if error is not None:
            raise error
        raise StopAsyncIteration

    async def _work(self, numbered: tuple[int, Row]) -> None:
        index, row = numbered
        try:
            call = await self._call(row)
        except HamsaError as error:
            if isinstance(error, _ENDS_THE_STREAM):
                self._ended_by = error
            await self._give(CallResult(index=index, row=row, error=error))
        else:
            await self._give(CallResult(index=index, row=row, call=call))

    async def _call(self, row: Row) -> Call:
        request = CallRequest.of(row)
        if self._ended_by is not None:
            ended_by = type(self._ended_by).__name__
            raise NotSentError(
                f"not sent: the stream ended with {ended_by} before this row",
                certainty=Certainty.NOT_SENT,
                reference=request.reference,
            ) from self._ended_by
        return await self._place(request)

    async def _give(self, result: CallResult) -> None:
        self._ready.append(result)
        self._news.set()
        # A reader who is slower than the API holds back new calls, not memory.
        while len(self._ready) >= self._most_ready and not self._leaving:
            self._room.clear()
            await self._room.wait()


async def _numbered(
    rows: Iterable[Row] | AsyncIterable[Row],
) -> AsyncIterator[tuple[int, Row]]:
    index = 0
    async for row in as_stream(rows):
        yield index, row
        index += 1
