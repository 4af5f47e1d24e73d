"""What every reader of a table gives: its header, and its records one by one."""

from collections.abc import Iterator
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Table:
    """A table that was opened and whose header was found.

    Attributes:
        header: Its cells as written.
        records: The records that are not blank, each with the number of the line (of the row,
            in a sheet) that it begins in, from 1. Taking one blocks; a `ContactListError` from
            it means that the list as a whole cannot be used.
        notices: What to say of how it was read, as sentences.
    """

    header: list[str]
    records: Iterator[tuple[int, list[Any]]]
    notices: tuple[str, ...] = ()
