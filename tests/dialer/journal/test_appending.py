"""Lists that are appended to a campaign: who is new, who was seen, and a crash in between."""

import asyncio
import random
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hamsa_async.dialer import EventKind, SqliteJournal
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.journal import appending
from hamsa_async.dialer.journal.records import Settlement, StagedAppend
from hamsa_async.dialer.machine import AttemptState, Happening

A, B, C, D, E = (f"+97150123456{digit}" for digit in range(5))

PLACED = Settlement(state=AttemptState.PLACED, happening=Happening.PLACED, call_id="call")


def rows(*contacts: str | tuple[str, str | None], **more: Any) -> list[Row]:
    return [
        Row(
            row=place,
            phone_number=contact if isinstance(contact, str) else contact[0],
            contact_id=None if isinstance(contact, str) else contact[1],
            **more,
        )
        for place, contact in enumerate(contacts, start=1)
    ]


def no(place: int, number: str, reason: str = "dnc", **more: Any) -> Row:
    return Row(row=place, phone_number=number, state="skipped", reason=reason, **more)


def bad(place: int, number: str, **more: Any) -> Row:
    return Row(row=place, phone_number=number, state="invalid", reason="x", **more)


class Appends:
    """One campaign with a list, and lists that are appended to it."""

    def __init__(self, journal: SqliteJournal, campaign: int) -> None:
        self.journal = journal
        self.campaign = campaign

    async def take(self, given: Sequence[Row]) -> Any:
        """Make a list the campaign's own."""
        await self.journal.stage(self.campaign, given, first=True)
        difference = (await self.journal.staged(self.campaign)).difference
        await self.journal.take_over(self.campaign, {})
        return difference

    async def append(self, given: Sequence[Row]) -> tuple[StagedAppend, dict[str, Any]]:
        async with self.journal.appending(self.campaign) as stage:
            await stage.add(given)
            staged = await stage.look()
            return staged, (await stage.take_over("more.csv")).data

    async def shown(self) -> list[tuple[int, int, str, str, str | None]]:
        return [
            (row.list_number, row.row, row.phone_number, row.state.value, row.reason)
            async for row in self.journal.rows(self.campaign)
        ]

    async def dial(self, number: str) -> None:
        for candidate in await self.journal.pending(self.campaign, after=0, limit=99):
            if candidate.phone_number == number:
                attempt = f"att_{candidate.id}_{random.random()}"
                await self.journal.intend(self.campaign, candidate, attempt)
                await self.journal.settle(self.campaign, candidate, attempt, PLACED)


@pytest.fixture
async def appends(journal: SqliteJournal) -> Appends:
    found = Appends(journal, (await journal.add_campaign("eid", {})).id)
    await found.take(rows((A, "a"), (B, "b")))
    return found


async def test_the_new_are_added_and_the_seen_are_not(appends: Appends) -> None:
    """By number and by contact_id; a row number is one of its own list."""
    staged, done = await appends.append(rows(A, (C, "b"), (D, "d"), E))
    assert (staged.rows, staged.new, staged.seen, staged.usable) == (4, 2, 2, 2)
    assert done == {"list": 2, "new": 2, "seen": 2, "called_off": 0}
    assert await appends.shown() == [
        (1, 1, A, "pending", None),
        (1, 2, B, "pending", None),
        (2, 3, D, "pending", None),
        (2, 4, E, "pending", None),
    ]
    assert await appends.journal.appended(appends.campaign) == 2
    assert [(each.number, each.name, each.appended) for each in await appends.journal.lists(1)] == [
        (1, None, False),
        (2, "more.csv", True),
    ]


async def test_whoever_was_called_is_seen(appends: Appends) -> None:
    """Nobody is called again for being sent again, whatever became of them."""
    await appends.dial(A)
    staged, _ = await appends.append(rows((A, "other"), (C, "a")))
    assert (staged.new, staged.seen) == (0, 2)


async def test_a_list_twice_is_no_more_than_once(appends: Appends) -> None:
    """Rows that are called, turned away or no contacts at all are there once."""
    given = [
        *rows(C, C, (D, "d"), (E, "d")),
        bad(5, "junk"),
        bad(6, "junk"),
        bad(7, "", params={"name": "x"}),
        bad(8, "", params={"name": "y"}),
        no(9, "+971501234569"),
    ]
    _, done = await appends.append(given)
    assert done["new"] == 9
    before = await appends.shown()
    assert len(before) == 11
    staged, done = await appends.append(given)
    assert (staged.new, staged.seen, done["list"]) == (0, 9, None)
    assert await appends.shown() == before
    assert await appends.journal.problems() == []


