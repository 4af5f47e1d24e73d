"""One exchange after another over aiohttp, each watched from begin to end.

An exchange runs in a task of its own, so that a caller who is cancelled leaves at once while a
request that was handed to a connection still comes to its end, with its slot held and its id
heard. Every exchange ends in exactly one `AttemptSettled`: the verdict is passed when it is
over, however that came about.
"""

import asyncio
import functools
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import aiohttp
import attrs
from yarl import URL

from hamsa_async._deadlines import Deadlines
from hamsa_async._handover import MarkedBody, NotHandedError
from hamsa_async._keys import KeySource
from hamsa_async._limits import Door, Pass, RateLimited
from hamsa_async._masking import mask_number, secrets_in
from hamsa_async._placed import PlacedCalls
from hamsa_async._pull import see_through
from hamsa_async._retry import RetryBudget
from hamsa_async._sessions import limit_of_borrowed, open_session, proxy_for
from hamsa_async._verdicts import Ending, Verdict, failure, judge
from hamsa_async._wire import USER_AGENT, Request, moment_after, retry_after, server_date
from hamsa_async.config import ClientConfig
from hamsa_async.errors import (
    Certainty,
    ConfigurationError,
    HamsaError,
    NotSentError,
    ResponseSchemaError,
)
from hamsa_async.instrumentation import (
    AttemptBegan,
    AttemptSent,
    AttemptSettled,
    CooldownStarted,
    Hook,
    Teller,
)
from hamsa_async.models.calls import Call
from hamsa_async.options import Answer, Settings

log: logging.Logger = logging.getLogger("hamsa_async")

# An empty body of a read is there for its mark, and has no type.
_UNTYPED: Final = ("Content-Type",)
# Said here and not by the body: a borrowed session may have a type of its own.
_JSON: Final = {"Content-Type": "application/json"}


@attrs.define(kw_only=True, eq=False)  # not frozen: every call makes one
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
class Exchange:
    """One request and its answer."""

    request: Request
    parse: Callable[[Answer], Any] = attrs.field(repr=False)
    settings: Settings = attrs.field(repr=False)
    number: int
    attempt: int
    body: MarkedBody = attrs.field(repr=False)
    key: str = attrs.field(repr=False)
    entered: Pass = attrs.field(repr=False)
    begun: float
    begun_at: float
    """In POSIX seconds."""
    outcome: "asyncio.Future[Outcome]" = attrs.field(repr=False)
    task: "asyncio.Task[None] | None" = attrs.field(default=None, repr=False)
    timed_out: bool = False
    stopped: bool = False
    abandoned: bool = False
    then: Callable[[], None] | None = attrs.field(default=None, repr=False)
    """Called when it has settled after its caller had left."""

    def stop(self) -> None:
        """See to it that it is not written any more, if it was not yet."""
        self.stopped = True
        self.body.sealed = True

    def cut_off(self) -> None:
        """End it at once: provably not sent where it was not handed yet."""
        assert self.task is not None
        # Cancelling takes a turn of the loop, in which it could still be written.
        self.stop()
        self.task.cancel()

    @property
    def may_take_another_connection(self) -> bool:
        """Whether its connection was no good any more before it was written."""
        return not self.stopped and self.body.was_stale

    def take_another_connection(self) -> None:
        """Make it ready to be written once more; it was not yet."""
        self.body = self.body.afresh()

    def time_out(self) -> None:
        """See `Watched`."""
        self.timed_out = True
        self.cut_off()


