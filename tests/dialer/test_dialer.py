"""The dialer from end to end, as a developer uses it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import HamsaClient
from hamsa_async.dialer import (
    HAMSA_DEFAULT,
    Campaign,
    Contact,
    ContactState,
    Ending,
    EventKind,
    SqliteJournal,
)
from hamsa_async.errors import (
    AuthenticationError,
    CampaignError,
    CampaignRunningError,
    ConfigurationError,
    ContactListError,
    JournalError,
    NotFoundError,
)
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY


async def test_everybody_is_called_once(world: Any) -> None:
    """A campaign over a list places one call for each contact, and adds up."""
    run, events = await world.run(world.rows(50), concurrency=8)
    assert run.finish.ending is Ending.NOTHING_NOW
    assert run.counts == {ContactState.PLACED: 50}
    assert len(world.fake.ledger.rings) == 50
    assert events[-1].kind is EventKind.RUN_ENDED
    await world.judge(50)


async def test_concurrency_bounds_what_is_in_flight(world: Any) -> None:
    """No more requests are at the API's door at once than the campaign says."""
    world.fake.latency = (0.005, 0.01)
    await world.run(world.rows(40), concurrency=3)
    assert world.fake.max_in_flight == 3


async def test_the_intent_is_on_disk_before_the_request_is_at_the_server(world: Any) -> None:
    """At each POST the journal has its attempt as intended, for everybody who looks."""
    found = []

    def look(body: dict[str, Any]) -> None:
        reference = body["params"]["_hamsa_reference"]
        found.append(
            world.ask(
                "SELECT a.state, c.state, a.phone_number FROM attempts AS a"
                " JOIN contacts AS c ON c.id = a.contact WHERE a.id = ?",
                reference,
            )
            == [("intended", "dialing", body["toNumber"])]
        )

    world.fake.on_post = look
    await world.run(world.rows(30))
    assert found == [True] * 30


async def test_what_the_agent_is_told(world: Any) -> None:
    """A row's own params, agent and caller number win over the campaign's."""
    bodies: list[dict[str, Any]] = []
    world.fake.on_post = bodies.append
    world.fake.agents["other"] = {}
    rows = [
        {"phone_number": world.number(1), "name": "سارة", "city": "Dubai"},
        {
            "phone_number": world.number(2),
            "city": "Riyadh",
            "agent_id": "other",
            "from_number": "+97142000000",
        },
    ]
    await world.run(rows, params={"city": "?", "offer": "eid"}, from_number="+97143000000")
    first, second = sorted(bodies, key=lambda body: body["toNumber"])
    reference = first["params"].pop("_hamsa_reference")
    assert first == {
        "toNumber": world.number(1),
        "fromNumber": "+97143000000",
        "voiceAgentId": FAKE_AGENT_ID,
        "params": {"name": "سارة", "city": "Dubai", "offer": "eid"},
    }
    assert second["voiceAgentId"] == "other"
    assert second["fromNumber"] == "+97142000000"
    assert world.ask("SELECT phone_number FROM attempts WHERE id = ?", reference) == [
        (world.number(1),)
    ]


async def test_a_list_of_contacts_and_of_bad_rows(world: Any) -> None:
    """Whoever is not called has a state and a reason; the counts add up to the rows."""
    rows = [
        Contact(phone_number=world.number(1)),
        Contact(phone_number=world.number(2), dnc=True),
        Contact(phone_number="not a number"),
        Contact(phone_number=world.number(1)),
        Contact(phone_number=world.number(3), not_after=datetime(2020, 1, 1, tzinfo=UTC)),
    ]
    run, events = await world.run(rows)
    assert run.counts == {
        ContactState.PLACED: 1,
        ContactState.SKIPPED: 2,
        ContactState.EXPIRED: 1,
        ContactState.INVALID: 1,
    }
    async with world.dialer() as dialer:
        report = [row async for row in dialer.journal.rows(run.loaded.record.id)]
    assert [(row.row, row.state, row.reason, row.attempts) for row in report] == [
        (1, "placed", None, 1),
        (2, "skipped", "dnc", 0),
        (3, "invalid", "not_a_number", 0),
        (4, "skipped", "duplicate_in_file", 0),
        (5, "expired", "expired", 0),
    ]
    assert [event.row for event in events if event.kind is EventKind.EXPIRED] == [5]
    await world.judge(5)


