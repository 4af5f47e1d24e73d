"""The one poller of a client and its copies: it follows calls through the minimal list.

It asks nothing while nobody waits, and has no task then.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from hamsa_async._answers import pages_of, reads
from hamsa_async._following import Followed, Patience, Status, longest_of, start_of
from hamsa_async._operations import CONVERSATION, CONVERSATIONS
from hamsa_async._requests import build, epoch_ms
from hamsa_async._sender import Sender
from hamsa_async._values import define, frozen
from hamsa_async._wire import Request
from hamsa_async.errors import (
    AuthenticationError,
    ConfigurationError,
    HamsaError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotEndedError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
)
from hamsa_async.models.conversations import Conversation, ConversationSummary
from hamsa_async.resources.lists import by_query

log: logging.Logger = logging.getLogger("hamsa_async")

# What the next try would end in as well. All else is tried again until somebody's timeout.
_REFUSALS: Final = (
    AuthenticationError,
    ConfigurationError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
_MOST_ROWS: Final = 200  # the API's own limit of a page
_READS_AT_ONCE: Final = 8  # at the most, and half the slots: the client reads other things, too
_SWEEPS_THAT_FAIL: Final = 3  # in a row; then calls are read by themselves, as if not listed
_JITTER: Final = (0.8, 1.2)  # so that clients that began together drift apart

_read_page = pages_of(ConversationSummary, "calls")


@frozen(kw_only=True)
class CallUpdate:
    """Something new about a call that is watched."""

    id: str
    """The id of the call."""

    status: Status
    """How far it is known to be; `None` while nothing was heard of it. An open set."""

    conversation: Conversation | None = attrs.field(default=None, repr=False)
    """The call in full, once it has ended and was read. Then nothing more comes of it."""

    error: HamsaError | None = None
    """Why it is not watched any longer, though it was not seen to end. Then nothing more comes
    of it."""

    @property
    def is_last(self) -> bool:
        """Whether nothing more comes of this call."""
        return self.conversation is not None or self.error is not None


Tell = Callable[[CallUpdate], None]


@define(kw_only=True, eq=False)
class Follower:
    """Somebody who wants to know about one call. Told until an update is the last."""

    call: Followed
    tell: Tell
    timeout: float | None
    since: float
    timer: asyncio.TimerHandle | None = None


class Poller:
    """Follows calls for all who wait for them, with one sweep of the list for all of them."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.patience: Patience = Patience()
        self._followers: dict[str, list[Follower]] = {}
        self._calls: dict[str, Followed] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._reads_at_once = max(1, min(_READS_AT_ONCE, sender.concurrency_limit // 2))
        self._longest_by_agent: dict[str, float] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sweep_at = 0.0
        self._no_sweep_before = 0.0  # whoever comes meanwhile, the API has had enough for now
        self._failures = 0
        self._closed = False

    def follow(self, call_id: str, *, timeout: float | None, tell: Tell) -> Follower:
        """Tell somebody about a call from now on, until its last update or `leave`.

        Args:
            call_id: The id of the call.
            timeout: Seconds until it ends in a `NotEndedError`; `None`: the agent's longest
                call and two minutes.
            tell: Called on the loop with each update; must not block.

        Raises:
            ConfigurationError: It is no id, `timeout` is no number above 0, or this client
                belongs to another loop. Nothing was sent.
            NotSentError: The client is closed.
        """
        _detail(call_id)  # what is wrong with it is said now
        check_timeout(timeout)
        if self._closed:
            raise NotSentError("the client is closed; nothing was sent")
        loop = self._sender.own_loop()
        now = loop.time()
        call = self._calls.get(call_id)
        if call is None:
            call = Followed(
                id=call_id,
                patience=self.patience,
                begun=now,
                created_at=datetime.now(UTC) - timedelta(seconds=self.patience.look_back),
            )
            self._calls[call_id] = call
        call.needs_longest = call.needs_longest or timeout is None
        follower = Follower(call=call, tell=tell, timeout=timeout, since=now)
        self._followers.setdefault(call_id, []).append(follower)
        self._set_timer(follower)
        if call.status is not None:
            tell(_update(call))
        if self._task is None:
            self._sweep_at = self._no_sweep_before = now
            # Not by the loop's factory, as below: an eager one would run it before we know it.
            self._task = asyncio.Task(self._poll(), loop=loop)
        soon = max(now + self.patience.sweep_first, self._no_sweep_before)
        self._sweep_at = min(self._sweep_at, soon)
        self._news.set()
        return follower

    def leave(self, follower: Follower) -> None:
        """Tell this one no more. When nobody is left, nothing is asked any more. Idempotent."""
        if follower.timer is not None:
            follower.timer.cancel()
        of_call = self._followers.get(follower.call.id, [])
        if follower not in of_call:
            return
        of_call.remove(follower)
        if of_call:
            return
        del self._followers[follower.call.id], self._calls[follower.call.id]
        reading = self._reading.pop(follower.call.id, None)
        if reading is not None and reading is not asyncio.current_task():
            reading.cancel()
        if not self._calls:
            self._stop()

    def shut(self) -> None:
        """End all that wait, since the client is closed."""
        if self._task is not None and self._task.get_loop().is_closed():
            self._forget()  # its task died with its loop; whoever waited there is gone too
        self._closed = True
        self._give_up("the client was closed")

    # -- its task

    def _stop(self) -> None:
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self._forget()

    def _forget(self) -> None:
        self._task = None
        self._failures = 0
        self._news = asyncio.Event()
        self._longest_by_agent.clear()
        self._calls.clear()
        self._followers.clear()
        self._reading.clear()

    async def _poll(self) -> None:
        """Ask until nobody waits any more."""
        try:
            while self._calls:
                await self._turn()
        except asyncio.CancelledError:
            if self._task is asyncio.current_task():  # not by us: we have forgotten it by then
                self._give_up("the poller was cancelled from outside")
            raise
        except Exception as defect:  # noqa: BLE001 - ours: whoever waits must hear of it, not hang
            self._end_all(_defect(defect))

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._sweep_at:
            pages = await self._sweep()
            now = loop.time()
            self._sweep_at = now + self._pause(now, pages)
            self._no_sweep_before = now + self.patience.between_sweeps(0.0, pages, self._failures)
        reads_at = self._begin_reads(loop.time())
        if self._calls:
            await self._rest(min(self._sweep_at, reads_at))

    def _pause(self, now: float, pages: int) -> float:
        age = now - max((call.begun for call in self._calls.values()), default=now)
        return self.patience.between_sweeps(age, pages, self._failures) * random.uniform(*_JITTER)

    async def _rest(self, until: float) -> None:
        """Sleep until then, or until there are news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._news.wait()
        self._news.clear()

    # -- the list

    async def _sweep(self) -> int:
        """Ask the list about all calls that have not ended; how many pages that took."""
        now = datetime.now(UTC)
        unseen = {call.id: call for call in self._calls.values() if call.in_sweep(now)}
        self._miss(call for call in self._calls.values() if call.id not in unseen)
        if not unseen:
            return 0
        try:
            pages = await self._read_list(unseen)
        except _REFUSALS as refusal:
            self._end_all(refusal)
            return 0
        except HamsaError as failure:
            self._failures += 1
            self._note("the list of calls could not be read", "sweep_failed", failure)
            for call in unseen.values():
                call.failure = failure
            if self._failures >= _SWEEPS_THAT_FAIL:
                self._miss(unseen.values())
            return 0
        self._failures = 0
        self._miss(unseen.values())
        return pages

    async def _read_list(self, unseen: dict[str, Followed]) -> int:
        """Read the list as far as it has these calls, and take out those that it showed."""
        pages = 0
        # No filter by status: a row would go from one answer to another as its status changes,
        # one that we do not know would never come, and what is missing would prove nothing.
        listed = by_query(
            self._sender,
            CONVERSATIONS,
            _read_page,
            page_size=_MOST_ROWS,
            most=_MOST_ROWS,
            query={"startTime": epoch_ms(start_of(unseen.values()), "startTime")},
            options={},
        )
        async for page in listed.by_page():
            pages += 1
            for row in page:
                call = unseen.pop(row.id, None)
                if call is None:
                    continue
                if call.see(row, self._now()):
                    self._tell(call)
                self._set_longest(call, self._longest_by_agent.get(call.agent_id or ""))
            if not unseen:
                break
        return pages

    def _miss(self, calls: Iterable[Followed]) -> None:
        for call in calls:
            call.miss()

    # -- calls by themselves

    def _begin_reads(self, now: float) -> float:
        """Begin to read what is due, as far as there is room; when to look again."""
        next_at = math.inf
        for call in self._calls.values():
            at = None if call.id in self._reading else call.read_at()
            if at is None:
                continue
            if at > now:
                next_at = min(next_at, at)
            elif len(self._reading) < self._reads_at_once:
                loop = asyncio.get_running_loop()
                self._reading[call.id] = asyncio.Task(self._read(call), loop=loop)
        return next_at

    async def _read(self, call: Followed) -> None:
        """Read one call in full."""
        try:
            self._learn(call, await self._sender.send(_detail(call.id), reads(Conversation)))
        except _REFUSALS as refusal:
            if not isinstance(refusal, NotFoundError) or call.is_missing():
                self._end(call, refusal)
            else:
                call.fail(refusal, self._now())
        except HamsaError as failure:
            call.fail(failure, self._now())
            self._note(f"call {call.id} could not be read", "call_not_read", failure)
        except Exception as defect:  # noqa: BLE001 - as above
            self._end(call, _defect(defect))
        finally:
            if self._reading.get(call.id) is asyncio.current_task():
                del self._reading[call.id]
            self._news.set()

    def _learn(self, call: Followed, conversation: Conversation) -> None:
        changed = call.read(conversation, self._now())
        if call.is_done or changed:
            self._tell(call)
        self._set_longest(call, longest_of(conversation))
        # What one call of an agent says holds for all of them.
        if call.agent_id is not None and call.agent_id not in self._longest_by_agent:
            self._longest_by_agent[call.agent_id] = longest_of(conversation)
            for other in self._calls.values():
                self._set_longest(other, self._longest_by_agent.get(other.agent_id or ""))

    # -- telling

    def _tell(self, call: Followed) -> None:
        for follower in list(self._followers.get(call.id, ())):
            self._give(follower, _update(call))

    def _end(self, call: Followed, error: HamsaError) -> None:
        update = CallUpdate(id=call.id, status=call.status, error=error)
        for follower in list(self._followers.get(call.id, ())):
            self._give(follower, update)

    def _end_all(self, error: HamsaError) -> None:
        for call in list(self._calls.values()):
            self._end(call, error)

    def _give_up(self, why: str) -> None:
        for call in list(self._calls.values()):
            text = f"{why} before call {call.id} was seen to end; it goes on"
            self._end(call, _not_ended(call, text))

    def _give(self, follower: Follower, update: CallUpdate) -> None:
        if update.is_last:
            self.leave(follower)
        follower.tell(update)

    def _note(self, what: str, action: str, failure: HamsaError) -> None:
        log.warning(
            "%s; it is tried again: %s",
            what,
            failure,
            extra={"action": action, "failures": self._failures},
        )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # -- timeouts

    def _set_longest(self, call: Followed, longest: float | None) -> None:
        if longest is None or call.longest is not None:
            return
        call.longest = longest
        for follower in self._followers.get(call.id, ()):
            self._set_timer(follower)

    def _set_timer(self, follower: Follower) -> None:
        """Ring when its time is up; for the default that moves when the agent is known."""
        if follower.timer is not None:
            if follower.timeout is not None:
                return
            follower.timer.cancel()
        timeout = follower.call.timeout if follower.timeout is None else follower.timeout
        if timeout < math.inf:
            loop = asyncio.get_running_loop()
            at = follower.since + timeout
            follower.timer = loop.call_at(at, self._time_is_up, follower, timeout)

    def _time_is_up(self, follower: Follower, timeout: float) -> None:
        call = follower.call
        if call.conversation is not None:  # only its outcome has not come
            update = CallUpdate(id=call.id, status=call.status, conversation=call.conversation)
        else:
            error = _not_ended(call, _in_words(call, timeout))
            update = CallUpdate(id=call.id, status=call.status, error=error)
        self._give(follower, update)


def check_timeout(timeout: float | None) -> None:
    """Refuse what is no timeout.

    Raises:
        ConfigurationError: It is neither `None` nor a number above 0.
    """
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ConfigurationError("timeout must be a number of seconds above 0, or None")


def _detail(call_id: str) -> Request:
    return build(CONVERSATION, id=call_id)


def _defect(defect: Exception) -> HamsaError:
    log.error("a defect of the poller", exc_info=defect, extra={"action": "poller_failed"})
    error = HamsaError(f"a defect of the poller, {type(defect).__name__}; the calls go on")
    error.__cause__ = defect
    return error


def _update(call: Followed) -> CallUpdate:
    return CallUpdate(
        id=call.id,
        status=call.status,
        conversation=call.conversation if call.is_done else None,
    )


def _not_ended(call: Followed, text: str) -> NotEndedError:
    last = None if call.status is None else str(call.status)
    error = NotEndedError(text, call_id=call.id, last_status=last)
    error.__cause__ = call.failure
    return error


def _in_words(call: Followed, timeout: float) -> str:
    if call.has_ended:
        return (
            f"call {call.id} ended ({call.status}), but could not be read within {timeout:g} s:"
            " read it with conversations.get"
        )
    if call.status is None:
        return f"nothing was heard of call {call.id} within {timeout:g} s; it may go on"
    return (
        f"call {call.id} was not seen to end within {timeout:g} s; the last that was heard is"
        f" {call.status}, and it may go on"
    )
