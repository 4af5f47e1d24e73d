"""Erasing data: a person's who asks for it, and what is old. The judge is the file's bytes."""

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from hamsa_async._settling import read_number
from hamsa_async.dialer import Row, SqliteJournal
from hamsa_async.dialer.events import EventKind
from hamsa_async.dialer.journal import erasure, forgetting, overwriting, purging, staging
from hamsa_async.dialer.journal.dialing import DNC
from hamsa_async.dialer.journal.pseudonyms import DETAIL, is_pseudonym
from hamsa_async.dialer.journal.records import (
    Barred,
    CallEnd,
    Held,
    SeenCall,
    Settlement,
    Verdict,
)
from hamsa_async.dialer.journal.schema import MIGRATIONS, open_database
from hamsa_async.dialer.machine import DIALABLE, AttemptState, ContactState, Happening
from hamsa_async.dialer.retries import Retries
from hamsa_async.errors import ConfigurationError, JournalError
from hamsa_async.webhooks.deliveries import deliver

PERSON = "+971501234567"
OTHERS = [f"+97150{7_000_000 + at}" for at in range(20)]
NAME, NOTE, CRM = "ساره Zebrowska", "likes green tea", "crm-77120"
SAID, LINK, WISH = "my dog is called Rumpel", "https://example.invalid/rec/9.wav", "call my sister"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
FROZEN = sorted((Path(__file__).parents[2] / "journals").glob("v[123].db"))
NEVER = Retries.read([], max_attempts=1)

NEEDLES = {
    "E.164": PERSON,
    "digits": PERSON[1:],
    "national": "0501234567",
    "as written": "050 123-4567",
    "name": NAME,
    "name in JSON": json.dumps(NAME)[1:-1],
    "note": NOTE,
    "contact_id": CRM,
    "said": SAID,
    "link": LINK,
    "wish": WISH,
}


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def found_in(path: Path) -> set[str]:
    """What of the person is in the bytes of the journal's files."""
    # By another process: this one would let go of its locks when it closes the file.
    files = [f"{path}{end}" for end in ("", "-wal", "-shm") if Path(f"{path}{end}").exists()]
    content = subprocess.run(["cat", *files], capture_output=True, check=True).stdout
    return {name for name, needle in NEEDLES.items() if needle.encode() in content}


@attrs.define
class Stocked:
    """A journal that has something of the person in every place where it can."""

    journal: SqliteJournal
    clock: Clock
    path: Path
    campaigns: dict[str, int] = attrs.field(factory=dict)

    async def load(self, name: str, rows: list[Row]) -> None:
        record = await self.journal.campaign(name) or await self.journal.add_campaign(name, {})
        self.campaigns[name] = record.id
        await self.journal.stage(record.id, rows, first=True)
        await self.journal.take_over(record.id, {})

    async def dial(self, name: str, number: str, attempt: str, end: Settlement | None) -> Any:
        campaign = self.campaigns[name]
        candidate = await self.journal.contact(campaign, number)
        assert candidate is not None
        answer = await self.journal.intend(campaign, candidate, attempt)
        if end is not None:
            await self.journal.settle(campaign, candidate, attempt, end)
        return answer

    async def end(self, name: str, attempt: str, call_id: str) -> None:
        seen = CallEnd(
            call_id=call_id,
            outcome="completed",
            ended_at=self.clock.now,
            duration=61.5,
            cost=0.25,
            recording=LINK,
            transcript=[{"Agent": "hello"}, {"User": SAID}],
            result={"wish": WISH, "name": NAME},
        )
        await self.journal.end_call(self.campaigns[name], attempt, seen, NEVER)

    async def hear(self, call_id: str | None, reference: str | None, **more: Any) -> None:
        body = {
            "eventType": "call.ended",
            "callId": call_id,
            "data": {"data": {"transcription": [{"User": SAID}], **more}},
        }
        await self.journal.put(
            deliver(json.dumps(body).encode(), reference=reference, now=self.clock.now)
        )

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()

    def counts(self) -> list[tuple[Any, ...]]:
        """Everything that adds up."""
        return [
            self.ask("SELECT campaign, count(*), sum(attempts) FROM contacts GROUP BY campaign"),
            self.ask("SELECT campaign, state, outcome, count(*) FROM attempts GROUP BY 1, 2, 3"),
            self.ask("SELECT count(*), sum(cost), sum(duration) FROM calls"),
            self.ask("SELECT count(*) FROM suppressed WHERE source <> 'forgotten'"),
            self.ask("SELECT count(*) FROM inbox"),
        ]


def placed(call_id: str, ends_by: datetime = NOW + timedelta(minutes=25)) -> Settlement:
    return Settlement(
        state=AttemptState.PLACED, happening=Happening.PLACED, call_id=call_id, ends_by=ends_by
    )


REFUSED = Settlement(
    state=AttemptState.REFUSED,
    happening=Happening.REFUSED,
    status=400,
    reason=f"no voice for {NOTE}",
)


def person(row: int, **more: Any) -> Row:
    params = {"name": NAME, "note": NOTE}
    return Row(row=row, phone_number=PERSON, contact_id=CRM, params=params, **more)


