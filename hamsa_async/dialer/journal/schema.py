"""The journal's file: what is in it, what proves that it is one, and how it comes of age."""

import contextlib
import itertools
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from hamsa_async.dialer.journal.budget_tables import COLUMNS as BUDGET
from hamsa_async.dialer.journal.erasing_tables import TABLES as ERASING
from hamsa_async.dialer.journal.list_tables import TABLES as LISTS
from hamsa_async.dialer.journal.open_attempts import INDEX
from hamsa_async.dialer.journal.pace_tables import PACES
from hamsa_async.dialer.journal.rules_tables import TABLES
from hamsa_async.dialer.journal.sql import transaction
from hamsa_async.errors import JournalError

APPLICATION_ID: Final = int.from_bytes(b"HMSA", "big")
# SQLite takes a shorter file for an empty one, and would write over it.
_SMALLEST: Final = 512  # bytes
BUSY_TIMEOUT: Final = 30.0  # seconds

# SQLite's locks and shared memory do not hold across machines.
_NETWORK_FILE_SYSTEMS: Final = (
    *("9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs"),
    *("ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
)

# All times are whole milliseconds since 1970, UTC.
MIGRATIONS: Final[Mapping[int, str]] = {
    1: """
    CREATE TABLE identity (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        base_url TEXT NOT NULL,
        project_id TEXT NOT NULL
    );
    CREATE TABLE campaigns (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        settings TEXT NOT NULL,
        loaded INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL
    );
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        campaign INTEGER NOT NULL REFERENCES campaigns (id),
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        ended_at INTEGER,
        ending TEXT,
        reason TEXT
    );
    CREATE INDEX runs_of_campaign ON runs (campaign, id);
    CREATE TABLE contacts (
        id INTEGER PRIMARY KEY,
        campaign INTEGER NOT NULL REFERENCES campaigns (id),
        key TEXT NOT NULL,
        row INTEGER NOT NULL,
        contact_id TEXT,
        phone_number TEXT NOT NULL,
        params TEXT NOT NULL,
        from_number TEXT,
        agent_id TEXT,
        state TEXT NOT NULL,
        reason TEXT,
        detail TEXT,
        due_at INTEGER,
        -- What the list said; `due_at` is what the rules made of it.
        not_before INTEGER,
        expires_at INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0,
        call_id TEXT,
        UNIQUE (campaign, key)
    );
    CREATE INDEX pending_contacts ON contacts (campaign, id) WHERE state = 'pending';
    CREATE INDEX deferred_contacts ON contacts (campaign, due_at) WHERE state = 'deferred';
    CREATE INDEX contacts_by_id ON contacts (campaign, contact_id) WHERE contact_id IS NOT NULL;
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY,
        campaign INTEGER NOT NULL REFERENCES campaigns (id),
        contact INTEGER NOT NULL REFERENCES contacts (id),
        phone_number TEXT NOT NULL,
        state TEXT NOT NULL,
        intended_at INTEGER NOT NULL,
        settled_at INTEGER,
        call_id TEXT,
        status INTEGER,
        reason TEXT
    ) WITHOUT ROWID;
    -- One open attempt per number, over all campaigns and processes of this journal.
    CREATE UNIQUE INDEX open_attempts ON attempts (phone_number)
        WHERE state IN ('intended', 'unknown');
    CREATE INDEX attempts_of_number ON attempts (phone_number);
    CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        campaign INTEGER NOT NULL,
        contact INTEGER,
        attempt TEXT,
        data TEXT
    );
    """,
    2: TABLES,
    3: """
    ALTER TABLE identity ADD COLUMN looked_from INTEGER;
    ALTER TABLE identity ADD COLUMN looked_to INTEGER;
    ALTER TABLE campaigns ADD COLUMN asked TEXT;
    ALTER TABLE campaigns ADD COLUMN asked_at INTEGER;
    ALTER TABLE contacts ADD COLUMN outcome TEXT;
    CREATE INDEX retry_contacts ON contacts (campaign, due_at) WHERE state = 'retry';
    -- When the server says that it was placed.
    ALTER TABLE attempts ADD COLUMN placed_at INTEGER;
    -- From then on nobody waits for its end any more.
    ALTER TABLE attempts ADD COLUMN ends_by INTEGER;
    ALTER TABLE attempts ADD COLUMN ended_at INTEGER;
    ALTER TABLE attempts ADD COLUMN outcome TEXT;
    -- What a doubt was settled by, or could not be.
    ALTER TABLE attempts ADD COLUMN evidence TEXT;
    -- What looking for the call of an attempt in doubt needs: by how many seconds the server's
    -- clock was ahead, when it was first looked for, and what the first look showed.
    ALTER TABLE attempts ADD COLUMN server_ahead REAL;
    ALTER TABLE attempts ADD COLUMN looked_at INTEGER;
    ALTER TABLE attempts ADD COLUMN first_look TEXT;
    CREATE INDEX attempts_of_call ON attempts (call_id) WHERE call_id IS NOT NULL;
    -- Calls as the server tells of them; without an attempt, somebody else's.
    CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        attempt TEXT,
        phone_number TEXT,
        placed_at INTEGER,
        status TEXT,
        duration REAL,
        cost REAL,
        recording TEXT,
        transcript TEXT,
        result TEXT,
        looked_at INTEGER NOT NULL
    );
    CREATE INDEX foreign_calls ON calls (phone_number, placed_at) WHERE attempt IS NULL;
    -- What webhooks said, as it came; `key` tells what came twice.
    CREATE TABLE inbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        attempt TEXT,
        call_id TEXT,
        event TEXT,
        body TEXT NOT NULL,
        taken_at INTEGER
    );
    CREATE INDEX waiting_in_inbox ON inbox (number) WHERE taken_at IS NULL;
    -- Before this version the end of a call was not looked for. The last open attempt at a number
    -- keeps it; the ones before had the gap between them, so they are over.
    UPDATE attempts SET ends_by = settled_at + 1500000 WHERE state = 'placed';
    INSERT INTO events (at, kind, campaign, contact, attempt, data)
        SELECT ends_by, 'ended', campaign, contact, id, '{"outcome":"unseen"}' FROM attempts
        WHERE state = 'placed' AND EXISTS (SELECT 1 FROM attempts AS later
            WHERE later.phone_number = attempts.phone_number
            AND later.state IN ('intended', 'placed', 'unknown')
            AND (later.intended_at, later.id) > (attempts.intended_at, attempts.id));
    UPDATE attempts SET state = 'ended', outcome = 'unseen', ended_at = ends_by
        WHERE state = 'placed' AND id IN (SELECT attempt FROM events WHERE kind = 'ended');
    UPDATE contacts SET state = 'done', outcome = 'unseen' WHERE state = 'placed'
        AND id IN (SELECT contact FROM events WHERE kind = 'ended');
    DROP INDEX open_attempts;
    CREATE UNIQUE INDEX open_attempts ON attempts (phone_number)
        WHERE state IN ('intended', 'placed', 'review', 'unknown');
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
    CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
    """,
    4: INDEX + BUDGET + ERASING + LISTS + PACES,
}
"""Each version's step, from the one before it. A released step is never edited, so its states
are written out."""

SCHEMA_VERSION: Final = max(MIGRATIONS)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into `JournalError`s that say the way out."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(f"journal {path}: {_explain(error)}") from error
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error


_READ_ONLY: Final = "it is read-only: make it writable, or choose another with --journal"
_NO_JOURNAL: Final = "not a journal: choose another path with --journal"
_DAMAGED: Final = "it is damaged: restore a backup (`hamsa journal check` says more)"

_EXPLANATIONS: Final = (
    ("not a database", _NO_JOURNAL),
    ("full", "the disk is full (or a limit is reached): make room, then run again"),
    ("readonly", _READ_ONLY),
    ("unable to open", "it cannot be opened: check that its folder exists and is writable"),
    ("locked", "another process has held it for too long: see who uses it, then run again"),
    ("malformed", _DAMAGED),
    ("disk i/o", "the disk failed or is full: make room or check it, then run again"),
)
"""What SQLite says, by a part of it, and what that means for whoever runs a campaign."""


def _explain(error: sqlite3.Error) -> str:
    text = str(error)
    return next((told for sign, told in _EXPLANATIONS if sign in text.lower()), text)


def open_database(
    path: Path, *, create: bool, migrations: Mapping[int, str] = MIGRATIONS
) -> sqlite3.Connection:
    """Open a journal's database, made or brought up to date where needed.

    Args:
        path: Its file. A new one gets mode 0600.
        create: Whether to make it if it is not there.
        migrations: The steps to bring it up to date with, by version.

    Returns:
        A connection in autocommit mode: WAL, every commit synced to disk.

    Raises:
        JournalError: It is not a journal, not writable, from a newer version, on a network file
            system, or not there. Nothing was changed.
    """
    with explained(path):
        _look_at(path, create=create)
        connection = _connect(path)
        try:
            _prove_journal(connection, path, newest=max(migrations))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            # What is let go of a person is overwritten, whoever lets it go.
            connection.execute("PRAGMA secure_delete = ON")
            _bring_up_to_date(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


def _look_at(path: Path, *, create: bool) -> None:
    """Judge the file before SQLite touches it."""
    if not path.parent.is_dir():
        raise JournalError(f"journal {path}: its folder does not exist")
    kind = _file_system_of(path.parent)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise JournalError(
            f"journal {path}: it lies on a network file system ({kind}), where locks do not"
            " hold; choose a local path with --journal"
        )
    if not path.exists():
        if not create:
            raise JournalError(f"there is no journal at {path}: check --journal")
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if not path.is_file():
        raise JournalError(f"journal {path}: not a file")
    # The mode is asked, not os.access alone: root may write to what was set read-only.
    if not path.stat().st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        raise JournalError(f"journal {path}: {_READ_ONLY}")
    # The file itself is SQLite's alone to open: to close it again would let go of the locks that
    # other connections of this process hold on it.
    size = path.stat().st_size
    if size == 0:
        path.chmod(0o600)  # made empty by somebody else, and ours from now on
    elif size < _SMALLEST:
        raise JournalError(f"journal {path}: {_NO_JOURNAL}")


def _file_system_of(folder: Path) -> str | None:
    """Name the file system, where the system tells (Linux)."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return None
    target = folder.resolve()
    best, found = -1, None
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, kind, *_ = [*line.split(), "", "", ""]
        place = Path(point.replace("\\040", " "))
        # Of two mounts on one place the later one is seen.
        if target.is_relative_to(place) and len(place.parts) >= best:
            best, found = len(place.parts), kind
    return found


def _prove_journal(connection: sqlite3.Connection, path: Path, *, newest: int) -> None:
    # As of one moment: another process may be making it meanwhile.
    connection.execute("BEGIN")
    try:
        application = _pragma(connection, "application_id")
        version = _pragma(connection, "user_version")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        connection.execute("ROLLBACK")
    if application != APPLICATION_ID:
        if application or version or tables:
            raise JournalError(f"journal {path}: {_NO_JOURNAL}")
        return
    if version > newest:
        raise JournalError(
            f"journal {path}: it was written by a newer hamsa-async (its version {version}, ours"
            f" {newest}); upgrade hamsa-async"
        )
    _prove_whole(connection, path)


def _prove_whole(connection: sqlite3.Connection, path: Path) -> None:
    """See that no end was cut off: SQLite would notice in the middle of a campaign."""
    least = _pragma(connection, "page_count") * _pragma(connection, "page_size")
    if path.stat().st_size >= least:
        return
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        return  # the rest lies there
    # Asked again: the last other process may just have moved the rest over.
    if path.stat().st_size < least:
        raise JournalError(f"journal {path}: {_DAMAGED}")


def _bring_up_to_date(
    connection: sqlite3.Connection, path: Path, migrations: Mapping[int, str]
) -> None:
    newest = max(migrations)
    if _pragma(connection, "user_version") == newest:
        return
    with transaction(connection):
        # Asked now, when nobody else can write: another process may have done it meanwhile.
        version = _pragma(connection, "user_version")
        if 0 < version < newest:
            _keep_copy(path, version)
        for step in range(version + 1, newest + 1):
            for statement in _statements(migrations[step]):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {newest}")


def _statements(script: str) -> Iterator[str]:
    """Cut a script into its statements: `executescript` would commit before the first."""
    statement = ""
    for line in script.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _keep_copy(path: Path, version: int) -> None:
    """Copy the journal as it was, beside it, under a name that nothing has yet."""
    names = (f"{path.name}.v{version}{more}.bak" for more in _numbered())
    target = next(each for each in map(path.with_name, names) if not each.exists())
    # A connection of its own: ours is in the transaction that will change it.
    with contextlib.closing(_connect(path)) as before:
        back_up(before, target)


def _numbered() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in itertools.count(2))


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy a journal, also one in use, to a new file with mode 0600.

    Raises:
        JournalError: The target exists or cannot be written.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        raise JournalError(f"{target} exists already: a backup overwrites nothing") from None
    except OSError as error:
        raise JournalError(f"{target}: {error.strerror or error}") from error
    try:
        with explained(target), contextlib.closing(sqlite3.connect(target)) as copy:
            # In one step: it reads what was committed by now. In several, each commit of a
            # running dialer would make it begin anew.
            connection.backup(copy)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
