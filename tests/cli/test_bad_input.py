"""Bad input: one clear line on stderr, the code that says it, nobody called, nothing lost."""

import asyncio
import os
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal import Identity
from hamsa_async.testing import FAKE_PROJECT_ID

NUMBER = "+971501000000"
GOOD = f"phone_number,name\n{NUMBER},سارة\n"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param("", "it is empty", id="empty"),
        pytest.param("\n \n", "it is empty", id="blank"),
        pytest.param(
            f"name,age\nSara,{NUMBER}\n", "no column has the phone numbers", id="no-phone"
        ),
        pytest.param(f"{NUMBER},Sara\n{NUMBER},Omar\n", "no column has", id="no-header"),
        pytest.param(f"phone,mobile\n{NUMBER},{NUMBER}\n", "two columns could be", id="two-phones"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + os.urandom(4096), "text", id="binary"),
        pytest.param(GOOD.encode("utf-16")[:-1], "text", id="cut-utf-16"),
        pytest.param("phone_number,name\n", "nothing below its header", id="header-only"),
        pytest.param("phone_number\n123\nabc\n", "2 of 2 rows are no contacts", id="all-bad"),
        pytest.param(f"phone\n{NUMBER}\nx\ny\n", "2 of 3 rows are no contacts", id="most-bad"),
        pytest.param("phone\n0501234567\n0501234568\n", "--country", id="no-country"),
        pytest.param(f'phone,note\n{NUMBER},"open\n', "quote", id="open-quote"),
        pytest.param(f"phone,note\n{NUMBER},{'x' * (1 << 20)}\n", "line 2", id="1-MB-cell"),
        pytest.param(f"phone,_hamsa_reference\n{NUMBER},x\n", "reserved", id="reserved"),
    ],
)
def test_list_that_cannot_be_used(nobody: Any, contacts: Any, content: Any, what: str) -> None:
    path = contacts(content)
    complaint = nobody.run(path).ends(2).complaint
    assert what in complaint
    assert NUMBER not in complaint


def test_no_such_list(nobody: Any, tmp_path: Path) -> None:
    assert "no such file" in nobody.run(tmp_path / "nowhere.csv").ends(2).complaint


def test_list_is_a_directory(nobody: Any, tmp_path: Path) -> None:
    assert "directory" in nobody.run(tmp_path).ends(2).complaint


def test_bad_list_leaves_the_campaign_as_it_was(dial: Any, contacts: Any) -> None:
    """A list that cannot be used takes nothing away from one that was read before."""
    dial.run(contacts(3)).ends(0)
    for content in ("phone_number\n", b"\0\1\2"):
        assert dial.run(contacts(content, name="bad.csv")).ends(2).complaint
    assert [row["state"] for row in dial.rows()] == ["done"] * 3
    dial.check()


def test_byte_order_mark_and_allowed_bad_rows(dial: Any, contacts: Any) -> None:
    """A BOM is no part of the header, and `--max-invalid` takes a list with many bad rows."""
    path = contacts(b"\xef\xbb\xbf" + f"phone_number\n{NUMBER}\nx\ny\n".encode())
    done = dial.run(path, "--max-invalid", "0.7", "--json").ends(0)
    assert done.document["counts"] == {"done": 1, "invalid": 2}
    assert dial.server.rings() == [NUMBER]


def test_no_key(nobody: Any, contacts: Any) -> None:
    done = nobody.command.with_env(HAMSA_API_KEY="")(*nobody.args(contacts(1)))
    assert "HAMSA_API_KEY" in done.ends(2).complaint


def test_wrong_key(nobody: Any, contacts: Any) -> None:
    key = "no-such-key-at-all"
    done = nobody.command.with_env(HAMSA_API_KEY=key)(*nobody.args(contacts(1)))
    complaint = done.ends(2).complaint
    assert "401" in complaint
    assert key not in complaint
    assert not nobody.journal.exists()


def test_unknown_agent(nobody: Any, contacts: Any) -> None:
    """The agent is asked for before anybody is called."""
    args = ["campaign", "run", contacts(1), "--name", "x", "--policy", "none", "--yes"]
    done = nobody.command(*args, "--agent", "nobody", "--journal", nobody.journal)
    assert "there is no agent 'nobody'" in done.ends(2).complaint


@pytest.mark.parametrize("missing", ["--agent", "--policy"])
def test_what_a_new_campaign_needs(nobody: Any, contacts: Any, missing: str) -> None:
    args = list(nobody.args(contacts(1)))
    at = args.index(missing)
    del args[at : at + 2]
    assert f"{missing} is needed" in nobody.command(*args).ends(2).complaint


def test_server_is_down(command: Any, contacts: Any, tmp_path: Path) -> None:
    down = command.with_env(HAMSA_BASE_URL="http://127.0.0.1:9", HAMSA_API_KEY="k")
    journal = tmp_path / "j.db"
    args = ("--name", "x", "--agent", "a", "--policy", "none", "--yes", "--journal", journal)
    assert down("campaign", "run", contacts(1), *args).ends(2).complaint


