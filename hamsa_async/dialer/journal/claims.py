"""Who dials, told by locks that the system lets go of when their holder dies."""

import contextlib
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from hamsa_async.errors import JournalError

# Whoever looks at a lock holds it for an instant, and must not look like a dialer.
_PATIENCE: Final = 0.2  # seconds
_PAUSE: Final = 0.01
_SOMEBODY: Final = "another process"


class CampaignLocks:
    """The locks of one journal's campaigns that this process holds: files beside the journal."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: dict[int, FileLock] = {}

    def take(self, campaign: int) -> bool:
        """Take a campaign's lock; `False` when another process, or we, have it already."""
        if campaign in self._held:
            return False
        until = time.monotonic() + _PATIENCE
        while (lock := self._try(campaign)) is None:
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE)
        self._held[campaign] = lock
        self._sign(campaign)
        return True

    def holder(self, campaign: int) -> str:
        """Say who holds a campaign's lock, and since when, as far as they signed for it."""
        try:
            return self._file(campaign, "holder").read_text(encoding="utf-8") or _SOMEBODY
        except OSError:
            return _SOMEBODY

    def let_go(self, campaign: int) -> None:
        """Release a campaign's lock, if it is ours."""
        lock = self._held.pop(campaign, None)
        if lock is not None:
            self._file(campaign, "holder").unlink(missing_ok=True)
            lock.release()

    def is_taken(self, campaign: int) -> bool:
        """Whether anybody holds a campaign's lock now."""
        if campaign in self._held:
            return True
        lock = self._try(campaign)
        if lock is not None:
            lock.release()
        return lock is None

    def let_all_go(self) -> None:
        """Release every lock that is ours."""
        for campaign in list(self._held):
            self.let_go(campaign)

    def _try(self, campaign: int) -> FileLock | None:
        return _try_lock(self._journal, self._file(campaign, "lock"))

    def _sign(self, campaign: int) -> None:
        # In a file of its own: whoever tries for the lock empties the lock's file.
        text = (
            f"process {os.getpid()} on {socket.gethostname()},"
            f" since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        )
        with contextlib.suppress(OSError):  # the lock is what counts
            file = self._file(campaign, "holder")
            file.touch(mode=0o600)
            file.write_text(text, encoding="utf-8")

    def _file(self, campaign: int, kind: str) -> Path:
        return self._journal.with_name(f"{self._journal.name}.campaign-{campaign}.{kind}")


class SingleCallLocks:
    """The locks of the single calls that this process places: a file for each, as long as it is.

    Many processes place one at once, each its own. Whoever finds the lock of a call free knows
    that nobody places it any more.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: dict[str, FileLock] = {}

    def take(self, key: str) -> None:
        """Take a call's lock, before anything is written of it; nobody else has it."""
        lock = _try_lock(self._journal, self._file(key))
        if lock is None:
            raise JournalError(f"journal {self._journal}: another process places single call {key}")
        self._held[key] = lock

    def let_go(self, key: str) -> None:
        """Release a call's lock, if it is ours."""
        lock = self._held.pop(key, None)
        if lock is not None:
            _remove(self._file(key), lock)

    def is_free(self, key: str) -> bool:
        """Whether nobody places a call any more."""
        file = self._file(key)
        if not file.exists():
            return True
        lock = _try_lock(self._journal, file)
        if lock is None:
            return False
        _remove(file, lock)
        return True

    def let_all_go(self) -> None:
        """Release every lock that is ours."""
        for key in list(self._held):
            self.let_go(key)

    def _file(self, key: str) -> Path:
        return self._journal.with_name(f"{self._journal.name}.call-{key}.lock")


def _try_lock(journal: Path, file: Path) -> FileLock | None:
    """Take a lock, if it is free."""
    # thread_local=False: it is taken in a thread and may be released in another.
    lock = FileLock(file, mode=0o600, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        raise JournalError(f"journal {journal}: it cannot be locked: {error.strerror}") from error
    return lock


def _remove(file: Path, lock: FileLock) -> None:
    # Removed while it is held: who opened it before finds it free, and looks at the journal.
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
    lock.release()