async def test_junk_of_another_list_is_another_row(appends: Appends) -> None:
    """What is no contact is known by its content, so that every bad row is in the report."""
    await appends.take([*rows((A, "a"), (B, "b")), bad(3, "", params={"name": "x"})])
    _, done = await appends.append([bad(1, "", params={"name": "x"}), bad(2, "")])
    assert (done["new"], done["seen"]) == (1, 1)
    _, done = await appends.append([bad(1, ""), bad(2, "", params={"name": "z"})])
    assert (done["new"], done["seen"]) == (1, 1)
    assert [row[3] for row in await appends.shown()].count("invalid") == 3


async def test_a_row_that_was_no_contact_may_be_corrected(appends: Appends) -> None:
    """It was nobody: sent again with the mistake mended it is called."""
    await appends.append([bad(1, C, contact_id="c")])
    staged, _ = await appends.append(rows((C, "c")))
    assert (staged.new, staged.seen) == (1, 0)
    assert (3, 1, C, "pending", None) in await appends.shown()


async def test_whoever_refused_stays_so(appends: Appends) -> None:
    """A number or a person that a list says not to call is not called for a later one."""
    await appends.take([*rows((A, "a"), (B, "b")), no(3, C, contact_id="c")])
    await appends.append([no(1, D, "no_consent", contact_id="d")])
    staged, _ = await appends.append(rows(C, (E, "c"), D, ("+971501234569", "d")))
    assert (staged.new, staged.seen) == (0, 4)


async def test_a_refusal_in_an_appended_list_outlasts_a_new_list(appends: Appends) -> None:
    """A list that is accepted later brings nobody back who said no in one that was appended."""
    await appends.append([no(1, C, contact_id="c")])
    await appends.take(rows((A, "a"), (B, "b"), C, (D, "c")))
    pending = await appends.journal.pending(appends.campaign, after=0, limit=9)
    assert [each.phone_number for each in pending] == [A, B]


async def test_who_says_no_in_a_later_list_is_not_called_any_more(appends: Appends) -> None:
    """By number or by contact_id, before the rest of the list is added."""
    given = [no(1, A), no(2, C, "no_consent", contact_id="b"), Row(row=3, phone_number=D)]
    _, done = await appends.append(given)
    assert done["called_off"] == 2
    pending = await appends.journal.pending(appends.campaign, after=0, limit=9)
    assert [each.phone_number for each in pending] == [D]
    assert (1, 1, A, "skipped", "dnc") in await appends.shown()
    # And the campaign's own list, run again, does not bring them back.
    difference = await appends.take(rows((A, "a"), (B, "b")))
    assert not difference
    pending = await appends.journal.pending(appends.campaign, after=0, limit=9)
    assert [each.phone_number for each in pending] == [D]


async def test_the_own_list_again_after_an_append(appends: Appends) -> None:
    """It differs in nothing, and withdraws nobody who was appended; nor does another list."""
    await appends.append([*rows(C, D), bad(3, "junk"), no(4, E)])
    await appends.journal.stage(1, rows((A, "a"), (B, "b")), first=True)
    assert not (await appends.journal.staged(1)).difference
    difference = await appends.take(rows((A, "a")))
    assert (difference.new, difference.gone) == (0, 1)
    states = {number: (state, reason) for _, _, number, state, reason in await appends.shown()}
    assert states[B] == ("skipped", "withdrawn")
    assert states[C] == states[D] == ("pending", None)


async def test_a_new_list_that_names_the_appended(appends: Appends) -> None:
    """They become rows of it once it says something else of them, and can be withdrawn then."""
    await appends.append(rows(C))
    difference = await appends.take([*rows((A, "a"), (B, "b")), Row(row=3, phone_number=C)])
    assert not difference
    changed = [*rows((A, "a"), (B, "b")), Row(row=3, phone_number=C, params={"name": "x"})]
    difference = await appends.take(changed)
    assert (difference.new, difference.gone, difference.changed) == (0, 0, 1)
    assert (await appends.shown())[-1][:3] == (4, 3, C)
    assert (await appends.take(rows((A, "a"), (B, "b")))).gone == 1


async def test_whoever_was_withdrawn_comes_back(appends: Appends) -> None:
    """They are in no list any more; those whose call was made stay as they are."""
    await appends.dial(A)
    await appends.take(rows(D))
    states = [row[3] for row in await appends.shown()]
    assert states == ["placed", "skipped", "pending"]
    staged, _ = await appends.append(rows((A, "a"), (B, "b")))
    assert (staged.new, staged.seen) == (1, 1)
    assert [row[3] for row in await appends.shown()] == ["placed", "pending", "pending"]


