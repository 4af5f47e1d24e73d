"""The route that starts calls: from a POST to a ring, and to whatever is told of it."""

import asyncio
import inspect
import random
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from aiohttp import web

from hamsa_async.testing.account import inline_agent, saved_agent
from hamsa_async.testing.bucket import Bucket
from hamsa_async.testing.call_shapes import job, receipt
from hamsa_async.testing.clock import ServerClock
from hamsa_async.testing.connections import Connection
from hamsa_async.testing.faults import Answer
from hamsa_async.testing.ledger import Ring
from hamsa_async.testing.lifecycle import Call, Calls, later
from hamsa_async.testing.messages import RefusedError, authorise, json_object, success
from hamsa_async.testing.orders import Order, number_in, reference_in
from hamsa_async.testing.settings import Observed
from hamsa_async.testing.webhooks import Webhooks

_Read: TypeAlias = Callable[[Mapping[str, Any]], Order]
_Show: TypeAlias = Callable[[Call, datetime], dict[str, Any]]

# What a fault that was told not to ring may still claim.
_NOT_RUNG: Final = success({})


class Placing:
    """Starts calls for a fake, and lets its ledger know of every POST and every ring."""

    def __init__(
        self, fake: Observed, clock: ServerClock, calls: Calls, webhooks: Webhooks
    ) -> None:
        self._fake = fake
        self._clock = clock
        self._calls = calls
        self._webhooks = webhooks
        self.start_afresh()

    def start_afresh(self) -> None:
        """Draw the same numbers again, and let a full burst of calls through."""
        rate = self._fake.rate_limit
        self._random = random.Random(self._fake.seed)
        self._bucket = None if rate is None else Bucket(rate=rate)

    async def respond(
        self, request: web.BaseRequest, connection: Connection, _: str
    ) -> Answer | None:
        """Answer a POST, and note in the ledger what it was told."""
        return await self._respond(request, connection, Order.read, job)

    async def respond_from_number(
        self, request: web.BaseRequest, connection: Connection, _: str
    ) -> Answer | None:
        """The same by the route for registered numbers, which says less of the call."""
        return await self._respond(request, connection, Order.read_from_number, receipt)

    async def _respond(
        self, request: web.BaseRequest, connection: Connection, read: _Read, show: _Show
    ) -> Answer | None:
        post = self._fake.ledger.arrived(self._clock.now())
        with self._in_flight():
            try:
                answer = await self._placed(request, connection, post, read, show)
            except RefusedError as refusal:
                answer = refusal.answer
        self._fake.ledger.note(post, status=answer and answer.status)
        return answer

    @contextmanager
    def _in_flight(self) -> Generator[None, None, None]:
        fake = self._fake
        fake.in_flight += 1
        fake.max_in_flight = max(fake.max_in_flight, fake.in_flight)
        try:
            yield
        finally:
            fake.in_flight -= 1

    async def _placed(
        self,
        request: web.BaseRequest,
        connection: Connection,
        post: int,
        read: _Read,
        show: _Show,
    ) -> Answer | None:
        fake = self._fake
        body = await json_object(request, connection)
        fake.ledger.note(post, phone_number=number_in(body), reference=reference_in(body))
        await self._tell(body)
        authorise(request, scheme=fake.scheme, keys=fake.api_keys)
        order = read(body)
        agent = self._agent_for(order)
        self._admit()
        planned = fake.faults.choose("call", order.to_number)
        rings = planned is None or planned.rings
        fake.ledger.note(post, rang=rings, fault=planned and planned.name)
        answer = await self._ring(order, agent, post, show) if rings else _NOT_RUNG
        if planned is None:
            return answer
        return await planned.strike(connection.exchange(request, answer, self._clock.now()))

    async def _tell(self, body: dict[str, Any]) -> None:
        told = self._fake.on_post(body) if self._fake.on_post else None
        if inspect.isawaitable(told):
            await told

    def _agent_for(self, order: Order) -> Mapping[str, Any]:
        if order.voice_agent_id is not None:
            return saved_agent(self._fake, order.voice_agent_id)
        return inline_agent(self._fake, order.agent_details or {})

    def _admit(self) -> None:
        now, most = self._clock.now(), self._fake.capacity
        full = most is not None and self._calls.live(now) >= most
        if full or (self._bucket is not None and not self._bucket.take(now)):
            refusal = Answer.error(429).with_header("Retry-After", self._fake.retry_after)
            raise RefusedError(refusal)

    async def _ring(self, order: Order, agent: Mapping[str, Any], post: int, show: _Show) -> Answer:
        call = self._new_call(order, agent, post)
        self._fake.ledger.rang(call.ring)
        self._calls.add(call)
        self._webhooks.placed(call)
        delay = self._random.uniform(*self._fake.latency)
        # Rendered first: what an answer says is true when it is made, not when it arrives.
        answer = success(show(call, self._clock.now()))
        if delay:
            await asyncio.sleep(delay)
        return answer

    def _new_call(self, order: Order, agent: Mapping[str, Any], post: int) -> Call:
        ring = Ring(
            phone_number=order.to_number,
            at=self._clock.now(),
            call_id=str(uuid.uuid4()),
            reference=reference_in({"params": order.params}),
            post=post,
            voice_agent_id=order.voice_agent_id,
            from_number=order.from_number,
        )
        return self.call_of(ring, order, agent)

    def take_up(self, ring: Ring) -> Call:
        """Make the call of a ring that another server had; how it ends is drawn anew."""
        order = Order.of(ring)
        return self.call_of(ring, order, self._agent_for(order))

    def call_of(self, ring: Ring, order: Order, agent: Mapping[str, Any]) -> Call:
        """Make the call of a ring: how long it lasts and how it ends is drawn."""
        fake, outcomes = self._fake, self._fake.outcomes
        lasts = timedelta(seconds=self._random.uniform(*fake.call_seconds))
        (outcome,) = self._random.choices(tuple(outcomes), tuple(outcomes.values()))
        script = [
            (later(ring.at, seconds), status)
            for seconds, status in fake.scripts.get(order.to_number, ())
        ]
        ended_at = script[-1][0] if script else ring.at + lasts
        return Call(
            ring=ring,
            order=order,
            agent=agent,
            answered_at=ring.at + lasts / 5,
            ended_at=ended_at,
            outcome=outcome,
            told_at=later(ended_at, fake.outcome_lag),
            script=script,
        )
