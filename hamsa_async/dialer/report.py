"""The report: every row of the list and what became of it; the counts add up to the rows."""

import csv
import json
import re
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, TextIO

import attrs

from hamsa_async.dialer.journal.records import ReportRow
from hamsa_async.dialer.machine import ContactState

MEANINGS: Final[Mapping[ContactState, str]] = {
    ContactState.PENDING: "to be called",
    ContactState.DEFERRED: "a rule says later: the reason says which, due_at when",
    ContactState.DIALING: "a request is at the API's door",
    ContactState.PLACED: "the API took the call; its end was not seen yet",
    ContactState.RETRY: "will be tried again: due_at says when, outcome how the last call ended",
    ContactState.DONE: "its call has ended: the outcome says how",
    ContactState.REFUSED: "the API said no to this contact; no call was made",
    ContactState.SKIPPED: "a rule says never: the reason says which",
    ContactState.EXPIRED: "its time ran out before a call",
    ContactState.INVALID: "the row is no contact: the reason says why",
    ContactState.UNKNOWN: "it may have rung, nothing proves it; it is not dialed again",
    ContactState.REVIEW: "it may have rung, and only a person can tell; it is not dialed again",
}
"""What each state of a row means, in a line."""

COLUMNS: Final = tuple(field.name for field in attrs.fields(ReportRow))

_FORMULA: Final = frozenset("=+-@\t\r")  # what a spreadsheet takes for the start of one
_NUMBER: Final = re.compile(r"[+\d\s().-]*")  # no more than a number: at worst it is added up
_TEXTS: Final = frozenset(
    {
        *("contact_id", "phone_number", "reason", "detail", "call_id", "outcome", "recording"),
        "consent_source",
    }
)


def as_record(row: ReportRow) -> dict[str, Any]:
    """A row as JSON, with its whole number."""
    record = attrs.asdict(row)
    record["due_at"] = None if row.due_at is None else row.due_at.isoformat()
    return record


async def write_csv(rows: AsyncIterable[ReportRow], target: TextIO) -> int:
    """Write rows as CSV with a header; give their number.

    A text that a spreadsheet would take for a formula is written with a leading apostrophe;
    phone numbers keep their plus.
    """
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    written = 0
    async for row in rows:
        record = as_record(row)
        writer.writerow([_cell(name, record[name]) for name in COLUMNS])
        written += 1
    return written


async def write_json(
    head: Mapping[str, Any], rows: AsyncIterable[ReportRow], target: TextIO
) -> int:
    """Write one JSON document, `head` with `rows` as its last member; give their number.

    The rows are written as they are read, so that memory does not grow with the list.
    """
    opening = json.dumps(dict(head), ensure_ascii=False)
    target.write(opening[:-1] + (", " if head else "") + '"rows": [')
    written = 0
    async for row in rows:
        text = json.dumps(as_record(row), ensure_ascii=False)
        target.write((",\n " if written else "\n ") + text)
        written += 1
    target.write("\n]}\n")
    return written


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return harmless(value) if name in _TEXTS else value


def write_lines(records: Iterable[Mapping[str, Any]], target: TextIO) -> None:
    """Write JSON lines, one record each."""
    target.writelines(json.dumps(dict(record), ensure_ascii=False) + "\n" for record in records)


def harmless(text: Any) -> Any:
    """A cell that no spreadsheet takes for a formula. A phone number is none, and stays."""
    if not isinstance(text, str) or text[:1] not in _FORMULA or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"
