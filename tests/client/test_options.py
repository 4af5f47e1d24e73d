"""Options for a call and for a copy of a client, held against what the server got."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from hamsa_async import (
    Answer,
    APIError,
    ConfigurationError,
    HamsaClient,
    HamsaError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from hamsa_async._operations import OPERATIONS
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

NUMBER = "+971500000123"
OTHER = "+971500000124"
ONCE = RetryPolicy(attempts=1)
Connect = Callable[..., Awaitable[HamsaClient]]


@pytest.fixture
async def client(fake: FakeHamsa) -> AsyncIterator[HamsaClient]:
    retry = RetryPolicy(wait_initial=0, cooldown=0.01)
    async with HamsaClient(FAKE_API_KEY, base_url=fake.base_url, retry=retry) as client:
        yield client


def headers_of(request: bytes) -> Mapping[str, str]:
    lines = request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


# -- timeout


async def test_a_timeout_is_that_calls_alone(fake: FakeHamsa, client: HamsaClient) -> None:
    """A call that is given little time is in doubt; the one after it has the client's time."""
    fake.faults.next("hang", rings=True)
    with pytest.raises(OutcomeUnknownError):
        await client.voice_agents.call(to_number=NUMBER, voice_agent_id=FAKE_AGENT_ID, timeout=0.2)
    assert await client.voice_agents.call(to_number=OTHER, voice_agent_id=FAKE_AGENT_ID)
    assert len(fake.ledger.rings_of(NUMBER)) == 1


async def test_a_short_time_bounds_a_call_beside_one_with_a_long_time(
    fake: FakeHamsa, client: HamsaClient
) -> None:
    """One timer looks after all: the earliest deadline counts, whoever set it first."""
    fake.faults.next("hang", count=2, on="read")
    patient = client.with_options(timeout=300, retry=ONCE)
    long = patient.projects.current()
    task = asyncio.create_task(long)
    while not fake.requests:
        await asyncio.sleep(0.001)
    with pytest.raises(ServerError):
        await client.projects.current(timeout=0.1, retry=ONCE)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_a_deadline_of_a_call_bounds_its_tries(fake: FakeHamsa, client: HamsaClient) -> None:
    fake.capacity = 0
    with pytest.raises((APIError, NotSentError)):
        await client.voice_agents.call(
            to_number=NUMBER, voice_agent_id=FAKE_AGENT_ID, timeout=Timeouts(deadline=0.3)
        )
    assert fake.ledger.rings == []


@pytest.mark.parametrize("seconds", [0, -1, "5", True, float("nan")])
async def test_a_timeout_that_cannot_work(client: HamsaClient, seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"(timeout|response) must be a number"):
        await client.projects.current(timeout=seconds)


# -- retry


async def test_retry_of_a_call_and_of_a_copy(fake: FakeHamsa, client: HamsaClient) -> None:
    fake.faults.next("status_503", count=2, on="read")
    with pytest.raises(ServerError) as caught:
        await client.projects.current(retry=ONCE)
    assert caught.value.attempts == 1
    copy = client.with_options(retry=RetryPolicy(attempts=2, wait_initial=0))
    assert (await copy.projects.current()).id


async def test_dial_on_429_of_a_call(fake: FakeHamsa, client: HamsaClient) -> None:
    fake.capacity = 0
    with pytest.raises(OutcomeUnknownError):
        await client.voice_agents.call(
            to_number=NUMBER,
            voice_agent_id=FAKE_AGENT_ID,
            retry=RetryPolicy(dial_on_429=False),
        )


async def test_copies_share_the_budget(fake: FakeHamsa, client: HamsaClient) -> None:
    """However many copies, a failing server gets one try again for ten calls."""
    fake.faults.at_rate("status_503", 1.0, on="read")
    for _ in range(100):
        copy = client.with_options(retry=RetryPolicy(attempts=3, wait_initial=0))
        with pytest.raises(ServerError):
            await copy.projects.current()
    assert len(fake.requests) <= 100 + 10 + 10  # the reserve, and a tenth of the calls


# -- headers


async def test_headers_add_up_and_never_replace_ours(raw_server: Any) -> None:
    server = await raw_server()
    own = {"X-A": "client", "X-B": "client"}
    async with HamsaClient("key", base_url=server.base_url, headers=own) as client:
        copy = client.with_options(headers={"X-B": "copy"})
        call: dict[str, Any] = {"to_number": NUMBER, "voice_agent_id": "a"}
        await copy.voice_agents.call(**call, headers={"X-C": "call"})
        await client.voice_agents.call(**call)
    first, second = map(headers_of, server.requests)
    assert (first["x-a"], first["x-b"], first["x-c"]) == ("client", "copy", "call")
    assert (second["x-a"], second["x-b"], second.get("x-c")) == ("client", "client", None)
    assert first["authorization"] == "Token key"
    assert first["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer mine"},
        {"Content-Length": "1"},
        {"Transfer-Encoding": "chunked"},
        {"HOST": "elsewhere"},
        {"X-Broken": "a\r\nX-Smuggled: b"},
        {"X Broken": "a"},
        {"": "a"},
        {"X-Number": 7},
        {"X-Arabic": "سارة"},
        ["X-A"],
    ],
)
async def test_headers_that_may_not_be_sent(client: HamsaClient, headers: Any) -> None:
    with pytest.raises(ConfigurationError):
        client.with_options(headers=headers)
    with pytest.raises(ConfigurationError):
        await client.projects.current(headers=headers)
    with pytest.raises(ConfigurationError):
        HamsaClient("key", headers=headers)


