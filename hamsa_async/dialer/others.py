"""Calls that others placed: read from the project's listing before anybody is dialed.

Another journal, a colleague, the dashboard, or this very campaign before an older copy of its
journal was restored: all of them ring the same people. What the journal does not know counts for
the open-attempt rule and the minimum gap like calls of its own.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from hamsa_async._settling import read_number
from hamsa_async.dialer.api import ConversationsApi
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.others import LIVE
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import SeenCall
from hamsa_async.dialer.machine import LASTS
from hamsa_async.errors import CampaignError, DialerError, HamsaError
from hamsa_async.models import ConversationSummary, Page

LOOK_BACK: Final = timedelta(days=7)
"""How far back a journal looks that never did, at the least: further where a cap counts longer."""

OVERLAP: Final = timedelta(hours=1)
"""How much of what was looked at before is looked at again: the list may have been late."""

_ROWS: Final = 200
_ABOUT: Final = timedelta(days=1)


async def look_for_others(
    journal: Journal,
    campaign: int,
    agent_id: str,
    api: ConversationsApi,
    *,
    longest: timedelta,
    made_at: datetime,
    tell: Callable[[DialerEvent], None],
    clock: Callable[[], datetime],
) -> None:
    """Note the calls of the project that the journal does not know.

    Args:
        journal: Where they are noted.
        campaign: The campaign that is about to dial.
        agent_id: Its agent.
        api: Lists calls.
        longest: How far back a call can count for the rules in force.
        made_at: When the campaign was written down: what was noted since counts, however old.
        tell: Called with every event, after it is durable.
        clock: What time it is (aware).

    Raises:
        CampaignError: The list could not be read to its end.
    """
    began = clock()
    seen_from, seen_to = await journal.looked()
    needed = began - max(LOOK_BACK, longest)
    start = needed if seen_to is None or seen_from is None else seen_to - OVERLAP
    if seen_from is not None and seen_from > needed + _ABOUT:
        start = needed  # a rule that counts longer than those of the last looks
    try:
        await _note(journal, campaign, agent_id, api, start, tell=tell, clock=clock)
    except DialerError:
        raise
    except HamsaError as error:
        raise CampaignError(
            f"the project's calls could not be listed, so it is not known whom others have"
            f" called: {error}; run again, or dial without that with --no-sweep"
        ) from error
    await journal.note_looked(min(seen_from or start, start), began)
    # What was seen before was seen for others, whose contacts these are not.
    noted = await journal.noted_calls(campaign, agent_id, min(needed, made_at))
    for at in range(0, len(noted), _ROWS):
        for event in await journal.note_calls(campaign, agent_id, noted[at : at + _ROWS]):
            tell(event)


async def _note(
    journal: Journal,
    campaign: int,
    agent_id: str,
    api: ConversationsApi,
    start: datetime,
    *,
    tell: Callable[[DialerEvent], None],
    clock: Callable[[], datetime],
) -> None:
    number, seen = 1, set[str]()
    while True:
        page = await api.list(start_time=start, page_size=_ROWS).page(number)
        ahead = timedelta(0) if page.at is None else page.at - clock()
        fresh = [row for row in page if row.id not in seen]
        seen.update(row.id for row in fresh)
        calls = [call for row in fresh if (call := _seen(row, ahead)) is not None]
        if calls:
            for event in await journal.note_calls(campaign, agent_id, calls):
                tell(event)
        if not fresh or _is_last(page, len(seen)):
            return
        number += 1


def _is_last(page: Page[ConversationSummary], received: int) -> bool:
    # Rows may be fewer than asked for before the last page, too.
    return len(page) < _ROWS and (page.filtered or 0) <= received


def _seen(row: ConversationSummary, ahead: timedelta) -> SeenCall | None:
    """A row as the journal notes it; `None` for one without a number or a time."""
    digits = read_number(row.call_params.user_number if row.call_params is not None else None)
    if digits is None or row.created_at is None:
        return None
    placed_at = row.created_at - ahead
    return SeenCall(
        call_id=row.id,
        phone_number=f"+{digits}",
        agent_id=row.voice_agent_id,
        listed_at=row.created_at,
        placed_at=placed_at,
        ends_by=placed_at + LASTS,
        status=str(row.status).lower() if row.has_ended else LIVE,
        duration=row.duration,
    )
