"""A call only goes on, in whatever order its events come."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hamsa_async.webhooks import CallProgress, CallStage, EventType, WebhookEvent, parse


def event(kind: str, **payload: Any) -> WebhookEvent:
    return parse(json.dumps({"eventType": kind, "data": {"data": payload}}).encode())


EVENTS = {
    "call.started": (CallStage.STARTED, False),
    "call.answered": (CallStage.ANSWERED, True),
    "transcription.update": (CallStage.ANSWERED, True),
    "tool.executed": (CallStage.ANSWERED, True),
    "call.ended": (CallStage.ENDED, False),
    "call.transferred": (CallStage.UNSEEN, False),
}


def test_each_event_proves_its_stage() -> None:
    assert EventType.CALL_ENDED in EVENTS
    assert set(EventType) <= set(EVENTS)
    for kind, (stage, answered) in EVENTS.items():
        progress = CallProgress().after(event(kind))
        assert (progress.stage, progress.answered) == (stage, answered)


@given(st.lists(st.sampled_from(sorted(EVENTS))))
def test_no_event_moves_a_call_back(kinds: list[str]) -> None:
    progress = CallProgress()
    for kind in kinds:
        after = progress.after(event(kind))
        assert after.stage >= progress.stage
        assert after.answered >= progress.answered
        assert (after.ended is None) <= (progress.ended is None)
        progress = after
    assert progress.stage == max((EVENTS[kind][0] for kind in kinds), default=0)
    assert progress.answered == any(EVENTS[kind][1] for kind in kinds)


@given(
    st.lists(st.sampled_from(sorted(EVENTS)), max_size=6).flatmap(
        lambda kinds: st.tuples(st.just(kinds), st.permutations(kinds + kinds[:2]))
    )
)
def test_neither_order_nor_number_matters(orders: tuple[list[str], list[str]]) -> None:
    ends = []
    for kinds in orders:
        progress = CallProgress()
        for kind in kinds:
            progress = progress.after(event(kind))
        ends.append(progress)
    assert ends[0] == ends[1]


def test_the_end_that_tells_most_is_kept() -> None:
    """An outcome may come later than the first word of the end; nothing takes it back."""
    empty = event("call.ended", outcomeResult={}, transcription=[])
    full = event("call.ended", outcomeResult={"confirmed": True}, transcription=[{"User": "Yes"}])
    for order in ((empty, full), (full, empty), (full, empty, full)):
        progress = CallProgress()
        for one in order:
            progress = progress.after(one)
        assert progress.ended == full
