"""A contact list -> rows that the journal can stage, a chunk at a time.

Three steps, each of its own: a *reader* makes records of a file (`_READERS`; more formats are
more entries), the header says what the columns are (`columns`), and `_judge` makes one `Row`
of one record. A bad record is a row with the state `invalid`, so that the counts add up; only
what makes the list as a whole unusable is an error.
"""

import asyncio
import csv
import math
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Literal, TextIO, TypeAlias, get_args

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.dialer.columns import (
    NAME,
    REFERENCE,
    Columns,
    is_phone_header,
    read_header,
    trim,
)
from hamsa_async.dialer.numbers import NumberFault, NumberProblem, normalise, region_of
from hamsa_async.errors import ConfigurationError, ContactListError

RowState = Literal["pending", "deferred", "invalid", "skipped", "expired"]
"""What a row can be when it is staged. (`expired` is the journal's to say: it has the clock.)"""


def _mask(number: str | None) -> str:
    return repr(number if number is None else mask_number(number))


def _is_aware(_contact: object, attribute: "attrs.Attribute[Any]", moment: datetime | None) -> None:
    if moment is not None and moment.utcoffset() is None:
        raise ConfigurationError(f"{attribute.name} needs a time zone: {moment.isoformat()}")


def _is_text(_contact: object, attribute: "attrs.Attribute[Any]", text: object) -> None:
    if text is not None and not isinstance(text, str):
        raise ConfigurationError(f"{attribute.name} must be a string, not {type(text).__name__}")


def _optional_text() -> Any:
    return attrs.field(default=None, validator=_is_text)


@attrs.frozen(kw_only=True)
class Contact:
    """One person to be called, as the caller of the library gives it.

    The number is kept as given; it is judged when the list is read. `repr` masks numbers and
    shows neither name nor params.

    Attributes:
        phone_number: The number as written; without `+` it needs a country.
        contact_id: The caller's own id of this person.
        name: Passed to the agent as the param `name`.
        params: What the agent is told about this person: JSON-native values.
        from_number: The number to call from, where it is not the campaign's.
        agent_id: The agent that calls, where it is not the campaign's.
        country: ISO alpha-2 code for a number without `+`, where it is not the list's.
        timezone: IANA name of the person's time zone. Carried; not acted on in this version.
        not_before: No call before this moment (aware).
        not_after: No call after this moment (aware).
        dnc: Never call: this person asked not to be called.
        consent: Whether the person agreed to be called; `None` where nobody knows.

    Raises:
        ConfigurationError: A value has the wrong type, a moment has no time zone, or `params`
            uses the reserved key or contradicts `name`.
    """

    phone_number: str = attrs.field(repr=_mask)
    contact_id: str | None = _optional_text()
    name: str | None = attrs.field(default=None, validator=_is_text, repr=False)
    params: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    from_number: str | None = attrs.field(default=None, validator=_is_text, repr=_mask)
    agent_id: str | None = _optional_text()
    country: str | None = _optional_text()
    timezone: str | None = _optional_text()
    not_before: datetime | None = attrs.field(default=None, validator=_is_aware)
    not_after: datetime | None = attrs.field(default=None, validator=_is_aware)
    dnc: bool = attrs.field(default=False)
    consent: bool | None = attrs.field(default=None)

    @phone_number.validator
    def _number_is_text(self, _attribute: object, number: object) -> None:
        if not isinstance(number, str):
            raise ConfigurationError(f"phone_number must be a string, not {type(number).__name__}")

    @params.validator
    def _params_fit(self, _attribute: object, params: object) -> None:
        if not isinstance(params, Mapping):
            raise ConfigurationError(f"params must be a mapping, not {type(params).__name__}")
        if REFERENCE in params:
            raise ConfigurationError(f"the param {REFERENCE!r} is reserved for the dialer itself")
        if self.name is not None and params.get(NAME, self.name) != self.name:
            raise ConfigurationError("name and params['name'] differ: give one of them")

    @dnc.validator
    @consent.validator
    def _is_flag(self, attribute: "attrs.Attribute[Any]", flag: object) -> None:
        if not (isinstance(flag, bool) or (flag is None and attribute.name == "consent")):
            raise ConfigurationError(f"{attribute.name} must be True or False, not {flag!r}")


