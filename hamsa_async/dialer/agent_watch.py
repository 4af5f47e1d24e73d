"""The agents' texts during a run: a change is told, and pauses what it would spoil."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from hamsa_async.dialer.agents import ReadAgent
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.errors import HamsaError
from hamsa_async.models import AgentDetails, placeholders_in

LOOK_EVERY: Final = timedelta(minutes=5)
"""How often the texts are read."""

_MOST: Final = 100  # agents that are watched: each costs a request at every look
_AT_ONCE: Final = 4
_SAMPLE: Final = 200  # contacts whose params say which columns there are
_EVER: Final = timedelta(days=3650)


class AgentWatch:
    """Sees that an agent's texts changed, writes it down, and pauses where a column is missing.

    Args:
        journal: Where it is written.
        campaign: The campaign's id in it.
        agents: The agents as they were read before the run, by id, the campaign's own first.
        given: Params of the campaign, which every call gets.
        read: Reads an agent.
        tell: Called with every event, after it is durable.
        clock: What time it is (aware).
        every: How often to look.
    """

    def __init__(
        self,
        journal: Journal,
        campaign: int,
        agents: Mapping[str, AgentDetails],
        *,
        given: Mapping[str, Any],
        read: ReadAgent,
        tell: Callable[[DialerEvent], None],
        clock: Callable[[], datetime],
        every: timedelta,
    ) -> None:
        self._journal = journal
        self._id = campaign
        self._agents = dict(list(agents.items())[:_MOST])
        self._given = frozenset(given)
        self._read = read
        self._tell = tell
        self._clock = clock
        self._every = every.total_seconds()
        self._now = asyncio.Event()

    def look_now(self) -> None:
        """Look at once: somebody had the campaign go on."""
        self._now.set()

    async def watch(self) -> None:
        """Look at the texts, again and again.

        Raises:
            JournalError: What was seen could not be written down.
        """
        while True:
            self._now.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._now.wait()
            await self.look()

    async def look(self) -> None:
        """Look at the texts once. An agent that cannot be read is looked at the next time."""
        ids = list(self._agents)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            found = await asyncio.gather(*map(self._get, some))
            for agent_id, agent in zip(some, found, strict=True):
                before = self._agents[agent_id]
                if agent is not None and _texts(agent) != _texts(before):
                    # A change is told once, and pauses once.
                    self._agents[agent_id] = agent
                    await self._note(agent_id, placeholders_in(before), placeholders_in(agent))

    async def _get(self, agent_id: str) -> AgentDetails | None:
        try:
            return await self._read(agent_id)
        except HamsaError:
            return None

    async def _note(self, agent_id: str, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        came = [name for name in now if name not in before]
        lacking = await self._without_column(came)
        if lacking:
            # First: nobody more is dialed once this is known.
            named = ", ".join(f"{{{{{name}}}}}" for name in lacking)
            reason = f"the text of agent {agent_id} changed, and no column gives {named}"
            await self._journal.pause(self._id, reason)
        data = {
            "agent_id": agent_id,
            "came": came,
            "went": [name for name in before if name not in now],
            "lacking": lacking,
        }
        self._tell(await self._journal.note(self._id, EventKind.AGENT_CHANGED, data))

    async def _without_column(self, names: list[str]) -> list[str]:
        """Those of some variables that nobody who is to be called is given."""
        if not names:
            return []
        some = await self._journal.pending(self._id, after=0, limit=_SAMPLE) or (
            await self._journal.due(self._id, now=self._clock() + _EVER, limit=_SAMPLE)
        )
        columns = self._given.union(*(candidate.params for candidate in some))
        return [name for name in names if name not in columns] if some else []


def _texts(agent: AgentDetails) -> tuple[str | None, str | None]:
    return agent.greeting_message, agent.preamble
