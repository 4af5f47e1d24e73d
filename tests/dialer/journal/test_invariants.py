"""A journal through whatever may happen to it: the invariants that make it worth trusting."""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.dialing import MIN_GAP
from hamsa_async.dialer.journal.records import CallEnd, Settlement, Verdict
from hamsa_async.dialer.machine import AttemptState, Happening
from hamsa_async.dialer.retries import Retries
from hamsa_async.errors import JournalError

NUMBERS = [f"+97150123456{digit}" for digit in range(5)]
CAMPAIGNS = (1, 2)

ENDS = {
    # Over at once, though nobody sees it: the gap alone keeps the number.
    "placed": Settlement(
        state=AttemptState.PLACED,
        happening=Happening.PLACED,
        call_id="call",
        ends_by=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    "refused": Settlement(state=AttemptState.REFUSED, happening=Happening.REFUSED, status=400),
    "turned away": Settlement(state=AttemptState.REFUSED, happening=Happening.RETURNED, status=429),
    "not sent": Settlement(state=AttemptState.NOT_SENT, happening=Happening.RETURNED),
    "lost": Settlement(state=AttemptState.UNKNOWN, happening=Happening.LOST, reason="?"),
}
RETRIES = Retries.read(["no_answer: 1h, 4h"], max_attempts=4)
ENDS_BY = timedelta(minutes=25)
MAY_HAVE_RUNG = {"placed", "lost", "crashed"}


class JournalMachine(RuleBasedStateMachine):
    """Two campaigns over the same few numbers, crashes, and time that passes."""

    intents: "Bundle[Any]" = Bundle("intents")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.rings: dict[tuple[int, str], int] = {}
        self.last_ring: dict[str, datetime] = {}
        self.open: dict[str, str] = {}
        self.placed: dict[str, tuple[int, str]] = {}
        self.over: dict[str, tuple[int, str]] = {}
        self.doubts: dict[str, tuple[int, str]] = {}
        self.reviewed: set[str] = set()
        self.ends_by: dict[str, datetime] = {}
        # How often a contact may ring: once more for each retry and each believed absence.
        self.allowed: Counter[tuple[int, str]] = Counter()
        self.unknown: set[str] = set()
        self.forgotten: set[str] = set()
        self.count = 0
        self.told: list[int] = []

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        async def begin() -> None:
            self.journal = await SqliteJournal.open(self.path, clock=lambda: self.now)
            for name in ("one", "two"):
                await self.journal.add_campaign(name, {})

        self.do(begin())

    @rule(
        campaign=st.sampled_from(CAMPAIGNS),
        numbers=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=7),
        ids=st.lists(st.sampled_from([None, "a", "b"]), min_size=7, max_size=7),
        no=st.lists(st.booleans(), min_size=7, max_size=7),
    )
    def load(
        self, campaign: int, numbers: list[str], ids: list[str | None], no: list[bool]
    ) -> None:
        rows = [
            Row(
                row=place,
                phone_number=number,
                contact_id=contact_id,
                state="skipped" if asked_not_to and place == 3 else "pending",
                reason="dnc" if asked_not_to and place == 3 else None,
            )
            for place, (number, contact_id, asked_not_to) in enumerate(
                zip(numbers, ids, no, strict=False), start=1
            )
        ]

        async def load() -> DialerEvent:
            await self.journal.stage(campaign, rows, first=True)
            await self.journal.staged(campaign)
            return await self.journal.take_over(campaign, {})

        self.told.append(self.do(load()).number)

    @rule(target=intents, campaign=st.sampled_from(CAMPAIGNS), which=st.integers(0, 4))
    def intend(self, campaign: int, which: int) -> Any:
        async def intend() -> Any:
            found = [
                *await self.journal.pending(campaign, after=0, limit=9),
                *await self.journal.due(campaign, now=self.now, limit=9),
            ]
            if not found:
                return None
            candidate = found[which % len(found)]
            self.count += 1
            attempt = f"att_{self.count:06}"
            answer = await self.journal.intend(campaign, candidate, attempt)
            if not isinstance(answer, DialerEvent):
                return None
            number = candidate.phone_number
            # Asked of what this test remembers, not of what the journal says of itself.
            assert number not in self.open.values()
            assert number not in self.unknown
            assert number not in self.forgotten
            self.lapse(number)
            assert number not in {each for _, each in self.placed.values()}
            assert (
                self.now - self.last_ring.get(number, datetime.min.replace(tzinfo=UTC)) >= MIN_GAP
            )
            self.open[attempt] = number
            self.told.append(answer.number)
            return campaign, candidate, attempt

        return self.do(intend())

    @rule(intent=consumes(intents), end=st.sampled_from(sorted(ENDS)))
    def settle(self, intent: Any, end: str) -> None:
        if intent is None or intent[2] not in self.open:
            return  # none, or a crash has settled it
        campaign, candidate, attempt = intent
        settlement = ENDS[end]
        if end == "placed":
            ends_by = self.now + ENDS_BY
            settlement = attrs.evolve(settlement, call_id=f"call-of-{attempt}", ends_by=ends_by)
            self.placed[attempt] = campaign, candidate.phone_number
            self.ends_by[attempt] = ends_by
        event = self.do(self.journal.settle(campaign, candidate, attempt, settlement))
        self.told.append(event.number)
        self.ended(campaign, attempt, end)

    @rule(which=st.integers(0, 9), outcome=st.sampled_from(["completed", "no_answer", "unseen"]))
    def end(self, which: int, outcome: str) -> None:
        """A placed call is seen to end, for the first time or again."""
        known = sorted({**self.placed, **self.over})
        if not known:
            return
        attempt = known[which % len(known)]
        campaign, number = {**self.placed, **self.over}[attempt]
        end = CallEnd(call_id=f"call-of-{attempt}", outcome=outcome, ended_at=self.now)
        event = self.do(self.journal.end_call(campaign, attempt, end, RETRIES))
        if event is not None:
            self.told.append(event.number)
        if attempt in self.placed:
            assert event is not None
            del self.placed[attempt]
            self.over[attempt] = campaign, number
            self.last_ring[number] = self.now
            if event.kind is EventKind.RETRIED:
                assert outcome == "no_answer"
                self.allowed[campaign, number] += 1
        else:
            assert event is None or event.kind is EventKind.CORRECTED

    @rule(which=st.integers(0, 9), to=st.sampled_from(["placed", "absent", "review"]))
    def settle_doubt(self, which: int, to: str) -> None:
        """Evidence, or a person, settles a doubt, for the first time or again."""
        if not self.doubts:
            return
        attempt = sorted(self.doubts)[which % len(self.doubts)]
        campaign, number = self.doubts[attempt]
        verdict = Verdict(
            state=AttemptState(to),
            evidence={"kind": "test"},
            call_id=f"call-of-{attempt}" if to == "placed" else None,
            ends_by=self.now + ENDS_BY if to == "placed" else None,
        )
        event = self.do(self.journal.settle_doubt(campaign, attempt, verdict))
        if to == "review":
            assert (event is None) == (attempt in self.reviewed)
            self.reviewed.add(attempt)
        else:
            assert event is not None
            del self.doubts[attempt]
            self.unknown.discard(number)
            if to == "placed":
                self.placed[attempt] = campaign, number
                self.ends_by[attempt] = self.now + ENDS_BY
            else:
                self.allowed[campaign, number] += 1
        if event is not None:
            self.told.append(event.number)

    @rule(number=st.sampled_from(NUMBERS))
    def forget(self, number: str) -> None:
        """Somebody asks to be forgotten: at once, or when no call to them can be under way."""
        self.lapse(number)
        busy = {*self.open.values(), *self.unknown, *(each for _, each in self.placed.values())}
        try:
            self.do(self.journal.erasure.forget(number))
        except JournalError:
            assert number in busy
        else:
            assert number not in busy
            self.forgotten.add(number)

    @rule(intent=consumes(intents))
    def take_back(self, intent: Any) -> None:
        if intent is None or intent[2] not in self.open:
            return
        campaign, candidate, attempt = intent
        self.told.append(self.do(self.journal.take_back(campaign, candidate, attempt)).number)
        self.ended(campaign, attempt, "not sent")

    @rule(campaign=st.sampled_from(CAMPAIGNS))
    def take_back_what_was_never_written(self, campaign: int) -> None:
        async def take_back() -> None:
            for candidate in await self.journal.pending(campaign, after=0, limit=1):
                assert await self.journal.take_back(campaign, candidate, "att_never") is None

        self.do(take_back())

    def lapse(self, number: str) -> None:
        """What can last no longer is over, though nobody saw its end."""
        for attempt, (campaign, at) in list(self.placed.items()):
            ends_by = self.ends_by.get(attempt, self.now + ENDS_BY)
            if at == number and ends_by <= self.now:
                del self.placed[attempt]
                self.over[attempt] = campaign, at

    def ended(self, campaign: int, attempt: str, end: str) -> None:
        number = self.open.pop(attempt)
        if end in MAY_HAVE_RUNG:
            self.rings[campaign, number] = self.rings.get((campaign, number), 0) + 1
            self.last_ring[number] = self.now
        if end in {"lost", "crashed"}:
            self.unknown.add(number)
            self.doubts[attempt] = campaign, number

    @rule()
    def crash(self) -> None:
        """A crash, as a journal sees it: opened anew, and recovered."""

        async def crash() -> list[DialerEvent]:
            await self.journal.aclose()
            self.journal = await SqliteJournal.open(self.path, clock=lambda: self.now)
            events = []
            for name in ("one", "two"):
                record = await self.journal.campaign(name)
                events += await self.journal.recover(record.id)
            return events

        events = self.do(crash())
        assert {event.attempt_id for event in events} == set(self.open)
        for event in events:
            self.told.append(event.number)
            self.ended(1 if event.campaign == "one" else 2, event.attempt_id, "crashed")

    @rule(minutes=st.sampled_from([0.5, 1, 10, 60, 120]))
    def wait(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def nobody_rings_twice_for_one_campaign(self) -> None:
        assert all(count <= 1 + self.allowed[key] for key, count in self.rings.items())

    @invariant()
    def the_journal_is_sound(self) -> None:
        if hasattr(self, "journal"):
            assert self.do(self.journal.problems()) == []

    @invariant()
    def every_number_has_one_contact_to_be_called(self) -> None:
        if not hasattr(self, "journal"):
            return
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            assert not connection.execute(
                "SELECT 1 FROM contacts WHERE state NOT IN ('skipped', 'invalid')"
                " AND phone_number NOT GLOB 'forgotten:*'"
                " GROUP BY campaign, phone_number HAVING count(*) > 1"
            ).fetchall()
            assert {
                *connection.execute(
                    "SELECT campaign, phone_number FROM contacts"
                    " WHERE state IN ('placed', 'unknown', 'review', 'retry', 'done')"
                    " AND phone_number NOT GLOB 'forgotten:*'"
                )
            } <= {*self.rings}

    @invariant()
    def whoever_was_forgotten_is_nowhere(self) -> None:
        if self.forgotten:
            with contextlib.closing(sqlite3.connect(self.path)) as connection:
                known = connection.execute(
                    "SELECT phone_number FROM contacts UNION SELECT phone_number FROM attempts"
                    " UNION SELECT phone_number FROM suppressed"
                )
                assert not self.forgotten & {number for (number,) in known}

    @invariant()
    def events_are_in_order(self) -> None:
        assert self.told == sorted(set(self.told))

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.do(self.journal.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
