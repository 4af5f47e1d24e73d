"""`hamsa call`: one call, now."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import caller_is_needed, read_from_number, read_params
from hamsa_async.cli.exits import Exit, after_call
from hamsa_async.cli.journals import find_journal, journal_option
from hamsa_async.cli.output import complain, counted, people, print_json, results, visible
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.cli.typed_numbers import read_country, read_number
from hamsa_async.cli.waiting import Waited, conversation_as_json, print_end, wait_for
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import HAMSA_DEFAULT, Dialer
from hamsa_async.dialer.journal.dialing import DNC, GAP
from hamsa_async.dialer.journal.records import Barred
from hamsa_async.dialer.machine import IN_DOUBT
from hamsa_async.dialer.single import Placing, SingleCall, single_call
from hamsa_async.errors import (
    Certainty,
    ConfigurationError,
    HamsaError,
    JournalError,
    OutcomeUnknownError,
)
from hamsa_async.instrumentation import AttemptSettled, Event
from hamsa_async.models import CallRequest

_FAKE_CALL: Final = (3.0, 6.0)  # seconds: long enough to be seen, short enough to be waited for
_AROUND: Final = timedelta(minutes=5)  # by which our clock and the server's may differ
_FAKE_LAG: Final = 0.5  # seconds until the outcome of such a call is there


async def call(
    number: str,
    /,
    *,
    agent: str | None = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    param: tuple[str, ...] = (),
    country: str | None = None,
    wait: bool = False,
    timeout: float | None = None,  # noqa: ASYNC109 - an option of the command
    journal: Path | None = None,
    no_sweep: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """Call one number, once.

    It is written down in the journal. A number is not called that is on its do-not-call list,
    that has an open call in any campaign, or that was called less than an hour ago, by others
    too. No policy holds it: calling hours are yours to keep.

    Ends with 0 when the API took the call, 2 or 3 when it did not, 4 when it may have rung, 7
    when the number may not be called yet. With --wait: 0 when somebody spoke, 3 when it ended as
    FAILED or NO_ANSWER, 4 when it was not seen to end, 130 when it was interrupted, while the
    call goes on.

    Args:
        number: Whom to call: +971..., or a local number with --country.
        agent: The id of the agent that speaks; the dashboard shows it.
        from_: The caller number, or `hamsa-default` for Hamsa's fallback, a foreign number.
        param: A param for the agent, as name=value; may be repeated.
        country: The country (`AE`) of numbers that are written without their country code.
        wait: Show how it goes on until it has ended, then its outcome and transcript.
        timeout: The most seconds to wait; else the agent's longest call and two minutes.
        journal: The file that remembers who was called; by default one of yours.
        no_sweep: Call though it is not known whom others have called. Without it the project's
            calls are read first, a week back the first time.
        as_json: Print one JSON document on stdout.
        fake: Call nobody: an embedded fake server takes the call.
    """
    country = read_country(country)
    from_number = read_from_number(from_, country)
    to_number = read_number(number, what="the number", country=country)
    params = read_params(param)
    _check_waiting(timeout, wait=wait)
    if fake and journal is not None:
        raise ConfigurationError("--fake makes its own journal: leave out --journal")
    async with _server(journal, fake=fake) as server:
        wanted = CallRequest(
            to_number=to_number,
            voice_agent_id=_needed(agent or server.agent),
            from_number=None if from_number == HAMSA_DEFAULT else from_number,
            params=params,
        )
        settled: list[AttemptSettled] = []

        def hook(event: Event) -> None:
            if isinstance(event, AttemptSettled):
                settled.append(event)

        async with HamsaClient(server.key, base_url=server.url, hooks=[hook]) as client:
            caller_is_needed(from_number, loopback=client.config.is_loopback)
            async with Dialer(client, journal=server.journal) as dialer:
                async with single_call(dialer.journal) as single:
                    if not no_sweep:
                        await _look_first(dialer, client, single, wanted)
                    end = await _guarded(
                        client, single, wanted, settled, _Words(journal_option(journal))
                    )
                _tell_placed(end, wanted, as_json=as_json, wait=wait)
                if not wait or end.call_id is None or end.error is not None:
                    return _finish(end, wanted, as_json=as_json)
                waited = await _wait(client, end.call_id, timeout)
                waited = await _write_end(single, waited)
    return _finish_waiting(end, waited, wanted, as_json=as_json)


@attrs.frozen(kw_only=True)
class _Server:
    """Whom to ask, and with what. `None`: what the environment says."""

    journal: Path
    key: str | None = None
    url: str | None = None
    agent: str | None = None


@contextlib.asynccontextmanager
async def _server(journal: Path | None, *, fake: bool) -> AsyncIterator[_Server]:
    """The server of the environment, or a fake of our own for as long as the call takes."""
    if not fake:
        yield _Server(journal=find_journal(journal, make_folder=True))
        return
    # The fake and its server are a third of what there is to import, and only needed here.
    from hamsa_async.cli.running import temporary_folder  # noqa: PLC0415
    from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa  # noqa: PLC0415

    with temporary_folder() as folder:
        async with FakeHamsa(
            agents=None,
            latency=(0.05, 0.4),
            call_seconds=_FAKE_CALL,
            outcome_lag=_FAKE_LAG,
            outcomes={"COMPLETED": 1},
        ) as server:
            yield _Server(
                journal=folder / "journal.db",
                key=FAKE_API_KEY,
                url=server.base_url,
                agent=FAKE_AGENT_ID,
            )
        people().print(
            f"the fake server's own ledger: {counted(len(server.ledger.rings), 'ring')};"
            " no phone rang",
            style="dim",
        )


def _needed(agent: str | None) -> str:
    if agent is None:
        raise ConfigurationError(
            "--agent is needed: the id of the agent that speaks; the dashboard shows it;"
            " see hamsa call --help"
        )
    return agent


def _check_waiting(seconds: float | None, *, wait: bool) -> None:
    if seconds is None:
        return
    if not wait:
        raise ConfigurationError("--timeout goes with --wait")
    if not seconds > 0:
        raise ConfigurationError(f"--timeout must be seconds above 0, not {seconds:g}")


@attrs.frozen(kw_only=True)
class _End:
    """What became of a call, as the command says it."""

    certainty: Certainty | None
    call_id: str | None = None
    status: str | int | None = None
    error: str | None = None
    exit_code: Exit


def _tell_placed(end: _End, wanted: CallRequest, *, as_json: bool, wait: bool) -> None:
    """Say at once that there is a call, and which: what comes next may take long."""
    if end.error is None and (wait or not as_json):
        console = people() if as_json else results()
        console.print(f"placed: {mask_number(wanted.to_number)}, call id {end.call_id}")


def _finish(end: _End, wanted: CallRequest, *, as_json: bool, **more: object) -> Exit:
    if as_json:
        print_json({"phone_number": wanted.to_number, **attrs.asdict(end), **more})
    if end.error is not None:
        complain(end.error)
    return end.exit_code


async def _wait(client: HamsaClient, call_id: str, seconds: float | None) -> Waited:
    if INTERRUPTIONS.heard:  # while it was placed
        return Waited(
            status=None,
            error=f"not waited for; the call goes on: {call_id}",
            exit_code=Exit.INTERRUPTED,
        )
    return await wait_for(client, call_id, seconds=seconds)


async def _write_end(single: SingleCall, waited: Waited) -> Waited:
    """Write down what was seen; it is shown also where that fails."""
    if waited.conversation is None:
        return waited
    try:
        await single.end(waited.conversation)
    except JournalError as error:
        said = f"the call has ended, which could not be written down; {error}"
        return attrs.evolve(waited, error=said, exit_code=Exit.UNKNOWNS)
    return waited


def _finish_waiting(end: _End, waited: Waited, wanted: CallRequest, *, as_json: bool) -> Exit:
    if waited.conversation is not None and not as_json:
        print_end(waited.conversation)
    end = attrs.evolve(
        end,
        status=waited.status or end.status,
        error=waited.error,
        exit_code=waited.exit_code,
    )
    return _finish(
        end, wanted, as_json=as_json, conversation=conversation_as_json(waited.conversation)
    )


async def _look_first(
    dialer: Dialer, client: HamsaClient, single: SingleCall, wanted: CallRequest
) -> None:
    if (await dialer.journal.looked())[0] is None:
        people().print(
            "reading the calls of the last week, which this journal does not know (once;"
            " --no-sweep leaves it out)",
            style="dim",
        )
    assert wanted.voice_agent_id is not None
    await single.look_first(client.conversations, wanted.voice_agent_id)


async def _guarded(
    client: HamsaClient,
    single: SingleCall,
    wanted: CallRequest,
    settled: list[AttemptSettled],
    words: "_Words",
) -> _End:
    """Place a call between its intent and its result, both durable.

    After a signal what has begun gets the client's grace period to settle.
    """
    if INTERRUPTIONS.heard:  # nothing has left, and nothing will
        return _after_signal(None)
    placing = asyncio.ensure_future(single.place(client.voice_agents, wanted, config=client.config))

    def stop(name: str) -> None:
        if not placing.done():
            placing.cancel()
            complain(f"{name}: a request that has left may still be answered (Ctrl-C ends at once)")

    with (
        INTERRUPTIONS.told_to(stop),
        INTERRUPTIONS.ends_with(f"ended at once; {_look(datetime.now(UTC))}", Exit.UNKNOWNS),
    ):
        try:
            return words.end_of(await placing)
        except asyncio.CancelledError:
            await client.aclose()
            of_this = [each for each in settled if each.reference == single.attempt_id]
            heard = of_this[-1] if of_this else None
            end = _after_signal(heard)
            try:
                await single.stopped(heard)
            except JournalError as error:
                return _not_written(end, error)
            return end


def _not_written(end: _End, error: JournalError) -> _End:
    """The result is known and not durable: the journal will take the attempt for unknown."""
    if end.certainty is Certainty.UNKNOWN:
        return attrs.evolve(end, error=f"{end.error}; {error}")
    if end.call_id is None:
        return attrs.evolve(end, error=f"nothing was dialed; {error}", exit_code=Exit.CANNOT)
    return attrs.evolve(
        end, error=f"call {end.call_id} is placed; {error}", exit_code=Exit.UNKNOWNS
    )


@attrs.frozen
class _Words:
    """Says what became of a call.

    Attributes:
        journal: The option that names the journal, where it is not one's own.
    """

    journal: str

    def end_of(self, placing: Placing) -> _End:
        """What became of the request, and whether that is written down."""
        if placing.barred is not None:
            return self._barred(placing.barred)
        if placing.call is not None:
            end = _End(
                certainty=Certainty.PLACED,
                call_id=placing.call.id,
                status=placing.call.status,
                exit_code=Exit.DONE,
            )
        else:
            error = placing.error
            assert error is not None
            end = _End(
                certainty=error.certainty,
                status=error.status,
                error=_in_words(error),
                exit_code=after_call(error),
            )
        return end if placing.not_written is None else _not_written(end, placing.not_written)

    def _barred(self, barred: Barred) -> _End:
        """Say which rule bars a number, and the way out."""
        name = None if barred.campaign is None else visible(barred.campaign)
        until = None if barred.until is None else f"{barred.until:%Y-%m-%d %H:%M:%S} UTC"
        if barred.reason == DNC:
            text = "the number is on the do-not-call list (hamsa dnc check says who put it there)"
        elif barred.reason == GAP:
            text = f"the number was called less than an hour ago (minimum gap): call after {until}"
        elif barred.state in IN_DOUBT:
            text = (
                "a call to the number may have rung: settle it with hamsa campaign reconcile"
                f" {name}{self.journal}"
            )
        else:
            whose = "by others" if name is None else f"of campaign {name}"
            text = f"a call to the number is open ({whose}): try again when it has ended"
        return _End(
            certainty=Certainty.NOT_SENT,
            error=f"not called: {text}",
            exit_code=Exit.CANNOT if barred.reason == DNC else Exit.NOTHING_NOW,
        )


def _in_words(error: BaseException | None) -> str:
    """An error's text, with the way out that a shell has in the place of the SDK's."""
    if isinstance(error, OutcomeUnknownError):
        what = "no answer" if error.status is None else f"status {error.status}"
        return f"{what}: {_look(error.begun_at or datetime.now(UTC))}"
    if isinstance(error, HamsaError) and error.retry_at is not None:
        return f"{error} ({error.retry_at:%Y-%m-%d %H:%M:%S} UTC)"
    return str(error)


def _look(begun_at: datetime) -> str:
    since = begun_at - _AROUND
    return (
        "the phone may have rung: do not call again before you have looked for the call, with"
        f" hamsa conversations list --since {since:%Y-%m-%dT%H:%MZ}"
    )


def _after_signal(event: AttemptSettled | None) -> _End:
    """What the client still heard of a call whose caller was stopped."""
    if event is None:
        return _End(
            certainty=Certainty.NOT_SENT,
            error="interrupted; nothing was sent",
            exit_code=Exit.INTERRUPTED,
        )
    is_placed = event.certainty is Certainty.PLACED and event.call_id is not None
    return _End(
        certainty=event.certainty,
        call_id=event.call_id,
        status=event.status,
        error=None if is_placed else _in_words(event.error),
        exit_code=Exit.DONE
        if is_placed
        else Exit.UNKNOWNS
        if event.certainty is Certainty.UNKNOWN
        else Exit.INTERRUPTED,
    )
