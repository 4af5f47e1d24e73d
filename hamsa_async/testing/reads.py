"""The routes that only read: calls, the minimal list, agents and the project."""

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
from aiohttp import web

from hamsa_async.testing.account import project, saved_agent
from hamsa_async.testing.call_shapes import conversation
from hamsa_async.testing.clock import ServerClock
from hamsa_async.testing.connections import Connection
from hamsa_async.testing.faults import Answer
from hamsa_async.testing.lifecycle import Calls
from hamsa_async.testing.messages import authorise, refuse, success
from hamsa_async.testing.minimal_list import Query
from hamsa_async.testing.settings import Settings


@attrs.frozen(kw_only=True)
class _Found:
    """What a read found, and the phone number it is about, if it is about one."""

    value: dict[str, Any]
    number: str | None = None


_Find: TypeAlias = Callable[[web.BaseRequest, str], _Found]


class Reads:
    """Answers what changes nothing. A key is needed, and faults on reads strike."""

    def __init__(self, fake: Settings, clock: ServerClock, calls: Calls) -> None:
        self._fake = fake
        self._clock = clock
        self._calls = calls

    async def conversation(
        self, request: web.BaseRequest, connection: Connection, call_id: str
    ) -> Answer | None:
        """One call in full."""
        return await self._respond(self._find_call, request, connection, call_id)

    async def minimal_list(
        self, request: web.BaseRequest, connection: Connection, argument: str
    ) -> Answer | None:
        """Many calls in brief."""
        return await self._respond(self._find_calls, request, connection, argument)

    async def agent(
        self, request: web.BaseRequest, connection: Connection, agent_id: str
    ) -> Answer | None:
        """One saved agent."""
        return await self._respond(self._find_agent, request, connection, agent_id)

    async def project(
        self, request: web.BaseRequest, connection: Connection, argument: str
    ) -> Answer | None:
        """The project of the key."""
        return await self._respond(self._find_project, request, connection, argument)

    async def _respond(
        self, find: _Find, request: web.BaseRequest, connection: Connection, argument: str
    ) -> Answer | None:
        authorise(request, scheme=self._fake.scheme, keys=self._fake.api_keys)
        found = find(request, argument)
        answer = success(found.value)
        planned = self._fake.faults.choose("read", found.number)
        if planned is None:
            return answer
        return await planned.strike(connection.exchange(request, answer, self._clock.now()))

    def _find_call(self, _: web.BaseRequest, call_id: str) -> _Found:
        call = self._calls.by_id.get(call_id)
        if call is None:
            raise refuse(404)
        return _Found(
            value=conversation(call, self._clock.now(), echoes=self._fake.echo_params),
            number=call.ring.phone_number,
        )

    def _find_calls(self, request: web.BaseRequest, _: str) -> _Found:
        return _Found(value=Query.read(request).answer(self._calls, self._clock.now(), self._fake))

    def _find_agent(self, _: web.BaseRequest, agent_id: str) -> _Found:
        return _Found(value=saved_agent(self._fake, agent_id))

    def _find_project(self, _: web.BaseRequest, __: str) -> _Found:
        return _Found(value=project(self._fake))
