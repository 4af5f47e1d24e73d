"""The only module of the client that knows aiohttp: one exchange, watched from begin to end.

An exchange runs in a task of its own, so that a caller who is cancelled leaves at once while a
request that was handed to a connection still comes to its end, with its slot held and its id
heard. Every exchange ends in exactly one `AttemptSettled`.
"""

import asyncio
import contextlib
import itertools
import logging
import select
import sys
import urllib.request
import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar, cast

import aiohttp
import attrs
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from hamsa_async._keys import KeySource
from hamsa_async._limits import Door, Pace, Pass, RateLimited
from hamsa_async._masking import mask_number
from hamsa_async._retry import Retryable, RetryBudget, Tries, pause, try_again
from hamsa_async._urls import is_loopback
from hamsa_async._verdicts import Again, Verdict, failure, judge
from hamsa_async._wire import USER_AGENT, Answer, Request, moment_after, retry_after
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
    Event,
    Hook,
    RetryScheduled,
)

T = TypeVar("T")

log = logging.getLogger("hamsa_async")

# A bare Node server closes an idle connection after 5 s. Keeping ours for less is what keeps a
# request from leaving on a connection that the server is just closing: the one setting that
# takes out most of the doubt.
KEEP_ALIVE: Final = 4.0  # seconds

_NEVER_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


class UnfitConnectionError(Exception):
    """The connection was closed, or had bytes waiting, when the request came to be written."""


