"""Contacts that are appended to a campaign while it is dialed: each rings once, none is lost."""

import asyncio
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async.dialer import Ending, EventKind, SqliteJournal
from hamsa_async.dialer.journal import staging
from hamsa_async.dialer.machine import Asked
from hamsa_async.errors import CampaignError, ContactListError

HERE = Path(__file__).parent
HUNG = 60.0


def rings(world: Any) -> list[str]:
    return [ring.phone_number for ring in world.fake.ledger.rings]


async def append(world: Any, contacts: Any, **options: Any) -> Any:
    """Append as another process does: without the claim, over a journal of its own."""
    async with world.dialer() as dialer:
        return await dialer.append("eid", contacts, **options)


async def test_a_running_dialer_takes_up_what_is_appended(world: Any) -> None:
    """New contacts are called in the same run; those seen before are not called again."""
    world.calls_end()
    world.fake.latency = (0.1, 0.1)  # three calls last longer than the append
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=1), world.rows(3))
        events = []
        async for event in run:
            events.append(event)
            if event.kind is EventKind.PLACED and event.row == 1 and len(events) < 9:
                appended = await append(world, world.rows(4, start=1))
                assert (appended.staged.new, appended.staged.seen) == (2, 2)
                assert appended.is_running
    assert run.finish.ending is Ending.DONE
    assert sorted(rings(world)) == [world.number(place) for place in range(5)]
    (grew,) = [event for event in events if event.kind is EventKind.LIST_GREW]
    assert grew.data == {"new": 2}
    ended = [(event.list_number, event.row) for event in events if event.kind is EventKind.ENDED]
    assert sorted(ended) == [(1, 1), (1, 2), (1, 3), (2, 3), (2, 4)]
    await world.judge(5)


async def test_a_run_that_waits_wakes_up(world: Any) -> None:
    """It waits for tomorrow, and does not let those who may be called now wait as well."""
    world.calls_end()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        rows = world.rows(1, not_before=tomorrow.isoformat())
        run = dialer.run(world.campaign(), rows)
        async for event in run:
            if event.kind is EventKind.WAITING and not rings(world):
                await append(world, world.rows(2, start=1))
            if event.kind is EventKind.ENDED:
                run.stop()
    assert set(rings(world)) <= {world.number(1), world.number(2)}
    assert rings(world)


class AtTheEnd:
    """A journal to which somebody appends when its run finds that nobody is left."""

    def __init__(self, world: Any, journal: SqliteJournal, moment: str) -> None:
        self._world = world
        self._journal = journal
        self._moment = moment
        self._done = False

    async def next_due(self, campaign: int, **options: Any) -> Any:
        found = await self._journal.next_due(campaign, **options)
        if "before" not in options:
            await self._append("next_due")
        return found

    async def end_run(self, *values: Any, **options: Any) -> Any:
        await self._append("end_run")
        return await self._journal.end_run(*values, **options)

    async def _append(self, moment: str) -> None:
        if moment == self._moment and not self._done:
            self._done = True
            found = await append(self._world, self._world.rows(2, start=50))
            assert found.is_running

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("moment", ["next_due", "end_run"])
async def test_a_run_that_is_about_to_end_goes_on(world: Any, moment: str, wait: bool) -> None:
    """What comes while it makes sure that nothing is left is dialed by it, to the last moment."""
    world.calls_end()
    async with (
        asyncio.timeout(HUNG),
        await SqliteJournal.open(world.path) as journal,
        world.dialer(journal=AtTheEnd(world, journal, moment)) as dialer,
    ):
        run = dialer.run(world.campaign(), world.rows(1), wait=wait)
        grew = [event async for event in run if event.kind is EventKind.LIST_GREW]
    assert len(rings(world)) == 3
    assert [event.data for event in grew] == [{"new": 2}]
    if wait:
        assert run.finish.ending is Ending.DONE
    (ends,) = world.ask("SELECT count(*) FROM events WHERE kind = 'run_ended'")
    assert ends == (1,)


