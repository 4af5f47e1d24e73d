"""What a run that is about to begin will come to: the plan of what the journal holds."""

from datetime import UTC, datetime
from typing import Final

from hamsa_async.dialer import Loaded, Row
from hamsa_async.dialer.journal import Journal
from hamsa_async.dialer.journal.records import Candidate
from hamsa_async.dialer.plan import Pacing, PlanSummary, plan, summarise
from hamsa_async.dialer.policy import History

MOST: Final = 20_000
"""Contacts that are planned before the question; for more of them there is `campaign plan`."""

_PAGE: Final = 1_000


async def look_ahead(journal: Journal, loaded: Loaded) -> PlanSummary | None:
    """Plan those who are to be called and wait for no time; `None`: there are too many of them."""
    candidates = await _pending(journal, loaded.record.id)
    if candidates is None:
        return None
    histories = {
        each.phone_number: await journal.history(each.phone_number)
        for each in candidates
        if each.suspect
    }
    campaign = loaded.campaign
    pacing = Pacing(
        rate=campaign.rate,
        live_calls=campaign.live_calls,
        canary=loaded.beginning.canary,
        ramp=loaded.beginning.climbs,
    )
    now = datetime.now(UTC)
    planned = plan(
        [_row(place, each) for place, each in enumerate(candidates, start=1)],
        campaign.read_policy(),
        at=now,
        pacing=pacing,
        caller_of=campaign.caller_of,
        history_of=lambda number: histories.get(number, History()),
    )
    return summarise(planned, at=now, pacing=pacing)


async def _pending(journal: Journal, campaign: int) -> list[Candidate] | None:
    found: list[Candidate] = []
    after = 0
    while page := await journal.pending(campaign, after=after, limit=_PAGE):
        found += page
        if len(found) > MOST:
            return None
        after = page[-1].id
    return found


def _row(place: int, candidate: Candidate) -> Row:
    return Row(
        row=place,
        phone_number=candidate.phone_number,
        from_number=candidate.from_number,
        expires_at=candidate.expires_at,
        timezone=candidate.timezone,
        consent=candidate.consent,
        consent_at=candidate.consent_at,
        priority=-candidate.rank or None,
    )