class MarkedBody(aiohttp.BytesPayload):
    """A request's body that knows whether the request was handed to a connection.

    Headers and body leave in one write, so the moment before it is the last at which it is
    proven that nothing was sent. A connection that is closed, or on which bytes are waiting,
    is not written to: those bytes are the answer to somebody else's question (an edge says 408
    or 429 on an idle connection before it closes it), and they would be taken for ours.
    """

    def __init__(self, body: bytes, used: "weakref.WeakSet[Any]") -> None:
        super().__init__(body, content_type="application/json")
        self.handed = False
        self.sealed = False
        self._used = used

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Look at the connection, note the moment, write."""
        self._hand_to(cast("aiohttp.http_writer.StreamWriter", writer))
        await super().write_with_length(writer, content_length)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """The same without a length."""
        await self.write_with_length(writer, None)

    def _hand_to(self, writer: "aiohttp.http_writer.StreamWriter") -> None:
        connection: Any = writer.protocol
        transport = connection.transport
        if (
            self.sealed
            or transport is None
            or transport.is_closing()
            or connection.should_close
            or self._bytes_wait_on(connection, transport)
        ):
            msg = "the connection was not fit to be written to"
            raise UnfitConnectionError(msg)
        self._used.add(connection)
        self.handed = True

    def _bytes_wait_on(self, connection: Any, transport: asyncio.Transport) -> bool:
        """Whether the kernel holds bytes, or an end, that the loop has not seen yet."""
        if connection not in self._used and transport.get_extra_info("sslcontext") is not None:
            # A fresh TLS 1.3 connection has the server's session tickets waiting.
            return False
        socket = transport.get_extra_info("socket")
        return socket is not None and _is_readable(socket.fileno())


if hasattr(select, "poll"):

    def _is_readable(descriptor: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

else:  # pragma: no cover - Windows has no poll, and no limit of 1024 for its select

    def _is_readable(descriptor: int) -> bool:
        return bool(select.select([descriptor], [], [], 0)[0])


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """How one exchange ended."""

    verdict: Verdict
    value: Any
    error: HamsaError | None


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
    """On the loop's clock."""
    last_error: HamsaError | None = None
    key_renewed: bool = False


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """One request and its answer, in the task that sees it through."""

    request: Request
    attempts: int
    body: MarkedBody | None
    key: str
    begun: float
    abandoned: bool = False


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
        self._hooks = tuple(hooks)
        self._session = session
        self._borrowed = session is not None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._tickets = itertools.count()
        self._exchanges: set[asyncio.Task[None]] = set()
        self._used: weakref.WeakSet[Any] = weakref.WeakSet()
        self._budget = RetryBudget(config.retry.budget)
        self._timeout = aiohttp.ClientTimeout(
            total=config.timeouts.response, connect=config.timeouts.connect
        )
        limit = config.concurrency_limit
        if session is not None:
            limit = _limit_of_borrowed(session, limit)
        self.concurrency_limit = limit
        self._proxy = None if session is not None else _proxy_for(config.base_url)
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
            on_cooldown=lambda seconds: self._cooling_down(name, seconds),
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
            once: Send it once at the most; what would be tried again is raised.
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
        loop = self._usable()
        self._budget.pay_in()
        sending = Sending(
            request=request,
            parse=parse,
            ticket=next(self._tickets),
            tries=Tries(self._config.retry, self._budget, loop.time),
            once=once,
            before_send=before_send,
            pace=pace,
            not_after=None if not_after is None else loop.time() + _seconds_to(not_after),
        )
        try:
            return await self._try(sending)
        except Retryable as first:
            self._retrying(sending, first)
            return await try_again(first, lambda: self._try_next(sending))

    async def _try_next(self, sending: Sending[T]) -> T:
        try:
            return await self._try(sending)
        except Retryable as failed:
            self._retrying(sending, failed)
            raise

    async def _try(self, sending: Sending[T]) -> T:
        """One try: through the door, over the wire, and the verdict."""
        loop = self._usable()
        entered = await self._enter(sending)
        if sending.tries.deadline == float("inf"):
            sending.tries.deadline = loop.time() + self._config.timeouts.deadline
        try:
            key = self._keys.fixed or await self._keys.get()
            if sending.before_send is not None:
                await sending.before_send()
            sending.tries.begun += 1
            exchange = Exchange(
                request=sending.request,
                attempts=sending.tries.begun,
                body=self._body(sending.request),
                key=key,
                begun=loop.time(),
            )
            waiter: asyncio.Future[Outcome] = loop.create_future()
            task = loop.create_task(self._run(exchange, sending.parse, entered, waiter))
        except BaseException:
            entered.leave()
            raise
        self._exchanges.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, waiter))
        try:
            outcome = await waiter
        except asyncio.CancelledError:
            exchange.abandoned = True
            if exchange.body is None or not exchange.body.handed:
                task.cancel()
            raise
        if outcome.error is None:
            return cast("T", outcome.value)
        return await self._after_failure(sending, outcome, key)

    def _body(self, request: Request) -> MarkedBody | None:
        return None if request.body is None else MarkedBody(request.body, self._used)

    async def _enter(self, sending: Sending[T]) -> Pass:
        """Get through the door in time."""
        door = self._doors[sending.request.operation.writes]
        until = min(sending.tries.deadline, sending.not_after or float("inf"))
        if sending.not_after is not None and self._now() >= sending.not_after:
            raise self._too_late(sending)
        entered = door.try_enter() if sending.pace is None else None
        if entered is not None:
            return entered
        if until == float("inf"):
            return await door.enter(sending.ticket, pace=sending.pace)
        try:
            async with asyncio.timeout_at(until):
                return await door.enter(sending.ticket, pace=sending.pace)
        except TimeoutError:
            raise self._too_late(sending) from None

    def _too_late(self, sending: Sending[T]) -> HamsaError:
        if sending.not_after is not None and self._now() >= sending.not_after:
            msg = "not_after passed before the request could begin; nothing was sent"
            return NotSentError(
                msg, certainty=Certainty.NOT_SENT, reference=sending.request.reference
            )
        assert sending.last_error is not None  # a deadline exists only after a first try
        return sending.last_error

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
        wait = self._wait(sending, again)
        if sending.tries.may_try_again(again, outcome.verdict.certainty, wait):
            # The gate does the waiting after a 429, for everybody alike.
            raise Retryable(error, 0.0 if again is Again.THROUGH_GATE else wait)
        raise error

    def _wait(self, sending: Sending[T], again: Again) -> float:
        if again is Again.THROUGH_GATE:
            return self._doors[sending.request.operation.writes].gate.closed_for()
        return pause(self._config.retry, sending.tries.counted)

    # -- one exchange, in its own task

    async def _run(
        self,
        exchange: Exchange,
        parse: Callable[[Answer], Any],
        entered: Pass,
        waiter: "asyncio.Future[Outcome]",
    ) -> None:
        answer: Answer | None = None
        cause: BaseException | None = None
        try:
            answer = await self._exchange(exchange)
        except asyncio.CancelledError as error:
            cause = error  # by a caller who left before it was handed, or by aclose()
        except Exception as error:  # noqa: BLE001 - whatever it was, the table has a row for it
            cause = error
        handed = _was_handed(exchange, cause)
        if exchange.body is not None:
            exchange.body.sealed = True
        outcome = self._conclude(exchange, answer, cause, parse, handed=handed)
        entered.leave(
            limited=self._limited(answer) if handed else None, good=handed and answer is not None
        )
        if not waiter.done():
            waiter.set_result(outcome)
        self._settled(exchange, outcome, answer)

    def _ended(self, task: "asyncio.Task[None]", waiter: "asyncio.Future[Outcome]") -> None:
        self._exchanges.discard(task)
        if not waiter.done():  # a defect of ours: the caller must hear of it, not hang
            waiter.set_exception(
                (None if task.cancelled() else task.exception()) or RuntimeError("no outcome")
            )

    async def _exchange(self, exchange: Exchange) -> Answer:
        session = self._open_session()
        async with session.request(
            exchange.request.operation.method,
            self._url(exchange.request.path),
            data=exchange.body,
            headers={
                "Authorization": f"{self._config.auth_scheme} {exchange.key}",
                "Accept": "application/json",
                "User-Agent": USER_AGENT,
            },
            timeout=self._timeout,
            allow_redirects=False,
            raise_for_status=False,
            middlewares=(),
            proxy=self._proxy,
        ) as response:
            body = await response.read()
            return Answer(status=response.status, headers=response.headers, body=body)

    def _conclude(
        self,
        exchange: Exchange,
        answer: Answer | None,
        cause: BaseException | None,
        parse: Callable[[Answer], Any],
        *,
        handed: bool,
    ) -> Outcome:
        value: Any = None
        problems: tuple[str, ...] = ()
        if answer is not None and 200 <= answer.status < 300 and handed:
            try:
                value = parse(answer)
            except ResponseSchemaError as error:
                problems = error.problems
            except Exception as error:  # noqa: BLE001 - a call that rang must end in a verdict
                problems = (f"{type(error).__name__} @ $",)
        verdict = judge(
            writes=exchange.request.operation.writes,
            handed=handed,
            status=answer.status if answer is not None else None,
            body_ok=not problems,
            dial_on_429=self._config.retry.dial_on_429,
        )
        if verdict.error is None:
            return Outcome(verdict=verdict, value=value, error=None)
        error = failure(
            verdict,
            exchange.request,
            answer=answer if handed else None,
            cause=cause,
            problems=problems,
            attempts=exchange.attempts,
            retry_at=self._retry_at(answer) if handed else None,
        )
        return Outcome(verdict=verdict, value=None, error=error)

    def _limited(self, answer: Answer | None) -> RateLimited | None:
        if answer is None or answer.status != 429:
            return None
        return RateLimited(retry_after(answer.headers, datetime.now(UTC)))

    def _retry_at(self, answer: Answer | None) -> datetime | None:
        if answer is None:
            return None
        now = datetime.now(UTC)
        seconds = retry_after(answer.headers, now)
        if seconds is None and answer.status == 429:
            seconds = self._config.retry.cooldown
        return None if seconds is None else moment_after(now, seconds)

    # -- the session and its loop

    def _usable(self) -> asyncio.AbstractEventLoop:
        """Refuse before anything is sent: a closed client, another loop.

        A pooled socket of a dead loop still sends, and its failure comes after the call rang.
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            raise _closing()
        if self._loop is None:
            self._loop = loop
            session_loop = getattr(self._session, "_loop", loop)
            if session_loop is not loop:
                self._loop = session_loop
        if self._loop is not loop:
            msg = (
                "this client belongs to another event loop; nothing was sent. Make one client"
                " per loop (asyncio.run makes a new loop each time)"
            )
            raise ConfigurationError(msg, certainty=Certainty.NOT_SENT)
        return loop

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Our slots are the only queue: a connection waited for would count as response
                # time and end in a timeout that proves nothing.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _url(self, path: str) -> URL:
        return URL(self._config.base_url + path)

    # -- the end

    async def aclose(self) -> None:
        """Send away those in the queue, let what has begun settle, close what we opened.

        Cancellation:
            What has not settled yet is cut off at once; each still ends in its event.
        """
        if self._closed and not self._exchanges:
            return
        self._closed = True
        for door in self._doors.values():
            door.shut(_closing)
        try:
            if self._exchanges:
                await asyncio.wait(set(self._exchanges), timeout=self._config.grace_period)
        finally:
            leftover = set(self._exchanges)
            for task in leftover:
                task.cancel()
            if leftover:
                await asyncio.wait(leftover)
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

    def _settled(self, exchange: Exchange, outcome: Outcome, answer: Answer | None) -> None:
        request = exchange.request
        if not self._hooks and not exchange.abandoned and not log.isEnabledFor(logging.DEBUG):
            return
        event = AttemptSettled(
            operation=request.operation.name,
            certainty=outcome.verdict.certainty,
            reference=request.reference,
            to_number=None if request.to_number is None else mask_number(request.to_number),
            call_id=getattr(outcome.value, "id", None),
            status=None if answer is None else answer.status,
            error=outcome.error,
            abandoned=exchange.abandoned,
            seconds=self._now() - exchange.begun,
        )
        log.log(
            logging.WARNING if exchange.abandoned else logging.DEBUG,
            "%s settled%s: %s, call id %s, reference %s",
            event.operation,
            " after its caller had left" if exchange.abandoned else "",
            event.certainty or event.status,
            event.call_id,
            event.reference,
            extra={"action": "attempt_settled", "certainty": event.certainty},
        )
        self._tell(event)

    def _retrying(self, sending: Sending[T], failed: Retryable) -> None:
        event = RetryScheduled(
            operation=sending.request.operation.name,
            attempts=sending.tries.begun,
            wait=failed.wait,
            error=failed.error,
        )
        log.info(
            "%s will be tried again: %s",
            event.operation,
            failed.error,
            extra={"action": "retry_scheduled", "wait": event.wait},
        )
        self._tell(event)

    def _cooling_down(self, gate: str, seconds: float) -> None:
        event = CooldownStarted(
            gate=gate, seconds=seconds, retry_at=moment_after(datetime.now(UTC), seconds)
        )
        log.warning(
            "429: no %s for %.1f s", gate, seconds, extra={"action": "cooldown_started"}
        )
        self._tell(event)

    def _tell(self, event: Event) -> None:
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:
                log.exception("a hook failed", extra={"action": "hook_failed"})


def _was_handed(exchange: Exchange, cause: BaseException | None) -> bool:
    if exchange.body is not None:
        return exchange.body.handed
    # A read has no body to mark. What proves that it never left is the error alone, and being
    # wrong about it costs one more read.
    return not isinstance(cause, _NEVER_CONNECTED)


def _closing() -> NotSentError:
    msg = "the client is closed; nothing was sent"
    return NotSentError(msg, certainty=Certainty.NOT_SENT)


def _seconds_to(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()


def _limit_of_borrowed(session: aiohttp.ClientSession, limit: int) -> int:
    """Fit our bound to a borrowed session's pool, and refuse a session that cannot serve."""
    if session.closed:
        msg = "the session is closed; nothing can be sent over it"
        raise ConfigurationError(msg)
    if session.auth is not None:
        msg = "the session has auth= set, which clashes with the API key's header; use another"
        raise ConfigurationError(msg)
    connector = session.connector
    pools = [limit]
    if connector is not None:
        pools += [size for size in (connector.limit, connector.limit_per_host) if size > 0]
    if min(pools) < limit:
        log.warning(
            "the borrowed session's pool holds %d connections: concurrency_limit lowered from %d",
            min(pools),
            limit,
            extra={"action": "concurrency_lowered"},
        )
    return min(pools)


def _proxy_for(base_url: str) -> str | None:
    """Read the proxy environment once: `trust_env` would read it at every request."""
    url = URL(base_url)
    if is_loopback(base_url):
        return None
    with contextlib.suppress(OSError):
        if url.host and urllib.request.proxy_bypass(url.host):
            return None
    return urllib.request.getproxies().get(url.scheme)


def _caller() -> str:
    """Where the client was made, outside this package: `file:line`."""
    frame = sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
