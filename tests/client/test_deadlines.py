"""What is under way is told once that its time is up, by one timer, and not for a loop's delay."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from hamsa_async import HamsaClient
from hamsa_async._deadlines import Deadlines

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]
HANGS = 30.0


class Clock:
    """The running loop's clock, to be moved on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.moved = 0.0
        self.time = loop.time
        monkeypatch.setattr(loop, "time", lambda: self.time() + self.moved)


@attrs.define(eq=False)
class Told:
    times: int = 0

    def time_out(self) -> None:
        self.times += 1


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(HANGS):
        while not what():
            await asyncio.sleep(0.001)


async def test_each_is_told_once_and_watched_until_it_is_forgotten() -> None:
    """In any order of deadlines; what was forgotten hears nothing."""
    deadlines: Deadlines[Told] = Deadlines()
    late, soon, forgotten, never = Told(), Told(), Told(), Told()
    now = asyncio.get_running_loop().time()
    deadlines.watch(never, now + 1000)
    deadlines.watch(late, now + 0.04)
    deadlines.watch(forgotten, now + 0.01)
    deadlines.watch(soon, now + 0.02)
    deadlines.forget(forgotten)
    deadlines.forget(forgotten)
    await until(lambda: late.times)
    assert (soon.times, late.times, forgotten.times, never.times) == (1, 1, 0, 0)
    assert deadlines.under_way == (never, late, soon)
    deadlines.watch(forgotten, now)
    await until(lambda: forgotten.times)
    assert (soon.times, late.times) == (1, 1)
    deadlines.clear()
    assert len(deadlines) == 0


async def test_a_loop_that_is_always_late_ends_what_is_due_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is given time once."""
    clock = Clock(monkeypatch)
    deadlines: Deadlines[Told] = Deadlines()
    told = Told()
    deadlines.watch(told, asyncio.get_running_loop().time() + 50)
    for _ in range(3):
        clock.moved += 100
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert told.times == 1
    deadlines.clear()


async def test_an_answer_that_came_while_the_loop_was_held_up_is_read(
    connect: Connect, place: Place, monkeypatch: pytest.MonkeyPatch, say: Callable[..., bytes]
) -> None:
    """The time of the request is up, and its answer lies there: the call was placed."""
    asked, go, answered = threading.Event(), threading.Event(), threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            asked.set()
            go.wait(HANGS)
            connection.sendall(say())
            answered.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        client = await connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        clock = Clock(monkeypatch)
        placing = asyncio.create_task(place(client))
        await until(asked.is_set)
        go.set()
        assert answered.wait(HANGS)  # holds up the loop
        clock.moved = client.config.timeouts.response + 1
        assert (await placing).id == "call-1"
        server.join()
