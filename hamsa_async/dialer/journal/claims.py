"""One dialer per campaign: a lock that the system lets go of when its holder dies."""

from pathlib import Path

from filelock import FileLock, Timeout

from hamsa_async.errors import JournalError


class CampaignLocks:
    """The locks of one journal's campaigns that this process holds: files beside the journal."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: dict[int, FileLock] = {}

    def take(self, campaign: int) -> bool:
        """Take a campaign's lock; `False` when another process, or we, have it already."""
        if campaign in self._held:
            return False
        lock = FileLock(
            self._journal.with_name(f"{self._journal.name}.campaign-{campaign}.lock"), mode=0o600
        )
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            msg = f"journal {self._journal}: its campaign cannot be locked: {error.strerror}"
            raise JournalError(msg) from error
        self._held[campaign] = lock
        return True

    def let_go(self, campaign: int) -> None:
        """Release a campaign's lock, if it is ours."""
        lock = self._held.pop(campaign, None)
        if lock is not None:
            lock.release()

    def is_taken(self, campaign: int) -> bool:
        """Whether anybody holds a campaign's lock now."""
        if not self.take(campaign):
            return True
        self.let_go(campaign)
        return False

    def let_all_go(self) -> None:
        """Release every lock that is ours."""
        for campaign in list(self._held):
            self.let_go(campaign)
