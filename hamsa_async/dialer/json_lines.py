"""JSON lines -> mappings, one a line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TextIO

import attrs

from hamsa_async.dialer.csv_file import read_lines
from hamsa_async.errors import ContactListError

_ARRAY: Final = (
    "it is one JSON array: write one object a line instead (JSON lines), such as with jq -c '.[]'"
)
_ONE_OBJECT: Final = "it has no JSON object in a line: write one object a line (JSON lines)"


@attrs.frozen(kw_only=True)
class BrokenLine:
    """A line that holds no JSON object.

    Attributes:
        text: What stands there.
        detail: What is wrong with it, as a sentence.
    """

    text: str = attrs.field(repr=False)
    detail: str


def read_json_lines(text: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | BrokenLine]]:
    """Each line that is not blank: its number from 1, and its object. Blocks.

    Raises:
        ContactListError: It is an array, or the first line is no object: not JSON lines.
    """
    is_first = True
    for number, line in enumerate(read_lines(text), start=1):
        stripped = line.strip()
        if not stripped:
            continue
        item = _item(stripped)
        if is_first:
            _refuse_other_json(stripped, item)
            is_first = False
        yield number, item
    if is_first:
        raise ContactListError("it is empty")


def _item(text: str) -> Mapping[str, Any] | BrokenLine:
    try:
        item = json.loads(text)
    except ValueError as error:
        what = getattr(error, "msg", "a number is out of range")
        return BrokenLine(text=text, detail=f"The line is no JSON ({what}).")
    except RecursionError:
        return BrokenLine(text=text, detail="The line's JSON is nested too deeply.")
    if not isinstance(item, dict):
        return BrokenLine(text=text, detail="The line is no JSON object.")
    return item


def _refuse_other_json(first: str, item: Mapping[str, Any] | BrokenLine) -> None:
    if first.startswith("["):
        raise ContactListError(_ARRAY)
    if isinstance(item, BrokenLine):
        raise ContactListError(_ONE_OBJECT)
