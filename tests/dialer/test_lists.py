"""Lists of every kind of file, and what must be said of how to read them."""

import io
import json
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from hamsa_async.dialer import list_file, sheets
from hamsa_async.dialer.columns import Columns, Naming
from hamsa_async.dialer.contact_list import ContactList
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.reading import Source, read_chunks
from hamsa_async.errors import ConfigurationError, ContactListError

NUMBER = "+971501234567"


async def read(source: Source, **options: Any) -> tuple[Columns, list[Row]]:
    """A list's columns and all of its rows."""
    seen: list[Columns] = []
    chunks = read_chunks(source, on_columns=seen.append, **options)
    rows = [row async for chunk in chunks for row in chunk]
    (columns,) = seen
    return columns, rows


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def workbook(path: Path, **named_sheets: list[list[Any]]) -> Path:
    """A workbook as a spreadsheet program would save it, its sheets from right to left."""
    with xlsxwriter.Workbook(str(path)) as book:
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for name, rows in named_sheets.items():
            sheet = book.add_worksheet(name.rstrip("_"))
            sheet.right_to_left()
            if name.endswith("_"):
                sheet.hide()
            for at, row in enumerate(rows):
                for column, value in enumerate(row):
                    if isinstance(value, datetime):
                        sheet.write_datetime(at, column, value, moment)
                    elif value is not None:
                        sheet.write(at, column, value)
    return path


# -- how text is written


