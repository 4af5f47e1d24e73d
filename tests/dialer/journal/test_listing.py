"""Lists on their way into a campaign: duplicates, differences, and a crash in between."""

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.journal import listing
from hamsa_async.dialer.journal.records import Settlement
from hamsa_async.dialer.machine import AttemptState, Happening
from hamsa_async.errors import JournalError

A, B, C, D = (f"+97150123456{digit}" for digit in range(4))

PLACED = Settlement(state=AttemptState.PLACED, happening=Happening.PLACED, call_id="call")
REFUSED = Settlement(state=AttemptState.REFUSED, happening=Happening.REFUSED, status=400)


class Lists:
    """One campaign, and lists for it."""

    def __init__(self, journal: SqliteJournal, campaign: int) -> None:
        self.journal = journal
        self.campaign = campaign

    async def look(self, rows: Iterable[Row]) -> Any:
        await self.journal.stage(self.campaign, rows, first=True)
        return await self.journal.staged(self.campaign)

    async def take(self, rows: Iterable[Row]) -> dict[str, int]:
        await self.look(rows)
        return (await self.journal.take_over(self.campaign, {})).data

    async def dial(self, number: str, end: Settlement = PLACED) -> None:
        for candidate in await self.journal.pending(self.campaign, after=0, limit=99):
            if candidate.phone_number == number:
                attempt = f"att_{candidate.id}_{random.random()}"
                await self.journal.intend(self.campaign, candidate, attempt)
                await self.journal.settle(self.campaign, candidate, attempt, end)

    async def shown(self) -> list[tuple[str, str, str | None]]:
        return [
            (row.phone_number, row.state.value, row.reason)
            async for row in self.journal.rows(self.campaign)
        ]


@pytest.fixture
async def lists(journal: SqliteJournal) -> Lists:
    return Lists(journal, (await journal.add_campaign("eid", {})).id)


def rows(*contacts: tuple[str, str | None], **more: Any) -> list[Row]:
    return [
        Row(row=place, phone_number=number, contact_id=contact_id, **more)
        for place, (number, contact_id) in enumerate(contacts, start=1)
    ]


NUMBER, ID, DNC = "duplicate_in_file", "duplicate_contact_id", "dnc"


@pytest.mark.parametrize(
    ("contacts", "reasons"),
    [
        ([(A, None), (A, None), (B, None), (A, None)], [None, NUMBER, None, NUMBER]),
        ([(A, "1"), (B, "1")], [None, ID]),
        ([(A, "1"), (A, "1")], [None, NUMBER]),
        # Whoever is turned away takes neither number nor contact_id from others.
        ([(A, "1"), (A, "2"), (B, "2")], [None, NUMBER, None]),
        ([(A, "1"), (B, "1"), (B, "2")], [None, ID, None]),
        ([(A, "1"), (B, "2"), (A, "2"), (C, None)], [None, None, NUMBER, None]),
    ],
)
async def test_duplicates(
    lists: Lists, contacts: list[tuple[str, str | None]], reasons: list[str | None]
) -> None:
    """Of rows with one number or one contact_id the first is called, and nobody is lost."""
    await lists.take(rows(*contacts))
    assert [reason for _, _, reason in await lists.shown()] == reasons


async def test_who_says_no_anywhere_is_not_called(lists: Lists) -> None:
    """A row that says not to call wins over all others of its number or contact_id."""
    await lists.take(
        [
            Row(row=1, phone_number=A),
            Row(row=2, phone_number=A, state="skipped", reason="dnc"),
            Row(row=3, phone_number=B, contact_id="b"),
            Row(row=4, phone_number=C, contact_id="b", state="skipped", reason="no_consent"),
            Row(row=5, phone_number=D),
        ]
    )
    assert await lists.shown() == [
        (A, "skipped", "dnc"),
        (A, "skipped", "dnc"),
        (B, "skipped", "dnc"),
        (C, "skipped", "no_consent"),
        (D, "pending", None),
    ]


async def test_an_invalid_row_is_no_first(lists: Lists) -> None:
    """A row that is no contact does not make the next one of its number a duplicate."""
    await lists.take(
        [
            Row(row=1, phone_number=A, state="invalid", reason="bad_time"),
            Row(row=2, phone_number=A),
        ]
    )
    assert [state for _, state, _ in await lists.shown()] == ["invalid", "pending"]


