"""What reading a contact list costs: CPU and memory, for each kind of list, and with its journal.

    python tests/benchmarks/lists.py --rows 1000000

Each case runs in a process of its own. CPU is that process's, all threads; memory is the most
that it had above what it had before the first row.
"""

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CASES = ("csv", "tsv", "jsonl", "stdin", "iterable", "xlsx", "journal")
MOST_IN_A_SHEET = 100_000
CITIES = ("دبي", "الرياض", "Cairo", "عمّان", "Casablanca")


def people(rows: int) -> Iterator[tuple[str, str, str, str]]:
    """So many synthetic people: number, name, city, day. Every number is another one."""
    draw = random.Random(7)
    for place in range(rows):
        yield (
            f"+97150{place % 10_000_000:07}",
            f"سارة {place}",
            draw.choice(CITIES),
            f"2027-01-{1 + place % 28:02}",
        )


HEADER = ("الجوال", "الاسم", "city", "day")


def write_delimited(path: Path, rows: int, delimiter: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(delimiter.join(HEADER) + "\n")
        file.writelines(delimiter.join(each) + "\n" for each in people(rows))


def write_lines(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for each in people(rows):
            record = dict(zip(HEADER, each, strict=True))
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_sheet(path: Path, rows: int) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("list")
        sheet.write_row(0, 0, HEADER)
        for at, each in enumerate(people(rows), start=1):
            sheet.write_row(at, 0, each)


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "csv": lambda path, rows: write_delimited(path, rows, ","),
    "tsv": lambda path, rows: write_delimited(path, rows, "\t"),
    "jsonl": write_lines,
    "stdin": lambda path, rows: write_delimited(path, rows, ","),
    "iterable": lambda _path, _rows: None,
    "xlsx": write_sheet,
    "journal": lambda path, rows: write_delimited(path, rows, ","),
}


def memory() -> float:
    """What this process has now, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def read(case: str, path: Path, rows: int) -> dict[str, float]:
    """Read one list in this process."""
    from hamsa_async.dialer.reading import read_chunks

    source = (
        (dict(zip(HEADER, each, strict=True)) for each in people(rows))
        if case == "iterable"
        else "-"
        if case == "stdin"
        else path
    )
    await warm_up()
    start, began, cpu = memory(), time.perf_counter(), time.process_time()
    most, count, longest = start, 0, 0.0
    looked = time.perf_counter()
    async for chunk in read_chunks(source):
        count += len(chunk)
        if count % 25_000 < len(chunk):
            most = max(most, memory())
        longest = max(longest, time.perf_counter() - looked)
        looked = time.perf_counter()
    assert count == rows, (count, rows)
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - began,
        "memory": max(most, memory()) - start,
    }


async def load(path: Path, rows: int) -> dict[str, float]:
    """Read one list into a journal, as a campaign takes it over."""
    from hamsa_async.dialer import Campaign, SqliteJournal
    from hamsa_async.dialer.reading import read_chunks

    settings = Campaign(name="bench", voice_agent_id="a").settings()
    await warm_up()
    async with await SqliteJournal.open(path.with_name("journal.db")) as journal:
        record = await journal.add_campaign("bench", settings)
        start, began, cpu = memory(), time.perf_counter(), time.process_time()
        most = start
        await journal.stage(record.id, [], first=True)
        async for chunk in read_chunks(path):
            await journal.stage(record.id, chunk, first=False)
            most = max(most, memory())
        staged = await journal.staged(record.id)
        await journal.take_over(record.id, settings)
        assert staged.usable == rows, (staged.usable, rows)
        return {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - began,
            "memory": max(most, memory()) - start,
        }


async def warm_up() -> None:
    """Import and compile what the first row would."""
    from hamsa_async.dialer.reading import read_chunks

    async for _ in read_chunks([dict(zip(HEADER, each, strict=True)) for each in people(1000)]):
        pass


def measure(case: str, rows: int) -> dict[str, float]:
    """Run a case in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="hamsa-bench-") as folder:
        path = Path(folder) / f"list.{'xlsx' if case == 'xlsx' else 'csv'}"
        WRITERS[case](path, rows)
        with (path if path.exists() else Path("/dev/null")).open("rb") as piped:
            done = subprocess.run(
                [sys.executable, __file__, "--case", case, "--rows", str(rows), "--path", path],
                stdin=piped,
                stdout=subprocess.PIPE,
                check=True,
            )
        found: dict[str, float] = json.loads(done.stdout)
        return found


def main() -> None:
    """Measure, and print a table for the docs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case is not None:
        work = load(given.path, given.rows)
        if given.case != "journal":
            work.close()
            work = read(given.case, given.path, given.rows)
        print(json.dumps(asyncio.run(work)))
        return
    print("| list | rows | CPU s | us a row | memory above the start, MB |")
    print("|---|---|---|---|---|")
    for case in given.only or CASES:
        rows = min(given.rows, MOST_IN_A_SHEET) if case == "xlsx" else given.rows
        found = measure(case, rows)
        each = found["cpu"] / rows * 1e6
        print(
            f"| {case} | {rows:,} | {found['cpu']:.1f} | {each:.0f} | {found['memory']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
