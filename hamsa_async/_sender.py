"""A logical call: through the door, over the wire, and again where the retry table allows it."""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar, cast

import attrs

from hamsa_async._limits import Door, LongCooldownError, Pace, Pass
from hamsa_async._masking import mask_number
from hamsa_async._placed import PlacedCalls
from hamsa_async._retry import Retryable, Tries, pause, try_again
from hamsa_async._transport import Exchange, Outcome, Transport
from hamsa_async._verdicts import Again
from hamsa_async._wire import Request, moment_after
from hamsa_async.errors import AuthenticationError, Certainty, HamsaError, NotSentError
from hamsa_async.instrumentation import CallEnded, CallQueued, RetryScheduled
from hamsa_async.options import Answer, RequestOptions, Settings

T = TypeVar("T")

# One count for the process, so that a hook may listen to several clients.
_NUMBERS: Final = itertools.count()


@attrs.define(kw_only=True, eq=False)
class Sending(Tries, Generic[T]):
    """One logical call on its way: its tries, what to send, and how to read the answer."""

    request: Request
    parse: Callable[[Answer], T]
    settings: Settings
    number: int
    """Its place in every line, too: first come, first served."""
    once: bool
    before_send: Callable[[], Awaitable[None]] | None
    pace: Pace | None
    not_after: float | None
    """In POSIX seconds."""
    key: str = attrs.field(default="", repr=False)
    """Of its last try. Kept here, where no traceback that shows local variables shows it."""
    last_error: HamsaError | None = None
    key_renewed: bool = False
    left: Exchange | None = None
    """What is still on its way after the caller was cancelled."""

    @property
    def too_late(self) -> bool:
        """Whether it may not begin any more."""
        return self.not_after is not None and time.time() >= self.not_after

    def not_sent(self, why: str, *, retry_at: datetime | None = None) -> NotSentError:
        """Make the error of a call that ends before a request began."""
        return NotSentError(
            f"{self.request.operation.name}: {why}; nothing was sent",
            certainty=Certainty.NOT_SENT,
            reference=self.request.reference,
            attempts=self.begun,
            retry_at=retry_at,
        )


