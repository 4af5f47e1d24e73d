"""The one pull loop: a few workers over one source, each taking a row only when it is free.

`call_many` and the dialer's runner both stand on it. It keeps memory flat for any source:
nothing is read before a worker can work on it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_CALLED_AT_ONCE: Final = 2


async def as_stream(source: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Read a plain or an async iterable as a stream."""
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
        return
    for item in source:
        yield item


async def see_through(work: Awaitable[T]) -> T:
    """Await something short that must not be left half done, also when cancelled meanwhile.

    Cancellation:
        Raised when the work is at its end.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # heard of, or the loop would complain
        raise cancelled
    return task.result()


class Pull(Generic[T]):
    """`workers` tasks that share `source` and call `work` on each item.

    What `work` raises ends the pulling: no further item is taken, those taken are worked to
    their end, and `run` raises the first such error. So does what the source raises.
    """

    def __init__(
        self, source: AsyncIterator[T], work: Callable[[T], Awaitable[None]], *, workers: int
    ) -> None:
        self._source = source
        self._work = work
        self._workers = workers
        self._stopping = False
        self._error: BaseException | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    def stop(self) -> None:
        """Take no further item, not even one that the source is just making.

        The source is cancelled where it waits; items that were taken are worked to their end.
        """
        self._stopping = True
        if self._reader is not None:
            self._reader.cancel()

    async def run(self) -> None:
        """Work until the source is dry or `stop` was called.

        Cancellation:
            The workers are cancelled with it, and none is left behind.
        """
        crew = [asyncio.create_task(self._pull()) for _ in range(self._workers)]
        try:
            await asyncio.gather(*crew)
        finally:
            self._stopping = True
            for worker in crew:
                worker.cancel()
            await see_through(asyncio.gather(*crew, return_exceptions=True))
        if self._error is not None:
            raise self._error

    async def _pull(self) -> None:
        while not self._stopping:
            try:
                item = await self._take()
            except StopAsyncIteration:
                return
            except asyncio.CancelledError:
                if self._stopping:
                    return
                if _is_being_cancelled():
                    raise
                self._fail(RuntimeError("the source of the rows was cancelled from outside"))
                return
            except Exception as error:  # noqa: BLE001 - the source's own; raised by run()
                self._fail(error)
                return
            try:
                await self._work(item)
            except Exception as error:  # noqa: BLE001 - raised by run(), after the others' end
                self._fail(error)
                return

    async def _take(self) -> T:
        try:
            while self._reader is not None:  # an async generator allows one at a time
                await self._turn()
            if self._stopping:
                raise StopAsyncIteration
            self._reader = asyncio.current_task()
            try:
                return await anext(self._source)
            finally:
                self._reader = None
        finally:
            self._call_waiting()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _call_waiting(self) -> None:
        """Let others have their turn: two, each of which calls two more.

        One at a time, hundreds of free workers would need a turn of the loop each, though the
        source has what they wait for; all at once, they would run for nothing where it has one.
        """
        called = 0
        while self._reader is None and self._waiting and called < _CALLED_AT_ONCE:
            turn = self._waiting.popleft()
            if not turn.done():  # its worker was cancelled
                turn.set_result(None)
                called += 1

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.stop()


def _is_being_cancelled() -> bool:
    """Whether a `CancelledError` is meant for this task, and not one that it came across."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
