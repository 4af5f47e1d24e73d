"""A small world for each test of the dialer: a fake API, a client, a journal, and a judge."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import (
    Campaign,
    ContactState,
    Dialer,
    DialerEvent,
    Run,
    SqliteJournal,
)
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

MAY_HAVE_RUNG = {
    ContactState.PLACED,
    ContactState.RETRY,
    ContactState.DONE,
    ContactState.UNKNOWN,
    ContactState.REVIEW,
}
LOOK_EVERY = timedelta(seconds=0.05)


@attrs.define(kw_only=True)
class World:
    """Everything that a campaign needs, and the questions that a test asks afterwards."""

    fake: FakeHamsa
    hamsa: HamsaClient
    path: Path

    def number(self, place: int) -> str:
        return f"+9715012{place:05d}"

    def rows(self, count: int, *, start: int = 0, **more: Any) -> list[dict[str, Any]]:
        return [{"phone_number": self.number(start + place), **more} for place in range(count)]

    def calls_end(self, *outcomes: str) -> None:
        """From now on calls are over at once, and end so."""
        self.fake.call_seconds = (0.0, 0.0)
        self.fake.outcomes = dict.fromkeys(outcomes or ("COMPLETED",), 1.0)

    def campaign(self, name: str = "eid", **settings: Any) -> Campaign:
        usual = {
            "voice_agent_id": FAKE_AGENT_ID,
            "rate": None,
            "concurrency": 5,
            "live_calls": None,
            "breaker": False,  # what goes wrong here is meant to; `test_breaker` has it on
        }
        return Campaign(name=name, **{**usual, **settings})

    def dialer(self, client: Any = None, journal: Any = None, **settings: Any) -> Dialer:
        settings.setdefault("look_every", LOOK_EVERY)
        settings.setdefault("settle_every", timedelta(hours=1))
        return Dialer(client or self.hamsa, journal=journal or self.path, **settings)

    async def run(
        self, contacts: Any = None, *, client: Any = None, wait: bool = False, **settings: Any
    ) -> tuple[Run, list[DialerEvent]]:
        """Run a campaign to its end, in a dialer of its own."""
        async with self.dialer(client) as dialer:
            run = dialer.run(self.campaign(**settings), contacts, wait=wait)
            return run, [event async for event in run]

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the journal's file, over a connection that the dialer knows nothing of."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()

    def states(self) -> dict[str, str]:
        """Every number's state. Only for journals in which no number is there twice."""
        return dict(self.ask("SELECT phone_number, state FROM contacts"))

    def state_counts(self) -> Counter[str]:
        return Counter(state for (state,) in self.ask("SELECT state FROM contacts"))

    async def problems(self) -> list[str]:
        async with await SqliteJournal.open(self.path, create=False) as journal:
            return list(await journal.problems())

    async def judge(self, rows: int) -> None:
        """Nobody rang twice, nobody is lost, and whoever rang is placed or unknown."""
        assert not self.fake.ledger.rung_twice()
        assert await self.problems() == []
        assert sum(self.state_counts().values()) == rows
        honest = {
            number
            for number, state in self.ask("SELECT phone_number, state FROM contacts")
            if state in MAY_HAVE_RUNG
        }
        assert {ring.phone_number for ring in self.fake.ledger.rings} <= honest
        for number, call_id in self.ask(
            "SELECT phone_number, call_id FROM contacts WHERE state IN ('placed', 'done')"
        ):
            assert [ring.call_id for ring in self.fake.ledger.rings_of(number)] == [call_id]


@pytest.fixture
async def fake() -> AsyncIterator[FakeHamsa]:
    # Calls last: whoever tests how they end says so.
    async with FakeHamsa(call_seconds=(600, 600)) as running:
        yield running


@pytest.fixture
async def hamsa(fake: FakeHamsa) -> AsyncIterator[HamsaClient]:
    async with HamsaClient(FAKE_API_KEY, base_url=fake.base_url, grace_period=5) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def world(fake: FakeHamsa, hamsa: HamsaClient, path: Path) -> World:
    return World(fake=fake, hamsa=hamsa, path=path)


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    async with await SqliteJournal.open(path) as opened:
        yield opened


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection to the journal's file, to look at it and to spoil it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
