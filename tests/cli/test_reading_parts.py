"""The parts of the reading commands that need no process."""

import asyncio
import io
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamsa_async._converter import converter
from hamsa_async._masking import mask_all_but_dates
from hamsa_async.cli import agents, conversations, numbers
from hamsa_async.cli.documents import document, host_of
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.listing import Column, Listing
from hamsa_async.cli.output import Forgiving
from hamsa_async.errors import HamsaError, ServerError
from hamsa_async.models import AgentDetails, Conversation, ConversationSummary, PhoneNumber, Turn

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
SHOWN: dict[Any, tuple[Callable[[Any], Any], ...]] = {
    AgentDetails: (lambda agent: list(agents._particulars(agent)), agents._cells),
    PhoneNumber: (numbers._cells,),
    ConversationSummary: (conversations._cells,),
    Conversation: (lambda call: list(conversations._particulars(call)),),
}
LEAVES: dict[Any, tuple[str, ...]] = {
    AgentDetails: (
        *("id", "agentName", "lang", "type", "description", "greetingMessage", "preamble"),
        *("params", "maxCallDuration", "webhookUrl"),
    ),
    PhoneNumber: ("number", "label", "voiceAgentId"),
    ConversationSummary: ("agentName", "duration"),
    Conversation: ("callDuration", "mediaUrl"),
}


@pytest.mark.parametrize("kind", SHOWN)
@given(data=st.data())
def test_whatever_the_api_sends_is_shown(kind: Any, data: st.DataObject) -> None:
    """A text where a number was promised, or the other way round, is no defect of ours."""
    sent = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(LEAVES[kind], anything)))
    if kind is AgentDetails:
        sent["voiceRecord"] = {"name": data.draw(anything), "languageCode": data.draw(anything)}
    if kind is Conversation:
        params = data.draw(anything)
        sent["agentDetails"] = {"agentName": data.draw(anything), "params": params}
        result = data.draw(anything)
        sent["jobResponse"] = {"outcomeResult": result, "transcription": [{"Agent": result}]}
        sent["callParams"] = {"userNumber": data.draw(anything)}
    value = converter.structure({"id": "a", **sent}, kind)
    for show in SHOWN[kind]:
        for text in _texts(show(value)):
            assert isinstance(text, str)
            assert "\n" not in text
    json.dumps(document(value))


def _texts(shown: Any) -> list[Any]:
    return [text for each in shown for text in (each if isinstance(each, tuple) else (each,))]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("2026-01-31", "2026-01-31"),
        (
            "on 2026-01-31 09:30, or 2026-02-01T10:00:30.",
            "on 2026-01-31 09:30, or 2026-02-01T10:00:30.",
        ),
        ("2026-01-31 call +971500000101", "2026-01-31 call +9715******01"),
        ("+971500000101", "+9715******01"),
        ("2026-01-31-5551234", None),
        ("2026-01-315551234", None),
        ("+20 2012-10-10 1234", None),
        ("971 2012-10-10", None),
        ("2012-10-10 1234567", None),
    ],
)
def test_dates_are_no_numbers(text: str, masked: str | None) -> None:
    """A date stays, unless it may be the middle of a number."""
    shown = mask_all_but_dates(text)
    if masked is None:
        assert "*" in shown
        assert not re.search(r"2012-10-10|2026-01-31", shown)
    else:
        assert shown == masked


@given(st.text(alphabet="0123456789 +-().:T", max_size=40))
def test_no_number_is_left(text: str) -> None:
    """Of ten digits in a row some are masked, dates or not."""
    assert not re.search(r"\d{9,}", mask_all_but_dates(text))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:secret@hooks.example.com:8443/x?token=secret", "hooks.example.com"),
        ("no url", "?"),
        ("https://[broken", "?"),
        (7, "?"),
    ],
)
def test_hosts(url: object, host: str) -> None:
    assert host_of(url) == host


# -- lists


LISTING = Listing[Turn](
    kind="turns",
    columns=(Column(name="who", width=6), Column(name="what")),
    cells=lambda turn: (turn.speaker, turn.text),
)


async def _turns(count: int, error: BaseException | None = None) -> AsyncIterator[Turn]:
    for at in range(count):
        yield Turn(speaker="سارة", text=f"text {at}")
    if error is not None:
        raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServerError("cut off in the middle", status=500), Exit.CANNOT),
        (asyncio.CancelledError(), Exit.INTERRUPTED),
    ],
)
async def test_failure_in_the_middle(capsys: Any, error: BaseException, code: Exit) -> None:
    """What was read is shown, the document is whole, and the code says that it is not all."""
    assert await LISTING.show(_turns(3, error), as_json=True) is code
    out, err = capsys.readouterr()
    written = json.loads(out)
    assert len(written["turns"]) == 3
    assert written["exit_code"] == code.value
    assert written["error"] in err
    assert await LISTING.show(_turns(3, error), as_json=False) is code
    assert len(capsys.readouterr().out.splitlines()) == 4


async def test_failure_at_the_start(capsys: Any) -> None:
    """Then there is one error and no document yet."""
    with pytest.raises(HamsaError):
        await LISTING.show(_turns(0, ServerError("no")), as_json=True)
    assert capsys.readouterr().out == ""


async def test_long_lists_stay_in_line(capsys: Any) -> None:
    await LISTING.show(_turns(120), as_json=False)
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "who     what"
    assert rows == [f"سارة    text {at}" for at in range(120)]


def test_moments_are_whole_in_documents() -> None:
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    made = document(ConversationSummary(id="a", created_at=at, extra={"apiToken": "s", "x": [1]}))
    assert made["created_at"] == at.isoformat()
    assert made["extra"] == {"apiToken": "***", "x": [1]}


async def test_reading_ends_with_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads what is written, no further page is asked for."""
    read: list[Turn] = []

    async def turns() -> AsyncIterator[Turn]:
        async for turn in _turns(1_000):
            read.append(turn)
            yield turn

    gone = Forgiving(io.StringIO())
    gone.failure = BrokenPipeError()
    monkeypatch.setattr(sys, "stdout", gone)
    assert await LISTING.show(turns(), as_json=False) is Exit.DONE
    assert len(read) == 1
