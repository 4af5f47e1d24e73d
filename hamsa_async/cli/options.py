"""What the commands of a campaign can be told."""

from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ListOptions:
    """How to read a contact list, as typed.

    Attributes:
        country: The country (`AE`) of numbers that are written without their country code.
        map: What a column is, as HEADER=NAME: phone_number, timezone, ... or the name of a
            param; may be repeated.
        ignore: The header of a column that is not read; may be repeated.
        sheet: The sheet of a workbook, by name or number; by default the one with phone numbers.
        header_row: The line or row that holds the headers, where it is not found by itself.
        invalid: Where rows that are no contacts go: line, column, code, original text.
            [default: invalid.csv]
        strict: Refuse a list with a row that is no contact, or without what the agent asks for.
    """

    country: str | None = None
    map: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    sheet: str | None = None
    header_row: int | None = None
    invalid: Path | None = None
    strict: bool = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class CheckOptions:
    """What a list is checked against, as typed.

    Attributes:
        policy: The rules to judge each contact by, too; several: the strictest wins.
        at: The moment to judge by, an ISO time with an offset; by default now.
        from_number: The caller number, as for a run; with --policy.
        agent: The agent whose variables are compared with the columns; needs a key.
        as_json: Print one JSON document on stdout.
    """

    policy: tuple[str, ...] = ()
    at: str | None = None
    from_number: Annotated[tuple[str, ...], Parameter(name="--from")] = ()
    agent: str | None = None
    as_json: Annotated[bool, Parameter(name="--json")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class PlanOptions:
    """What a plan is made by, as typed.

    Attributes:
        policy: The rules to dial by, a pack or the file of one; several: the strictest wins.
        at: The moment to begin at, an ISO time with an offset; by default now.
        from_number: The caller number, as for a run.
        agent: The agent whose variables are compared with the columns; needs a key.
        rate: Call starts per second, or `none` for unpaced. [default: 1]
        canary: How many calls are made first, before the pause of two minutes; 0: none.
            [default: 5]
        ramp: Whether the rate begins at one a second and doubles each minute up to --rate.
            [default: on]
        live_calls: Calls that are placed and have not ended, at once; `none` for no limit, as
            with `--rate none`. [default: 10]
        call_length: How many seconds a call lasts on average.
        price_per_minute: What a started minute of a call costs, for a ceiling of the cost.
        as_json: Print JSON lines on stdout, one object per contact.
    """

    policy: tuple[str, ...] = ()
    at: str | None = None
    from_number: Annotated[tuple[str, ...], Parameter(name="--from")] = ()
    agent: str | None = None
    rate: str | None = None
    canary: int | None = None
    ramp: Literal["on", "off"] | None = None
    live_calls: str | None = None
    call_length: float = 90.0
    price_per_minute: str | None = None
    as_json: Annotated[bool, Parameter(name="--json")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class RunOptions:
    """The options of a run, as typed.

    Attributes:
        agent: The id of the agent that speaks; the dashboard shows it.
        name: The campaign's name in the journal; running a name again resumes it.
        policy: The rules to dial by, a pack or the file of one; several: the strictest wins.
            `none` is no rule but the safety ones, and must be typed.
        from_number: The caller number, or `hamsa-default` for Hamsa's fallback, a foreign number.
            Several, each with its own --from, are used in turn; one person always sees the same.
        journal: The file that remembers who was called; by default one of yours.
        concurrency: Requests in flight at the API's door, not conversations. [default: 5]
        rate: Call starts per second, or `none` for unpaced. [default: 1]
        canary: How many calls are made first and looked at before anybody else is called; 0: none.
            On a terminal you are asked; with --yes two clean minutes must follow. [default: 5]
        ramp: Whether the rate begins at one a second and doubles with each clean minute up to
            --rate, and 429s lower it. [default: on]
        live_calls: Calls that are placed and have not ended, at once; `none` for no limit, as
            with `--rate none`. [default: 10]
        retry: Who is tried again, as "no_answer: 1h, 4h"; may be repeated, and goes before the
            usual rows. `none`: nobody.
        max_attempts: The most attempts that a contact gets. [default: 5]
        delivery: What becomes of contacts whose call was looked for and not seen:
            `at_most_once` leaves them to you, `reconciled` calls them again.
            [default: at_most_once]
        lag: Seconds by which the list of calls may be late, for that. [default: 900]
        dnc_field: The field of a call's outcome that says that the person is not to be called
            again. [default: do_not_call]
        refusal_field: The field of a call's outcome that says that the person declined, alone or
            with the values that do: `interest=none,not now`. [default: declined]
        param: A param for every call, as name=value; may be repeated.
        max_invalid: The largest share of rows that may be no contacts. [default: 0.5]
        accept_changes: Take over a list or settings that differ from the journal's.
        no_wait: End with 7 rather than wait for contacts that are due later, or for the ends of
            calls.
        webhook_url: Where Hamsa is to send each call's events, HTTPS; `hamsa serve` takes them. The
            master secret is read from HAMSA_WEBHOOK_SECRET.
        max_calls: The most calls over the campaign's whole life; then the run ends with 5.
        max_calls_per_day: The most calls in a day of --budget-zone; then the run waits for its
            midnight, or ends with 7 (with --no-wait).
        budget_zone: Whose midnight begins a day, as Asia/Dubai.
        max_cost: The most that the campaign may cost over its whole life; then the run ends with
            5. Calls that are open count at their longest.
        price_per_minute: What a started minute costs, in the same unit: for calls whose cost the
            API does not tell.
        breaker: Whether the run ends with 5 when too many of its last requests were refused or
            may have rung, or of its last calls failed or were cut off; on a terminal without
            --yes it is paused. [default: on]
        no_sweep: Dial though it is not known whom others have called. Without it the project's
            calls are listed first, and a run that cannot list them does not start; a call by the
            campaign's agent to a contact not called yet is then taken for that contact's call.
        yes: Ask nothing. Needed where there is no terminal.
        as_json: Print one JSON document on stdout: counts, ending, rows.
        fake: Dial an embedded fake server: no key, no phone rings, a journal of its own that is
            gone afterwards.
    """

    agent: str | None = None
    name: str | None = None
    policy: tuple[str, ...] = ()
    from_number: Annotated[tuple[str, ...], Parameter(name="--from")] = ()
    journal: Path | None = None
    concurrency: Annotated[int, Parameter(show_default=False)] = 5
    rate: str | None = None
    canary: int | None = None
    ramp: Literal["on", "off"] | None = None
    live_calls: str | None = None
    retry: tuple[str, ...] = ()
    max_attempts: int | None = None
    delivery: Literal["at_most_once", "reconciled"] | None = None
    lag: Annotated[float, Parameter(show_default=False)] = 900.0
    dnc_field: str | None = None
    refusal_field: str | None = None
    param: tuple[str, ...] = ()
    max_invalid: Annotated[float, Parameter(show_default=False)] = 0.5
    accept_changes: bool = False
    no_wait: bool = False
    webhook_url: str | None = None
    max_calls: int | None = None
    max_calls_per_day: int | None = None
    budget_zone: str | None = None
    max_cost: str | None = None
    price_per_minute: str | None = None
    breaker: Annotated[Literal["on", "off"], Parameter(show_default=False)] = "on"
    no_sweep: bool = False
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False
    as_json: Annotated[bool, Parameter(name="--json")] = False
    fake: bool = False
