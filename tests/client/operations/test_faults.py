"""Every fault that a server can commit, on every operation, at the first and at a later try.

The fake counts the requests of each route and keeps what was carried out: it is the judge. A
server-side campaign that is created twice rings a whole list twice, so no write is left out.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp.abc import AbstractResolver
from asking import EVERY, Asked, furnish

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
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseSchemaError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from hamsa_async._operations import ADD_NUMBER, CALL, CREATE_CAMPAIGN, PROJECT, Operation
from hamsa_async.testing import FakeHamsa

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
ATTEMPTS = 3
NOW: dict[str, Any] = {"retry_after": "0"}


def named(part: Any) -> str:
    return getattr(part, "name", "")


@attrs.frozen
class Expected:
    """What the table says of one fault: the end, and how many requests the server sees.

    `error` is `None` where the operation ends well.
    """

    error: type[HamsaError] | None
    certainty: Certainty | None
    status: int | None
    requests: int = 1


def of_status(status: int, *, writes: bool) -> Expected:
    """The table, once more and in other words than the code's."""
    if status < 200 and status != 101:  # to HTTP it is no answer, and then the connection ends
        return lost(writes=writes)
    if 200 <= status < 300:  # with a body that is none
        return misshapen(status, writes=writes)
    if status in REFUSALS:
        return Expected(REFUSALS[status], Certainty.REFUSED if writes else None, status)
    if 300 <= status < 400:
        sent_on = Certainty.REFUSED if status in (301, 307, 308) else Certainty.UNKNOWN
        return Expected(ConfigurationError, sent_on if writes else None, status)
    if writes:
        return Expected(OutcomeUnknownError, Certainty.UNKNOWN, status)
    if status >= 500 or status in (408, 425):
        return Expected(ServerError, None, status, ATTEMPTS)
    return Expected(ConflictError if status == 409 else APIError, None, status)


def lost(*, writes: bool) -> Expected:
    if writes:
        return Expected(OutcomeUnknownError, Certainty.UNKNOWN, None)
    return Expected(ServerError, None, None, ATTEMPTS)


def misshapen(status: int = 200, *, writes: bool) -> Expected:
    if writes:
        return Expected(OutcomeUnknownError, Certainty.UNKNOWN, status)
    return Expected(ResponseSchemaError, None, status)


LOST = ("drop_before", "drop_after", "reset_before", "reset_after", "cut", "not_http")
MISSHAPEN = ("junk", "empty", "success_false")
BODIES = ("json", "html", "empty")
FEW = {(401, "html"), (404, "empty"), (302, "json"), (409, "json"), (503, "html")}
MANY = {
    (status, body)
    for status in (*REFUSALS, 100, 204, 302, 307, 405, 408, 409, 425, 500, 502, 503, 524, 599)
    for body in BODIES
}


def expected(statuses: set[tuple[int, str]], *, writes: bool) -> dict[tuple[str, str], Expected]:
    """Faults, with the body that they answer with, and their ends."""
    return {
        **{(name, ""): lost(writes=writes) for name in LOST},
        **{(name, ""): misshapen(writes=writes) for name in MISSHAPEN},
        ("html_502", ""): of_status(502, writes=writes),
        ("redirect", ""): of_status(307, writes=writes),
        **{
            (f"status_{status}", body): of_status(status, writes=writes)
            for status, body in sorted(statuses)
        },
    }


