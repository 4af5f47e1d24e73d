"""The dialer through whatever may happen to it: crashes, faults, webhooks, others, and the clock.

Real dialers, with their runners, observers, reconcilers and inboxes, run on one journal against
a modelled server, in a time of its own. What happens is chosen by hypothesis. The server's rings
are the judge, as they are in a person's ear; the journal's events are held against the tables.
"""

import asyncio
import contextlib
import json
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from modelled_hamsa import AGENT, FAULTS, OTHER_AGENT, ModelledCall, ModelledHamsa
from virtual_time import PROCESS, Process, VirtualLoop, one_thread

from hamsa_async.dialer import Campaign, Dialer, SqliteJournal
from hamsa_async.dialer import runner as runner_module
from hamsa_async.dialer.campaign import SINGLE_CALLS
from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.inbox import Inbox
from hamsa_async.dialer.machine import (
    CONTACT_MOVES,
    Asked,
    AttemptState,
    ContactState,
    Happening,
    sources,
)
from hamsa_async.dialer.single import single_call
from hamsa_async.dialer.verify import verify
from hamsa_async.models import CallRequest
from hamsa_async.webhooks import Receiver, Secrets

NUMBERS = [f"+97150123456{digit}" for digit in range(6)]
LISTS = {"one": NUMBERS[:4], "two": NUMBERS[2:]}
SECRETS = Secrets(master="m" * 32)
BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)
GAP = timedelta(minutes=60)
EVERY = timedelta(seconds=60)
TRIED_AGAIN = {"NO_ANSWER", "FAILED"}
MOST_RINGS = 4  # the first, twice more for nobody there, once more for a failure
AT_ONCE = timedelta(seconds=0.1)  # what was decided by then may not have been told

FINAL = {ContactState.DONE, ContactState.REFUSED, ContactState.SKIPPED, ContactState.REVIEW}
"""Where every contact is at the end, when all evidence is in."""

# What each kind of event says has happened to its contact, and to its attempt.
SAYS: dict[EventKind, tuple[Happening, set[AttemptState]]] = {
    EventKind.INTENDED: (Happening.INTENDED, {AttemptState.INTENDED}),
    EventKind.PLACED: (Happening.PLACED, {AttemptState.PLACED}),
    EventKind.REFUSED: (Happening.REFUSED, {AttemptState.REFUSED}),
    EventKind.RETURNED: (Happening.RETURNED, {AttemptState.NOT_SENT, AttemptState.REFUSED}),
    EventKind.LOST: (Happening.LOST, {AttemptState.UNKNOWN}),
    EventKind.FOUND: (Happening.FOUND, {AttemptState.PLACED}),
    EventKind.ABSENT: (Happening.ABSENT, {AttemptState.ABSENT}),
    EventKind.REVIEWED: (Happening.REVIEWED, {AttemptState.REVIEW}),
    EventKind.ENDED: (Happening.ENDED, {AttemptState.ENDED}),
    EventKind.RETRIED: (Happening.RETRIED, {AttemptState.ENDED}),
    EventKind.TAKEN_OVER: (Happening.FOUND, {AttemptState.PLACED}),
    EventKind.DEFERRED: (Happening.DEFERRED, set()),
    EventKind.SKIPPED: (Happening.SKIPPED, set()),
    EventKind.GIVEN_UP: (Happening.SKIPPED, set()),
    EventKind.EXPIRED: (Happening.EXPIRED, set()),
}
AGAIN = {
    Happening.RETURNED: Happening.RETURNED_AGAIN,
    Happening.ABSENT: Happening.ABSENT_AGAIN,
}
ATTEMPT_MOVES_TO = {state: sources(state) for state in AttemptState}


@attrs.define(eq=False)
class Dialing:
    """A process that dials a campaign, and when it last looked at the calls of others."""

    process: Process
    task: "asyncio.Task[Any]"


@attrs.frozen
class Ring:
    """A phone rang for us."""

    call: ModelledCall
    campaign: str
    attempt: str
    at: datetime
    """By the server's clock."""


@contextlib.contextmanager
def at_ease() -> Iterator[None]:
    """Meanwhile nobody looks at a clock more often than the model has use for."""
    defaults = {**(Inbox.__init__.__kwdefaults__ or {}), "every": timedelta(seconds=20)}
    with (
        mock.patch.object(runner_module, "_LISTEN_EVERY", 5.0),
        mock.patch.object(runner_module, "_LOOK_AT_CLOCK", 20.0),
        mock.patch.object(Inbox.__init__, "__kwdefaults__", defaults),
        one_thread(),
    ):
        yield


