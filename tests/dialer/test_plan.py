"""Plans: who is called when, on a fake clock."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.contract import ContractCheck, render
from hamsa_async.dialer.machine import ContactState
from hamsa_async.dialer.plan import Pacing, Planned, plan, summarise
from hamsa_async.dialer.policy import History, read_policy
from hamsa_async.dialer.reading import read_chunks

UAE = ["ae_telemarketing"]


def dubai(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+04:00")


async def planned(
    people: list[dict[str, Any]], packs: list[str] = UAE, at: str = "2026-12-01T07:00", **more: Any
) -> list[Planned]:
    rows = [row async for chunk in read_chunks(people) for row in chunk]
    pacing = more.pop("pacing", Pacing(rate=1))
    return plan(rows, read_policy(packs), at=dubai(at), pacing=pacing, **more)


def number(at: int) -> str:
    return f"+97150{1_000_000 + at}"


async def test_calls_are_spaced_from_the_first_moment_that_is_allowed() -> None:
    """Before the hours begin everybody waits; then one a second, in the list's order."""
    found = await planned([{"phone": number(at)} for at in range(3)])
    assert [each.first_call_at for each in found] == [
        dubai(f"2026-12-01T09:00:0{second}") for second in range(3)
    ]
    assert {(each.state, each.reason) for each in found} == {
        (ContactState.DEFERRED, "outside_hours")
    }
    assert {each.zone for each in found} == {"Asia/Dubai"}


async def test_within_the_hours_nobody_waits_for_a_rule() -> None:
    """They are pending, and called as fast as the pace allows."""
    found = await planned(
        [{"phone": number(at)} for at in range(3)],
        at="2026-12-01T10:00",
        pacing=Pacing(rate=0.1),
    )
    assert [(each.state, each.first_call_at) for each in found] == [
        (ContactState.PENDING, dubai(f"2026-12-01T10:00:{second:02}")) for second in (0, 10, 20)
    ]


async def test_what_does_not_fit_today_is_called_tomorrow() -> None:
    """At the last start of the day the rest is put off, and the plan says how many."""
    pacing = Pacing(rate=1 / 60)
    found = await planned(
        [{"phone": number(at)} for at in range(10)], at="2026-12-01T17:53:30", pacing=pacing
    )
    summary = summarise(found, at=dubai("2026-12-01T17:53:30"), pacing=pacing)
    assert summary.today == 5
    assert [each.first_call_at for each in found][4:6] == [
        dubai("2026-12-01T17:57:30"),
        dubai("2026-12-02T09:00:00"),
    ]
    assert summary.zone == "Asia/Dubai"
    assert {hour.isoformat(): count for hour, count in summary.hours.items()} == {
        "2026-12-01T17:00:00+04:00": 5,
        "2026-12-02T09:00:00+04:00": 5,
    }
    assert summary.last_at == dubai("2026-12-02T09:04:00")


async def test_live_calls_are_capped_and_counted() -> None:
    """So many are begun at the rate; from then on a call must end before the next one."""
    people = [{"phone": number(at)} for at in range(20)]
    capped = Pacing(rate=1, live_calls=2, call_length=timedelta(seconds=60))
    found = await planned(people, at="2026-12-01T10:00", pacing=capped)
    assert [each.first_call_at for each in found[:5]] == [
        dubai(f"2026-12-01T10:0{moment}") for moment in ("0:00", "0:01", "1:00", "1:01", "2:00")
    ]
    assert summarise(found, at=dubai("2026-12-01T10:00"), pacing=capped).live_calls == 2
    free = Pacing(rate=1, call_length=timedelta(seconds=5))
    found = await planned(people, at="2026-12-01T10:00", pacing=free)
    assert summarise(found, at=dubai("2026-12-01T10:00"), pacing=free).live_calls == 5


async def test_who_is_never_called_and_why() -> None:
    """Expired, not covered, duplicate, unwilling, invalid: each with its own state and reason."""
    found = await planned(
        [
            {"phone": number(1), "not_after": "2026-12-01T08:00:00+04:00"},
            {"phone": "+966501234567"},
            {"phone": number(2), "contact_id": "7"},
            {"phone": number(2)},
            {"phone": number(3), "contact_id": "7"},
            {"phone": number(4), "dnc": "yes"},
            {"phone": number(4)},
            {"phone": "123"},
            {"phone": number(5), "not_before": "2026-12-03T10:00:00+04:00"},
        ]
    )
    assert [(each.state, each.reason) for each in found] == [
        (ContactState.EXPIRED, "expired"),
        (ContactState.SKIPPED, "country_not_covered"),
        (ContactState.DEFERRED, "outside_hours"),
        (ContactState.SKIPPED, "duplicate_in_file"),
        (ContactState.SKIPPED, "duplicate_contact_id"),
        (ContactState.SKIPPED, "dnc"),
        (ContactState.SKIPPED, "dnc"),
        (ContactState.INVALID, "needs_country"),
        (ContactState.DEFERRED, "not_before"),
    ]
    assert found[-1].first_call_at == dubai("2026-12-03T10:00")
    assert sum(each.first_call_at is not None for each in found) == 2