@attrs.frozen(kw_only=True)
class Row:
    """One row of a contact list, judged by itself: what the journal stages.

    No clock and no other row has been looked at: duplicates and expiry are the journal's.

    Attributes:
        row: Its position in the list from 1; header and blank rows are not counted.
        phone_number: E.164 where it is a number, else the original text.
        contact_id: The caller's own id of this person.
        params: What the agent is told; JSON-native.
        state: `pending`, `deferred` (until `due_at`), `skipped` or `invalid`.
        reason: A stable code for every state but `pending`.
        detail: The same as a sentence for people, without number, name or param.
        from_number: The number to call from, where it is not the campaign's.
        agent_id: The agent that calls, where it is not the campaign's.
        due_at: No call before this moment (UTC).
        expires_at: No call after this moment (UTC).
    """

    row: int
    phone_number: str = attrs.field(repr=_mask)
    contact_id: str | None = None
    params: dict[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    state: RowState = attrs.field(
        default="pending", validator=attrs.validators.in_(get_args(RowState))
    )
    reason: str | None = None
    detail: str | None = None
    from_number: str | None = attrs.field(default=None, repr=_mask)
    agent_id: str | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None


Source: TypeAlias = (
    str | Path | Iterable[Mapping[str, Any] | Contact] | AsyncIterable[Mapping[str, Any] | Contact]
)
"""A contact list: the path of a CSV file, or mappings or `Contact`s from any iterable."""


def read_chunks(
    source: Source,
    *,
    country: str | None = None,
    size: int = 500,
    on_columns: Callable[[Columns], object] | None = None,
) -> AsyncGenerator[list[Row], None]:
    """Read a contact list as lists of at most `size` rows; memory does not grow with the list.

    Files are read, and rows judged, in a thread. Nothing is read ahead: a chunk is made when it
    is asked for. An iterable is advanced on the event loop, where it was made. Rows come in the
    order of the list; each record that is not blank is one row, good or not.
    Leaving early and closing the generator (`contextlib.aclosing`) closes the file, or the
    generator that was given; after a cancellation it is closed as soon as the thread's step ends.

    Args:
        source: The path of a CSV file, or an iterable or async iterable of mappings (their keys
            are judged as the headers of a file are) or `Contact`s.
        country: ISO alpha-2 code for numbers without `+` in rows that name no country.
        size: How many rows make a chunk.
        on_columns: Called on the event loop, once, before the first row, with what the headers
            were taken for (those of the first mapping, where mappings are read).

    Raises:
        ConfigurationError: At once: an unknown country, a `size` below 1, or a source of a kind
            that cannot be read.
        ContactListError: While reading: the list as a whole cannot be read or used. Rows that
            came before are sound, but they are not the whole list.
    """
    region = None if country is None else region_of(country)
    if size < 1:
        raise ConfigurationError(f"size must be 1 or more, not {size}")
    notice = on_columns or _no_notice
    if isinstance(source, str | Path):
        return _from_file(Path(source), region, size, notice)
    if isinstance(source, AsyncIterable):
        return _from_async_items(source, region, size, notice)
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes | bytearray):
        return _from_items(source, region, size, notice)
    raise ConfigurationError(
        "contacts must be a path or an iterable of mappings or Contacts,"
        f" not a {type(source).__name__}"
    )


def _no_notice(_columns: Columns) -> None:
    return None


