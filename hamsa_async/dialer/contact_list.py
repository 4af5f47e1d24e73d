"""What a contact list is: where it comes from, and what must be said of how to read it."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from hamsa_async.dialer.columns import Naming
from hamsa_async.dialer.contacts import Contact, Row
from hamsa_async.errors import ConfigurationError

Items: TypeAlias = (
    Iterable[Mapping[str, Any] | Contact] | AsyncIterable[Mapping[str, Any] | Contact]
)
"""Mappings (their keys are judged as the headers of a file are), or `Contact` values."""


@attrs.frozen
class ContactList:
    """A contact list, with what must be said of how to read it.

    Attributes:
        source: The path of a file (CSV, TSV, JSON lines, XLSX or ODS; `-` is standard input),
            or mappings or `Contact` values from any iterable.
        naming: Which column is what, where the headers do not say it by themselves.
        sheet: The sheet of a workbook, by its name or its number from 1; by default the one
            visible sheet that has a phone column.
        header_row: The line, or the row of a sheet, that holds the headers, from 1; by default
            the first that is not blank, in a sheet the first with a phone column.
        on_invalid: Called on the event loop, as the list is read, with each row that is no
            contact.

    Raises:
        ConfigurationError: `header_row` is below 1, or the source is none that can be read.
    """

    source: str | Path | Items
    naming: Naming = attrs.field(factory=Naming, kw_only=True)
    sheet: str | None = attrs.field(default=None, kw_only=True)
    header_row: int | None = attrs.field(default=None, kw_only=True)
    on_invalid: Callable[[Row], object] | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.header_row is not None and self.header_row < 1:
            raise ConfigurationError(f"rows count from 1: there is no row {self.header_row}")
        if isinstance(self.source, Mapping | bytes | bytearray) or not isinstance(
            self.source, str | Path | Iterable | AsyncIterable
        ):
            raise ConfigurationError(
                "contacts must be a path or an iterable of mappings or Contacts,"
                f" not a {type(self.source).__name__}"
            )


Source: TypeAlias = str | Path | Items | ContactList
"""A contact list: the path of a file (CSV, TSV, JSON lines, XLSX or ODS; `-` is standard
input), mappings or `Contact` values from any iterable, or a `ContactList` that says more of it."""