@pytest.mark.parametrize(
    ("encoding", "notice"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "UTF-16"),
        ("cp1256", "Windows Arabic"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
async def test_encodings(tmp_path: Path, encoding: str, notice: str | None, delimiter: str) -> None:
    """What spreadsheets save Arabic in is read, and said where it is not UTF-8."""
    text = f"الجوال{delimiter}الاسم\n{NUMBER}{delimiter}سارة المنصوري\n"
    columns, (row,) = await read(write(tmp_path / "list.csv", text.encode(encoding)))
    assert row.params["name"] == "سارة المنصوري"
    assert row.phone_number == NUMBER
    assert [notice in each for each in columns.notices if notice] == [True] * bool(notice)


async def test_big_endian_utf_16(tmp_path: Path) -> None:
    """The byte order mark says which of the two it is."""
    content = b"\xfe\xff" + f"phone,name\n{NUMBER},سارة\n".encode("utf-16-be")
    _, (row,) = await read(write(tmp_path / "list.txt", content))
    assert row.params == {"name": "سارة"}


async def test_what_is_not_utf8_far_below_is_seen_at_once(tmp_path: Path) -> None:
    """The whole file is looked at before its first row is read."""
    start = f"phone,name\n{NUMBER},x\n" + f"{NUMBER},x\n" * 100_000
    path = write(tmp_path / "list.csv", start.encode() + f"{NUMBER},سارة\n".encode("cp1256"))
    columns, rows = await read(path)
    assert rows[-1].params == {"name": "سارة"}
    assert columns.notices


async def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list from a pipe is read like a file, whatever it holds."""
    for content in (f"phone\n{NUMBER}\n".encode(), f'{{"phone": "{NUMBER}"}}\n'.encode()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        _, (row,) = await read("-")
        assert (row.phone_number, row.state) == (NUMBER, "pending")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ContactListError, match="standard input: it is empty"):
        await read("-")


# -- JSON lines


async def test_json_lines(tmp_path: Path) -> None:
    """Each line is a mapping with values of their own types; blank lines are none."""
    people = [
        {"الجوال": NUMBER, "الاسم": "سارة", "visits": 3},
        {"name": "x", "toNumber": "0501234568", "country": "AE", "not_after": "2027-01-01T00:00Z"},
    ]
    text = "\n\n".join(json.dumps(each, ensure_ascii=False) for each in people)
    columns, rows = await read(write(tmp_path / "list.jsonl", text))
    assert [(row.row, row.line, row.phone_number) for row in rows] == [
        (1, 1, NUMBER),
        (2, 3, "+971501234568"),
    ]
    assert rows[0].params == {"visits": 3, "name": "سارة", "الاسم": "سارة"}
    assert rows[1].expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert columns.choices["phone_number"] == "الجوال"


async def test_a_broken_line_is_one_bad_row(tmp_path: Path) -> None:
    """A line that is no object does not cost the others, and is told with its text."""
    lines = [f'{{"phone": "{NUMBER}"}}', '{"phone": ', "[1]", '{"city": "Dubai"}', "9" * 5000]
    _, rows = await read(write(tmp_path / "list", "\n".join(lines)))
    assert [(row.line, row.reason) for row in rows] == [
        (1, None),
        (2, "bad_line"),
        (3, "bad_line"),
        (4, "bad_columns"),
        (5, "bad_line"),
    ]
    assert rows[1].text == '{"phone":'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"phone": "x"}]', "JSON array"),
        ('[\n  {"phone": "x"}\n]', "JSON array"),
        ('{\n "phone": "x"\n}', "one object a line"),
        ('{"city": "x"}', "no column has the phone numbers"),
    ],
)
async def test_json_that_is_no_lines(tmp_path: Path, text: str, words: str) -> None:
    """JSON in another shape is refused with the way to make lines of it."""
    with pytest.raises(ContactListError, match=words):
        await read(write(tmp_path / "list.json", text))


# -- workbooks


async def test_a_sheet_is_read_by_its_stored_values(tmp_path: Path) -> None:
    """A number is whole however it is shown; a date, a flag and a number are texts."""
    path = workbook(
        tmp_path / "list.xlsx",
        قائمة=[
            ["الاسم", "الجوال", "visits", "share", "consent", "day", "at"],
            ["سارة", 971501234567, 5, 0.5, True, datetime(2026, 3, 1), datetime(2026, 3, 1, 9)],  # noqa: DTZ001
            [None, None],
            ["x", "9.71501E+11", None, None, None],
        ],
    )
    columns, rows = await read(path, country="AE")
    assert columns.choices == {"name": "الاسم", "phone_number": "الجوال", "consent": "consent"}
    assert [(row.row, row.line, row.phone_number, row.reason) for row in rows] == [
        (1, 2, NUMBER, None),
        (2, 4, "9.71501E+11", "damaged_by_spreadsheet"),
    ]
    assert rows[0].params == {
        "name": "سارة",
        "الاسم": "سارة",
        "visits": "5",
        "share": "0.5",
        "day": "2026-03-01",
        "at": "2026-03-01T09:00:00",
    }
    assert rows[0].consent is True
    assert "export the list again" in str(rows[1].detail)


async def test_titles_above_the_header_are_skipped_and_named(tmp_path: Path) -> None:
    """The header is the first row with a phone column; what stands above it is told, masked."""
    rows = [["Eid campaign"], [], ["ask", "+971509999999"], ["Name", "Mobile"], ["x", NUMBER]]
    columns, (row,) = await read(workbook(tmp_path / "list.xlsx", Sheet=rows))
    assert row.phone_number == NUMBER
    assert row.line == 5
    (notice,) = columns.notices
    assert "'Eid campaign'" in notice
    assert "9999999" not in notice


async def test_which_sheet(tmp_path: Path) -> None:
    """The one visible sheet with a phone column is read; two are an error, and named wins."""
    good = [["phone"], [NUMBER]]
    path = workbook(tmp_path / "a.xlsx", Notes=[["about"]], People=good, Old_=good)
    columns, rows = await read(path)
    assert len(rows) == 1
    assert columns.notices == ("Sheet 'People' was read; not read: 'Notes'.",)
    assert len((await read(ContactList(path, sheet="Old")))[1]) == 1
    two = workbook(tmp_path / "b.xlsx", One=good, Two=[["phone"], [NUMBER], [NUMBER]])
    with pytest.raises(ContactListError, match="'One', 'Two'; name one with --sheet"):
        await read(two)
    assert len((await read(ContactList(two, sheet="2")))[1]) == 2
    with pytest.raises(ContactListError, match="no sheet 'Three'; there is: 'One', 'Two'"):
        await read(ContactList(two, sheet="Three"))


async def test_which_row_is_the_header(tmp_path: Path) -> None:
    """A row that is named holds the headers, in a sheet as in a CSV."""
    rows = [["phone", "x"], ["Mobile", "city"], [NUMBER, "Dubai"]]
    book = workbook(tmp_path / "a.xlsx", Sheet=rows)
    text = write(tmp_path / "a.csv", "\n".join(map(",".join, rows)))
    for path in (book, text):
        _, (row,) = await read(ContactList(path, header_row=2))
        assert row.params == {"city": "Dubai"}
        with pytest.raises(ContactListError, match=r"no line 9|no row 9"):
            await read(ContactList(path, header_row=9))
    with pytest.raises(ConfigurationError, match="count from 1"):
        ContactList(book, header_row=0)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 100, "no workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "no workbook"),
        ("a.csv", b"phone\n", "no sheets"),
        ("a.jsonl", b'{"phone": "+971501234567"}', "no sheets"),
    ],
)
async def test_what_is_no_workbook(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    """A damaged workbook, and a sheet of what has none, are errors in a line."""
    with pytest.raises(ContactListError, match=words):
        await read(ContactList(write(tmp_path / name, content), sheet="1"))


async def test_sheets_without_a_list(tmp_path: Path) -> None:
    """An empty book and one without a phone column say what is missing."""
    with pytest.raises(ContactListError, match="is empty"):
        await read(workbook(tmp_path / "a.xlsx", Sheet=[]))
    with pytest.raises(ContactListError, match="--header-row"):
        await read(workbook(tmp_path / "b.xlsx", Sheet=[["city"], ["Dubai"]]))


async def test_a_zip_that_is_too_large_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a workbook would take of memory is asked before it is taken."""
    monkeypatch.setattr(sheets, "_LARGEST", 1000)
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b"\0" * 10_000)
    with pytest.raises(ContactListError, match="too large"):
        await read(path)


async def test_the_library_for_workbooks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without python-calamine the error says what installs it; other lists do not need it."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    await read(write(tmp_path / "a.csv", f"phone\n{NUMBER}\n"))
    with pytest.raises(ConfigurationError, match=r"pip install 'hamsa-async\[dialer\]'"):
        await read(workbook(tmp_path / "a.xlsx", Sheet=[["phone"]]))


async def test_an_ods_sheet(tmp_path: Path) -> None:
    """LibreOffice's own format is read as well."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    cells = [
        '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>',
        '<table:table-cell office:value-type="float" office:value="{}"/>',
    ]
    body = (
        f'<office:document-content xmlns:office="{office}:office:1.0"'
        f' xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0"'
        ' office:version="1.2"><office:body><office:spreadsheet><table:table table:name="One">'
        f"<table:table-row>{cells[0].format('الجوال')}</table:table-row>"
        f"<table:table-row>{cells[1].format(971501234567)}</table:table-row>"
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    path = tmp_path / "a.ods"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mimetype", kind)
        packed.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            "</manifest:manifest>",
        )
        packed.writestr("content.xml", f'<?xml version="1.0" encoding="UTF-8"?>{body}')
    _, (row,) = await read(path, country="AE")
    assert row.phone_number == NUMBER


# -- what is said about columns


async def test_map_and_ignore(tmp_path: Path) -> None:
    """A column is what it is said to be, before any alias; an ignored one is not read."""
    path = write(
        tmp_path / "a.csv", f"phone,Handy,Ort,notes,region\n1,{NUMBER},Dubai,secret,North\n"
    )
    naming = Naming(
        named={"handy": "phone_number", "Ort": "city", "region": "area"}, ignored={"NOTES"}
    )
    columns, (row,) = await read(ContactList(path, naming=naming))
    assert row.phone_number == NUMBER
    assert row.params == {"phone": "1", "city": "Dubai", "area": "North"}
    assert columns.ignored == ("notes",)
    assert columns.choices == {"phone_number": "Handy"}


@pytest.mark.parametrize(
    ("naming", "words"),
    [
        (Naming(named={"mobil": "phone_number"}), "no column 'mobil' to map"),
        (Naming(ignored={"x"}), "no column 'x'"),
        (Naming(named={"phone": "city"}), "no column has the phone numbers"),
        (Naming(ignored={"phone"}), "no column has the phone numbers"),
        (Naming(named={"town": "city"}), "passed to the agent as 'city'"),
        (Naming(named={"city": "phone_number", "town": "phone_number"}), "two columns could be"),
    ],
)
async def test_naming_that_leads_nowhere(tmp_path: Path, naming: Naming, words: str) -> None:
    """What is said about columns that are not there, or leaves two for one, is an error."""
    path = write(tmp_path / "a.csv", f"phone,city,town\n{NUMBER},a,b\n")
    with pytest.raises(ContactListError, match=words):
        await read(ContactList(path, naming=naming))


@pytest.mark.parametrize(
    "values",
    [
        {"named": {"a": "x"}, "ignored": {"A"}},
        {"named": {"a": " "}},
        {"named": {"a": "_hamsa_reference"}},
    ],
)
def test_naming_that_cannot_be_meant(values: dict[str, Any]) -> None:
    """A contradiction is refused where it is made."""
    with pytest.raises(ConfigurationError):
        Naming(**values)


async def test_reserved_columns_that_the_agent_asks_for(tmp_path: Path) -> None:
    """A reserved column is passed on where the agent names it, under both of its names."""
    path = write(tmp_path / "a.csv", f"الجوال,الدولة,contact_id,dnc\n{NUMBER},AE,7,no\n")
    _, (row,) = await read(path)
    assert row.params == {}
    _, (row,) = await read(path, variables={"country", "الجوال", "contact_id", "city"})
    assert row.params == {
        "الجوال": NUMBER,
        "phone_number": NUMBER,
        "الدولة": "AE",
        "country": "AE",
        "contact_id": "7",
    }


async def test_mappings_are_named_too() -> None:
    """Keys of mappings are mapped and ignored like headers, where they are there."""
    naming = Naming(named={"handy": "phone_number"}, ignored={"notes"})
    people = [{"handy": NUMBER, "notes": "x"}, {"handy": NUMBER}, {"phone": NUMBER}]
    _, rows = await read(ContactList(people, naming=naming))
    assert [(row.reason, row.params) for row in rows] == [
        (None, {}),
        (None, {}),
        ("bad_columns", {}),
    ]


async def test_time_zone_and_consent_columns(tmp_path: Path) -> None:
    """They are read, checked and kept; a zone that is none makes the row invalid."""
    path = write(
        tmp_path / "a.csv",
        "phone,المنطقة الزمنية,consent,consent_at\n"
        f"{NUMBER},Asia/Riyadh,نعم,2026-01-01T00:00:00+04:00\n"
        f"{NUMBER},Gulf,,\n{NUMBER},,yes,2026-01-01\n",
    )
    _, rows = await read(path)
    assert (rows[0].timezone, rows[0].consent) == ("Asia/Riyadh", True)
    assert rows[0].consent_at == datetime(2025, 12, 31, 20, tzinfo=UTC)
    assert (rows[1].reason, rows[1].column, rows[1].text) == (
        "bad_timezone",
        "المنطقة الزمنية",
        "Gulf",
    )
    assert (rows[2].reason, rows[2].column) == ("bad_time", "consent_at")


async def test_invalid_rows_are_told_as_they_are_read(tmp_path: Path) -> None:
    """Each comes with its line, its column as written and what stands there."""
    told: list[Row] = []
    path = write(tmp_path / "a.csv", f'الجوال,x\n"{NUMBER}","a\nb"\n٠٥٠,1\n{NUMBER},1,2\n')
    await read(ContactList(path, on_invalid=told.append))
    assert [(row.line, row.column, row.reason, row.text) for row in told] == [
        (4, "الجوال", "needs_country", "٠٥٠"),
        (5, None, "too_many_cells", None),
    ]
    assert "٠٥٠" not in repr(told[0])


async def test_a_file_that_fails_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails is an error of the list."""

    class Failing(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(list_file, "_open", lambda _path: Failing())
    with pytest.raises(ContactListError, match="Input/output error"):
        await read(tmp_path / "a.csv")
