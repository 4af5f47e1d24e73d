"""`hamsa campaign append`: more contacts for a campaign, also while it is dialed."""

from pathlib import Path
from typing import Any

from hamsa_async._urls import is_loopback
from hamsa_async.cli.arguments import read_share
from hamsa_async.cli.comparing import agents_of
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal, read_name
from hamsa_async.cli.lists import InvalidRows, list_of, tell_about_columns, tell_about_contracts
from hamsa_async.cli.options import ListOptions
from hamsa_async.cli.output import counted, people, print_json, visible
from hamsa_async.cli.typed_numbers import read_country
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.appending import Appended, append_list
from hamsa_async.errors import CampaignError


async def append_contacts(
    name: str,
    contacts: Path,
    reading: ListOptions,
    *,
    journal: Path | None,
    max_invalid: float,
    as_json: bool,
) -> Exit:
    """Append a list, and say what was new in it.

    Raises:
        HamsaError: Nothing was appended; or not all of it, and appending it again adds the rest.
    """
    name, share = read_name(name), 0 if reading.strict else read_share(max_invalid)
    country = read_country(reading.country)
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        record = await opened.campaign(name)
        if record is None:
            raise CampaignError(
                f"journal {opened.path} has no campaign {name!r}: hamsa campaign status lists them"
            )
        identity = await opened.identity()
        kept = record.settings
        with InvalidRows(reading.invalid, read=[contacts, opened.path]) as invalid:
            async with agents_of(
                kept["voice_agent_id"], kept.get("params") or {}, journal=opened
            ) as contracts:
                appended = await append_list(
                    opened,
                    record,
                    list_of(contacts, reading, invalid),
                    contracts=contracts,
                    loopback=identity is not None and is_loopback(identity.base_url),
                    country=country,
                    max_invalid=share,
                    strict=reading.strict,
                )
                if contracts is not None and appended.contract is not None:
                    tell_about_contracts(contracts.own, appended.contract, appended.named)
        path = opened.path
    if appended.columns is not None:
        tell_about_columns(appended.columns)
    if as_json:
        print_json(_as_json(name, appended))
        return Exit.DONE
    console = people()
    console.print(_done(name, appended))
    if not appended.event.data["new"]:
        return Exit.DONE
    if appended.is_running:
        console.print("the process that dials it takes them up")
    else:
        run = f"hamsa campaign run --name {visible(name)} --journal {path}"
        console.print(f"no process dials it now; this does: {run}")
    return Exit.DONE


def _done(name: str, appended: Appended) -> str:
    data, staged = appended.event.data, appended.staged
    number = "" if data["list"] is None else f" as list {data['list']}"
    off = data["called_off"]
    called_off = f"; {counted(off, 'contact')} not called any more, as it says" if off else ""
    return (
        f"campaign {visible(name)}: {counted(data['new'], 'row')} appended{number}, of which"
        f" {staged.usable} to be called; {staged.seen} seen before and skipped{called_off}"
    )


def _as_json(name: str, appended: Appended) -> dict[str, Any]:
    data, staged = appended.event.data, appended.staged
    return {
        "campaign": name,
        "list": data["list"],
        "rows": staged.rows,
        "new": data["new"],
        "to_call": staged.usable,
        "seen": staged.seen,
        "called_off": data["called_off"],
        "invalid": sum(count for (state, _), count in staged.states.items() if state == "invalid"),
        "compared": appended.contract is not None,
        "running": appended.is_running,
        "exit_code": Exit.DONE.value,
    }
