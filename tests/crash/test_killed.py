"""Processes are killed at random moments; nobody is rung twice, and nobody is lost."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.crash

CONTACTS = 2_000
CONCURRENCY = 50
KILLS = 10
CAMPAIGNS = 4
POOL = 400  # numbers that the four lists are drawn from
DRAWN = 220
ROUNDS = 3

# The lag is one second here, so that doubts of an earlier kill may have come to `review`.
RANG_OR_MAY_HAVE = {"done", "placed", "unknown", "review"}


@pytest.fixture
def chance() -> random.Random:
    """Randomness whose seed is shown when the test fails."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")  # pytest shows it when the test fails
    return random.Random(seed)


class Killer:
    """Kills a run at a random moment: while it starts, or after so many more rings."""

    def __init__(self, chance: random.Random, server: Any, tools: Any) -> None:
        self._chance = chance
        self._server = server
        self._tools = tools

    def plan(self, *, rings: int) -> Callable[[subprocess.Popen[str]], None]:
        """Choose the moment; give the deed."""
        at_start = self._chance.random() < 0.25
        moment = self._chance.uniform(0.0, 1.5)
        target = self._chance.randrange(rings)
        while_sending = self._chance.uniform(0.0, 0.03)

        def kill(process: subprocess.Popen[str]) -> None:
            if at_start:
                time.sleep(moment)
            else:
                enough = self._server.ring_count() + target
                self._tools.until(lambda: self._server.ring_count() >= enough, process)
                time.sleep(while_sending)
            self._tools.end(process)

        return kill


def test_ten_kills(
    serve: Any, dial_at: Any, contacts: Any, tools: Any, chance: random.Random
) -> None:
    """2,000 contacts, killed ten times: each rings once at the most, and each is accounted for."""
    server = serve("--latency", "0.02-0.05")
    dial = dial_at(server)
    killer = Killer(chance, server, tools)
    path = contacts(CONTACTS)
    open_before = 0
    for number in range(KILLS):
        process = dial.start(path, "--concurrency", CONCURRENCY)
        killer.plan(rings=CONTACTS // KILLS)(process)
        counts = dial.counts()
        open_now = counts["unknown"] + counts["review"] + counts["dialing"]
        assert open_now <= open_before + CONCURRENCY, f"kill {number}: {counts}"
        open_before = open_now

    # Absence is not believed on one look, so what never rang stays in doubt for longer than this.
    last = dial.run(path, "--concurrency", CONCURRENCY, "--no-wait")
    rows = dial.rows()
    states = Counter(row["state"] for row in rows)
    in_doubt = states["unknown"] + states["review"]
    last.ends(4 if in_doubt else 7 if states["placed"] else 0)
    assert states.keys() <= RANG_OR_MAY_HAVE
    assert states.total() == CONTACTS
    assert in_doubt <= open_before
    numbers = {row["phone_number"]: row["state"] for row in rows}
    rings = server.rings()
    assert set(rings) <= numbers.keys()
    assert {number for number, state in numbers.items() if state == "done"} <= set(rings)
    dial.check()


def test_four_campaigns_on_one_journal(
    serve: Any, dial_at: Any, contacts: Any, tools: Any, chance: random.Random
) -> None:
    """Four processes over overlapping lists, killed at random: a number rings for one of them."""
    server = serve("--latency", "0.02-0.05")
    dial = dial_at(server)
    killer = Killer(chance, server, tools)
    pool = tools.numbers_of(POOL)
    lists = {
        f"campaign-{at}": contacts(chance.sample(pool, DRAWN), name=f"{at}.csv")
        for at in range(CAMPAIGNS)
    }

    def start(name: str) -> subprocess.Popen[str]:
        args = (lists[name], "--no-wait", "--concurrency", 10)
        process: subprocess.Popen[str] = dial.start(*args, name=name)
        return process

    for _ in range(ROUNDS):
        running = {name: start(name) for name in lists}
        victims = chance.sample(sorted(lists), 3)
        for name in victims:
            killer.plan(rings=POOL // ROUNDS // 4)(running[name])
        for name in lists.keys() - set(victims):
            assert tools.finished(running[name]).code in {0, 4, 7}
    ended = {name: tools.finished(start(name)) for name in lists}

    placed_or_unknown: Counter[str] = Counter()
    held = 0
    rows_of = {name: dial.rows(name) for name in lists}
    for name, rows in rows_of.items():
        assert len(rows) == DRAWN
        states = Counter(row["state"] for row in rows)
        assert states.keys() <= RANG_OR_MAY_HAVE | {"deferred"}
        # Whoever was quickest may have been first at all of its numbers.
        in_doubt = states["unknown"] + states["review"]
        ended[name].ends(4 if in_doubt else 7 if states["deferred"] or states["placed"] else 0)
        held += states["deferred"]
        assert all(
            row["reason"] in {"number_open", "min_gap"}
            for row in rows
            if row["state"] == "deferred"
        )
        placed_or_unknown.update(
            row["phone_number"] for row in rows if row["state"] in RANG_OR_MAY_HAVE
        )
    assert held > 0
    listed = {row["phone_number"] for rows in rows_of.values() for row in rows}
    assert placed_or_unknown == Counter(listed)
    assert set(server.rings()) <= listed
    dial.check()
