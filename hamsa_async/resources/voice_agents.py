"""`client.voice_agents`: placing calls, and the agents that speak in them."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Unpack

from hamsa_async._limits import Pace
from hamsa_async._requests import build_call_from_number
from hamsa_async._sender import Sender
from hamsa_async._settling import NotSeen, StillUnknown
from hamsa_async._wire import build_call, parse_call
from hamsa_async.errors import OutcomeUnknownError
from hamsa_async.models.calls import Call, CallRequest, WebhookAuth
from hamsa_async.options import RequestOptions
from hamsa_async.resources.call_stream import CallStream
from hamsa_async.resources.conversations import Conversations
from hamsa_async.resources.saved_agents import SavedAgents
from hamsa_async.resources.settling import Reads, settle


class VoiceAgents(SavedAgents):
    """Calls and agents. Made by `HamsaClient`."""

    def __init__(self, sender: Sender, conversations: Conversations) -> None:
        super().__init__(sender)
        self._conversations = conversations

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
        **options: Unpack[RequestOptions],
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
            options: See `RequestOptions`.

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
        # Not kept while it waits: thousands of calls may.
        request = build_call(
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
        return await self._sender.send(request, parse_call, not_after=not_after, options=options)

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
        **options: Unpack[RequestOptions],
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
            options: See `RequestOptions`.

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
        return await self._sender.send(
            build_call_from_number(request), parse_call, not_after=not_after, options=options
        )

    def call_many(
        self,
        rows: Iterable[CallRequest | Mapping[str, Any]]
        | AsyncIterable[CallRequest | Mapping[str, Any]],
        **options: Unpack[RequestOptions],
    ) -> CallStream:
        """Place many calls, at most `concurrency_limit` at once; give results as they settle.

            async with hamsa.voice_agents.call_many(rows) as results:
                async for result in results:
                    print(result.index, result.call or result.error)

        Args:
            rows: `CallRequest`s, or mappings of `call`'s arguments, from any iterable or async
                iterable. Read lazily: no row before a call can be made of it.
            options: See `RequestOptions`; for each of the calls.

        Returns:
            An async context manager over an async iterator of `CallResult`. A failure is a
            value in it, never an exception. After a 401, 402 or 403 no further call is sent;
            the rest is given as not sent. Leaving early lets what is in flight settle and
            keeps it in `unread`.

        Memory is bounded by the concurrency, however long `rows` is.
        """
        sender = self._sender.with_options(options)

        async def place(request: CallRequest) -> Call:
            return await sender.send(build_call(request), parse_call, not_after=request.not_after)

        return CallStream(place, rows, workers=sender.concurrency_limit)

    async def settle(
        self,
        error: OutcomeUnknownError | StillUnknown,
        *,
        lag: float = 900.0,
        **options: Unpack[RequestOptions],
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
            options: See `RequestOptions`; for each of the reads.

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
        return await settle(
            error,
            calls=Reads(self._conversations, options),
            placed=self._sender.placed,
            lag=lag,
        )

    async def attempt(
        self,
        request: CallRequest,
        *,
        before_send: Callable[[], Awaitable[None]],
        pace: Pace | None = None,
        **options: Unpack[RequestOptions],
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
            options: See `RequestOptions`.

        Raises:
            HamsaError: As `call`; `certainty` says what was proven.

        Cancellation:
            As `call`.
        """
        return await self._sender.send(
            build_call(request),
            parse_call,
            once=True,
            before_send=before_send,
            pace=pace,
            not_after=request.not_after,
            options=options,
        )
