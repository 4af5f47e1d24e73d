"""What a campaign's calls came to, for its budget, as functions of a connection that reads."""

import sqlite3
from datetime import datetime, timedelta
from typing import Final

from hamsa_async.dialer.budget import CallsMade, EndedCalls
from hamsa_async.dialer.journal.sql import quoted
from hamsa_async.dialer.journal.times import to_millis
from hamsa_async.dialer.machine import MAY_HAVE_RUNG, AttemptState

_MADE: Final = f"a.campaign = ? AND a.state IN ({quoted(MAY_HAVE_RUNG)})"
_COUNT: Final = f"SELECT count(*), total(a.intended_at >= ?) FROM attempts AS a WHERE {_MADE}"
# A campaign has one dialer, so an attempt is of the run that had begun last. A row's own agent
# may let a call last as long as the API does.
_LONGEST: Final = (
    "CASE WHEN (SELECT agent_id FROM contacts AS c WHERE c.id = a.contact) IS NULL THEN"
    " (SELECT r.longest FROM runs AS r WHERE r.campaign = a.campaign"
    " AND r.began_at <= a.intended_at ORDER BY r.id DESC LIMIT 1) END"
)
_COSTS: Final = (
    f"SELECT CASE WHEN a.state <> '{AttemptState.ENDED}' THEN a.id END, a.outcome, k.cost,"
    f" k.duration, CASE WHEN coalesce(k.cost, k.duration) IS NULL THEN {_LONGEST} END,"
    " count(*), total(a.intended_at >= ?)"
    f" FROM attempts AS a LEFT JOIN calls AS k ON k.id = a.call_id WHERE {_MADE}"
    " GROUP BY 1, 2, 3, 4, 5"
)


def calls_made(
    connection: sqlite3.Connection, campaign: int, since: datetime | None, *, costs: bool
) -> CallsMade:
    """The campaign's attempts that may have rung, with what is known of their costs or without."""
    values = (None if since is None else to_millis(since), campaign)
    if not costs:
        calls, begun = connection.execute(_COUNT, values).fetchone()
        return CallsMade(calls=calls, since=int(begun))
    found = connection.execute(_COSTS, values).fetchall()
    return CallsMade(
        calls=sum(row[-2] for row in found),
        since=int(sum(row[-1] for row in found)),
        ended=[
            EndedCalls(
                calls=calls,
                outcome=outcome,
                cost=cost,
                duration=duration,
                longest=_span(longest),
            )
            for attempt_id, outcome, cost, duration, longest, calls, _ in found
            if attempt_id is None
        ],
        open={row[0]: _span(row[4]) for row in found if row[0] is not None},
    )


def _span(millis: int | None) -> timedelta | None:
    return None if millis is None else timedelta(milliseconds=millis)