def test_unknown_region(command: Any, contacts: Any) -> None:
    there = command.with_env(HAMSA_REGION="mars", HAMSA_API_KEY="k")
    args = ("--name", "x", "--agent", "a", "--policy", "none", "--yes")
    assert "mars" in there("campaign", "run", contacts(1), *args).ends(2).complaint


# -- the caller number


def test_caller_number_is_needed(command: Any) -> None:
    """Past this machine a call without a caller number is refused before anything is sent."""
    away = command.with_env(HAMSA_BASE_URL="https://hamsa.invalid", HAMSA_API_KEY="k")
    complaint = away("call", NUMBER, "--agent", "a").ends(2).complaint
    assert "--from is needed" in complaint
    assert "hamsa-default" in complaint


# -- the journal


def _read_only(path: Path) -> None:
    path.chmod(0o400)


def _other_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("this is no database, whatever its name is\n")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xaa" * (len(data) - 4096))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_read_only, "read-only"),
        (_other_database, "not a journal"),
        (_newer, "newer"),
        (_text, "not a journal"),
        (_folder, "not a file"),
        (_cut, "journal"),
    ],
)
def test_journal_that_cannot_be_used(
    nobody: Any, contacts: Any, tools: Any, spoil: Callable[[Path], None], what: str
) -> None:
    """It is said in one line, by `run` and by those who only look."""
    _make(nobody)
    spoil(nobody.journal)
    run = nobody.start(contacts(1))
    look = nobody.command.start("campaign", "status", "--journal", nobody.journal)
    for process in (run, look):
        complaint = tools.finished(process).ends(2).complaint
        assert what in complaint
        assert str(nobody.journal) in complaint


def _make(nobody: Any) -> None:
    """A journal of the server's in which there is no campaign yet."""

    async def make() -> None:
        async with await SqliteJournal.open(nobody.journal) as journal:
            identity = Identity(base_url=nobody.server.url, project_id=FAKE_PROJECT_ID)
            await journal.identify(identity)

    asyncio.run(make())


def test_journal_in_no_folder(nobody: Any, contacts: Any, tmp_path: Path) -> None:
    nobody.journal = tmp_path / "nowhere" / "journal.db"
    assert "folder does not exist" in nobody.run(contacts(1)).ends(2).complaint


def test_journal_of_another_project(nobody: Any, contacts: Any, serve: Any) -> None:
    """A journal belongs to one server: another one is refused before a list is read."""
    _make(nobody)
    other = serve()
    done = nobody.command.with_env(**other.env)(*nobody.args(contacts(1)))
    assert "it belongs to project" in done.ends(2).complaint
    assert other.posts() == 0


def _limit(size: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_disk_is_full_from_the_start(nobody: Any, contacts: Any) -> None:
    """No journal can be written: nobody is called."""
    done = nobody.run(contacts(1), preexec_fn=_limit(1024))
    assert "full" in done.ends(2).complaint


def test_disk_is_full_while_loading(nobody: Any, contacts: Any) -> None:
    """The list does not fit: nobody is called, and there is room to say so."""
    done = nobody.run(contacts(20_000), preexec_fn=_limit(1 << 20))
    assert "full" in done.ends(2).complaint


def test_disk_fills_up_while_dialing(dial: Any, contacts: Any) -> None:
    """Dialing stops with 5 when something cannot be written; with room again it goes on."""
    count = 2_000
    path = contacts(count)
    full = dial.run(path, "--concurrency", "8", preexec_fn=_limit(1_000_000))
    assert "full" in full.ends(5).complaint
    assert 0 < len(dial.server.rings()) < count
    last = dial.run(path, "--concurrency", "8")
    states = {row["phone_number"]: row["state"] for row in dial.rows()}
    last.ends(4 if "review" in states.values() else 0)
    assert set(states.values()) <= {"done", "review"}
    assert len(states) == count
    dial.check()


def test_journal_is_not_overwritten_by_a_report(dial: Any, contacts: Any) -> None:
    """A report is not written over the journal that it is made of."""
    dial.run(contacts(2)).ends(0)
    args = ("campaign", "report", "eid", "--journal", dial.journal, "--output", dial.journal)
    assert "is the journal itself" in dial.command(*args).ends(2).complaint
    assert len(dial.rows()) == 2


@pytest.mark.parametrize("package", ["cyclopts", "filelock", "phonenumbers"])
def test_extra_is_missing(command: Any, package: str) -> None:
    """Without the extra, or a part of it, the command says what installs it."""
    hidden = f"import sys; sys.modules[{package!r}] = None"
    code = f"{hidden}; from hamsa_async.cli import main; main()"
    done = command("campaign", "status", code=code)
    assert "pip install 'hamsa-async[dialer]'" in done.ends(2).complaint
