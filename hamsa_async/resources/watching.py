"""Waiting for calls to end: `conversations.wait` and `conversations.watch`."""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import Final, NoReturn, Self

from hamsa_async._pull import as_stream, see_through
from hamsa_async.errors import ConfigurationError, HamsaError
from hamsa_async.models.conversations import Conversation
from hamsa_async.resources.poller import CallUpdate, Follower, Poller, check_timeout

log: logging.Logger = logging.getLogger("hamsa_async")

_MOST_AT_ONCE: Final = 2_000  # calls watched or not yet taken: ten pages a sweep, some MB


async def wait_for_end(poller: Poller, call_id: str, timeout: float | None) -> Conversation:  # noqa: ASYNC109 - a bound of the wait's own, with an error of its own
    """Wait until a call has ended, and give it in full.

    Raises:
        HamsaError: As `Conversations.wait`.
    """
    last: asyncio.Future[CallUpdate] = asyncio.get_running_loop().create_future()

    def tell(update: CallUpdate) -> None:
        if update.is_last and not last.done():
            last.set_result(update)

    follower = poller.follow(call_id, timeout=timeout, tell=tell)
    try:
        update = await last
    finally:
        poller.leave(follower)
    if update.error is not None:
        raise update.error
    assert update.conversation is not None
    return update.conversation


class CallWatch(AsyncIterator[CallUpdate]):
    """Updates of many calls as they come. Use it with `async with`, then `async for`.

    It ends when all of the calls have had their last update.
    """

    def __init__(
        self,
        poller: Poller,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        timeout: float | None,
    ) -> None:
        if isinstance(ids, str):
            raise ConfigurationError("ids must be several ids; for one call there is wait")
        check_timeout(timeout)
        self._poller = poller
        self._ids = ids
        self._timeout = timeout
        self._followers: dict[str, Follower] = {}
        self._ready: dict[str, CallUpdate] = {}
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._raised = False

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        if self._task is not None:
            raise ConfigurationError("a watch can be entered once; make another with watch")
        self._task = asyncio.create_task(self._take_ids())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Watch no longer: nothing more is asked, and no task is left. The calls go on."""
        assert self._task is not None
        for follower in self._followers.values():
            self._poller.leave(follower)
        self._followers.clear()
        self._ready.clear()
        self._task.cancel()
        await see_through(asyncio.wait([self._task]))
        if not self._task.cancelled() and not self._raised:
            self._note_error_of_source(self._task.exception())

    def _note_error_of_source(self, error: BaseException | None) -> None:
        if error is not None:
            log.warning(
                "the ids ended in %s, which nobody read so far",
                type(error).__name__,
                extra={"action": "source_failed"},
            )

    async def __anext__(self) -> CallUpdate:
        """Give the next update.

        Of a call of which several wait to be read, only the latest is given.

        Raises:
            Exception: What the source of the ids raised, after all updates of ids before it.
        """
        if self._task is None:
            raise ConfigurationError(
                "enter the watch first: async with client.conversations.watch(ids) as ..."
            )
        while not self._ready:
            if self._task.done() and not self._followers:
                self._end(self._task)
            self._news.clear()
            await self._news.wait()
        update = self._ready.pop(next(iter(self._ready)))
        self._room.set()
        return update

    def _end(self, task: "asyncio.Task[None]") -> NoReturn:
        self._raised = True
        if task.cancelled():
            # The loop is being closed around us. Ending quietly would pass for all of them.
            raise RuntimeError("the watch was cancelled from outside before its calls ended")
        error = task.exception()
        if error is not None:
            raise error
        raise StopAsyncIteration

    async def _take_ids(self) -> None:
        async for call_id in as_stream(self._ids):
            # A reader who is slower than the calls holds back further ids, not memory.
            while len(self._followers) + len(self._ready) >= _MOST_AT_ONCE:
                self._room.clear()
                await self._room.wait()
            if call_id not in self._followers:
                self._watch(call_id)

    def _watch(self, call_id: str) -> None:
        try:
            follower = self._poller.follow(call_id, timeout=self._timeout, tell=self._tell)
        except HamsaError as error:
            self._tell(CallUpdate(id=call_id, status=None, error=error))
        else:
            self._followers[call_id] = follower

    def _tell(self, update: CallUpdate) -> None:
        if update.is_last:
            self._followers.pop(update.id, None)
            self._room.set()
        self._ready[update.id] = update
        self._news.set()
