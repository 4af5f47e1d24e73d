"""Lists of every kind at the command line: what is read, what is said, what is left over."""

import csv
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

NUMBERS = [f"+97150{1_000_000 + at}" for at in range(20)]


def _book(path: Path) -> Path:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("قائمة")
        sheet.write(0, 0, "Eid campaign")
        sheet.write_row(2, 0, ["الاسم", "Handy", "Mobile"])
        sheet.write_row(3, 0, ["سارة", int(NUMBERS[0][1:]), "office"])
        sheet.write_row(4, 0, ["x", "9.71501E+11", ""])
    return path


def test_a_workbook_with_names_for_its_columns(dial: Any, tmp_path: Path) -> None:
    """It is said what was taken for what; the damaged number goes to invalid.csv, whole."""
    path = _book(tmp_path / "list.xlsx")
    done = dial.run(path, "--map", "handy=phone_number", "--ignore", "mobile", "--country", "AE")
    done.ends(0)
    assert "'Handy' is taken for phone_number" in done.err
    assert "'Eid campaign'" in done.err
    assert "see invalid.csv" in done.err
    assert dial.server.rings() == NUMBERS[:1]
    with (dial.command.folder / "invalid.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["line"] == "5"
    assert row["column"] == "Handy"
    assert row["code"] == "damaged_by_spreadsheet"
    assert row["text"] == "9.71501E+11"


def test_a_list_from_a_pipe(dial: Any, tmp_path: Path) -> None:
    """`-` is standard input."""
    path = tmp_path / "piped"
    path.write_text(f'{{"phone": "{NUMBERS[0]}"}}\n{{"phone": "{NUMBERS[1]}"}}\n')
    with path.open() as piped:
        dial.run("-", stdin=piped).ends(0)
    assert sorted(dial.server.rings()) == NUMBERS[:2]


def test_a_list_from_a_named_pipe(command: Any, tools: Any, tmp_path: Path) -> None:
    """What a shell makes of `<(...)` cannot be read twice, and is kept meanwhile."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    run = command.start("campaign", "check", pipe, "--json")
    with pipe.open("w") as file:
        file.write("phone\n" + "".join(f"+97150{at + 1_000_000}\n" for at in range(5000)))
    assert tools.finished(run).ends(0).document["rows"] == 5000


def test_several_caller_numbers(dial: Any, contacts: Any) -> None:
    """They are used in turn, and one person sees the same one in every campaign."""
    callers = ("--from", "+97142000001", "--from", "+97142000002")
    dial.run(contacts(NUMBERS), *callers).ends(0)
    seen = {ring["phone_number"]: ring["from_number"] for ring in dial.server.ledger_of_now()}
    assert set(seen) == set(NUMBERS)
    shares = Counter(seen.values())
    assert set(shares) == {"+97142000001", "+97142000002"}
    assert min(shares.values()) > 3


def test_invalid_rows_are_written_over_nothing(nobody: Any, contacts: Any) -> None:
    """A file of the user's is left alone; another one is named, and overwritten when asked."""
    path = contacts(f"phone,note\n{NUMBERS[0]},\n,=HYPERLINK()\nx,\n")
    mine = nobody.command.folder / "invalid.csv"
    mine.write_text("mine\n")
    done = nobody.run(path, "--strict").ends(2)
    assert "invalid.csv is a file of yours" in done.err
    assert mine.read_text() == "mine\n"
    other = nobody.command.folder / "bad.csv"
    other.write_text("old\n")
    nobody.run(path, "--strict", "--invalid", other).ends(2)
    assert other.read_text().splitlines()[1].startswith("3,phone,empty,")
    nowhere = nobody.command.folder / "no" / "bad.csv"
    assert "--invalid" in nobody.run(path, "--invalid", nowhere).ends(2).complaint


def test_what_stood_for_a_number_is_no_formula(nobody: Any, contacts: Any) -> None:
    """Whoever opens the file of invalid rows runs nothing that a list brought."""
    nobody.run(contacts("phone\n=HYPERLINK(1)\n+1\n")).ends(2)
    with (nobody.command.folder / "invalid.csv").open(newline="") as written:
        assert [row["text"] for row in csv.DictReader(written)] == ["'=HYPERLINK(1)", "+1"]


def test_invalid_rows_are_not_written_over_what_is_read(
    nobody: Any, command: Any, contacts: Any
) -> None:
    """Neither over the list nor over the journal, whatever was asked for."""
    path = contacts(f"phone\n{NUMBERS[0]}\nx\n")
    before = path.read_bytes()
    link = command.folder / "link.csv"
    link.symlink_to(path)
    for other in (path, link, nobody.journal):
        assert "written over" in nobody.run(path, "--invalid", other).ends(2).complaint
    checked = command("campaign", "check", path, "--invalid", link).ends(2)
    assert "written over" in checked.complaint
    register = ("dnc", "import", path, "--invalid", path, "--journal", nobody.journal)
    assert "written over" in command(*register).ends(2).complaint
    assert path.read_bytes() == before


def test_the_file_of_invalid_rows_is_written_anew(nobody: Any, contacts: Any) -> None:
    """One that we wrote is replaced by the next run's."""
    path = nobody.command.folder / "invalid.csv"
    nobody.run(contacts("phone\n1\n2\n")).ends(2)
    assert len(path.read_text().splitlines()) == 3
    nobody.run(contacts("phone\n1\n")).ends(2)
    assert len(path.read_text().splitlines()) == 2
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IWUSR


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--map", "phone"), "is not HEADER=NAME"),
        (("--map", "a=b", "--map", "a=c"), "given twice"),
        (("--map", "a=b", "--ignore", "a"), "both mapped and ignored"),
        (("--map", "mobil=name"), "no column 'mobil'"),
        (("--sheet", "1"), "no sheets"),
        (("--header-row", "0"), "count from 1"),
        (("--header-row", "9"), "no line 9"),
        (("--from", "042000000"), "--from"),
    ],
)
def test_options_that_lead_nowhere(
    nobody: Any, contacts: Any, option: tuple[str, ...], words: str
) -> None:
    assert words in nobody.run(contacts(1), *option).ends(2).complaint


def test_strict_refuses_a_list_with_one_bad_row(nobody: Any, contacts: Any) -> None:
    done = nobody.run(contacts(f"phone\n{NUMBERS[0]}\n{NUMBERS[1]}\nx\n"), "--strict").ends(2)
    assert "1 of 3 rows are no contacts" in done.complaint
