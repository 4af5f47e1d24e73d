"""Takes webhooks: each is stored for good before it is answered, and answered in time."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from hamsa_async._masking import mask_text, show_text
from hamsa_async.errors import ConfigurationError, WebhookParseError, WebhookVerificationError
from hamsa_async.webhooks.deliveries import (
    CUT,
    JUNK,
    NOT_IN_TIME,
    NOT_STORED,
    REFUSED,
    REPEATED,
    STORED,
    TOO_BUSY,
    TOO_LARGE,
    TOO_SLOW,
    Delivery,
    Opening,
    Reply,
    decoded,
    deliver,
    open_request,
)
from hamsa_async.webhooks.secrets import Headers, Secrets

log: logging.Logger = logging.getLogger("hamsa_async")

BODY_LIMIT: Final = 1_048_576  # bytes: a transcript of ten minutes is a tenth of it

NextChunk = Callable[[], Awaitable[bytes]]
"""Gives the next bytes of a body, empty at its end.

Raises `EOFError` where the sender went, or sent what is no body."""


class Store(Protocol):
    """Where deliveries are kept."""

    async def put(self, delivery: Delivery, /) -> None:
        """Keep a delivery for good, or raise.

        Once this returns the sender is told that the event arrived, and never sends it again: it
        must be as durable as it has to be. It is called again for an event that it has, which
        `delivery.key` tells: keep one, and return. Several are put at once, so that a store may
        keep many in one commit.

        Raises:
            Exception: It is not kept. The sender is asked to send it again.
        """


class Receiver:
    """Takes webhooks for a store. `aiohttp_app` and `ASGIApp` bring it their requests.

    A delivery whose secret and body are in order goes to `store.put`, and is answered 2xx only
    after that returned; 503 where it failed or took too long. One that was stored already is
    answered 2xx at once, as far back as this process remembers; the store tells the rest.

    Args:
        store: Where deliveries are kept. Borrowed: it is never closed here.
        secrets: What a request must show one of.
        body_limit: The most bytes of a body, before and after it is decoded.
        concurrency: How many deliveries are read and stored at once. The others wait unread.
        answer_within: Seconds from a request's headers to its answer. Hamsa waits for 5.
        remembered: How many deliveries are remembered as stored.
        clock: The time, aware.

    Attributes:
        counts: How many requests were answered how, by `Reply.action`.

    Raises:
        ConfigurationError: A number is none that can work.
    """

    def __init__(
        self,
        store: Store,
        secrets: Secrets,
        *,
        body_limit: int = BODY_LIMIT,
        concurrency: int = 256,
        answer_within: float = 4.0,
        remembered: int = 10_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if min(body_limit, concurrency) < 1 or remembered < 0 or not answer_within > 0:
            raise ConfigurationError(
                "body_limit, concurrency and answer_within must be more than nothing, and"
                " remembered no less"
            )
        self.counts: Counter[str] = Counter()
        self._store = store
        self._secrets = secrets
        self._body_limit = body_limit
        self._answer_within = answer_within
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._remembered = remembered
        self._stored: OrderedDict[str, None] = OrderedDict()
        self._storing: dict[str, asyncio.Task[bool]] = {}
        self._closing = False

    async def answer(
        self, method: str, path: str, headers: Headers, next_chunk: NextChunk
    ) -> Reply:
        """Take one request.

        Args:
            method: Its method.
            path: Its path; one that ends in `/health` may be asked for with GET.
            headers: Its headers.
            next_chunk: Reads on in its body. Not called before the headers are in order.

        Returns:
            What to answer. Whatever the request is, there is an answer.

        Cancellation:
            A delivery that is being stored is stored all the same.
        """
        why: object = None
        try:
            reply = await self._answer(method, path, headers, next_chunk)
        except WebhookVerificationError as error:
            reply, why = REFUSED, error
        except WebhookParseError as error:
            reply, why = JUNK, error
        self.counts[reply.action] += 1
        if reply.status >= 400:
            log.warning(
                "a webhook was answered %s: %s",
                reply.status,
                why or reply.says,
                extra={"action": f"webhook_{reply.action}"},
            )
        return reply

    async def aclose(self, *, grace: float = 10.0) -> None:
        """Take no more, and wait until what is being stored is stored.

        Args:
            grace: Seconds to wait. What is not stored by then was not answered 2xx.
        """
        self._closing = True
        storing = set(self._storing.values())
        if not storing:
            return
        _, late = await asyncio.wait(storing, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _answer(
        self, method: str, path: str, headers: Headers, next_chunk: NextChunk
    ) -> Reply:
        deadline = asyncio.get_running_loop().time() + self._answer_within
        opening = open_request(method, path, headers, secrets=self._secrets, limit=self._body_limit)
        if isinstance(opening, Reply):
            return opening
        # Only who is proven gets this far: nobody else can take slots, time or memory.
        if self._closing or not await self._slot_by(deadline):
            return TOO_BUSY
        storing: asyncio.Task[bool] | None = None
        try:
            body = await self._body_by(deadline, opening, next_chunk)
            if isinstance(body, Reply):
                return body
            delivery = deliver(body, reference=opening.reference, now=self._clock())
            if delivery.key in self._stored:
                return REPEATED
            if self._closing:  # while the body came; the store may be closed by now
                return TOO_BUSY
            storing = self._put_soon(delivery)
            return await self._stored_by(deadline, storing)
        finally:
            # What is still being stored when the answer goes keeps its slot.
            if storing is None or storing.done():
                self._slots.release()
            else:
                storing.add_done_callback(lambda _: self._slots.release())

    async def _slot_by(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._slots.acquire()
        except TimeoutError:
            return False

    async def _body_by(
        self, deadline: float, opening: Opening, next_chunk: NextChunk
    ) -> bytes | Reply:
        body = bytearray()
        try:
            async with asyncio.timeout_at(deadline):
                while chunk := await next_chunk():
                    body += chunk
                    if len(body) > opening.limit:
                        return TOO_LARGE
        except TimeoutError:
            return TOO_SLOW
        except EOFError:
            return CUT
        return decoded(bytes(body), opening)

    def _put_soon(self, delivery: Delivery) -> asyncio.Task[bool]:
        """Store it in a task of its own; a second delivery meanwhile waits for the same one."""
        key = delivery.key
        task = self._storing.get(key)
        if task is None:
            # Neither a late answer nor a sender who went may undo what is being stored: nobody
            # has said that Hamsa sends anything twice.
            task = self._storing[key] = asyncio.create_task(self._put(delivery))
            task.add_done_callback(lambda _: self._storing.pop(key))
        return task

    async def _put(self, delivery: Delivery) -> bool:
        try:
            await self._store.put(delivery)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event is not stored
            log.error(  # noqa: TRY400 - what a store says of an event may hold numbers
                "the store failed on a webhook: %s: %s",
                type(error).__name__,
                mask_text(str(error)),
                extra={"action": "webhook_store_failed"},
            )
            return False
        self._stored[delivery.key] = None
        if len(self._stored) > self._remembered:
            self._stored.popitem(last=False)
        log.debug(
            "stored a webhook: %s",
            show_text(delivery.event.type),
            extra={"action": "webhook_stored"},
        )
        return True

    async def _stored_by(self, deadline: float, storing: asyncio.Task[bool]) -> Reply:
        left = deadline - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait({storing}, timeout=max(left, 0))
        if not done:
            return NOT_IN_TIME
        return STORED if not storing.cancelled() and storing.result() else NOT_STORED
