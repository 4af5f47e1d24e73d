"""What is known of a call that is followed: it never moves backwards, and is asked about enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async import FINAL_STATUSES, CallStatus, Conversation, ConversationSummary
from hamsa_async._following import Followed, Patience, further, is_end, longest_of, rank, start_of
from hamsa_async.models import AgentDetails
from hamsa_async.models.conversations import JobResponse

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
PATIENCE = Patience()
STATUSES = st.one_of(
    st.none(),
    st.sampled_from(list(CallStatus)),
    st.sampled_from([status.lower() for status in CallStatus]),
    st.text(max_size=8),
)


def followed(**known: Any) -> Followed:
    return Followed(id="c", patience=PATIENCE, begun=0.0, created_at=NOON, **known)


def row(status: Any, **more: Any) -> ConversationSummary:
    return ConversationSummary(id="c", status=status, **more)


def detail(status: Any, outcome: Any = None, **more: Any) -> Conversation:
    return Conversation(
        id="c", status=status, job_response=JobResponse(outcome_result=outcome), **more
    )


@pytest.mark.parametrize("status", list(CallStatus))
@pytest.mark.parametrize("write", [str, str.lower, str.title])
def test_ends(status: CallStatus, write: Any) -> None:
    """Every final status is an end, however it is written; no other is."""
    assert is_end(write(status)) is (status in FINAL_STATUSES)


@pytest.mark.parametrize("status", [None, "", "BUSY", "VOICEMAIL", "COMPLETED_NOT"])
def test_what_is_not_known_is_no_end(status: str | None) -> None:
    assert not is_end(status)


@given(STATUSES, STATUSES)
def test_no_status_goes_backwards(seen: Any, heard: Any) -> None:
    """It is one of the two, never less far, and an end stays what it is."""
    now = further(seen, heard)
    assert now in {seen, heard}
    assert rank(now) == max(rank(seen), rank(heard))
    if is_end(seen):
        assert now == seen


@given(st.lists(STATUSES, max_size=8))
def test_the_first_end_heard_stays(heard: list[Any]) -> None:
    """Whatever is said in which order."""
    status: Any = None
    for each in heard:
        status = further(status, each)
    ends = [each for each in heard if is_end(each)]
    if ends:
        assert status == ends[0]


HEARD = st.lists(
    st.tuples(st.sampled_from(["row", "miss", "read", "fail"]), STATUSES, st.booleans()),
    max_size=30,
)


@given(HEARD)
def test_followed_in_any_order(heard: list[tuple[str, Any, bool]]) -> None:
    """Its status only goes on; it is read a bounded number of times after its end; it ends."""
    call, now, whole, looks = followed(), 0.0, False, 0
    for what, status, with_outcome in heard:
        now += 1.0
        before = call.status
        if what == "row":
            call.see(row(status), now)
        elif what == "miss":
            call.miss()
        elif what == "fail":
            call.fail(OSError("x"), now)
        elif call.read_at() is not None:
            conversation = detail(status, {"a": 1} if with_outcome else None)
            call.read(conversation, now)
            if call.has_ended:
                looks += 1
                silent = str(status).upper() in {"NO_ANSWER", "FAILED"}
                whole = is_end(status) and (with_outcome or silent)
        assert rank(call.status) >= rank(before)
        at = call.read_at()
        assert at is None or at <= now + PATIENCE.unseen_most
        if call.has_ended:
            assert (at is None) is call.is_done
        if call.is_done:
            break
    assert looks <= 1 + len(PATIENCE.outcome)
    if call.is_done:
        assert call.has_ended
        assert whole or looks == 1 + len(PATIENCE.outcome)
        assert call.conversation is not None
        assert call.conversation.status == call.status


def test_the_list_is_enough() -> None:
    """A call that the list shows is not read before it has ended; then at once."""
    call = followed()
    assert call.read_at() is None
    assert call.see(row("PENDING"), 1.0)
    assert not call.see(row("PENDING"), 50.0)
    assert call.read_at() is None
    assert call.see(row("NO_ANSWER"), 51.0)
    assert call.read_at() == 51.0


def test_what_the_list_does_not_show() -> None:
    """It is read after a while, then twice as late each time, up to a minute."""
    call, moments, now = followed(), [], 0.0
    for _ in range(8):
        call.miss()
        at = call.read_at()
        assert at is not None
        moments.append(at - now)
        now = at
        call.read(detail("PENDING"), now)
    assert moments == [3, 6, 12, 24, 48, 60, 60, 60]
    call.see(row("PENDING"), now)
    assert call.read_at() is None


def test_what_there_is_not() -> None:
    """It is believed after three times, unless the list has shown it."""
    call = followed()
    assert [call.is_missing() for _ in range(3)] == [False, False, True]
    call = followed()
    call.see(row("PENDING"), 1.0)
    assert not any(call.is_missing() for _ in range(9))


def test_the_outcome_is_waited_for() -> None:
    """A few looks, then it is given as it is; where nobody spoke there is nothing to wait for."""
    call, moments, now = followed(), [], 10.0
    call.see(row("COMPLETED"), now)
    while not call.is_done:
        at = call.read_at()
        assert at is not None
        moments.append(at - now)
        now = at
        call.read(detail("COMPLETED"), now)
    assert moments == [0, *PATIENCE.outcome]
    for status in ("NO_ANSWER", "FAILED"):
        call = followed()
        call.read(detail(status), 1.0)
        assert call.is_done


def test_the_detail_may_be_behind() -> None:
    """What is given never says less than was known."""
    call = followed()
    call.see(row("COMPLETED"), 1.0)
    for _ in range(1 + len(PATIENCE.outcome)):
        assert not call.is_done
        call.read(detail("IN_PROGRESS", {"a": 1}), 2.0)
    assert call.is_done
    assert call.conversation is not None
    assert call.conversation.status == "COMPLETED"


@pytest.mark.parametrize(
    ("agent", "timeout"),
    [
        (None, 720.0),
        (AgentDetails(), 720.0),
        (AgentDetails(max_call_duration=300), 420.0),
        (AgentDetails(max_call_duration=1800.5), 1920.5),
        (AgentDetails(max_call_duration=0), 720.0),
        (AgentDetails(max_call_duration="long"), 720.0),  # type: ignore[arg-type]
        (AgentDetails(max_call_duration=float("inf")), 720.0),
        (AgentDetails(max_call_duration=10**400), 720.0),
    ],
)
def test_the_default_timeout(agent: AgentDetails | None, timeout: float) -> None:
    """The agent's longest call and two minutes; read once, and only where it is needed."""
    call = followed(needs_longest=True)
    call.see(row("IN_PROGRESS"), 1.0)
    assert call.read_at() == PATIENCE.agent
    conversation = detail("IN_PROGRESS", agent_details=agent)
    call.read(conversation, PATIENCE.agent)
    assert call.timeout == 720.0
    call.longest = longest_of(conversation)
    assert call.timeout == timeout
    assert call.read_at() is None


