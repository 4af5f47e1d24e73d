"""The ledger says what rang, survives whoever is killed, and does not chatter about numbers."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa, Ledger, Post, Ring

AT = datetime(2026, 3, 11, 8, 15, 2, 417_000, UTC)
SARA, OMAR = "+971500000123", "+966500000456"


def ring(number: str = SARA, **more: Any) -> Ring:
    return Ring(**{"phone_number": number, "at": AT, "call_id": "c1", "post": 1, **more})


def test_rings_are_kept_by_number() -> None:
    """A number's rings are found, and a number that rang twice is told from one that did not."""
    ledger = Ledger()
    first, other, second = ring(), ring(OMAR), ring(call_id="c2")
    for each in (first, other, second):
        ledger.rang(each)
    assert ledger.rings == [first, other, second]
    assert ledger.rings_of(SARA) == [first, second]
    assert ledger.rings_of("+1") == []
    assert ledger.rung_twice() == {SARA: [first, second]}


def test_posts_are_counted_whether_or_not_they_ring() -> None:
    """Each POST has a number from 1 and a record that is completed as one learns more."""
    ledger = Ledger()
    assert [ledger.arrived(AT), ledger.arrived(AT)] == [1, 2]
    ledger.note(2, phone_number=SARA, reference="r", rang=True, status=200)
    assert ledger.posts == 2
    assert ledger.post_log == [
        Post(number=1, at=AT),
        Post(number=2, at=AT, phone_number=SARA, reference="r", rang=True, status=200),
    ]


def test_a_ring_is_in_the_file_at_once(tmp_path: Path) -> None:
    """A ring can be read from the file by somebody else before anything more happens."""
    path = tmp_path / "rings.jsonl"
    ledger = Ledger(path=path)
    assert not path.exists()
    for number in (SARA, OMAR):
        ledger.rang(ring(number, reference="r", voice_agent_id="a", from_number="+1415"))
        assert json.loads(path.read_text("utf-8").splitlines()[-1])["phone_number"] == number
    ledger.close()
    assert Ledger.load(path).rings == ledger.rings


def test_a_file_is_added_to_and_outlives_clear(tmp_path: Path) -> None:
    """Neither a second ledger on the same file nor clearing forgets a ring in the file."""
    path = tmp_path / "rings.jsonl"
    for call_id in ("c1", "c2"):
        ledger = Ledger(path=path)
        ledger.rang(ring(call_id=call_id))
        ledger.clear()
        assert (ledger.rings, ledger.posts, ledger.rings_of(SARA)) == ([], 0, [])
        ledger.close()
    assert list(Ledger.load(path).rung_twice()) == [SARA]


def test_a_post_that_was_forgotten_stays_forgotten() -> None:
    """What is learnt of a POST after the ledger was cleared is dropped."""
    ledger = Ledger()
    ledger.arrived(AT)
    ledger.clear()
    ledger.note(1, status=200)
    assert ledger.post_log == []


def test_a_broken_file_says_where(tmp_path: Path) -> None:
    """A line that is no ring is an error that names the line."""
    path = tmp_path / "rings.jsonl"
    good = json.dumps(ring().to_json())
    for bad in ("{", "[]", "{}", '{"at": 5}', '{"at": "2026-03-11T08:15:02+00:00"}'):
        path.write_text(f"{good}\n{bad}\n", "utf-8")
        with pytest.raises(ValueError, match="line 2 of the ledger"):
            Ledger.load(path)


def test_the_whole_ledger_is_json() -> None:
    """The JSON form has the rings, the count of POSTs and who rang twice, numbers whole."""
    ledger = Ledger()
    ledger.arrived(AT)
    ledger.rang(ring())
    ledger.rang(ring())
    value = json.loads(json.dumps(ledger.to_json()))
    assert [each["phone_number"] for each in value["rings"]] == [SARA, SARA]
    assert value["posts"] == 1
    assert len(value["rung_twice"][SARA]) == 2


def test_a_repr_masks_numbers() -> None:
    """Whole numbers stay out of the repr of rings, posts and ledger."""
    ledger = Ledger()
    ledger.rang(ring())
    for value in (ring(from_number=OMAR), Post(number=1, at=AT, phone_number=SARA), ledger):
        assert SARA not in repr(value)
        assert OMAR not in repr(value)


def test_a_ring_knows_its_time_in_utc() -> None:
    """A moment without a zone, or in another one, is refused."""
    for wrong in (AT.replace(tzinfo=None), AT.astimezone(timezone(timedelta(hours=4)))):
        with pytest.raises(ValueError, match="UTC"):
            ring(at=wrong)


async def test_a_server_that_is_started_again(tmp_path: Path) -> None:
    """It shows the calls of its file, knows who rang, and goes on writing."""
    path = tmp_path / "rings.jsonl"
    async with (
        FakeHamsa(ledger_path=path) as before,
        HamsaClient(FAKE_API_KEY, base_url=before.base_url) as hamsa,
    ):
        call = await hamsa.voice_agents.call(
            to_number=SARA, voice_agent_id=FAKE_AGENT_ID, reference="r"
        )
    async with (
        FakeHamsa(ledger_path=path, resume=True, call_seconds=(0, 0)) as again,
        HamsaClient(FAKE_API_KEY, base_url=again.base_url) as hamsa,
    ):
        assert [row.id async for row in hamsa.conversations.list()] == [call.id]
        assert (await hamsa.conversations.get(call.id)).reference == "r"
        assert again.ledger.rings == before.ledger.rings
        await hamsa.voice_agents.call(to_number=SARA, voice_agent_id=FAKE_AGENT_ID)
        assert list(again.ledger.rung_twice()) == [SARA]
    assert len(Ledger.load(path).rings) == 2
    assert Ledger.resume(tmp_path / "none.jsonl").rings == []
    with pytest.raises(ValueError, match="ledger_path"):
        FakeHamsa(resume=True)
