"""`hamsa campaign append`: more contacts for a campaign, from another terminal."""

import asyncio
import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from hamsa_async.dialer import Row, SqliteJournal
from hamsa_async.testing import FAKE_AGENT_ID

NUMBERS = [f"+97150{1_000_000 + at}" for at in range(40)]


@pytest.fixture
def append(dial: Any) -> Any:
    """Append to the campaign of the test, with the key that its run has."""

    def run(path: Any, *options: object, key: bool = True) -> Any:
        command = dial.command if key else dial.command.with_env(HAMSA_API_KEY="")
        return command("campaign", "append", "eid", path, "--journal", dial.journal, *options)

    return run


@pytest.fixture
def appendable(append: Any, dial: Any) -> Any:
    """The same, to a campaign of one contact; nothing was changed in the end."""

    async def prepare() -> None:
        async with await SqliteJournal.open(dial.journal) as journal:
            record = await journal.add_campaign("eid", {"voice_agent_id": FAKE_AGENT_ID})
            await journal.stage(record.id, [Row(row=1, phone_number=NUMBERS[0])], first=True)
            await journal.take_over(record.id, record.settings)

    asyncio.run(prepare())
    yield append
    assert dial.counts() == {"pending": 1}


def waiting(numbers: list[str]) -> str:
    """A list of which the last one is called next year: its run waits."""
    later = f"{datetime.now(UTC).year + 1}-01-31T09:00Z"
    return "\n".join(
        ["phone,not_before", *(f"{each}," for each in numbers[:-1]), f"{numbers[-1]},{later}\n"]
    )


def test_a_running_dialer_takes_them_up(dial: Any, contacts: Any, tools: Any, append: Any) -> None:
    """Another terminal appends; the run says so, calls them, and each rings once."""
    run = dial.start(contacts(waiting(NUMBERS[:4])))
    tools.until(lambda: len(dial.server.rings()) >= 3, run)
    more = contacts(NUMBERS[2:8], "b.csv")
    done = append(more).ends(0)
    assert "4 rows appended as list 2, of which 4 to be called; 2 seen before" in done.err
    assert "the process that dials it takes them up" in done.err
    assert "was not read" not in done.err
    tools.until(lambda: len(dial.server.rings()) >= 7, run)
    again = append(more, "--json").ends(0).document
    assert (again["new"], again["seen"], again["list"], again["running"]) == (0, 6, None, True)
    assert again["compared"]
    assert "takes them up" not in append(more).ends(0).err  # there is nobody to take up
    run.send_signal(signal.SIGINT)
    told = tools.finished(run).ends(130)
    assert "contacts were appended: 4" in told.err
    assert sorted(dial.server.rings()) == [*NUMBERS[:3], *NUMBERS[4:8]]
    lists = dial.status()["lists"]
    assert [(each["number"], each["name"], each["appended"]) for each in lists] == [
        (1, "contacts.csv", False),
        (2, "b.csv", True),
    ]
    rows = {(row["list_number"], row["row"]): row["phone_number"] for row in dial.rows()}
    assert (rows[1, 3], rows[2, 3], len(rows)) == (NUMBERS[2], NUMBERS[4], 8)
    dial.check()


def test_nobody_dials_it_now(dial: Any, contacts: Any, append: Any) -> None:
    """It says what does, and the original list run again calls the new ones, with no questions."""
    path = contacts(NUMBERS[:2])
    dial.run(path).ends(0)
    done = append(contacts("phone\n" + NUMBERS[2] + "\nx\n", "b.csv")).ends(0)
    assert "hamsa campaign run --name eid --journal" in done.err
    assert "1 row is no contact: see invalid.csv" in done.err
    assert dial.counts() == {"done": 2, "pending": 1, "invalid": 1}
    dial.run(path).ends(0)
    assert sorted(dial.server.rings()) == NUMBERS[:3]


def test_without_a_key(dial: Any, contacts: Any, append: Any) -> None:
    """The list is not compared with the agent, and that is said; strict wants it compared."""
    dial.run(contacts(NUMBERS[:1])).ends(0)
    more = contacts(NUMBERS[1:3], "b.csv")
    refused = append(more, "--strict", key=False).ends(2)
    assert "was not compared with the agent" in refused.complaint
    done = append(more, key=False).ends(0)
    assert "the agent was not read: there is no API key" in done.err
    assert dial.counts()["pending"] == 2


def test_who_says_no_in_it_is_called_off(dial: Any, contacts: Any, append: Any) -> None:
    """Also while nobody dials; the campaign's own list does not bring them back."""
    path = contacts(waiting(NUMBERS[:3]))
    dial.run(path, "--no-wait").ends(7)
    done = append(contacts(f"phone,dnc\n{NUMBERS[2]},yes\n", "no.csv")).ends(0)
    assert "1 contact not called any more, as it says" in done.err
    dial.run(path).ends(0)
    assert dial.counts() == {"done": 2, "skipped": 1}
    assert sorted(dial.server.rings()) == NUMBERS[:2]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("city\nDubai\n", (), "no column has the phone numbers"),
        ("phone\nx\n", (), "1 of 1 rows are no contacts"),
        ("phone\n", (), "no contacts"),
        ("phone\n+971501234567\nx\n", ("--strict",), "1 of 2 rows are no contacts"),
        ("phone\n+971501234567\n", ("--max-invalid", "2"), "--max-invalid"),
        ("phone\n+971501234567\n", ("--country", "mars"), "mars"),
    ],
)
def test_what_cannot_be_appended(
    appendable: Any, contacts: Any, content: str, options: tuple[str, ...], words: str
) -> None:
    """Said in a line, and nothing is changed."""
    done = appendable(contacts(content, "b.csv"), *options).ends(2)
    assert words in done.complaint


def test_no_campaign(dial: Any, contacts: Any, append: Any) -> None:
    assert "there is no journal" in append(contacts(1)).ends(2).complaint
    dial.run(contacts(NUMBERS[:1]), name="other").ends(0)
    assert "has no campaign 'eid'" in append(contacts(1)).ends(2).complaint


def test_explain_says_what_the_row_says(dial: Any, contacts: Any) -> None:
    """Priority and where the consent is noted; a number may be written without its code."""
    dial.run(contacts(f"phone,priority,consent_source\n{NUMBERS[0]},7,form 12\n")).ends(0)
    explain = ("campaign", "explain", "eid", "0501000000", "--journal", dial.journal)
    assert "no country is given" in dial.command(*explain).ends(2).complaint
    done = dial.command(*explain, "--country", "AE").ends(0)
    assert "priority: 7" in done.out
    assert "consent noted in: form 12" in done.out
    nowhere = ("campaign", "explain", "eid", "+80012345678", "--journal", dial.journal)
    assert "unknown (none)" not in dial.command(*nowhere).ends(0).out
    (row,) = dial.rows()
    assert (row["priority"], row["consent_source"]) == (7, "form 12")
