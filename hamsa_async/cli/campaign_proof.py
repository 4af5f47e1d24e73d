"""`hamsa campaign verify | reconcile`: what the journal and the server know of its calls."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.reconciling import Word, reconcile_campaign
from hamsa_async.cli.verifying import verify_campaign


async def verify(
    name: str,
    /,
    *,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Prove a campaign from its journal and the server's own list of calls. Only reads.

    Every call on the server has an intent or is named as somebody else's, every call of the
    journal is on the server, nobody was called twice at once or against caps, gaps and hours,
    every attempt is where its events lead, counts and costs add up. Ends with 3 where something
    is found.

    Args:
        name: The campaign.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout.
    """
    return await verify_campaign(name, journal, as_json=as_json)


async def reconcile(
    name: str,
    attempt: str | None = None,
    /,
    *,
    journal: Path | None = None,
    lag: float = 900.0,
    placed: str | None = None,
    absent: bool = False,
    accept_absent: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Settle calls that may have rung, by evidence or by your word, and list those in doubt.

    Nobody is dialed. Ends with 4 while anything is in doubt.

    Args:
        name: The campaign.
        attempt: The id of an attempt in doubt that you know about.
        journal: The journal; by default yours.
        lag: Seconds by which the list of calls may be late: absence is believed of two looks
            that lie so far apart. Shorter is riskier.
        placed: The attempt became this call: its id, as the dashboard or the list has it.
        absent: The attempt became no call. Its contact will be called again.
        accept_absent: Believe of all that were looked for as well as can be, and not seen, that
            there was no call. Those contacts will be called again.
        as_json: Print one JSON document on stdout, with whole numbers.
    """
    word = Word(attempt=attempt, placed=placed, absent=absent, accept_absent=accept_absent)
    return await reconcile_campaign(name, journal, lag=lag, word=word, as_json=as_json)
