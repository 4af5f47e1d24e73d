"""The canary's pause on a terminal: what became of its calls, and whether the others are called."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from rich.table import Table
from rich.text import Text

from hamsa_async.cli.asking import read_line
from hamsa_async.cli.board import STEPS, Board
from hamsa_async.cli.output import people, shown
from hamsa_async.cli.words import STYLES
from hamsa_async.dialer import DialerEvent, EventKind, Run
from hamsa_async.dialer.journal.records import row_of
from hamsa_async.dialer.stage import Stage

_ANSWERS: Final = {"y": True, "yes": True, "نعم": True, "n": False, "no": False, "لا": False}
_FORGOTTEN: Final = frozenset({EventKind.RETURNED})


class Look:
    """Asks whether a run shall go on after its canary. The run goes on meanwhile, and is heard."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._fates: dict[str, DialerEvent] = {}
        self._made = False
        self._asking: asyncio.Task[None] | None = None
        self._board: Board | None = None

    @contextlib.asynccontextmanager
    async def on(self, board: Board) -> AsyncIterator[None]:
        """Ask where this board is shown; whatever ends the run ends the question."""
        self._board = board
        try:
            yield
        finally:
            if self._asking is not None:
                self._asking.cancel()
                await asyncio.wait([self._asking])
        if self._asking is not None and not self._asking.cancelled():
            self._asking.result()

    def take(self, event: DialerEvent) -> None:
        """Learn from an event; one of them is that somebody is to be asked."""
        if event.kind is EventKind.PACED:
            self._made = self._made or event.data["stage"] in {Stage.CLIMB, Stage.FULL}
            if event.data.get("asks") and self._asking is None:
                self._asking = asyncio.create_task(self._ask())
        elif event.attempt_id is None:
            return
        elif event.kind in _FORGOTTEN:
            self._fates.pop(event.attempt_id, None)
        elif event.attempt_id in self._fates or (
            event.kind is EventKind.INTENDED and not self._made
        ):
            self._fates[event.attempt_id] = event

    async def _ask(self) -> None:
        assert self._board is not None
        try:
            with self._board.aside():
                self._act(go_on=await self._answer())
        except Exception:
            self._run.stop("defect")  # nobody would ever answer
            raise

    def _act(self, *, go_on: bool) -> None:
        if go_on:
            self._run.go_on()
        else:
            self._run.stop("no, after the canary")

    async def _answer(self) -> bool:
        console = people()
        while True:
            console.print(self._table())
            console.print(
                "These calls were made; nobody else is called yet.\n"
                "Go on? [y/n, Enter looks again] ",
                end="",
                markup=False,
            )
            line = await read_line()
            answer = _ANSWERS.get(line.strip().lower())
            if not line:  # Ctrl-D: no answer is a no
                answer = False
            if answer is not None:
                return answer

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("row", "state", "outcome"):
            table.add_column(name, justify="right" if name == "row" else "left")
        for event in self._fates.values():
            state = STEPS[event.kind][1]
            why = event.data.get("outcome") or event.data.get("reason")
            assert event.row is not None
            row = row_of(event.row, event.list_number).removeprefix("row ")
            table.add_row(row, Text(state, style=STYLES.get(state, "")), shown(why))
        return table
