"""The parts of the command that need no process."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from hamsa_async.cli.arguments import caller_is_needed, read_age, read_params, read_rate, short_path
from hamsa_async.cli.board import Tally, describe
from hamsa_async.cli.exits import Exit, after_call, after_failure, after_run, before_dialing
from hamsa_async.cli.journals import read_name
from hamsa_async.cli.lists import tell_about_contract
from hamsa_async.cli.output import Forgiving, shown, visible
from hamsa_async.cli.summary import Summary
from hamsa_async.cli.typed_numbers import read_country
from hamsa_async.cli.words import span
from hamsa_async.dialer import ContactState, DialerEvent, Ending, EventKind, Finish, ReportRow
from hamsa_async.dialer.contract import ContractCheck
from hamsa_async.dialer.report import MEANINGS, write_csv, write_json
from hamsa_async.errors import (
    CampaignError,
    CampaignRunningError,
    Certainty,
    ConfigurationError,
    InvalidRequestError,
    JournalError,
    NotSentError,
    OutcomeUnknownError,
)
from hamsa_async.models import AgentDetails

NOW = datetime(2024, 1, 1, tzinfo=UTC)


# -- exit codes


@pytest.mark.parametrize(
    ("ending", "counts", "dialed", "code"),
    [
        (Ending.DONE, {"placed": 3}, True, 0),
        (Ending.DONE, {}, False, 0),
        (Ending.DONE, {"placed": 1, "invalid": 5, "skipped": 5}, True, 0),
        (Ending.DONE, {"refused": 1}, True, 3),
        (Ending.DONE, {"expired": 1}, True, 3),
        (Ending.DONE, {"refused": 1, "unknown": 1}, True, 4),
        (Ending.NOTHING_NOW, {"deferred": 1}, True, 7),
        (Ending.NOTHING_NOW, {"deferred": 1, "refused": 1}, True, 3),
        (Ending.NOTHING_NOW, {"deferred": 1, "unknown": 1}, True, 4),
        (Ending.INTERRUPTED, {"unknown": 1}, True, 130),
        (Ending.HALTED, {"unknown": 1}, True, 5),
        (Ending.HALTED, {"pending": 1}, False, 2),
    ],
)
def test_code_of_a_run(ending: Ending, counts: Mapping[str, int], dialed: bool, code: int) -> None:
    """The first that applies."""
    by_state = {ContactState(state): count for state, count in counts.items()}
    assert after_run(Finish(ending=ending), by_state, dialed=dialed) == code


def test_codes_of_errors() -> None:
    assert before_dialing(CampaignRunningError("x")) is Exit.RUNNING_ELSEWHERE
    assert before_dialing(CampaignError("x")) is Exit.CANNOT
    assert after_failure(dialed=True) is Exit.HALTED
    assert after_failure(dialed=False) is Exit.CANNOT
    assert after_call(OutcomeUnknownError("x")) is Exit.UNKNOWNS
    assert after_call(NotSentError("x", certainty=Certainty.NOT_SENT)) is Exit.CANNOT
    assert after_call(InvalidRequestError("x", certainty=Certainty.REFUSED)) is Exit.FAILURES
    assert after_call(JournalError("x")) is Exit.CANNOT


# -- arguments


def test_names() -> None:
    """However it is typed it is the same name."""
    assert read_name(" cafe\u0301 ") == "caf\u00e9"
    assert read_name("عيد 2024/11-22 [a]") == "عيد 2024/11-22 [a]"
    for wrong in (None, "", "  ", "a\nb", "\udcff"):
        with pytest.raises(ConfigurationError):
            read_name(wrong)


def test_params_keep_their_values() -> None:
    assert read_params(["a=", " b = x=y ", "c= "]) == {"a": "", "b": " x=y ", "c": " "}
    with pytest.raises(ConfigurationError, match="twice"):
        read_params(["a=1", "a=2"])


def test_rates() -> None:
    assert read_rate(None, 1.0) == 1.0
    assert read_rate(" None ", 1.0) is None
    assert read_rate("0.5", 1.0) == 0.5
    assert read_country(" ae ") == "AE"


def test_ages() -> None:
    """An age has a unit, and lies in what time there is."""
    assert read_age("90d", option="--x") == timedelta(days=90)
    assert read_age(" 1.5h ", option="--x") == timedelta(minutes=90)
    for wrong in ("90", "ninety days", "-1d", "1w", "d", "", "٩٠d", "99999999d", "9" * 400 + "s"):
        with pytest.raises(ConfigurationError, match="--x"):
            read_age(wrong, option="--x")


def test_caller_number() -> None:
    """Only on this machine may it be left to chance."""
    caller_is_needed(None, loopback=True)
    caller_is_needed("hamsa-default", loopback=False)
    with pytest.raises(ConfigurationError, match="hamsa-default"):
        caller_is_needed(None, loopback=False)


def test_short_paths() -> None:
    assert short_path(Path.home() / "a" / "b.db") == "~/a/b.db"
    assert short_path(Path("/nowhere/b.db")) == "/nowhere/b.db"


# -- texts


def test_texts_from_outside() -> None:
    """Masked, and harmless to a terminal; what is part of a word stays."""
    assert shown("call +971501234567 now") == "call +9715******67 now"
    assert shown(None) == ""
    assert visible("a\x1b[2Jb\u202ec") == "a\ufffd[2Jb\ufffdc"
    assert visible("می\u200cخواهم") == "می\u200cخواهم"


def test_forgiving_stream() -> None:
    """The first failure is remembered, and nothing is raised."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

        def writelines(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    stream = Forgiving(Full())
    assert stream.write("abc") == 3
    stream.writelines(["a\n", "b\n"])
    stream.flush()
    assert stream.failure is not None
    assert stream.failure.errno == 28
    assert stream.isatty() is False


def test_spans() -> None:
    assert [span(each) for each in (1, 61, 3661)] == ["1 s", "1 min 01 s", "1 h 01 min"]


# -- the tally


def _event(kind: EventKind, row: int = 1, **data: Any) -> DialerEvent:
    return DialerEvent(number=1, at=NOW, kind=kind, campaign="c", row=row, data=data)


def _tally(**counts: int) -> Tally:
    by_state = {ContactState(state): count for state, count in counts.items()}
    to_dial = counts.get("pending", 0) + counts.get("deferred", 0)
    loaded: Any = SimpleNamespace(counts=by_state, to_dial=to_dial)
    return Tally(loaded)


def test_texts_are_shown_with_the_row_that_they_are_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a resumed campaign that is seldom its first."""
    check = ContractCheck(["name"], {})
    for row, name in ((7, "Sara"), (9, "Ali")):
        check.add_params({"name": name}, row=row)
    tell_about_contract(AgentDetails(greeting_message="Hello {{name}}"), check.result())
    assert capsys.readouterr().err == "greeting, row 7: Hello Sara\n"


@pytest.mark.parametrize(
    ("kind", "data"),
    [(EventKind.WAITING, {}), (EventKind.PAUSED, {}), (EventKind.PACED, {"stage": "look"})],
)
def test_no_time_is_foretold_while_nobody_is_dialed(kind: EventKind, data: dict[str, Any]) -> None:
    tally = _tally(pending=9)
    for event in (EventKind.INTENDED, EventKind.PLACED):
        tally.take(_event(event))
    assert "left" in tally.pace()
    tally.take(_event(kind, **data))
    assert "left" not in tally.pace()
    tally.take(_event(EventKind.INTENDED))
    assert "left" in tally.pace()


def test_tally_follows_the_events() -> None:
    """Of a resumed campaign too, whose deferred contacts no event of this run told of."""
    tally = _tally(pending=1, deferred=2, placed=7, invalid=1)
    assert (tally.total, tally.finished) == (10, 0)
    for kind in (
        *(EventKind.INTENDED, EventKind.RETURNED, EventKind.INTENDED, EventKind.PLACED),
        *(EventKind.INTENDED, EventKind.LOST, EventKind.DEFERRED),
        *(EventKind.INTENDED, EventKind.REFUSED, EventKind.WAITING),
    ):
        tally.take(_event(kind))
        assert all(count >= 0 for count in tally.counts.values())
        assert sum(tally.counts.values()) == 11
    assert dict(tally.shown()) == {
        ContactState.PLACED: 8,
        ContactState.UNKNOWN: 1,
        ContactState.REFUSED: 1,
        ContactState.INVALID: 1,
    }
    assert (tally.total, tally.finished) == (10, 2)
    for kind in (EventKind.ENDED, EventKind.RETRIED, EventKind.GIVEN_UP):
        tally.take(_event(kind))
    for kind in (EventKind.RETRIED, EventKind.INTENDED):
        tally.take(_event(kind))
    for kind in (EventKind.RETURNED, EventKind.DEFERRED):
        tally.take(_event(kind, again=True))
    assert {state: tally.counts[state] for state in ("done", "retry", "placed", "pending")} == {
        "done": 2,
        "retry": 1,
        "placed": 5,
        "pending": 0,
    }
    assert tally.rate() > 0
    tally.correct({ContactState.PLACED: 11})
    assert tally.shown() == [(ContactState.PLACED, 11)]


def test_events_in_words() -> None:
    text = describe(_event(EventKind.REFUSED, 3, reason="no +971501234567"))
    assert text == "row 3: refused: no +9715******67"
    waiting = _event(EventKind.WAITING, until="2024-01-02T03:04:05+00:00", reason="min_gap")
    assert "waiting until 2024-01-02 03:04:05 UTC (min_gap)" in describe(waiting)


# -- the report


def test_every_state_has_its_meaning() -> None:
    assert MEANINGS.keys() == set(ContactState)
    assert all("\n" not in text and len(text) < 80 for text in MEANINGS.values())


async def _rows(*contact_ids: str | None) -> Any:
    for at, contact_id in enumerate(contact_ids, start=1):
        yield ReportRow(
            row=at,
            contact_id=contact_id,
            phone_number="+971501234567",
            state=ContactState.PLACED,
            reason=None,
            detail=None,
            attempts=1,
            call_id="-x",
            due_at=None,
        )


async def test_csv_is_no_spreadsheet_formula() -> None:
    """What a spreadsheet would run is quoted; the number keeps its plus."""
    target = io.StringIO()
    assert await write_csv(_rows("=cmd", "@x", "\tx", "\rx", "+1", "a,b\n"), target) == 6
    first = target.getvalue().splitlines()[1]
    assert first.startswith("1,1,'=cmd,+971501234567,placed,")
    assert ",'-x," in first
    assert "'\rx" in target.getvalue()


@pytest.mark.parametrize(
    ("given", "cell"),
    [
        ("+971501234567", "+971501234567"),
        ("+971 (50) 123-4567", "+971 (50) 123-4567"),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3*A1", "'-2+3*A1"),
    ],
)
async def test_what_was_given_as_a_number_is_no_formula_either(given: str, cell: str) -> None:
    """A row that is no contact has in the place of its number whatever stood there."""
    target = io.StringIO()
    (row,) = [attrs.evolve(row, phone_number=given) async for row in _rows("x")]

    async def rows() -> AsyncIterator[ReportRow]:
        yield row

    await write_csv(rows(), target)
    (written,) = csv.DictReader(target.getvalue().splitlines())
    assert written["phone_number"] == cell


async def test_json_of_no_rows() -> None:
    target = io.StringIO()
    assert await write_json({}, _rows(), target) == 0
    assert target.getvalue() == '{"rows": [\n]}\n'


def test_the_end_promises_no_time_where_none_helps(capsys: pytest.CaptureFixture[str]) -> None:
    """A contact behind somebody's unknown call waits for a person: no `next at`, no `run again`."""
    record: Any = SimpleNamespace(name="eid")
    finish = Finish(ending=Ending.NOTHING_NOW, reason="number_open")
    summary = Summary(journal=record, record=record, finish=finish, counts={})
    summary.tell_the_end(Exit.NOTHING_NOW, resumable=True)
    said = capsys.readouterr().err
    assert "somebody must find out" in said
    assert "next at" not in said
    assert "again" not in said
