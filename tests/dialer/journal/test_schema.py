"""The journal's file: what proves that it is one, how it comes of age, what it refuses."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import Ending, SqliteJournal
from hamsa_async.dialer.journal import schema
from hamsa_async.dialer.journal.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    SCHEMA_VERSION,
    open_database,
)
from hamsa_async.errors import JournalError

FROZEN = sorted((Path(__file__).parents[2] / "journals").glob("v*.db"))


def pragma(path: Path, name: str) -> Any:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_every_commit_is_synced(journal: Any) -> None:
    """The writer's connection syncs at each commit (FULL), in WAL mode."""
    assert await journal._writer.write(
        lambda connection: (
            connection.execute("PRAGMA synchronous").fetchone()[0],
            connection.execute("PRAGMA journal_mode").fetchone()[0],
        )
    ) == (2, "wal")


async def test_a_new_journal_says_what_it_is(journal: Any, path: Path) -> None:
    """A journal carries its application id and its schema's version from the first moment."""
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "user_version") == SCHEMA_VERSION == max(MIGRATIONS)


async def test_only_its_owner_may_read_it(world: Any, tmp_path: Path) -> None:
    """The journal, what lies beside it, its locks and its backups have mode 0600."""
    old = os.umask(0)
    try:
        async with world.dialer() as dialer:
            await dialer.load(world.campaign(), world.rows(3))
            await dialer.journal.back_up(tmp_path / "copy.db")
            there = {file.name for file in tmp_path.iterdir()}
            assert there == {
                "journal.db",
                "journal.db-wal",
                "journal.db-shm",
                "journal.db.campaign-1.holder",
                "journal.db.campaign-1.lock",
                "copy.db",
            }
            assert {mode(file) for file in tmp_path.iterdir()} == {0o600}
    finally:
        os.umask(old)


async def test_an_empty_file_becomes_a_journal_of_its_owner(path: Path) -> None:
    """A file that was made empty by somebody else is taken, and closed to others."""
    path.touch(0o644)
    async with await SqliteJournal.open(path):
        assert mode(path) == 0o600


