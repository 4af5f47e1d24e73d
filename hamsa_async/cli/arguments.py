"""What the commands' arguments mean."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import platformdirs

from hamsa_async.dialer import HAMSA_DEFAULT
from hamsa_async.dialer.numbers import NumberProblem, normalise
from hamsa_async.errors import ConfigurationError, JournalError


def read_params(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Read `k=v` pairs.

    Raises:
        ConfigurationError: One has no `=`, or a name is given twice.
    """
    params: dict[str, Any] = {}
    for pair in pairs or ():
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            msg = f"--param {pair!r} is not name=value"
            raise ConfigurationError(msg)
        if name in params:
            msg = f"--param {name} is given twice"
            raise ConfigurationError(msg)
        params[name] = value
    return params


def read_rate(text: str | None, default: float | None) -> float | None:
    """Read `--rate`: call starts per second, or `none` for unpaced.

    Raises:
        ConfigurationError: It is neither.
    """
    if text is None:
        return default
    if text.strip().lower() == "none":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        msg = f"--rate {text!r} is neither a number of call starts per second nor none"
        raise ConfigurationError(msg)
    return rate


def read_number(text: str, *, what: str, country: str | None = None) -> str:
    """Read a phone number as E.164.

    Raises:
        ConfigurationError: It is no number that can be called.
    """
    try:
        return normalise(text, country=country)
    except NumberProblem as problem:
        msg = f"{what}: {problem.code.sentence}"
        raise ConfigurationError(msg) from None


def read_from_number(text: str | None, country: str | None = None) -> str | None:
    """Read `--from`: a caller number, or `hamsa-default`."""
    if text is None or text == HAMSA_DEFAULT:
        return text
    return read_number(text, what="--from", country=country)


def find_journal(path: Path | None) -> Path:
    """The journal's path: the one given, else the user's own, whose folder is made.

    Raises:
        JournalError: The folder cannot be made.
    """
    if path is not None:
        return path
    folder = platformdirs.user_data_path("hamsa")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"the folder {folder} cannot be made ({error.strerror}); choose a journal with --journal"
        raise JournalError(msg) from error
    return folder / "journal.db"


def caller_is_needed(from_number: str | None, *, loopback: bool) -> None:
    """Refuse to leave the caller number to chance.

    Raises:
        ConfigurationError: There is none, and the server is not on this machine.
    """
    if from_number is None and not loopback:
        msg = (
            "--from is needed: without it Hamsa calls from a foreign number"
            f" (--from {HAMSA_DEFAULT} takes it knowingly)"
        )
        raise ConfigurationError(msg)


def short_path(path: Path) -> str:
    """A path as a person would write it."""
    home = os.path.expanduser("~")
    text = str(path)
    return "~" + text[len(home) :] if text.startswith(home + os.sep) else text