async def test_a_secret_among_the_headers_is_shown_nowhere(
    raw_server: Any, say: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the text of an error whose server says it back either."""
    caplog.set_level(logging.DEBUG)
    server = await raw_server()
    server.answer = say(400, b'{"message":"bad token s3cr3t-of-the-proxy"}')
    async with HamsaClient("key", base_url=server.base_url) as client:
        copy = client.with_options(headers={"X-Proxy-Token": "s3cr3t-of-the-proxy"})
        with pytest.raises(HamsaError) as caught:
            await copy.projects.current()
    assert b"s3cr3t-of-the-proxy" in server.requests[0]
    shown = f"{caught.value!r} {copy!r} {vars(copy)} {caplog.text}"
    assert "s3cr3t-of-the-proxy" not in shown


# -- on_answer


async def test_every_whole_answer_is_given(fake: FakeHamsa, client: HamsaClient) -> None:
    """That of a failed try too; with status, headers and the body as it came."""
    fake.faults.next("status_503", on="read")
    answers: list[Answer] = []
    project = await client.projects.current(on_answer=answers.append)
    assert [answer.status for answer in answers] == [503, 200]
    assert project.id in answers[1].body.decode()
    assert "json" in answers[1].headers["content-type"]
    assert project.id not in repr(answers)


async def test_a_list_gives_the_answer_of_each_page(fake: FakeHamsa, client: HamsaClient) -> None:
    for index in range(3):
        await client.voice_agents.call(
            to_number=f"+97150000020{index}", voice_agent_id=FAKE_AGENT_ID
        )
    answers: list[Answer] = []
    pages = client.conversations.list(page_size=2, on_answer=answers.append)
    assert len([row async for row in pages]) == 3
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert len(answers) >= 2


async def test_the_answer_to_an_abandoned_call_is_given_too(
    fake: FakeHamsa, client: HamsaClient
) -> None:
    fake.faults.next("slow", seconds=0.2)
    answers: list[Answer] = []
    task = asyncio.create_task(
        client.voice_agents.call(
            to_number=NUMBER, voice_agent_id=FAKE_AGENT_ID, on_answer=answers.append
        )
    )
    while not fake.ledger.posts:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    await client.aclose()
    assert [answer.status for answer in answers] == [200]


async def test_what_on_answer_raises_harms_nobody(
    client: HamsaClient, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Answer) -> None:
        raise RuntimeError("mine")

    assert await client.projects.current(on_answer=broken)
    assert [record.action for record in caplog.records] == ["on_answer_failed"]  # type: ignore[attr-defined]


# -- copies, and every method


async def test_a_copy_shares_the_connections_and_need_not_be_closed(
    raw_server: Any, connect: Connect
) -> None:
    server = await raw_server()
    client = await connect(server)
    call: dict[str, Any] = {"to_number": NUMBER, "voice_agent_id": "a"}
    await client.voice_agents.call(**call)
    async with client.with_options(timeout=5) as copy:
        await copy.voice_agents.call(**call)
    assert await client.voice_agents.call(**call)
    assert copy.config is client.config
    assert len(server.connections) == 1
    await client.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await copy.projects.current()


async def test_an_unknown_option_is_refused(client: HamsaClient) -> None:
    with pytest.raises(ConfigurationError, match="no option 'tiemout'; there are timeout, retry"):
        client.with_options(tiemout=5)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="tiemout"):
        await client.projects.current(tiemout=5)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="tiemout"):
        await client.voice_agents.update("a", tiemout=5)  # type: ignore[call-arg]


def test_every_method_takes_the_options(client: HamsaClient) -> None:
    """Of every operation in the table, by its name; `call_many` and `attempt` as well."""
    names = {operation.name for operation in OPERATIONS}
    names |= {"voice_agents.call_many", "voice_agents.attempt"}
    names = (names - {"numbers.add"}) | {"numbers.add_twilio", "numbers.add_sip"}
    for name in sorted(names):
        area, _, method = name.partition(".")
        parameters = inspect.signature(getattr(getattr(client, area), method)).parameters
        (rest,) = [each for each in parameters.values() if each.kind is each.VAR_KEYWORD]
        keys = rest.annotation.__args__[0].__annotations__.keys()
        assert {"timeout", "retry", "headers", "on_answer"} <= set(keys), name
