"""`hamsa campaign verify`: a campaign proved from its journal and the server's list."""

from pathlib import Path

from rich.table import Table

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal, read_name
from hamsa_async.cli.output import complain, people, print_json, results, visible
from hamsa_async.client import HamsaClient
from hamsa_async.dialer import Dialer
from hamsa_async.dialer.verify import Verification, verify
from hamsa_async.errors import CampaignError


async def verify_campaign(name: str, journal: Path | None, *, as_json: bool) -> Exit:
    """Verify a campaign.

    Raises:
        HamsaError: The journal or the list could not be read. Nothing is proved.
    """
    name, path = read_name(name), find_journal(journal)
    async with HamsaClient() as client, Dialer(client, journal=path, create=False) as dialer:
        record = await dialer.journal.campaign(name)
        if record is None:
            raise CampaignError(f"journal {path} has no campaign {name!r}")
        rows = sum((await dialer.journal.counts(record.id)).values())
        found = await verify(dialer.journal, record, client.conversations, rows=rows)
    code = Exit.FAILURES if found.findings else Exit.DONE
    if as_json:
        print_json({"campaign": name, "rows": rows, **found.as_json(), "exit_code": code.value})
        return code
    results().print(_table(found))
    for finding in found.findings:
        complain(finding)
    if found.foreign:
        people().print(f"{len(found.foreign)} calls to its numbers were placed by others")
    if not found.findings:
        people().print(
            f"campaign {visible(name)}: {rows} rows and {found.calls} calls, all accounted for"
        )
    return code


def _table(found: Verification) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("day (UTC)", "attempts", "calls", "cost", "outcomes"):
        table.add_column(column, justify="left" if column in {"day (UTC)", "outcomes"} else "right")
    for day, each in found.days.items():
        outcomes = ", ".join(f"{visible(name)} {n}" for name, n in each.outcomes.most_common())
        table.add_row(day, str(each.attempts), str(each.calls), str(each.cost), outcomes)
    return table
