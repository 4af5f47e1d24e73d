"""A limit on how many calls may be started a second."""

from datetime import datetime

import attrs


@attrs.define(kw_only=True, eq=False)
class Bucket:
    """A token bucket over the server's time: `rate` starts a second, in bursts of as many."""

    rate: float
    _level: float = 0.0
    _at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Take a token; `False` where there is none."""
        burst = max(self.rate, 1.0)
        passed = (now - self._at).total_seconds() if self._at else burst / self.rate
        self._level, self._at = min(burst, self._level + passed * self.rate), now
        if self._level < 1:
            return False
        self._level -= 1
        return True
