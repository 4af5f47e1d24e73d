"""`hamsa serve`: take webhooks into the journal."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hamsa_async.cli.exits import Exit
from hamsa_async.cli.journals import find_journal
from hamsa_async.cli.output import people
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.dialer import SqliteJournal
from hamsa_async.errors import ConfigurationError

if TYPE_CHECKING:
    from hamsa_async.webhooks import Secrets

SECRET: Final = "HAMSA_WEBHOOK_SECRET"  # noqa: S105 - its name


def webhook_secrets() -> "Secrets":
    """The master secret that calls' own secrets are made from.

    Raises:
        ConfigurationError: There is none, or it is too short.
    """
    master = os.environ.get(SECRET, "").strip()
    if not master:
        raise ConfigurationError(
            f"{SECRET} is needed: the master secret that each call's own is made from, the same"
            " for serve and run. Make one with"
            " python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    # The server in it is much to import, and the other commands do without.
    from hamsa_async.webhooks import Secrets  # noqa: PLC0415

    return Secrets(master=master)


async def serve(*, host: str = "127.0.0.1", port: int = 8080, journal: Path | None = None) -> Exit:
    """Take webhooks at /webhook into the journal, for campaigns that run with --webhook-url.

    The master secret is read from HAMSA_WEBHOOK_SECRET. It speaks plain HTTP: put what ends TLS
    in front of it, since Hamsa wants HTTPS. GET /webhook/health says that it is there. Stop it
    with Ctrl-C.

    Args:
        host: Where to listen.
        port: The port; 0 takes a free one and says which.
        journal: The journal; by default yours.
    """
    from hamsa_async.webhooks import Receiver, serving  # noqa: PLC0415 - as above

    secrets = webhook_secrets()
    stopped = asyncio.Event()
    async with await SqliteJournal.open(find_journal(journal, make_folder=True)) as opened:
        receiver = Receiver(opened, secrets)
        with INTERRUPTIONS.told_to(lambda _: stopped.set()):
            try:
                async with serving(receiver, host=host, port=port) as url:
                    people().print(f"taking webhooks at {url}; Ctrl-C stops it")
                    await stopped.wait()
            except (OSError, OverflowError) as error:
                why = getattr(error, "strerror", None) or error
                raise ConfigurationError(
                    f"webhooks cannot be taken at {host}:{port}: {why}"
                ) from error
    taken = receiver.counts
    people().print(
        f"{taken['stored']} stored, {taken['repeated']} had been; "
        f"{taken['refused']} refused, {taken['junk']} junk"
    )
    return Exit.DONE