async def test_two_appends_at_once(appends: Appends, path: Path) -> None:
    """What another process has added by then is seen in the transaction that would add it."""
    async with await SqliteJournal.open(path) as other:
        await other.campaign("eid")
        async with (
            appends.journal.appending(appends.campaign) as one,
            other.appending(appends.campaign) as two,
        ):
            await one.add(rows((C, "c"), (D, "d")))
            await two.add(rows((C, None), (E, "d"), ("+971501234569", None)))
            assert ((await one.look()).new, (await two.look()).new) == (2, 3)
            assert (await one.take_over(None)).data["new"] == 2
            assert (await two.take_over(None)).data["new"] == 1
    assert await appends.journal.counts(appends.campaign) == {"pending": 5}
    assert await appends.journal.appended(appends.campaign) == 3


async def test_many_rows_twice_at_once(appends: Appends, path: Path) -> None:
    """Whichever chunk comes first, each person is there once."""
    given = [
        Row(row=row, phone_number=f"+9715{row:08}", contact_id=str(row)) for row in range(1, 5001)
    ]
    async with await SqliteJournal.open(path) as other:
        await other.campaign("eid")
        beside = Appends(other, appends.campaign)
        (_, one), (_, two) = await asyncio.gather(appends.append(given), beside.append(given))
    assert one["new"] + two["new"] == 5_000
    assert await appends.journal.counts(appends.campaign) == {"pending": 5_002}
    assert await appends.journal.appended(appends.campaign) == 5_000


