"""One exchange after another over aiohttp, each watched from begin to end.

An exchange runs in a task of its own, so that a caller who is cancelled leaves at once while a
request that was handed to a connection still comes to its end, with its slot held and its id
heard. Every exchange ends in exactly one `AttemptSettled`: the verdict is passed when its task
is done, however that came about.
"""

import asyncio
import contextlib
import functools
import itertools
import logging
import math
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar, cast

import aiohttp
import attrs
from yarl import URL

from hamsa_async._handover import MarkedBody, NotHandedError
from hamsa_async._keys import KeySource
from hamsa_async._limits import Door, LongCooldownError, Pace, Pass, RateLimited
from hamsa_async._masking import mask_number
from hamsa_async._pull import see_through
from hamsa_async._retry import Retryable, RetryBudget, Tries, pause, try_again
from hamsa_async._sessions import limit_of_borrowed, open_session, proxy_for
from hamsa_async._verdicts import Again, Ending, Verdict, failure, judge
from hamsa_async._wire import USER_AGENT, Answer, Request, moment_after, retry_after, server_date
from hamsa_async.config import ClientConfig
from hamsa_async.errors import (
    AuthenticationError,
    Certainty,
    ConfigurationError,
    HamsaError,
    NotSentError,
    ResponseSchemaError,
)
from hamsa_async.instrumentation import (
    AttemptSettled,
    CooldownStarted,
    Hook,
    RetryScheduled,
    Teller,
)
from hamsa_async.models.calls import Call

T = TypeVar("T")

log = logging.getLogger("hamsa_async")

_NEVER_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """How one exchange ended."""

    verdict: Verdict
    status: int | None
    value: Any = attrs.field(default=None, repr=False)
    error: HamsaError | None = None
    asked: float | None = None
    """What the server asked for by `Retry-After`, in seconds."""

    @property
    def limited(self) -> bool:
        """Whether the server had too many requests, whatever that proves."""
        return self.status == 429


@attrs.define(kw_only=True, eq=False)
class Sending(Generic[T]):
    """One logical call on its way: what to send, how to read the answer, and its tries."""

    request: Request
    parse: Callable[[Answer], T]
    ticket: int
    tries: Tries
    once: bool
    before_send: Callable[[], Awaitable[None]] | None
    pace: Pace | None
    not_after: float | None
    """In POSIX seconds."""
    last_error: HamsaError | None = None
    key_renewed: bool = False

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
            attempts=self.tries.begun,
            retry_at=retry_at,
        )


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """One request and its answer."""

    request: Request
    parse: Callable[[Answer], Any] = attrs.field(repr=False)
    attempts: int
    body: MarkedBody | None = attrs.field(repr=False)
    key: str = attrs.field(repr=False)
    entered: Pass = attrs.field(repr=False)
    begun: float
    begun_at: float
    """In POSIX seconds."""
    outcome: "asyncio.Future[Outcome]" = attrs.field(repr=False)
    abandoned: bool = False
    stopped: bool = False

    def stop(self) -> None:
        """See to it that it is not written any more, if it was not yet."""
        self.stopped = True
        if self.body is not None:
            self.body.sealed = True

    def was_handed(self, cause: BaseException | None) -> bool:
        """Whether it was handed to a connection."""
        if self.body is not None:
            return self.body.handed
        # A read has no body to mark. What proves that it never left is the error alone, and
        # being wrong about it costs one more read.
        return not isinstance(cause, _NEVER_CONNECTED)