async def test_what_is_known_of_a_number_counts() -> None:
    """A number that was called today waits until tomorrow."""
    history = History(calls=(dubai("2026-12-01T09:30"),))
    (found,) = await planned(
        [{"phone": number(1)}], at="2026-12-01T11:00", history_of=lambda _number: history
    )
    assert (found.reason, found.first_call_at) == ("cap_day", dubai("2026-12-02T09:00"))


async def test_what_stands_in_the_way_of_the_set_up_is_no_skip() -> None:
    """A caller number that does not fit is not the contact's fault."""
    (found,) = await planned([{"phone": number(1)}], caller_of=lambda _number: "+442079460117")
    assert (found.state, found.reason, found.first_call_at) == (
        ContactState.DEFERRED,
        "caller_number",
        None,
    )


async def test_a_plan_without_rules_calls_at_once() -> None:
    """Unpaced and by `none`, everybody is called at the moment at which it begins."""
    found = await planned(
        [{"phone": number(at)} for at in range(5)], ["none"], pacing=Pacing(rate=None)
    )
    assert {each.first_call_at for each in found} == {dubai("2026-12-01T07:00")}
    assert {each.first_call_at.tzinfo for each in found if each.first_call_at} == {UTC}


def test_an_empty_plan() -> None:
    """Nobody to call is a plan too."""
    summary = summarise([], at=dubai("2026-12-01T07:00"), pacing=Pacing())
    assert (summary.rows, summary.to_call, summary.first_at, summary.live_calls) == (0, 0, None, 0)
    assert summary.zone == "UTC"


_ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["pending", "deferred", "invalid"])), max_size=30
)


@given(_ROWS, st.integers(0, 7 * 24 * 60))
def test_every_row_has_one_plan_and_nobody_is_called_twice(
    rows: list[tuple[int, Any]], minutes: int
) -> None:
    """Plans add up to the rows; calls are allowed when they are made, and as far apart as asked."""
    policy = read_policy(UAE)
    at = dubai("2026-12-01T00:00") + timedelta(minutes=minutes)
    given_ = [
        Row(row=place, phone_number=number(who), state=state, reason=None)
        for place, (who, state) in enumerate(rows, start=1)
    ]
    found = plan(given_, policy, at=at, pacing=Pacing(rate=0.01))
    assert [each.row for each in found] == [row.row for row in given_]
    called = [each for each in found if each.first_call_at is not None]
    assert len({each.phone_number for each in called}) == len(called)
    times = sorted(each.first_call_at for each in called if each.first_call_at is not None)
    assert all(
        second - first >= timedelta(seconds=100) for first, second in itertools.pairwise(times)
    )
    for moment in times:
        assert 9 <= moment.astimezone(at.tzinfo).hour < 18


@given(st.lists(st.none() | st.integers(1, 100), max_size=30))
def test_priorities_go_before_places(priorities: list[int | None]) -> None:
    """The highest first, those without one last, and in one priority the list's order."""
    given_ = [
        Row(row=place, phone_number=number(place), priority=priority)
        for place, priority in enumerate(priorities, start=1)
    ]
    found = plan(given_, read_policy(["none"]), at=dubai("2026-12-01T00:00"), pacing=Pacing())
    called = sorted(found, key=lambda each: each.turn or 0)
    expected = sorted(given_, key=lambda row: (-(row.priority or 0), row.row))
    assert [each.row for each in called] == [row.row for row in expected]


# -- the contract with the agent


def check(variables: list[str], *params: dict[str, Any], **given_: Any) -> ContractCheck:
    found = ContractCheck(variables, given_)
    found.add(
        Row(row=place, phone_number=number(place), params=each)
        for place, each in enumerate(params, start=1)
    )
    return found


def test_what_the_agent_asks_for_must_be_there() -> None:
    """Missing, empty and unused are told apart; the campaign's own params count."""
    found = check(
        ["name", "city", "offer", "day"],
        {"name": "سارة", "day": "", "age": "7"},
        {"name": " ", "day": "Monday", "age": "8"},
        offer="Eid",
    ).result()
    assert found.missing == ("city",)
    assert found.empty == {"name": 1, "day": 1}
    assert found.unused == ("age",)
    assert found.breaches == [
        "the agent asks for {{city}}, and no column or --param gives it",
        "the agent asks for {{name}}, which is empty in 1 row",
        "the agent asks for {{day}}, which is empty in 1 row",
    ]


def test_rows_that_are_not_called_are_not_asked() -> None:
    """An invalid row without a value breaches nothing."""
    found = ContractCheck(["name"], {})
    found.add([Row(row=1, phone_number="x", state="invalid", reason="empty")])
    found.add([Row(row=2, phone_number=number(2), params={"name": "x"})])
    assert found.result().breaches == []
    assert found.result().first == {"name": "x"}
    assert ContractCheck(["name"], {}).result().breaches == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello {{name}}, {{ name }}!", "Hello سارة, سارة!"),
        ("{{name}} of {{city}}", "سارة of {{city}}"),
        ("no variable", "no variable"),
    ],
)
def test_the_first_row_is_rendered(text: str, shown: str) -> None:
    """What has a value is filled in, what has none stays to be seen."""
    assert render(text, {"name": "سارة", "city": ""}) == shown
