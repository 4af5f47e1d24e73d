"""Make the journal of the present schema version that is kept here; see README.md."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hamsa_async.dialer import Budget, SqliteJournal
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.journal.records import Identity, Settlement
from hamsa_async.dialer.journal.schema import SCHEMA_VERSION
from hamsa_async.dialer.machine import AttemptState, Happening
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_PROJECT_ID

SETTINGS = {
    "voice_agent_id": FAKE_AGENT_ID,
    "from_number": None,
    "policy": "none",
    "params": {},
    "country": None,
}
ROWS = [
    *(
        Row(row=row, phone_number=f"+9715012{row:05d}", contact_id=f"c{row}", params={"name": "x"})
        for row in range(1, 7)
    ),
    Row(row=7, phone_number="+971501299999", state="skipped", reason="dnc", detail="The list."),
    Row(row=8, phone_number="junk", state="invalid", reason="not_a_number", detail="No number."),
]
ENDS = [
    *(
        Settlement(
            state=AttemptState.PLACED,
            happening=Happening.PLACED,
            call_id=call_id,
            ends_by=datetime(2100, 1, 1, tzinfo=UTC),
        )
        for call_id in ("call-1", "call-2")
    ),
    Settlement(state=AttemptState.REFUSED, happening=Happening.REFUSED, status=400, reason="no"),
    Settlement(state=AttemptState.NOT_SENT, happening=Happening.RETURNED, reason="no connection"),
]


async def main(path: Path) -> None:
    """Write it."""
    async with await SqliteJournal.open(path) as journal:
        await journal.identify(Identity(base_url="http://127.0.0.1:1", project_id=FAKE_PROJECT_ID))
        record = await journal.add_campaign("frozen", SETTINGS)
        await journal.stage(record.id, ROWS, first=True)
        await journal.staged(record.id)
        await journal.take_over(record.id, SETTINGS)
        run, _ = await journal.begin_run(
            record.id, budget=Budget(max_calls=900).as_json(), longest=timedelta(minutes=5)
        )
        candidates = await journal.pending(record.id, after=0, limit=9)
        for number, candidate in enumerate(candidates[:5]):
            await journal.intend(record.id, candidate, f"att_{number}")
            if number < len(ENDS):
                await journal.settle(record.id, candidate, f"att_{number}", ENDS[number])
        await journal.recover(record.id)
        await journal.end_run(run, record.id, "interrupted", "frozen")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


if __name__ == "__main__":
    target = Path(__file__).with_name(f"v{SCHEMA_VERSION}.db")
    if target.exists():
        raise SystemExit(f"{target} is frozen")
    asyncio.run(main(target))