async def test_running_a_name_again_dials_nobody_twice(world: Any) -> None:
    """A campaign that is done stays done, with its list given again or not."""
    await world.run(world.rows(10))
    run, _ = await world.run()
    assert run.finish.ending is Ending.NOTHING_NOW
    await world.run(world.rows(10))
    assert len(world.fake.ledger.rings) == 10
    await world.judge(10)


async def test_events_are_numbered_and_none_is_missed(world: Any) -> None:
    """The run's stream is the journal's, and `after` goes on where one stopped."""
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), world.rows(25), wait=False)
        told = [event async for event in run]
        journal = [event async for event in dialer.events()]
        assert told == journal
        assert [event.number for event in told] == sorted({event.number for event in told})
        last = told[20].number
        assert [event async for event in dialer.events(after=last)] == told[21:]


async def test_a_result_is_durable_before_it_is_told(world: Any) -> None:
    """Whoever hears of a placed call finds it in the journal at once."""
    async with world.dialer() as dialer:
        async for event in dialer.run(world.campaign(), world.rows(10), wait=False):
            if event.kind is EventKind.PLACED:
                assert world.ask("SELECT state FROM attempts WHERE id = ?", event.attempt_id) == [
                    ("placed",)
                ]


async def test_rate_spaces_the_starts(world: Any) -> None:
    """With a rate the POSTs come one after the other, however many workers there are."""
    await world.run(world.rows(6), rate=50.0, concurrency=6)
    moments = [post.at for post in world.fake.ledger.post_log]
    assert moments[-1] - moments[0] >= timedelta(seconds=5 / 50 - 0.02)


async def test_an_unknown_agent_dials_nobody(world: Any) -> None:
    """A missing agent is found before anything is written or dialed."""
    with pytest.raises(NotFoundError, match="there is no agent 'nobody'"):
        await world.run(world.rows(3), voice_agent_id="nobody")
    assert world.fake.ledger.posts == 0
    assert world.ask("SELECT * FROM campaigns") == []


async def test_a_wrong_key_makes_no_journal(world: Any) -> None:
    """The key is checked before the journal is touched."""
    async with HamsaClient("wrong", base_url=world.fake.base_url) as client:
        with pytest.raises(AuthenticationError):
            await world.run(world.rows(3), client=client)
    assert not world.path.exists()


async def test_a_list_of_nothing_but_bad_numbers(world: Any) -> None:
    """A list of which most cannot be used is bad input; `max_invalid` allows it."""
    rows = [{"phone_number": "junk"}] * 3 + world.rows(1)
    with pytest.raises(ContactListError, match="3 of 4 rows are no contacts"):
        await world.run(rows)
    assert world.ask("SELECT * FROM contacts") == []
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(), rows, max_invalid=0.8)
    assert loaded.counts == {ContactState.PENDING: 1, ContactState.INVALID: 3}


async def test_an_empty_list(world: Any, tmp_path: Path) -> None:
    """A list without contacts is bad input, from memory and from a file."""
    with pytest.raises(ContactListError, match="no contacts"):
        await world.run([])
    (tmp_path / "list.csv").write_text("phone_number\n")
    with pytest.raises(ContactListError, match="no contacts"):
        await world.run(tmp_path / "list.csv")


async def test_a_bad_list_takes_nothing_and_can_be_corrected(world: Any, tmp_path: Path) -> None:
    """After a list that broke off another one is taken, with other settings, unasked."""
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"phone_number\n0501234567\n\xff\xff\n")
    with pytest.raises(ContactListError, match="text"):
        await world.run(bad)
    assert world.ask("SELECT * FROM contacts") == []
    good = tmp_path / "good.csv"
    good.write_text("phone_number\n0501234567\n")
    run, _ = await world.run(good, country="AE")
    assert run.counts == {ContactState.PLACED: 1}


async def test_a_resumed_name_must_be_known(world: Any) -> None:
    """Without a list there must be a campaign to resume."""
    with pytest.raises(CampaignError, match="has no campaign 'eid'"):
        await world.run()


async def test_settings_that_differ_must_be_accepted(world: Any) -> None:
    """Another caller number stops the run, says so with masked numbers, and can be accepted."""
    await world.run(world.rows(2), from_number="+97143000000")
    with pytest.raises(CampaignError, match=r"from_number is '\+9714\*+11', was '\+9714\*+00'"):
        await world.run(from_number="+97143000011")
    async with world.dialer() as dialer:
        loaded = await dialer.load(world.campaign(from_number="+97143000011"), accept_changes=True)
    assert loaded.record.settings["from_number"] == "+97143000011"
    assert len(loaded.accepted) == 1


