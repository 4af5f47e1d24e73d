"""What a campaign has spent, by the journal's own count."""

from datetime import datetime

from hamsa_async.dialer.budget import Budget, Spending, Spent
from hamsa_async.dialer.journal.protocol import Journal


async def recount(spending: Spending, journal: Journal, campaign: int, now: datetime) -> None:
    """Count what a campaign has spent anew; nobody of it may be in hand.

    Raises:
        JournalError: It could not be read.
    """
    day = spending.budget.day_of(now)
    made = await journal.calls_made(
        campaign,
        since=None if day is None else day[0],
        costs=spending.budget.price_per_minute is not None,
    )
    spending.recount(made, now)


async def spent_by(journal: Journal, campaign: int, budget: Budget, now: datetime) -> Spent:
    """What a campaign has spent of a budget by now, also while it is dialed.

    Raises:
        JournalError: It could not be read.
    """
    spending = Spending(budget)
    await recount(spending, journal, campaign, now)
    return spending.spent(now)
