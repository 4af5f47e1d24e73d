"""What really rang: the fake's own book, which no client can argue with.

A ring is written down the moment it happens, before any answer is on its way. With a path it
is on its way to the disk by then too (one JSON object a line), so that a client, or a server,
that is killed in the next instant cannot hide it.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import attrs
from attrs import validators

from hamsa_async._masking import mask_number

_OPTIONAL_TEXT = validators.optional(validators.instance_of(str))


def _in_utc(_: object, field: "attrs.Attribute[datetime]", value: datetime) -> None:
    if not isinstance(value, datetime) or value.utcoffset() != timedelta(0):
        msg = f"{field.name} must be a datetime in UTC"
        raise ValueError(msg)


def _shown(number: str | None) -> str:
    return "None" if number is None else mask_number(number)


@attrs.frozen(kw_only=True)
class Ring:
    """One phone that rang once.

    Attributes:
        phone_number: Whose phone.
        at: When, in UTC.
        call_id: The id the fake gave the call, whether or not anybody was told.
        reference: `params["_hamsa_reference"]` of the request, where it had one.
        post: The number of the POST that caused it (`Post.number`).
        voice_agent_id: The saved agent, or `None` for one described on the spot.
        from_number: The caller number that was asked for, if one was.
    """

    phone_number: str = attrs.field(validator=validators.instance_of(str), repr=_shown)
    at: datetime = attrs.field(validator=_in_utc)
    call_id: str = attrs.field(validator=validators.instance_of(str))
    reference: str | None = attrs.field(default=None, validator=_OPTIONAL_TEXT)
    post: int = attrs.field(validator=validators.ge(1))
    voice_agent_id: str | None = attrs.field(default=None, validator=_OPTIONAL_TEXT)
    from_number: str | None = attrs.field(default=None, validator=_OPTIONAL_TEXT, repr=_shown)

    def to_json(self) -> dict[str, Any]:
        """The ring as a JSON object, with its number whole."""
        return {**attrs.asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Ring":
        """The ring that `to_json` wrote."""
        return cls(**{**value, "at": datetime.fromisoformat(value["at"]).astimezone(UTC)})


@attrs.frozen(kw_only=True)
class Post:
    """One POST to the call route whose headers arrived, whether or not it rang.

    Attributes:
        number: Its place in the order of arrival, from 1.
        phone_number: Whom it asked for, once its body was read and said so.
        reference: `params["_hamsa_reference"]` of its body, where it had one.
        at: When its headers arrived, in UTC.
        fault: The fault that struck it.
        rang: Did a phone ring?
        status: The status of its answer; `None` while there is none, and for good where none
            was given.
    """

    number: int = attrs.field(validator=validators.ge(1))
    phone_number: str | None = attrs.field(default=None, validator=_OPTIONAL_TEXT, repr=_shown)
    reference: str | None = attrs.field(default=None, validator=_OPTIONAL_TEXT)
    at: datetime = attrs.field(validator=_in_utc)
    fault: str | None = attrs.field(default=None, validator=_OPTIONAL_TEXT)
    rang: bool = False
    status: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object, with its number whole."""
        return {**attrs.asdict(self), "at": self.at.isoformat()}


@attrs.define(kw_only=True, eq=False)
class Ledger:
    """Every ring and every POST, in the order in which they came.

    Attributes:
        path: Where rings are appended as JSON lines; `None` keeps them in memory only. A file
            that exists is added to, never emptied: `Ledger.load` reads it.
        rings: Every ring.
        post_log: Every POST to the call route.
    """

    path: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    rings: list[Ring] = attrs.field(factory=list, init=False)
    post_log: list[Post] = attrs.field(factory=list, init=False, repr=False)
    _by_number: dict[str, list[Ring]] = attrs.field(
        factory=lambda: defaultdict(list), init=False, repr=False
    )
    _file: TextIO | None = attrs.field(default=None, init=False, repr=False)

    @classmethod
    def load(cls, path: str | Path) -> "Ledger":
        """Read the rings of a ledger file, for judging a server that is gone.

        Raises:
            ValueError: A line is not a ring; the text says which.
        """
        ledger = cls()
        ledger._read(Path(path))
        return ledger

    @classmethod
    def resume(cls, path: str | Path) -> "Ledger":
        """Go on with a ledger file, and know the rings that it has; it need not be there yet.

        Raises:
            ValueError: A line is not a ring; the text says which.
        """
        ledger = cls(path=path)
        if Path(path).exists():
            ledger._read(Path(path))
        return ledger

    @property
    def posts(self) -> int:
        """How many POSTs to the call route arrived, whether or not they rang."""
        return len(self.post_log)

    def rings_of(self, phone_number: str) -> list[Ring]:
        """The rings of one number, oldest first."""
        return list(self._by_number.get(phone_number, ()))

    def rung_twice(self) -> dict[str, list[Ring]]:
        """The numbers that rang more than once, with their rings. Empty is what one hopes for."""
        return {number: list(rings) for number, rings in self._by_number.items() if len(rings) > 1}

    def arrived(self, at: datetime) -> int:
        """Count a POST whose headers arrived; returns its number."""
        self.post_log.append(Post(number=len(self.post_log) + 1, at=at))
        return len(self.post_log)

    def note(self, post: int, **changes: Any) -> None:
        """Complete the record of a POST: `ledger.note(3, rang=True, status=200)`.

        A POST that was forgotten meanwhile (`clear`) stays forgotten.
        """
        if post <= len(self.post_log):
            self.post_log[post - 1] = attrs.evolve(self.post_log[post - 1], **changes)

    def rang(self, ring: Ring) -> None:
        """Write a ring down, and out, now."""
        self._remember(ring)
        if self.path is None:
            return
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(json.dumps(ring.to_json()) + "\n")
        self._file.flush()

    def clear(self) -> None:
        """Forget everything in memory. The file keeps what it has."""
        self.rings.clear()
        self.post_log.clear()
        self._by_number.clear()

    def close(self) -> None:
        """Close the file; the next ring opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def to_json(self) -> dict[str, Any]:
        """The whole ledger as a JSON object, with whole numbers."""
        return {
            "rings": [ring.to_json() for ring in self.rings],
            "posts": self.posts,
            "post_log": [post.to_json() for post in self.post_log],
            "rung_twice": {
                number: [ring.to_json() for ring in rings]
                for number, rings in self.rung_twice().items()
            },
        }

    def _read(self, path: Path) -> None:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                self._remember(_ring_in(line, number))

    def _remember(self, ring: Ring) -> None:
        self.rings.append(ring)
        self._by_number[ring.phone_number].append(ring)


def _ring_in(line: str, number: int) -> Ring:
    try:
        return Ring.from_json(json.loads(line))
    except (ValueError, TypeError, KeyError) as error:
        msg = f"line {number} of the ledger is not a ring: {error}"
        raise ValueError(msg) from error
