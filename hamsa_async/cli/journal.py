"""`hamsa journal backup | check`."""

from pathlib import Path

from cyclopts import App

from hamsa_async.cli.arguments import find_journal
from hamsa_async.cli.exits import Exit
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
