"""Spans of time, as the figures and exports take them."""

from datetime import datetime
from typing import Any

from hamsa_async._requests import epoch_ms
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.conversations import Period


def span(
    period: Period | str | None,
    start: datetime | None,
    end: datetime | None,
    time_difference: float | None,
) -> dict[str, Any]:
    """Turn a span into a query.

    Raises:
        ConfigurationError: Only one end of it is given, it ends before it begins, ends are
            given together with a named span, or `CUSTOM` without them.
    """
    first, last = epoch_ms(start, "start_period"), epoch_ms(end, "end_period")
    if (first is None) != (last is None):
        raise ConfigurationError("give both start_period and end_period, or neither")
    if first is not None and last is not None and last < first:
        raise ConfigurationError("end_period must not be before start_period")
    if first is None and period == Period.CUSTOM:
        raise ConfigurationError("the period CUSTOM needs start_period and end_period")
    if first is not None and period not in {None, Period.CUSTOM}:
        raise ConfigurationError("start_period and end_period go with the period CUSTOM only")
    return {
        "period": period if first is None else Period.CUSTOM,
        "startPeriod": None if first is None else str(first),
        "endPeriod": None if last is None else str(last),
        "timeDifference": None if time_difference is None else f"{time_difference:g}",
    }
