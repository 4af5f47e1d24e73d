"""Contact lists, whole and broken, and the rows that come of them."""

import asyncio
import gc
import json
import pickle
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hamsa_async.dialer import items, judging, list_file, reading
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contacts import Contact, Row
from hamsa_async.dialer.reading import Source, read_chunks
from hamsa_async.errors import ConfigurationError, ContactListError

EXAMPLE = Path(reading.__file__).parents[1] / "testing" / "examples" / "contacts.csv"


async def rows_of(source: Source, **options: Any) -> list[Row]:
    """All rows of a list."""
    return [row async for chunk in read_chunks(source, **options) for row in chunk]


async def row_of(**values: Any) -> Row:
    """The one row of one mapping, with a good number unless another is given."""
    (row,) = await rows_of([{"phone_number": "+971501234567", **values}])
    return row


@pytest.fixture
def listed(tmp_path: Path) -> Any:
    """Write a list as CSV and return its path."""

    def write(content: str | bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# The numbers of the example: US 555-01xx, Ofcom's drama ranges and ACMA's fictional ones ring
# nobody. No such range exists in the Middle East: +971500000xxx and +966500000xxx are made up,
# and nobody promises that they are not assigned. Never dial them for real.
async def test_the_example_list() -> None:
    """The shipped example reads without a country, and mostly well."""
    rows = await rows_of(EXAMPLE)
    assert [row.row for row in rows] == list(range(1, 41))
    assert Counter(row.state for row in rows) == {"pending": 35, "invalid": 4, "skipped": 1}
    assert Counter(row.reason for row in rows if row.state == "invalid") == {
        "impossible": 1,
        "letters": 1,
        "damaged_by_spreadsheet": 1,
        "extension": 1,
    }
    assert len({row.phone_number for row in rows if row.state == "pending"}) == 32
    assert rows[3].phone_number == "+971500000104"
    assert rows[0].params["name"] == rows[0].params["الاسم"] == "سارة المنصوري"
    assert rows[0].contact_id == "C-1001"
    assert set(rows[0].params) == {"name", "الاسم", "city", "appointment_day", "appointment_time"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\r\n  \n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_csv_dialects(listed: Any, delimiter: str, start: str, newline: str) -> None:
    """Delimiter, byte order mark, blank lines and line ends are found out."""
    lines = [["name", "phone"], ["سارة", "+971501234567"], ["", ""], ["x", "0"]]
    text = start + newline.join(delimiter.join(cells) for cells in lines)
    rows = await rows_of(listed(text))
    assert [(row.row, row.state, row.params["name"]) for row in rows] == [
        (1, "pending", "سارة"),
        (2, "invalid", "x"),
    ]


async def test_the_delimiter_is_the_one_that_gives_a_phone_column(listed: Any) -> None:
    """Commas inside a header do not outvote the delimiter that finds the number."""
    (row,) = await rows_of(listed("a,b,c,d;phone\n1;+971501234567\n"))
    assert row.params == {"a,b,c,d": "1"}


async def test_quotes_newlines_and_spaces_in_cells(listed: Any) -> None:
    """A quoted cell may hold anything; params are passed as they stand there."""
    text = 'phone,"no\nte"\n+971501234567," a, ""b""\nc "\n'
    (row,) = await rows_of(listed(text))
    assert row.params == {"no\nte": ' a, "b"\nc '}


async def test_short_rows_are_padded_and_long_ones_invalid(listed: Any) -> None:
    """A missing cell is empty; a cell too many means that none can be trusted."""
    short, long = await rows_of(listed("phone,a,b\n+971501234567\n+971501234568,1,2,3\n"))
    assert (short.state, short.params) == ("pending", {"a": "", "b": ""})
    assert (long.state, long.reason) == ("invalid", "too_many_cells")
    assert "4 cells" in str(long.detail)


async def test_header_only_is_a_list_of_nobody(listed: Any) -> None:
    """Zero rows are no error here."""
    assert await rows_of(listed("phone,name\n\n")) == []


async def test_an_empty_column_without_header_is_nothing(listed: Any) -> None:
    """What trailing delimiters make of a sheet does no harm."""
    (row,) = await rows_of(listed("phone,city,\n+971501234567,Dubai,\n"))
    assert row.params == {"city": "Dubai"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \r\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b",,\n,\n", "is empty"),
        (b"city\nDubai\n", "'city'"),
        (b"phone,mobile\n", "two columns"),
        (b"phone,\n+971501234567,x\n", "column 2 has a value in row 1"),
        ("phone,name\n+971501234567,Muñoz\n".encode("cp1252"), "save it as CSV UTF-8"),
        ("phone,name\n+971501234567,MUÑOZ\n".encode("cp1252"), "save it as CSV UTF-8"),
        ("phone,name\n+971501234567,José\n".encode("cp1252"), "save it as CSV UTF-8"),
        ("phone,name\n+971501234567,سارة\n".encode("utf-16")[:-1], "save it as CSV UTF-8"),
        (b"phone\n+97150\x001234567\n", "save it as CSV UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00", "no workbook that can be read"),
        (b"phone,a\n+971501234567," + b"x" * 131073 + b"\n", "line 2"),
        (b'\n\nphone,a\n\n+971501234567,ok\n+971501234568,"open\n+971501234569,y\n', "line 6"),
        (b'phone,a\n+971501234567,"a"b\n', "line 2"),
        (b"phone\n" + b"1" * (1 << 20) + b"\n", "line 2"),
        (b"x" * 200_000, "line 1"),
    ],
)
async def test_unusable_files_say_what_and_where(listed: Any, content: bytes, words: str) -> None:
    """Each way for a file to be no list is one line that names the file and the way out."""
    path = listed(content)
    with pytest.raises(ContactListError) as caught:
        await rows_of(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.csv", "no such file"),
        (".", "directory"),
        ("nul\0.csv", "path"),
        ("x" * 5000, "cannot be read"),
    ],
)
async def test_paths_that_cannot_be_opened(tmp_path: Path, name: str, words: str) -> None:
    """A path that leads nowhere is an error of the list."""
    with pytest.raises(ContactListError, match=words):
        await rows_of(str(tmp_path / name))