def told(call: ModelledCall, event: str, *, echoes: bool) -> bytes:
    """What Hamsa says of a call, with or without what it was placed with."""
    result = {"outcomeResult": {"_hamsa_reference": call.reference}} if echoes else {}
    body = {"eventType": event, "callId": call.id, "data": {"data": result}}
    return json.dumps(body).encode()


class DialerMachine(RuleBasedStateMachine):
    """Two campaigns, whose lists overlap, and single calls, on one journal."""

    def __init__(self) -> None:
        super().__init__()
        self.open = contextlib.ExitStack()
        self.open.enter_context(at_ease())
        folder = self.open.enter_context(tempfile.TemporaryDirectory())
        self.path = Path(folder) / "journal.db"
        self.loop = VirtualLoop()
        self.slept = timedelta(0)
        self.skews = [(BEGIN, timedelta(0))]
        self.server = ModelledHamsa(self.true)
        self.server.before_ring = self.on_ring
        self.server.told = lambda attempt: self.intended.setdefault(attempt, self.true())
        self.server.listed = self.on_listed
        self.running: dict[str, Dialing] = {}
        self.looked: dict[Process, datetime] = {}
        self.intended: dict[str, datetime] = {}
        self.rings: list[Ring] = []
        self.broken: list[str] = []
        self.not_called: dict[str, datetime] = {}
        self.paused: dict[str, datetime] = {}
        self.events = 0
        self.contacts: dict[int, ContactState] = {}
        self.attempts: dict[str, set[AttemptState]] = {}

    # -- time and processes

    def true(self) -> datetime:
        """What time it is, as the server has it."""
        return BEGIN + timedelta(seconds=self.loop.now) + self.slept

    def wall(self) -> datetime:
        """What time the dialing machine takes it for."""
        return self.wall_at(self.true())

    def wall_at(self, moment: datetime) -> datetime:
        return moment + next(skew for since, skew in reversed(self.skews) if since <= moment)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def in_process(self, process: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        token = PROCESS.set(process)
        try:
            return self.loop.create_task(work)
        finally:
            PROCESS.reset(token)

    def campaign(self, name: str) -> Campaign:
        return Campaign(
            name=name,
            voice_agent_id=AGENT,
            rate=None,
            concurrency=2,
            live_calls=3,
            retries=("no_answer: 1h, 4h", "failed: 30m"),
            delivery=self.delivery,
            webhook_url="http://127.0.0.1:2/webhook" if self.has_webhooks else None,
            breaker=False,
        )

    def dialer(self) -> Dialer:
        return Dialer(
            self.server,
            journal=self.path,
            clock=self.wall,
            look_every=EVERY,
            settle_every=EVERY,
            webhook_secrets=SECRETS,
        )

    async def dial(self, name: str, *, wait: bool) -> None:
        async with self.dialer() as dialer:
            rows = [{"phone_number": number} for number in LISTS[name]]
            async for _ in dialer.run(self.campaign(name), rows, wait=wait):
                pass

    def run(self, name: str, *, wait: bool = True) -> Dialing:
        process = Process()
        dialing = Dialing(process, self.in_process(process, self.dial(name, wait=wait)))
        self.running[name] = dialing
        return dialing

    def briefly(self, work: Coroutine[Any, Any, Any]) -> Any:
        """A process of its own that does one thing."""
        return self.loop.run_until_complete(self.in_process(Process(), work))

    def pass_time(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        for name, dialing in list(self.running.items()):
            if dialing.task.done():
                del self.running[name]
                error = dialing.task.exception()
                if error is not None and not self.server.is_list_down:
                    raise error

    # -- what the server sees

    def on_listed(self) -> None:
        process = PROCESS.get(None)
        if process is not None:
            self.looked[process] = self.true()

    def on_ring(self, request: CallRequest) -> None:
        """Judge a ring as it happens; a failure in here would look like the server's."""
        attempt, number, now = str(request.reference), request.to_number, self.true()
        found = self.ask(
            "SELECT p.name FROM attempts AS a JOIN campaigns AS p ON p.id = a.campaign"
            " WHERE a.id = ?",
            attempt,
        )
        if not found:
            self.broken.append(f"{number} rang without an intent")
            return
        ((campaign,),) = found
        self.broken += self.too_soon(number, now)
        self.broken += self.too_often(campaign, number, now)
        self.broken += self.not_to_be_called(campaign, number, attempt)
        self.broken += self.others_called(campaign, number, now)
        call = self.next_call(number)
        self.rings.append(Ring(call, campaign, attempt, now))

    def next_call(self, number: str) -> ModelledCall:
        """What the server is about to make of it."""
        now = self.true()
        return ModelledCall(
            id="",
            phone_number=number,
            agent_id=AGENT,
            reference=None,
            created_at=now,
            ends_at=now + self.server.lasts,
            outcome=self.server.outcome,
            shown_at=now,
        )

    def too_soon(self, number: str, now: datetime) -> Iterator[str]:
        """Not while the number's call goes on, nor before the gap is over by any clock."""
        for ring in self.rings:
            if ring.call.phone_number != number:
                continue
            end = ring.call.ends_at
            if end > now:
                yield f"{number} rang for {ring.attempt} and again before that had ended"
            elif now - end < GAP and self.wall_at(now) - self.wall_at(end) < GAP:
                yield f"{number} rang {now - end} after {ring.attempt} had ended"

    def too_often(self, campaign: str, number: str, now: datetime) -> Iterator[str]:
        if campaign == SINGLE_CALLS:
            return
        before = [
            ring.call
            for ring in self.rings
            if (ring.campaign, ring.call.phone_number) == (campaign, number)
        ]
        if len(before) >= MOST_RINGS:
            yield f"{number} rang {len(before) + 1} times for {campaign}"
        if before and before[-1].outcome not in TRIED_AGAIN:
            yield f"{number} rang again for {campaign} after {before[-1].outcome}"

    def not_to_be_called(self, campaign: str, number: str, attempt: str) -> Iterator[str]:
        intended = self.intended[attempt]
        for what, since in (
            ("it was on the do-not-call list", self.not_called.get(number)),
            ("the campaign was paused", self.paused.get(campaign)),
        ):
            if since is not None and intended > since + AT_ONCE:
                yield f"{number} rang for {campaign}, and {what}"

    def others_called(self, campaign: str, number: str, now: datetime) -> Iterator[str]:
        """What the last look showed of others counts."""
        looked = self.looked.get(PROCESS.get())
        if looked is None:
            return
        ours = [ring for ring in self.rings if ring.call.phone_number == number]
        for call in self.server.calls.values():
            shown = call.phone_number == number and call.shown_at <= looked
            if call.reference is not None or not shown:
                continue
            since = self.wall_at(now) - call.created_at - (self.wall_at(looked) - looked)
            if now - call.created_at < GAP and since < GAP:
                yield f"{number} rang {now - call.created_at} after others had called it"
            is_its = call.agent_id == AGENT and number in LISTS.get(campaign, ())
            is_its = is_its and not self.ask("SELECT 1 FROM attempts WHERE call_id = ?", call.id)
            if is_its and not ours and looked - call.created_at < timedelta(days=6):
                yield f"{number} rang for {campaign}, whose agent had called it: {call.id}"

    # -- the journal

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()

    async def write(self, work: Any) -> Any:
        async with await SqliteJournal.open(self.path, clock=self.wall) as journal:
            return await work(journal)

    # -- what happens

    @initialize(
        delivery=st.sampled_from(["at_most_once", "reconciled"]),
        has_webhooks=st.sampled_from([True, True, False]),
    )
    def begin(self, delivery: str, has_webhooks: bool) -> None:
        self.delivery, self.has_webhooks = delivery, has_webhooks
        self.serving = Process()

        async def begin() -> None:
            self.inbox = await SqliteJournal.open(self.path, clock=self.wall)
            self.receiver = Receiver(self.inbox, SECRETS, clock=self.wall)

        self.loop.run_until_complete(self.in_process(self.serving, begin()))

    @rule(
        name=st.sampled_from(sorted(LISTS)),
        seconds=st.sampled_from([0.02, 0.1, 5]),
        faults=st.lists(st.sampled_from(sorted(FAULTS)), max_size=3),
    )
    def start(self, name: str, seconds: float, faults: list[str]) -> None:
        self.server.faults += faults
        if name not in self.running:
            self.paused.pop(name, None)  # to run it is to let it go on
            self.run(name)
        self.pass_time(seconds)

    @rule(seconds=st.sampled_from([0.003, 0.01, 0.03, 0.1, 2, 61, 600, 2400, 4000]))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(hours=st.sampled_from([1, 5, 26]))
    def sleep(self, hours: int) -> None:
        """The dialing machine sleeps, and the world goes on."""
        self.slept += timedelta(hours=hours)
        self.pass_time(61)

    @rule(minutes=st.sampled_from([-20, 0, 39]))
    def set_clock(self, minutes: int) -> None:
        """The dialing machine's clock jumps."""
        self.skews.append((self.true(), timedelta(minutes=minutes)))

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1), seconds=st.sampled_from([0, 0.003, 0.01, 0.03, 0.05]))
    def crash(self, which: int, seconds: float) -> None:
        """A process is killed, at whatever it does."""
        self.pass_time(seconds)
        if self.running:
            name = sorted(self.running)[which % len(self.running)]
            dialing = self.running.pop(name)
            dialing.process.die(self.loop, dialing.task)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1), seconds=st.sampled_from([0, 0.003, 0.01, 0.03, 0.05]))
    def leave(self, which: int, seconds: float) -> None:
        """A process is cancelled at whatever it does, and may still write down what is proven."""
        self.pass_time(seconds)
        if self.running:
            name = sorted(self.running)[which % len(self.running)]
            dialing = self.running.pop(name)
            dialing.task.cancel()
            self.loop.run_until_complete(asyncio.wait([dialing.task]))

    @rule(fault=st.sampled_from(sorted(FAULTS)), count=st.integers(1, 3))
    def fail(self, fault: str, count: int) -> None:
        self.server.faults += [fault] * count

    @rule(outcome=st.sampled_from(["COMPLETED", "NO_ANSWER", "FAILED"]), lasts=st.integers(0, 9))
    def calls_end(self, outcome: str, lasts: int) -> None:
        """From now on calls last so many minutes, and end so."""
        self.server.outcome, self.server.lasts = outcome, timedelta(minutes=lasts)

    @rule(minutes=st.sampled_from([0, 1, 10]))
    def list_lags(self, minutes: int) -> None:
        self.server.lag = timedelta(minutes=minutes)

    @rule()
    def list_breaks_or_is_mended(self) -> None:
        self.server.is_list_down = not self.server.is_list_down

    @rule(number=st.sampled_from(NUMBERS), agent=st.sampled_from([AGENT, OTHER_AGENT]))
    def others_call(self, number: str, agent: str) -> None:
        before, self.server.outcome = self.server.outcome, "COMPLETED"
        self.server.ring(number, agent)
        self.server.outcome = before

    @precondition(lambda self: self.has_webhooks and self.rings)
    @rule(
        which=st.integers(0, 30),
        event=st.sampled_from(["call.started", "call.ended"]),
        times=st.integers(1, 2),
        proof=st.sampled_from(["its own", "its own", "its own", "another call's", "nobody's"]),
        echoes=st.booleans(),
    )
    def webhook(self, which: int, event: str, times: int, proof: str, echoes: bool) -> None:
        """One comes: at any time, in any order, once or twice; the others are lost."""
        calls = [call for call in self.server.calls.values() if call.has_webhook]
        if not calls:
            return
        call = calls[which % len(calls)]
        assert call.reference is not None
        if event == "call.ended" and proof == "its own" and call.ends_at > self.true():
            return  # Hamsa does not say so before
        shown = call.reference if proof == "its own" else calls[which % 7 % len(calls)].reference
        secret = SECRETS.auth_for(str(shown)).auth_secret
        if proof == "nobody's":
            secret = f"{call.reference}.{'A' * 32}"
        status = self.do(self.deliver(told(call, event, echoes=echoes), secret, times))
        assert status == (401 if proof == "nobody's" else status)
        assert status in {200, 401}

    async def deliver(self, body: bytes, secret: str, times: int) -> int:
        status = 0
        for _ in range(times):
            chunks = [b"", body]

            async def next_chunk(chunks: list[bytes] = chunks) -> bytes:
                return chunks.pop()

            headers = {"Authorization": f"Token {secret}", "Content-Type": "application/json"}
            status = (await self.receiver.answer("POST", "/webhook", headers, next_chunk)).status
        return status

    @rule(number=st.sampled_from(NUMBERS))
    def is_not_to_be_called(self, number: str) -> None:
        self.briefly(self.write(lambda journal: journal.suppressions.add([number])))
        self.not_called.setdefault(number, self.true())

    @rule(name=st.sampled_from(sorted(LISTS)), what=st.sampled_from([None, *Asked]))
    def steer(self, name: str, what: Asked | None) -> None:
        async def steer(journal: SqliteJournal) -> bool:
            record = await journal.campaign(name)
            if record is not None:
                await journal.ask(record.id, what)
            return record is not None

        self.pass_time(0.1)  # to run it is to let it go on, a moment after that began
        if not self.briefly(self.write(steer)):
            return
        if what is None:
            self.paused.pop(name, None)
        else:
            self.paused.setdefault(name, self.true())
        self.pass_time(0.1)

    @rule(name=st.sampled_from([*sorted(LISTS), SINGLE_CALLS]))
    def reconcile(self, name: str) -> None:
        self.briefly(self.settle(name))

    async def settle(self, name: str) -> None:
        async with self.dialer() as dialer:
            record = await dialer.journal.campaign(name)
            if record is not None:
                await dialer.reconcile(record)

    @precondition(lambda self: not self.server.is_list_down)
    @rule(number=st.sampled_from(NUMBERS), dies_after=st.sampled_from([0, 0.004, 0.02, 0.03, 0.06]))
    def call_one(self, number: str, dies_after: float) -> None:
        """`hamsa call`, which is killed after that time, or comes to its end (0)."""

        async def call() -> None:
            async with self.dialer() as dialer, single_call(dialer.journal) as single:
                await single.look_first(self.server, AGENT)
                request = CallRequest(to_number=number, voice_agent_id=AGENT)
                await single.place(self.server, request, config=self.server.config)

        process = Process()
        with mock.patch("hamsa_async.dialer.single.utc_now", self.wall):
            task = self.in_process(process, call())
            if dies_after:
                self.loop.run_until_complete(asyncio.wait([task], timeout=dies_after))
                process.die(self.loop, task)
            else:
                self.loop.run_until_complete(task)

    # -- what must hold

    @invariant()
    def nobody_rings_who_must_not(self) -> None:
        assert not self.broken, "; ".join(self.broken)

    @invariant()
    def the_journal_is_sound(self) -> None:
        if self.path.exists():
            assert self.do(self.inbox.problems()) == []

    @invariant()
    def every_row_is_in_one_state(self) -> None:
        if not self.path.exists():
            return
        counted = self.ask(
            "SELECT p.name, p.loaded, count(*), count(DISTINCT c.key) FROM campaigns AS p"
            " JOIN contacts AS c ON c.campaign = p.id GROUP BY p.name"
        )
        for name, loaded, rows, keys in counted:
            if loaded and name in LISTS:
                assert (rows, keys) == (len(LISTS[name]),) * 2

    @invariant()
    def events_keep_to_the_tables(self) -> None:
        """What was told, told again to the state tables, gives the states of the journal."""
        if not self.path.exists():
            return
        for number, kind, contact, attempt, data in self.ask(
            "SELECT number, kind, contact, attempt, data FROM events WHERE number > ?"
            " ORDER BY number",
            self.events,
        ):
            self.events = number
            again = bool(data) and json.loads(data).get("again", False)
            self.replay(EventKind(kind), contact, attempt, again=again)
        for contact, name, state in self.ask(
            "SELECT c.id, p.name, c.state FROM contacts AS c"
            " JOIN campaigns AS p ON p.id = c.campaign"
        ):
            told = self.contacts.get(contact, ContactState.PENDING)
            is_withdrawn = name == SINGLE_CALLS and (told, state) == ("pending", "skipped")
            assert state == told or is_withdrawn, f"contact {contact} is {state}, not {told}"
        states = dict(self.ask("SELECT id, state FROM attempts"))
        assert states.keys() == self.attempts.keys()
        for attempt, state in states.items():
            assert state in self.attempts[attempt], f"{attempt} is {state}"

    def replay(
        self, kind: EventKind, contact: int | None, attempt: str | None, *, again: bool
    ) -> None:
        if kind not in SAYS or contact is None:
            assert contact is None or kind is EventKind.CORRECTED
            return
        happening, attempt_states = SAYS[kind]
        if again:
            happening = AGAIN.get(happening, happening)
        before = self.contacts.get(contact, ContactState.PENDING)
        assert happening in CONTACT_MOVES[before], f"a contact that is {before} cannot be {kind}"
        self.contacts[contact] = CONTACT_MOVES[before][happening]
        if not attempt_states:
            return
        assert attempt is not None
        if kind in {EventKind.INTENDED, EventKind.TAKEN_OVER}:
            assert attempt not in self.attempts, f"{attempt} was {kind} twice"
        else:
            was = self.attempts[attempt]
            attempt_states = {each for each in attempt_states if ATTEMPT_MOVES_TO[each] & was}
            assert attempt_states, f"an attempt that is {was} cannot be {kind}"
        self.attempts[attempt] = attempt_states

    # -- the end

    def teardown(self) -> None:
        try:
            if self.path.exists():
                self.let_all_evidence_in()
        finally:
            for dialing in self.running.values():
                dialing.process.die(self.loop, dialing.task)
            if self.path.exists():
                self.serving.die(self.loop)
            self.loop.pass_time(100)  # what is on its way arrives
            self.loop.close()
            self.open.close()

    def let_all_evidence_in(self) -> None:
        """Nothing fails any more: everybody is called or accounted for, and no doubt is left."""
        self.server.faults.clear()
        self.server.is_list_down = False
        self.server.lag = timedelta(0)
        self.skews.append((self.true(), timedelta(0)))
        self.server.lasts, self.server.outcome = timedelta(minutes=1), "COMPLETED"
        for dialing in self.running.values():
            dialing.process.die(self.loop, dialing.task)
        self.running.clear()
        for _ in range(6):
            self.slept += timedelta(hours=6)
            for name in LISTS:
                self.paused.pop(name, None)
                self.loop.run_until_complete(self.run(name, wait=False).task)
                self.pass_time(120)
            for name in (*LISTS, SINGLE_CALLS):
                self.briefly(self.settle(name))
            self.slept += timedelta(minutes=30)
            for name in (*LISTS, SINGLE_CALLS):
                self.briefly(self.settle(name))
        for call in self.server.calls.values():  # as late as can be, and after the end
            if call.has_webhook and call.reference is not None:
                secret = SECRETS.auth_for(call.reference).auth_secret
                event = told(call, "call.started", echoes=True)
                assert self.do(self.deliver(event, secret, 2)) == 200
        self.events_keep_to_the_tables()
        for name in LISTS:
            self.loop.run_until_complete(self.run(name, wait=False).task)
        self.nobody_rings_who_must_not()
        self.the_journal_is_sound()
        self.every_row_is_in_one_state()
        self.events_keep_to_the_tables()
        self.everybody_is_accounted_for()

    def everybody_is_accounted_for(self) -> None:
        rows: dict[str, int] = defaultdict(int)
        for name, state, reason in self.ask(
            "SELECT p.name, c.state, c.reason FROM contacts AS c"
            " JOIN campaigns AS p ON p.id = c.campaign"
        ):
            rows[name] += 1
            held = state in {"deferred", "retry"} and reason == "number_open"
            assert state in FINAL or held, f"a contact of {name} is {state} ({reason}) at the end"
        owners = dict(self.ask("SELECT call_id, state FROM attempts WHERE call_id IS NOT NULL"))
        for call in self.server.calls.values():
            if call.reference is not None:
                assert owners.get(call.id) == "ended", f"{call.id} rang and is {owners}"
        # A call that carries nothing may be taken for the one of an attempt; another's never.
        for attempt, call_id in self.ask("SELECT id, call_id FROM attempts WHERE state = 'ended'"):
            assert self.server.calls[call_id].reference in {attempt, None}

        async def findings(journal: SqliteJournal) -> list[str]:
            found: list[str] = []
            for record in await journal.campaigns():
                proof = await verify(journal, record, self.server, rows=rows[record.name])
                found += proof.findings
            # Rightly found of calls that others placed where no look could show them; the gap
            # is judged here by what could be known.
            return [each for each in found if "against min_gap of safety" not in each]

        found = self.briefly(self.write(findings))
        assert not found, "; ".join(found)


class TestDialer(DialerMachine.TestCase):  # type: ignore[name-defined,misc]
    """As much as fits into the suite."""

    settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


@pytest.mark.slow
class TestDialerForLong(DialerMachine.TestCase):  # type: ignore[name-defined,misc]
    """As long as one has patience."""

    settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
