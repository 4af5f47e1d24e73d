"""Where the command speaks: results on stdout, everything else on stderr.

A stream that cannot be written to (its reader has left, the disk is full, the terminal is gone)
never stops a campaign: from then on nothing is said there.
"""

import contextlib
import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, TextIO, cast

from rich.console import Console

from hamsa_async._masking import mask_text

_WIDE: Final = 160  # columns where there is no terminal that could be too narrow
_JOINERS: Final = frozenset({"\u200c", "\u200d"})  # part of words, in Persian say


class Forgiving:
    """A text stream that goes silent, and remembers why, when it cannot be written to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write, if that is still possible."""
        with self._forgiven():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write them, if that is still possible."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, if that is still possible."""
        with self._forgiven():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _forgiven(self) -> Any:
        try:
            yield
        except OSError as error:
            if self.failure is None:
                self.failure = error
                # What is buffered still wants to go somewhere when the process ends.
                with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def forgive() -> tuple[Forgiving, Forgiving]:
    """Make stdout and stderr forgiving, whatever they are; give both."""
    made = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when we were started
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the locale cannot write
        forgiving = Forgiving(stream)
        setattr(sys, name, forgiving)
        made.append(forgiving)
    return made[0], made[1]


def people() -> Console:
    """The console for people: progress, questions, notices. On stderr."""
    return _console(stderr=True, soft_wrap=True)


def results() -> Console:
    """The console for a result that a person asked for. On stdout."""
    return _console(stderr=False, soft_wrap=False)


def _console(*, stderr: bool, soft_wrap: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=stderr,
        soft_wrap=soft_wrap,
        width=_WIDE if wide else None,
        # Names and ids come from outside: brackets and colons in them mean nothing.
        highlight=False,
        markup=False,
        emoji=False,
    )


def nobody_reads() -> bool:
    """Whether stdout cannot be written to any more: its reader has left, mostly."""
    return getattr(sys.stdout, "failure", None) is not None


def machine() -> TextIO:
    """Stdout for what a program reads: UTF-8, whatever the locale."""
    with contextlib.suppress(AttributeError):
        # Half a character is written as JSON's own escape of it.
        cast("io.TextIOWrapper", sys.stdout).reconfigure(
            encoding="utf-8", errors="backslashreplace"
        )
    return sys.stdout


def complain(text: str) -> None:
    """Say in one line what is wrong."""
    print(f"hamsa: {visible(' '.join(text.split()))}", file=sys.stderr, flush=True)


def counted(count: int, thing: str) -> str:
    """So many of a thing: `1 ring`, `2 rings`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def shown(text: str | None) -> str:
    """A text from outside for people: numbers masked, nothing that moves a terminal's cursor."""
    return visible(mask_text(text or ""))


def visible(text: str) -> str:
    """The text with what steers a terminal or turns its writing direction replaced."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    steers = unicodedata.category(character) in {"Cc", "Cf"} and character not in _JOINERS
    return "\N{REPLACEMENT CHARACTER}" if steers else character


def print_json(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command."""
    target = machine()
    target.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
