"""Taking a campaign's list and settings over, when they were read and compared with the journal."""

from contextlib import aclosing
from typing import Final

import attrs

from hamsa_async.dialer.acceptance import check_caller, check_contracts, check_usable
from hamsa_async.dialer.agents import AgentContracts
from hamsa_async.dialer.appending import name_of
from hamsa_async.dialer.campaign import Campaign
from hamsa_async.dialer.changes import (
    check_accepted,
    list_changes,
    other_rules,
    setting_changes,
)
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contact_list import Source
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import CampaignRecord, StagedList
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.errors import CampaignError

_LOOKED_AT: Final = 200  # contacts whose params are compared with the agent, on resuming


@attrs.frozen(kw_only=True)
class Taken:
    """What was taken over.

    Attributes:
        changes: What was accepted as another than before, in words.
        columns: What the list's headers were taken for, where a list was read.
        event: What was written down of the list, where anything in it was new.
    """

    changes: tuple[str, ...] = ()
    columns: Columns | None = None
    event: DialerEvent | None = None


@attrs.frozen(kw_only=True)
class Loading:
    """How a campaign is loaded.

    Attributes:
        journal: Where it is kept; the caller holds the campaign's claim.
        campaign: Its settings.
        contracts: Compares its list with the agents.
        loopback: Whether its server is on this machine.
        accept_changes: Whether a list or settings may be others than before.
        max_invalid: The largest share of rows that may be no contacts.
        strict: Whether the list must give the agents all that they ask for.
    """

    journal: Journal
    campaign: Campaign
    contracts: AgentContracts
    loopback: bool
    accept_changes: bool
    max_invalid: float
    strict: bool

    async def take(self, record: CampaignRecord, contacts: Source | None) -> Taken:
        """Take over the settings, and the list, where one is given.

        Args:
            record: The campaign as the journal has it.
            contacts: The list; `None`: the one that the journal has.

        Raises:
            ContactListError: The list cannot be read or used. Nothing was taken over.
            CampaignError: The list or the settings differ, or something is missing. Likewise.
            JournalError: It could not be written down.
        """
        now = self.campaign.settings()
        changes = setting_changes(record.settings, now) if record.loaded else []
        if contacts is None:
            await self._resume(record)
            await self._accept(record, changes)
            await self.journal.change_settings(record.id, now)
            return Taken(changes=tuple(changes))
        try:
            columns, staged = await self._stage(record, contacts)
            self._check(staged)
            if record.loaded:
                changes += list_changes(staged.difference)
            await self._accept(record, changes)
            if record.loaded and not staged.difference:
                await self.journal.change_settings(record.id, now)
                return Taken(changes=tuple(changes), columns=columns)
            event = await self.journal.take_over(record.id, now, name=name_of(contacts))
            return Taken(changes=tuple(changes), columns=columns, event=event)
        finally:
            await self.journal.unstage(record.id)

    async def _resume(self, record: CampaignRecord) -> None:
        """Look at the list that the journal has."""
        if not record.loaded:
            raise CampaignError(
                f"the list of campaign {record.name!r} was not taken over (it was refused, or"
                " not read to its end): run it with a list again"
            )
        self._check_caller(await self.journal.without_from_number(record.id))
        some = await self.journal.pending(record.id, after=0, limit=_LOOKED_AT)
        await self.contracts.add_params((each.row, each.agent_id, each.params) for each in some)

    async def _stage(
        self, record: CampaignRecord, contacts: Source
    ) -> tuple[Columns | None, StagedList]:
        """Read a list to its end, beside the campaign."""
        seen: list[Columns] = []
        chunks = read_chunks(
            contacts,
            country=self.campaign.country,
            variables=self.contracts.variables,
            on_columns=seen.append,
        )
        await self.journal.stage(record.id, [], first=True)
        async with aclosing(chunks):
            async for rows in chunks:
                await self.contracts.add(rows)
                await self.journal.stage(record.id, rows, first=False)
        return (seen[0] if seen else None), await self.journal.staged(record.id)

    def _check(self, staged: StagedList) -> None:
        check_usable(staged, self.max_invalid)
        if self.strict:
            check_contracts([self.contracts.result(), *self.contracts.named()])
        self._check_caller(staged.without_from_number)

    def _check_caller(self, without: int) -> None:
        check_caller(self.campaign.from_number, without=without, loopback=self.loopback)

    async def _accept(self, record: CampaignRecord, changes: list[str]) -> None:
        """Let other rules judge anew whom the old ones held, if the changes were accepted.

        Before the settings are changed: after a crash in between, the next run sees the change
        still, and does it again.
        """
        check_accepted(record.name, changes, accept_changes=self.accept_changes)
        if other_rules(changes):
            await self.journal.judge_again(record.id)
