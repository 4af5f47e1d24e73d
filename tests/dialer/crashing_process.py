"""Processes that die at one chosen moment of a campaign: for test_killed_at_each_write.py.

    python crashing_process.py

It reads a line of JSON for each process that is to die, starts it, and says with a line how it
ended: -9 where it died as was wanted, 0 where it came to its end because that moment never was.
The imports are made once: each process is a fork, made before anything runs.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

from hamsa_async import HamsaClient
from hamsa_async.dialer import Campaign, ContactState, Dialer, SqliteJournal
from hamsa_async.dialer.machine import Asked
from hamsa_async.dialer.single import single_call
from hamsa_async.models import CallRequest
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY
from hamsa_async.webhooks import Receiver, Secrets, serving

SECRETS = Secrets(master="m" * 40)
SOON = timedelta(seconds=0.05)
AT_ONCE = 4
PATIENCE = 30  # seconds until a process is ended that hangs
OPEN = {ContactState.PENDING, ContactState.DIALING, ContactState.PLACED, ContactState.UNKNOWN}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killing:
    """Something whose n-th call of one method kills the process, before or after it is done."""

    def __init__(self, real: Any, method: str, when: str, nth: int) -> None:
        self._real = real
        self._method = method
        self._when = when
        self._left = nth

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name != self._method:
            return real
        return self._appending if name == "appending" else self._deadly(real)

    @contextlib.asynccontextmanager
    async def _appending(self, campaign: int) -> AsyncIterator[Any]:
        """Of a list that is appended only its taking over is a write of the journal's."""
        async with self._real.appending(campaign) as stage:
            yield Killing(stage, "take_over", self._when, self._left)

    def _deadly(self, real: Callable[..., Any]) -> Callable[..., Any]:
        # No coroutine: a write is begun when it is called, and so it is here.
        def call(*args: object, **more: object) -> Any:
            self._left -= 1
            is_the_one = self._left == 0
            if is_the_one and self._when == "before":
                die()
            return self._see(real(*args, **more), is_the_one=is_the_one)

        return call

    async def _see(self, write: Awaitable[Any], *, is_the_one: bool) -> Any:
        try:
            return await write
        finally:  # an error is an answer, too
            if is_the_one:
                die()


class KillingApi(Killing):
    """A client whose n-th request for a call kills: before it, at the door, or after its answer.

    At the door its intent is on disk and nothing of it has left.
    """

    def __init__(self, real: HamsaClient, method: str, when: str, nth: int) -> None:
        super().__init__(real.voice_agents, method, when, nth)
        self.config = real.config
        self.projects = real.projects
        self.conversations = real.conversations
        self.voice_agents = self

    def _deadly(self, real: Callable[..., Any]) -> Callable[..., Any]:
        if self._when != "at the door":
            return super()._deadly(real)

        async def call(request: Any, *, before_send: Any, pace: Any) -> Any:
            self._left -= 1
            is_the_one = self._left == 0

            async def intend_and_die() -> None:
                await before_send()
                if is_the_one:
                    die()

            return await real(request, before_send=intend_and_die, pace=pace)

        return call


class Leaving:
    """A journal in which one contact's dialing is cancelled while its intent is written."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._left = 3

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def intend(self, *args: object) -> Any:
        answer = await self._real.intend(*args)
        self._left -= 1
        if not self._left:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
        return answer


async def live(
    *,
    url: str,
    path: str,
    numbers: list[str],
    appended: list[str],
    single: int,
    sweep: bool,
    **death: Any,
) -> None:
    """Do everything that a journal is written for, so that each of its writes has its moment."""
    async with (
        HamsaClient(FAKE_API_KEY, base_url=url) as hamsa,
        await SqliteJournal.open(path) as real,
        serving(Receiver(Killing(real, **death), SECRETS), port=0) as at,
    ):
        journal: Any = Killing(real, **death)
        if death["method"] == "take_back":
            journal = Leaving(journal)
        client: Any = hamsa
        if death["method"] == "attempt":
            client = KillingApi(hamsa, **death)
        async with Dialer(
            client, journal=journal, look_every=SOON, settle_every=SOON, webhook_secrets=SECRETS
        ) as dialer:
            campaign = {
                "name": "eid",
                "voice_agent_id": FAKE_AGENT_ID,
                "rate": None,
                "concurrency": AT_ONCE,
                "breaker": False,
                "retries": (),
                "lag": timedelta(0),
                "webhook_url": at,
                "sweep": sweep,
            }
            contacts = [{"phone_number": number} for number in numbers[:-single]]
            run = dialer.run(Campaign(**campaign), contacts, accept_changes=True)
            stopping = asyncio.create_task(stop_when_over(run, real))
            async for _ in run:
                pass
            await stopping
            assert run.loaded is not None
            if death["method"] == "appending":
                await dialer.append("eid", [{"phone_number": number} for number in appended])
            await journal.pause(run.loaded.record.id, "to see it written")
            await journal.ask(run.loaded.record.id, Asked.PAUSE)
            # Another caller number: what the rules said is judged again.
            changed = Campaign(**campaign, from_number="+97145551234")
            loaded = await dialer.load(changed, accept_changes=True)
            async for _ in dialer.run(loaded, wait=False):
                pass
        await call_one(hamsa, journal, numbers[-single:])


async def call_one(hamsa: HamsaClient, journal: Any, numbers: list[str]) -> None:
    """Place a single call to the first number that nothing bars."""
    async with single_call(journal) as single:
        for number in numbers:
            request = CallRequest(to_number=number, voice_agent_id=FAKE_AGENT_ID)
            placing = await single.place(hamsa.voice_agents, request, config=hamsa.config)
            if placing.barred is None:
                return


async def stop_when_over(run: Any, journal: SqliteJournal) -> None:
    """Stop a run when only those are left who are held by another's call."""
    while run.finish is None:
        await asyncio.sleep(0.02)
        if run.loaded is None:
            continue
        campaign = run.loaded.record.id
        heard = await journal.waiting_events(campaign, after=0, limit=1)
        if not heard and not (await journal.counts(campaign)).keys() & OPEN:
            run.stop()
            return


def start(line: str) -> int:
    """Fork a process, wait for its end, and give its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(PATIENCE)
    try:
        asyncio.run(live(**json.loads(line)))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{start(line)}\n")
        sys.stdout.flush()