class Transport:
    """The one way out of a client and its copies: session, loop, doors, and what is under way."""

    def __init__(
        self,
        config: ClientConfig,
        keys: KeySource,
        *,
        session: aiohttp.ClientSession | None,
        hooks: Iterable[Hook],
    ) -> None:
        self.keys: KeySource = keys
        self.teller: Teller = Teller(hooks)
        self.budget: RetryBudget = RetryBudget(config.retry.budget)
        self.closing: asyncio.Event = asyncio.Event()
        self.base_url: str = config.base_url
        self.placed: PlacedCalls = PlacedCalls()
        self._config = config
        self._borrowed = session is not None
        limit = config.concurrency_limit
        if session is not None:
            limit = limit_of_borrowed(session, limit)
        self.concurrency_limit: int = limit
        self._proxy = None if session is not None else proxy_for(config.base_url)
        self._session = session
        self._loop: asyncio.AbstractEventLoop | None = None
        # The headers of the last answer, and when it came.
        self._heard: tuple[Mapping[str, str], float] | None = None
        self._exchanges: Deadlines[Exchange] = Deadlines()
        self.doors: Mapping[bool, Door] = {
            True: self._door("dials", limit, config.rate),
            False: self._door("reads", limit, None),
        }
        """By whether an operation writes."""
        self._made_at = _caller()

    def _door(self, name: str, limit: int, rate: float | None) -> Door:
        return Door(
            limit=limit,
            rate=rate,
            cooldown=self._config.retry.cooldown,
            # Not a method of ours: a client that is dropped unclosed should go, and warn, at once.
            on_cooldown=functools.partial(_tell_cooldown, self.teller, name),
        )

    # -- one exchange

    def begin(
        self,
        request: Request,
        parse: Callable[[Answer], Any],
        *,
        settings: Settings,
        number: int,
        attempt: int,
        entered: Pass,
        key: str,
        not_after: float | None,
    ) -> Exchange:
        """Let a request go. It has passed its door; `entered` is given back at its end.

        Args:
            request: What to send.
            parse: Reads a 2xx answer.
            settings: The options in force for it.
            number: Which logical call it belongs to.
            attempt: Which try of that, from 1.
            entered: From its door.
            key: The API key to send.
            not_after: When it must not be written any more, in POSIX seconds.

        Returns:
            The exchange; await its `outcome`, and `abandon` it where that is cancelled.
        """
        loop = asyncio.get_running_loop()
        exchange = Exchange(
            request=request,
            parse=parse,
            settings=settings,
            number=number,
            attempt=attempt,
            # A read without a body has an empty one: an old answer must not answer it either.
            body=MarkedBody(request.body or b"", not_after=not_after),
            key=key,
            entered=entered,
            begun=loop.time(),
            begun_at=time.time(),
            outcome=loop.create_future(),
        )
        if self.teller.hooked:
            self._tell_begin(exchange)
        # Not by the loop's factory: one that is eager would send before we know the task.
        exchange.task = asyncio.Task(self._exchange(exchange), loop=loop)
        exchange.task.add_done_callback(self._settle_unbegun)
        self._exchanges.watch(exchange, exchange.begun + settings.timeouts.response)
        return exchange

    def abandon(self, exchange: Exchange) -> bool:
        """Its caller was cancelled: stop it if it is not handed yet, else let it go on.

        Returns:
            Whether it still has to come to its end.
        """
        if exchange not in self._exchanges:
            # It ended in this very turn. Where the cancellation came first, `_settle` saw it, and
            # said so; else its event told nothing of a caller who left.
            if (
                not exchange.outcome.cancelled()
                and exchange.outcome.exception() is None
                and exchange.request.operation.writes
            ):
                self.teller.missed(_event(exchange, exchange.outcome.result()))
            return False
        exchange.abandoned = True
        if not exchange.request.body or not exchange.body.handed:
            exchange.cut_off()
        return True

    async def _exchange(self, exchange: Exchange) -> None:
        assert exchange.task is not None
        exchange.task.remove_done_callback(self._settle_unbegun)
        try:
            try:
                answer = await self._ask(exchange)
            except Exception:
                if not exchange.may_take_another_connection:
                    raise
                answer = await self._ask_over_others(exchange)
        except asyncio.CancelledError as cause:
            self._settle(exchange, None, TimeoutError() if exchange.timed_out else cause)
            raise
        except BaseException as cause:  # noqa: BLE001 - the verdict says what it means
            self._settle(exchange, None, cause)
        else:
            self._settle(exchange, answer, None)

    def _settle_unbegun(self, task: "asyncio.Task[None]") -> None:
        """Settle what was cancelled before its first step: no code of ours ran in it."""
        for exchange in self._exchanges.under_way:
            if exchange.task is task:
                self._settle(exchange, None, asyncio.CancelledError())

    async def _ask_over_others(self, exchange: Exchange) -> Answer:
        """A kept connection was no good: it is closed now, and nothing was sent over it."""
        # As many kept connections as there may be: a server that always speaks first would have
        # us here for ever.
        for _ in range(self.concurrency_limit):
            exchange.take_another_connection()
            try:
                return await self._ask(exchange)
            except Exception:
                if not exchange.may_take_another_connection:
                    raise
        exchange.take_another_connection()
        return await self._ask(exchange)

    async def _ask(self, exchange: Exchange) -> Answer:
        request, body = exchange.request, exchange.body
        response = await self._open_session().request(
            request.operation.method,
            URL(self.base_url + request.path),
            data=body,
            skip_auto_headers=None if request.body else _UNTYPED,
            headers={
                **exchange.settings.headers,
                **(_JSON if request.body else {}),
                "Authorization": f"{self._config.auth_scheme} {exchange.key}",
                "Accept": request.accept,
                "User-Agent": USER_AGENT,
            },
            timeout=_timeout(exchange.settings.timeouts.connect),
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            middlewares=(),
            proxy=self._proxy,
        )
        if not body.handed:
            # It was waiting there before we asked: an answer to somebody else's question.
            body.sealed = body.was_stale = True
            response.close()
            raise NotHandedError("an answer was there before the request was written")
        try:
            content = await response.read()
        except BaseException:
            response.close()
            raise
        return Answer(status=response.status, headers=response.headers, body=content)

    def _settle(
        self, exchange: Exchange, answer: Answer | None, cause: BaseException | None
    ) -> None:
        """Pass the verdict on an exchange, whatever ended it."""
        self._exchanges.forget(exchange)
        handed = exchange.body.handed
        exchange.stop()
        if not handed:
            answer = None  # it answers somebody else's request
        try:
            outcome = self._conclude(exchange, answer, cause, handed=handed)
        except Exception as defect:  # noqa: BLE001 - ours: the caller must hear of it, not hang
            exchange.entered.leave()
            if not exchange.outcome.done():
                exchange.outcome.set_exception(defect)
            if exchange.then is not None:
                exchange.then()
            return
        exchange.entered.leave(
            limited=RateLimited(outcome.asked) if outcome.limited else None,
            good=answer is not None,
        )
        if not exchange.outcome.done():
            exchange.outcome.set_result(outcome)
        exchange.abandoned |= exchange.outcome.cancelled()
        if exchange.abandoned or self.teller.heard:
            self.teller.settled(_event(exchange, outcome))
        if answer is not None and exchange.settings.on_answer is not None:
            _give(answer, exchange.settings.on_answer)
        if exchange.then is not None:
            exchange.then()

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
            dial_on_429=exchange.settings.retry.dial_on_429,
        )
        if verdict.error is None:
            if isinstance(value, Call):
                self.placed.answered(value.id, exchange.begun_at)
            return Outcome(verdict=verdict, status=status, value=value)
        now = datetime.now(UTC)
        asked = None if answer is None else retry_after(answer.headers, now)
        pause = self._config.retry.cooldown if asked is None and status == 429 else asked
        ending = Ending(
            answer=answer,
            cause=cause,
            problems=problems or (),
            attempts=exchange.attempt,
            retry_at=None if pause is None else moment_after(now, pause),
            begun_at=datetime.fromtimestamp(exchange.begun_at, UTC),
            ended_at=now,
            server_ahead=self._server_ahead(),
        )
        secrets = {exchange.key} | secrets_in(exchange.settings.headers)
        error = failure(verdict, exchange.request, ending, secrets=secrets)
        return Outcome(verdict=verdict, status=status, error=error, asked=asked)

    def _server_ahead(self) -> float | None:
        if self._heard is None:
            return None
        headers, then = self._heard
        said = server_date(headers)
        return None if said is None else said.timestamp() - then

    # -- the session and its loop

    def own_loop(self) -> asyncio.AbstractEventLoop:
        """Give the client's loop, and refuse another before anything is sent.

        A pooled socket of a dead loop still sends, and its failure comes after the call rang.

        Raises:
            ConfigurationError: The running loop is not the client's.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return loop
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

    def check_may_close(self) -> None:
        """See to it that it can be closed here: on its own loop, or when that is over.

        Raises:
            ConfigurationError: The client belongs to another loop, which still runs.
        """
        if self._loop is not None and self._loop.is_closed():
            self._exchanges.clear()  # they ended with their loop, and nobody can hear of it
        else:
            self.own_loop()

    async def aclose(self) -> None:
        """Send away those in the queue, let what has begun settle, close what we opened.

        Cancellation:
            What has not settled yet is cut off at once; each still ends in its event.
        """
        self.closing.set()
        for door in self.doors.values():
            door.shut(_shut)
        try:
            if tasks := self._tasks():
                await asyncio.wait(tasks, timeout=self._config.grace_period)
        finally:
            await see_through(self._cut_off())

    def _tasks(self) -> set["asyncio.Task[None]"]:
        return {cast("asyncio.Task[None]", each.task) for each in self._exchanges.under_way}

    async def _cut_off(self) -> None:
        for exchange in self._exchanges.under_way:
            exchange.cut_off()
        if tasks := self._tasks():
            await asyncio.wait(tasks)
        self._exchanges.clear()
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

    def _tell_begin(self, exchange: Exchange) -> None:
        operation, number, attempt = (
            exchange.request.operation.name,
            exchange.number,
            exchange.attempt,
        )
        self.teller.tell(AttemptBegan(operation=operation, number=number, attempt=attempt))
        exchange.body.on_handed = lambda: self.teller.tell(
            AttemptSent(operation=operation, number=number, attempt=attempt)
        )


@functools.cache
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    """Only the wait for a connection is aiohttp's to bound; see `Deadlines` for the rest.

    A session's own timeouts are overruled by it, a borrowed one's too.
    """
    return aiohttp.ClientTimeout(total=None, connect=connect)


def _event(exchange: Exchange, outcome: Outcome) -> AttemptSettled:
    request = exchange.request
    made = getattr(outcome.value, "id", None) if request.operation.writes else None
    if not isinstance(made, str):  # it may be anything that the API sends
        made = None
    found = made if isinstance(outcome.value, Call) else None
    return AttemptSettled(
        operation=request.operation.name,
        number=exchange.number,
        attempt=exchange.attempt,
        certainty=outcome.verdict.certainty,
        reference=request.reference,
        to_number=None if request.to_number is None else mask_number(request.to_number),
        call_id=found or getattr(outcome.error, "call_id", None),
        made_id=made,
        status=outcome.status,
        error=outcome.error,
        abandoned=exchange.abandoned,
        seconds=exchange.outcome.get_loop().time() - exchange.begun,
    )


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


def _give(answer: Answer, on_answer: Callable[[Answer], None]) -> None:
    try:
        on_answer(answer)
    except Exception:
        log.exception("on_answer failed", extra={"action": "on_answer_failed"})


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