class Sender:
    """Sends what a client, or one of its copies, is asked to send, under its settings."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings

    @property
    def placed(self) -> PlacedCalls:
        """What is remembered of the calls that were placed."""
        return self._transport.placed

    @property
    def concurrency_limit(self) -> int:
        """The most requests in flight at once."""
        return self._transport.concurrency_limit

    def own_loop(self) -> asyncio.AbstractEventLoop:
        """See `Transport.own_loop`."""
        return self._transport.own_loop()

    def with_options(self, options: RequestOptions) -> "Sender":
        """Give a sender under other settings, over the same transport.

        Raises:
            ConfigurationError: An option is unknown or cannot work.
        """
        return Sender(self._transport, self._settings.with_options(options))

    async def send(
        self,
        request: Request,
        parse: Callable[[Answer], T],
        *,
        options: RequestOptions | None = None,
        once: bool = False,
        before_send: Callable[[], Awaitable[None]] | None = None,
        pace: Pace | None = None,
        not_after: datetime | None = None,
    ) -> T:
        """Send a request, again where the retry table allows it, and read the answer.

        Args:
            request: What to send.
            parse: Reads a 2xx answer, or raises `ResponseSchemaError`.
            options: What differs for this call from the sender's settings.
            once: Send it once at the most; what would be tried again is raised. It waits for
                its turn however long a cool-down lasts.
            before_send: Awaited before every try, when nothing but it stands between the
                request and the wire. If it raises, nothing is sent.
            pace: One more pace to keep, besides the client's own.
            not_after: If the request has not begun by then, it does not.

        Raises:
            HamsaError: See the table; `certainty` says what was proven.

        Cancellation:
            Prompt. Before the request is handed to a connection nothing is sent; after it, the
            exchange goes on without the caller and ends in an `AttemptSettled`.
        """
        transport = self._transport
        settings = self._settings.with_options(options) if options else self._settings
        loop = transport.own_loop()
        transport.budget.pay_in()
        sending = Sending(
            request=request,
            parse=parse,
            settings=settings,
            number=next(_NUMBERS),
            policy=settings.retry,
            budget=transport.budget,
            clock=loop.time,
            once=once,
            before_send=before_send,
            pace=pace,
            not_after=None if not_after is None else not_after.timestamp(),
        )
        if transport.teller.hooked:
            return await self._send_told(sending)
        return await self._try_until_over(sending)

    async def _try_until_over(self, sending: Sending[T]) -> T:
        try:
            return await self._try(sending)
        except Retryable as failed:
            first = failed
        # Out here: what is raised keeps its own context.
        self._tell_retry(sending, first)
        return await try_again(first, lambda: self._try_next(sending), sleep=self._nap)

    async def _try_next(self, sending: Sending[T]) -> T:
        try:
            return await self._try(sending)
        except Retryable as failed:
            self._tell_retry(sending, failed)
            raise

    async def _nap(self, seconds: float) -> None:
        """Sleep, unless the client is closed meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._transport.closing.wait()

    # -- one try

    async def _try(self, sending: Sending[T]) -> T:
        """One try: through the door, over the wire, and the verdict."""
        entered = await self._enter(sending)
        try:
            sending.key = self._transport.keys.fixed or await self._key_for(sending)
            if sending.before_send is not None:
                if sending.too_late:
                    raise self._too_late(sending)  # noqa: TRY301 - the slot is given back below
                await sending.before_send()
            exchange = self._begin(sending, entered)
        except BaseException:
            entered.leave()
            raise
        try:
            outcome = await exchange.outcome
        except asyncio.CancelledError:
            if self._transport.abandon(exchange):
                sending.left = exchange
            raise
        if outcome.error is None:
            return cast("T", outcome.value)
        return await self._after_failure(sending, outcome)

    async def _key_for(self, sending: Sending[T]) -> str:
        try:
            return await self._transport.keys.get()
        except HamsaError as error:  # the source of keys does not know whom it fails
            error.certainty = Certainty.NOT_SENT
            error.reference = sending.request.reference
            error.attempts = sending.begun
            raise

    async def _enter(self, sending: Sending[T]) -> Pass:
        """Get through the door in time."""
        transport = self._transport
        if transport.closing.is_set():
            raise sending.not_sent("the client is closed")
        now = sending.clock()
        until = self._until(sending, now)
        if now >= until:
            raise self._too_late(sending, until)
        door = transport.doors[sending.request.operation.writes]
        entered = door.try_enter() if sending.pace is None else None
        if entered is None:
            entered = await self._wait_at(door, sending, until)
            now = sending.clock()
        if math.isinf(sending.deadline):
            sending.deadline = now + sending.settings.timeouts.deadline
        return entered

    def _until(self, sending: Sending[T], now: float) -> float:
        """When it must have got through, on the loop's clock."""
        if sending.not_after is None:
            return sending.deadline
        return min(sending.deadline, now + sending.not_after - time.time())

    async def _wait_at(self, door: Door, sending: Sending[T], until: float) -> Pass:
        patience = math.inf if sending.once else sending.settings.timeouts.deadline
        try:
            async with asyncio.timeout_at(None if math.isinf(until) else until):
                return await door.enter(sending.number, pace=sending.pace, patience=patience)
        except TimeoutError:
            error = self._too_late(sending, until)
        except LongCooldownError as long:
            error = sending.last_error or sending.not_sent(
                "too many requests, and the API asks for a longer pause than the deadline",
                retry_at=moment_after(datetime.now(UTC), long.seconds),
            )
        except NotSentError:  # the door was shut; it does not know whom it sends away
            error = sending.not_sent("the client was closed before the request began")
        raise error  # out here: it keeps its own cause, if it is of an earlier try

    def _too_late(self, sending: Sending[T], until: float = -math.inf) -> HamsaError:
        """Say which of the two bounds was reached.

        The loop's clock and the wall clock differ by moments, so it is not asked of the clocks.
        """
        if until < sending.deadline or sending.last_error is None:
            return sending.not_sent("not_after passed before the request could begin")
        return sending.last_error

    def _begin(self, sending: Sending[T], entered: Pass) -> Exchange:
        """Let the request go, in a task of its own."""
        if self._transport.closing.is_set():
            raise sending.not_sent("the client was closed before the request began")
        if sending.too_late:
            raise self._too_late(sending)
        exchange = self._transport.begin(
            sending.request,
            sending.parse,
            settings=sending.settings,
            number=sending.number,
            attempt=sending.begun + 1,
            entered=entered,
            key=sending.key,
            not_after=sending.not_after,
        )
        sending.begun += 1
        return exchange

    async def _after_failure(self, sending: Sending[T], outcome: Outcome) -> T:
        """Try again at once with a new key, later by `Retryable`, or raise."""
        error = outcome.error
        assert error is not None
        sending.last_error = error
        again = Again.NEVER if sending.once else outcome.verdict.again
        if outcome.verdict.again is not Again.THROUGH_GATE:
            sending.counted += 1
        if isinstance(error, AuthenticationError) and not sending.key_renewed:
            error.key_renewed = sending.key_renewed = await self._transport.keys.renew(sending.key)
            if sending.key_renewed and not sending.once:
                return await self._try(sending)  # a 401 is a refusal: nothing was done
        wait = self._wait(sending, outcome)
        if sending.may_try_again(again, outcome.verdict.certainty, wait):
            raise Retryable(error, wait, at_gate=again is Again.THROUGH_GATE)
        raise error

    def _wait(self, sending: Sending[T], outcome: Outcome) -> float:
        if outcome.verdict.again is Again.THROUGH_GATE:
            # The gate's cool-down is capped; what the server asked for is what it meant.
            gate = self._transport.doors[sending.request.operation.writes].gate
            return max(gate.closed_for(), outcome.asked or 0.0)
        return max(pause(sending.settings.retry, sending.counted), outcome.asked or 0.0)

    # -- telling

    async def _send_told(self, sending: Sending[T]) -> T:
        """Send it, and tell its begin and its end."""
        begun = time.monotonic()
        request, tell = sending.request, self._transport.teller.tell
        tell(
            CallQueued(
                operation=request.operation.name,
                number=sending.number,
                base_url=self._transport.base_url,
                reference=request.reference,
                to_number=None if request.to_number is None else mask_number(request.to_number),
            )
        )
        error: BaseException | None = None

        def tell_end() -> None:
            tell(
                CallEnded(
                    operation=request.operation.name,
                    number=sending.number,
                    attempts=sending.begun,
                    error=error,
                    seconds=time.monotonic() - begun,
                )
            )

        try:
            return await self._try_until_over(sending)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if sending.left is None:
                tell_end()
            else:
                sending.left.then = tell_end

    def _tell_retry(self, sending: Sending[T], failed: Retryable) -> None:
        self._transport.teller.retrying(
            RetryScheduled(
                operation=sending.request.operation.name,
                number=sending.number,
                attempts=sending.begun,
                wait=failed.expected,
                error=failed.error,
            )
        )
