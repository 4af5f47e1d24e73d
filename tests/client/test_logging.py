"""Every log line has a stable action, and the documentation lists them all."""

import ast
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hamsa_async
from hamsa_async import HamsaClient, NotSentError
from hamsa_async.testing import FakeHamsa
from hamsa_async.webhooks import deliveries

PACKAGE = Path(hamsa_async.__file__).parent
PAGE = Path(__file__).parents[2] / "docs/howto/observe.md"

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
Line = tuple[str, str]
"""Action and levels, as the table writes them."""


def calls_of(of: str, *names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every `of.name(...)` of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == of and node.func.attr in names:
                yield path.relative_to(PACKAGE), node


def levels_of(call: ast.Call) -> str:
    method = call.func.attr  # type: ignore[attr-defined]
    if method == "log":
        chosen = {node.attr for node in ast.walk(call.args[0]) if isinstance(node, ast.Attribute)}
        levels = [level for level in ("DEBUG", "INFO", "WARNING", "ERROR") if level in chosen]
        return ", ".join(levels)
    return {"exception": "ERROR"}.get(method, method.upper())


def actions_of(path: Path, call: ast.Call) -> list[str]:
    """The action of a line; where several lines share a place in the code, theirs."""
    (extra,) = [keyword.value for keyword in call.keywords if keyword.arg == "extra"]
    assert isinstance(extra, ast.Dict)
    (action,) = [
        value
        for key, value in zip(extra.keys, extra.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "action"
    ]
    if isinstance(action, ast.Constant):
        return [action.value]
    return {"webhooks/receiver.py": answers, "resources/poller.py": notes}[path.as_posix()]()


def answers() -> list[str]:
    """Replies that are no success."""
    replies = [each for each in vars(deliveries).values() if isinstance(each, deliveries.Reply)]
    return [f"webhook_{reply.action}" for reply in replies if reply.status >= 400]


def notes() -> list[str]:
    """What the poller has to say of what it tries again."""
    return [
        ast.literal_eval(call.args[1])
        for path, call in calls_of("self", "_note")
        if path.name == "poller.py"
    ]


def in_the_code() -> list[Line]:
    return [
        (action, levels_of(call))
        for path, call in calls_of("log", *METHODS)
        for action in actions_of(path, call)
    ]


def in_the_docs() -> list[Line]:
    text = PAGE.read_text(encoding="utf-8").partition("<!-- log actions")[2].split("\n\n")[1]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()[2:]]
    return [(action.strip("`"), levels) for action, levels, _ in rows]


def test_the_table_of_actions_is_the_codes() -> None:
    """No line without an action, no action that is not documented, none too many."""
    assert len(in_the_docs()) == len(set(in_the_docs()))
    assert set(in_the_docs()) == set(in_the_code())


def test_there_is_one_logger() -> None:
    """Whoever wants to hear us sets up one."""
    made = list(calls_of("logging", "getLogger"))
    assert made
    assert {ast.literal_eval(call.args[0]) for _, call in made} == {"hamsa_async"}


async def test_a_line_carries_what_programs_want(
    fake: FakeHamsa, connect: Connect, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside its text, and without a hook."""
    caplog.set_level(logging.DEBUG, "hamsa_async")
    client = await connect(fake, hooks=[])
    fake.faults.next("rate_limited", retry_after="0.05")
    call = await place(client, reference="order-17")
    by_action: dict[str, list[Any]] = {}
    for record in caplog.records:
        if record.name == "hamsa_async":
            by_action.setdefault(record.action, []).append(record)  # type: ignore[attr-defined]
    assert set(by_action) == {"attempt_settled", "cooldown_started", "retry_scheduled"}
    refused, placed = by_action["attempt_settled"]
    assert (refused.certainty, refused.call_id) == ("refused", None)
    assert (placed.certainty, placed.call_id) == ("placed", call.id)
    assert {(each.operation, each.reference) for each in (refused, placed)} == {
        ("voice_agents.call", "order-17")
    }
    (cooldown,), (retry,) = by_action["cooldown_started"], by_action["retry_scheduled"]
    assert (cooldown.gate, cooldown.seconds) == ("dials", pytest.approx(0.05))
    assert (retry.operation, retry.wait) == ("voice_agents.call", pytest.approx(0.05))


async def test_at_its_usual_level_a_call_that_went_well_is_not_logged(
    fake: FakeHamsa, connect: Connect, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """And what a caller is told by an error is not told twice."""
    caplog.set_level(logging.INFO, "hamsa_async")
    client = await connect(fake)
    await place(client)
    await client.aclose()
    with pytest.raises(NotSentError):
        await place(client)
    assert [record for record in caplog.records if record.name == "hamsa_async"] == []
