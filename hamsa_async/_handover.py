"""The moment before which it is proven that nothing was sent: a body that knows when it leaves."""

import select
import time
from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter

OnHanded = Callable[[], None]


class NotHandedError(Exception):
    """The request was not written, whatever became of its connection."""


class MarkedBody(aiohttp.BytesPayload):
    """A request's body that knows whether the request was handed to a connection.

    Headers and body leave in one write, so the moment before it is the last at which it is
    proven that nothing was sent. A connection that is closed, or on which bytes are waiting,
    is not written to: those bytes are the answer to somebody else's question (an edge says 408
    or 429 on an idle connection before it closes it), and they would be taken for ours.

    Args:
        body: The bytes.
        not_after: When it must not be written any more, in POSIX seconds. By the wall clock,
            which also runs while a laptop sleeps.
    """

    def __init__(self, body: bytes, *, not_after: float | None = None) -> None:
        super().__init__(body, content_type="application/json")
        self.handed: bool = False
        self.sealed: bool = False
        """Whether it must not be written any more."""
        self.was_stale: bool = False
        """Whether it was not written because its kept connection was no good any more."""
        self.on_handed: OnHanded | None = None
        """Called in the moment in which it is handed to a connection."""
        self._not_after = not_after

    def afresh(self) -> "MarkedBody":
        """The same body for another connection."""
        body = MarkedBody(self._value, not_after=self._not_after)
        body.on_handed = self.on_handed
        return body

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
        # Once only: a client library that repeats a request for us would ring twice.
        if self.sealed or self.handed:
            raise NotHandedError("it is not to be written any more")
        if self._not_after is not None and time.time() >= self._not_after:
            raise NotHandedError("not_after passed while it waited for a connection")
        connection: Any = writer.protocol
        if not _is_fit(connection):
            self.was_stale = _has_answered(connection)
            raise NotHandedError("the connection was not fit to be written to")
        self.handed = True
        if self.on_handed is not None:
            self.on_handed()


def _is_fit(connection: Any) -> bool:
    """Whether what comes back on a connection will be the answer to what is written now."""
    transport = connection.transport
    if transport is None or transport.is_closing() or connection.should_close:
        return False
    if transport.get_extra_info("sslcontext") is not None and not _has_answered(connection):
        # A fresh TLS 1.3 connection has the server's session tickets waiting.
        return True
    # The kernel may hold bytes, or an end, that the loop has not seen yet.
    socket = transport.get_extra_info("socket")
    return socket is None or not _is_readable(socket.fileno())


def _has_answered(connection: Any) -> bool:
    """Whether a connection was used before."""
    return connection._payload is not None  # noqa: SLF001 - aiohttp tells it nowhere else


if hasattr(select, "poll"):

    def _is_readable(descriptor: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

else:  # pragma: no cover - Windows has no poll, and no limit of 1024 for its select

    def _is_readable(descriptor: int) -> bool:
        return bool(select.select([descriptor], [], [], 0)[0])
