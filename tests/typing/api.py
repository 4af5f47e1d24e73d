"""Every public name, used once as its users would. Checked by mypy, never run."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import aiohttp

import hamsa_async
from hamsa_async import (
    REFERENCE_PARAM,
    AgentDetails,
    AgentWebhookAuth,
    Answer,
    APIError,
    AttemptBegan,
    AttemptSent,
    AttemptSettled,
    AuthenticationError,
    CalendarTools,
    Call,
    CallEnded,
    CallQueued,
    CallRequest,
    CallResult,
    CallStatus,
    CallStream,
    CallUpdate,
    CallWatch,
    CampaignError,
    CampaignRunningError,
    Certainty,
    ClientConfig,
    ConfigurationError,
    ConflictError,
    ContactListError,
    Conversation,
    ConversationSummary,
    CooldownStarted,
    DialerError,
    Event,
    Evidence,
    HamsaClient,
    HamsaError,
    Hook,
    InsufficientBalanceError,
    InvalidRequestError,
    JournalError,
    LLMConfig,
    NotEndedError,
    NotFoundError,
    NotSeen,
    NotSentError,
    OutcomeUnknownError,
    Page,
    PermissionDeniedError,
    Project,
    RateLimitedError,
    RequestOptions,
    ResponseSchemaError,
    RetryPolicy,
    RetryScheduled,
    ServerError,
    StillUnknown,
    Timeouts,
    TimeSlot,
    ToolSwitches,
    UnknownReason,
    VoiceRecord,
    WebhookAuth,
)
from hamsa_async.testing import (
    FAKE_AGENT_ID,
    FAKE_API_KEY,
    FAKE_PROJECT_ID,
    FAULTS,
    FakeHamsa,
    Fault,
    FaultPlan,
    Ledger,
    PlannedFault,
    Post,
    Ring,
)

assert_type(hamsa_async.__version__, str)


def hook(event: Event) -> None:
    if isinstance(event, AttemptSettled):
        assert_type(event.certainty, Certainty | None)
        assert_type(event.call_id, str | None)
        assert_type(event.error, BaseException | None)
    elif isinstance(event, RetryScheduled):
        assert_type(event.wait, float)
    elif isinstance(event, CooldownStarted):
        assert_type(event.retry_at, datetime)
    elif isinstance(event, CallEnded):
        assert_type(event.error, BaseException | None)
    else:
        assert_type(event, CallQueued | AttemptBegan | AttemptSent)
        assert_type(event.number, int)


listener: Hook = hook


async def key() -> str:
    return "key"


async def make_a_client(session: aiohttp.ClientSession) -> None:
    HamsaClient()
    HamsaClient("key", region="uae")
    HamsaClient(
        key,
        base_url="https://api.example.com",
        session=session,
        concurrency_limit=50,
        rate=2.5,
        timeouts=Timeouts(response=30.0, connect=2.0, deadline=60.0),
        retry=RetryPolicy(attempts=2, dial_on_429=False),
        grace_period=5.0,
        auth_scheme="Bearer",
        hooks=[listener, print],
    )
    async with HamsaClient() as hamsa:
        assert_type(hamsa, HamsaClient)
        assert_type(hamsa.config, ClientConfig)
        assert_type(hamsa.config.is_loopback, bool)
        assert_type(await hamsa.projects.current(), Project)
        assert_type(await hamsa.voice_agents.get("id"), AgentDetails)
    await hamsa.aclose()


def see_an_answer(answer: Answer) -> None:
    assert_type(answer.status, int)
    assert_type(answer.headers, Mapping[str, str])
    assert_type(answer.body, bytes)


async def set_options(hamsa: HamsaClient) -> None:
    options: RequestOptions = {"timeout": 5.0, "on_answer": see_an_answer}
    copy = hamsa.with_options(**options)
    assert_type(copy.with_options(headers={"X-Trace": "7"}), HamsaClient)
    assert_type(copy, HamsaClient)
    assert_type(await copy.projects.current(timeout=Timeouts(response=2)), Project)
    assert_type(await copy.voice_agents.update("id", lang="ar", timeout=5), AgentDetails)
    assert_type(await hamsa.conversations.list(timeout=5), Page[ConversationSummary])


async def place_a_call(hamsa: HamsaClient) -> None:
    call = await hamsa.voice_agents.call(
        to_number="+971500000101",
        voice_agent_id=FAKE_AGENT_ID,
        from_number="+971500000100",
        params={"name": "سارة", "visits": 3},
        webhook_url="https://example.com/hook",
        webhook_auth=WebhookAuth(auth_secret="secret"),
        reference="visit-17",
        not_after=datetime.now(UTC) + timedelta(seconds=30),
    )
    assert_type(call, Call)
    assert_type(call.id, str)
    assert_type(call.status, str | None)
    assert_type(call.created_at, datetime | None)
    assert_type(call.extra, Mapping[str, Any])
    agent = call.agent_details
    assert_type(agent, AgentDetails | None)
    if agent is not None:
        see_an_agent(agent)
    await hamsa.voice_agents.call(to_number="+971500000101", agent_details={"agentName": "Noor"})


def see_an_agent(agent: AgentDetails) -> None:
    assert_type(agent.webhook_auth, AgentWebhookAuth | None)
    assert_type(agent.voice_record, VoiceRecord | None)
    assert_type(agent.llm_config, LLMConfig | None)
    tools = agent.tools
    if isinstance(tools, CalendarTools):
        assert_type(tools.free_slots, Mapping[str, Sequence[Sequence[TimeSlot]]] | None)
    elif isinstance(tools, ToolSwitches):
        assert_type(tools.gender_detection, bool | None)


async def place_many(hamsa: HamsaClient, rows: AsyncIterator[CallRequest]) -> None:
    requests = [CallRequest(to_number="+971500000101", voice_agent_id=FAKE_AGENT_ID)]
    mappings: list[dict[str, Any]] = [{"to_number": "+971500000101", "voice_agent_id": "id"}]
    hamsa.voice_agents.call_many(requests)
    hamsa.voice_agents.call_many(mappings)
    async with hamsa.voice_agents.call_many(rows) as results:
        assert_type(results, CallStream)
        async for result in results:
            assert_type(result, CallResult)
            assert_type(result.index, int)
            assert_type(result.call, Call | None)
            assert_type(result.error, HamsaError | None)
            assert_type(result.certainty, Certainty | None)
    assert_type(results.unread, list[CallResult])
    answers = await asyncio.gather(
        *(
            hamsa.voice_agents.call(to_number=row.to_number, voice_agent_id="id")
            for row in requests
        ),
        return_exceptions=True,
    )
    assert_type(answers, list[Call | BaseException])


async def follow_calls(hamsa: HamsaClient, ids: AsyncIterator[str]) -> str | None:
    conversation = await hamsa.conversations.wait("id", timeout=60)
    assert_type(conversation, Conversation)
    hamsa.conversations.watch(["id"])
    async with hamsa.conversations.watch(ids, timeout=600.0) as updates:
        assert_type(updates, CallWatch)
        async for update in updates:
            assert_type(update, CallUpdate)
            assert_type(update.id, str)
            assert_type(update.status, CallStatus | str | None)
            assert_type(update.conversation, Conversation | None)
            assert_type(update.error, HamsaError | None)
            assert_type(update.is_last, bool)
    try:
        await hamsa.conversations.wait("id")
    except NotEndedError as error:
        assert_type(error.call_id, str | None)
        return error.last_status
    return None


async def meet_an_error(hamsa: HamsaClient) -> datetime | str | None:
    try:
        await hamsa.voice_agents.call(to_number="+971500000101", voice_agent_id="id")
    except NotSentError:
        return "try again"
    except OutcomeUnknownError as error:
        assert_type(error.call_id, str | None)
        return error.reference
    except RateLimitedError as error:
        return error.retry_at
    except (
        InvalidRequestError,
        AuthenticationError,
        InsufficientBalanceError,
        PermissionDeniedError,
        NotFoundError,
        ConflictError,
        ServerError,
    ) as error:
        assert_type(error.status, int | None)
        return error.message_key
    except APIError as error:
        return error.request_id
    except ResponseSchemaError as error:
        assert_type(error.problems, tuple[str, ...])
    except ConfigurationError as error:
        as_value_error: ValueError = error
        raise as_value_error from None
    except (CampaignRunningError, CampaignError, ContactListError, JournalError) as error:
        as_dialer_error: DialerError = error
        raise as_dialer_error from None
    except HamsaError as error:
        assert_type(error.certainty, Certainty | None)
        assert_type(error.attempts, int)
    return REFERENCE_PARAM


async def settle_a_doubt(hamsa: HamsaClient, error: OutcomeUnknownError) -> datetime | None:
    assert_type(error.to_number, str | None)
    assert_type(error.begun_at, datetime | None)
    assert_type(error.server_ahead, float | None)
    settled = await hamsa.voice_agents.settle(error)
    assert_type(settled, Call | NotSeen | StillUnknown)
    if isinstance(settled, StillUnknown):
        assert_type(settled.reason, UnknownReason)
        assert_type(settled.candidates, tuple[str, ...])
        assert_type(settled.for_a_person, bool)
        await hamsa.voice_agents.settle(settled, lag=60)
        return settled.ask_again_at
    if isinstance(settled, NotSeen):
        assert_type(settled.control, str)
        return settled.as_of
    assert_type(settled.evidence, Evidence | None)
    return settled.created_at


async def judge_by_the_fake() -> None:
    faults = FaultPlan(seed=1)
    faults.next("drop_after", count=2)
    faults.for_number("+971500000101", "hang")
    faults.at_rate("status_503", 0.1)
    async with FakeHamsa(api_keys=(FAKE_API_KEY,), project_id=FAKE_PROJECT_ID) as fake:
        fake.faults = faults
        assert_type(fake.base_url, str)
        assert_type(fake.ledger, Ledger)
        assert_type(fake.ledger.rung_twice(), dict[str, list[Ring]])
        assert_type(fake.ledger.post_log, list[Post])
    assert_type(FAULTS["hang"], Fault)
    assert_type(PlannedFault(name="hang").fault, Fault)
