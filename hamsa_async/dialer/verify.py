"""A campaign, proved after the fact: from the journal's book and the server's own list of calls.

Every call on the server has an intent or is named as somebody else's; every call of ours is on
the server; nobody was rung beyond the caps, gaps and hours, or before the last call had ended;
every attempt is where its events lead; every row is in one state; counts and costs add up, by day.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from hamsa_async._masking import mask_number
from hamsa_async._settling import read_number
from hamsa_async.dialer.api import ConversationsApi
from hamsa_async.dialer.book import Ways, beyond_rules
from hamsa_async.dialer.budget import Budget, CallsMade, cost_of, ended_cost
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.pseudonyms import is_pseudonym
from hamsa_async.dialer.journal.records import AttemptRow, CampaignRecord
from hamsa_async.dialer.machine import IN_DOUBT, AttemptState
from hamsa_async.dialer.rules import Rules
from hamsa_async.errors import NotFoundError
from hamsa_async.models import ConversationSummary

_WIDER: Final = timedelta(hours=1)  # the server's clock may be another
_ROWS: Final = 200
_NOTHING: Final = Decimal(0)
_AT_ONCE: Final = 20  # calls read side by side
_PLACED: Final = frozenset({AttemptState.PLACED, AttemptState.ENDED})
_RANG: Final = _PLACED | IN_DOUBT


@attrs.define(kw_only=True)
class Day:
    """What a day came to (UTC)."""

    attempts: int = 0
    calls: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    cost: Decimal = Decimal(0)
    """Of the calls whose cost is known."""


@attrs.frozen(kw_only=True)
class Verification:
    """What was found."""

    findings: Sequence[str]
    """What is not as it must be, a sentence each; empty: proved."""

    foreign: Sequence[str]
    """Calls to the campaign's numbers that this journal did not place, by id."""

    days: Mapping[str, Day]
    calls: int
    """Calls of the campaign that were found on the server."""

    def as_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "findings": list(self.findings),
            "foreign": list(self.foreign),
            "calls": self.calls,
            "days": {
                day: {**attrs.asdict(each), "cost": str(each.cost)}
                for day, each in self.days.items()
            },
        }


async def verify(
    journal: Journal, campaign: CampaignRecord, api: ConversationsApi, *, rows: int
) -> Verification:
    """Compare a campaign's book with the server's list. Only reads.

    Args:
        journal: The book.
        campaign: The campaign.
        api: Lists calls, and reads one.
        rows: How many rows the campaign's contacts are, by state, together.

    Raises:
        HamsaError: The list could not be read to its end, or a pack of the campaign's policy
            cannot be read. Nothing is proved.
    """
    rules = Rules.kept(campaign)
    findings = [f"the journal: {problem}" for problem in await journal.problems()]
    before = await journal.calls_made(campaign.id, costs=True)
    attempts = [attempt async for attempt in journal.attempts(campaign.id)]
    listed = [row.phone_number async for row in journal.rows(campaign.id)]
    if len(listed) != rows:
        findings.append(f"the states count {rows} rows, and there are {len(listed)}")
    numbers = frozenset(map(read_number, listed)) - {None}
    begun = min((attempt.intended_at for attempt in attempts), default=campaign.created_at)
    server = {
        row.id: row
        async for row in api.list(
            start_time=min(begun, campaign.created_at) - _WIDER, page_size=_ROWS
        )
    }
    ours = {attempt.call_id: attempt for attempt in attempts if attempt.call_id is not None}
    findings += _missing(ours, server)
    ways = await _ways(journal, campaign)
    findings += ways.findings(attempts)
    findings += _twice(attempts)
    foreign, strange = await _foreign(journal, attempts, server, numbers, api)
    findings += strange
    last_run = await journal.last_run(campaign.id)
    budget = Budget.from_json(None if last_run is None else last_run.budget)
    days = _days(attempts, budget)
    if await journal.calls_made(campaign.id, costs=True) == before:  # else it is being dialed
        findings += _costs(before, budget, days)
    placed = [attempt for attempt in attempts if attempt.attempt_id not in ways.taken_over]
    others = [server[call_id] for call_id in foreign]
    findings += await _beyond(journal, campaign, rules, placed, others)
    return Verification(
        findings=findings,
        foreign=foreign,
        days=days,
        calls=sum(call_id in server for call_id in ours),
    )


def _missing(
    ours: Mapping[str, AttemptRow], server: Mapping[str, ConversationSummary]
) -> list[str]:
    """Calls of ours that the server does not show, or shows with another number."""
    findings = []
    for call_id, attempt in ours.items():
        row = server.get(call_id)
        if row is None:
            findings.append(
                f"{attempt.place}: call {call_id} of attempt {attempt.attempt_id} is not in the"
                " server's list"
            )
            continue
        number = _number_of(row)
        dialed = read_number(attempt.phone_number)  # `None`: it was forgotten
        if number is not None and dialed is not None and number != dialed:
            findings.append(f"{attempt.place}: call {call_id} went to another number")
    return findings


