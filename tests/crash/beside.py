"""Two dialers at full speed on one journal, webhooks beside them, and people who steer.

    python tests/crash/beside.py                          # 4,000 contacts in each list
    python tests/crash/beside.py --contacts 300 --events 50

Two processes dial lists that overlap, with `--rate none`. A third, `hamsa serve`, takes events
into the same journal as fast as they are posted. Meanwhile numbers are put on the do-not-call
list, and a campaign is paused and resumed, each by a command of its own, whose time is measured
from its start to its end, the start of Python included. So the same is measured with nothing
beside it, and the same writes are made by a process that runs already: that is what the journal
makes somebody wait for.

It prints its report as Markdown. Exit code 0: all is as it must be; 1: the findings are printed.
The times are for the reader to judge, on whatever machine this is.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import rig

from hamsa_async.dialer import SqliteJournal
from hamsa_async.webhooks import Secrets

MASTER = "m" * 40
ALONE = "`dnc add` with nothing beside it"
ADD = "the write of `dnc add`, by a process that runs already"
RESUME = "the write of `campaign resume`, by the same"
SETTLES = timedelta(seconds=2)
"""After a command was back: for requests that were at the wire by then."""


@attrs.define
class Load:
    """Events that are posted at a receiver, and those that it took."""

    url: str
    rate: float
    taken: list[str] = attrs.field(factory=list)
    refused: int = 0
    longest: float = 0.0
    stopped: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def post(self) -> None:
        """Post until it is stopped."""
        secrets, began, count = Secrets(master=MASTER), time.monotonic(), 0
        connector = aiohttp.TCPConnector(limit=64)
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            asyncio.TaskGroup() as sending,
        ):
            while not self.stopped.is_set():
                await asyncio.sleep(max(0.0, began + count / self.rate - time.monotonic()))
                sending.create_task(self._post_one(http, secrets, f"load-{count}"))
                count += 1

    async def _post_one(self, http: aiohttp.ClientSession, secrets: Secrets, call: str) -> None:
        auth = secrets.auth_for(f"of-{call}")
        event = {
            "eventType": "call.ended",
            "callId": call,
            "data": {"data": {"conversationId": call, "transcription": [{"User": "Bye"}] * 20}},
        }
        began = time.monotonic()
        async with http.post(
            self.url,
            json=event,
            headers={"Authorization": f"{auth.auth_key} {auth.auth_secret}"},
        ) as answer:
            await answer.read()
        self.longest = max(self.longest, time.monotonic() - began)
        if answer.status == 200:
            self.taken.append(call)
        else:
            self.refused += 1


@attrs.define(kw_only=True)
class Beside:
    """One such afternoon."""

    contacts: int
    events: float
    seed: int
    folder: Path
    times: dict[str, list[float]] = attrs.field(factory=lambda: defaultdict(list))
    cpu: Counter[str] = attrs.field(factory=Counter)
    findings: list[str] = attrs.field(factory=list)
    suppressed: dict[str, datetime] = attrs.field(factory=dict)
    pauses: list[tuple[datetime, datetime]] = attrs.field(factory=list)

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    async def run(self) -> dict[str, object]:
        """Give what was seen; what is not as it must be is in `findings`."""
        every = rig.numbers_of(self.contacts * 3 // 2)
        lists = {"one": every[: self.contacts], "two": every[-self.contacts :]}
        env = {"HAMSA_WEBHOOK_SECRET": MASTER}
        with rig.Rig(self.folder, env) as processes:
            options = ("--latency", "0.02-0.05", "--call-seconds", "0.5-3")
            server = rig.Server(processes, self.folder / "ledger.jsonl", options).start()
            for _ in range(3):
                self._do(processes, ALONE, "dnc", "add", "+971509999999")
            load = Load(self._serve(processes), self.events)
            dialers = {
                name: processes.start(
                    *rig.run_args(
                        self.journal, name, rig.write_list(self.folder / f"{name}.csv", numbers)
                    ),
                    *("--concurrency", 32, "--no-wait", "--webhook-url", load.url),
                )
                for name, numbers in lists.items()
            }
            rig.until(self._both_dial, dialers["one"])
            posting = asyncio.create_task(load.post())
            began = time.monotonic()
            await self._steer(processes, dialers, every)
            await asyncio.to_thread(self._await_ends, dialers)
            seconds = time.monotonic() - began
            load.stopped.set()
            await posting
            checked = processes.ask("journal", "check", "--journal", self.journal)
            ledger = server.rings()
        if checked.code:
            self.findings.append(f"journal check: {checked.err}")
        return self._judge(ledger, load, seconds)

    def _both_dial(self) -> bool:
        with contextlib.closing(sqlite3.connect(self.journal)) as journal:
            query = "SELECT count(DISTINCT campaign) FROM attempts WHERE state <> 'intended'"
            return journal.execute(query).fetchone() == (2,)

    def _serve(self, processes: rig.Rig) -> str:
        process = processes.start(
            "serve", "--port", 0, "--journal", self.journal, err=subprocess.PIPE
        )
        assert process.stderr is not None
        found = re.search(r"at (http://\S+);", process.stderr.readline().decode())
        assert found
        return found[1]

    async def _steer(
        self,
        processes: rig.Rig,
        dialers: dict[str, "subprocess.Popen[bytes]"],
        numbers: list[str],
    ) -> None:
        """Give commands while both dial."""
        chance = random.Random(self.seed)
        later = numbers[len(numbers) // 2 :]
        chance.shuffle(later)
        async with await SqliteJournal.open(self.journal) as journal:
            record = await journal.campaign("one")
            assert record is not None
            while all(process.poll() is None for process in dialers.values()) and later:
                for _ in range(20):
                    number = later.pop()
                    await self._write(ADD, journal.suppressions.add([number]))
                    self.suppressed[number] = datetime.now(UTC)
                    await self._write(RESUME, journal.ask(record.id, None))
                    await asyncio.sleep(0.05)
                number = later.pop()
                await self._command(processes, "`dnc add` beside all that", "dnc", "add", number)
                self.suppressed[number] = datetime.now(UTC)
                await self._command(
                    processes, "`campaign pause` beside all that", "campaign", "pause", "one"
                )
                paused = datetime.now(UTC)
                await self._command(
                    processes, "`campaign status` beside all that", "campaign", "status", "two"
                )
                self.pauses.append((paused, datetime.now(UTC)))
                await self._command(
                    processes, "`campaign resume` beside all that", "campaign", "resume", "one"
                )

    async def _write(self, name: str, write: Awaitable[object]) -> None:
        began = time.monotonic()
        await write
        self.times[name].append(time.monotonic() - began)

    async def _command(self, *args: Any) -> None:
        await asyncio.to_thread(self._do, *args)

    def _do(self, processes: rig.Rig, name: str, *args: object) -> None:
        answer = processes.ask(*args, "--journal", self.journal)
        self.times[name].append(answer.seconds)
        self.cpu[name] += answer.cpu
        if answer.code:
            self.findings.append(f"{name} ended with {answer.code}: {answer.err}")

    def _await_ends(self, dialers: dict[str, "subprocess.Popen[bytes]"]) -> None:
        for name, process in dialers.items():
            code = process.wait(rig.PATIENCE)
            if code not in {0, 7}:
                self.findings.append(f"the run of {name} ended with {code}")

    def _judge(self, ledger: rig.Ledger, load: Load, seconds: float) -> dict[str, object]:
        twice = ledger.rung_twice()
        self.findings += [f"rang {len(rings)} times: {number}" for number, rings in twice.items()]
        for number, since in self.suppressed.items():
            late = [ring for ring in ledger.rings_of(number) if ring.at > since + SETTLES]
            if late:
                self.findings.append(f"{number} rang after it was on the do-not-call list")
        with contextlib.closing(sqlite3.connect(self.journal)) as journal:
            kept = {
                json.loads(body)["callId"] for (body,) in journal.execute("SELECT body FROM inbox")
            }
            of_one = {
                number
                for (number,) in journal.execute(
                    "SELECT a.phone_number FROM attempts AS a JOIN campaigns AS p"
                    " ON p.id = a.campaign WHERE p.name = 'one'"
                )
            }
        lost = set(load.taken) - kept
        self.findings += [f"answered 200 and not kept: {call}" for call in lost]
        for paused, resumed in self.pauses:
            rang = [
                ring
                for ring in ledger.rings
                if ring.phone_number in of_one and paused + SETTLES < ring.at < resumed
            ]
            self.findings += [f"{len(rang)} rings of a campaign that was paused"] if rang else []
        rings = len(ledger.rings)
        rows: dict[str, object] = {
            "contacts in each list, in both": f"{self.contacts}, {self.contacts // 2}",
            "rings in the ledger, of both": f"{rings}, {rings / seconds:.0f}/s",
            "numbers that rang twice": len(twice),
            "events taken by `serve`": f"{len(load.taken)}, {len(load.taken) / seconds:.0f}/s,"
            f" longest answer {load.longest:.2f} s, {load.refused} asked to come again",
            "events taken and not in the inbox": len(lost),
        }
        for name, times in self.times.items():
            rows[name] = (
                f"{len(times)} times: middle {statistics.median(times):.3f} s,"
                f" longest {max(times):.3f} s, {sum(each > 1 for each in times)} over a second"
                + (f"; {self.cpu[name] / len(times):.2f} s of CPU" if self.cpu[name] else "")
            )
        rows["findings"] = len(self.findings)
        return rows


def report(beside: Beside, seen: dict[str, object]) -> Iterator[str]:
    """What was seen, as Markdown."""
    yield f"{datetime.now(UTC):%Y-%m-%d}, {rig.machine()}, seed {beside.seed}."
    yield ""
    yield from rig.table(seen)
    yield from (f"- **finding**: {what}" for what in beside.findings[:50])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contacts", type=int, default=4_000, help="in each list")
    parser.add_argument("--events", type=float, default=100.0, help="posted per second")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    with tempfile.TemporaryDirectory(prefix="hamsa-beside-") as folder:
        beside = Beside(**vars(parser.parse_args()), folder=Path(folder))
        seen = asyncio.run(beside.run())
    print("\n".join(report(beside, seen)))
    return 1 if beside.findings else 0


if __name__ == "__main__":
    sys.exit(main())
