"""`hamsa whoami`: whose key it is, and which server it is for."""

from typing import Annotated

from cyclopts import Parameter

from hamsa_async.cli.documents import document
from hamsa_async.cli.exits import Exit
from hamsa_async.cli.output import print_json, visible
from hamsa_async.cli.particulars import in_line, print_particulars
from hamsa_async.cli.reading import key_origin, reading
from hamsa_async.config import REGIONS


async def whoami(
    *,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    fake: bool = False,
) -> Exit:
    """Show the project that the key belongs to, the server, and where the key comes from.

    It is the quickest way to try a key. The key itself is never shown.

    Args:
        as_json: Print one JSON document on stdout.
        fake: Look at an example account instead of your own; needs no key.
    """
    async with reading(fake=fake) as client:
        project = await client.projects.current()
        server = client.config.base_url
    region = next((name for name, url in REGIONS.items() if url == server), None)
    key = None if fake else key_origin()
    if as_json:
        print_json({"project": document(project), "server": server, "region": region, "key": key})
        return Exit.DONE
    ended = " (deactivated)" if project.is_deactivated else ""
    print_particulars(
        [
            ("project", f"{in_line(project.name or '?')}{ended}"),
            ("project id", visible(project.id)),
            ("server", server if region is None else f"{server} (region {region})"),
            ("key", visible(key or "the example's own")),
        ]
    )
    return Exit.DONE
