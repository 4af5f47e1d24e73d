"""`Run`: what a run tells its reader, and how it is stopped and left."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from hamsa_async._pull import see_through
from hamsa_async.dialer.budget import Spent
from hamsa_async.dialer.campaign import Campaign
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contract import Contract
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.records import CampaignRecord
from hamsa_async.dialer.machine import DIALABLE, LONGEST_CALL, ContactState
from hamsa_async.dialer.ramp import Beginning
from hamsa_async.dialer.runner import Runner
from hamsa_async.errors import DialerError
from hamsa_async.models import AgentDetails, Project

if TYPE_CHECKING:
    from hamsa_async.dialer.finish import Finish

log: logging.Logger = logging.getLogger("hamsa_async")

_READ_AHEAD: Final = 1_000  # events that a slow reader may lag behind before dialing waits for it


def longest_of(agent: AgentDetails) -> timedelta:
    """How long a call by an agent can last."""
    seconds = agent.max_call_duration
    return LONGEST_CALL if seconds is None else timedelta(seconds=seconds)


@attrs.frozen(kw_only=True)
class Loaded:
    """A campaign that is ready to be dialed."""

    campaign: Campaign
    record: CampaignRecord
    project: Project
    agent: AgentDetails
    counts: Mapping[ContactState, int]
    columns: Columns | None
    """What the list's headers were taken for, where a list was read."""
    contract: Contract = attrs.field(factory=lambda: Contract(variables=()))
    """How the list and the agent's texts fit together."""
    named: tuple[Contract, ...] = ()
    """The same for each agent that rows name in the place of the campaign's."""
    agents: Mapping[str, AgentDetails] = attrs.field(factory=dict, repr=False)
    """The agents that were read, by id."""
    beginning: Beginning
    """How its next run begins: with a canary or none, and climbing or not."""
    accepted: tuple[str, ...] = ()
    """The changes against the journal that were accepted, in words."""
    events: tuple[DialerEvent, ...] = attrs.field(default=(), repr=False)
    """What loading wrote down: the list that was taken over, and the attempts that a process
    which is gone left behind."""

    @property
    def longest(self) -> timedelta:
        """How long a call by the campaign's agent can last."""
        return longest_of(self.agent)

    @property
    def to_dial(self) -> int:
        """Contacts that are to be called, now or later."""
        return sum(self.counts.get(state, 0) for state in DIALABLE)


class Run(AsyncIterator[DialerEvent]):
    """A run's events as they become durable. Iterate it to its end, then look at `finish`.

    It begins with the first step and dials on while it is read. A reader who lags far behind
    holds up new dials, and so does one who stops reading: leave a run with `aclose()`, or by
    leaving the dialer. Made by `Dialer.run`.

    Attributes:
        loaded: The campaign, once it was loaded.
        finish: How the run ended, once it has.
        counts: Contacts by state at the end.
        stop_reason: Why it was stopped, if it was.
    """

    def __init__(
        self, start: Callable[["Run"], Coroutine[Any, Any, None]], *, grace_period: float
    ) -> None:
        self._start = start
        self._grace_period = grace_period
        self._task: asyncio.Task[None] | None = None
        self._runner: Runner | None = None
        self._events: deque[DialerEvent] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._left = False
        self._raised = False
        self.stop_reason: str | None = None
        self.loaded: Loaded | None = None
        self.finish: Finish | None = None
        self.counts: Mapping[ContactState, int] = {}

    def stop(self, reason: str = "stopped") -> None:
        """Dial nobody more. What is in flight settles; then the run ends as interrupted."""
        if self.stop_reason is None:
            self.stop_reason = reason
        if self._runner is not None:
            self._runner.stop(self.stop_reason)

    def spent(self) -> Spent | None:
        """What the campaign has spent by now; `None` before it dials."""
        return None if self._runner is None else self._runner.spent()

    def go_on(self) -> None:
        """Call the others: the canary's calls were looked at, and are as they should be.

        It ends the pause after them, also one that clean minutes would end; at any other time it
        does nothing.
        """
        if self._runner is not None:
            self._runner.go_on()

    async def aclose(self) -> None:
        """Stop, and give what is in flight the client's `grace_period` to settle.

        What has not settled by then is unknown. A list that is still being read is left at once.

        Cancellation:
            What is in flight is unknown, at once.
        """
        await see_out([self], grace_period=self._grace_period)

    def leave(self) -> "asyncio.Task[None] | None":
        """Stop, and tell the reader nothing more. Gives what must come to its end, if anything."""
        self._left = True
        self.stop("left")
        self._room.set()
        if self._task is not None and self._runner is None:
            self._task.cancel()  # while a list is read nothing is in flight
        return self._task

    def say_what_nobody_heard(self) -> None:
        """Log the error that ended it, if no reader is there to be told."""
        task = self._task
        if task is None or task.cancelled():
            return
        if (error := task.exception()) is not None and not self._raised:
            self._raised = True
            log.error("a run that was left had failed: %s", error, extra={"action": "run_failed"})

    async def __anext__(self) -> DialerEvent:
        """Give the next event.

        Raises:
            DialerError: The run could not go on; nothing was dialed after that.
        """
        if self._task is None:
            if self._left:
                raise StopAsyncIteration
            self._task = asyncio.create_task(self._start(self))
            self._task.add_done_callback(lambda _: self._news.set())
        while not self._events:
            if self._task.done():
                raise self._end(self._task)
            self._news.clear()
            await self._news.wait()
        event = self._events.popleft()
        self._room.set()
        return event

    def _end(self, task: "asyncio.Task[None]") -> BaseException:
        """What the reader is told at the end."""
        self._raised = True
        if not task.cancelled():
            return task.exception() or StopAsyncIteration()
        if self._left:
            return StopAsyncIteration()
        return DialerError("the run was cancelled; run the campaign again to resume it")

    def tell(self, event: DialerEvent) -> None:
        """Hand an event to the reader."""
        if not self._left:
            self._events.append(event)
            self._news.set()

    async def ready(self) -> None:
        """Wait until the reader has caught up."""
        while len(self._events) >= _READ_AHEAD and not self._left:
            self._room.clear()
            await self._room.wait()

    def begin(self, runner: Runner) -> None:
        """Take note of who dials, and stop it at once where that was asked for already."""
        self._runner = runner
        if self.stop_reason is not None:
            runner.stop(self.stop_reason)


async def see_out(runs: Sequence[Run], *, grace_period: float) -> None:
    """Leave runs, and wait until none of them does anything any more; see `Run.aclose`."""
    tasks = {task for run in runs if (task := run.leave()) is not None}
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=grace_period)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await see_through(asyncio.wait(tasks))
        for run in runs:
            run.say_what_nobody_heard()
