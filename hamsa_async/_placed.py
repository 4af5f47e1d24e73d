"""What a client remembers of the calls that it placed: a little, and for `settle` only."""

from collections import deque
from datetime import UTC, datetime
from typing import Final

from hamsa_async._settling import Doubt

_MOST: Final = 4096


class PlacedCalls:
    """The ids that a client got, the latest `most` of them.

    What is forgotten makes `settle` more careful, never less: a forgotten call to the same
    number is one more candidate, a forgotten later call one control less.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._answered: deque[tuple[str, float]] = deque(maxlen=most)
        self._found: dict[str, Doubt] = {}
        self._most = most

    def answered(self, call_id: str, asked_at: float) -> None:
        """Note a call that was placed.

        Args:
            call_id: Its id.
            asked_at: A moment before which it was not begun, in POSIX seconds.
        """
        self._answered.append((call_id, asked_at))

    def found(self, call_id: str, doubt: Doubt) -> None:
        """Note that a call was found to be the one of an attempt."""
        while len(self._found) >= self._most:
            del self._found[next(iter(self._found))]
        self._found[call_id] = doubt

    def bound(self, doubt: Doubt) -> set[str]:
        """Give the ids of calls that belong to other attempts than this one."""
        others = {call_id for call_id, whose in self._found.items() if whose != doubt}
        return others.union(call_id for call_id, _ in self._answered)

    def moments(self) -> dict[str, datetime]:
        """Give the ids of the calls that were placed, with the moments noted of them."""
        return {call_id: datetime.fromtimestamp(at, UTC) for call_id, at in self._answered}
