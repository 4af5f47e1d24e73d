"""A process that runs one campaign with the Dialer API, to be killed.

    python dialing_process.py URL JOURNAL NAME START COUNT CONCURRENCY [SETTINGS]

SETTINGS are more of the campaign's, as JSON. It prints how the run ended as one line of JSON.
"""

import asyncio
import json
import sys
from typing import Any

from hamsa_async import HamsaClient
from hamsa_async.dialer import Campaign, Dialer
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY


async def main(url: str, journal: str, name: str, *sizes: int, settings: Any) -> None:
    start, count, concurrency = sizes
    rows = [{"phone_number": f"+9715012{place:05d}"} for place in range(start, start + count)]
    usual = {"voice_agent_id": FAKE_AGENT_ID, "rate": None, "concurrency": concurrency}
    campaign = Campaign(name=name, **{**usual, **settings})
    async with (
        HamsaClient(FAKE_API_KEY, base_url=url) as hamsa,
        Dialer(hamsa, journal=journal) as dialer,
    ):
        run = dialer.run(campaign, rows, wait=False)
        async for _ in run:
            pass
        assert run.finish is not None
        sys.stdout.write(json.dumps([run.finish.ending, run.finish.reason, run.counts]))


if __name__ == "__main__":
    more = json.loads(sys.argv[7]) if len(sys.argv) > 7 else {}
    asyncio.run(main(*sys.argv[1:4], *map(int, sys.argv[4:7]), settings=more))
