"""A campaign under faults, whose dialer is killed again and again, judged by the server's ledger.

    python tests/crash/soak.py                               # 20,000 contacts, 5 %, 10 kills
    python tests/crash/soak.py --contacts 2000 --kills 4 --seed 7

The command dials a fake server in a process of its own, is killed (SIGKILL) at random moments,
and run again; after the last kill it runs to its end. The judge is the ledger that the server
wrote to disk, held against the journal's file, which is read here without our own code.

It prints its report as Markdown. Exit code 0: all is as it must be; 1: the findings are printed.
"""

import argparse
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import rig

NAME = "soak"
OVER = {"done", "refused", "review"}
"""Where a contact may end: nobody is pending, dialing, placed or unknown at the end."""


@attrs.define(kw_only=True)
class Soak:
    """One soak."""

    contacts: int
    faults: float
    kills: int
    concurrency: int
    seed: int
    folder: Path
    chance: random.Random = attrs.field(init=False)
    log: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    def run(self) -> tuple[dict[str, object], list[str]]:
        """Give what was seen, and what is not as it must be."""
        began = time.monotonic()
        with rig.Rig(self.folder) as processes:
            server = self._server(processes)
            args = rig.run_args(
                self.journal,
                NAME,
                rig.write_list(self.folder / "list.csv", rig.numbers_of(self.contacts)),
                *("--concurrency", self.concurrency),
            )
            for nth in range(self.kills):
                while not self._kill_one(processes, server, args, nth + 1):
                    pass
            while (last := processes.ask(*args)).code == 2:
                self._tell("a run did not start: what it must read first could not be read")
            self._tell(f"the last run ended with {last.code}")
            reconciled = processes.ask(
                *("campaign", "reconcile", NAME, "--journal", self.journal, "--lag", 1, "--json")
            )
            verified = processes.ask(
                "campaign", "verify", NAME, "--journal", self.journal, "--json"
            )
            checked = processes.ask("journal", "check", "--journal", self.journal)
            struck = server.faults()
            ledger = server.rings()
        return self._judge(
            ledger,
            struck,
            {
                "last run": last,
                "reconcile": reconciled,
                "verify": verified,
                "journal check": checked,
            },
            time.monotonic() - began,
        )

    def _server(self, processes: rig.Rig) -> rig.Server:
        plan = self.folder / "faults.json"
        plan.write_text(json.dumps(rig.fault_plan(self.faults, self.seed)))
        options = (
            *("--faults", plan, "--latency", "0.02-0.05", "--call-seconds", "0.5-3"),
            *("--outcomes", "COMPLETED=0.8,NO_ANSWER=0.15,FAILED=0.05"),
        )
        return rig.Server(processes, self.folder / "ledger.jsonl", options).start()

    def _kill_one(
        self, processes: rig.Rig, server: rig.Server, args: tuple[object, ...], nth: int
    ) -> bool:
        """Run, and kill at a random moment: while it starts, or after so many more rings.

        Gives whether it was killed: it may have ended by itself, where what a run must read
        before it dials could not be read.
        """
        with (self.folder / "dialer.log").open("ab") as log:
            process = processes.start(*args, err=log)
        before = server.ring_count()
        if self.chance.random() < 0.2:
            time.sleep(self.chance.uniform(0.0, 2.0))
            when = "while it started"
        else:
            share = self.contacts // (self.kills + 1)
            enough = before + self.chance.randrange(1, 2 * share)
            rig.until(lambda: server.ring_count() >= enough, process)
            time.sleep(self.chance.uniform(0.0, 0.05))
            when = "while it dialed"
        if (code := process.poll()) is not None:
            self._tell(f"a run ended by itself with {code}")
            if code != 2:
                raise RuntimeError("nothing is left to be killed: take more contacts")
            return False
        rig.kill(process)
        in_doubt = self._states()["dialing"]
        self._tell(
            f"kill {nth} {when}: {server.ring_count() - before} rings since the one before,"
            f" {in_doubt} contacts with an open intent"
        )
        return True

    def _states(self) -> Counter[str]:
        return Counter(state for _, state, _ in self._contacts())

    def _contacts(self) -> list[tuple[str, str, str | None]]:
        if not self.journal.exists():
            return []
        with contextlib.closing(sqlite3.connect(self.journal)) as connection:
            try:
                return connection.execute(
                    "SELECT phone_number, state, call_id FROM contacts"
                ).fetchall()
            except sqlite3.OperationalError:  # killed before it had made its tables
                return []

    def _judge(
        self,
        ledger: rig.Ledger,
        struck: Counter[str],
        ended: dict[str, rig.Answer],
        seconds: float,
    ) -> tuple[dict[str, object], list[str]]:
        contacts = self._contacts()
        states = Counter(state for _, state, _ in contacts)
        rang = {ring.phone_number: ring.call_id for ring in ledger.rings}
        twice = ledger.rung_twice()
        listed = {number for number, _, _ in contacts}
        done = {number: call_id for number, state, call_id in contacts if state == "done"}
        proved = ended["verify"].document
        findings = [
            *(f"rang {len(rings)} times: {number}" for number, rings in twice.items()),
            *(f"lost: {number}" for number in set(rig.numbers_of(self.contacts)) - listed),
            *(
                f"not over: {number} is {state}"
                for number, state, _ in contacts
                if state not in OVER
            ),
            *(f"rang, and is not done: {number}" for number in rang.keys() - done.keys()),
            *(f"done, and never rang: {number}" for number in done.keys() - rang.keys()),
            *(
                f"another call id than the ledger's: {number}"
                for number in done.keys() & rang.keys()
                if done[number] != rang[number]
            ),
            *(f"verify: {finding}" for finding in proved["findings"]),
            *(f"verify names as foreign: {call}" for call in proved["foreign"]),
        ]
        if proved["calls"] != len(ledger.rings):
            findings.append(f"verify counts {proved['calls']} calls, not {len(ledger.rings)}")
        if ended["verify"].code or ended["journal check"].code:
            findings.append(f"a check failed: {ended['verify'].err}{ended['journal check'].err}")
        if len(contacts) != self.contacts:
            findings.append(f"{len(contacts)} rows in the journal")
        seen = {
            "contacts": self.contacts,
            "requests for a call that were spoiled": f"{struck.total()}, in {len(struck)} ways",
            "kills": self.kills,
            "rings in the ledger": len(ledger.rings),
            "numbers that rang twice": len(twice),
            "rows lost": self.contacts - len(listed),
            "contacts by state": ", ".join(f"{name} {n}" for name, n in states.most_common()),
            "`done` and in the ledger with the same call id": sum(
                rang.get(number) == call_id for number, call_id in done.items()
            ),
            "calls that `verify` found on the server": proved["calls"],
            "findings of `verify`, `journal check` and this": len(findings),
            "exit codes": ", ".join(f"{name} {answer.code}" for name, answer in ended.items()),
            "seconds": round(seconds),
        }
        return seen, findings

    def _tell(self, what: str) -> None:
        self.log.append(what)
        print(what, file=sys.stderr, flush=True)


def report(soak: Soak, seen: dict[str, object], findings: list[str]) -> Iterator[str]:
    """What was seen, as Markdown."""
    yield f"{datetime.now(UTC):%Y-%m-%d}, {rig.machine()}, seed {soak.seed}."
    yield ""
    yield from rig.table(seen)
    yield ""
    yield from (f"- {what}" for what in soak.log)
    yield from (f"- **finding**: {what}" for what in findings[:50])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests spoiled")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="keep everything in this new folder")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    given: dict[str, Any] = vars(parser.parse_args())
    with contextlib.ExitStack() as ending:
        folder = given.pop("keep") or Path(
            ending.enter_context(tempfile.TemporaryDirectory(prefix="hamsa-soak-"))
        )
        folder.mkdir(exist_ok=True)
        soak = Soak(**given, folder=folder)
        seen, findings = soak.run()
    print("\n".join(report(soak, seen, findings)))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
