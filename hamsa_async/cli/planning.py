"""`hamsa campaign check | plan`: a list before anybody is called. Without a key, if need be."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs
from rich.console import Console
from rich.table import Table

from hamsa_async.cli.arguments import (
    read_country,
    read_from_numbers,
    read_live_calls,
    read_moment,
    read_rate,
)
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.lists import InvalidRows, list_of, tell_about_columns, tell_about_contract
from hamsa_async.cli.money import ceiling
from hamsa_async.cli.options import CheckOptions, ListOptions, PlanOptions
from hamsa_async.cli.output import machine, people, print_json, results, shown, visible
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import Row
from hamsa_async.dialer.budget import Budget
from hamsa_async.dialer.callers import caller_for
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contract import Contract, ContractCheck
from hamsa_async.dialer.machine import LONGEST_CALL
from hamsa_async.dialer.plan import (
    Pacing,
    Planned,
    PlanSummary,
    once_each,
    plan,
    summarise,
)
from hamsa_async.dialer.policy import PACKS, Policy, find_pack, read_policy
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.dialer.report import write_lines
from hamsa_async.dialer.run import longest_of
from hamsa_async.errors import ConfigurationError, HamsaError
from hamsa_async.models import AgentDetails, placeholders_in

_RATE: Final = 1.0
_BAR: Final = 40
_MANY: Final = 50_000  # rows that take more than some seconds to plan
_MOST_BARS: Final = 72


async def check_list(contacts: Path, options: CheckOptions, reading: ListOptions) -> Exit:
    """Say what a list holds, and how it fits the agent."""
    policy = read_policy(options.policy) if options.policy else None
    at = read_moment(options.at, option="--at") or datetime.now(UTC)
    callers = read_from_numbers(options.from_number, read_country(reading.country))
    agent = await _agent(options.agent)
    check = ContractCheck(() if agent is None else placeholders_in(agent), {})
    columns, rows = await _read(contacts, reading, agent, check.add)
    contract = None if agent is None else check.result()
    states: Counter[tuple[str, str | None]] = Counter()
    if policy is None:
        states.update((row.state, row.reason) for row in once_each(rows))
    else:
        judged = plan(
            rows,
            policy,
            at=at,
            pacing=Pacing(rate=None),
            caller_of=lambda number: caller_for(number, callers),
        )
        states.update((each.state, each.reason) for each in judged)
    is_refused = reading.strict and _is_amiss(states, contract, agent_id=options.agent)
    code = Exit.FAILURES if is_refused else Exit.DONE
    if options.as_json:
        print_json(_check_as_json(columns, states, contract, code))
        return code
    _print_states(states)
    if agent is not None and contract is not None:
        tell_about_contract(agent, contract)
    return code


def _is_amiss(
    states: Iterable[tuple[str, str | None]],
    contract: Contract | None,
    *,
    agent_id: str | None,
) -> bool:
    """Whether `--strict` finds something: an agent that was not read was not compared."""
    if any(state == "invalid" for state, _ in states):
        return True
    return agent_id is not None if contract is None else bool(contract.breaches)


async def plan_list(contacts: Path, options: PlanOptions, reading: ListOptions) -> Exit:
    """Say who would be called when."""
    if not options.policy:
        raise ConfigurationError(
            f"--policy is needed: the rules to plan by; there is: {', '.join(PACKS)}"
        )
    policy = read_policy(options.policy)
    at = read_moment(options.at, option="--at") or datetime.now(UTC)
    pacing = _pacing(options)
    budget = Budget(price_per_minute=options.price_per_minute)
    callers = read_from_numbers(options.from_number, read_country(reading.country))
    _tell_about(policy, callers)
    agent = await _agent(options.agent)
    check = ContractCheck(() if agent is None else placeholders_in(agent), {})
    _, rows = await _read(contacts, reading, agent, check.add)
    if len(rows) > _MANY:
        people().print(f"planning {len(rows)} rows: this takes a while", style="dim")
    planned = plan(
        rows,
        policy,
        at=at,
        pacing=pacing,
        caller_of=lambda number: caller_for(number, callers),
    )
    summary = summarise(planned, at=at, pacing=pacing)
    contract = None if agent is None else check.result()
    if agent is not None and contract is not None:
        tell_about_contract(agent, contract)
    if options.as_json:
        write_lines(map(_planned_as_json, planned), machine())
    longest = LONGEST_CALL if agent is None else longest_of(agent)
    cost = ceiling(summary.to_call, budget, longest) if budget else ""
    _print_summary(people() if options.as_json else results(), summary, options, at, cost)
    is_refused = reading.strict and _is_amiss(summary.states, contract, agent_id=options.agent)
    return Exit.FAILURES if is_refused else Exit.DONE


def _tell_about(policy: Policy, callers: Sequence[str]) -> None:
    """Say what a plan by these packs is worth."""
    for pack in policy.packs:
        if pack.unconfirmed is not None:
            people().print(f"{pack.name} {pack.version}: {pack.unconfirmed}", style="yellow")
        if pack.caller_prefixes and not callers:
            people().print(
                f"{pack.name}: without --from the caller number is not judged; it must start with"
                f" {' or '.join(pack.caller_prefixes)}",
                style="yellow",
            )


def _pacing(options: PlanOptions) -> Pacing:
    if options.call_length <= 0:
        raise ConfigurationError("--call-length is a number of seconds, more than 0")
    rate = read_rate(options.rate, _RATE)
    return Pacing(
        rate=rate,
        live_calls=read_live_calls(options.live_calls, rate),
        call_length=timedelta(seconds=options.call_length),
    )


async def _read(
    contacts: Path,
    reading: ListOptions,
    agent: AgentDetails | None,
    look: Callable[[list[Row]], None],
) -> tuple[Columns | None, list[Row]]:
    """The rows of a list, without what is only told to the agent."""
    seen: list[Columns] = []
    rows: list[Row] = []
    country = read_country(reading.country)
    with InvalidRows(reading.invalid, read=[contacts]) as invalid:
        chunks = read_chunks(
            list_of(contacts, reading, invalid),
            country=country,
            variables=() if agent is None else placeholders_in(agent),
            on_columns=seen.append,
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                look(chunk)
                rows += [attrs.evolve(row, params={}) for row in chunk]
    for columns in seen:
        tell_about_columns(columns)
    return (seen[0] if seen else None), rows


async def _agent(agent_id: str | None) -> AgentDetails | None:
    """The agent, where one was named and can be read."""
    if agent_id is None:
        return None
    try:
        async with HamsaClient() as client:
            return await client.voice_agents.get(agent_id)
    except HamsaError as error:
        people().print(f"the agent was not read: {shown(str(error))}", style="yellow")
        return None


# -- what people see


def _print_states(states: Mapping[tuple[str, str | None], int]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("state")
    table.add_column("count", justify="right")
    table.add_column("reason")
    for (state, reason), count in sorted(states.items(), key=lambda item: -item[1]):
        table.add_row(state, str(count), reason or "to be called")
    table.add_row("rows", str(sum(states.values())), "every row of the list, once")
    results().print(table)


def _print_summary(
    console: Console, summary: PlanSummary, options: PlanOptions, at: datetime, cost: str
) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _particulars(summary, options, at, cost).items():
        table.add_row(name, value)
    console.print(table)
    for (state, reason), count in sorted(summary.states.items(), key=lambda item: -item[1]):
        if reason is not None:
            console.print(f"  {count} {state}: {reason}")
    _print_bars(console, summary)


def _particulars(
    summary: PlanSummary, options: PlanOptions, at: datetime, cost: str
) -> dict[str, str]:
    zone = clock_of(summary.zone)

    def when(moment: datetime | None) -> str:
        return "never" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"

    busiest = max(summary.hours.values(), default=0)
    return {
        "judged at": when(at),
        "policy": ", ".join(f"{name} {find_pack(name).version}" for name in options.policy),
        "zone": f"{summary.zone}, in which most of them are; days and hours here are its own",
        "to call": f"{summary.to_call} of {summary.rows} rows",
        "fit today": str(summary.today),
        "first call": when(summary.first_at),
        "last call": when(summary.last_at),
        "calls per hour": f"at most {busiest}",
        "live calls": f"about {summary.live_calls} at once, at {options.call_length:g} s a call",
        **({"cost ceiling": cost} if cost else {}),
    }


def _print_bars(console: Console, summary: PlanSummary) -> None:
    if not summary.hours:
        return
    most = max(summary.hours.values())
    console.print()
    hours = sorted(summary.hours.items())
    for hour, count in hours[:_MOST_BARS]:
        bar = "█" * max(1, round(count / most * _BAR))
        console.print(visible(f"{hour:%Y-%m-%d %H}:00 {bar} {count}"))
    if len(hours) > _MOST_BARS:
        console.print(f"... and {len(hours) - _MOST_BARS} hours more")


# -- what programs see


def _check_as_json(
    columns: Columns | None,
    states: Mapping[tuple[str, str | None], int],
    contract: Contract | None,
    code: Exit,
) -> dict[str, Any]:
    return {
        "rows": sum(states.values()),
        "states": [
            {"state": state, "reason": reason, "count": count}
            for (state, reason), count in states.items()
        ],
        "columns": {} if columns is None else dict(columns.choices),
        "params": [] if columns is None else [name for name, _ in columns.params],
        "ignored": [] if columns is None else list(columns.ignored),
        "notices": [] if columns is None else list(columns.notices),
        "agent": None
        if contract is None
        else {
            "variables": list(contract.variables),
            "missing": list(contract.missing),
            "empty": dict(contract.empty),
            "unused": list(contract.unused),
        },
        "exit_code": code.value,
    }


def _planned_as_json(planned: Planned) -> dict[str, Any]:
    at = planned.first_call_at
    return {
        "row": planned.row,
        "phone_number": planned.phone_number,
        "first_call_at": None if at is None else at.isoformat().replace("+00:00", "Z"),
        "state": planned.state,
        "reason": planned.reason,
        "detail": planned.detail,
        "zone": planned.zone,
    }