async def test_rate_and_concurrency_may_change_from_run_to_run(world: Any) -> None:
    """They are dials of a run, not settings of the campaign."""
    await world.run(world.rows(2), rate=100.0, concurrency=1)
    run, _ = await world.run(rate=None, concurrency=7)
    assert run.finish.ending is Ending.NOTHING_NOW


async def test_a_list_that_differs_must_be_accepted(world: Any) -> None:
    """New, gone and changed rows are said and taken over only when accepted."""
    async with world.dialer() as dialer:
        await dialer.load(world.campaign(), world.rows(4, city="Dubai"))
    rows = [
        *world.rows(2, city="Dubai"),
        *world.rows(1, start=2, city="Ajman"),
        *world.rows(1, start=9),
    ]
    with pytest.raises(CampaignError, match="1 row new; 1 row gone; 1 row changed"):
        await world.run(rows)
    assert world.fake.ledger.posts == 0
    async with world.dialer() as dialer:
        run = dialer.run(world.campaign(), rows, accept_changes=True, wait=False)
        async for _ in run:
            pass
    assert run.loaded.accepted == ("1 row new", "1 row gone", "1 row changed")
    assert run.counts == {ContactState.PLACED: 4, ContactState.SKIPPED: 1}
    assert not world.fake.ledger.rings_of(world.number(3))
    await world.judge(5)


async def test_a_caller_number_is_needed_where_phones_ring(world: Any) -> None:
    """Away from loopback a campaign names its caller, for each row that does not."""

    class Elsewhere:
        """The client, as if its server were another machine."""

        class config:  # noqa: N801
            base_url = world.hamsa.config.base_url
            is_loopback = False
            grace_period = 1.0

        voice_agents = world.hamsa.voice_agents
        projects = world.hamsa.projects
        conversations = world.hamsa.conversations

    with pytest.raises(CampaignError, match="no caller number"):
        await world.run(world.rows(2), client=Elsewhere)
    own = world.rows(2, from_number="+97142000000")
    async with world.dialer(Elsewhere) as dialer:
        await dialer.load(world.campaign("own"), own)
        await dialer.load(world.campaign("default", from_number=HAMSA_DEFAULT), world.rows(2))
        # Taking the number away on resuming does not get round it.
        with pytest.raises(CampaignError, match="no caller number"):
            await dialer.load(world.campaign("default"), accept_changes=True)


async def test_a_default_caller_number_is_left_to_the_api(world: Any) -> None:
    """`HAMSA_DEFAULT` sends no caller number."""
    bodies: list[dict[str, Any]] = []
    world.fake.on_post = bodies.append
    await world.run(world.rows(1), from_number=HAMSA_DEFAULT)
    assert "fromNumber" not in bodies[0]


async def test_bad_caller_numbers_in_rows(world: Any) -> None:
    """A row whose caller number is none is no contact; a local one is read with the country."""
    bodies: list[dict[str, Any]] = []
    world.fake.on_post = bodies.append
    rows = [
        {"phone_number": world.number(1), "from_number": "04 200 0000"},
        {"phone_number": world.number(2), "from_number": "the office"},
        {"phone_number": world.number(3), "from_number": "hamsa-default"},
    ]
    run, _ = await world.run(rows, country="AE", concurrency=1)
    assert [body.get("fromNumber") for body in bodies] == ["+97142000000", None]
    assert world.ask("SELECT row, reason FROM contacts WHERE state = 'invalid'") == [
        (2, "bad_from_number")
    ]
    assert run.counts[ContactState.PLACED] == 2


async def test_another_dialer_of_the_same_campaign_is_kept_out(world: Any) -> None:
    """One campaign has one dialer; others may run beside it on the same journal."""
    async with world.dialer() as first:
        await first.load(world.campaign(), world.rows(3))
        with pytest.raises(CampaignRunningError, match="eid"):
            await world.run(world.rows(3))
        await world.run(world.rows(3, start=50), name="other")
    run, _ = await world.run()
    assert run.finish.ending is Ending.NOTHING_NOW
    await world.judge(6)


