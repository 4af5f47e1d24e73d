"""Seeing to it that what was erased is in no byte of the journal's files any more.

What a statement lets go is overwritten by it (`secure_delete`, on in every connection of ours).
Two places are left: the write-ahead log, which has pages as they were, and pages that were let go
by a version that overwrote nothing.
"""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Final

import attrs

from hamsa_async.dialer.journal.schema import explained, open_database

_PATIENCE: Final = 10.0  # seconds for which others may read what the log has
_PAUSE: Final = 0.2
_QUICK: Final = 64 * 1024 * 1024  # bytes: rewritten in about a second, which a dialer can wait


@attrs.frozen(kw_only=True)
class Overwritten:
    """What was seen to.

    Attributes:
        log: Whether the write-ahead log is empty.
        pages: Whether no page has anything that was let go.
    """

    log: bool
    pages: bool

    def __bool__(self) -> bool:
        return self.log and self.pages


def overwrite(path: Path, *, in_use: bool) -> Overwritten:
    """Overwrite what is left of what was erased, as far as others let us.

    Args:
        path: The journal.
        in_use: Whether campaigns are dialed with it: then a large file is not rewritten, since
            nothing could be written meanwhile.

    Raises:
        JournalError: The disk is full, or somebody writes without end. What was erased stays so.
    """
    with (
        contextlib.closing(open_database(path, create=False)) as connection,
        explained(path),
    ):
        (pages,) = connection.execute("SELECT overwritten FROM erasing").fetchone()
        if not pages and not (in_use and path.stat().st_size > _QUICK):
            connection.execute("VACUUM")
            connection.execute("UPDATE erasing SET overwritten = 1")
            pages = True
        return Overwritten(log=_truncated(connection), pages=bool(pages))


def _truncated(connection: sqlite3.Connection) -> bool:
    """Empty the log, as soon as nobody reads what it has."""
    connection.execute("PRAGMA busy_timeout = 100")  # ms of each try: it holds off who writes
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # most of it, and holds off nobody
    until = time.monotonic() + _PATIENCE
    while True:
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
