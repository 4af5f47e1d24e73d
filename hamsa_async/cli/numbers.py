"""`hamsa numbers list`."""

from collections.abc import Sequence
from typing import Annotated, Final

from cyclopts import App, Parameter

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.listing import Column, Listing
from hamsa_async.cli.output import visible
from hamsa_async.cli.particulars import in_line
from hamsa_async.cli.particulars import number as masked
from hamsa_async.cli.reading import reading
from hamsa_async.models import PhoneNumber

app: App = App(name="numbers", help="Look at the numbers that calls are placed from.")


def _cells(number: PhoneNumber) -> Sequence[str]:
    return (
        masked(number.number),
        in_line(number.type or "?"),
        visible(number.id),
        in_line(number.label or ""),
        _owner(number),
    )


def _owner(number: PhoneNumber) -> str:
    """Whose it is: the agent's name, else its id, else nobody's."""
    if number.voice_agent is not None and number.voice_agent.name:
        return in_line(number.voice_agent.name)
    return visible(str(number.voice_agent_id or ""))


_NUMBERS: Final = Listing[PhoneNumber](
    kind="numbers",
    columns=(
        Column(name="number", width=13),
        Column(name="type", width=6),
        Column(name="id", width=36, needs=96),
        Column(name="label", width=16),
        Column(name="agent"),
    ),
    cells=_cells,
)


@app.command(name="list")
async def list_(
    *,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """List the project's numbers and the agents that they belong to.

    Numbers are masked; --json has them whole.

    Args:
        as_json: Print one JSON document on stdout.
        fake: Look at an example account instead of your own; needs no key.
    """
    async with reading(fake=fake) as client:
        return await _NUMBERS.show(client.numbers.list(), as_json=as_json)
