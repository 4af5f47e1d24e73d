"""The contract between a list and the agent: every variable of its texts has a value in each row.

Pure. Hamsa checks none of it: a variable without a value is spoken as it stands, or left out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from hamsa_async.dialer.contacts import Row

_NAMED: Final = 5  # rows of an agent that are named


@attrs.frozen(kw_only=True)
class Contract:
    """How a list and an agent fit together.

    Attributes:
        variables: What the agent's texts ask for, in their order.
        missing: Those that no column and no param of the campaign gives, where anybody is to be
            called.
        empty: How many rows to be called give no value, by variable.
        unused: Columns passed to the agent that its texts do not ask for.
        first: The params of the first row that is to be called, to be looked at; `None`: there
            is none.
        agent_id: Whose contract it is, where rows name that agent; `None`: the campaign's own.
        is_missing: Whether there is no such agent.
        count: How many rows that are to be called are this agent's.
        rows: The first of them.
    """

    variables: tuple[str, ...]
    missing: tuple[str, ...] = ()
    empty: Mapping[str, int] = attrs.field(factory=dict)
    unused: tuple[str, ...] = ()
    first: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    agent_id: str | None = None
    is_missing: bool = False
    count: int = 0
    rows: tuple[int, ...] = ()

    @property
    def breaches(self) -> list[str]:
        """What is missing, each as a sentence for people; empty: they fit."""
        if self.is_missing:
            return [f"there is no agent {self.agent_id!r}, and {self._who()} it: those are refused"]
        agent = "the agent" if self.agent_id is None else f"agent {self.agent_id!r}"
        return [
            *(
                f"{agent} asks for {{{{{name}}}}}, and no column or --param gives it"
                for name in self.missing
            ),
            *(
                f"{agent} asks for {{{{{name}}}}}, which is empty in {count}"
                f" row{'s' if count > 1 else ''}"
                for name, count in self.empty.items()
            ),
        ]

    def _who(self) -> str:
        more = self.count - len(self.rows)
        rows = ", ".join(map(str, self.rows)) + (f" and {more} more" if more else "")
        return f"row {rows} names" if self.count == 1 else f"rows {rows} name"


class ContractCheck:
    """Compares a list with an agent while the list is read.

    Args:
        variables: What the agent's texts ask for.
        given: Params of the campaign, which every call gets.
    """

    def __init__(self, variables: Iterable[str], given: Mapping[str, Any]) -> None:
        self.variables: tuple[str, ...] = tuple(variables)
        self._given = {name for name, value in given.items() if not _is_empty(value)}
        self._asked = [name for name in self.variables if name not in self._given]
        self._seen: set[str] = set()
        self._empty: Counter[str] = Counter()
        self._rows = 0
        self._places: list[int] = []
        self._first: Mapping[str, Any] | None = None

    def add(self, rows: Iterable[Row]) -> None:
        """Look at some more rows. Only those that are to be called count."""
        for row in filter(is_to_be_called, rows):
            self.add_params(row.params, row=row.row)

    def add_params(self, params: Mapping[str, Any], *, row: int = 0) -> None:
        """Look at what one more person's call would be given."""
        self._first = self._first if self._rows else params
        self._rows += 1
        if len(self._places) < _NAMED:
            self._places.append(row)
        self._seen.update(params)
        for name in self._asked:
            if _is_empty(params.get(name)):
                self._empty[name] += 1

    def result(self) -> Contract:
        """What was found."""
        missing = [name for name in self._asked if name not in self._seen and self._rows]
        return Contract(
            variables=self.variables,
            missing=tuple(missing),
            empty={
                name: self._empty[name]
                for name in self._asked
                if self._empty[name] and name not in missing
            },
            unused=tuple(sorted(self._seen - set(self.variables))),
            first=self._first,
            count=self._rows,
            rows=tuple(self._places),
        )


def is_to_be_called(row: Row) -> bool:
    """Whether a row is a contact that is to be called, now or later."""
    return row.state in {"pending", "deferred"}


def render(text: str, params: Mapping[str, Any]) -> str:
    """A text of the agent's with its variables filled in; those without a value stay."""
    for name, value in params.items():
        if not _is_empty(value):
            for written in (f"{{{{{name}}}}}", f"{{{{ {name} }}}}"):
                text = text.replace(written, str(value))
    return text


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
