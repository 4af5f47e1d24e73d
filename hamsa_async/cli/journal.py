"""`hamsa journal backup | check | purge`."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from hamsa_async.cli.erasing import purge_journal
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal
from hamsa_async.cli.output import complain, people
from hamsa_async.dialer import SqliteJournal

app: App = App(name="journal", help="Keep the file that remembers who was called.")


@app.command
async def backup(file: Path, /, *, journal: Path | None = None) -> Exit:
    """Copy the journal to a new file, also while campaigns run.

    Args:
        file: Where to; it must not exist.
        journal: The journal; by default yours.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        await opened.back_up(file)
    people().print(f"journal {opened.path} copied to {file}")
    return Exit.DONE


@app.command
async def check(*, journal: Path | None = None) -> Exit:
    """Examine the journal: the file itself, and that its attempts and contacts agree.

    Ends with 3 where something is found.

    Args:
        journal: The journal; by default yours.
    """
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        problems = await opened.problems()
    for problem in problems:
        complain(f"journal {opened.path}: {problem}")
    if problems:
        return Exit.FAILURES
    people().print(f"journal {opened.path} is sound")
    return Exit.DONE


@app.command
async def purge(
    *,
    older_than: str,
    journal: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> Exit:
    """Let go of what was said in old calls, and of what lists said of those who were called.

    Params (names among them), transcripts, recordings, results and webhooks' texts are erased, of
    contacts that nothing more is done about and that nothing happened to since. Numbers,
    contact_ids, states, outcomes, costs and all counts stay. It cannot be undone. Campaigns may
    run meanwhile. Ends with 3 where something is left in the journal's files that cannot be
    overwritten now: then run it again, as it says.

    Args:
        older_than: How long ago the last thing must have happened to a contact: 90d, say.
        journal: The journal; by default yours.
        as_json: Print one JSON document on stdout: what was erased, and what is left.
    """
    return await purge_journal(older_than, journal, as_json=as_json)
