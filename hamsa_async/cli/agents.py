"""`hamsa agents list | show`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from hamsa_async.cli.documents import document, host_of
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.listing import Column, Listing
from hamsa_async.cli.output import print_json, visible
from hamsa_async.cli.particulars import at, duration, in_line, print_particulars, several
from hamsa_async.cli.reading import known, reading
from hamsa_async.models import AgentDetails, placeholders_in
from hamsa_async.models._declaring import keys_of

app: App = App(name="agents", help="Look at the agents that speak in calls.")


def _cells(agent: AgentDetails) -> Sequence[str]:
    return (
        visible(str(agent.id or "?")),
        in_line(agent.lang or "?"),
        duration(agent.max_call_duration),
        in_line(agent.agent_name or "?"),
    )


_AGENTS: Final = Listing[AgentDetails](
    kind="agents",
    columns=(
        Column(name="id", width=36),
        Column(name="language", width=8, needs=70),
        Column(name="longest call", width=12, needs=84, right=True),
        Column(name="name"),
    ),
    cells=_cells,
)


@app.command(name="list")
async def list_(
    *,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """List the project's agents.

    Args:
        as_json: Print one JSON document on stdout.
        fake: Look at an example account instead of your own; needs no key.
    """
    async with reading(fake=fake) as client:
        return await _AGENTS.show(client.voice_agents.list(), as_json=as_json)


@app.command
async def show(
    id: str,  # noqa: A002 - what it is
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """Show an agent: what it says, in which language, and the placeholders to be filled.

    Args:
        id: The agent's id.
        as_json: Print one JSON document on stdout, with all that the API says but secrets.
        fake: Look at an example account instead of your own; needs no key.
    """
    async with reading(fake=fake) as client:
        with known("agent", listed_by="hamsa agents list"):
            agent = await client.voice_agents.get(id)
    if as_json:
        print_json({**document(agent), "placeholders": placeholders_in(agent)})
    else:
        print_particulars(_particulars(agent))
    return Exit.DONE


def _particulars(agent: AgentDetails) -> Iterator[tuple[str, str]]:
    yield "agent", in_line(agent.agent_name or "?")
    yield "id", visible(str(agent.id or "?"))
    yield from _given("description", agent.description)
    yield from _given("type", agent.type)
    yield "language", _languages(agent)
    yield from _given("greeting", agent.greeting_message)
    yield from several("placeholders", _placeholders(agent) or ("none",))
    yield "longest call", duration(agent.max_call_duration)
    yield "webhook", "none" if not agent.webhook_url else visible(host_of(agent.webhook_url))
    yield "changed", at(agent.updated_at)


def _given(name: str, value: Any) -> Iterable[tuple[str, str]]:
    return [(name, in_line(value))] if value else []


def _languages(agent: AgentDetails) -> str:
    voice = agent.voice_record
    spoken = [] if voice is None else [voice.name, voice.language_code or voice.language]
    voices = " ".join(in_line(part) for part in spoken if part)
    return in_line(agent.lang or "?") + (f", voice {voices}" if voices else "")


def _placeholders(agent: AgentDetails) -> Sequence[str]:
    defaults = keys_of(agent.params)
    return [
        in_line(name) + (f" (default: {in_line(defaults[name])})" if name in defaults else "")
        for name in placeholders_in(agent)
    ]
