"""Appending a list to a campaign: whoever is new in it is called, by the running dialer too."""

from contextlib import aclosing
from pathlib import Path

import attrs

from hamsa_async.dialer.acceptance import check_caller, check_contracts, check_usable
from hamsa_async.dialer.agents import AgentContracts
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contact_list import ContactList, Source
from hamsa_async.dialer.contract import Contract
from hamsa_async.dialer.events import DialerEvent
from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import CampaignRecord, StagedAppend
from hamsa_async.dialer.list_file import STDIN
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.errors import CampaignError, ContactListError


@attrs.frozen(kw_only=True)
class Appended:
    """A list that was appended to a campaign."""

    staged: StagedAppend
    """What it held: how many of its rows were new, and seen before."""
    event: DialerEvent
    """What was written down; `data` has the list's number and what was done."""
    columns: Columns | None
    """What its headers were taken for."""
    is_running: bool
    """Whether a process dials the campaign now: it takes the new contacts up, and does not end
    before it has."""
    contract: Contract | None = None
    """How it fits the campaign's agent; `None`: that was not read."""
    named: tuple[Contract, ...] = ()
    """How its rows that name another agent fit that one."""


async def append_list(
    journal: Journal,
    record: CampaignRecord,
    contacts: Source,
    *,
    contracts: AgentContracts | None,
    loopback: bool,
    country: str | None = None,
    max_invalid: float = 0.5,
    strict: bool = False,
) -> Appended:
    """Append a list to a campaign of a journal.

    Args:
        journal: The journal.
        record: The campaign.
        contacts: The list.
        contracts: Compares it with the agents; `None`: nobody does.
        loopback: Whether the campaign's server is on this machine.
        country: The country of numbers without their country code; by default the campaign's.
        max_invalid: The largest share of rows that may be no contacts.
        strict: Refuse a list that does not give the agents all that they ask for.

    Raises:
        ContactListError: The list cannot be read or used. Nothing was appended.
        CampaignError: The campaign has no list to append to, or no caller number.
        JournalError: It could not be written down; what was appended by then is there, and
            appending the list again adds the rest.

    Cancellation:
        At once; see `JournalError`.
    """
    if not record.loaded:
        raise CampaignError(
            f"campaign {record.name!r} has no list yet, or another process takes one over just"
            " now: run it with a list first"
        )
    if strict and contracts is None:
        raise ContactListError("the list was not compared with the agent, and --strict asks for it")
    seen: list[Columns] = []
    chunks = read_chunks(
        contacts,
        country=country or record.settings.get("country"),
        variables=() if contracts is None else contracts.variables,
        on_columns=seen.append,
    )
    async with journal.appending(record.id) as stage, aclosing(chunks):
        await stage.add([])
        async for rows in chunks:
            if contracts is not None:
                await contracts.add(rows)
            await stage.add(rows)
        staged = await stage.look()
        check_usable(staged, max_invalid)
        named = () if contracts is None else contracts.named()
        contract = None if contracts is None else contracts.result()
        if strict and contract is not None:
            check_contracts([contract, *named])
        check_caller(
            record.settings.get("from_number"),
            without=staged.without_from_number,
            loopback=loopback,
        )
        event = await stage.take_over(name_of(contacts))
    last = await journal.last_run(record.id)
    # A process that has ended its run may hold the claim for a while.
    is_running = last is not None and last.ended_at is None and await journal.is_claimed(record)
    return Appended(
        staged=staged,
        event=event,
        columns=seen[0] if seen else None,
        is_running=is_running,
        contract=contract,
        named=named,
    )


def name_of(contacts: Source) -> str | None:
    """The name of a list: its file's, where it is one."""
    source = contacts.source if isinstance(contacts, ContactList) else contacts
    if not isinstance(source, str | Path):
        return None
    return "standard input" if Path(source) == STDIN else Path(source).name