async def test_junk_is_counted_row_by_row(lists: Lists) -> None:
    """Rows that say the same nonsense are rows all the same."""
    junk = [Row(row=row, phone_number="junk", state="invalid", reason="x") for row in range(1, 6)]
    found = await lists.look(junk)
    assert (found.rows, found.usable, found.states) == (5, 0, {("invalid", "x"): 5})
    await lists.take(junk)
    assert len(await lists.shown()) == 5
    again = (await lists.look(junk)).difference
    assert not again


async def test_the_same_list_is_no_difference(lists: Lists) -> None:
    """A list that is given again differs in nothing, whatever became of its contacts."""
    soon = datetime.now(UTC) + timedelta(days=1)
    contacts = [
        *rows((A, "1"), (A, "2"), (B, "2"), (C, None)),
        Row(row=5, phone_number=D, state="deferred", reason="not_before", due_at=soon),
        Row(row=6, phone_number="?", state="invalid", reason="x"),
    ]
    assert await lists.take(contacts) == {"new": 6, "gone": 0, "changed": 0}
    await lists.dial(A)
    await lists.dial(B, REFUSED)
    await lists.dial(C)  # held or not: its state is the journal's
    assert not (await lists.look(contacts)).difference


@pytest.mark.parametrize(
    "change",
    [
        {"params": {"name": "other"}},
        {"from_number": "+97142000000"},
        {"agent_id": "other"},
        {"expires_at": datetime(2099, 1, 1, tzinfo=UTC)},
        {
            "state": "deferred",
            "reason": "not_before",
            "due_at": datetime(2098, 1, 1, tzinfo=UTC),
        },
    ],
)
async def test_a_changed_row(lists: Lists, change: dict[str, Any]) -> None:
    """What a row says anew is a change until the contact was dialed, and not after."""
    await lists.take(rows((A, "1"), (B, "2")))
    await lists.dial(B)
    new = rows((A, "1"), (B, "2"), **change)
    assert (await lists.look(new)).difference == listing.ListDifference(changed=1)
    await lists.take(new)
    assert not (await lists.look(new)).difference
    assert (B, "placed", None) in await lists.shown()


async def test_params_in_another_order_are_the_same(lists: Lists) -> None:
    """Columns may change places."""
    await lists.take([Row(row=1, phone_number=A, params={"a": "1", "b": "2"})])
    other = [Row(row=1, phone_number=A, params={"b": "2", "a": "1"})]
    assert not (await lists.look(other)).difference


async def test_rows_gone_and_back(lists: Lists) -> None:
    """A contact that is gone is withdrawn, and to be called again when it is back."""
    await lists.take(rows((A, None), (B, None)))
    assert await lists.take(rows((A, None))) == {"new": 0, "gone": 1, "changed": 0}
    assert await lists.shown() == [(A, "pending", None), (B, "skipped", "withdrawn")]
    assert await lists.take(rows((A, None), (B, None))) == {"new": 1, "gone": 0, "changed": 0}
    assert await lists.shown() == [(A, "pending", None), (B, "pending", None)]


@pytest.mark.parametrize("end", [PLACED, REFUSED])
async def test_who_was_dialed_keeps_the_record(lists: Lists, end: Settlement) -> None:
    """Dialed contacts stay as they are, in the list or not, under whatever contact_id."""
    await lists.take(rows((A, "1"), (B, "2")))
    await lists.dial(A, end)
    await lists.take(rows((B, "2")))
    assert (await lists.shown())[0][:2] == (A, end.state.value)
    await lists.take(rows((A, "other"), (B, "2")))
    assert (await lists.shown())[0][:2] == (A, end.state.value)
    assert len(await lists.shown()) == 2
    assert [each.phone_number for each in await lists.journal.pending(1, after=0, limit=9)] == [B]


async def test_a_person_who_was_called_is_not_called_at_another_number(lists: Lists) -> None:
    """A contact_id that was dialed is not dialed again because its number changed."""
    await lists.take(rows((A, "1")))
    await lists.dial(A)
    await lists.take(rows((B, "1")))
    assert await lists.shown() == [(A, "placed", None), (B, "skipped", ID)]


async def test_a_number_that_was_refused_may_be_corrected(lists: Lists) -> None:
    """No call was made, so the person may be called at the number that the new list gives."""
    await lists.take(rows((A, "1")))
    await lists.dial(A, REFUSED)
    await lists.take(rows((B, "1")))
    assert await lists.shown() == [(A, "refused", None), (B, "pending", None)]