def _twice(attempts: Sequence[AttemptRow]) -> list[str]:
    """Attempts that may have rung although the one before had not ended."""
    findings = []
    by_number: defaultdict[str, list[AttemptRow]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda each: each.intended_at):
        by_number[attempt.phone_number].append(attempt)
    for number, tries in by_number.items():
        rang = [each for each in tries if each.state in _RANG]
        for before, after in itertools.pairwise(rang):
            if before.ended_at is None or before.ended_at > after.intended_at:
                findings.append(
                    f"{after.place}: {mask_number(number)} was called by {after.attempt_id}"
                    f" before {before.attempt_id} had ended"
                )
    return findings


async def _ways(journal: Journal, campaign: CampaignRecord) -> Ways:
    """The ways of the campaign's attempts, by their events."""
    ways = Ways()
    async for event in journal.events(after=0):
        if event.campaign == campaign.name:
            ways.follow(event)
    return ways


async def _beyond(
    journal: Journal,
    campaign: CampaignRecord,
    rules: Rules,
    attempts: Sequence[AttemptRow],
    others: Sequence[ConversationSummary],
) -> list[str]:
    """Attempts that the rules did not allow, as far as they ask for the moments of calls."""
    foreign: defaultdict[str | None, list[datetime]] = defaultdict(list)
    for row in others:
        if row.created_at is not None:
            foreign[_number_of(row)].append(row.created_at)
    rang: defaultdict[tuple[int, int], list[AttemptRow]] = defaultdict(list)
    for attempt in attempts:
        if attempt.state in _RANG:
            rang[attempt.list_number, attempt.row].append(attempt)
    findings: list[str] = []
    async for called in journal.called(campaign.id):
        contact = called.contact
        if is_pseudonym(contact.phone_number):
            continue  # where they are, and so when it was there, is forgotten too
        calls = {*called.calls, *foreign.get(read_number(contact.phone_number), ())}
        if len(calls) > 1 or rules.policy.asks_for_place:  # else there is nothing to be too near
            tries = rang[contact.list_number, contact.row]
            findings += beyond_rules(rules, contact, tries, sorted(calls))
    return findings


async def _foreign(
    journal: Journal,
    attempts: Sequence[AttemptRow],
    server: Mapping[str, ConversationSummary],
    numbers: frozenset[str | None],
    api: ConversationsApi,
) -> tuple[list[str], list[str]]:
    """Calls that no attempt has, to the campaign's numbers or to none that can be read: whose?"""
    by_id = {attempt.attempt_id: attempt for attempt in attempts}
    ours = {attempt.call_id for attempt in attempts}
    slots = asyncio.Semaphore(_AT_ONCE)

    async def attempt_of(call_id: str) -> AttemptRow | None:
        async with slots:
            try:
                reference = (await api.get(call_id)).reference
            except NotFoundError:
                return None
        return by_id.get(reference or "")

    strange = [
        call_id
        for call_id, row in server.items()
        if call_id not in ours
        if (number := _number_of(row)) is None or number in numbers
        if await journal.owner_of(call_id) is None
    ]
    owners = await asyncio.gather(*map(attempt_of, strange))
    foreign, findings = [], []
    for call_id, attempt in zip(strange, owners, strict=True):
        if attempt is not None:
            findings.append(
                f"{attempt.place}: call {call_id} carries the reference of"
                f" {attempt.attempt_id}, which is {attempt.state}: that phone rang"
            )
        elif _number_of(server[call_id]) is not None:
            foreign.append(call_id)
    return foreign, findings


def _costs(made: CallsMade, budget: Budget, days: Mapping[str, Day]) -> list[str]:
    """Whether the days come to what the budget counts."""
    counted = ended_cost(made, budget)
    by_day = sum((day.cost for day in days.values()), _NOTHING)
    if counted == by_day:
        return []
    return [f"the days cost {by_day} together, and the calls {counted}"]


def _number_of(row: ConversationSummary) -> str | None:
    return read_number(row.call_params.user_number if row.call_params else None)


def _days(attempts: Sequence[AttemptRow], budget: Budget) -> dict[str, Day]:
    days: dict[str, Day] = {}
    for attempt in attempts:
        day = days.setdefault(_date(attempt.intended_at), Day())
        day.attempts += 1
        day.calls += attempt.state in _PLACED
        if attempt.outcome is not None:
            day.outcomes[attempt.outcome] += 1
        if attempt.state is AttemptState.ENDED:
            price = budget.price_per_minute
            cost = cost_of(attempt.outcome, attempt.cost, attempt.duration, price)
            day.cost += cost or _NOTHING
    return dict(sorted(days.items()))


def _date(moment: datetime) -> str:
    return moment.date().isoformat()
