"""The receiver as a plain ASGI application: for FastAPI, Starlette, or a server of its own."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from hamsa_async.webhooks.deliveries import Reply
from hamsa_async.webhooks.receiver import Receiver

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class ASGIApp:
    """Takes webhooks at every path that it is given, and answers a GET of `.../health`.

    Add it to an application at the webhook's own path: `app.add_route("/webhook",
    ASGIApp(receiver))` in FastAPI and Starlette. (`app.mount` redirects `/webhook` to
    `/webhook/`, and nobody has said that Hamsa follows.)

    On its own under a server, it closes its receiver at the end. As a part of an application it
    is not told of the end: call `receiver.aclose()` in the application's lifespan.

    Args:
        receiver: What takes the webhooks.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI protocol.

        Raises:
            NotImplementedError: It is of no kind that a webhook can be.
        """
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise NotImplementedError(f"webhooks are HTTP requests, not {scope['type']!r}")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await self._receiver.answer(
            scope["method"], scope["path"], scope["headers"], _Body(receive).next_chunk
        )
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": _headers(reply)}
        )
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await self._receiver.aclose()
        await send({"type": "lifespan.shutdown.complete"})


class _Body:
    """A request's body, read as far as it is asked for."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def next_chunk(self) -> bytes:
        """See `NextChunk`."""
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise EOFError
            self._ended = not message.get("more_body", False)
            # Empty in the middle is no end.
            if chunk := message.get("body", b""):
                return bytes(chunk)
        return b""


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": "application/json",
        "content-length": str(len(reply.body)),
        **({} if reply.stays else {"connection": "close"}),
        **reply.headers,
    }
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
