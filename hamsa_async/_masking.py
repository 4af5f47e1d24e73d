"""What may be shown of a phone number or a secret: the one place that decides it.

Logs, `repr`, errors and the terminal go through here. Files that the operator asks for
(`report`, `--json`) carry whole numbers and do not.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

HIDDEN: Final = "***"

# A run of digits long enough to be somebody's number, with the marks people put between them.
_NUMBER = re.compile(r"\+?\d(?:[\s().-]?\d){6,}")

# What a server calls a request: one word with a letter in it, and no number in full.
_ID = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[\w.:=/-]{1,128}", re.ASCII)

# A date of our days, with its time if there is one, that no further digits belong to.
_DATE = re.compile(
    r"(?<![\d+])(?<!\d[\s().-])"
    r"((?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d)?)?)"
    r"(?![\s().-]*\d)"
)

# How names, lower-cased and without "_" and "-", end whose values never leave the process:
# `authSecret`, `accessToken`, `llmConfig.apiKey`, `sipPassword`. Hamsa echoes them in answers,
# at any depth. `maxTokens` is none of them.
_SECRET_ENDINGS: Final = ("apikey", "authorization", "password", "privatekey", "secret", "token")


def mask_number(number: str) -> str:
    """Show who is meant without showing the number: `+971501234567` -> `+9715*****67`.

    Numbers of eight characters or fewer keep their first two only.
    """
    if len(number) <= 8:
        return number[:2] + "*" * max(len(number) - 2, 0)
    return number[:5] + "*" * (len(number) - 7) + number[-2:]


class MaskedNumber(str):
    """A number that is whole as a text, and masked in its `repr`.

    A pickle has to carry it and does so backwards: whoever searches a dump finds no number.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(mask_number(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _turned_back, (self[::-1],)


def _turned_back(backwards: str) -> MaskedNumber:
    return MaskedNumber(backwards[::-1])


def mask_text(text: str) -> str:
    """Mask every run of seven or more digits in a text that somebody else wrote."""
    return _NUMBER.sub(lambda match: mask_number(match.group()), text)


def mask_id(text: str) -> str:
    """Keep what looks like a server's id, digits and all; mask the numbers in anything else."""
    return text if _ID.fullmatch(text) else mask_text(text)


def mask_all_but_dates(text: str) -> str:
    """Do as `mask_text` does, and leave dates as they are: `2026-03-01`, `2026-03-01 09:30`."""
    parts = _DATE.split(text)
    return "".join(part if at % 2 else mask_text(part) for at, part in enumerate(parts))


def scrub(value: Any) -> Any:
    """Copy a JSON-like value with every secret replaced by `***`, at any depth."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _is_secret(key) and item is not None else scrub(item)
            for key, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [scrub(item) for item in value]
    return value


def secrets_in(value: Any) -> set[str]:
    """Collect the texts that `scrub` would replace."""
    if isinstance(value, Mapping):
        found: set[str] = set()
        for key, item in value.items():
            if _is_secret(key) and isinstance(item, str):
                found.add(item)
            else:
                found |= secrets_in(item)
        return found
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return set().union(*map(secrets_in, value))
    return set()


def hide(text: str, secrets: Iterable[str]) -> str:
    """Replace each of these texts by `***`, the longest first."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def show_text(value: object) -> str:
    """A `repr` for what a server wrote: numbers in it are masked.

    Where a text was promised and something with parts came, nothing of it is shown.
    """
    if isinstance(value, str):
        return repr(mask_text(value))
    if isinstance(value, Mapping):
        return "{...}"
    return "[...]" if isinstance(value, list | tuple) else repr(value)


def _is_secret(name: object) -> bool:
    plain = str(name).replace("_", "").replace("-", "").lower()
    return plain.endswith(_SECRET_ENDINGS)
