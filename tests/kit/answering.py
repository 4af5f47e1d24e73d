"""A server that answers every request with the bytes that a test says."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self


class Answering:
    """It has a thread and a loop of its own, so what it does is in no log or loop of the test's.

    Attributes:
        reply: Makes the whole answer, status line and all, of the body of a request. The
            connection ends after it.
        asked: How many requests came.
    """

    def __init__(self) -> None:
        self.reply: Callable[[bytes], bytes] = lambda _: b""
        self.asked = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            self.asked += 1
            writer.write(self.reply(body))
        writer.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