def others(*numbers: str, start: int = 10) -> list[Row]:
    return [
        Row(row=row, phone_number=number, contact_id=f"o{row}", params={"name": f"other {row}"})
        for row, number in enumerate(numbers, start=start)
    ]


@pytest.fixture
async def stocked(path: Path) -> AsyncIterator[Stocked]:
    clock = Clock()
    async with await SqliteJournal.open(path, clock=clock) as journal:
        made = Stocked(journal, clock, path)
        raw = Row(
            row=3,
            phone_number="050 123-4567",
            params={"name": NAME},
            state="invalid",
            reason="needs_country",
            detail="No country.",
        )
        await made.load("called", [person(1), person(2), raw, *others(*OTHERS[:5])])
        await made.load("refused", [person(1), *others(OTHERS[5])])
        await made.load("waiting", [person(1), *others(OTHERS[6])])
        await made.load("later", [person(1, state="deferred", reason="not_before", due_at=NOW)])
        await made.dial("called", PERSON, "att_1", placed("call-1"))
        await made.dial("called", OTHERS[0], "att_2", placed("call-2"))
        clock.now += timedelta(minutes=5)
        await made.end("called", "att_1", "call-1")
        await made.end("called", "att_2", "call-2")
        clock.now += timedelta(hours=2)
        await made.dial("refused", PERSON, "att_3", REFUSED)
        await journal.suppressions.add([PERSON, OTHERS[9]], source="tdra")
        await journal.note_calls(made.campaigns["refused"], "agent", [seen(PERSON, "theirs")])
        await made.hear("call-1", "att_1", outcomeResult={"wish": WISH, "name": NAME})
        await made.hear("call-1", None)
        await made.hear("call-9", None, toNumber=PERSON)
        await made.hear("call-2", "att_2")
        yield made


def seen(number: str, call_id: str) -> SeenCall:
    return SeenCall(
        call_id=call_id,
        phone_number=number,
        agent_id=None,
        listed_at=NOW,
        placed_at=NOW,
        ends_by=NOW,
        status="completed",
        duration=10.0,
    )


@contextlib.contextmanager
def somebody_else(path: Path, also: str = "") -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the journal open."""
    script = f"""
        import asyncio, sys
        from hamsa_async.dialer import SqliteJournal

        async def main():
            async with await SqliteJournal.open({str(path)!r}) as journal:
                print([record.name for record in await journal.campaigns()], flush=True)
                {also or "pass"}
                await asyncio.to_thread(sys.stdin.readline)

        asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.communicate("\n")
    assert process.returncode == 0


async def test_a_person_is_in_no_byte_any_more(stocked: Stocked) -> None:
    """Not in the file, its log or its index, whoever else has it open; the counts are the same."""
    before = stocked.counts()
    assert found_in(stocked.path) == {*NEEDLES} - {"national"}
    with somebody_else(stocked.path):
        forgotten = await stocked.journal.erasure.forget(PERSON)
        assert await stocked.journal.erasure.overwrite()
        # What others were told is told of others, and the number is nowhere.
        assert found_in(stocked.path) == {"said", "link", "wish", "name"}
        left = stocked.ask("SELECT transcript, recording, result FROM calls WHERE id = 'call-2'")
        assert SAID in left[0][0]
    assert stocked.counts() == before
    assert attrs.asdict(forgotten) == {
        "rows": 6,
        "campaigns": 4,
        "attempts": 2,
        "calls": 2,
        "deliveries": 3,
        "suppressions": 1,
        "again": False,
    }
    assert await stocked.journal.problems() == []


async def test_nothing_said_is_left_where_nobody_else_said_it(stocked: Stocked) -> None:
    """The same, when what the other one was told is let go too: every needle is gone."""
    await stocked.journal.erasure.forget(PERSON)
    await stocked.journal.erasure.forget(OTHERS[0])
    assert await stocked.journal.erasure.overwrite()
    assert found_in(stocked.path) == set()
    # Closed, the log is written over to the file.
    await stocked.journal.aclose()
    assert found_in(stocked.path) == set()


async def test_a_forgotten_row_is_shown_as_such(stocked: Stocked) -> None:
    """Rows stay, with state, outcome and costs; whoever was to be called is skipped."""
    await stocked.journal.erasure.forget(PERSON)
    rows = [
        (name, row)
        for name, campaign in stocked.campaigns.items()
        async for row in stocked.journal.rows(campaign)
        if is_pseudonym(row.phone_number)
    ]
    assert [(name, row.row, str(row.state), row.reason) for name, row in rows] == [
        ("called", 1, "done", None),
        ("called", 2, "skipped", "duplicate_in_file"),
        ("called", 3, "invalid", "needs_country"),
        ("refused", 1, "refused", "forgotten"),
        ("waiting", 1, "skipped", DNC),
        ("later", 1, "skipped", DNC),
    ]
    assert {row.detail for _, row in rows} == {DETAIL}
    assert {row.contact_id for _, row in rows} == {None}
    done = rows[0][1]
    assert (done.outcome, done.duration, done.cost) == ("completed", 61.5, 0.25)
    assert (done.recording, done.result) == (None, None)
    assert len({row.phone_number for _, row in rows}) == 1
    told = [
        (event.campaign, event.row, event.kind)
        async for event in stocked.journal.events(after=0)
        if event.kind in {EventKind.FORGOTTEN, EventKind.SKIPPED}
    ]
    assert [told.count((name, row.row, EventKind.FORGOTTEN)) for name, row in rows] == [1] * 6
    assert ("waiting", 1, EventKind.SKIPPED) in told