@pytest.mark.parametrize(
    ("error", "words"), [(PermissionError(13, "no"), "permissions"), (OSError(5, "io"), "read")]
)
async def test_files_that_may_not_be_read(
    listed: Any, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    """The system's refusals become errors of the list."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise error

    path = listed("phone\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ContactListError, match=words):
        await rows_of(path)


@pytest.mark.parametrize("word", ["yes", "Y", " TRUE ", "1", "١", "نعم", "\u200fنعم", True, 1])
async def test_words_for_yes(word: object) -> None:
    """Dnc in any of its words skips the row; consent in any of them does not."""
    row = await row_of(dnc=word)
    assert (row.state, row.reason, row.phone_number) == ("skipped", "dnc", "+971501234567")
    assert (await row_of(consent=word)).state == "pending"


@pytest.mark.parametrize("word", ["no", "N", "False", "0", "٠", "لا", False, 0])
async def test_words_for_no(word: object) -> None:
    """No consent in any of its words skips the row; no dnc does not."""
    row = await row_of(consent=word)
    assert (row.state, row.reason) == ("skipped", "no_consent")
    assert (await row_of(dnc=word)).state == "pending"


@pytest.mark.parametrize("name", ["dnc", "consent"])
async def test_unknown_words_are_not_guessed(name: str) -> None:
    """A word that is neither yes nor no makes the row invalid; an empty one says nothing."""
    assert (await row_of(**{name: "maybe"})).reason == "bad_flag"
    assert [(await row_of(**{name: word})).state for word in ("", " ", None)] == ["pending"] * 3


async def test_dnc_is_seen_although_the_row_is_bad_otherwise() -> None:
    """What a person refused is not hidden behind an unreadable time or param."""
    row = await row_of(dnc="yes", consent="maybe", not_before="soon", x=object())
    assert row.reason == "dnc"


async def test_times_are_read_with_their_offset() -> None:
    """A row that may be called only later is deferred, and its moments are UTC."""
    row = await row_of(not_before="2027-01-31T09:00:00+04:00", not_after="2027-01-31T09:00:00Z")
    assert (row.state, row.reason) == ("deferred", "not_before")
    assert row.due_at == datetime(2027, 1, 31, 5, tzinfo=UTC)
    assert row.expires_at == datetime(2027, 1, 31, 9, tzinfo=UTC)
    assert row.due_at.tzinfo is UTC


async def test_a_row_in_the_past_is_passed_on() -> None:
    """There is no clock here: that a row has expired the journal says."""
    row = await row_of(not_after=datetime(2001, 1, 1, tzinfo=UTC))
    assert (row.state, row.expires_at) == ("pending", datetime(2001, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "values",
    [
        {"not_before": "2027-01-31T09:00:00"},
        {"not_before": "2027-01-31"},
        {"not_after": "tomorrow"},
        {"not_after": 1893456000},
        {"not_after": datetime.fromisoformat("2027-01-31")},
        {"not_after": "0001-01-01T00:00:00+23:59"},
        {"not_before": "2027-01-31T09:00:00Z", "not_after": "2027-01-31T09:00:00+00:00"},
    ],
)
async def test_times_that_are_none(values: dict[str, Any]) -> None:
    """No offset, no time, or an empty span: the row is invalid."""
    row = await row_of(**values)
    assert (row.state, row.reason) == ("invalid", "bad_time")


async def test_country_of_the_row_before_that_of_the_list() -> None:
    """A row's own country reads its number; an unknown one is the row's fault."""
    rows = await rows_of(
        [
            {"phone": "0501234567", "country": "sa"},
            {"phone": "0501234567", "country": ""},
            {"phone": "0501234567"},
            {"phone": "0501234567", "country": "UK"},
        ],
        country="ae",
    )
    assert [row.phone_number for row in rows] == [
        "+966501234567",
        "+971501234567",
        "+971501234567",
        "0501234567",
    ]
    assert (rows[3].state, rows[3].reason) == ("invalid", "bad_country")


async def test_without_country_a_national_number_is_invalid() -> None:
    """Nothing is guessed: the row says that it needs a country."""
    (row,) = await rows_of([{"phone": "0501234567"}])
    assert (row.state, row.reason, row.phone_number) == ("invalid", "needs_country", "0501234567")
    assert "0501234567" not in str(row.detail) + repr(row)


@pytest.mark.parametrize(
    ("number", "state", "reason", "text"),
    [
        (971501234567, "invalid", "needs_country", "971501234567"),
        (971501234567.0, "invalid", "damaged_by_spreadsheet", "971501234567.0"),
        (None, "invalid", "empty", ""),
        (True, "invalid", "not_a_number", "(bool)"),
        (["+971501234567"], "invalid", "not_a_number", "(list)"),
        pytest.param(10**5000, "invalid", "not_a_number", "(int)", id="huge"),
        (float("nan"), "invalid", "not_a_number", "(float)"),
        ("\ud800", "invalid", "not_a_number", "\\ud800"),
    ],
)
async def test_numbers_that_are_no_text(number: Any, state: str, reason: str, text: str) -> None:
    """A number of another type is judged, never searched, and can always be stored."""
    row = await row_of(phone_number=number)
    assert (row.state, row.reason, row.phone_number) == (state, reason, text)


async def test_params_of_mappings_keep_their_types() -> None:
    """What JSON can hold passes through as it is."""
    params = {"n": 1, "f": 1.5, "t": True, "none": None, "list": [{"a": ["سارة"]}]}
    row = await row_of(**params)
    assert row.params == params
    json.dumps(row.params)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        datetime(2027, 1, 1, tzinfo=UTC),
        b"bytes",
        {1: "key"},
        (1, 2),
        float("nan"),
        2**80,
        "\ud800",
        [{"deep": {"er": {1}}}],
    ],
)
async def test_params_that_json_cannot_hold(value: object) -> None:
    """Such a row is invalid, names the column and drops the value; the others stay."""
    row = await row_of(odd=value, fine="x")
    assert (row.state, row.reason, row.params) == ("invalid", "bad_param", {"fine": "x"})
    assert "'odd'" in str(row.detail)
    assert (await row_of(contact_id=value)).reason == "bad_param"


async def test_param_names_are_text() -> None:
    """A param whose name is no string is dropped, and its row invalid."""
    params: Any = {1: "a", "b": "c"}
    (row,) = await rows_of([Contact(phone_number="+971501234567", params=params)])
    assert (row.reason, row.params) == ("bad_param", {"b": "c"})


async def test_a_param_that_holds_itself() -> None:
    """A circle is no JSON, and does not hang."""
    circle: list[Any] = []
    circle.append(circle)
    assert (await row_of(circle=circle)).reason == "bad_param"


async def test_mappings_whose_keys_differ() -> None:
    """The first mapping decides whether the list is understood; a later one is its own row."""
    people: list[Any] = [
        {"phone": "+971501234567"},
        {"city": "Dubai", "toNumber": "+971501234568"},
        {"city": "Dubai"},
        {"phone": "+971501234569", "mobile": "1"},
        {"phone": "+971501234569", 5: "1"},
        {"phone": "+971501234569", "": "1"},
    ]
    rows = await rows_of(people)
    assert [row.reason for row in rows] == [None, None, *["bad_columns"] * 4]
    assert rows[1].params == {"city": "Dubai"}


async def test_very_many_shapes_of_mappings_are_forgotten() -> None:
    """What is remembered of the keys does not grow with the list."""
    rows = await rows_of([{"phone": "+971501234567", f"k{n}": n} for n in range(200)])
    assert rows[150].params == {"k150": 150}


@pytest.mark.parametrize(
    "items",
    [
        [{"city": "Dubai"}],
        [{1: "+971501234567"}],
        [{"phone": "x", "_hamsa_reference": "y"}],
        ["+971501234567"],
        [{"phone": "+971501234567"}, None],
    ],
)
async def test_items_that_make_no_list(items: list[Any]) -> None:
    """A list of the wrong things is an error that names the row."""
    with pytest.raises(ContactListError, match=r"row \d"):
        await rows_of(items)


@pytest.mark.parametrize("source", [None, 5, b"list.csv", {"phone": "+971501234567"}])
async def test_sources_of_no_kind(source: Any) -> None:
    """A source that is no list is refused when asked for, not when read."""
    with pytest.raises(ConfigurationError, match="path or an iterable"):
        read_chunks(source)


async def test_wrong_arguments_are_refused_at_once() -> None:
    """Country and size are checked before anything is read."""
    with pytest.raises(ConfigurationError, match="country"):
        read_chunks([], country="UK")
    with pytest.raises(ConfigurationError, match="size"):
        read_chunks([], size=0)


async def test_contacts_become_rows() -> None:
    """A `Contact` says the same as a row of a file, with its name among the params."""
    contact = Contact(
        phone_number="050 123 4567",
        contact_id="7",
        name="سارة",
        params={"visits": 3},
        from_number="+97142000000",
        agent_id="agent",
        country="AE",
        not_after=datetime(2027, 1, 1, 12, tzinfo=timezone(timedelta(hours=4))),
        consent=True,
    )
    assert await rows_of([contact, Contact(phone_number="x", dnc=True)]) == [
        Row(
            row=1,
            phone_number="+971501234567",
            contact_id="7",
            params={"visits": 3, "name": "سارة"},
            from_number="+97142000000",
            agent_id="agent",
            expires_at=datetime(2027, 1, 1, 8, tzinfo=UTC),
            consent=True,
        ),
        Row(
            row=2,
            phone_number="x",
            state="invalid",
            reason="not_a_number",
            detail="This is not a phone number.",
            column="phone_number",
            text="x",
        ),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"phone_number": 971501234567},
        {"contact_id": 7},
        {"params": [("a", 1)]},
        {"params": {"_hamsa_reference": "x"}},
        {"params": {"name": "a"}, "name": "b"},
        {"not_before": datetime.fromisoformat("2027-01-31")},
        {"dnc": None},
        {"consent": "yes"},
    ],
)
def test_contacts_are_checked_when_built(values: dict[str, Any]) -> None:
    """A contact that cannot be meant is refused where it is made."""
    with pytest.raises(ConfigurationError):
        Contact(**{"phone_number": "+971501234567", **values})


def test_reprs_show_nobody() -> None:
    """Neither a contact nor a row shows a whole number, a name or a param."""
    contact = Contact(
        phone_number="+971501234567",
        name="سارة",
        params={"a": "secret"},
        from_number="+97142000000",
    )
    row = Row(row=1, phone_number="+971501234567", params={"a": "secret"})
    for shown in (repr(contact), repr(row)):
        assert "501234567" not in shown
        assert "42000000" not in shown
        assert "secret" not in shown
        assert "سارة" not in shown
    assert pickle.loads(pickle.dumps(contact)) == contact
    assert hash(contact)


async def test_columns_are_told_once_before_the_first_row(listed: Any) -> None:
    """The notice of what was taken for what comes on the loop's thread, once."""
    told: list[tuple[int, Columns]] = []

    def tell(columns: Columns) -> None:
        told.append((threading.get_ident(), columns))

    path = listed("الجوال,priority\n" + "+971501234567,1\n" * 5)
    chunks = read_chunks(path, size=2, on_columns=tell)
    await anext(chunks)
    assert [thread for thread, _ in told] == [threading.get_ident()]
    assert told[0][1].choices == {"phone_number": "الجوال", "priority": "priority"}
    assert told[0][1].fields == {"priority": 1}
    assert [len(chunk) async for chunk in chunks] == [2, 1]
    assert len(told) == 1
    await rows_of([{"phone": "+971501234567"}] * 3, size=1, on_columns=tell)
    assert len(told) == 2


async def test_files_are_read_off_the_loop(listed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither opening nor judging happens on the event loop's thread."""
    threads: set[int] = set()
    judge = judging.judge

    def noted(*args: Any) -> Row:
        threads.add(threading.get_ident())
        return judge(*args)

    monkeypatch.setattr(reading, "judge", noted)
    monkeypatch.setattr(items, "judge", noted)
    await rows_of(listed("phone\n+971501234567\n"))
    await rows_of([{"phone": "+971501234567"}])
    assert threads
    assert threading.get_ident() not in threads


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[BinaryIO]:
    """Every list file that is opened from here on."""
    files: list[BinaryIO] = []
    really_open = list_file._open

    def noted(path: Path) -> BinaryIO:
        files.append(really_open(path))
        return files[-1]

    monkeypatch.setattr(list_file, "_open", noted)
    return files


async def test_leaving_early_closes_the_file(listed: Any, opened: list[BinaryIO]) -> None:
    """After `aclose` nothing holds the file."""
    path = listed("phone\n" + "+971501234567\n" * 10_000)
    chunks = read_chunks(path, size=10)
    await anext(chunks)
    assert [file.closed for file in opened] == [False]
    await chunks.aclose()
    assert [file.closed for file in opened] == [True]


async def test_closing_before_reading_opens_nothing(listed: Any, opened: list[BinaryIO]) -> None:
    """A list that was asked for and never read leaves nothing behind."""
    await read_chunks(listed("phone\n")).aclose()
    assert opened == []


async def test_a_cancelled_read_closes_the_file(
    listed: Any, opened: list[BinaryIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled in the middle of a step, the file is closed when the step ends."""
    path = listed("phone\n+971501234567\n+971501234568\n")
    begun, go_on = threading.Event(), threading.Event()
    judge = judging.judge

    def slow(*args: Any) -> Row:
        begun.set()
        go_on.wait(5)
        return judge(*args)

    monkeypatch.setattr(reading, "judge", slow)
    task = asyncio.create_task(rows_of(path, size=1))
    await asyncio.to_thread(begun.wait, 5)
    try:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [file.closed for file in opened] == [False]
    finally:
        go_on.set()
    async with asyncio.timeout(5):
        while not opened[0].closed:
            await asyncio.sleep(0.001)


async def test_generators_are_closed_when_left() -> None:
    """A generator that was given, of either kind, is closed with the reading."""
    closed = []

    def plain() -> Iterator[dict[str, str]]:
        try:
            while True:
                yield {"phone": "+971501234567"}
        finally:
            closed.append("plain")

    async def awaited() -> AsyncIterator[Contact]:
        try:
            while True:
                yield Contact(phone_number="+971501234567")
        finally:
            closed.append("awaited")

    for source in (plain(), awaited()):
        chunks = read_chunks(source, size=3)
        assert len(await anext(chunks)) == 3
        await chunks.aclose()
    assert closed == ["plain", "awaited"]


async def test_an_async_list_ends_with_a_short_chunk() -> None:
    """Async iterables are cut into chunks, the last one as long as it is."""

    async def people() -> AsyncIterator[dict[str, str]]:
        for n in range(5):
            yield {"phone": f"+97150123456{n}"}

    assert [[row.row for row in chunk] async for chunk in read_chunks(people(), size=2)] == [
        [1, 2],
        [3, 4],
        [5],
    ]


async def test_errors_of_the_callers_iterable_are_the_callers() -> None:
    """What the given iterable raises comes out as it is, after the rows before it."""

    def broken() -> Iterator[dict[str, str]]:
        yield {"phone": "+971501234567"}
        raise LookupError("theirs")

    with pytest.raises(LookupError, match="theirs"):
        await rows_of(broken(), size=1)


def rows_alive() -> int:
    """How many rows this process holds."""
    return sum(type(thing) is Row for thing in gc.get_objects())


async def test_a_long_file_is_streamed(listed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200,000 rows no more than two chunks are alive at once."""
    # The number's own parsing takes most of the time and nothing of what is shown here.
    monkeypatch.setattr(judging, "normalise", lambda text, *, country: text)
    start = rows_alive()
    path = listed("phone,name\n" + "+971501234567,سارة\n" * 200_000)
    count, most = 0, 0
    async for chunk in read_chunks(path):
        count += len(chunk)
        if count % 10_000 == 0:
            most = max(most, rows_alive() - start)
    assert count == 200_000
    assert 500 <= most <= 1000


async def test_a_long_iterable_is_advanced_only_as_far_as_asked() -> None:
    """A list without end is no matter: one chunk is taken at a time."""
    taken = 0

    def endless() -> Iterator[dict[str, str]]:
        nonlocal taken
        while True:
            taken += 1
            yield {"phone": "+971501234567"}

    chunks = read_chunks(endless(), size=50)
    await anext(chunks)
    await anext(chunks)
    assert taken == 100
    await chunks.aclose()


_PIECES = st.sampled_from(
    ["phone", "الجوال", "+971501234567", "name", "dnc", "1", " ", "\ufeff", "\u2028"]
) | st.sampled_from(',;|\t\n\r"\0')
_NEARLY_CSV = st.lists(_PIECES).map(lambda pieces: "".join(pieces).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary() | _NEARLY_CSV | _NEARLY_CSV.map(b"phone,a,dnc\n".__add__))
@example(b'phone\n"')
@example(b"phone\n\xed\xa0\x80")
def test_any_bytes_are_a_list_or_a_list_error(tmp_path_factory: Any, content: bytes) -> None:
    """Whatever is in a file, it is rows that add up or a `ContactListError`."""
    path = tmp_path_factory.getbasetemp() / f"any-{random.getrandbits(64)}.csv"
    path.write_bytes(content)
    try:
        rows = asyncio.run(rows_of(path, size=3))
    except ContactListError as error:
        assert "\n" not in str(error)
    else:
        assert [row.row for row in rows] == list(range(1, len(rows) + 1))
        assert all((row.reason is None) == (row.state == "pending") for row in rows)
    finally:
        path.unlink()


# -- whose turn it is, and how often


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("", None),
        (" ", None),
        (None, None),
        ("1", 1),
        ("100", 100),
        ("٥", 5),
        ("7.0", 7),
        (7, 7),
        ("\u200e7", 7),
        ("0", "bad"),
        ("101", "bad"),
        ("-1", "bad"),
        ("1.5", "bad"),
        ("high", "bad"),
        ("9" * 5_000, "bad"),
        (True, "bad"),
        (5.5, "bad"),
        ([7], "bad"),
    ],
)
async def test_priorities_and_attempts(priority: Any, expected: Any) -> None:
    """Whole numbers from 1 to 100, however a spreadsheet writes them; anything else is told."""
    for name in ("priority", "max_attempts"):
        chunks = read_chunks([{"phone": "+971501234567", name: priority}])
        ((row,),) = [chunk async for chunk in chunks]
        if expected != "bad":
            assert (row.state, getattr(row, name)) == ("pending", expected)
        elif isinstance(priority, list):
            assert (row.state, row.reason) == ("invalid", "bad_param")
        else:
            assert (row.state, row.reason, row.column) == ("invalid", f"bad_{name}", name)
            assert row.detail == f"{name} is no whole number from 1 to 100."


async def test_where_consent_is_noted() -> None:
    """A text of the list's own, kept as it is; from a program too."""
    people = [
        {"phone": "+971501234567", "مصدر الموافقة": " form 7 "},
        Contact(phone_number="+971501234568", consent_source="crm", priority=3, max_attempts=2),
    ]
    ((one, two),) = [chunk async for chunk in read_chunks(people)]
    assert one.consent_source == "form 7"
    assert (two.consent_source, two.priority, two.max_attempts) == ("crm", 3, 2)


@pytest.mark.parametrize("value", [0, 101, "5", 1.5, True])
def test_contacts_with_numbers_that_cannot_be(value: Any) -> None:
    for name in ("priority", "max_attempts"):
        with pytest.raises(ConfigurationError, match=f"{name} must be a whole number"):
            Contact(phone_number="1", **{name: value})
