"""The minimal list: which calls a query is about, page by page."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
from aiohttp import web

from hamsa_async.testing.call_shapes import row
from hamsa_async.testing.lifecycle import FINAL, LIVE, Call, Calls, later
from hamsa_async.testing.messages import refuse
from hamsa_async.testing.settings import Settings

_LAST_MS: Final = 999_999_999_999_999
_LAST_PAGE: Final = 1_000_000


@attrs.frozen(kw_only=True)
class Query:
    """What of the calls is asked for."""

    agent_id: str | None
    statuses: frozenset[str]
    start_ms: int | None
    end_ms: int | None
    page: int
    per_page: int

    @classmethod
    def read(cls, request: web.BaseRequest) -> "Query":
        """Read the query of a request; refuses what the contract does not allow."""
        query = request.query
        statuses = frozenset(query.getall("status", []))
        strangers = sorted(statuses.difference(LIVE, FINAL))
        if strangers:
            raise refuse(400, f"there is no status {strangers[0]}")
        start = _whole(query, "startTime", 0, _LAST_MS)
        end = _whole(query, "endTime", 0, _LAST_MS)
        if start is not None and end is not None and end < start:
            raise refuse(400, "endTime must not be before startTime")
        return cls(
            agent_id=query.get("voiceAgentId"),
            statuses=statuses,
            start_ms=start,
            end_ms=end,
            page=_whole(query, "page", 1, _LAST_PAGE) or 1,
            per_page=_whole(query, "perPage", 1, 200) or 100,
        )

    def answer(self, calls: Calls, now: datetime, fake: Settings) -> dict[str, Any]:
        """The page of the list that was asked for."""
        # Newest first: the order in which rows move between pages while one turns them.
        within = reversed(calls.between(self.start_ms, self.end_ms))
        found = [call for call in within if _appears(call, fake) <= now and self._lets(call, now)]
        return {
            "total": len(calls.placed),
            "filtered": len(found),
            "calls": [
                row(call, now, with_number=call.ring.phone_number not in fake.null_numbers)
                for call in self._cut(found)
            ],
        }

    def _lets(self, call: Call, now: datetime) -> bool:
        return self.agent_id in (None, call.ring.voice_agent_id) and (
            not self.statuses or call.status(now) in self.statuses
        )

    def _cut(self, calls: Sequence[Call]) -> Sequence[Call]:
        first = (self.page - 1) * self.per_page
        return calls[first : first + self.per_page]


def _appears(call: Call, fake: Settings) -> datetime:
    lag = fake.list_lag
    seconds = lag if isinstance(lag, int | float) else lag.get(call.ring.phone_number, 0.0)
    return later(call.ring.at, seconds)


def _whole(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    # Too many digits are refused before int() has to read them.
    if not re.fullmatch(r"[0-9]{1,15}", text) or not least <= int(text) <= most:
        raise refuse(400, f"{name} must be a whole number from {least} to {most}")
    return int(text)
