"""`hamsa campaign check | plan`: a list before anybody is called. Without a key, if need be."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs
from rich.console import Console
from rich.table import Table

from hamsa_async.cli.arguments import (
    read_canary,
    read_from_numbers,
    read_live_calls,
    read_moment,
    read_ramp,
    read_rate,
)
from hamsa_async.cli.comparing import agents_of
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.lists import InvalidRows, list_of, tell_about_columns, tell_about_contracts
from hamsa_async.cli.money import ceiling
from hamsa_async.cli.options import CheckOptions, ListOptions, PlanOptions
from hamsa_async.cli.output import machine, people, print_json, results, visible
from hamsa_async.cli.typed_numbers import read_country
from hamsa_async.dialer import ContactState, Row
from hamsa_async.dialer.agents import AgentContracts
from hamsa_async.dialer.budget import Budget
from hamsa_async.dialer.callers import caller_for
from hamsa_async.dialer.clocks import clock_of
from hamsa_async.dialer.columns import Columns
from hamsa_async.dialer.contract import is_to_be_called
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
from hamsa_async.dialer.ramp import CANARY
from hamsa_async.dialer.reading import read_chunks
from hamsa_async.dialer.report import write_lines
from hamsa_async.dialer.run import longest_of
from hamsa_async.errors import ConfigurationError

_RATE: Final = 1.0
_BAR: Final = 40
_MANY: Final = 50_000  # rows that take more than some seconds to plan
_MOST_BARS: Final = 72


async def check_list(contacts: Path, options: CheckOptions, reading: ListOptions) -> Exit:
    """Say what a list holds, and how it fits the agent."""
    policy = read_policy(options.policy) if options.policy else None
    at = read_moment(options.at, option="--at") or datetime.now(UTC)
    callers = read_from_numbers(options.from_number, read_country(reading.country))
    if policy is None and callers:
        raise ConfigurationError("--from is judged by packs: give --policy, or leave it out")
    async with agents_of(options.agent, {}) as agents:
        columns, rows = await _read(contacts, reading, agents)
    states: Counter[tuple[str, str | None]] = Counter()
    if policy is None:
        states.update(_state_at(row, at) for row in once_each(rows))
    else:
        judged = plan(
            rows,
            policy,
            at=at,
            pacing=Pacing(rate=None),
            caller_of=lambda number: caller_for(number, callers),
        )
        states.update((each.state, each.reason) for each in judged)
    is_refused = reading.strict and _is_amiss(states, agents, agent_id=options.agent)
    code = Exit.FAILURES if is_refused else Exit.DONE
    if options.as_json:
        print_json(_check_as_json(columns, states, agents, code))
        return code
    _print_states(states)
    _tell_about_agents(agents)
    return code


def _state_at(row: Row, at: datetime) -> tuple[str, str | None]:
    """What a row is at a moment, by what the list says of its own time."""
    if not is_to_be_called(row):
        return row.state, row.reason
    if row.expires_at is not None and row.expires_at <= at:
        return ContactState.EXPIRED, "expired"
    if row.due_at is not None and row.due_at <= at:
        return ContactState.PENDING, None
    return row.state, row.reason


def _tell_about_agents(agents: AgentContracts | None) -> None:
    if agents is not None:
        tell_about_contracts(agents.own, agents.result(), agents.named())


def _is_amiss(
    states: Iterable[tuple[str, str | None]],
    agents: AgentContracts | None,
    *,
    agent_id: str | None,
) -> bool:
    """Whether `--strict` finds something: an agent that was not read was not compared."""
    if any(state == "invalid" for state, _ in states):
        return True
    if agents is None:
        return agent_id is not None
    return any(contract.breaches for contract in (agents.result(), *agents.named()))


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
    async with agents_of(options.agent, {}) as agents:
        _, rows = await _read(contacts, reading, agents)
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
    _tell_about_agents(agents)
    if options.as_json:
        write_lines(map(_planned_as_json, planned), machine())
    longest = LONGEST_CALL if agents is None else longest_of(agents.own)
    cost = ceiling(summary.to_call, budget, longest) if budget else ""
    _print_summary(people() if options.as_json else results(), summary, options, at, cost)
    is_refused = reading.strict and _is_amiss(summary.states, agents, agent_id=options.agent)
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
    canary, ramp = read_canary(options.canary, rate), read_ramp(options.ramp, rate)
    return Pacing(
        rate=rate,
        canary=0 if rate is None else CANARY if canary is None else canary,
        ramp=rate is not None and ramp is not False,
        live_calls=read_live_calls(options.live_calls, rate),
        call_length=timedelta(seconds=options.call_length),
    )


async def _read(
    contacts: Path,
    reading: ListOptions,
    agents: AgentContracts | None,
) -> tuple[Columns | None, list[Row]]:
    """The rows of a list, without what is only told to the agent."""
    seen: list[Columns] = []
    rows: list[Row] = []
    country = read_country(reading.country)
    with InvalidRows(reading.invalid, read=[contacts]) as invalid:
        chunks = read_chunks(
            list_of(contacts, reading, invalid),
            country=country,
            variables=() if agents is None else agents.variables,
            on_columns=seen.append,
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                if agents is not None:
                    await agents.add(chunk)
                rows += [attrs.evolve(row, params={}) for row in chunk]
    for columns in seen:
        tell_about_columns(columns)
    return (seen[0] if seen else None), rows


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
        "zone": f"{summary.zone}, in which most of them are; days and hours here are its own"
        if summary.to_call
        else summary.zone,
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
    agents: AgentContracts | None,
    code: Exit,
) -> dict[str, Any]:
    contract = None if agents is None else agents.result()
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
        "named_agents": []
        if agents is None
        else [
            {
                "agent": each.agent_id,
                "is_missing": each.is_missing,
                "rows": each.count,
                "missing": list(each.missing),
                "empty": dict(each.empty),
            }
            for each in agents.named()
        ],
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
