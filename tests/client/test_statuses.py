"""Each row of the retry table over real sockets: how often the server was asked, and the error."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hamsa_async import (
    APIError,
    AuthenticationError,
    Certainty,
    ConfigurationError,
    ConflictError,
    HamsaClient,
    HamsaError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseSchemaError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from hamsa_async.testing import FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]

REFUSALS = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
}
IN_DOUBT = [405, 406, 408, 409, 410, 418, 425, 451, 500, 501, 502, 503, 504, *range(520, 528), 530]


async def failing(fake: FakeHamsa, connect: Connect, place: Place, **options: Any) -> HamsaError:
    client = await connect(fake, **options)
    with pytest.raises(HamsaError) as caught:
        await place(client, reference="ref-1")
    assert caught.value.reference == "ref-1"
    return caught.value


@pytest.mark.parametrize("body", ["json", "html", "empty"])
@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_is_raised_after_one_post(
    status: int, body: str, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """A status that proves that no call was made does so whatever its body is."""
    fake.faults.next(f"status_{status}", count=9, body=body)
    error = await failing(fake, connect, place)
    assert type(error) is REFUSALS[status]
    assert (error.certainty, error.status) == (Certainty.REFUSED, status)
    assert (fake.ledger.posts, error.attempts) == (1, 1)
    assert (error.message_key is not None) == (body == "json")


@pytest.mark.parametrize("status", IN_DOUBT)
async def test_a_status_that_proves_nothing_leaves_the_outcome_unknown_after_one_post(
    status: int, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """No answer but the named ones is taken as leave to ring again."""
    fake.faults.next(f"status_{status}", count=9)
    error = await failing(fake, connect, place)
    assert type(error) is OutcomeUnknownError
    assert (error.certainty, error.status) == (Certainty.UNKNOWN, status)
    assert (fake.ledger.posts, error.attempts) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("html_502", 502),
        ("drop_before", None),
        ("drop_after", None),
        ("reset_before", None),
        ("reset_after", None),
        ("cut", None),
        ("not_http", None),
        ("empty", 200),
        ("junk", 200),
        ("no_id", 200),
        ("success_false", 200),
        ("hang", None),
    ],
)
async def test_a_lost_or_unreadable_answer_leaves_the_outcome_unknown_after_one_post(  # noqa: PLR0917 - fixtures
    fault: str,
    status: int | None,
    fake: FakeHamsa,
    connect: Connect,
    place: Place,
    impatient: Timeouts,
) -> None:
    """Dropped, reset, cut, timed out, not HTTP, no id: one POST, and doubt."""
    fake.faults.next(fault, count=9)
    error = await failing(fake, connect, place, timeouts=impatient)
    assert type(error) is OutcomeUnknownError
    assert (error.certainty, error.status) == (Certainty.UNKNOWN, status)
    assert (fake.ledger.posts, error.attempts) == (1, 1)


@pytest.mark.parametrize(
    ("status", "certainty"),
    [
        (301, Certainty.REFUSED),
        (302, Certainty.UNKNOWN),
        (303, Certainty.UNKNOWN),
        (307, Certainty.REFUSED),
        (308, Certainty.REFUSED),
    ],
)
async def test_a_redirect_is_raised_as_configuration_and_never_followed(
    status: int, certainty: Certainty, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """A POST is not sent elsewhere because a server says so."""
    fake.faults.next("redirect", count=9, status=status)
    error = await failing(fake, connect, place)
    assert type(error) is ConfigurationError
    assert (error.certainty, error.status) == (certainty, status)
    assert ("looked for the call" in str(error)) == (certainty is Certainty.UNKNOWN)
    assert fake.ledger.posts == 1
    assert not fake.ledger.rings


@pytest.mark.parametrize(
    "told",
    [
        {"retry_after": "0"},
        {"retry_after": "0.02"},
        {"retry_after_date": 0},
        {"retry_after_date": -3600},
        {"retry_after": "NaN"},
        {"retry_after": "-5"},
        {"retry_after": "soon"},
        {"retry_after": None},
    ],
    ids=str,
)
async def test_after_a_429_the_call_is_placed_when_the_gate_opens(
    told: dict[str, Any], fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Whatever form `Retry-After` has, the second POST rings, and there is no third."""
    fake.faults.next("rate_limited", **told)
    call = await place(await connect(fake))
    assert [ring.call_id for ring in fake.ledger.rings] == [call.id]
    assert fake.ledger.posts == 2


