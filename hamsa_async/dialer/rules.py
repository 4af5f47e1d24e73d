"""A campaign's rules as the journal asks them: of a contact, in the intent's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from hamsa_async.dialer.campaign import Campaign
from hamsa_async.dialer.journal.records import CampaignRecord, Candidate
from hamsa_async.dialer.journal.ruling import Ruling
from hamsa_async.dialer.persons import person_of
from hamsa_async.dialer.policy import NOTHING_KNOWN, Finding, History, Judgement, Person, Policy
from hamsa_async.dialer.zones import Zones, ZoneSource
from hamsa_async.errors import ConfigurationError

LOOK_AGAIN: Final = timedelta(minutes=5)
"""When to look again at what no time frees, but somebody may: an old register, say."""

_NOWHERE: Final = Zones(names=(), source=ZoneSource.NONE)


@attrs.frozen
class Rules:
    """A campaign's rules.

    Attributes:
        campaign: Whose.
        policy: Its packs.
    """

    campaign: Campaign
    policy: Policy

    @classmethod
    def of(cls, campaign: Campaign) -> "Rules":
        """The rules of a campaign.

        Raises:
            ConfigurationError: A pack cannot be read, or the caller number is none that it
                allows: everybody would be refused.
        """
        rules = cls(campaign, campaign.read_policy())
        for pack in rules.policy.packs:
            strange = [
                caller
                for caller in campaign.callers
                if pack.caller_prefixes and not caller.startswith(pack.caller_prefixes)
            ]
            if strange:
                raise ConfigurationError(
                    f"policy {pack.name}: the caller number (--from) must start with"
                    f" {' or '.join(pack.caller_prefixes)}"
                )
        return rules

    @classmethod
    def kept(cls, record: CampaignRecord, policies: Sequence[str] = ()) -> "Rules":
        """The rules of a campaign as the journal has it.

        Args:
            record: The campaign.
            policies: The packs to judge by instead of its own.

        Raises:
            ConfigurationError: A pack cannot be read.
        """
        settings = record.settings
        campaign = Campaign(
            name="kept",  # a name judges nothing, and that of single calls is not to be given
            voice_agent_id=settings["voice_agent_id"],
            from_number=settings.get("from_number"),
            policy=tuple(policies) or settings.get("policy", "none"),
        )
        return cls(campaign, campaign.read_policy())

    def may_hold(self, candidate: Candidate, now: datetime) -> bool:
        """Whether a rule holds a contact already for what the list and the clock say."""
        return not self.ruling(candidate, NOTHING_KNOWN, now).allowed

    def ruling(self, candidate: Candidate, history: History, now: datetime) -> Ruling:
        """Judge a contact."""
        judgement, zones = self.judge(candidate, history, now)
        zone = " ".join(zones.names) or None
        source = zones.source.value if zones.names else None
        refusal = judgement.reason
        if refusal is None:
            return Ruling(allowed=True, zone=zone, zone_source=source)
        barrier, due_at = judgement.barrier, judgement.next_at
        if barrier is not None:
            if barrier.rule == "expired":
                due_at = candidate.expires_at
            elif barrier.final:
                refusal = barrier
            else:
                due_at = now + LOOK_AGAIN
        return Ruling(
            allowed=False,
            reason=refusal.rule,
            detail=refusal.detail,
            due_at=due_at,
            zone=zone,
            zone_source=source,
        )

    def judge(
        self, candidate: Candidate, history: History, now: datetime
    ) -> tuple[Judgement, Zones]:
        """What each rule says of a contact."""
        person, zones = self._person(candidate)
        return self.policy.judge(person, history, now), zones

    def findings(
        self, candidate: Candidate, history: History, now: datetime
    ) -> tuple[Finding, ...]:
        """What every rule says of a contact, one by one."""
        person, _ = self._person(candidate)
        return tuple(self.policy.findings(person, history, now))

    def _person(self, candidate: Candidate) -> tuple[Person, Zones]:
        number, expires_at = candidate.phone_number, candidate.expires_at
        if not self.policy.asks_for_place:
            # It is not looked up for every call where no rule asks.
            return Person(phone_number=number, expires_at=expires_at), _NOWHERE
        return person_of(
            number,
            timezone=candidate.timezone,
            from_number=candidate.from_number or self.campaign.caller_of(number),
            consent=candidate.consent,
            consent_at=candidate.consent_at,
            expires_at=expires_at,
        )