class _Verdict(Exception):  # noqa: N818  a verdict on one row, not an error
    """Why a row is not to be called."""

    def __init__(self, state: RowState, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.state: RowState = state
        self.reason = reason
        self.detail = detail


def _invalid(reason: str, detail: str) -> _Verdict:
    return _Verdict("invalid", reason, detail)


@attrs.define(kw_only=True)
class _Record:
    """What a row says, before it is judged.

    Attributes:
        number: The phone number as given, of any type.
        fields: The reserved columns that are acted on, by name; a missing one was not given.
        params: What the agent would be told.
        fault: What was wrong with the record already when it was taken apart.
        foreign: Whether its values may be other than JSON's (a file's never are).
    """

    number: Any
    fields: dict[str, Any]
    params: dict[str, Any]
    fault: _Verdict | None = None
    foreign: bool = False


def _judge(row: int, record: _Record, region: str | None) -> Row:
    """Make the row of a record. The first thing that is wrong, in this order, is its reason."""
    number = _written(record.number)
    due_at = expires_at = None
    state: RowState = "pending"
    reason = detail = None
    strange = _drop_strange(record) if record.foreign else None
    fields = record.fields
    try:
        if record.fault is not None:
            raise record.fault
        number = _number(record.number, number, _region(fields, region))
        _refuse_unwilling(fields)
        due_at, expires_at = _times(fields)
        if strange is not None:
            raise _invalid("bad_param", f"The value of {strange!r} is nothing that JSON can hold.")
        if due_at is not None:
            raise _Verdict("deferred", "not_before", "The row says not to call before a time.")
    except NumberProblem as problem:
        state, reason, detail = "invalid", problem.code.value, problem.code.sentence
    except _Verdict as verdict:
        state, reason, detail = verdict.state, verdict.reason, verdict.detail
    return Row(
        row=row,
        phone_number=number,
        contact_id=_text(fields, "contact_id"),
        params=record.params,
        state=state,
        reason=reason,
        detail=detail,
        from_number=_text(fields, "from_number"),
        agent_id=_text(fields, "agent_id"),
        due_at=due_at,
        expires_at=expires_at,
    )


def _written(number: object) -> str:
    """What was given as the phone number, whatever it is, as a text that can be stored."""
    if isinstance(number, str):
        return number.encode("utf-8", "backslashreplace").decode()
    if number is None:
        return ""
    return str(number) if _may_be_number(number) else f"({type(number).__name__})"


def _may_be_number(given: object) -> bool:
    # The text of other types would be searched for digits: "['+9715...']" has a number in it.
    if isinstance(given, bool):
        return False
    return given is None or (isinstance(given, str | int | float) and _is_json(given))


def _number(given: object, written: str, region: str | None) -> str:
    if not _may_be_number(given):
        raise NumberProblem(NumberFault.NOT_A_NUMBER, written)
    return normalise(written, country=region)


def _region(fields: Mapping[str, Any], default: str | None) -> str | None:
    country = _text(fields, "country")
    if country is None:
        return default
    try:
        return region_of(country)
    except ConfigurationError:
        detail = "The country is not a two-letter ISO code such as AE, SA or GB."
        raise _invalid("bad_country", detail) from None


def _refuse_unwilling(fields: Mapping[str, Any]) -> None:
    if _flag(fields, "dnc"):
        raise _Verdict("skipped", "dnc", "The list says not to call this person (dnc).")
    if _flag(fields, "consent") is False:
        raise _Verdict("skipped", "no_consent", "The list says that this person did not consent.")


_FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("yes", "y", "true", "1", "١", "نعم"), True),
    **dict.fromkeys(("no", "n", "false", "0", "٠", "لا"), False),
}


def _flag(fields: Mapping[str, Any], name: str) -> bool | None:
    given = fields.get(name)
    if given is None or isinstance(given, bool):
        return given
    word = trim(str(given)).casefold()
    if not word:
        return None
    if word not in _FLAGS:
        raise _invalid("bad_flag", f"The value of {name!r} is neither yes nor no.")
    return _FLAGS[word]