def test_an_agent_that_is_no_id() -> None:
    """What one call says of its agent is looked up by it; another shape must end no wait."""
    call = followed()
    call.see(row("PENDING", voice_agent_id={"id": "a"}), 1.0)
    call.read(detail("IN_PROGRESS", voice_agent_id=["a"]), 2.0)
    assert call.agent_id is None
    call.see(row("IN_PROGRESS", voice_agent_id="a"), 3.0)
    assert call.agent_id == "a"


def test_the_open_range() -> None:
    """It begins a little before the oldest call; those from long before are not in it."""
    now = NOON + timedelta(hours=1)
    old, new = followed(), followed()
    new.see(row("PENDING", created_at=NOON + timedelta(minutes=50)), 1.0)
    assert start_of([old, new]) == NOON - timedelta(minutes=1)
    assert start_of([new]) == NOON + timedelta(minutes=49)
    assert old.in_sweep(now)
    assert not old.in_sweep(now + timedelta(hours=2))
    new.see(row("COMPLETED"), 2.0)
    assert not new.in_sweep(now)


def test_between_sweeps() -> None:
    """Short at first, longer later, longer after failures, and never many pages a second."""
    ages = [PATIENCE.between_sweeps(age, 1, 0) for age in (0, 5, 10, 60, 150, 10_000)]
    assert ages == [1, 1, 1, 6, 15, 15]
    assert [PATIENCE.between_sweeps(0, 0, n) for n in (0, 1, 2, 3, 4, 99)] == [1, 2, 4, 8, 15, 15]
    assert PATIENCE.between_sweeps(0, 50, 0) == 25
