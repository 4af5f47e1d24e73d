"""`client.voice_agents`: placing calls, and the agents that speak in them."""

import functools
import math
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from hamsa_async._limits import Pace
from hamsa_async._looking import look
from hamsa_async._requests import build_call_from_number
from hamsa_async._settling import Absence, Doubt, NotSeen, StillUnknown, decide
from hamsa_async._transport import Transport
from hamsa_async._wire import Answer, build_call, parse_call
from hamsa_async.errors import ConfigurationError, OutcomeUnknownError
from hamsa_async.models.calls import Call, CallRequest, WebhookAuth
from hamsa_async.resources.call_stream import CallStream
from hamsa_async.resources.conversations import Conversations
from hamsa_async.resources.placed_calls import PlacedCalls
from hamsa_async.resources.saved_agents import SavedAgents


class VoiceAgents(SavedAgents):
    """Calls and agents. Made by `HamsaClient`."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._conversations = Conversations(transport)
        self._placed = PlacedCalls()

    async def call(
        self,
        *,
        to_number: str,
        voice_agent_id: str | None = None,
        agent_details: Mapping[str, Any] | None = None,
        from_number: str | None = None,
        params: Mapping[str, Any] | None = None,
        webhook_url: str | None = None,
        webhook_auth: WebhookAuth | None = None,
        reference: str | None = None,
        not_after: datetime | None = None,
    ) -> Call:
        """Place one call. It is never placed twice, also when nothing is heard of it.

        The API has no idempotency key, so the request is sent again only where it is proven
        that no call was made: it was not handed to a connection, or the API said 429.

        Args:
            to_number: Whom to call, E.164 (`+971501234567`).
            voice_agent_id: A saved agent. Exactly one of this and `agent_details`.
            agent_details: An agent described on the spot, in the API's field names.
            from_number: The caller number, E.164; `None` lets the API choose (a foreign one).
            params: Values for the agent's `{{placeholders}}`.
            webhook_url: Where Hamsa reports this call. HTTPS, but for loopback hosts.
            webhook_auth: How that report proves itself.
            reference: Your own name for this call. It travels in `params`, comes back in the
                webhook, and is on every error and event.
            not_after: If the request has not begun by then, it never does. This is the safe
                deadline; `asyncio.timeout` around a call is what makes unknowns.

        Returns:
            The call as the API took it; follow it by its `id`. It may not have rung yet.

        Raises:
            ConfigurationError: An argument is wrong, or the server redirects.
            NotSentError: Nothing was sent: no connection in time, `not_after`, client closed.
            OutcomeUnknownError: The phone may have rung. Do not call again blindly: `settle`
                looks for the call.
            RateLimitedError: 429 until the deadline passed; no call was made.
            APIError: The API refused; no call was made.

        Cancellation:
            Prompt. A request that was handed to a connection goes on without you, and its end
            reaches hooks and log with its reference. One that was not is not sent.

        Source: `POST /v1/voice-agents/call`.
        """
        return await self._place(
            CallRequest(
                to_number=to_number,
                voice_agent_id=voice_agent_id,
                agent_details=agent_details,
                from_number=from_number,
                params={} if params is None else params,
                webhook_url=webhook_url,
                webhook_auth=webhook_auth,
                reference=reference,
                not_after=not_after,
            )
        )

    async def call_from_number(
        self,
        *,
        to_number: str,
        from_number: str,
        voice_agent_id: str | None = None,
        agent_details: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        reference: str | None = None,
        not_after: datetime | None = None,
    ) -> Call:
        """Place one call from a number that is registered with Hamsa.

        As `call`, over the other route, which documents the caller number as required and takes
        a webhook from the agent only.

        Args:
            to_number: As in `call`.
            from_number: The caller number, E.164; the API calls it `phoneNumber`.
            voice_agent_id: As in `call`.
            agent_details: As in `call`.
            params: As in `call`.
            reference: As in `call`.
            not_after: As in `call`.

        Returns:
            The placed call: its id and its agent's, for this route answers nothing else.

        Raises:
            HamsaError: As `call`.

        Cancellation:
            As `call`.

        Source: `POST /v1/voice-agents/phone-number/call`.
        """
        request = CallRequest(
            to_number=to_number,
            from_number=from_number,
            voice_agent_id=voice_agent_id,
            agent_details=agent_details,
            params={} if params is None else params,
            reference=reference,
            not_after=not_after,
        )
        return await self._transport.send(
            build_call_from_number(request), self._reader(), not_after=not_after
        )

    def call_many(
        self,
        rows: Iterable[CallRequest | Mapping[str, Any]]
        | AsyncIterable[CallRequest | Mapping[str, Any]],
    ) -> CallStream:
        """Place many calls, at most `concurrency_limit` at once; give results as they settle.

            async with hamsa.voice_agents.call_many(rows) as results:
                async for result in results:
                    print(result.index, result.call or result.error)

        Args:
            rows: `CallRequest`s, or mappings of `call`'s arguments, from any iterable or async
                iterable. Read lazily: no row before a call can be made of it.

        Returns:
            An async context manager over an async iterator of `CallResult`. A failure is a
            value in it, never an exception. After a 401, 402 or 403 no further call is sent;
            the rest is given as not sent. Leaving early lets what is in flight settle and
            keeps it in `unread`.

        Memory is bounded by the concurrency, however long `rows` is.
        """
        return CallStream(self._place, rows, workers=self._transport.concurrency_limit)

    async def settle(
        self, error: OutcomeUnknownError | StillUnknown, *, lag: float = 900.0
    ) -> Call | NotSeen | StillUnknown:
        """Find out what became of a call whose outcome is unknown. Never dials, never waits.

        The call is looked for in the list of all calls, from an hour before the request to an
        hour after it. A call that carries its reference, or whose id the API named, is it. Of
        calls to its number that carry nothing and belong to no other attempt, a single one at
        the time of the request is taken for it, with the weaker `evidence`.

        That there was no call is never proved. It is believed only if two looks agree that lie
        `lag` seconds apart; if every answer they used was whole; if every call in them has a
        number that can be read; and if they show a later call of this client's, so that the
        list is known to be up to date. So it takes two calls of this method, and a call that
        this client has placed after the one in doubt, to whomever.

        Args:
            error: The error of `call`, of a `CallResult` or of an `AttemptSettled`; or what
                this method said last. Either may have been pickled meanwhile. It must be of a
                call of this client's project: no other project's list has it.
            lag: Seconds between the two looks: how late the list may show a call. Shorter is
                riskier.

        Returns:
            A `Call` where it was placed; its `evidence` says how that is known. `NotSeen` where
            it was looked for twice and not seen; dialing again is at your own risk, for a call
            that the list shows later still has rung all the same. Else `StillUnknown`: do not
            dial, and ask again from its `ask_again_at` on, with it or with the same error, on
            which the first look is noted.

        Raises:
            ConfigurationError: The error is not of a call, or `lag` is not 0 or more. Nothing
                was sent.
            HamsaError: A read failed. Nothing is concluded; ask again.

        Cancellation:
            Prompt; nothing is concluded.

        Source: `GET /v1/voice-agents/conversations/minimal-list`, and
        `GET /v1/voice-agents/conversation/{conversationId}` for each candidate.
        """
        lag = _checked_lag(lag)
        doubt, first = _doubt_of(error)
        seen = await look(
            self._conversations,
            doubt,
            bound=self._placed.bound(doubt),
            placed=self._placed.moments(),
        )
        # No await from here on: whoever else settles must not take the same call for theirs.
        settled = decide(doubt, seen, bound=self._placed.bound(doubt), first=first, lag=lag)
        if isinstance(settled, Call):
            self._placed.found(settled.id, doubt)
        elif isinstance(settled, StillUnknown) and isinstance(error, OutcomeUnknownError):
            error.first_look = settled.first_look
        return settled

    async def attempt(
        self,
        request: CallRequest,
        *,
        before_send: Callable[[], Awaitable[None]],
        pace: Pace | None = None,
    ) -> Call:
        """Place a call with one POST at the most; what `call` would try again is raised.

        This is what a dialer with a journal stands on: `before_send` is where it makes its
        intent durable.

        Args:
            request: The call.
            before_send: Awaited when nothing but it stands between the request and the wire:
                the slot is held, gate and pace are passed. If it raises, nothing is sent and
                the same exception is raised here.
            pace: One more pace to keep, besides the client's.

        Raises:
            HamsaError: As `call`; `certainty` says what was proven.

        Cancellation:
            As `call`.
        """
        return await self._transport.send(
            build_call(request),
            self._reader(),
            once=True,
            before_send=before_send,
            pace=pace,
            not_after=request.not_after,
        )

    async def _place(self, request: CallRequest) -> Call:
        return await self._transport.send(
            build_call(request), self._reader(), not_after=request.not_after
        )

    def _reader(self) -> Callable[[Answer], Call]:
        # Read where the exchange ends, so that a call is noted though its caller has left.
        return functools.partial(self._read, time.time())

    def _read(self, asked_at: float, answer: Answer) -> Call:
        call = parse_call(answer)
        self._placed.answered(call.id, asked_at)
        return call


def _doubt_of(error: OutcomeUnknownError | StillUnknown) -> tuple[Doubt, Absence | None]:
    """Take what is known of an attempt, and what a first look showed."""
    if isinstance(error, StillUnknown):
        return error.doubt, error.first_look
    if not isinstance(error, OutcomeUnknownError):
        raise ConfigurationError(
            "settle takes an OutcomeUnknownError or a StillUnknown; what other errors prove is"
            f" in their certainty; got {type(error).__name__}"
        )
    if error.to_number is None or error.begun_at is None or error.ended_at is None:
        raise ConfigurationError(
            "settle looks for calls, and this error is of none: look for what the request makes"
            " in the list of its resource"
        )
    doubt = Doubt(
        to_number=error.to_number,
        begun_at=error.begun_at,
        ended_at=error.ended_at,
        reference=error.reference,
        call_id=error.call_id,
        server_ahead=error.server_ahead,
    )
    return doubt, error.first_look if isinstance(error.first_look, Absence) else None


def _checked_lag(lag: float) -> float:
    if isinstance(lag, bool) or not isinstance(lag, int | float) or not math.isfinite(lag):
        raise ConfigurationError("lag must be a number of seconds")
    if lag < 0:
        raise ConfigurationError("lag must be 0 or more")
    return lag
