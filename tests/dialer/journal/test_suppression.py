"""The do-not-call list of a journal: sources, registers, and that nothing is lost in between."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import Row, SqliteJournal
from hamsa_async.dialer.journal import suppression
from hamsa_async.dialer.journal.suppression import summary_of
from hamsa_async.dialer.registers import read_numbers
from hamsa_async.errors import ContactListError, JournalError

NUMBERS = [f"+97150{1_000_000 + at}" for at in range(50)]
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def clocked(path: Path) -> AsyncIterator[tuple[Any, Clock]]:
    clock = Clock()
    async with await SqliteJournal.open(path, clock=clock) as journal:
        yield journal.suppressions, clock


async def chunks(*numbers: list[str]) -> AsyncIterator[list[str]]:
    for each in numbers:
        yield each


async def test_a_number_is_there_as_long_as_one_source_names_it(clocked: Any) -> None:
    """Each source has its own date; taking one away leaves the others."""
    listed, clock = clocked
    assert await listed.add(NUMBERS[:2]) == 2
    clock.now += timedelta(hours=1)
    assert await listed.add(NUMBERS[:3], source="call") == 3
    assert await listed.add(NUMBERS[:1] * 2) == 0
    found = await listed.find(NUMBERS[0])
    assert [(each.source, each.since) for each in found] == [
        ("operator", NOW),
        ("call", NOW + timedelta(hours=1)),
    ]
    assert len(await listed.remove(NUMBERS[0], source="call")) == 1
    assert [each.source for each in await listed.find(NUMBERS[0])] == ["operator"]
    assert len(await listed.remove(NUMBERS[0])) == 1
    assert await listed.find(NUMBERS[0]) == []
    assert await listed.remove(NUMBERS[0]) == []


async def test_a_register_replaces_itself(clocked: Any) -> None:
    """Numbers that it names no more are called again, those that it names keep their date."""
    listed, clock = clocked
    assert await listed.add(NUMBERS[:1]) == 1
    first = await listed.take_over(
        chunks(NUMBERS[:10], NUMBERS[10:20]), source="tdra", dated_at=NOW, replace=True
    )
    assert first == (20, 0)
    # In the same millisecond: the second import is the later one all the same.
    second = await listed.take_over(
        chunks(NUMBERS[5:25]), source="tdra", dated_at=NOW, replace=True
    )
    assert second == (5, 5)
    clock.now += timedelta(days=1)
    third = await listed.take_over(chunks(NUMBERS[:1]), source="tdra", dated_at=NOW, replace=False)
    assert third == (1, 0)
    stats = {each.source: each for each in await listed.stats()}
    assert stats["tdra"].numbers == 21
    assert (stats["tdra"].dated_at, stats["tdra"].imported_at) == (NOW, clock.now)
    assert (stats["tdra"].first_at, stats["tdra"].last_at) == (NOW, clock.now)
    assert (stats["operator"].numbers, stats["operator"].dated_at) == (1, None)
    assert summary_of(list(stats.values()))["sources"][0]["source"] == "operator"


async def test_an_import_that_breaks_off_takes_nobody_off(clocked: Any) -> None:
    """What was read is there, what was there is too, and the register keeps its old date."""
    listed, clock = clocked
    await listed.take_over(chunks(NUMBERS[:10]), source="tdra", dated_at=NOW, replace=True)
    clock.now += timedelta(days=1)

    async def broken() -> AsyncIterator[list[str]]:
        yield NUMBERS[10:12]
        raise ContactListError("line 3 is no CSV")

    with pytest.raises(ContactListError):
        await listed.take_over(broken(), source="tdra", dated_at=clock.now, replace=True)
    (stats,) = await listed.stats()
    assert (stats.numbers, stats.dated_at) == (12, NOW)


async def test_an_empty_register_is_one(clocked: Any) -> None:
    """A register that names nobody has a date, and is shown."""
    listed, _ = clocked
    assert await listed.take_over(chunks(), source="empty", dated_at=NOW, replace=True) == (0, 0)
    (stats,) = await listed.stats()
    assert (stats.source, stats.numbers, stats.first_at) == ("empty", 0, None)


async def test_long_lists_go_in_steps(clocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding, reading and dropping more than fits one step loses nothing."""
    listed, clock = clocked
    monkeypatch.setattr(suppression, "_CHUNK", 7)
    monkeypatch.setattr(suppression, "_PAGE", 5)
    await listed.add(NUMBERS)
    await listed.add(NUMBERS[:3], source="call")
    found = [(each.phone_number, each.source) async for each in listed.all()]
    assert len(found) == 53
    assert found == sorted(found)
    clock.now += timedelta(days=1)
    done = await listed.take_over(
        chunks(NUMBERS[:1]), source="operator", dated_at=clock.now, replace=True
    )
    assert done == (0, 49)
    assert [each.phone_number async for each in listed.all()].count(NUMBERS[0]) == 2


async def test_nobody_is_shown(clocked: Any) -> None:
    """An entry's `repr` masks its number."""
    listed, _ = clocked
    await listed.add(NUMBERS[:1])
    assert NUMBERS[0] not in repr(await listed.find(NUMBERS[0]))


async def test_a_closed_journal(path: Path) -> None:
    """Nothing is said to be added where it cannot be."""
    async with await SqliteJournal.open(path) as journal:
        listed = journal.suppressions
    with pytest.raises(JournalError, match="closed"):
        await listed.add(NUMBERS[:1])


@pytest.mark.parametrize(
    ("content", "country"),
    [
        (f"{NUMBERS[0]}\n{NUMBERS[1]}\n\n", None),
        (f"\n{NUMBERS[0][1:]}\n0501000001\n", "AE"),
        (f"phone\n{NUMBERS[0]}\n{NUMBERS[1]}\n", None),
        (f"listed at;الجوال\n2026;{NUMBERS[0]}\n2025;{NUMBERS[1]}\n", None),
        (f'{{"msisdn": "{NUMBERS[0]}"}}\n{{"msisdn": "{NUMBERS[1]}"}}\n', None),
        (f"phone,dnc\n{NUMBERS[0]},yes\n{NUMBERS[1]},no\n", None),
    ],
)
async def test_kinds_of_registers(tmp_path: Path, content: str, country: str | None) -> None:
    """One number a line, or a list with a column of them."""
    path = tmp_path / "register.txt"
    path.write_text(content, encoding="utf-8")
    found = read_numbers(path, country=country, on_invalid=pytest.fail)
    assert [number async for chunk in found for number in chunk] == NUMBERS[:2]


async def test_lines_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    """Each with its reason; the others are taken."""
    path = tmp_path / "register.txt"
    path.write_text(f"{NUMBERS[0]}\nnobody\n0501000001\n")
    bad: list[Row] = []
    found = [
        number async for chunk in read_numbers(path, on_invalid=bad.append) for number in chunk
    ]
    assert found == NUMBERS[:1]
    assert [row.reason for row in bad] == ["not_a_number", "needs_country"]


async def test_a_register_without_numbers_is_refused(tmp_path: Path) -> None:
    """A file of something else says that it has no column of numbers."""
    path = tmp_path / "register.txt"
    path.write_text("hello\nworld\n")
    with pytest.raises(ContactListError, match="no column has the phone numbers"):
        [chunk async for chunk in read_numbers(path, on_invalid=pytest.fail)]
