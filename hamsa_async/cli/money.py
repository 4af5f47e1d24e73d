"""What calls can cost at the most, for people: by the arithmetic of a run's own budget."""

from datetime import timedelta

from hamsa_async.cli.output import counted
from hamsa_async.dialer.budget import Budget


def ceiling(calls: int, budget: Budget, longest: timedelta) -> str:
    """What so many calls cost if each lasts as long as it can."""
    each = budget.most(longest)
    seconds = f"{longest.total_seconds():g}"
    return (
        f"{calls * each}: {counted(calls, 'call')} of {seconds} s at the longest, {each} each;"
        " calls that are tried again come on top"
    )
