"""Records, ready to be judged, of what a list may hold: rows of cells, and `Contact`s."""

from collections.abc import Sequence
from typing import Any

from hamsa_async.dialer.columns import FIELDS, NAME, Columns
from hamsa_async.dialer.contacts import Contact
from hamsa_async.dialer.judging import Record, invalid
from hamsa_async.errors import ContactListError


def record_of_cells(
    row: int, cells: Sequence[Any], columns: Columns, line: int | None = None
) -> Record:
    """Take a row of a table apart. A missing cell at its end is an empty one.

    Raises:
        ContactListError: A value stands below no header.
    """
    width = len(columns.headers)
    fault = None
    if len(cells) > width:
        detail = f"The row has {len(cells)} cells and the header {width}: is a comma not quoted?"
        fault = invalid("too_many_cells", detail)
    elif len(cells) < width:
        cells = [*cells, *[""] * (width - len(cells))]
    for at in columns.nameless:
        if not _is_blank(cells[at]):
            raise ContactListError(
                f"column {at + 1} has a value in row {row} and no header: name or empty it"
            )
    return Record(
        number=cells[columns.phone],
        fields={name: cells[at] for name, at in columns.fields.items()},
        params={name: cells[at] for name, at in columns.params},
        headers=columns.choices,
        line=line,
        fault=fault,
    )


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def record_of_contact(contact: Contact) -> Record:
    """Take a `Contact` apart."""
    named = {} if contact.name is None else {NAME: contact.name}
    return Record(
        number=contact.phone_number,
        fields={name: getattr(contact, name) for name in FIELDS},
        params={**contact.params, **named},
        foreign=True,
    )