async def test_who_says_no_later_is_not_called(lists: Lists) -> None:
    """A new list's "do not call" reaches a contact that was still to be called."""
    await lists.take(rows((A, None), (B, None)))
    await lists.take(
        [
            Row(row=1, phone_number=A, state="skipped", reason="dnc"),
            Row(row=2, phone_number=B),
        ]
    )
    assert [each.phone_number for each in await lists.journal.pending(1, after=0, limit=9)] == [B]


async def test_time_that_is_put_off(lists: Lists) -> None:
    """A contact whose time ran out is to be called when the new list gives it more."""
    past, future = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    await lists.take(rows((A, None), expires_at=past))
    (candidate,) = await lists.journal.pending(1, after=0, limit=9)
    await lists.journal.hold(1, [candidate])
    assert await lists.shown() == [(A, "expired", "expired")]
    assert not (await lists.look(rows((A, None), expires_at=past))).difference
    assert await lists.take(rows((A, None), expires_at=future)) == {
        "new": 0,
        "gone": 0,
        "changed": 1,
    }
    assert await lists.shown() == [(A, "pending", None)]


async def test_a_crash_in_the_middle_of_taking_over(
    lists: Lists, path: Path, monkeypatch: Any
) -> None:
    """A list that was taken half is no list: the campaign is not loaded until it is whole."""
    first = [Row(row=row, phone_number=f"+9715{row:08}") for row in range(1, 5_001)]
    await lists.take(first)
    assert (await lists.journal.campaign("eid")).loaded
    second = [Row(row=row, phone_number=f"+9715{row + 2_500:08}") for row in range(1, 5_001)]
    real, left = listing.ListStage._write, [4]

    async def crash(self: Any, *values: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        await real(self, *values)

    monkeypatch.setattr(listing.ListStage, "_write", crash)
    await lists.look(second)
    with pytest.raises(KeyboardInterrupt):
        await lists.journal.take_over(1, {})
    assert not (await lists.journal.campaign("eid")).loaded
    monkeypatch.undo()
    await lists.take(second)
    assert (await lists.journal.campaign("eid")).loaded
    states = [state for _, state, _ in await lists.shown()]
    assert (states.count("pending"), states.count("skipped")) == (5_000, 2_500)


async def test_lists_of_two_campaigns_at_once(journal: SqliteJournal) -> None:
    """Two lists that are read at the same time stay apart."""
    one, two = [(await journal.add_campaign(name, {})).id for name in ("one", "two")]
    await journal.stage(one, rows((A, None)), first=True)
    await journal.stage(two, rows((B, None)), first=True)
    await journal.stage(one, [Row(row=2, phone_number=C)], first=False)
    assert (await journal.staged(one)).rows == 2
    assert (await journal.staged(two)).rows == 1
    await journal.unstage(one)
    with pytest.raises(JournalError, match="no list was staged"):
        await journal.take_over(one, {})


def resident() -> int:
    """Bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_a_long_list_takes_little_memory_and_lets_others_write(
    lists: Lists, path: Path
) -> None:
    """200,000 rows are staged and taken over in flat memory, while another connection writes."""
    count, size = 200_000, 2_000

    def chunk(start: int) -> list[Row]:
        return [
            Row(row=row, phone_number=f"+9715{row:08}", params={"name": "somebody"})
            for row in range(start, start + size)
        ]

    stop, written = threading.Event(), []

    def beside() -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as other:
            while not stop.is_set():
                other.execute("INSERT INTO events (at, kind, campaign) VALUES (0, 'x', 9)")
                written.append(1)
                time.sleep(0.002)

    await lists.journal.stage(lists.campaign, chunk(1), first=True)
    before = resident()
    for start in range(1 + size, count, size):
        rows = await asyncio.to_thread(chunk, start)
        await lists.journal.stage(lists.campaign, rows, first=False)
    assert (await lists.journal.staged(lists.campaign)).usable == count
    other = asyncio.create_task(asyncio.to_thread(beside))
    await lists.journal.take_over(lists.campaign, {})
    stop.set()
    await other
    assert (await lists.journal.counts(lists.campaign)) == {"pending": count}
    assert resident() - before < 40 << 20
    assert len(written) > 10