async def test_a_failed_load_lets_go_of_the_campaign(world: Any) -> None:
    """Whoever could not load a campaign does not keep others from it."""
    await world.run(world.rows(3))
    async with world.dialer() as first:
        await first.load(world.campaign("lost"), world.rows(3))
        with pytest.raises(CampaignError, match="2 rows gone"):
            await first.load(world.campaign("lost"), world.rows(1))
        with pytest.raises(CampaignError):
            await first.load(world.campaign(), world.rows(9))
        run, _ = await world.run()
        assert run.finish.ending is Ending.NOTHING_NOW


async def test_one_dialer_runs_a_campaign_once_at_a_time(world: Any) -> None:
    """A second run of a campaign in the same dialer is refused while the first goes on."""
    async with world.dialer() as dialer:
        first = dialer.run(world.campaign(), world.rows(30), wait=False)
        await anext(first)
        with pytest.raises(CampaignRunningError, match="this process already"):
            await anext(dialer.run(world.campaign(), wait=False))
        with pytest.raises(CampaignRunningError, match="this process already"):
            await dialer.load(world.campaign())
        async for _ in first:
            pass
        again = dialer.run(world.campaign(), wait=False)
        async for _ in again:
            pass
        assert again.finish.ending is Ending.NOTHING_NOW
    await world.judge(30)


async def test_campaigns_of_one_dialer_side_by_side(world: Any) -> None:
    """Two campaigns that load and run at once keep their lists apart."""
    import asyncio

    async def read(run: Any) -> Any:
        async for _ in run:
            pass
        return run

    async with world.dialer() as dialer:
        one, two = await asyncio.gather(
            read(dialer.run(world.campaign("one"), world.rows(700), wait=False)),
            read(dialer.run(world.campaign("two"), world.rows(700, start=700), wait=False)),
        )
    assert one.counts == two.counts == {ContactState.PLACED: 700}
    await world.judge(1400)


async def test_a_journal_of_another_project_is_refused(world: Any) -> None:
    """A journal belongs to the project and server that used it first."""
    await world.run(world.rows(2))
    world.fake.project_id = "another"
    with pytest.raises(JournalError, match=r"it belongs to project .*, not to project another"):
        await world.run(world.rows(2))
    async with await SqliteJournal.open(world.path) as journal:
        assert (await journal.identity()).base_url == world.fake.base_url
    assert world.fake.ledger.posts == 2


async def test_a_journal_that_was_given_is_not_closed(world: Any, journal: Any) -> None:
    """A journal of the caller's is used, and stays open."""
    async with world.dialer(journal=journal) as dialer:
        async for _ in dialer.run(world.campaign(), world.rows(2), wait=False):
            pass
    assert [record.name for record in await journal.campaigns()] == ["eid"]
    assert not await journal.is_claimed((await journal.campaigns())[0])


async def test_a_dialer_that_was_not_entered(world: Any) -> None:
    """Using a dialer outside its block says so."""
    with pytest.raises(ConfigurationError, match="enter the dialer first"):
        await world.dialer().load(world.campaign(), world.rows(1))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"name": " "}, "name"),
        ({"voice_agent_id": ""}, "voice_agent_id"),
        ({"policy": "strict"}, "there is no policy 'strict'"),
        ({"from_number": "042000000"}, "from_number"),
        ({"rate": 0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"concurrency": 0}, "concurrency"),
        ({"params": {"_hamsa_reference": "x"}}, "reserved"),
        ({"params": {"when": datetime(2026, 1, 1, tzinfo=UTC)}}, "JSON"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], what: str) -> None:
    """A setting that cannot work is found when the campaign is made."""
    with pytest.raises(ConfigurationError, match=what):
        Campaign(**{"name": "eid", "voice_agent_id": "a", **settings})


async def test_a_key_that_is_renewed_meanwhile(
    world: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """A 401 with another key in the key file by then costs no contact."""
    file = tmp_path / "key"
    file.write_text(FAKE_API_KEY)
    monkeypatch.setenv("HAMSA_API_KEY_FILE", str(file))
    async with HamsaClient(base_url=world.fake.base_url) as client, world.dialer(client) as dialer:
        run = dialer.run(world.campaign(concurrency=2), world.rows(8), wait=False)
        async for event in run:
            if event.kind is EventKind.PLACED and event.row == 2:
                world.fake.api_keys = ("second",)
                file.write_text("second")
    assert run.finish.ending is Ending.NOTHING_NOW
    await world.judge(8)
