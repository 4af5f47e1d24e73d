"""The port that the fake listens on: taken first, listened on second, so that it can be kept."""

import asyncio
import socket
from typing import Final

from aiohttp import web

_BACKLOG: Final = 4096


def bind(host: str, port: int) -> socket.socket:
    """Take a port without listening: it refuses connections, and nobody else gets it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


async def listen(server: web.Server, bound: socket.socket) -> asyncio.Server:
    """Let a server listen on a port that was taken."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, sock=bound, backlog=_BACKLOG)