def another_application(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE things (id)")


def another_application_by_id(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 77")


def newer(path: Path) -> None:
    open_database(path, create=True, migrations=SECOND).close()


def read_only(path: Path) -> None:
    open_database(path, create=True).close()
    path.chmod(0o400)


def cut_short(path: Path) -> None:
    open_database(path, create=True).close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4096 - 100)


def cut_to_its_head(path: Path) -> None:
    open_database(path, create=True).close()
    with path.open("r+b") as file:
        file.truncate(60)


REFUSED = {
    "text": (lambda path: path.write_text("Dear journal, " * 100), "not a journal"),
    "short text": (lambda path: path.write_text("x"), "not a journal"),
    "another application": (another_application, "not a journal"),
    "another application's id": (another_application_by_id, "not a journal"),
    "a directory": (lambda path: path.mkdir(), "not a file"),
    "newer": (newer, "newer hamsa-async.*upgrade"),
    "read-only": (read_only, "read-only"),
    "cut short": (cut_short, "damaged"),
    "cut to its head": (cut_to_its_head, "not a journal|damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_usable_journal_is_refused(world: Any, case: str) -> None:
    """Each gives one clear line that names the file; nothing is dialed, nothing is changed."""
    make, says = REFUSED[case]
    make(world.path)
    before = world.path.read_bytes() if world.path.is_file() else None
    with pytest.raises(JournalError, match=says) as caught:
        await world.run(world.rows(3))
    assert str(world.path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert world.fake.ledger.posts == 0
    assert before is None or world.path.read_bytes() == before


async def test_a_folder_that_is_not_there(world: Any, tmp_path: Path) -> None:
    """A journal in a missing folder is refused, and the folder is not made."""
    world.path = tmp_path / "missing" / "journal.db"
    with pytest.raises(JournalError, match="folder does not exist"):
        await world.run(world.rows(1))
    assert not world.path.parent.exists()


async def test_a_journal_that_must_be_there(path: Path) -> None:
    """`create=False` makes nothing."""
    with pytest.raises(JournalError, match="there is no journal"):
        await SqliteJournal.open(path, create=False)
    assert not path.exists()


async def test_a_network_file_system_is_refused(path: Path, monkeypatch: Any) -> None:
    """Locks do not hold there, so nothing is opened."""
    monkeypatch.setattr(schema, "_file_system_of", lambda _: "nfs4")
    with pytest.raises(JournalError, match=r"network file system \(nfs4\)"):
        await SqliteJournal.open(path)
    assert not path.exists()


def test_the_file_system_is_found(tmp_path: Path, monkeypatch: Any) -> None:
    """The longest mount that holds the folder counts, also one with a space in its name."""
    share = tmp_path / "the share"
    (share / "deep").mkdir(parents=True)
    (tmp_path / "the share next door").mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path}/the\\040share nfs rw 0 0\nbroken\n"
    )
    real = Path
    monkeypatch.setattr(
        schema, "Path", lambda name: mounts if name == "/proc/mounts" else real(name)
    )
    assert schema._file_system_of(share / "deep") == "nfs"
    assert schema._file_system_of(tmp_path / "the share next door") == "ext4"


SECOND: Mapping[int, str] = {
    **MIGRATIONS,
    SCHEMA_VERSION + 1: """
        -- A comment; with a semicolon.
        ALTER TABLE contacts ADD COLUMN mood TEXT;
        CREATE TABLE moods (id INTEGER PRIMARY KEY);
    """,
}


def test_an_older_journal_is_migrated_after_a_copy(path: Path, tmp_path: Path) -> None:
    """The steps are made, and the journal as it was lies beside it, for its owner only."""
    open_database(path, create=True).close()
    for turn, copy in enumerate(("", "-2")):
        with contextlib.closing(open_database(path, create=False, migrations=SECOND)) as journal:
            assert journal.execute("SELECT mood FROM contacts").fetchall() == []
        assert pragma(path, "user_version") == SCHEMA_VERSION + 1
        kept = tmp_path / f"journal.db.v{SCHEMA_VERSION}{copy}.bak"
        assert pragma(kept, "user_version") == SCHEMA_VERSION
        assert mode(kept) == 0o600
        if turn == 0:  # a copy of before is never overwritten
            for end in ("", "-wal", "-shm"):
                (tmp_path / f"journal.db{end}").unlink(missing_ok=True)
            open_database(path, create=True).close()
    with contextlib.closing(open_database(path, create=False, migrations=SECOND)):
        assert len(list(tmp_path.glob("*.bak"))) == 2


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """All steps or none: a journal is never left between two versions."""
    open_database(path, create=True).close()
    broken = {**SECOND, SCHEMA_VERSION + 2: "CREATE TABLE one (id);\nCREATE TABLE moods (id);"}
    with pytest.raises(JournalError, match="moods already exists"):
        open_database(path, create=False, migrations=broken)
    assert pragma(path, "user_version") == SCHEMA_VERSION
    open_database(path, create=False).close()


@pytest.mark.parametrize("frozen", FROZEN, ids=[path.stem for path in FROZEN])
async def test_a_journal_of_each_released_version_opens(
    world: Any, frozen: Path, tmp_path: Path
) -> None:
    """A journal that an earlier release wrote still opens, is sound, and is resumed."""
    world.path.write_bytes(frozen.read_bytes())
    async with await SqliteJournal.open(world.path) as journal:
        assert await journal.problems() == []
        (record,) = await journal.campaigns()
        counts = await journal.counts(record.id)
        assert counts == {
            "pending": 2,
            "placed": 2,
            "refused": 1,
            "skipped": 1,
            "invalid": 1,
            "unknown": 1,
        }
        rows = [row async for row in journal.rows(record.id)]
        assert [(row.list_number, row.row) for row in rows] == [(1, at) for at in range(1, 9)]
        assert [(row.priority, row.max_attempts) for row in rows] == [(None, None)] * 8
        (first,) = await journal.lists(record.id)
        assert (first.number, first.appended) == (1, False)
        pending = await journal.pending(record.id, after=0, limit=9)
        assert len(pending) == 2
        assert [event.number async for event in journal.events(after=0)] == list(range(1, 14))
        identity = await journal.identity()
    world.fake.project_id = identity.project_id
    with contextlib.closing(sqlite3.connect(world.path)) as connection, connection:
        connection.execute("UPDATE identity SET base_url = ?", (world.fake.base_url,))
    run, _ = await world.run(name=record.name)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert len(world.fake.ledger.rings) == 2


def test_there_is_a_journal_of_each_version() -> None:
    """Whoever adds a version freezes a journal of it."""
    assert [path.stem for path in FROZEN] == [f"v{version}" for version in sorted(MIGRATIONS)]


async def test_a_backup_is_a_journal(world: Any, tmp_path: Path) -> None:
    """A backup made in mid-campaign opens, is sound, and overwrites nothing."""
    world.fake.latency = (0.0, 0.01)
    copy = tmp_path / "copy.db"
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), world.rows(100), wait=False)
        async for event in run:
            if event.row == 40 and not copy.exists():
                await dialer.journal.back_up(copy)
        with pytest.raises(JournalError, match="exists already"):
            await dialer.journal.back_up(copy)
        with pytest.raises(JournalError, match="No such file"):
            await dialer.journal.back_up(tmp_path / "missing" / "copy.db")
    async with await SqliteJournal.open(copy, create=False) as journal:
        assert await journal.problems() == []
        assert sum((await journal.counts(run.loaded.record.id)).values()) == 100


def test_opening_it_again_lets_go_of_no_lock(path: Path) -> None:
    """Another process must not take our file for one that nobody uses.

    POSIX locks are the process's: closing any descriptor of the file lets go of all of them.
    """
    with contextlib.closing(open_database(path, create=True)) as mine:
        mine.execute("CREATE TABLE t (x)")
        with contextlib.closing(open_database(path, create=False)):
            pass
        script = """
            import sqlite3, sys
            other = sqlite3.connect(sys.argv[1], timeout=0)
            try:
                other.execute("PRAGMA journal_mode = DELETE")  # needs it to be nobody else's
            except sqlite3.OperationalError as error:
                print(error)
        """
        said = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "locked" in said.stdout


def test_a_disk_that_is_full(world: Any, tmp_path: Path) -> None:
    """Where a file may grow no more the run ends with one line, and nothing is dialed after."""
    script = f"""
        import asyncio, resource, sys
        from hamsa_async.dialer import SqliteJournal
        from hamsa_async.dialer.contacts import Row
        from hamsa_async.errors import JournalError

        async def main():
            async with await SqliteJournal.open({str(world.path)!r}) as journal:
                record = await journal.add_campaign("eid", {{}})
                resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
                rows = [Row(row=n, phone_number=f"+97150{{n:07}}") for n in range(1, 20_000)]
                try:
                    await journal.stage(record.id, rows, first=True)
                    await journal.staged(record.id)
                    await journal.take_over(record.id, {{}})
                except JournalError as error:
                    print(error)
                record = await journal.campaign("eid")
                print(record.loaded)
        asyncio.run(main())
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(said) == 2
    assert str(world.path) in said[0]
    assert "make room" in said[0]
    assert said[1] == "False"
