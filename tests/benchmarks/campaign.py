"""A campaign with its journal, `call_many`, and a bare aiohttp loop, side by side in one run.

    python tests/benchmarks/campaign.py
    python tests/benchmarks/campaign.py --delay 0 --in-flight 64

The server answers after 50 ms. The journal's thread counts as the campaign's; loading the list
does not, dialing it does.

`campaign` is compared with `call_many`, which knows nothing of how calls end: no call of it does.
In `to their ends` every call has ended when it is looked for, and its end is written down with its
transcript; what it takes to read the list and each call over HTTP is not in it.
"""

import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import harness
from ways import AGENT, Goal, Meter, Way, Work, bare_aiohttp, pulled, rows

from hamsa_async import HamsaClient
from hamsa_async.dialer import Campaign, Dialer, SqliteJournal
from hamsa_async.dialer.observer import LOOK_EVERY
from hamsa_async.models import (
    AgentDetails,
    Call,
    CallRequest,
    CallStatus,
    Conversation,
    ConversationSummary,
    JobResponse,
    Page,
    Project,
)


async def call_many(work: Work, meter: Meter) -> None:
    """The client's own stream of calls, without a journal."""
    async with HamsaClient(
        "key", base_url=work.base_url, concurrency_limit=work.in_flight
    ) as hamsa:

        async def place(calls: int) -> None:
            async with hamsa.voice_agents.call_many(rows(calls)) as results:
                placed = [result.index async for result in results if result.call is not None]
            assert len(placed) == calls

        await place(work.calls)
        for _ in meter.turns():
            await place(work.in_flight)
            meter.start()
            await place(work.calls)
            meter.stop()


_TRANSCRIPT = [{"Agent": "Good morning, this is the clinic."}, {"User": "Good morning."}] * 10


class _Api:
    """The client with the reads that the canned server does not know."""

    def __init__(self, client: HamsaClient, *, calls_end: bool = False) -> None:
        self._open: dict[str, None] | None = {} if calls_end else None
        self._attempt = client.voice_agents.attempt
        self.config = client.config
        self.voice_agents = client.voice_agents
        if calls_end:
            self.voice_agents.attempt = self._noted  # type: ignore[method-assign]
        self.projects = self.conversations = self
        self.voice_agents.get = self._agent  # type: ignore[method-assign]

    async def current(self) -> Project:
        return Project(id="benchmark")

    def list(self, **_: object) -> "_Api":
        return self

    async def __aiter__(self) -> AsyncIterator[ConversationSummary]:
        for call_id in list(self._open or ()):
            yield ConversationSummary(id=call_id, status=CallStatus.COMPLETED)

    async def _noted(self, request: CallRequest, **options: Any) -> Call:
        call = await self._attempt(request, **options)
        assert self._open is not None
        self._open[call.id] = None
        return call

    async def page(self, number: int) -> Page[ConversationSummary]:
        return Page(items=(), number=number, size=200)

    async def get(self, conversation_id: str) -> Conversation:
        assert self._open is not None
        del self._open[conversation_id]
        return Conversation(
            id=conversation_id,
            status=CallStatus.COMPLETED,
            call_duration=61.0,
            job_response=JobResponse(transcription=_TRANSCRIPT, outcome_result={"booked": "yes"}),
        )

    async def _agent(self, voice_agent_id: str) -> AgentDetails:
        return AgentDetails(id=voice_agent_id)


async def campaign(work: Work, meter: Meter, *, calls_end: bool = False) -> None:
    """A campaign on a journal on disk: a new one for every block, each with its own numbers."""
    look_every = timedelta(seconds=0.2) if calls_end else LOOK_EVERY
    with tempfile.TemporaryDirectory() as folder:
        async with (
            HamsaClient("key", base_url=work.base_url, concurrency_limit=work.in_flight) as client,
            await SqliteJournal.open(Path(folder) / "journal.db") as journal,
            Dialer(
                _Api(client, calls_end=calls_end), journal=journal, look_every=look_every
            ) as dialer,
        ):
            called = 0

            async def dial(calls: int, measured: Meter | None = None) -> None:
                nonlocal called
                settings = Campaign(
                    name=f"from {called}",
                    voice_agent_id=AGENT,
                    rate=None,
                    concurrency=work.in_flight,
                    sweep=False,
                )
                contacts = (
                    {"phone_number": row["to_number"], **row["params"]}
                    for row in rows(calls, first=called)
                )
                called += calls
                run = dialer.run(await dialer.load(settings, contacts), wait=calls_end)
                if measured is not None:
                    measured.start()
                async for _ in run:
                    pass
                if measured is not None:
                    measured.stop()
                assert sum(run.counts.values()) == calls, run.counts

            await dial(work.calls)
            for _ in meter.turns():
                await dial(work.in_flight)
                await dial(work.calls, meter)


async def to_their_ends(work: Work, meter: Meter) -> None:
    """The same, and every call is followed to its end."""
    await campaign(work, meter, calls_end=True)


WAYS = [
    Way(name="bare aiohttp", run=pulled(bare_aiohttp), against="bare aiohttp"),
    Way(name="call_many", run=call_many, against="bare aiohttp"),
    Way(
        name="campaign",
        run=campaign,
        against="bare aiohttp",
        goals=[
            Goal(against="call_many", bound=1.25, in_flight=64),
            Goal(against="call_many", bound=1.15, in_flight=512),
            Goal(against="call_many", bound=0.85, at_least=True, rate=True),
        ],
    ),
    Way(name="campaign to their ends", run=to_their_ends, against="bare aiohttp"),
]


def main() -> None:
    """Measure and print."""
    options = harness.parser_for(__doc__, calls=2000, blocks=3, delay=0.05).parse_args()
    harness.run(__file__, WAYS, options, "aiohttp", "orjson")


if __name__ == "__main__":
    main()
