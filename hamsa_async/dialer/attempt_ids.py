"""The ids of attempts, which are their calls' references too."""

import itertools
import secrets
import time


class AttemptIds:
    """Makes attempts' ids: unique, and in the order of time, so that they file cheaply."""

    def __init__(self) -> None:
        # Asked of the system once: no two runs share it, and within one the count goes on.
        self._run = secrets.token_hex(8)
        self._count = itertools.count(1)

    def next(self) -> str:
        """Make one."""
        return f"att_{time.time_ns() // 1_000_000:012x}{self._run}{next(self._count):08x}"