class Transport:
    """Sends requests over one session, on one loop, and says what became of each."""

    def __init__(
        self,
        config: ClientConfig,
        keys: KeySource,
        *,
        session: aiohttp.ClientSession | None,
        hooks: Iterable[Hook],
    ) -> None:
        self._config = config
        self._keys = keys
        self._teller = Teller(hooks)
        self._session: aiohttp.ClientSession | None = None
        self._borrowed = session is not None
        limit = config.concurrency_limit
        if session is not None:
            limit = limit_of_borrowed(session, limit)
        self.concurrency_limit = limit
        self._proxy = None if session is not None else proxy_for(config.base_url)
        self._session = session
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._tickets = itertools.count()
        self._exchanges: dict[asyncio.Task[Answer], Exchange] = {}
        self._budget = RetryBudget(config.retry.budget)
        # The headers of the last answer, and when it came.
        self._heard: tuple[Mapping[str, str], float] | None = None
        self._timeout = aiohttp.ClientTimeout(
            total=config.timeouts.response, connect=config.timeouts.connect
        )
        self._doors = {
            True: self._door("dials", limit, config.rate),
            False: self._door("reads", limit, None),
        }
        self._made_at = _caller()

    def _door(self, name: str, limit: int, rate: float | None) -> Door:
        return Door(
            limit=limit,
            rate=rate,
            cooldown=self._config.retry.cooldown,
            # Not a method of ours: a client that is dropped unclosed should go, and warn, at once.
            on_cooldown=functools.partial(_tell_cooldown, self._teller, name),
        )

    # -- sending

    async def send(
        self,
        request: Request,
        parse: Callable[[Answer], T],
        *,
        once: bool = False,
        before_send: Callable[[], Awaitable[None]] | None = None,
        pace: Pace | None = None,
        not_after: datetime | None = None,
    ) -> T:
        """Send a request, again where the retry table allows it, and read the answer.

        Args:
            request: What to send.
            parse: Reads a 2xx answer, or raises `ResponseSchemaError`.
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
        loop = self._own_loop()
        self._budget.pay_in()
        sending = Sending(
            request=request,
            parse=parse,
            ticket=next(self._tickets),
            tries=Tries(self._config.retry, self._budget, loop.time),
            once=once,
            before_send=before_send,
            pace=pace,
            not_after=None if not_after is None else not_after.timestamp(),
        )
        try:
            return await self._try(sending)
        except Retryable as failed:
            first = failed
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
                await self._closing.wait()

    async def _try(self, sending: Sending[T]) -> T:
        """One try: through the door, over the wire, and the verdict."""
        entered = await self._enter(sending)
        try:
            key = self._keys.fixed or await self._keys.get()
            if sending.before_send is not None:
                if sending.too_late:
                    raise self._too_late(sending)  # noqa: TRY301 - the slot is given back below
                await sending.before_send()
            exchange, task = self._begin(sending, entered, key)
        except BaseException:
            entered.leave()
            raise
        try:
            outcome = await exchange.outcome
        except asyncio.CancelledError:
            self._abandon(exchange, task)
            raise
        if outcome.error is None:
            return cast("T", outcome.value)
        return await self._after_failure(sending, outcome, key)

    async def _enter(self, sending: Sending[T]) -> Pass:
        """Get through the door in time."""
        loop = self._own_loop()
        if self._closing.is_set():
            raise sending.not_sent("the client is closed")
        until = self._until(sending, loop.time())
        if loop.time() >= until:
            raise self._too_late(sending, until)
        door = self._doors[sending.request.operation.writes]
        entered = door.try_enter() if sending.pace is None else None
        if entered is None:
            entered = await self._wait_at(door, sending, until)
        if math.isinf(sending.tries.deadline):
            sending.tries.deadline = loop.time() + self._config.timeouts.deadline
        return entered

    def _until(self, sending: Sending[T], now: float) -> float:
        """When it must have got through, on the loop's clock."""
        if sending.not_after is None:
            return sending.tries.deadline
        return min(sending.tries.deadline, now + sending.not_after - time.time())

    async def _wait_at(self, door: Door, sending: Sending[T], until: float) -> Pass:
        patience = math.inf if sending.once else self._config.timeouts.deadline
        try:
            async with asyncio.timeout_at(None if math.isinf(until) else until):
                return await door.enter(sending.ticket, pace=sending.pace, patience=patience)
        except TimeoutError:
            raise self._too_late(sending, until) from None
        except LongCooldownError as long:
            raise sending.last_error or sending.not_sent(
                "too many requests, and the API asks for a longer pause than the deadline",
                retry_at=moment_after(datetime.now(UTC), long.seconds),
            ) from None
        except NotSentError:  # the door was shut; it does not know whom it sends away
            raise sending.not_sent("the client was closed before the request began") from None

    def _too_late(self, sending: Sending[T], until: float = -math.inf) -> HamsaError:
        """Say which of the two bounds was reached.

        The loop's clock and the wall clock differ by moments, so it is not asked of the clocks.
        """
        if until < sending.tries.deadline or sending.last_error is None:
            return sending.not_sent("not_after passed before the request could begin")
        return sending.last_error

    def _begin(
        self, sending: Sending[T], entered: Pass, key: str
    ) -> "tuple[Exchange, asyncio.Task[Answer]]":
        """Let the request go, in a task of its own."""
        loop = self._own_loop()
        if self._closing.is_set():
            raise sending.not_sent("the client was closed before the request began")
        if sending.too_late:
            raise self._too_late(sending)
        request = sending.request
        body = None
        if request.body is not None:
            body = MarkedBody(request.body, not_after=sending.not_after)
        exchange = Exchange(
            request=request,
            parse=sending.parse,
            attempts=sending.tries.begun + 1,
            body=body,
            key=key,
            entered=entered,
            begun=loop.time(),
            begun_at=time.time(),
            outcome=loop.create_future(),
        )
        task = loop.create_task(self._exchange(exchange))
        sending.tries.begun += 1
        self._exchanges[task] = exchange
        task.add_done_callback(self._done)
        return exchange, task

    def _abandon(self, exchange: Exchange, task: "asyncio.Task[Answer]") -> None:
        """Its caller was cancelled: stop it if it is not handed yet, else let it go on."""
        if exchange.outcome.done() and not exchange.outcome.cancelled():
            # It ended in this very turn, and its event told nothing of a caller who left.
            if exchange.outcome.exception() is None and exchange.request.operation.writes:
                self._teller.missed(_event(exchange, exchange.outcome.result()))
            return
        exchange.abandoned = True
        if exchange.body is None:
            task.cancel()
        elif not exchange.body.handed:
            # Cancelling takes a turn of the loop, in which it could still be written.
            exchange.stop()
            task.cancel()

    async def _after_failure(self, sending: Sending[T], outcome: Outcome, key: str) -> T:
        """Try again at once with a new key, later by `Retryable`, or raise."""
        error = outcome.error
        assert error is not None
        sending.last_error = error
        again = Again.NEVER if sending.once else outcome.verdict.again
        if outcome.verdict.again is not Again.THROUGH_GATE:
            sending.tries.counted += 1
        if isinstance(error, AuthenticationError) and not sending.key_renewed:
            error.key_renewed = sending.key_renewed = await self._keys.renew(key)
            if sending.key_renewed and not sending.once:
                return await self._try(sending)  # a 401 is a refusal: nothing was done
        wait = self._wait(sending, outcome)
        if sending.tries.may_try_again(again, outcome.verdict.certainty, wait):
            raise Retryable(error, wait, at_gate=again is Again.THROUGH_GATE)
        raise error

    def _wait(self, sending: Sending[T], outcome: Outcome) -> float:
        if outcome.verdict.again is Again.THROUGH_GATE:
            # The gate's cool-down is capped; what the server asked for is what it meant.
            gate = self._doors[sending.request.operation.writes].gate
            return max(gate.closed_for(), outcome.asked or 0.0)
        return max(pause(self._config.retry, sending.tries.counted), outcome.asked or 0.0)

    # -- one exchange, in its own task

    async def _exchange(self, exchange: Exchange) -> Answer:
        # As many kept connections as there may be: a server that always speaks first would have
        # us here for ever.
        for _ in range(self.concurrency_limit):
            try:
                return await self._ask(exchange)
            except Exception:
                if exchange.stopped or exchange.body is None or not exchange.body.was_stale:
                    raise
                # That connection is closed now, and nothing was sent: on to the next one.
                exchange.body = exchange.body.afresh()
        return await self._ask(exchange)

    async def _ask(self, exchange: Exchange) -> Answer:
        body = exchange.body
        async with self._open_session().request(
            exchange.request.operation.method,
            URL(self._config.base_url + exchange.request.path),
            data=body,
            headers={
                "Authorization": f"{self._config.auth_scheme} {exchange.key}",
                "Accept": exchange.request.accept,
                "User-Agent": USER_AGENT,
            },
            timeout=self._timeout,
            allow_redirects=False,
            raise_for_status=False,
            middlewares=(),
            proxy=self._proxy,
        ) as response:
            if body is not None and not body.handed:
                # It was waiting there before we asked: an answer to somebody else's question.
                body.sealed = body.was_stale = True
                response.close()
                raise NotHandedError("an answer was there before the request was written")
            return Answer(
                status=response.status, headers=response.headers, body=await response.read()
            )

    def _done(self, task: "asyncio.Task[Answer]") -> None:
        """Pass the verdict on an exchange, whatever ended its task."""
        exchange = self._exchanges.pop(task)
        answer, cause = _end_of(task)
        handed = exchange.was_handed(cause)
        exchange.stop()
        if not handed:
            answer = None  # it answers somebody else's request
        try:
            outcome = self._conclude(exchange, answer, cause, handed=handed)
        except Exception as defect:  # noqa: BLE001 - ours: the caller must hear of it, not hang
            exchange.entered.leave()
            if not exchange.outcome.done():
                exchange.outcome.set_exception(defect)
            return
        exchange.entered.leave(
            limited=RateLimited(outcome.asked) if outcome.limited else None,
            good=answer is not None,
        )
        if not exchange.outcome.done():
            exchange.outcome.set_result(outcome)
        if exchange.abandoned or self._teller.heard:
            self._teller.settled(_event(exchange, outcome))

    def _conclude(
        self,
        exchange: Exchange,
        answer: Answer | None,
        cause: BaseException | None,
        *,
        handed: bool,
    ) -> Outcome:
        if answer is not None:
            self._heard = answer.headers, time.time()
        value, problems = _read(exchange, answer)
        status = None if answer is None else answer.status
        verdict = judge(
            writes=exchange.request.operation.writes,
            handed=handed,
            status=status,
            body_ok=problems is None,
            dial_on_429=self._config.retry.dial_on_429,
        )
        if verdict.error is None:
            return Outcome(verdict=verdict, status=status, value=value)
        now = datetime.now(UTC)
        asked = None if answer is None else retry_after(answer.headers, now)
        pause = self._config.retry.cooldown if asked is None and status == 429 else asked
        ending = Ending(
            answer=answer,
            cause=cause,
            problems=problems or (),
            attempts=exchange.attempts,
            retry_at=None if pause is None else moment_after(now, pause),
            begun_at=datetime.fromtimestamp(exchange.begun_at, UTC),
            ended_at=now,
            server_ahead=self._server_ahead(),
        )
        error = failure(verdict, exchange.request, ending, key=exchange.key)
        return Outcome(verdict=verdict, status=status, error=error, asked=asked)

    def _server_ahead(self) -> float | None:
        if self._heard is None:
            return None
        headers, then = self._heard
        said = server_date(headers)
        return None if said is None else said.timestamp() - then

    # -- the session and its loop

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        """Refuse another loop before anything is sent.

        A pooled socket of a dead loop still sends, and its failure comes after the call rang.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop if self._session is None else getattr(self._session, "_loop", loop)
        if self._loop is not loop:
            raise ConfigurationError(
                "this client belongs to another event loop; nothing was sent. Make one client"
                " per loop (asyncio.run makes a new loop each time)",
                certainty=Certainty.NOT_SENT,
            )
        return loop

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session()
        return self._session

    # -- the end

    async def aclose(self) -> None:
        """Send away those in the queue, let what has begun settle, close what we opened.

        Raises:
            ConfigurationError: The client belongs to another loop, which still runs.

        Cancellation:
            What has not settled yet is cut off at once; each still ends in its event.
        """
        if self._loop is not None and self._loop.is_closed():
            self._exchanges.clear()  # they ended with their loop, and nobody can hear of it
        else:
            self._own_loop()
        self._closing.set()
        for door in self._doors.values():
            door.shut(_shut)
        try:
            if self._exchanges:
                await asyncio.wait(set(self._exchanges), timeout=self._config.grace_period)
        finally:
            await see_through(self._cut_off())

    async def _cut_off(self) -> None:
        for task, exchange in self._exchanges.items():
            exchange.stop()
            task.cancel()
        if self._exchanges:
            await asyncio.wait(set(self._exchanges))
        if self._session is not None and not self._borrowed:
            await self._session.close()

    def __del__(self) -> None:
        session = getattr(self, "_session", None)
        if session is None or self._borrowed or session.closed:
            return
        warnings.warn(
            f"HamsaClient made at {self._made_at} was not closed: use `async with` or aclose()",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )

    # -- telling

    def _tell_retry(self, sending: Sending[T], failed: Retryable) -> None:
        self._teller.retrying(
            RetryScheduled(
                operation=sending.request.operation.name,
                attempts=sending.tries.begun,
                wait=failed.expected,
                error=failed.error,
            )
        )


def _event(exchange: Exchange, outcome: Outcome) -> AttemptSettled:
    request = exchange.request
    found = outcome.value.id if isinstance(outcome.value, Call) else None
    return AttemptSettled(
        operation=request.operation.name,
        certainty=outcome.verdict.certainty,
        reference=request.reference,
        to_number=None if request.to_number is None else mask_number(request.to_number),
        call_id=found or getattr(outcome.error, "call_id", None),
        status=outcome.status,
        error=outcome.error,
        abandoned=exchange.abandoned,
        seconds=exchange.outcome.get_loop().time() - exchange.begun,
    )


def _end_of(task: "asyncio.Task[Answer]") -> tuple[Answer | None, BaseException | None]:
    if task.cancelled():  # by a caller who left before it was handed, or by aclose()
        return None, asyncio.CancelledError()
    cause = task.exception()
    return (None, cause) if cause is not None else (task.result(), None)


def _read(exchange: Exchange, answer: Answer | None) -> tuple[Any, tuple[str, ...] | None]:
    """Read the value out of a 2xx; else, or if it is not the documented shape, say why not."""
    if answer is None or not 200 <= answer.status < 300:
        return None, None
    try:
        return exchange.parse(answer), None
    except ResponseSchemaError as error:
        return None, error.problems
    except Exception as error:  # noqa: BLE001 - a call that rang must end in a verdict
        return None, (f"{type(error).__name__} @ $",)


def _tell_cooldown(teller: Teller, gate: str, seconds: float) -> None:
    teller.cooling_down(
        CooldownStarted(
            gate=gate, seconds=seconds, retry_at=moment_after(datetime.now(UTC), seconds)
        )
    )


def _shut() -> NotSentError:
    return NotSentError("the client was closed", certainty=Certainty.NOT_SENT)


def _caller() -> str:
    """Where the client was made, outside this package: `file:line`."""
    package = __name__.partition(".")[0]
    frame = sys._getframe(1)  # noqa: SLF001 - a hundred times cheaper than inspect.stack()
    while frame.f_back is not None and _is_within(package, frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_within(package: str, module: str) -> bool:
    return module == package or module.startswith(f"{package}.")