def _times(fields: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    due_at, expires_at = _moment(fields, "not_before"), _moment(fields, "not_after")
    if due_at is not None and expires_at is not None and due_at >= expires_at:
        raise _invalid("bad_time", "not_before does not lie before not_after.")
    return due_at, expires_at


def _moment(fields: Mapping[str, Any], name: str) -> datetime | None:
    given = fields.get(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(trim(given))
        if moment.utcoffset() is None:
            raise ValueError("no offset")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, AttributeError, TypeError):
        detail = f"{name} is not an ISO time with an offset, such as 2027-01-31T09:00:00+04:00."
        raise _invalid("bad_time", detail) from None


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    given = fields.get(name)
    return None if given is None else trim(str(given)) or None


_TIMES: Final = frozenset({"not_before", "not_after"})


def _drop_strange(record: _Record) -> str | None:
    """Take out what JSON cannot hold, and name the first of it."""
    strange = [
        name
        for name, value in record.params.items()
        if not (isinstance(name, str) and _is_json(name, value))
    ]
    for name in strange:
        del record.params[name]
    odd = [
        name
        for name, value in record.fields.items()
        if name not in _TIMES and (not _is_json(value) or isinstance(value, list | dict))
    ]
    for name in odd:
        del record.fields[name]
    return next((str(name) for name in (*odd, *strange)), None)


_DEEPEST: Final = 32


def _is_json(*values: object, depth: int = 0) -> bool:
    return depth <= _DEEPEST and all(_is_json_value(value, depth) for value in values)


def _is_json_value(value: object, depth: int) -> bool:
    if isinstance(value, str):
        return value.isascii() or _is_unicode(value)
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return _is_json(*value, depth=depth + 1)
    if isinstance(value, dict):
        keys_are_text = all(isinstance(key, str) for key in value)
        return keys_are_text and _is_json(*value, *value.values(), depth=depth + 1)
    return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_Chunks: TypeAlias = Generator[Columns | list[Row], None, None]
_Records: TypeAlias = Generator[list[str], None, None]


async def _from_file(
    path: Path, region: str | None, size: int, notice: Callable[[Columns], object]
) -> AsyncGenerator[list[Row], None]:
    """Step a generator that blocks in a thread, and close it whatever happens."""
    loop = asyncio.get_running_loop()
    chunks = _file_chunks(path, region, size)
    step: asyncio.Future[Columns | list[Row] | None] | None = None
    try:
        while True:
            step = loop.run_in_executor(None, next, chunks, None)
            chunk = await asyncio.shield(step)
            if chunk is None:
                return
            if isinstance(chunk, Columns):
                notice(chunk)
            else:
                yield chunk
    finally:
        # A generator cannot be closed while a thread runs it: a cancelled step closes it later.
        if step is None or step.done():
            chunks.close()
        else:
            step.add_done_callback(lambda ended: _close_after(ended, chunks))


def _close_after(ended: asyncio.Future[Any], chunks: _Chunks) -> None:
    if not ended.cancelled():
        ended.exception()  # nobody waits for it any more; unread, asyncio would report it
    chunks.close()


def _file_chunks(path: Path, region: str | None, size: int) -> _Chunks:
    """The columns of a file, then its rows. Blocks; whatever is wrong is a `ContactListError`."""
    reader = _READERS.get(path.suffix.lower(), _csv_records)
    with closing(reader(path)) as records:
        header = next(records, None)
        if header is None:
            raise _unusable(path, "it is empty: the first line must hold the headers")
        try:
            columns = read_header(header)
        except ContactListError as error:
            raise _unusable(path, str(error)) from None
        yield columns
        numbered = enumerate(records, start=1)
        while batch := list(islice(numbered, size)):
            yield [_judge_cells(path, row, cells, columns, region) for row, cells in batch]


def _judge_cells(
    path: Path, row: int, cells: Sequence[Any], columns: Columns, region: str | None
) -> Row:
    try:
        record = _record_of_cells(row, cells, columns)
    except ContactListError as error:
        raise _unusable(path, str(error)) from None
    return _judge(row, record, region)


def _record_of_cells(row: int, cells: Sequence[Any], columns: Columns) -> _Record:
    width = len(columns.headers)
    fault = None
    if len(cells) > width:
        detail = f"The row has {len(cells)} cells and the header {width}: is a comma not quoted?"
        fault = _invalid("too_many_cells", detail)
    elif len(cells) < width:
        cells = [*cells, *[""] * (width - len(cells))]
    for at in columns.nameless:
        if not _is_blank(cells[at]):
            raise ContactListError(
                f"column {at + 1} has a value in row {row} and no header: name or empty it"
            )
    return _Record(
        number=cells[columns.phone],
        fields={name: cells[at] for name, at in columns.fields.items()},
        params={name: cells[at] for name, at in columns.params},
        fault=fault,
    )


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _unusable(path: Path, what: str) -> ContactListError:
    return ContactListError(f"contact list {str(path)!r}: {what}")


_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_LINE: Final = 1 << 20
_NOT_TEXT: Final = "it is not readable as text: save it as CSV UTF-8"

# The most special first: the first four are all OSErrors; a NUL in a path is a ValueError.
_OPENING: Final[Sequence[tuple[type[Exception], str]]] = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory: give a file"),
    (PermissionError, "this user may not read it: change its permissions"),
    (OSError, "it cannot be read"),
    (ValueError, "this cannot be the path of a file"),
)


def _csv_records(path: Path) -> _Records:
    """The records of a CSV file that are not blank, the header first."""
    with _open(path) as file:
        lines = _lines(path, file)
        blank_lines, first = _first_line(lines)
        if not first:
            return
        # strict: otherwise a quote that nobody closes swallows the rest of the list silently.
        reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
        while True:
            line = blank_lines + reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                what = f"line {line} is no CSV ({error}): is a quote not closed, or not doubled?"
                raise _unusable(path, what) from None
            if cells is None:
                return
            if any(map(str.strip, cells)):
                yield cells


def _first_line(lines: Iterator[str]) -> tuple[int, str]:
    """How many blank lines come first, and the line after them; empty where there is none."""
    for blank_lines, line in enumerate(lines):
        if line.strip():
            return blank_lines, line
    return 0, ""


