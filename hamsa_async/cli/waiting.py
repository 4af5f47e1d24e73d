"""`hamsa call --wait`: how a call goes on, and what came of it."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

import attrs
from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.text import Text

from hamsa_async._masking import scrub
from hamsa_async.cli.exits import Exit, after_end
from hamsa_async.cli.output import people, results, shown
from hamsa_async.cli.signals import INTERRUPTIONS
from hamsa_async.cli.words import span
from hamsa_async.client import HamsaClient
from hamsa_async.errors import NotEndedError
from hamsa_async.models import REFERENCE_PARAM, CallStatus, Conversation
from hamsa_async.resources.poller import CallUpdate

_FRAMES: Final = 8  # redraws per second
_STYLES: Final[Mapping[str, str]] = {
    CallStatus.COMPLETED: "green",
    CallStatus.FORWARDED: "green",
    CallStatus.NO_ANSWER: "yellow",
    CallStatus.FAILED: "red",
    CallStatus.TERMINATED: "yellow",
}


@attrs.frozen(kw_only=True)
class Waited:
    """What waiting for a call came to."""

    status: str | None
    conversation: Conversation | None = None
    error: str | None = None
    exit_code: Exit


async def wait_for(client: HamsaClient, call_id: str, *, seconds: float | None) -> Waited:
    """Show how a call goes on until it has ended. A signal ends the waiting, not the call."""
    waiting = asyncio.ensure_future(_watch(client, call_id, seconds))
    signals: list[str] = []

    def stop(name: str) -> None:
        signals.append(name)
        waiting.cancel()

    with (
        INTERRUPTIONS.told_to(stop),
        INTERRUPTIONS.ends_with(f"ended at once; the call goes on: {call_id}"),
    ):
        try:
            last = await waiting
        except asyncio.CancelledError:
            if not signals:
                raise
            return Waited(
                status=None,
                error=f"{signals[0]}: not waited for any longer; the call goes on: {call_id}",
                exit_code=Exit.INTERRUPTED,
            )
    status = None if last.status is None else str(last.status)
    if last.conversation is not None:
        return Waited(
            status=status, conversation=last.conversation, exit_code=after_end(last.status)
        )
    return Waited(status=status, error=_why(last, call_id), exit_code=Exit.UNKNOWNS)


async def _watch(client: HamsaClient, call_id: str, seconds: float | None) -> CallUpdate:
    async with client.conversations.watch([call_id], timeout=seconds) as updates:
        with make_view() as view:
            update = await anext(updates)
            while not update.is_last:
                view.show(update.status)
                update = await anext(updates)
    return update


def _why(last: CallUpdate, call_id: str) -> str:
    if isinstance(last.error, NotEndedError):
        return str(last.error)
    return f"call {call_id} is placed, and what becomes of it cannot be read: {last.error}"


# -- while it goes on


class View(Protocol):
    """Shows how a call goes on."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show no more."""

    def show(self, status: str | None) -> None:
        """Show a change of its status."""


class LiveView:
    """The status and for how long, redrawn in place; gone when the call has ended."""

    def __init__(self, console: Console) -> None:
        self._status = "placed"
        self._began = time.monotonic()
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self.picture,
            console=console,
            refresh_per_second=_FRAMES,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, status: str | None) -> None:
        """Take a status."""
        self._status = shown(status)

    def picture(self) -> RenderableType:
        """What is shown now."""
        line = Text(self._status, style=_STYLES.get(self._status, "bold"))
        line.append(f"  {span(time.monotonic() - self._began)}", style="dim")
        self._spinner.update(text=line)
        return self._spinner


class PlainView:
    """A line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: str | None) -> None:
        """Print it."""
        self._console.print(f"status: {shown(status)}")


def make_view() -> View:
    """The view that fits where it is shown."""
    console = people()
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        return LiveView(console)
    return PlainView(console)


# -- what came of it


def print_end(conversation: Conversation) -> None:
    """Show a person what came of a call: status, outcome, transcript."""
    console = results()
    status = shown(None if conversation.status is None else str(conversation.status))
    seconds = conversation.call_duration
    lasted = f", {span(seconds)}" if isinstance(seconds, int | float) else ""
    console.print(Text(f"ended: {status}{lasted}", style=_STYLES.get(status, "")))
    _print_part(console, "outcome", [Text(line) for line in _outcome_lines(conversation)])
    _print_part(console, "transcript", list(_transcript(conversation, console)))


def _print_part(console: Console, title: str, lines: Sequence[Text]) -> None:
    if not lines:
        return
    console.print(f"{title}:")
    for line in lines:
        if console.is_terminal:
            console.print(Padding(line, (0, 0, 0, 2), expand=False))
        else:
            console.print(Text("  ").append_text(line), soft_wrap=True)


def _outcome_lines(conversation: Conversation) -> Iterator[str]:
    for name, value in scrub(_outcome(conversation)).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{_line(str(name))}: {_line(text)}"


def _transcript(conversation: Conversation, console: Console) -> Iterator[Text]:
    for turn in conversation.transcript:
        if not console.is_terminal:
            yield Text(f"{_line(turn.speaker)}: {_line(turn.text)}")
            continue
        # A text has a line of its own: a terminal takes a line's direction from its first letter,
        # and Arabic behind a Latin name would have its full stop on the wrong side.
        yield Text(_line(turn.speaker), style="bold")
        yield Text(_line(turn.text))


def _line(text: str) -> str:
    return shown(" ".join(text.split()))


def conversation_as_json(conversation: Conversation | None) -> dict[str, Any] | None:
    """What came of a call for a program, with whole numbers and without secrets."""
    if conversation is None:
        return None
    return {
        "status": conversation.status,
        "call_duration": conversation.call_duration,
        "outcome": scrub(_outcome(conversation)),
        "transcript": [
            {"speaker": turn.speaker, "text": turn.text} for turn in conversation.transcript
        ],
        "media_url": conversation.media_url,
    }


def _outcome(conversation: Conversation) -> dict[str, Any]:
    return {key: value for key, value in conversation.outcome.items() if key != REFERENCE_PARAM}
