"""`hamsa campaign explain`: every rule's verdict on a number, and when it may be called."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import read_moment
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal, read_name
from hamsa_async.cli.output import print_json, results, shown, visible
from hamsa_async.cli.typed_numbers import read_country, read_number
from hamsa_async.dialer import ContactState, SqliteJournal
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.journal.records import Candidate
from hamsa_async.dialer.policy import Finding, History, Judgement
from hamsa_async.dialer.rules import Rules
from hamsa_async.dialer.zones import Zones
from hamsa_async.errors import CampaignError

_TO_BE_CALLED: Final = frozenset({ContactState.PENDING, ContactState.DEFERRED, ContactState.RETRY})


async def explain_number(
    name: str,
    number: str,
    *,
    journal: Path | None,
    policy: tuple[str, ...],
    at: str | None,
    country: str | None,
    as_json: bool,
) -> Exit:
    """Say what each rule says of a number."""
    moment = read_moment(at, option="--at") or datetime.now(UTC)
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        record = await opened.campaign(read_name(name))
        if record is None:
            raise CampaignError(
                f"journal {opened.path} has no campaign {name!r}: hamsa campaign status lists them"
            )
        kept: Mapping[str, Any] = record.settings
        region = read_country(country) or kept.get("country")
        e164 = read_number(number, what="NUMBER", country=region)
        contact = await opened.contact(record.id, e164)
        history = await opened.history(e164)
        standing = await opened.standing_of(record.id, e164)
    rules = Rules.kept(record, policy)
    candidate = contact or Candidate(id=0, row=0, phone_number=e164)
    judgement, zones = rules.judge(candidate, history, moment)
    found = _Explanation(
        name=record.name,
        number=e164,
        at=moment,
        standing=standing,
        row=contact,
        zones=zones,
        history=history,
        findings=rules.findings(candidate, history, moment),
        judgement=judgement,
    )
    if as_json:
        print_json(found.as_json())
    else:
        console = results()
        for line in found.lines():
            console.print(line)
    return Exit.DONE


@attrs.frozen(kw_only=True)
class _Explanation:
    name: str
    number: str
    at: datetime
    standing: tuple[str, str | None] | None
    row: Candidate | None
    zones: Zones
    history: History
    findings: tuple[Finding, ...]
    judgement: Judgement

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{mask_number(self.number)} in campaign {visible(self.name)}: {self._standing()}"
        source = f" ({self.zones.source})" if self.zones.names else ""
        yield f"judged at {self._when(self.at)}; zone: {self.zones}{source}"
        yield from self._row()
        yield f"calls known: {len(self.history.calls)}" + (
            f", the last at {self._when(self.history.calls[-1])}" if self.history.calls else ""
        )
        for finding in self.findings:
            refusal = finding.refusal
            mark = "yes" if refusal is None else "no "
            text = "" if refusal is None else f": {refusal.rule}. {refusal.detail}"
            yield f"  {mark} {finding.pack}: {finding.rule}{text}"
        yield self._verdict()
        if self.standing is not None and self.standing[0] not in _TO_BE_CALLED:
            yield f"the campaign does not call it while it is {self._standing()}"

    def _row(self) -> Iterator[str]:
        """What its row says that no rule does."""
        row = self.row
        if row is None:
            return
        if row.rank:
            yield f"priority: {-row.rank}"
        if row.consent_source is not None:
            yield f"consent noted in: {shown(row.consent_source)}"

    def _standing(self) -> str:
        if self.standing is None:
            return "not in its list"
        state, reason = self.standing
        return f"{state} ({reason})" if reason else state

    def _verdict(self) -> str:
        if self.judgement.allowed:
            return "no rule is against a call now"
        if self.judgement.next_at is not None:
            return f"may be called at {self._when(self.judgement.next_at)}"
        barrier = self.judgement.barrier
        assert barrier is not None
        return f"no time frees it: {barrier.rule}. {barrier.detail}"

    def _when(self, moment: datetime) -> str:
        zone = clock_of(self.zones.names[0]) if self.zones.names else UTC
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        following = self.judgement.next_at
        return {
            "campaign": self.name,
            "phone_number": self.number,
            "state": None if self.standing is None else self.standing[0],
            "reason": None if self.standing is None else self.standing[1],
            "at": self.at.isoformat(),
            "priority": None if self.row is None else -self.row.rank or None,
            "consent_source": None if self.row is None else self.row.consent_source,
            "zones": list(self.zones.names),
            "zone_source": self.zones.source,
            "calls": [call.isoformat() for call in self.history.calls],
            "rules": [finding.as_json() for finding in self.findings],
            "allowed": self.judgement.allowed,
            "next_at": None if following is None else following.astimezone(UTC).isoformat(),
        }