MEANWHILE = f"""
    INSERT INTO contacts (campaign, key, row, phone_number, params, state)
        VALUES (1, 'late', 77, '{PERSON}', '{{}}', 'pending');
    INSERT INTO inbox (key, at, body) VALUES ('late', 0, '{PERSON}');
    INSERT INTO calls (id, phone_number, placed_at, looked_at) VALUES ('late', '{PERSON}', 0, 0);
    INSERT INTO events (at, kind, campaign, contact, data)
        SELECT 0, 'returned', 1, id, '{{"reason":"for {NOTE}"}}' FROM contacts
        WHERE phone_number = '{PERSON}' AND state = 'done';
"""


async def test_what_comes_between(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down after the search and before the erasing is erased with the rest."""

    def searched(connection: sqlite3.Connection, person: Any, *, beyond: Any) -> Any:
        found = forgetting.find(connection, person, beyond=beyond)
        with contextlib.closing(sqlite3.connect(stocked.path)) as other:
            other.executescript(MEANWHILE)
        return found

    monkeypatch.setattr(erasure, "find", searched)
    assert (await stocked.journal.erasure.forget(PERSON)).rows == 7
    monkeypatch.undo()
    await stocked.journal.erasure.forget(OTHERS[0])
    assert await stocked.journal.erasure.overwrite()
    assert found_in(stocked.path) == set()


async def test_to_forget_again_is_harmless(stocked: Stocked) -> None:
    """Nothing more is there, and nothing changes."""
    await stocked.journal.erasure.forget(PERSON)
    before = stocked.ask("SELECT * FROM contacts"), stocked.ask("SELECT * FROM events")
    again = await stocked.journal.erasure.forget(PERSON)
    assert (again.rows, again.calls, again.deliveries, again.again) == (0, 0, 0, True)
    assert (stocked.ask("SELECT * FROM contacts"), stocked.ask("SELECT * FROM events")) == before


async def test_a_person_of_whom_nothing_is_known(journal: SqliteJournal) -> None:
    """Whom no campaign ever had is forgotten too: nobody calls them."""
    forgotten = await journal.erasure.forget(PERSON)
    assert (forgotten.rows, forgotten.again) == (0, False)
    assert [each.source for each in await journal.suppressions.find(PERSON)] == ["forgotten"]


# -- still not called


async def test_who_was_forgotten_is_not_called(stocked: Stocked) -> None:
    """Not by a list, not by a single call, not by a dialer that read the contact before."""
    campaign = stocked.campaigns["waiting"]
    early = await stocked.journal.contact(campaign, PERSON)
    assert early is not None
    await stocked.journal.erasure.forget(PERSON)
    assert await stocked.journal.intend(campaign, early, "att_8") == Held(event=None)
    single = await stocked.journal.intend_single(campaign, "att_9", PERSON)
    assert single == Barred(reason=DNC)
    history = await stocked.journal.history(PERSON)
    assert history.suppressed_since == stocked.clock.now
    assert len(history.calls) == 2  # explained as ever
    assert await stocked.journal.standing_of(campaign, PERSON) == ("skipped", DNC)
    explained = await stocked.journal.contact(campaign, PERSON)
    assert explained is not None
    assert (explained.id, explained.phone_number, explained.params) == (early.id, PERSON, {})
    assert await stocked.journal.standing_of(campaign, OTHERS[6]) == ("pending", None)


async def test_the_intent_asks_for_itself(stocked: Stocked, raw: sqlite3.Connection) -> None:
    """A row with the number, however it came into the journal, is skipped when it gets its turn."""
    await stocked.journal.erasure.forget(PERSON)
    campaign = stocked.campaigns["waiting"]
    raw.execute(
        "INSERT INTO contacts (campaign, key, row, phone_number, params, state)"
        " VALUES (?, 'x', 99, ?, '{}', 'pending')",
        (campaign, PERSON),
    )
    candidate = await stocked.journal.contact(campaign, OTHERS[6])
    (found,) = [
        each
        for each in await stocked.journal.pending(campaign, after=0, limit=9)
        if each.phone_number == PERSON
    ]
    held = await stocked.journal.intend(campaign, found, "att_8")
    assert isinstance(held, Held)
    assert held.event is not None
    assert held.event.data == {"reason": DNC}
    assert candidate is not None
    assert not isinstance(await stocked.journal.intend(campaign, candidate, "att_9"), Held)


async def test_the_same_list_again_is_the_same(stocked: Stocked) -> None:
    """A campaign is resumed with its list as it was: nothing differs, and nothing comes back."""
    await stocked.journal.erasure.forget(PERSON)
    rows = [person(1), *others(OTHERS[6])]
    campaign = stocked.campaigns["waiting"]
    await stocked.journal.stage(campaign, rows, first=True)
    staged = await stocked.journal.staged(campaign)
    assert not staged.difference
    assert staged.usable == 1
    await stocked.journal.take_over(campaign, {})
    assert await stocked.journal.erasure.overwrite()
    assert "digits" not in found_in(stocked.path)
    # With the row taken out, as it should be, it is no other list either.
    await stocked.journal.stage(campaign, others(OTHERS[6]), first=True)
    assert not (await stocked.journal.staged(campaign)).difference


async def test_a_later_list_skips_them(stocked: Stocked) -> None:
    """Their row is there, so that the counts add up, and has nothing of them."""
    await stocked.journal.erasure.forget(PERSON)
    await stocked.load("new", [person(1), *others(OTHERS[7]), person(20)])
    rows = [row async for row in stocked.journal.rows(stocked.campaigns["new"])]
    assert [(row.row, str(row.state), row.reason) for row in rows] == [
        (1, "skipped", DNC),
        (10, "pending", None),
        (20, "skipped", DNC),
    ]
    assert [row.detail for row in rows] == [DETAIL, None, DETAIL]
    assert await stocked.journal.erasure.overwrite()
    assert not {"digits", "note", "contact_id"} & found_in(stocked.path)
    assert await stocked.journal.problems() == []


async def test_an_appended_list_skips_them(stocked: Stocked) -> None:
    """They are seen where the campaign has what is left of them, else skipped, once."""
    await stocked.journal.erasure.forget(PERSON)
    await stocked.load("new", others(OTHERS[7]))
    given = [person(1, consent_source="web", priority=3), *others(OTHERS[8], start=2), person(3)]
    for name, new in (("waiting", 1), ("new", 3), ("new", 0)):
        campaign = stocked.campaigns[name]
        async with stocked.journal.appending(campaign) as stage:
            await stage.add(given)
            staged = await stage.look()
            assert (staged.new, staged.seen) == (new, 3 - new)
            assert (await stage.take_over("more.csv")).data["new"] == new
    rows = [row async for row in stocked.journal.rows(stocked.campaigns["new"])]
    assert [(row.list_number, row.row, str(row.state), row.detail) for row in rows] == [
        (1, 10, "pending", None),
        (2, 1, "skipped", DETAIL),
        (2, 2, "pending", None),
        (2, 3, "skipped", DETAIL),
    ]
    assert await stocked.journal.erasure.overwrite()
    assert not {"digits", "note", "contact_id"} & found_in(stocked.path)
    assert await stocked.journal.problems() == []


async def test_forgotten_while_a_list_is_appended(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, of whoever is forgotten after the list was looked at."""
    monkeypatch.setattr(staging, "CHUNK", 2)
    await stocked.load("new", others(OTHERS[7]))
    campaign = stocked.campaigns["new"]
    async with stocked.journal.appending(campaign) as stage:
        await stage.add([*others(*OTHERS[10:15], start=2), person(30)])
        await stage.look()
        await stocked.journal.erasure.forget(PERSON)
        await stage.take_over(None)
    assert not stocked.ask("SELECT 1 FROM contacts WHERE phone_number = ?", PERSON)
    rows = [row async for row in stocked.journal.rows(campaign)]
    assert [(row.row, row.reason) for row in rows if is_pseudonym(row.phone_number)] == [(30, DNC)]
    assert await stocked.journal.problems() == []


async def test_forgotten_while_a_list_is_taken_over(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is forgotten after a list was looked at is not written down by its later chunks."""
    monkeypatch.setattr(staging, "CHUNK", 5)
    campaign = stocked.campaigns["waiting"]
    rows = [person(1), *others(*OTHERS[10:15], start=2), person(30), *others(OTHERS[6], start=31)]
    await stocked.journal.stage(campaign, rows, first=True)
    await stocked.journal.staged(campaign)
    await stocked.journal.erasure.forget(PERSON)
    await stocked.journal.take_over(campaign, {})
    assert not stocked.ask("SELECT 1 FROM contacts WHERE phone_number = ?", PERSON)
    assert [
        (row.row, row.reason)
        async for row in stocked.journal.rows(campaign)
        if is_pseudonym(row.phone_number)
    ] == [(1, DNC), (30, DNC)]
    assert await stocked.journal.problems() == []


async def test_forgotten_while_a_list_without_them_is_taken_over(stocked: Stocked) -> None:
    """A row that is gone from the new list is not withdrawn once its person was forgotten."""
    campaign = stocked.campaigns["waiting"]
    await stocked.journal.stage(campaign, others(OTHERS[6]), first=True)
    assert (await stocked.journal.staged(campaign)).difference.gone == 1
    await stocked.journal.erasure.forget(PERSON)
    await stocked.journal.take_over(campaign, {})
    assert await stocked.journal.standing_of(campaign, PERSON) == ("skipped", DNC)


async def test_what_comes_late_is_not_kept(stocked: Stocked) -> None:
    """Webhooks, the project's list, a register: none brings anything of the person back."""
    await stocked.journal.erasure.forget(PERSON)
    await stocked.journal.erasure.forget(OTHERS[0])
    await stocked.hear("call-1", "att_1", outcomeResult={"late": WISH})
    await stocked.hear("call-1", None, more=NOTE)
    started = {"eventType": "call.started", "callId": "c", "data": {"data": {"toNumber": PERSON}}}
    await stocked.journal.put(
        deliver(json.dumps(started).encode(), reference=None, now=stocked.clock.now)
    )
    await stocked.journal.note_calls(1, "agent", [seen(PERSON, "another")])
    added = await stocked.journal.suppressions.add([PERSON, OTHERS[8]], source="tdra")
    assert added == 1  # it names them already
    # An end that is seen after all, of a call that nobody waited for any more.
    with contextlib.closing(sqlite3.connect(stocked.path)) as connection, connection:
        connection.execute("UPDATE attempts SET outcome = 'unseen' WHERE id = 'att_1'")
        connection.execute("UPDATE contacts SET outcome = 'unseen' WHERE call_id = 'call-1'")
    await stocked.end("called", "att_1", "call-1")
    assert stocked.ask("SELECT outcome FROM attempts WHERE id = 'att_1'") == [("completed",)]
    assert await stocked.journal.erasure.overwrite()
    assert found_in(stocked.path) == set()
    # Others' events are kept as they come.
    await stocked.hear("call-77", "att_77")
    assert stocked.ask("SELECT count(*) FROM inbox WHERE length(body) > 0") == [(1,)]


async def test_a_register_that_names_them_no_more(stocked: Stocked) -> None:
    """The hash outlives every register, and only a word about this very number takes it away."""
    await stocked.journal.erasure.forget(PERSON)
    listed = stocked.journal.suppressions
    assert [each.source for each in await listed.find(PERSON)] == ["forgotten", "tdra"]

    async def chunks() -> AsyncIterator[list[str]]:
        yield [OTHERS[9]]

    gone = await listed.take_over(chunks(), source="tdra", dated_at=NOW, replace=True)
    assert gone == (0, 1)
    assert [each.source for each in await listed.find(PERSON)] == ["forgotten"]
    with pytest.raises(ConfigurationError, match="choose another"):
        await listed.add([OTHERS[0]], source="forgotten")
    await listed.remove(PERSON)
    assert await listed.find(PERSON) == []


async def test_a_person_who_comes_back(stocked: Stocked) -> None:
    """Taken off the list they are called for a new row, never for an old one."""
    await stocked.journal.erasure.forget(PERSON)
    await stocked.journal.suppressions.remove(PERSON)
    campaign = stocked.campaigns["waiting"]
    await stocked.journal.judge_again(campaign)
    assert await stocked.journal.contact(campaign, PERSON) is None
    await stocked.load("waiting", [person(1), *others(OTHERS[6])])
    candidate = await stocked.journal.contact(campaign, PERSON)
    assert candidate is not None
    assert candidate.params["name"] == NAME
    assert (await stocked.journal.erasure.forget(PERSON)).rows == 1
    assert await stocked.journal.problems() == []
    assert not stocked.ask("SELECT 1 FROM contacts WHERE phone_number = ?", PERSON)


# -- who cannot be forgotten yet


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (None, "is placing a call"),
        (placed("call-5", NOW + timedelta(days=1)), "2026-12-02 12:00 UTC, when it must be over"),
        (
            Settlement(state=AttemptState.UNKNOWN, happening=Happening.LOST, reason="?"),
            "hamsa campaign reconcile waiting att_5 --placed",
        ),
    ],
)
async def test_a_call_that_may_be_under_way(
    stocked: Stocked, end: Settlement | None, says: str
) -> None:
    """Nothing is erased while the lock of an open attempt is the number; the way out is said."""
    await stocked.journal.suppressions.remove(PERSON)
    stocked.clock.now += timedelta(hours=1)
    answer = await stocked.dial("waiting", PERSON, "att_5", end)
    assert not isinstance(answer, Held)
    before = stocked.ask("SELECT * FROM contacts")
    with pytest.raises(JournalError, match=says) as caught:
        await stocked.journal.erasure.forget(PERSON)
    assert PERSON not in str(caught.value)
    assert stocked.ask("SELECT * FROM contacts") == before
    assert stocked.ask("SELECT key FROM erasing") == [(None,)]
    if end is None:
        return
    if end.state is AttemptState.PLACED:
        await stocked.hear("call-5", None)
        stocked.clock.now += timedelta(days=2)  # nobody saw its end, and it can last no longer
    else:
        verdict = Verdict(state=AttemptState.ABSENT, evidence={"kind": "word", "text": NOTE})
        await stocked.journal.settle_doubt(stocked.campaigns["waiting"], "att_5", verdict)
    assert (await stocked.journal.erasure.forget(PERSON)).rows == 6
    assert await stocked.journal.problems() == []
    assert NOTE not in str(stocked.ask("SELECT evidence FROM attempts"))
    assert stocked.ask("SELECT call_id FROM inbox WHERE length(body) > 0") == [("call-2",)]


