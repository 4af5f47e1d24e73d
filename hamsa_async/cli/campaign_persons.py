"""`hamsa campaign explain | forget`: one person, by their number."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hamsa_async.cli.erasing import forget_number
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.explaining import explain_number


async def explain(
    name: str,
    number: str,
    /,
    *,
    policy: tuple[str, ...] = (),
    at: str | None = None,
    country: str | None = None,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Say what every rule says of a number, and when it may be called next.

    Args:
        name: The campaign.
        number: The number.
        policy: The rules to judge by, in the place of the campaign's own.
        at: The moment to judge by, an ISO time with an offset; by default now.
        country: The country (`AE`) of a number that is written without its country code; by
            default the campaign's.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    return await explain_number(
        name,
        number,
        journal=journal,
        policy=policy,
        at=at,
        country=country,
        as_json=as_json,
    )


async def forget(
    number: str,
    /,
    *,
    country: str | None = None,
    journal: Path | None = None,
    yes: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Erase a person from the journal, all of its campaigns. It cannot be undone.

    Their rows, states and counts stay, and so does a keyed hash of the number, so that they are
    still not called. Ends with 3 where something is left in the journal's files that cannot be
    overwritten now: then run it again, as it says.

    Args:
        number: Their number.
        country: The country (`AE`) of a number that is written without its country code.
        journal: The journal; by default yours.
        yes: Do not ask. Needed where there is no terminal.
        as_json: Print one JSON document on stdout: what was erased, and what is left.
    """
    return await forget_number(number, country=country, journal=journal, yes=yes, as_json=as_json)
