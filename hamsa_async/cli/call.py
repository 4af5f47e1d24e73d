"""`hamsa call`: one call, now."""

import asyncio
from typing import Annotated

import attrs
from cyclopts import Parameter

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import (
    caller_is_needed,
    read_country,
    read_from_number,
    read_number,
    read_params,
)
from hamsa_async.cli.exits import Exit, after_call
from hamsa_async.cli.output import complain, print_json, results
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import HAMSA_DEFAULT
from hamsa_async.errors import Certainty, HamsaError
from hamsa_async.instrumentation import AttemptSettled, Event
from hamsa_async.models import CallRequest


async def call(
    number: str,
    /,
    *,
    agent: str,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    param: tuple[str, ...] = (),
    country: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Call one number, once.

    Ends with 0 when the API took the call, 2 or 3 when it did not, 4 when it may have rung.

    Args:
        number: Whom to call: +971..., or a local number with --country.
        agent: The id of the agent that speaks; the dashboard shows it.
        from_: The caller number, or `hamsa-default` for Hamsa's fallback, a foreign number.
        param: A param for the agent, as name=value; may be repeated.
        country: The country (`AE`) of numbers that are written without their country code.
        as_json: Print one JSON document on stdout.
    """
    country = read_country(country)
    from_number = read_from_number(from_, country)
    wanted = CallRequest(
        to_number=read_number(number, what="the number", country=country),
        voice_agent_id=agent,
        from_number=None if from_number == HAMSA_DEFAULT else from_number,
        params=read_params(param),
    )
    settled: list[AttemptSettled] = []

    def hook(event: Event) -> None:
        if isinstance(event, AttemptSettled):
            settled.append(event)

    async with HamsaClient(hooks=[hook]) as client:
        caller_is_needed(from_number, loopback=client.config.is_loopback)
        end = await _place(client, wanted, settled)
    if as_json:
        print_json({"phone_number": wanted.to_number, **attrs.asdict(end)})
    if end.error is not None:
        complain(end.error)
    elif not as_json:
        results().print(f"placed: {mask_number(wanted.to_number)}, call id {end.call_id}")
    return end.exit_code


@attrs.frozen(kw_only=True)
class _End:
    """What became of a call, as the command says it."""

    certainty: Certainty | None
    call_id: str | None = None
    status: str | int | None = None
    error: str | None = None
    exit_code: Exit


async def _place(client: HamsaClient, wanted: CallRequest, settled: list[AttemptSettled]) -> _End:
    """Place a call. After a signal what has begun gets the client's grace period to settle."""
    placing = asyncio.ensure_future(
        client.voice_agents.call(
            to_number=wanted.to_number,
            voice_agent_id=wanted.voice_agent_id,
            from_number=wanted.from_number,
            params=wanted.params,
        )
    )

    def stop(name: str) -> None:
        placing.cancel()
        complain(f"{name}: a request that has left may still be answered (Ctrl-C ends at once)")

    with INTERRUPTIONS.told_to(stop):
        try:
            placed = await placing
        except HamsaError as error:
            return _End(
                certainty=error.certainty,
                status=error.status,
                error=str(error),
                exit_code=after_call(error),
            )
        except asyncio.CancelledError:
            await client.aclose()
            return _after_signal(settled[-1] if settled else None)
    return _End(
        certainty=Certainty.PLACED,
        call_id=placed.id,
        status=placed.status,
        exit_code=Exit.DONE,
    )


def _after_signal(event: AttemptSettled | None) -> _End:
    """What the client still heard of a call whose caller was stopped."""
    if event is None:
        return _End(
            certainty=Certainty.NOT_SENT,
            error="interrupted; nothing was sent",
            exit_code=Exit.INTERRUPTED,
        )
    placed = event.certainty is Certainty.PLACED
    return _End(
        certainty=event.certainty,
        call_id=event.call_id,
        status=event.status,
        error=None if placed else str(event.error),
        exit_code=Exit.DONE
        if placed
        else Exit.UNKNOWNS
        if event.certainty is Certainty.UNKNOWN
        else Exit.INTERRUPTED,
    )
