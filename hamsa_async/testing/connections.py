"""The fake's connections, and what each is doing: to break them, and to talk out of turn."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import datetime

import attrs
from aiohttp import web

from hamsa_async.testing.faults import Answer, Exchange


@attrs.define(kw_only=True, eq=False)
class Connection:
    """One client connection and what it is doing."""

    transport: asyncio.Transport | None
    gone: asyncio.Event = attrs.field(factory=asyncio.Event)
    served: int = 0
    busy: int = 0

    @contextmanager
    def serving(self) -> Generator[None, None, None]:
        """Count a request while it is handled."""
        self.busy += 1
        self.served += 1
        try:
            yield
        finally:
            self.busy -= 1

    @property
    def idle(self) -> bool:
        """Kept alive after a request, and nothing asked on it now."""
        return bool(self.served) and not self.busy

    def exchange(self, request: web.BaseRequest, answer: Answer, now: datetime) -> Exchange:
        """What a fault gets to spoil of a request on this connection."""
        return Exchange(
            answer=answer,
            target=request.path_qs,
            transport=None if self.gone.is_set() else self.transport,
            gone=self.gone,
            now=now,
        )


class ConnectionServer(web.Server):
    """aiohttp's server, which also knows its connections."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        keepalive_timeout: float,
    ) -> None:
        super().__init__(handler, access_log=None, keepalive_timeout=keepalive_timeout)
        self._open: dict[web.RequestHandler, Connection] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Enter a connection that aiohttp opened."""
        super().connection_made(handler, transport)
        self._open[handler] = Connection(transport=transport)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Strike out a connection that is gone, and tell whoever waits for its end."""
        super().connection_lost(handler, exc)
        self._open.pop(handler).gone.set()

    def of(self, request: web.BaseRequest) -> Connection:
        """The connection of a request; one that is gone where its client went already."""
        connection = self._open.get(request.protocol)
        if connection is None:
            connection = Connection(transport=None)
            connection.gone.set()
        return connection

    def break_all(self) -> None:
        """Break every open connection."""
        for connection in list(self._open.values()):
            if connection.transport is not None:
                connection.transport.abort()

    def say_on_idle(self, raw: bytes) -> int:
        """Write bytes on every idle kept-alive connection; returns on how many."""
        idle = [
            connection.transport
            for connection in self._open.values()
            if connection.idle
            and connection.transport is not None
            and not connection.transport.is_closing()
        ]
        for transport in idle:
            transport.write(raw)
        return len(idle)


class NoAnswer(web.StreamResponse):
    """Writes nothing: the connection is gone, or was taken over by a fault."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write no headers."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write no body."""
