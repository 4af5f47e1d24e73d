"""Contact lists at the command line: how they are read, what is said of them, what is no row."""

import csv
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from hamsa_async.cli.arguments import read_naming
from hamsa_async.cli.options import ListOptions
from hamsa_async.cli.output import complain, people, shown
from hamsa_async.dialer import ContactList
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.contract import Contract, render
from hamsa_async.dialer.report import harmless
from hamsa_async.errors import ConfigurationError, ContactListError
from hamsa_async.models import AgentDetails

_DEFAULT: Final = Path("invalid.csv")
_RENDERED: Final = 300  # characters of a text that are shown
_HEADER: Final = ["line", "column", "code", "text", "detail"]


class InvalidRows:
    """Writes rows that are no contacts to a file; makes none where there are none.

    Args:
        path: The file that was asked for. By default `invalid.csv`, which is never written over
            a file that is not of this kind.
        read: Files that are read meanwhile, the list and the journal: never written over.
        wanted: Whether to write any at all where none was asked for.

    Raises:
        ConfigurationError: The file that was asked for is one of those that are read.
    """

    def __init__(
        self, path: Path | None, *, read: Iterable[Path | None], wanted: bool = True
    ) -> None:
        self._path = path or _DEFAULT
        if path is not None and any(_is_same(path, each) for each in read if each is not None):
            raise ConfigurationError(f"--invalid {path} would be written over: name another file")
        self._asked = path is not None
        self._wanted = wanted or self._asked
        self._file: TextIO | None = None
        self._writer: Any = None
        self.count: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            rows = (
                "1 row is no contact" if self.count == 1 else f"{self.count} rows are no contacts"
            )
            people().print(f"{rows}: see {self._path}", style="yellow")

    def add(self, row: Row) -> None:
        """Write one down.

        Raises:
            ContactListError: The file cannot be written.
        """
        self.count += 1
        if not self._wanted:
            return
        try:
            if self._file is None and not self._begin():
                return
            said = (row.column, row.reason, row.text, row.detail)
            self._writer.writerow([row.line or row.row, *map(harmless, said)])
        except OSError as error:
            raise ContactListError(
                f"{self._path} cannot be written ({error.strerror}): name another file with"
                " --invalid"
            ) from None

    def _begin(self) -> bool:
        if not self._asked and not self._may_replace():
            self._wanted = False
            complain(f"{self._path} is a file of yours: name another one with --invalid")
            return False
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(_HEADER)
        return True

    def _may_replace(self) -> bool:
        if not self._path.exists():
            return True
        with self._path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(200).strip() == ",".join(_HEADER)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there yet
        return path.resolve() == other.resolve()


def list_of(path: Path, options: ListOptions, invalid: InvalidRows) -> ContactList:
    """The list that was named, to be read as was said."""
    return ContactList(
        path,
        naming=read_naming(options.map, options.ignore),
        sheet=options.sheet,
        header_row=options.header_row,
        on_invalid=invalid.add,
    )


def tell_about_columns(columns: Columns) -> None:
    """Say what was taken for what."""
    console = people()
    for notice in columns.notices:
        console.print(shown(notice), style="yellow")
    for field, header in columns.choices.items():
        if field != header:
            console.print(f"column {shown(header)!r} is taken for {field}", style="dim")
    if columns.ignored:
        console.print(f"columns {shown(', '.join(columns.ignored))}: ignored", style="dim")


def tell_about_contracts(
    agent: AgentDetails, contract: Contract, named: Iterable[Contract]
) -> None:
    """Say how a list fits the campaign's agent, and those that its rows name."""
    tell_about_contract(agent, contract)
    for each in named:
        for breach in each.breaches:
            people().print(shown(breach), style="bold yellow")


def tell_about_contract(agent: AgentDetails, contract: Contract) -> None:
    """Say how a list fits an agent, and show what the first person would hear."""
    console = people()
    for breach in contract.breaches:
        console.print(shown(breach), style="bold yellow")
    if contract.unused:
        console.print(
            f"the agent asks for none of: {shown(', '.join(contract.unused))}", style="dim"
        )
    if not contract.variables or contract.first is None:
        return
    for what, text in (("greeting", agent.greeting_message), ("preamble", agent.preamble)):
        if text:
            filled = render(text, contract.first)[:_RENDERED]
            console.print(f"{what}, row {contract.rows[0]}: {shown(filled)}", style="dim")
