"""The documentation says what the code does: its table, its words, its names, its examples."""

import ast
import asyncio
import importlib
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamsa_async._verdicts import Again, Verdict, judge
from hamsa_async.errors import Certainty
from hamsa_async.testing import FAKE_API_KEY, FakeHamsa

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]

STATUSES = range(100, 600)


def test_the_layers_drawn_are_those_checked() -> None:
    """The design page draws the layers that the lint session checks."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (checked,) = (one["layers"] for one in contracts if one["type"] == "layers")
    text = (DOCS / "explanation/design.md").read_text(encoding="utf-8")
    drawn = text.partition("## Layers")[2].split("```")[1].split("\n")[1:-1]
    assert [line.split() for line in drawn] == [line.split(" | ") for line in checked]


# -- the retry table


def table() -> list[list[str]]:
    """The rows of the promise's table, cell by cell."""
    text = (DOCS / "explanation/promise.md").read_text(encoding="utf-8")
    _, _, after = text.partition("<!-- retry table")
    lines = [line for line in after.split("\n\n")[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def cases(what: str, taken: set[int]) -> list[dict[str, object]]:
    """What a row's first cell means, as arguments of `judge`, where rows above took `taken`."""
    if what.startswith("not handed"):
        return [
            {"handed": False, "status": status, "body_ok": body_ok}
            for status in (None, *STATUSES)
            for body_ok in (True, False)
        ]
    if what.startswith("no answer"):
        return [{"handed": True, "status": None, "body_ok": False}]
    if what.startswith("2xx"):
        body_ok = what.endswith("the documented shape")
        taken.update(range(200, 300))
        return [
            {"handed": True, "status": status, "body_ok": body_ok} for status in range(200, 300)
        ]
    if (family := re.fullmatch(r"any (?:other )?(\d)xx", what)) is not None:
        hundreds = int(family[1]) * 100
        meant = set(range(hundreds, hundreds + 100)) - taken
    elif what == "any other status":
        meant = set(STATUSES) - taken
    else:
        meant = {int(status) for status in what.split(", ")}
    taken |= meant
    return [
        {"handed": True, "status": status, "body_ok": body_ok}
        for status in sorted(meant)
        for body_ok in (True, False)
    ]


def in_words(verdict: Verdict) -> str:
    """A verdict as a cell of the table says it."""
    if verdict.error is None:
        return "the answer"
    before = {
        Again.NEVER: "",
        Again.AFTER_PAUSE: "again, then ",
        Again.THROUGH_GATE: "through the gate, then ",
    }
    return f"{before[verdict.again]}`{verdict.error.__name__}`"


def expanded() -> Iterator[tuple[str, str, str, str, dict[str, object]]]:
    """Every case of every row."""
    taken: set[int] = set()
    for what, certainty, read, write in table():
        for case in cases(what, taken):
            yield what, certainty, read, write, case


def test_the_retry_table_is_the_codes() -> None:
    """Each row says of each of its cases what `judge` says."""
    for what, certainty, read, write, case in expanded():
        of_write = judge(writes=True, **case)  # type: ignore[arg-type]
        of_read = judge(writes=False, **case)  # type: ignore[arg-type]
        said = str(of_write.certainty).replace("_", " ")
        assert (what, case, said) == (what, case, certainty)
        assert (what, case, in_words(of_read)) == (what, case, read)
        assert (what, case, in_words(of_write)) == (what, case, write)


def test_the_retry_table_is_total() -> None:
    """No status and no case is left out, and none is in two rows."""
    seen = [(case["handed"], case["status"], case["body_ok"]) for *_, case in expanded()]
    handed = {key[1] for key in seen if key[0]}
    assert handed == {None, *STATUSES}
    assert len(seen) == len(set(seen))


def test_a_429_that_proves_nothing_is_documented() -> None:
    """`dial_on_429=False` is the one switch of the table, and the page says what it does."""
    verdict = judge(writes=True, handed=True, status=429, body_ok=False, dial_on_429=False)
    assert verdict.certainty is Certainty.UNKNOWN
    assert verdict.again is Again.NEVER
    page = (DOCS / "explanation/promise.md").read_text(encoding="utf-8")
    assert "`RetryPolicy(dial_on_429=False)` makes such a call unknown and sends it once" in page


# -- words and names


def test_the_glossary_has_every_state() -> None:
    """Each state of an attempt and of a contact is explained in a line."""
    machine = pytest.importorskip("hamsa_async.dialer.machine")
    terms = {
        line
        for block in re.findall(
            r"```{glossary}\n(.*?)```",
            (DOCS / "glossary.md").read_text(encoding="utf-8"),
            re.DOTALL,
        )
        for line in block.splitlines()
        if line and not line.startswith(" ")
    }
    states = {*machine.AttemptState, *machine.ContactState, *Certainty}
    assert {state.value.replace("_", " ") for state in states} <= terms


def test_every_public_name_is_in_the_reference() -> None:
    """Where a name lives, there is a page that documents its module."""
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(r"automodule:: (\S+)", text))
    for part in ("", ".dialer", ".testing", ".webhooks"):
        name = f"hamsa_async{part}"
        package = importlib.import_module(name)
        tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
        for node in tree.body:
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            # A package's page may show what it imports; `models` has a page for each module.
            shown = {node.module, name} & documented or node.module == "hamsa_async.models"
            assert shown or node.module == "hamsa_async._version", node.module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_one_sentence_per_line(page: Path) -> None:
    """A diff of the docs shows the sentence that changed."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    # Paragraphs: tables, headings and the items of lists may hold more.
    prose = [line for line in text.splitlines() if re.match(r"[A-Z`*\[]", line)]
    assert [line for line in prose if re.search(r"[a-z`)*]\. [A-Z`*]", line)] == []


# -- examples


def blocks() -> Iterator[tuple[str, str]]:
    """Every Python block of README and docs, with a name."""
    for page in [ROOT / "README.md", *PAGES]:
        text = page.read_text(encoding="utf-8")
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL), start=1):
            yield f"{page.relative_to(ROOT)}:{number}", code


EXAMPLES = [pytest.param(code, id=name) for name, code in blocks()]


async def run(*command: str, **environment: str) -> str:
    """Run a Python in a process of its own; give what it said, or fail with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.parametrize("code", EXAMPLES)
async def test_examples_run(code: str, fake_hamsa: FakeHamsa, tmp_path: Path) -> None:
    """A script runs against the fake, tests pass, an application is made, and the rest compiles.

    Where a text says `...` there is something to fill in, so it cannot run.
    """
    compile(code, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if '..."' in code:
        return
    if "asyncio.run(main())" in code:
        fake_hamsa.call_seconds = (0.1, 0.5)  # some wait for the end
        await run("-c", code, HAMSA_API_KEY=FAKE_API_KEY, HAMSA_BASE_URL=fake_hamsa.base_url)
        assert fake_hamsa.ledger.rung_twice() == {}
    elif "\napp = " in code:
        await run("-c", code, HAMSA_WEBHOOK_SECRET="s3cret")
    elif "def test_" in code:
        file = tmp_path / "test_example.py"
        file.write_text(code, encoding="utf-8")
        options = ("-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
        await run("-m", "pytest", f"--rootdir={tmp_path}", *options, str(file))
