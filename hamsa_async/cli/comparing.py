"""A list beside the agents, where a command that dials nobody can read them."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from hamsa_async.cli.output import people, shown
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.agents import AgentContracts
from hamsa_async.dialer.journal import Identity
from hamsa_async.errors import HamsaError, JournalError


@contextlib.asynccontextmanager
async def agents_of(
    agent_id: str | None,
    given: Mapping[str, Any],
    *,
    journal: SqliteJournal | None = None,
) -> AsyncIterator[AgentContracts | None]:
    """Read the agent, where one is named and can be read, to compare a list with it.

    Args:
        agent_id: The agent.
        given: Params that every call gets.
        journal: A journal that must be of the same project.

    Raises:
        JournalError: It is another project's.
    """
    async with contextlib.AsyncExitStack() as stack:
        found = None
        if agent_id is not None:
            try:
                client = await stack.enter_async_context(HamsaClient())
                if journal is not None:
                    project = await client.projects.current()
                    await journal.identify(
                        Identity(base_url=client.config.base_url, project_id=project.id)
                    )
                agent = await client.voice_agents.get(agent_id)
                found = AgentContracts(agent_id, agent, given, client.voice_agents.get)
            except JournalError:
                raise
            except HamsaError as error:
                people().print(f"the agent was not read: {shown(str(error))}", style="yellow")
        yield found
