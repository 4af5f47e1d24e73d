"""`hamsa campaign forget` and `hamsa journal purge`: what is erased, and what is left of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.progress import Progress

from hamsa_async._masking import mask_number
from hamsa_async.cli.arguments import read_age
from hamsa_async.cli.asking import agreed, can_ask
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal
from hamsa_async.cli.output import complain, counted, people, print_json, visible
from hamsa_async.cli.typed_numbers import read_country, read_number
from hamsa_async.dialer import SqliteJournal
from hamsa_async.dialer.journal.erasure import Erasure, Forgotten, Overwritten, Purged
from hamsa_async.errors import CampaignError, ConfigurationError


async def forget_number(
    number: str, *, country: str | None, journal: Path | None, yes: bool, as_json: bool
) -> Exit:
    """Erase a person from a journal.

    Raises:
        HamsaError: Nothing was erased.
    """
    given = read_number(number, what=mask_number(number), country=read_country(country))
    if not yes and not can_ask():
        raise ConfigurationError("there is no terminal to ask: --yes is needed")
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        if not yes:
            where = visible(str(opened.path))
            if not await agreed(f"Erase {mask_number(given)} from journal {where} for good?"):
                raise CampaignError("not confirmed: nothing was erased")
        forgotten = await opened.erasure.forget(given)
        for line in _forgotten(given, forgotten):
            people().print(line)
        done = await _overwrite(opened.erasure)
        copies = opened.erasure.copies()
    if as_json:
        print_json({"phone_number": given, **_as_json(forgotten, done, copies)})
    return Exit.DONE if done else Exit.FAILURES


def _forgotten(number: str, found: Forgotten) -> Iterator[str]:
    parts = [
        counted(count, thing)
        for count, thing in (
            (found.rows, "row"),
            (found.attempts, "attempt"),
            (found.calls, "call"),
            (found.deliveries, "webhook event"),
        )
        if count
    ]
    where = f" in {counted(found.campaigns, 'campaign')}" if found.campaigns else ""
    erased = f"erased: {', '.join(parts)}{where}" if parts else "nothing of it is in the journal"
    before = "was forgotten before" if found.again else "is forgotten"
    yield f"{mask_number(number)} {before}; {erased}"
    yield "a keyed hash of it is on the do-not-call list: it is not called again"


async def purge_journal(older_than: str, journal: Path | None, *, as_json: bool) -> Exit:
    """Let go of old data.

    Raises:
        HamsaError: What was let go by then is gone, and the rest is there.
    """
    age = read_age(older_than, option="--older-than")
    async with await SqliteJournal.open(find_journal(journal), create=False) as opened:
        console = people()
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("purging", total=None)
            purged = await opened.erasure.purge(
                age, progress=lambda done, of: bar.update(task, completed=done, total=of)
            )
        console.print(_purged(purged))
        done = await _overwrite(opened.erasure)
        copies = opened.erasure.copies()
    if as_json:
        print_json(_as_json(purged, done, copies))
    return Exit.DONE if done else Exit.FAILURES


def _purged(purged: Purged) -> str:
    return (
        f"purged: {counted(purged.contacts, 'contact')}, {counted(purged.calls, 'call')},"
        f" {counted(purged.deliveries, 'webhook event')}; numbers, states and counts stay"
    )


def _as_json(
    erased: Forgotten | Purged, done: Overwritten, copies: Sequence[Path]
) -> dict[str, Any]:
    return {
        **attrs.asdict(erased),
        "overwritten": attrs.asdict(done),
        "copies": [str(copy) for copy in copies],
    }


async def _overwrite(erasure: Erasure) -> Overwritten:
    """See to the bytes, and say what is left."""
    done = await erasure.overwrite()
    if not done.log:
        complain(
            "it is still in the journal's write-ahead log, which another process is reading; run"
            " this command again when that one has ended"
        )
    if not done.pages:
        complain(
            "an earlier version may have left copies in unused parts of the journal's file, which"
            " is too large to be rewritten while campaigns are dialed; run this command again when"
            " none is"
        )
    if copies := erasure.copies():
        names = ", ".join(visible(str(copy)) for copy in copies)
        people().print(f"copies of before an upgrade still hold it; delete them: {names}")
    return done
