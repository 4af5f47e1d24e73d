"""The receiver as an aiohttp application, and as a server of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from hamsa_async.errors import ConfigurationError
from hamsa_async.webhooks.deliveries import HEALTH, Reply
from hamsa_async.webhooks.receiver import Receiver

# What aiohttp's server undoes by itself, before anybody asks for the body.
_DECODED: Final = frozenset({"gzip", "deflate", "br", "zstd"})

# Seconds: for a connection to send its first or next request's headers, and to throw away what
# is left of a body that nobody wants.
_IDLE: Final = 30.0
_LINGERING: Final = 2.0
_SHUTDOWN: Final = 10.0
_BACKLOG: Final = 1024


def aiohttp_app(receiver: Receiver) -> web.Application:
    """Make a sub-application of a receiver.

        app.add_subapp("/webhook", aiohttp_app(receiver))

    It takes webhooks at `/webhook` and `/webhook/`, and answers a GET of `/webhook/health`. It
    closes the receiver when the application is cleaned up.

    Args:
        receiver: What takes the webhooks.
    """

    async def handle(request: web.Request) -> web.Response:
        return _response(
            await receiver.answer(
                request.method, request.path, _headers(request), _Body(request).next_chunk
            )
        )

    async def close(_: web.Application) -> None:
        await receiver.aclose()

    app = web.Application()
    for path in ("", "/", HEALTH):
        app.router.add_route("*", path, handle)
    app.on_cleanup.append(close)
    return app


@asynccontextmanager
async def serving(
    receiver: Receiver, *, host: str = "127.0.0.1", port: int = 8080, path: str = "/webhook"
) -> AsyncIterator[str]:
    """Serve a receiver while the block runs; on the way out, requests under way are finished.

        async with serving(receiver, port=8080) as url:
            await stopped.wait()

    It speaks plain HTTP. Hamsa wants HTTPS, so put what ends TLS in front of it.

    Args:
        receiver: What takes the webhooks. It is closed at the end.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        path: Where webhooks are taken.

    Yields:
        Where it listens, with the path.

    Raises:
        ConfigurationError: `path` is no path.
        OSError: The address cannot be listened on.
    """
    if not path.startswith("/") or path.rstrip("/") == "" or "{" in path or "?" in path:
        raise ConfigurationError("path must be a path with a name in it, such as /webhook")
    app = web.Application()
    app.add_subapp(path.rstrip("/"), aiohttp_app(receiver))
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=_IDLE,
        lingering_time=_LINGERING,
        shutdown_timeout=_SHUTDOWN,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
        await site.start()
        at = f"[{host}]" if ":" in host else host
        yield f"http://{at}:{runner.addresses[0][1]}{path}"
    finally:
        await runner.cleanup()


class _Body:
    """A request's body, read as far as it is asked for."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    async def next_chunk(self) -> bytes:
        """See `NextChunk`."""
        try:
            return await self._request.content.readany()
        except (OSError, web.RequestPayloadError, HttpProcessingError) as error:
            raise EOFError from error


def _headers(request: web.Request) -> list[tuple[bytes, bytes]]:
    return [
        (name.encode(), value.encode("utf-8", "surrogateescape"))
        for name, value in request.headers.items()
        if name.lower() != "content-encoding" or value.strip().lower() not in _DECODED
    ]


def _response(reply: Reply) -> web.Response:
    response = web.Response(
        status=reply.status,
        body=reply.body,
        headers=reply.headers,
        content_type="application/json",
    )
    if not reply.stays:
        response.force_close()
    return response