async def test_a_429_burns_no_attempt(fake: FakeHamsa, connect: Connect, place: Place) -> None:
    """Many more 429s than attempts, and the call is placed all the same."""
    fake.faults.next("rate_limited", count=8, retry_after="0")
    await place(await connect(fake, retry=RetryPolicy(attempts=1)))
    assert fake.ledger.posts == 9
    assert len(fake.ledger.rings) == 1


@pytest.mark.parametrize("told", [{"retry_after": "1e9"}, {"retry_after_date": 86400}], ids=str)
async def test_a_pause_longer_than_the_deadline_fails_now_and_says_when(
    told: dict[str, Any], fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """`retry_at` is what the server asked for; nothing is sent or waited for meanwhile."""
    fake.faults.next("rate_limited", **told)
    error = await failing(fake, connect, place)
    assert type(error) is RateLimitedError
    assert (error.certainty, error.status) == (Certainty.REFUSED, 429)
    assert error.retry_at is not None
    assert (error.retry_at - datetime.now(UTC)).total_seconds() > 80_000
    assert fake.ledger.posts == 1


async def test_calls_behind_such_a_pause_fail_now_too_and_are_not_sent(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Nobody hangs at a gate that opens in an hour: they hear when, and nothing was sent."""
    fake.faults.next("rate_limited", retry_after="3600")
    client = await connect(fake, concurrency_limit=1)
    with pytest.raises(RateLimitedError):
        await place(client)
    with pytest.raises(HamsaError) as caught:
        await place(client, reference="behind")
    assert caught.value.certainty is Certainty.NOT_SENT
    assert caught.value.reference == "behind"
    assert caught.value.retry_at is not None
    assert fake.ledger.posts == 1


async def test_where_429_is_not_trusted_the_outcome_is_unknown(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """`dial_on_429=False`: one POST, and doubt that says when to come back."""
    fake.faults.next("rate_limited", count=9)
    error = await failing(fake, connect, place, retry=RetryPolicy(dial_on_429=False))
    assert type(error) is OutcomeUnknownError
    assert (error.status, fake.ledger.posts) == (429, 1)
    assert error.retry_at is not None


async def test_an_id_in_an_answer_that_proves_nothing_is_kept(
    connect: Connect, place: Place, raw_server: Any, say: Callable[..., bytes]
) -> None:
    """A 500 that carries the call's id says it on the error and on the event."""
    server = await raw_server()
    server.answer = say(500, b'{"data":{"id":"call-7"}}')
    with pytest.raises(OutcomeUnknownError) as caught:
        await place(await connect(server))
    assert caught.value.call_id == "call-7"
    assert server.posts == 1


READS_AGAIN = [408, 425, 500, 501, 502, 503, 504, 524, 530]


@pytest.mark.parametrize("status", READS_AGAIN)
async def test_a_read_is_tried_again_where_the_server_failed(
    status: int, fake: FakeHamsa, connect: Connect
) -> None:
    """Two failures, then the answer; three failures, then the error."""
    client = await connect(fake)
    fake.faults.next(f"status_{status}", count=2, on="read")
    assert (await client.projects.current()).id == fake.project_id
    assert fake.requests["GET /v1/projects/by-api-key"] == 3
    fake.faults.next(f"status_{status}", count=3, on="read")
    with pytest.raises(ServerError) as caught:
        await client.projects.current()
    assert (caught.value.status, caught.value.attempts) == (status, 3)
    assert fake.requests["GET /v1/projects/by-api-key"] == 6


@pytest.mark.parametrize("fault", ["drop_before", "reset_before", "cut", "not_http", "hang"])
async def test_a_read_is_tried_again_where_the_answer_was_lost(
    fault: str, fake: FakeHamsa, connect: Connect, impatient: Timeouts
) -> None:
    """A lost answer to a read costs one more request, and nothing else."""
    client = await connect(fake, timeouts=impatient)
    fake.faults.next(fault, on="read", **({} if fault != "hang" else {"rings": False}))
    assert (await client.projects.current()).id == fake.project_id


@pytest.mark.parametrize(
    ("status", "kind"),
    [*REFUSALS.items(), (405, APIError), (409, ConflictError), (418, APIError)],
)
async def test_a_read_is_not_tried_again_where_the_api_said_no(
    status: int, kind: type[APIError], fake: FakeHamsa, connect: Connect
) -> None:
    """The API's no is raised after one GET."""
    fake.faults.next(f"status_{status}", count=9, on="read")
    with pytest.raises(kind) as caught:
        await (await connect(fake)).projects.current()
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert fake.requests["GET /v1/projects/by-api-key"] == 1


@pytest.mark.parametrize("fault", ["junk", "empty"])
async def test_a_read_that_is_not_the_documented_shape_says_where(
    fault: str, fake: FakeHamsa, connect: Connect
) -> None:
    """`ResponseSchemaError` names the JSON path, after one GET."""
    fake.faults.next(fault, on="read")
    with pytest.raises(ResponseSchemaError) as caught:
        await (await connect(fake)).projects.current()
    assert caught.value.problems == ("not JSON @ $",)
    assert fake.requests["GET /v1/projects/by-api-key"] == 1


async def test_a_read_waits_as_long_as_a_503_asks_for_or_fails_now(
    fake: FakeHamsa, connect: Connect
) -> None:
    """A `Retry-After` beyond the deadline ends the read at once, with `retry_at`."""
    fake.faults.next("status_503", on="read", retry_after="86400")
    with pytest.raises(ServerError) as caught:
        await (await connect(fake)).projects.current()
    assert caught.value.retry_at is not None
    assert fake.requests["GET /v1/projects/by-api-key"] == 1


async def test_reads_that_keep_failing_are_bounded_by_the_budget(
    fake: FakeHamsa, connect: Connect
) -> None:
    """A failing server sees 1.1 requests a call, after the first few."""
    client = await connect(fake)
    fake.faults.at_rate("status_503", 1.0, on="read")
    for _ in range(60):
        with pytest.raises(ServerError):
            await client.projects.current()
    assert fake.requests["GET /v1/projects/by-api-key"] <= 60 + 10 + 6


async def test_once_the_budget_is_spent_a_dead_server_sees_a_tenth_more_and_no_more(
    fake: FakeHamsa, connect: Connect
) -> None:
    """Reads of several kinds, one after the other and together: 1.1 requests a read."""
    client = await connect(fake)
    fake.faults.at_rate("status_503", 1.0, on="read")
    kinds = (
        client.projects.current,
        lambda: client.jobs.get("any"),
        lambda: client.voice_agents.get("any"),
        lambda: client.campaigns.list().page(1),
    )
    fake.agents = None

    async def spend(reads: int) -> int:
        fake.requests.clear()
        some = [kinds[n % len(kinds)] for n in range(reads)]
        ends = [*await asyncio.gather(*(ask() for ask in some), return_exceptions=True)]
        assert all(isinstance(end, HamsaError) for end in ends)
        return sum(fake.requests.values())

    assert 40 < await spend(40) <= 40 * 1.1 + 10
    assert await spend(200) <= 200 * 1.1
    fake.requests.clear()
    for _ in range(100):
        with pytest.raises(ServerError):
            await client.projects.current()
    assert sum(fake.requests.values()) <= 100 * 1.1


async def test_attempt_posts_once_at_the_most(fake: FakeHamsa, connect: Connect) -> None:
    """What `call` would try again, `attempt` raises: its caller has a journal to keep."""
    from hamsa_async import CallRequest
    from hamsa_async.testing import FAKE_AGENT_ID

    intents: list[int] = []

    async def intend() -> None:
        intents.append(fake.ledger.posts)

    client = await connect(fake)
    request = CallRequest(to_number="+971500000123", voice_agent_id=FAKE_AGENT_ID)
    fake.faults.next("rate_limited", retry_after="0")
    with pytest.raises(RateLimitedError):
        await client.voice_agents.attempt(request, before_send=intend)
    await client.voice_agents.attempt(request, before_send=intend)
    assert intents == [0, 1]
    assert fake.ledger.posts == 2
