"""Every public name of the dialer, used once as its users would. Checked by mypy, never run."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

from hamsa_async import HamsaClient
from hamsa_async.dialer import (
    HAMSA_DEFAULT,
    Appended,
    AttemptState,
    Campaign,
    Contact,
    ContactList,
    ContactState,
    Dialer,
    DialerEvent,
    Ending,
    EventKind,
    Finish,
    Journal,
    Loaded,
    Naming,
    ReportRow,
    Row,
    Run,
    SqliteJournal,
)


async def dial(path: Path, people: AsyncIterator[Contact]) -> Finish | None:
    campaign = Campaign(
        name="eid", voice_agent_id="agent", from_number=HAMSA_DEFAULT, rate=None, concurrency=50
    )
    async with HamsaClient() as hamsa, Dialer(hamsa, journal="eid.db") as dialer:
        loaded = await dialer.load(campaign, path, accept_changes=True, max_invalid=0.9)
        assert_type(loaded, Loaded)
        assert_type(loaded.counts, Mapping[ContactState, int])
        run = dialer.run(campaign, people, wait=False)
        assert_type(run, Run)
        async for event in run:
            assert_type(event, DialerEvent)
            if event.kind is EventKind.LOST:
                run.stop("too much doubt")
        appended = await dialer.append("eid", path, country="AE", strict=True)
        assert_type(appended, Appended)
        assert_type(appended.staged.seen, int)
        await run.aclose()
        async for event in dialer.events(after=41):
            assert_type(event.number, int)
        if run.finish is not None and run.finish.ending is Ending.NOTHING_NOW:
            assert_type(run.finish.next_at, datetime | None)
        return run.finish


async def read(journal: Journal) -> AttemptState:
    record = await journal.campaign("eid")
    assert record is not None
    async for row in journal.rows(record.id):
        assert_type(row, ReportRow)
    return AttemptState.UNKNOWN


async def keep(path: Path) -> None:
    async with (
        await SqliteJournal.open(path, create=False) as journal,
        HamsaClient() as hamsa,
        Dialer(hamsa, journal=journal, probe_every=timedelta(seconds=5)) as dialer,
    ):
        as_protocol: Journal = journal
        await as_protocol.back_up(path.with_suffix(".bak"))
        assert_type(dialer.journal, Journal)


BY_HAND = Contact(
    phone_number="+971500000101",
    contact_id="C-1",
    name="سارة",
    params={"day": "Thursday"},
    not_before=datetime(2026, 11, 1, tzinfo=UTC),
)


async def listed(people: list[Mapping[str, str]], bad: list[Row]) -> ContactList:
    naming = Naming(named={"Handy": "phone_number"}, ignored=["notes"])
    campaign = Campaign(name="eid", voice_agent_id="agent", from_number=["+97145000000"])
    assert_type(campaign.caller_of("+971501234567"), str | None)
    assert_type(ContactList(people), ContactList)
    return ContactList(
        Path("a.xlsx"), naming=naming, sheet="1", header_row=2, on_invalid=bad.append
    )
