"""What `hamsa campaign run` can be told."""

from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class RunOptions:
    """The options of a run, as typed.

    Attributes:
        agent: The id of the agent that speaks; the dashboard shows it.
        name: The campaign's name in the journal; running a name again resumes it.
        policy: The rules to dial by. `none` is the only pack so far, and must be typed.
        from_number: The caller number, or `hamsa-default` for Hamsa's fallback, a foreign number.
        journal: The file that remembers who was called; by default one of yours.
        concurrency: Requests in flight at the API's door, not conversations. [default: 5]
        rate: Call starts per second, or `none` for unpaced. [default: 1]
        live_calls: Calls that are placed and have not ended, at once; `none` for no limit, as
            with `--rate none`. [default: 10]
        retry: Who is tried again, as "no_answer: 1h, 4h"; may be repeated, and goes before the
            usual rows. `none`: nobody.
        max_attempts: The most attempts that a contact gets. [default: 5]
        delivery: What becomes of contacts whose call was looked for and not seen:
            `at_most_once` leaves them to you, `reconciled` calls them again.
            [default: at_most_once]
        lag: Seconds by which the list of calls may be late, for that. [default: 900]
        country: The country (`AE`) of numbers that are written without their country code.
        param: A param for every call, as name=value; may be repeated.
        max_invalid: The largest share of rows that may be no contacts. [default: 0.5]
        accept_changes: Take over a list or settings that differ from the journal's.
        no_wait: End with 7 rather than wait for contacts that are due later, or for the ends of
            calls.
        no_sweep: Dial though it is not known whom others have called. Without it the project's
            calls are listed first, and a run that cannot list them does not start.
        yes: Ask nothing. Needed where there is no terminal.
        as_json: Print one JSON document on stdout: counts, ending, rows.
        fake: Dial an embedded fake server: no key, no phone rings, a journal of its own that is
            gone afterwards.
    """

    agent: str | None = None
    name: str | None = None
    policy: str | None = None
    from_number: Annotated[str | None, Parameter(name="--from")] = None
    journal: Path | None = None
    concurrency: Annotated[int, Parameter(show_default=False)] = 5
    rate: str | None = None
    live_calls: str | None = None
    retry: tuple[str, ...] = ()
    max_attempts: int | None = None
    delivery: Literal["at_most_once", "reconciled"] | None = None
    lag: Annotated[float, Parameter(show_default=False)] = 900.0
    country: str | None = None
    param: tuple[str, ...] = ()
    max_invalid: Annotated[float, Parameter(show_default=False)] = 0.5
    accept_changes: bool = False
    no_wait: bool = False
    no_sweep: bool = False
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False
    as_json: Annotated[bool, Parameter(name="--json")] = False
    fake: bool = False