# -- what is never changed


async def test_events_are_changed_in_nothing_else(
    stocked: Stocked, raw: sqlite3.Connection
) -> None:
    """Only the words of a reason, only to the one word, only of a forgotten person's events."""
    reason = "UPDATE events SET data = json_set(data, '$.reason', 'forgotten')"
    refused = f"{reason} WHERE kind = 'refused'"
    for statement in (refused, "DELETE FROM events", "UPDATE events SET at = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="only added"):
            raw.execute(statement)
    await stocked.journal.erasure.forget(PERSON)
    assert raw.execute("SELECT data FROM events WHERE kind = 'refused'").fetchall() == [
        ('{"status":400,"reason":"forgotten"}',)
    ]
    for statement in (
        "DELETE FROM events",
        "DELETE FROM events WHERE kind = 'forgotten'",
        "UPDATE events SET data = NULL WHERE kind = 'refused'",
        """UPDATE events SET data = '{"status":400,"reason":"x"}' WHERE kind = 'refused'""",
        f"{reason}, at = 0 WHERE kind = 'refused'",
        f"{reason}, kind = 'placed' WHERE kind = 'refused'",
        f"{reason}, contact = NULL WHERE kind = 'refused'",
        f"{reason}, attempt = NULL WHERE kind = 'refused'",
        f"{reason}, number = 999 WHERE kind = 'refused'",
        f"{reason} WHERE kind = 'list_loaded'",
        f"{reason} WHERE attempt = 'att_2' AND data IS NOT NULL",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="only added"):
            raw.execute(statement)


KEPT = {
    "attempts": "id campaign contact state intended_at settled_at call_id status placed_at ends_by"
    " ended_at outcome server_ahead looked_at declined_at",
    "calls": "id attempt placed_at status duration cost looked_at",
    "campaigns": "*",
    "contacts": "id campaign list row rank from_number agent_id state attempts max_attempts call_id"
    " outcome",
    "erasing": "*",
    "events": "number at kind campaign contact attempt",
    "identity": "*",
    "inbox": "number key at attempt call_id event taken_at",
    "lists": "*",
    "registers": "*",
    "runs": "*",
    "suppressed": "source since stamp",
}
ERASED = {
    "attempts": "phone_number reason evidence first_look zone zone_source",
    "calls": "phone_number recording transcript result",
    "contacts": "key contact_id phone_number params reason detail due_at not_before expires_at"
    " timezone consent consent_at consent_source erased_at",
    "events": "data",
    "inbox": "body",
    "suppressed": "phone_number",
}


async def test_every_column_was_thought_of(stocked: Stocked) -> None:
    """A column that is new is either one that a person is erased from, or one that may stay."""
    tables = [
        name for (name,) in stocked.ask("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    for table in tables:
        if table.startswith("sqlite_") or KEPT.get(table) == "*":
            continue
        columns = {name for _, name, *_ in stocked.ask(f"PRAGMA table_info({table})")}
        assert columns == {*KEPT[table].split(), *ERASED[table].split()}, table


# -- the bytes


async def test_every_connection_overwrites(stocked: Stocked) -> None:
    """What any of ours lets go of is overwritten at once, so that nothing is left for later."""
    setting = await stocked.journal._writer.write(
        lambda connection: connection.execute("PRAGMA secure_delete").fetchone()
    )
    assert setting == (1,)
    assert stocked.ask("SELECT overwritten FROM erasing") == [(1,)]


def old_journal(path: Path) -> None:
    """A journal of version 3 in whose unused parts somebody is left."""
    older = {version: MIGRATIONS[version] for version in (1, 2, 3)}
    with contextlib.closing(open_database(path, create=True, migrations=older)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("INSERT INTO campaigns VALUES (1, 'old', '{}', 1, 0, NULL, NULL)")
        for row in range(1, 400):
            connection.execute(
                "INSERT INTO contacts (campaign, key, row, phone_number, params, state)"
                " VALUES (1, ?, ?, ?, ?, 'pending')",
                (f"number:{row}", row, f"+97150{8_000_000 + row}", json.dumps({"note": "x" * 300})),
            )
            connection.execute(
                "INSERT INTO suppressed VALUES (?, 'old', 0, 0)", (f"+97150{9_000_000 + row}",)
            )
        connection.execute("INSERT INTO suppressed VALUES (?, ?, 0, 0)", (PERSON, NOTE))
        connection.execute(
            "UPDATE contacts SET key = ?, phone_number = ?, params = ? WHERE id = 200",
            (f"number:{PERSON}", PERSON, json.dumps({"name": NAME, "note": NOTE})),
        )
        connection.execute("UPDATE contacts SET params = '{}' WHERE id = 200")
        connection.execute("DELETE FROM suppressed WHERE source <> 'old'")


async def test_what_an_earlier_version_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is rewritten once, unless that would hold up those who dial: then it is said."""
    old_journal(path)
    async with await SqliteJournal.open(path) as journal:
        assert await journal.problems() == []
        forgotten = await journal.erasure.forget(PERSON)
        assert forgotten.rows == 1
        record = await journal.campaign("old")
        assert record is not None
        await journal.claim(record)
        monkeypatch.setattr(overwriting, "_QUICK", 0)
        done = await journal.erasure.overwrite()
        assert (done.log, done.pages, bool(done)) == (True, False, False)
        assert "note" in found_in(path)
        await journal.release(record)
        assert await journal.erasure.overwrite()
        assert found_in(path) == set()
        assert await journal.erasure.overwrite()
        assert [copy.name for copy in journal.erasure.copies()] == ["journal.db.v3.bak"]
        assert await journal.problems() == []


async def test_a_small_file_is_rewritten_at_once(path: Path) -> None:
    """A dialer waits for as long as that takes."""
    old_journal(path)
    async with await SqliteJournal.open(path) as journal:
        record = await journal.campaign("old")
        assert record is not None
        await journal.claim(record)
        await journal.erasure.forget(PERSON)
        assert await journal.erasure.overwrite()
        assert found_in(path) == set()


async def test_a_log_that_somebody_reads(
    stocked: Stocked, raw: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be emptied under them: that is said, and done when they have gone."""
    monkeypatch.setattr(overwriting, "_PATIENCE", 0.0)
    raw.execute("BEGIN")
    raw.execute("SELECT count(*) FROM contacts").fetchone()
    await stocked.journal.erasure.forget(PERSON)
    done = await stocked.journal.erasure.overwrite()
    assert (done.log, done.pages) == (False, True)
    assert "digits" in found_in(stocked.path)
    raw.execute("COMMIT")
    assert await stocked.journal.erasure.overwrite()
    assert "digits" not in found_in(stocked.path)


@pytest.mark.parametrize("frozen", FROZEN, ids=[path.stem for path in FROZEN])
async def test_in_a_journal_of_each_released_version(frozen: Path, path: Path) -> None:
    """A journal that an earlier release wrote is brought up to date, and forgets."""
    path.write_bytes(frozen.read_bytes())
    async with await SqliteJournal.open(path) as journal:
        record = await journal.campaign("frozen")
        assert record is not None
        before = await journal.counts(record.id)
        for number, state in (("+971501200003", "refused"), ("+971501200006", "skipped")):
            assert number.encode() in path.read_bytes()
            assert (await journal.erasure.forget(number)).rows == 1
            assert (await journal.standing_of(record.id, number) or ("",))[0] == state
            assert await journal.erasure.overwrite()
            assert number[1:].encode() not in path.read_bytes()
        # Before version 3 nobody wrote down when a call must be over: it is by now.
        if frozen.stem == "v3":
            with pytest.raises(JournalError, match="which looks for its end"):
                await journal.erasure.forget("+971501200001")
        with pytest.raises(JournalError, match="hamsa campaign reconcile frozen"):
            await journal.erasure.forget("+971501200005")
        after = await journal.counts(record.id)
        assert after == {**before, "pending": 1, "skipped": 2}
        assert await journal.problems() == []
        assert [copy.name for copy in journal.erasure.copies()] == [f"journal.db.{frozen.stem}.bak"]


# -- what has become old


async def age(stocked: Stocked, days: float = 100) -> None:
    stocked.clock.now += timedelta(days=days)


async def params_of(stocked: Stocked) -> Mapping[str, str]:
    return {
        f"{name}:{row}": params
        for name, row, params in stocked.ask(
            "SELECT p.name, c.row, c.params FROM contacts AS c JOIN campaigns AS p"
            " ON p.id = c.campaign"
        )
    }


async def test_what_is_old_is_let_go(stocked: Stocked) -> None:
    """Of those whom nothing more is done about; whoever is to be called keeps everything."""
    await age(stocked)
    before, kept = stocked.counts(), await params_of(stocked)
    purged = await stocked.journal.erasure.purge(timedelta(days=90))
    assert attrs.asdict(purged) == {"contacts": 5, "calls": 2, "deliveries": 4}
    assert stocked.counts() == before
    after = await params_of(stocked)
    gone = {name for name in kept if after[name] != kept[name]}
    assert gone == {"called:1", "called:2", "called:3", "called:10", "refused:1"}
    assert stocked.ask(
        "SELECT count(*) FROM contacts WHERE state = 'pending' AND params = '{}'"
    ) == [(0,)]
    # Numbers and contact_ids stay: by them nobody is called twice.
    assert stocked.ask("SELECT count(*) FROM contacts WHERE phone_number = ?", PERSON) == [(5,)]
    assert await stocked.journal.problems() == []
    again = await stocked.journal.erasure.purge(timedelta(days=90))
    assert attrs.asdict(again) == {"contacts": 0, "calls": 0, "deliveries": 0}


def test_what_is_final() -> None:
    """Nobody who may be called, or is being called, is let go."""
    moving = {ContactState.DIALING, ContactState.PLACED, ContactState.UNKNOWN, ContactState.REVIEW}
    assert {*ContactState} == purging.FINAL | DIALABLE | moving
    assert not purging.FINAL & (DIALABLE | moving)


async def test_what_is_let_go_is_in_no_byte_any_more(stocked: Stocked) -> None:
    """When the file's own rows have no more of it."""
    await age(stocked)
    for number, name in ((PERSON, "waiting"), (PERSON, "later")):
        candidate = await stocked.journal.contact(stocked.campaigns[name], number)
        assert candidate is not None
        await stocked.journal.hold(stocked.campaigns[name], [candidate])  # tdra: skipped
    await age(stocked)
    assert {"said", "link", "wish", "name", "note"} <= found_in(stocked.path)
    await stocked.journal.erasure.purge(timedelta(days=90))
    assert await stocked.journal.erasure.overwrite()
    assert found_in(stocked.path) == {"E.164", "digits", "as written", "contact_id", "note"}
    assert NOTE in str(stocked.ask("SELECT data FROM events"))  # the API's words, in an event


async def test_what_is_recent_stays(stocked: Stocked) -> None:
    """A contact is as old as the last thing that happened to it; an untouched row as its list."""
    await age(stocked, 80)
    await stocked.load("called", [person(1), *others(*OTHERS[:5]), *others(OTHERS[15], start=40)])
    await stocked.dial("waiting", OTHERS[6], "att_8", REFUSED)
    await age(stocked, 20)
    kept = await params_of(stocked)
    purged = await stocked.journal.erasure.purge(timedelta(days=90))
    after = await params_of(stocked)
    # Row 2, gone from the list, was withdrawn; what never was more than a row is as old as that.
    assert {name for name in kept if after[name] != kept[name]} == {
        "called:1",
        "called:10",
        "refused:1",
    }
    assert purged.contacts == 3


async def test_a_list_does_not_see_what_was_let_go(stocked: Stocked) -> None:
    """The campaign's list, sent again, is no other list, and gives nobody their params back."""
    raw = Row(
        row=3,
        phone_number="050 123-4567",
        params={"name": NAME},
        state="invalid",
        reason="needs_country",
    )
    rows = [person(1), person(2), raw, *others(*OTHERS[:5])]
    await age(stocked)
    await stocked.journal.erasure.purge(timedelta(days=90))
    before = await params_of(stocked)
    campaign = stocked.campaigns["called"]
    await stocked.journal.stage(campaign, rows, first=True)
    assert not (await stocked.journal.staged(campaign)).difference
    await stocked.journal.take_over(campaign, {})
    assert await params_of(stocked) == before


async def test_who_comes_back_brings_their_own(stocked: Stocked) -> None:
    """A row that was withdrawn and purged is a new one when a list has it again: with params."""
    campaign = stocked.campaigns["waiting"]
    await stocked.load("waiting", [person(1)])
    await age(stocked)
    await stocked.journal.erasure.purge(timedelta(days=90))
    assert (await params_of(stocked))["waiting:10"] == "{}"
    await stocked.load("waiting", [person(1), *others(OTHERS[6])])
    candidate = await stocked.journal.contact(campaign, OTHERS[6])
    assert candidate is not None
    assert candidate.params == {"name": "other 10"}
    assert await stocked.journal.problems() == []


async def test_other_rules_call_nobody_whose_params_are_gone(
    stocked: Stocked, raw: sqlite3.Connection
) -> None:
    """Whom a pack skipped is judged anew by another, unless there is nothing to tell the agent."""
    raw.execute("UPDATE contacts SET state = 'skipped', reason = 'no_timezone' WHERE row = 10")
    await age(stocked)
    await stocked.journal.erasure.purge(timedelta(days=90))
    campaign = stocked.campaigns["waiting"]
    await stocked.journal.judge_again(campaign)
    assert await stocked.journal.standing_of(campaign, OTHERS[6]) == ("skipped", "no_timezone")


async def test_what_is_still_open_keeps_its_events(stocked: Stocked) -> None:
    """What a webhook said of a call in doubt is evidence, however old."""
    lost = Settlement(state=AttemptState.UNKNOWN, happening=Happening.LOST, reason="?")
    await stocked.dial("waiting", OTHERS[6], "att_6", lost)
    await stocked.hear("call-6", "att_6")
    await age(stocked)
    await stocked.journal.erasure.purge(timedelta(days=90))
    assert stocked.ask("SELECT attempt FROM inbox WHERE length(body) > 0") == [("att_6",)]
    assert (await params_of(stocked))["waiting:10"] != "{}"


async def test_others_write_in_between(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes in chunks, and tells how far it is; between two of them anybody may write."""
    monkeypatch.setattr(purging, "CHUNK", 2)
    monkeypatch.setattr(erasure, "CHUNK", 2)
    await age(stocked)
    told: list[tuple[int, int]] = []
    writes: list[asyncio.Task[int]] = []

    def progress(done: int, of: int) -> None:
        told.append((done, of))
        add = stocked.journal.suppressions.add([OTHERS[done]], source="meanwhile")
        writes.append(asyncio.create_task(add))

    purged = await stocked.journal.erasure.purge(timedelta(days=90), progress=progress)
    assert purged.contacts == 5
    assert [done for done, _ in told] == list(range(1, told[0][1] + 1))
    assert sum(await asyncio.gather(*writes)) == len(told)


def test_what_stands_for_a_number_is_none() -> None:
    """It cannot be taken for one, nor dialed by whoever reads numbers."""
    assert read_number("forgotten:0123456789abcdef0123456789abcdef") is None


async def test_a_purged_list_that_is_appended_again(stocked: Stocked) -> None:
    """Nobody in it is new, its rows that are no contacts included."""
    await stocked.load("fresh", others(OTHERS[17], start=60))
    record = await stocked.journal.add_campaign("fresh", {})
    bad = Row(row=3, phone_number="junk", params={"note": NOTE}, state="invalid", reason="letters")
    for new in (3, 0, 0):
        async with stocked.journal.appending(record.id) as stage:
            await stage.add([person(1, state="skipped", reason="dnc"), *others(OTHERS[1]), bad])
            assert (await stage.look()).new == new
            await stage.take_over("more.csv")
        await age(stocked)
        await stocked.journal.erasure.purge(timedelta(days=90))
    assert (await params_of(stocked))["fresh:3"] == "{}"