async def test_a_crash_in_the_middle_of_an_append(
    appends: Appends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was added by then is there, and the same list again adds the rest, each once."""
    given = [Row(row=row, phone_number=f"+9715{row:08}") for row in range(1, 5_001)]
    real, left = appending.AppendStage._write, [3]

    async def crash(self: Any, *values: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return await real(self, *values)

    monkeypatch.setattr(appending.AppendStage, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        await appends.append(given)
    monkeypatch.undo()
    assert await appends.journal.counts(appends.campaign) == {"pending": 2_002}
    assert (await appends.journal.campaign("eid")).loaded
    _, done = await appends.append(given)
    assert (done["new"], done["seen"]) == (3_000, 2_000)
    assert await appends.journal.counts(appends.campaign) == {"pending": 5_002}


async def test_an_append_is_an_event(appends: Appends) -> None:
    await appends.append(rows(C))
    events = [event async for event in appends.journal.events(after=0)]
    assert events[-1].kind is EventKind.LIST_APPENDED
    assert events[-1].data == {"list": 2, "new": 1, "seen": 0, "called_off": 0}


async def test_a_row_number_is_one_of_its_list(appends: Appends) -> None:
    """Whoever was dialed from an earlier list is told from the row that has that number now."""
    await appends.dial(A)
    await appends.take(rows((B, "b"), (C, None)))
    await appends.append(rows(D))
    assert [row[:4] for row in await appends.shown()] == [
        (1, 1, A, "placed"),
        (2, 1, B, "pending"),
        (2, 2, C, "pending"),
        (3, 1, D, "pending"),
    ]


_LISTS = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([None, "a", "b", "c"]),
            st.sampled_from(["pending", "pending", "pending", "invalid", "skipped"]),
        ),
        max_size=8,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_LISTS)
async def test_whatever_is_appended_everybody_is_there_once(
    journal: SqliteJournal, lists: list[list[tuple[int, str | None, Any]]]
) -> None:
    """Each number and each person is called once at the most, and nobody new is lost."""
    name = secrets.token_hex(8)  # the same journal for all examples
    appends = Appends(journal, (await journal.add_campaign(name, {})).id)
    await appends.take([])
    total, unwilling = 0, set[str]()
    for each in lists:
        given_ = [
            Row(
                row=place,
                phone_number=f"+9715012345{number:02}",
                contact_id=who,
                state=state,
                reason={"invalid": "x", "skipped": "dnc"}.get(state),
            )
            for place, (number, who, state) in enumerate(each, start=1)
        ]
        staged, done = await appends.append(given_)
        assert staged.new + staged.seen == staged.rows == len(each)
        assert done["new"] == staged.new
        again, _ = await appends.append(given_)
        assert (again.new, again.seen) == (0, len(each))
        total += staged.new
        unwilling |= {row.phone_number for row in given_ if row.state == "skipped"}
        found = [row async for row in journal.rows(appends.campaign)]
        assert len(found) == total
        called = [row for row in found if row.state == "pending"]
        assert len({row.phone_number for row in called}) == len(called)
        ids = [row.contact_id for row in called if row.contact_id is not None]
        assert len(set(ids)) == len(ids)
        assert not unwilling & {row.phone_number for row in called}
        somebody = [row for row in found if row.state != "invalid"]
        numbers = {row.phone_number for row in somebody}
        people = {row.contact_id for row in somebody} - {None}
        for row in given_:
            if row.state != "invalid":
                assert row.phone_number in numbers or row.contact_id in people


# -- whose turn it is


def listed(*priorities: int | None, **more: Any) -> list[Row]:
    return [
        Row(row=place, phone_number=f"+9715{place:08}", priority=priority, **more)
        for place, priority in enumerate(priorities, start=1)
    ]


async def test_pending_by_priority(journal: SqliteJournal) -> None:
    """The highest first, in one the list's order, and those without one last; page by page."""
    appends = Appends(journal, (await journal.add_campaign("eid", {})).id)
    await appends.take(listed(None, 1, 100, 50, 100, None, 1))
    found: list[int] = []
    after = 0
    while page := await journal.pending(appends.campaign, after=after, limit=2):
        found += [each.row for each in page]
        after = page[-1].id
    assert found == [3, 5, 4, 2, 7, 1, 6]
    changed = listed(None, 1, 100, 50, 100, None, 99)
    assert (await appends.take(changed)).changed == 1
    highest = await journal.pending(appends.campaign, after=0, limit=9)
    assert [each.row for each in highest] == [3, 5]
    page = await journal.pending(appends.campaign, after=highest[-1].id, limit=9)
    assert [each.row for each in page] == [7]


async def test_due_by_priority(journal: SqliteJournal) -> None:
    """Of those whose time has come the first rank is given; only ranks before another, if asked."""
    appends = Appends(journal, (await journal.add_campaign("eid", {})).id)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    later = soon + timedelta(hours=1)
    await appends.take(
        [
            *listed(None, 7, state="deferred", reason="not_before", due_at=soon),
            Row(row=3, phone_number=A, priority=9, state="deferred", reason="x", due_at=later),
        ]
    )
    now = soon + timedelta(minutes=1)

    async def due(before: int | None = None, at: datetime = now) -> list[int]:
        found = await journal.due(appends.campaign, now=at, limit=9, before=before)
        return [each.row for each in found]

    assert await due() == [2]
    assert await due(before=-7) == []
    assert await due(before=0) == [2]
    assert await due(at=later) == [3]
    assert (await journal.next_due(appends.campaign))[0] == soon
    assert (await journal.next_due(appends.campaign, before=-7))[0] == later
    assert (await journal.next_due(appends.campaign, after=soon))[0] == later
    assert await journal.next_due(appends.campaign, before=-9) is None


def test_turns_are_read_from_their_indices(raw: Any, journal: SqliteJournal) -> None:
    """No look at who is next reads the whole list, however long it is."""
    from hamsa_async.dialer.journal import turns

    def plan(query: str, values: int) -> str:
        found = raw.execute(f"EXPLAIN QUERY PLAN {query}", (1,) * values).fetchall()
        return " ".join(str(row[-1]) for row in found)

    pending = plan(f"SELECT id FROM contacts WHERE {turns._PENDING}", 4)
    assert "pending_contacts" in pending
    assert "(campaign=? AND rank=? AND id>?)" in pending
    assert "TEMP B-TREE" not in pending
    assert "pending_contacts (campaign=? AND rank>?)" in plan(turns._NEXT_RANK["pending"], 2)
    for state in ("deferred", "retry"):
        due = plan(f"SELECT id FROM contacts WHERE {turns._DUE[state]}", 4)
        assert f"{state}_contacts (campaign=? AND rank=? AND due_at<?)" in due
        rank = plan(turns._NEXT_RANK[state], 2)
        assert f"{state}_contacts (campaign=? AND rank>?)" in rank


async def test_whoever_was_forgotten_is_appended_as_nobody(appends: Appends) -> None:
    """Twice no more than once, by number or by contact_id, and nothing is kept of them."""
    await appends.journal.erasure.forget(A)
    given = [Row(row=1, phone_number=A, params={"name": "x"}, consent_source="form", priority=9)]
    staged, done = await appends.append(given)
    assert (staged.seen, done["new"]) == (1, 0)
    await appends.journal.erasure.forget(C)
    given = [*given, Row(row=2, phone_number=C, contact_id="c", params={"name": "x"})]
    _, done = await appends.append(given)
    assert done["new"] == 1
    staged, done = await appends.append(given)
    assert (staged.seen, done["new"]) == (2, 0)
    found = [row async for row in appends.journal.rows(appends.campaign)]
    assert [(row.state, row.consent_source, row.priority) for row in found] == [
        ("skipped", None, None),
        ("pending", None, None),
        ("skipped", None, None),
    ]
    assert not {A, C} & {row.phone_number for row in found}


async def test_whoever_is_forgotten_during_an_append(appends: Appends) -> None:
    """Somebody who is forgotten after the list was looked at is not written down either."""
    async with appends.journal.appending(appends.campaign) as stage:
        await stage.add(rows(C, D))
        await stage.look()
        await appends.journal.suppressions.add([E])
        await appends.journal.erasure.forget(C)
        assert (await stage.take_over(None)).data["new"] == 2
    found = [row async for row in appends.journal.rows(appends.campaign)]
    assert C not in {row.phone_number for row in found}
    assert [row.state for row in found] == ["pending", "pending", "skipped", "pending"]
