"""A list beside all agents that speak to its rows: the campaign's, and those that rows name."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.contract import Contract, ContractCheck, is_to_be_called
from hamsa_async.errors import (
    ContactListError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from hamsa_async.models import AgentDetails, placeholders_in

ReadAgent: TypeAlias = Callable[[str], Awaitable[AgentDetails]]

_AT_ONCE: Final = 8  # agents that are read side by side
_MOST: Final = 1_000  # more are no agents: the column is another one
_NO_AGENT: Final = (NotFoundError, InvalidRequestError, PermissionDeniedError)


class AgentContracts:
    """Compares a list with the agents, each of them read once, while the list is read.

    Args:
        agent_id: The campaign's own agent.
        agent: The same, read.
        given: Params of the campaign, which every call gets.
        read: Reads an agent.

    Attributes:
        agents: The agents that were read, by id, the campaign's own first.
    """

    def __init__(
        self, agent_id: str, agent: AgentDetails, given: Mapping[str, Any], read: ReadAgent
    ) -> None:
        self._own_id = agent_id
        self._given = given
        self._read = read
        self._own = ContractCheck(placeholders_in(agent), given)
        self._named: dict[str, ContractCheck] = {}
        self.agents: dict[str, AgentDetails] = {agent_id: agent}

    @property
    def own(self) -> AgentDetails:
        """The campaign's own agent."""
        return self.agents[self._own_id]

    @property
    def variables(self) -> tuple[str, ...]:
        """What the texts of the campaign's own agent ask for."""
        return self._own.variables

    async def add(self, rows: Iterable[Row]) -> None:
        """Look at some more rows, as they are read. Only those that are to be called count.

        Raises:
            ContactListError: The rows name more agents than there can be.
            HamsaError: An agent could not be read. One that is not there is no error.
        """
        await self.add_params(
            (row.row, row.agent_id, row.params) for row in rows if is_to_be_called(row)
        )

    async def add_params(self, told: Iterable[tuple[int, str | None, Mapping[str, Any]]]) -> None:
        """Look at what some more people's calls would be given: row, agent, params."""
        given = [(row, agent_id or self._own_id, params) for row, agent_id, params in told]
        unknown = {agent for _, agent, _ in given} - {self._own_id} - self._named.keys()
        await self._get(sorted(unknown))
        for row, agent_id, params in given:
            check = self._own if agent_id == self._own_id else self._named[agent_id]
            check.add_params(params, row=row)

    def result(self) -> Contract:
        """How the list fits the campaign's own agent."""
        return self._own.result()

    def named(self) -> tuple[Contract, ...]:
        """How the rows that name another agent fit it, one for each agent."""
        return tuple(
            attrs.evolve(check.result(), agent_id=agent_id, is_missing=agent_id not in self.agents)
            for agent_id, check in self._named.items()
        )

    async def _get(self, agent_ids: Sequence[str]) -> None:
        if len(self._named) + len(agent_ids) > _MOST:
            raise ContactListError(
                f"the rows name more than {_MOST} agents: is another column meant by agent_id?"
                " (--map, --ignore)"
            )
        for start in range(0, len(agent_ids), _AT_ONCE):
            some = agent_ids[start : start + _AT_ONCE]
            for agent_id, agent in zip(
                some, await asyncio.gather(*map(self._look, some)), strict=True
            ):
                variables = () if agent is None else placeholders_in(agent)
                self._named[agent_id] = ContractCheck(variables, self._given)
                if agent is not None:
                    self.agents[agent_id] = agent

    async def _look(self, agent_id: str) -> AgentDetails | None:
        try:
            return await self._read(agent_id)
        except _NO_AGENT:
            return None
