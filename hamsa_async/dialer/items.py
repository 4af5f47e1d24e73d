"""Rows of the mappings and `Contact`s that a program gives, in the order in which they come."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hamsa_async.dialer.columns import Columns, Naming, read_header
from hamsa_async.dialer.contacts import Contact, Row
from hamsa_async.dialer.json_lines import BrokenLine
from hamsa_async.dialer.judging import Record, invalid, judge
from hamsa_async.dialer.records import record_of_cells, record_of_contact
from hamsa_async.errors import ContactListError

_MOST_SHAPES: Final = 64


class ItemJudge:
    """Makes rows of mappings and `Contact`s; what it has learnt of their keys is its state.

    The keys of the first mapping decide whether the list is understood at all. A later one
    that is not understood is one bad row of a good list.
    """

    def __init__(self, region: str | None, naming: Naming) -> None:
        self._region = region
        self._naming = naming
        self._rows = 0
        self._known: dict[tuple[object, ...], Columns] = {}
        self.columns: Columns | None = None

    def rows(self, items: Sequence[object]) -> list[Row]:
        """Judge the next items of the list. Blocks for some 40 microseconds an item."""
        return [self.row(item) for item in items]

    def row(self, item: object, line: int | None = None) -> Row:
        """Judge the next item of the list, which stands in this line of its file."""
        self._rows += 1
        if isinstance(item, Contact):
            return judge(self._rows, record_of_contact(item), self._region)
        if isinstance(item, Mapping):
            return judge(self._rows, self._record(item, line), self._region)
        if isinstance(item, BrokenLine):
            fault = invalid("bad_line", item.detail)
            record = Record(
                number=None, fields={}, params={}, line=line, text=item.text, fault=fault
            )
            return judge(self._rows, record, self._region)
        raise ContactListError(
            f"row {self._rows} is a {type(item).__name__}, not a mapping or a Contact"
        )

    def _record(self, mapping: Mapping[Any, Any], line: int | None) -> Record:
        try:
            columns = self._columns_of(tuple(mapping))
            record = record_of_cells(self._rows, list(mapping.values()), columns, line)
        except ContactListError as error:
            if self.columns is None:
                raise ContactListError(f"row {self._rows}: {error}") from None
            fault = invalid("bad_columns", f"The keys of the row are not understood: {error}")
            return Record(number=None, fields={}, params={}, line=line, fault=fault)
        self.columns = self.columns or columns
        record.foreign = True
        return record

    def _columns_of(self, keys: tuple[object, ...]) -> Columns:
        known = self._known.get(keys)
        if known is None:
            names = [key for key in keys if isinstance(key, str)]
            if len(names) < len(keys):
                raise ContactListError("every key must be a string")
            if len(self._known) >= _MOST_SHAPES:
                self._known.clear()
            known = self._known[keys] = read_header(names, self._naming, whole=False)
        return known