async def test_urgent_contacts_go_before_those_that_were_read(world: Any) -> None:
    """A priority counts at once, not when two hundred others were called."""
    world.fake.latency = (0.005, 0.005)
    async with asyncio.timeout(HUNG), world.dialer() as dialer:
        run = dialer.run(world.campaign(concurrency=1), world.rows(150), wait=False)
        place = None
        async for event in run:
            if event.kind is EventKind.PLACED and place is None:
                await append(world, world.rows(1, start=999, priority=100))
                place = 0
            if event.kind is EventKind.LIST_GREW:
                place = len(rings(world))
    assert place is not None
    assert rings(world).index(world.number(999)) <= place + 2
    assert len(rings(world)) == 151


async def test_what_cannot_be_appended(world: Any) -> None:
    """No campaign, no list to append to, no numbers: nothing is changed."""
    with pytest.raises(CampaignError, match="no campaign 'eid'"):
        await append(world, world.rows(1))
    async with world.dialer() as dialer:
        with pytest.raises(ContactListError):
            await dialer.load(world.campaign(), [{"phone": "x"}])
        with pytest.raises(CampaignError, match="has no list yet"):
            await dialer.append("eid", world.rows(1))
        await dialer.load(world.campaign(), world.rows(1))
        with pytest.raises(ContactListError, match="1 of 1 rows are no contacts"):
            await dialer.append("eid", [{"phone": "x"}])
        with pytest.raises(ContactListError, match="no contacts: there is nothing"):
            await dialer.append("eid", [])
    assert world.state_counts() == {"pending": 1}


async def test_a_resumed_campaign_keeps_what_was_appended(world: Any) -> None:
    """The original list again needs no --accept-changes, and withdraws nobody."""
    world.calls_end()
    await world.run(world.rows(2))
    await append(world, world.rows(2, start=1))
    run, _ = await world.run(world.rows(2), wait=True)
    assert run.finish.ending is Ending.DONE
    assert rings(world).count(world.number(2)) == 1
    await world.judge(3)


async def processes(*arguments: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.slow)])
async def test_an_append_that_is_killed_beside_a_dialer(world: Any, kills: int) -> None:
    """SIGKILL in the middle, again and again, then once more: everybody rings once at the most."""
    count = (kills + 2) * staging.CHUNK
    world.fake.latency = (0.5, 0.5)  # the dialer has enough to do until all is appended
    append = (HERE / "appending_process.py", world.fake.base_url, world.path, "eid", 200, count)
    dial = (HERE / "dialing_process.py", world.fake.base_url, world.path, "eid", 0, 300, 8)
    started = [dialing := await processes(*dial)]
    try:
        async with asyncio.timeout(HUNG):
            while not rings(world):
                await asyncio.sleep(0.002)
            for kill in range(kills):
                started.append(appending := await processes(*append))
                enough = 300 + kill * staging.CHUNK + random.randrange(1, staging.CHUNK // 2)
                while _rows(world) < enough and appending.returncode is None:
                    await asyncio.sleep(0.001)
                assert appending.returncode is None
                appending.kill()
                await appending.wait()
            started.append(last := await processes(*append))
            out, err = await last.communicate()
            assert last.returncode == 0, err.decode()
            done = json.loads(out)
            assert done["new"] + done["seen"] == count
            assert done["new"] <= count - staging.CHUNK
            assert _rows(world) == 200 + count
            world.fake.latency = (0.0, 0.0)
            while len(rings(world)) < 310 and dialing.returncode is None:
                await asyncio.sleep(0.002)
            async with await SqliteJournal.open(world.path) as journal:
                await journal.ask((await journal.campaign("eid")).id, Asked.STOP)
            _, err = await dialing.communicate()
            assert dialing.returncode == 0, err.decode()
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.communicate()
    assert any(number >= world.number(300) for number in rings(world))
    await world.judge(200 + count)


def _rows(world: Any) -> int:
    return int(world.ask("SELECT count(*) FROM contacts")[0][0])
