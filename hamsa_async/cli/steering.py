"""`hamsa campaign pause | resume | stop`: ask whoever dials a campaign, from another process."""

from pathlib import Path
from typing import Final

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal, read_name
from hamsa_async.cli.output import people, visible
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.records import SINGLE_CALLS
from hamsa_async.dialer.machine import Asked
from hamsa_async.errors import CampaignError, ConfigurationError

_DONE: Final = {
    Asked.PAUSE: "paused: nobody is dialed until it is resumed; what is at the wire settles",
    Asked.STOP: "stopping: nobody more is dialed; what is at the wire settles",
    None: "goes on",
}


async def ask_dialer(name: str, journal: Path | None, what: Asked | None) -> Exit:
    """Write down what is asked. From then on no intent of the campaign is written.

    Raises:
        HamsaError: There is no such campaign or journal, or it is one that nobody runs.
    """
    name = read_name(name)
    if name == SINGLE_CALLS:
        raise ConfigurationError(
            f"{name} is the campaign of single calls: nobody runs it, so there is nothing to pause,"
            " to resume or to stop (Ctrl-C stops a hamsa call that waits)"
        )
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        record = await opened.campaign(name)
        if record is None:
            raise CampaignError(f"journal {opened.path} has no campaign {name!r}")
        await opened.ask(record.id, what)
        running = await opened.is_claimed(record)
        path = opened.path
    said = _DONE[what]
    if not running:
        run = f"hamsa campaign run --name {visible(name)} --journal {path}"
        said = f"no process dials it now; this does: {run}"
    people().print(f"campaign {visible(name)}: {said}")
    return Exit.DONE