class Directory(AbstractResolver):
    """Leads a connection to the fake, or, as often as it is told, to a port that refuses."""

    def __init__(self, port: int, dead_port: int) -> None:
        self.port = port
        self.dead_port = dead_port
        self.misleading = 0

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        found = self.dead_port if self.misleading else self.port
        self.misleading = max(self.misleading - 1, 0)
        place = {"hostname": host, "host": "127.0.0.1", "port": found}
        return [{**place, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None: ...


@attrs.frozen
class Stage:
    """A furnished fake, and a session to it that resolves its name for every request."""

    fake: FakeHamsa
    session: aiohttp.ClientSession
    directory: Directory

    async def ask(self, asked: Asked) -> Any:
        """Ask once, by a client without a past, and give what came of it."""
        client = HamsaClient(
            "fake-key",
            base_url=f"http://localhost:{self.fake.port}",
            session=self.session,
            # A full budget: what bounds a read here is its attempts.
            retry=RetryPolicy(attempts=ATTEMPTS, wait_initial=0, cooldown=0.001, budget=1.0),
        )
        async with client:
            try:
                return await asked.most(client)
            except Exception as error:
                return error

    def begin(self) -> None:
        self.fake.requests.clear()
        self.fake.faults.clear()
        self.fake.ledger.clear()

    @property
    def requests(self) -> int:
        return sum(self.fake.requests.values())


@pytest.fixture
async def stage(stack: AsyncExitStack, free_port: int) -> Stage:
    fake = await stack.enter_async_context(FakeHamsa())
    await furnish(fake)
    directory = Directory(fake.port, free_port)
    connector = aiohttp.TCPConnector(
        resolver=directory, use_dns_cache=False, force_close=True, limit=0
    )
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    return Stage(fake, session, directory)


BEFORE = ("first try", "after an answer", "after not sent")


def prepare(stage: Stage, before: str, *, writes: bool) -> int:
    """Plan what goes before: what a write may come again after, and a read too.

    A read has its 429s elsewhere: after one its tries are a second apart.
    """
    stage.directory.misleading = int(before == "after not sent")
    if before == "after an answer":
        stage.fake.faults.next("rate_limited" if writes else "status_503", on="any", **NOW)
    return int(before == "after an answer")


@pytest.mark.parametrize(
    "statuses", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(("operation", "asked"), EVERY, ids=named)
async def test_a_fault_ends_as_the_table_says_on_every_operation(
    operation: Operation, asked: Asked, before: str, statuses: set[tuple[int, str]], stage: Stage
) -> None:
    """A write is seen once whatever happens; a read as often as it has attempts, or once."""
    remember = stage.fake._catalogue.remember
    for (fault, body), end in expected(statuses, writes=operation.writes).items():
        take_back = remember()
        if operation is ADD_NUMBER:
            stage.fake._catalogue.numbers.rows.clear()
        stage.begin()
        earlier = prepare(stage, before, writes=operation.writes)
        options = {"body": body} if body else {}
        stage.fake.faults.next(fault, count=9, on="any", **options)
        error = await stage.ask(asked)
        take_back()
        where = (fault, body, repr(error))
        assert type(error) is end.error, where
        assert (error.certainty, error.status) == (end.certainty, end.status), where
        # What a read has tried before has used up one of its attempts.
        requests = end.requests - (before != "first try" and end.requests > 1)
        assert stage.requests - earlier == requests, where
        assert error.attempts == requests + (before != "first try"), where
        assert not stage.fake.ledger.rung_twice(), where


@pytest.mark.parametrize("operation", [CALL, CREATE_CAMPAIGN, PROJECT], ids=named)
async def test_every_status_there_is_ends_as_the_table_says(
    operation: Operation, stage: Stage
) -> None:
    """100 to 599 over real sockets: nothing but the named refusals proves anything."""
    asked = next(asked for row, asked in EVERY if row is operation)
    for status in range(100, 600):
        stage.begin()
        stage.fake.faults.next(f"status_{status}", count=1 if status == 429 else 9, on="any")
        end = await stage.ask(asked)
        if status == 429 or (200 <= status < 300 and not isinstance(end, Exception)):
            assert not isinstance(end, Exception), (status, end)
            assert stage.requests == 1 + (status == 429)
            continue
        wanted = of_status(status, writes=operation.writes)
        assert status not in range(200, 300) or status in {204, 205}  # HTTP gives them no body
        assert type(end) is wanted.error, status
        assert (end.certainty, end.status) == (wanted.certainty, wanted.status), status
        assert stage.requests == wanted.requests, status


async def test_a_server_that_falls_silent_leaves_every_write_in_doubt(stage: Stage) -> None:
    """All of them at once, until their time is up: one request each."""
    writes = [(row, asked) for row, asked in EVERY if row.writes and row is not ADD_NUMBER]
    stage.begin()
    stage.fake.faults.at_rate("hang", 1.0, on="any")
    timeouts = Timeouts(response=1.0, connect=10.0)
    async with HamsaClient("fake-key", base_url=stage.fake.base_url, timeouts=timeouts) as client:
        ends = await asyncio.gather(
            *(asked.most(client) for _, asked in writes), return_exceptions=True
        )
    assert [type(end) for end in ends] == [OutcomeUnknownError] * len(writes)
    assert stage.requests == len(writes) == 17


@pytest.mark.parametrize(("operation", "asked"), EVERY, ids=named)
async def test_what_may_come_again_comes_again_and_ends_well(
    operation: Operation, asked: Asked, stage: Stage
) -> None:
    """429s, refused connections and a slow answer: one of it is carried out."""
    stage.begin()
    if operation is ADD_NUMBER:
        stage.fake._catalogue.numbers.rows.clear()
    before = len(stage.fake._catalogue.campaigns.rows)
    for retry_after in ("0", "0.001", "-7", "Sun, 06 Nov 1994 08:49:37 GMT"):
        stage.fake.faults.next("rate_limited", on="any", retry_after=retry_after)
    stage.fake.faults.next("slow", on="any", seconds=0.001)
    stage.directory.misleading = 2
    end = await stage.ask(asked)
    assert not isinstance(end, Exception), repr(end)
    assert stage.requests == 5
    made = operation is CREATE_CAMPAIGN
    assert len(stage.fake._catalogue.campaigns.rows) == before + made
    assert len(stage.fake.ledger.rings) == (operation.name.startswith("voice_agents.call"))


@pytest.mark.parametrize(("operation", "asked"), EVERY, ids=named)
async def test_where_nothing_listens_nothing_was_sent(
    operation: Operation, asked: Asked, stage: Stage
) -> None:
    """Refused at every try: provably not sent, reads and writes alike."""
    stage.begin()
    stage.directory.misleading = 99
    error = await stage.ask(asked)
    assert type(error) is NotSentError
    assert (error.certainty, error.status, error.attempts) == (Certainty.NOT_SENT, None, ATTEMPTS)
    assert stage.requests == 0


@pytest.mark.parametrize("told", [{"retry_after": "1e300"}, {"retry_after_date": 10**6}], ids=str)
@pytest.mark.parametrize("operation", [CALL, CREATE_CAMPAIGN, PROJECT], ids=named)
async def test_a_pause_beyond_the_deadline_is_not_waited_for(
    told: dict[str, Any], operation: Operation, stage: Stage
) -> None:
    """One request, and the error says when to come back."""
    asked = next(asked for row, asked in EVERY if row is operation)
    stage.begin()
    stage.fake.faults.next("rate_limited", on="any", **told)
    error = await stage.ask(asked)
    assert type(error) is RateLimitedError
    assert error.retry_at is not None
    assert stage.requests == 1


async def test_a_call_without_its_id_is_in_doubt_by_either_route(stage: Stage) -> None:
    """`id` by one, `jobId` by the other; a batch must have one too."""
    for operation, asked in EVERY:
        if operation.name in {
            "voice_agents.call",
            "voice_agents.call_from_number",
            "campaigns.create",
        }:
            stage.begin()
            stage.fake.faults.next("no_id", on="any")
            error = await stage.ask(asked)
            assert type(error) is OutcomeUnknownError, operation.name
            assert stage.requests == 1