_READERS: Final[Mapping[str, Callable[[Path], _Records]]] = {".csv": _csv_records}
"""Which reader makes records of a file, by its suffix; any other file is read as CSV."""


def _open(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except (OSError, ValueError) as error:
        what = next(text for kind, text in _OPENING if isinstance(error, kind))
        raise _unusable(path, what) from None


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a text, none longer than memory should hold at once."""
    number = 0
    try:
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if "\0" in line:
                raise _unusable(path, _NOT_TEXT)
            if len(line) == _LONGEST_LINE:
                raise _unusable(path, f"line {number} is too long for a contact: {_NOT_TEXT}")
            yield line
    except UnicodeDecodeError:
        raise _unusable(path, _NOT_TEXT) from None
    except OSError as error:
        raise _unusable(path, f"it cannot be read to its end ({error.strerror})") from None


def _delimiter(first_line: str) -> str:
    """The delimiter that finds a phone column in the first line, else the one that cuts most."""

    def worth(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([first_line], delimiter=delimiter), [])
        return any(map(is_phone_header, cells)), len(cells)

    try:
        return max(_DELIMITERS, key=worth)
    except csv.Error:
        return _DELIMITERS[0]  # reading with it says what is wrong, and where


class _ItemJudge:
    """Makes rows of mappings and `Contact`s; what it has learnt of their keys is its state.

    The keys of the first mapping decide whether the list is understood at all. A later one
    that is not understood is one bad row of a good list.
    """

    def __init__(self, region: str | None) -> None:
        self._region = region
        self._rows = 0
        self._known: dict[tuple[object, ...], Columns] = {}
        self.columns: Columns | None = None

    def rows(self, items: Sequence[object]) -> list[Row]:
        """Judge the next items of the list. Blocks for some 40 microseconds an item."""
        return [self._row(item) for item in items]

    def _row(self, item: object) -> Row:
        self._rows += 1
        if isinstance(item, Contact):
            return _judge(self._rows, _record_of_contact(item), self._region)
        if isinstance(item, Mapping):
            return _judge(self._rows, self._record(item), self._region)
        raise ContactListError(
            f"row {self._rows} is a {type(item).__name__}, not a mapping or a Contact"
        )

    def _record(self, mapping: Mapping[Any, Any]) -> _Record:
        try:
            columns = self._columns_of(tuple(mapping))
            record = _record_of_cells(self._rows, list(mapping.values()), columns)
        except ContactListError as error:
            if self.columns is None:
                raise ContactListError(f"row {self._rows}: {error}") from None
            fault = _invalid("bad_columns", f"The keys of the row are not understood: {error}")
            return _Record(number=None, fields={}, params={}, fault=fault)
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
            known = self._known[keys] = read_header(names)
        return known


_MOST_SHAPES: Final = 64

_CONTACT_FIELDS: Final = (
    "contact_id",
    "from_number",
    "agent_id",
    "country",
    "not_before",
    "not_after",
    "dnc",
    "consent",
)


def _record_of_contact(contact: Contact) -> _Record:
    named = {} if contact.name is None else {NAME: contact.name}
    return _Record(
        number=contact.phone_number,
        fields={name: getattr(contact, name) for name in _CONTACT_FIELDS},
        params={**contact.params, **named},
        foreign=True,
    )


async def _from_items(
    items: Iterable[object], region: str | None, size: int, notice: Callable[[Columns], object]
) -> AsyncGenerator[list[Row], None]:
    judge = _ItemJudge(region)
    iterator = iter(items)
    try:
        while batch := list(islice(iterator, size)):
            yield await _judged(judge, batch, notice)
    finally:
        if isinstance(items, Generator):
            items.close()


async def _from_async_items(
    items: AsyncIterable[object],
    region: str | None,
    size: int,
    notice: Callable[[Columns], object],
) -> AsyncGenerator[list[Row], None]:
    judge = _ItemJudge(region)
    batch: list[object] = []
    try:
        async for item in items:
            batch.append(item)
            if len(batch) == size:
                yield await _judged(judge, batch, notice)
                batch = []
        if batch:
            yield await _judged(judge, batch, notice)
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _judged(
    judge: _ItemJudge, batch: Sequence[object], notice: Callable[[Columns], object]
) -> list[Row]:
    """Judge a batch in a thread; tell of the columns when the first mapping was understood."""
    told = judge.columns is not None
    rows = await asyncio.to_thread(judge.rows, batch)
    if judge.columns is not None and not told:
        notice(judge.columns)
    return rows
