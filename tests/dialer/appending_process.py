"""A process that appends a list with the Dialer API, to be killed.

python appending_process.py URL JOURNAL NAME START COUNT
"""

import asyncio
import json
import sys

from hamsa_async import HamsaClient
from hamsa_async.dialer import Dialer
from hamsa_async.testing import FAKE_API_KEY


async def main(url: str, journal: str, name: str, start: int, count: int) -> None:
    rows = [{"phone_number": f"+9715012{place:05d}"} for place in range(start, start + count)]
    async with (
        HamsaClient(FAKE_API_KEY, base_url=url) as hamsa,
        Dialer(hamsa, journal=journal) as dialer,
    ):
        appended = await dialer.append(name, rows)
        sys.stdout.write(json.dumps(appended.event.data))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], *map(int, sys.argv[4:])))
