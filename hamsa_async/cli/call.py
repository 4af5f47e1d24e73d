"""`hamsa call`: one call, now."""

from typing import Annotated

from cyclopts import Parameter

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import (
    caller_is_needed,
    read_from_number,
    read_number,
    read_params,
)
from hamsa_async.cli.exits import Exit, after_call
from hamsa_async.cli.output import complain, print_json, results
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import HAMSA_DEFAULT
from hamsa_async.errors import HamsaError


async def call(
    number: str,
    /,
    *,
    agent: str,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    param: Annotated[list[str] | None, Parameter(negative=())] = None,
    country: str | None = None,
    as_json: Annotated[bool, Parameter(negative=(), name="--json")] = False,
) -> Exit:
    """Call one number, once.

    Args:
        number: Whom to call: +971..., or a local number with --country.
        agent: The id of the agent that speaks.
        from_: The caller number, or `hamsa-default` for Hamsa's fallback, a foreign number.
        param: A param for the agent, as name=value; may be repeated.
        country: The country (`AE`) of a number written without its country code.
        as_json: Print one JSON document on stdout.
    """
    to_number = read_number(number, what="the number", country=country)
    from_number = read_from_number(from_, country)
    params = read_params(param)
    async with HamsaClient() as client:
        caller_is_needed(from_number, loopback=client.config.is_loopback)
        try:
            placed = await client.voice_agents.call(
                to_number=to_number,
                voice_agent_id=agent,
                from_number=None if from_number == HAMSA_DEFAULT else from_number,
                params=params,
            )
        except HamsaError as error:
            code = after_call(error)
            if as_json:
                print_json(
                    {
                        "phone_number": to_number,
                        "certainty": error.certainty,
                        "status": error.status,
                        "error": str(error),
                        "exit_code": code.value,
                    }
                )
            complain(str(error))
            return code
    if as_json:
        print_json(
            {
                "phone_number": to_number,
                "certainty": "placed",
                "call_id": placed.id,
                "status": placed.status,
                "exit_code": Exit.DONE.value,
            }
        )
    else:
        results().print(
            f"placed: {mask_number(to_number)}, call id {placed.id}, status {placed.status}",
            markup=False,
        )
    return Exit.DONE
