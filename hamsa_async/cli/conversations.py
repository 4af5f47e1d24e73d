"""`hamsa conversations list | show`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from hamsa_async._masking import scrub
from hamsa_async.cli.arguments import read_limit, read_moment
from hamsa_async.cli.documents import document
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.listing import Column, Listing
from hamsa_async.cli.output import people, print_json, visible
from hamsa_async.cli.particulars import (
    at,
    duration,
    in_line,
    named,
    number,
    print_particulars,
    print_whole,
    several,
)
from hamsa_async.cli.reading import known, reading
from hamsa_async.errors import ConfigurationError
from hamsa_async.models import (
    LIVE_STATUSES,
    REFERENCE_PARAM,
    CallParams,
    CallStatus,
    Conversation,
    ConversationSummary,
)
from hamsa_async.models._declaring import keys_of

app: App = App(name="conversations", help="Look at calls and what became of them.")

_MOST_A_PAGE: Final = 200


def _cells(call: ConversationSummary) -> Sequence[str]:
    ends = call.call_params or CallParams()
    return (
        visible(call.id),
        in_line(call.status or "?"),
        at(call.created_at).removesuffix(" UTC"),
        number(ends.user_number),
        "" if call.duration is None else duration(call.duration),
        in_line(call.agent_name or ""),
    )


_CALLS: Final = Listing[ConversationSummary](
    kind="conversations",
    columns=(
        Column(name="id", width=36),
        Column(name="status", width=11),
        Column(name="created (UTC)", width=19, needs=70),
        Column(name="number", width=13, needs=85),
        Column(name="duration", width=11, needs=98, right=True),
        Column(name="agent", needs=116),
    ),
    cells=_cells,
)


@app.command(name="list")
async def list_(
    *,
    agent: str | None = None,
    status: tuple[CallStatus, ...] = (),
    since: str | None = None,
    until: str | None = None,
    limit: int = 20,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """List calls in brief, in the API's order.

    Numbers are masked; --json has them whole.

    Args:
        agent: Only this agent's; an id.
        status: Only calls with this status; may be repeated.
        since: Only calls created then or later: 2026-01-31T09:00+04:00.
        until: Only calls created then or earlier.
        limit: How many to show. If there are more, that is said.
        as_json: Print one JSON document on stdout; `more` in it says whether there are more.
        fake: Look at an example account instead of your own; needs no key.
    """
    read_limit(limit)
    start, end = read_moment(since, option="--since"), read_moment(until, option="--until")
    if start is not None and end is not None and end < start:
        raise ConfigurationError("--until is before --since")
    async with reading(fake=fake) as client:
        calls = client.conversations.list(
            voice_agent_id=agent,
            status=status,
            start_time=start,
            end_time=end,
            page_size=min(limit + 1, _MOST_A_PAGE),  # the one more says whether there are more
        )
        return await _CALLS.show(calls, as_json=as_json, limit=limit)


@app.command
async def show(
    id: str,  # noqa: A002 - what it is
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """Show a call in full: status, outcome, recording, and what was said.

    Numbers are masked; --json has them whole.

    Args:
        id: The id of the call.
        as_json: Print one JSON document on stdout, with all that the API says but secrets.
        fake: Look at an example account instead of your own; needs no key.
    """
    async with reading(fake=fake) as client:
        with known("call", listed_by="hamsa conversations list"):
            call = await client.conversations.get(id)
    if as_json:
        print_json(
            {
                **document(call),
                "has_ended": call.has_ended,
                "reference": call.reference,
                "outcome": scrub(call.outcome),
                "transcript": [document(turn) for turn in call.transcript],
            }
        )
    else:
        _print(call)
    return Exit.DONE


def _print(call: Conversation) -> None:
    print_particulars(_particulars(call))
    if call.media_url:
        print_whole("recording", visible(str(call.media_url)))
    if call.transcript:
        print()
        print_particulars((in_line(turn.speaker), in_line(turn.text)) for turn in call.transcript)
    if call.status in LIVE_STATUSES:
        people().print("it has not ended: the rest is still to come", style="dim")


def _particulars(call: Conversation) -> Iterator[tuple[str, str]]:
    ends = call.call_params or CallParams()
    agent, params = call.agent_details, _params(call)
    yield "call", visible(call.id)
    yield "status", in_line(call.status or "?")
    yield "created", at(call.created_at)
    if call.call_duration is not None:
        yield "duration", duration(call.call_duration)
    yield "to", number(ends.user_number)
    yield "from", number(ends.machine_number)
    yield "agent", in_line((agent and agent.agent_name) or "?")
    if call.reference is not None:
        yield "reference", in_line(call.reference)
    yield from several("params", named(params))
    yield from several("outcome", named(_result(call, params)))


def _params(call: Conversation) -> Mapping[str, Any]:
    """What the call was placed with."""
    given = call.agent_details.params if call.agent_details is not None else None
    return _without(keys_of(given), {REFERENCE_PARAM: call.reference})


def _result(call: Conversation, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came of it, without the params that come back in it."""
    return _without(call.outcome, {**params, REFERENCE_PARAM: call.reference})


def _without(values: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    items: Iterable[tuple[str, Any]] = values.items()
    return {name: value for name, value in items if name not in known or value != known[name]}
