"""A single call's tries, over an API that is a function: what is tried again, what is written."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.config import ClientConfig, RetryPolicy
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.records import Barred, Candidate, Identity, Settlement
from hamsa_async.dialer.journal.ruling import MIN_GAP
from hamsa_async.dialer.machine import AttemptState, Happening
from hamsa_async.dialer.single import Placing, single_call
from hamsa_async.errors import (
    AuthenticationError,
    Certainty,
    HamsaError,
    JournalError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
)
from hamsa_async.models import Call, CallRequest

NUMBER = "+971501234567"
REQUEST = CallRequest(to_number=NUMBER, voice_agent_id="agent")
CONFIG = ClientConfig(retry=RetryPolicy(wait_initial=0, wait_max=0))


class Api:
    """Answers each try with the next of these; before it, the last moment."""

    def __init__(self, *answers: Exception | str, early: HamsaError | None = None) -> None:
        self.answers = list(answers)
        self.early = early
        self.references: list[str | None] = []

    async def attempt(
        self, request: CallRequest, *, before_send: Callable[[], Awaitable[None]], **_: Any
    ) -> Call:
        if self.early is not None and self.references:
            raise self.early
        await before_send()
        self.references.append(request.reference)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Call(id=answer)


@pytest.fixture
async def journal(journal: SqliteJournal) -> SqliteJournal:
    await journal.identify(Identity(base_url="http://127.0.0.1", project_id="p"))
    return journal


async def place(journal: SqliteJournal, api: Api) -> Placing:
    async with single_call(journal) as single:
        return await single.place(api, REQUEST, config=CONFIG)


def not_sent() -> NotSentError:
    return NotSentError("no connection", certainty=Certainty.NOT_SENT)


def too_many(retry_at: datetime | None = None) -> RateLimitedError:
    return RateLimitedError("429", certainty=Certainty.REFUSED, status=429, retry_at=retry_at)


def states(raw: Any) -> list[str]:
    return [state for (state,) in raw.execute("SELECT state FROM attempts ORDER BY id")]


async def test_not_sent_is_tried_again(journal: Any, raw: Any) -> None:
    """As often as the client itself would; each try has a reference of its own."""
    api = Api(not_sent(), too_many(), not_sent(), "call-1")
    done = await place(journal, api)
    assert done.call is not None
    assert states(raw) == ["not_sent", "refused", "not_sent", "placed"]
    assert len(set(api.references)) == 4
    assert raw.execute("SELECT state, attempts FROM contacts").fetchall() == [("placed", 1)]


async def test_not_sent_for_good(journal: Any, raw: Any) -> None:
    """After the last try nothing is left to be called."""
    done = await place(journal, Api(not_sent(), not_sent(), not_sent(), "never"))
    assert isinstance(done.error, NotSentError)
    assert states(raw) == ["not_sent"] * 3
    assert raw.execute("SELECT state FROM contacts").fetchall() == [("skipped",)]


async def test_what_may_have_rung_is_never_tried_again(journal: Any, raw: Any) -> None:
    error = OutcomeUnknownError("?", certainty=Certainty.UNKNOWN)
    done = await place(journal, Api(error, "never"))
    assert done.error is error
    assert states(raw) == ["unknown"]


async def test_a_pause_that_is_longer_than_our_patience(journal: Any, raw: Any) -> None:
    late = too_many(datetime.now(UTC) + timedelta(hours=1))
    assert (await place(journal, Api(late, "never"))).error is late
    assert states(raw) == ["refused"]


async def test_turn_that_never_came(journal: Any, raw: Any) -> None:
    """It waits at the gate until its time is over: why it waited is what counts."""
    refused = too_many()
    done = await place(journal, Api(refused, early=not_sent()))
    assert done.error is refused
    assert raw.execute("SELECT state FROM contacts").fetchall() == [("skipped",)]


async def test_each_try_is_judged(journal: Any, raw: Any) -> None:
    """The number is put on the do-not-call list between two tries."""

    class Between(Api):
        async def attempt(self, request: CallRequest, **more: Any) -> Call:
            if self.references:
                await journal.suppressions.add([NUMBER])
            return await super().attempt(request, **more)

    api = Between(too_many(), "never")
    done = await place(journal, api)
    assert done.barred is not None
    assert done.barred.reason == "dnc"
    assert len(api.references) == 1
    assert raw.execute("SELECT state FROM contacts").fetchall() == [("skipped",)]


async def test_key_that_was_renewed(journal: Any, raw: Any) -> None:
    """Once; a second refusal of a new key is an answer."""
    errors = [AuthenticationError("401", certainty=Certainty.REFUSED, status=401) for _ in "ab"]
    for error in errors:
        error.key_renewed = True
    assert (await place(journal, Api(*errors, "never"))).error is errors[1]
    assert states(raw) == ["refused", "refused"]


async def test_defect_of_ours_while_it_was_away(journal: Any, raw: Any) -> None:
    """It may have rung."""
    with pytest.raises(ZeroDivisionError):
        await place(journal, Api(ZeroDivisionError()))
    assert states(raw) == ["unknown"]


async def test_intent_that_cannot_be_written(journal: Any, raw: Any) -> None:
    """Nothing is sent."""
    raw.execute(
        "CREATE TRIGGER spoiled BEFORE INSERT ON attempts"
        " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    api = Api("never")
    with pytest.raises(JournalError, match="disk is full"):
        await place(journal, api)
    assert api.references == []


async def test_two_at_once_in_one_process(journal: Any, hamsa: HamsaClient) -> None:
    """Neither takes the other's for lost."""
    async with single_call(journal) as one:
        inner = Api("call-2")

        class Waiting(Api):
            async def attempt(self, request: CallRequest, **more: Any) -> Call:
                call = await super().attempt(request, **more)
                async with single_call(journal) as two:
                    other = CallRequest(to_number="+971501234568", voice_agent_id="agent")
                    assert (await two.place(inner, other, config=CONFIG)).call is not None
                return call

        assert (await one.place(Waiting("call-1"), REQUEST, config=CONFIG)).not_written is None
    assert await journal.problems() == []


async def test_gap_after_a_call_whose_end_nobody_saw(path: Path) -> None:
    """It counts from the last moment that the call can have lasted to, at the first look too."""
    now = begin = datetime(2026, 1, 1, tzinfo=UTC)
    ends_by = begin + timedelta(minutes=25)
    async with await SqliteJournal.open(path, clock=lambda: now) as journal:
        single = (await journal.add_campaign("hamsa-call", {})).id
        candidate = await journal.intend_single(single, "one", "att_1", NUMBER)
        assert isinstance(candidate, Candidate)
        end = Settlement(
            state=AttemptState.PLACED, happening=Happening.PLACED, call_id="c", ends_by=ends_by
        )
        await journal.settle(single, candidate, "att_1", end)
        for minutes in (61, 84):
            now = begin + timedelta(minutes=minutes)
            barred = await journal.intend_single(single, "two", f"att_{minutes}", NUMBER)
            assert isinstance(barred, Barred)
            assert (barred.reason, barred.until) == ("min_gap", ends_by + MIN_GAP)
        now = begin + timedelta(minutes=85)
        assert isinstance(await journal.intend_single(single, "two", "att_9", NUMBER), Candidate)
