"""What is left of a number that was forgotten: a keyed hash, by which it is known again.

Whoever comes with the number finds the hash; whoever has the journal finds the number only by
trying all there are, which takes minutes: a pseudonym, not anonymity. The key lies in the journal
itself: were it in a file of its own and that file lost, forgotten people would be called again.
"""

import hmac
import secrets
import sqlite3
from collections.abc import Callable
from typing import Final

FORGOTTEN: Final = "forgotten"
"""The source of the do-not-call list that names people who were forgotten."""

DETAIL: Final = "This person was forgotten (hamsa campaign forget)."
"""What a row says in the place of all that it said, or would have said."""

_PREFIX: Final = f"{FORGOTTEN}:"
IS_PSEUDONYM: Final = f"phone_number GLOB '{_PREFIX}*'"
"""As an SQL condition: there is no number any more."""

KEY: Final = "SELECT key FROM erasing WHERE key IS NOT NULL"
"""Finds nothing until the first number is forgotten: until then nobody pays for a hash."""

_KEY_BYTES: Final = 32
_HASH_BYTES: Final = 16  # of HMAC-SHA256: two numbers never share as much
_ALL_FORGOTTEN: Final = f"SELECT phone_number FROM suppressed WHERE source = '{FORGOTTEN}'"
_IS_FORGOTTEN: Final = f"SELECT 1 FROM suppressed WHERE phone_number = ? AND source = '{FORGOTTEN}'"


def is_pseudonym(text: str) -> bool:
    """Whether a text stands in the place of a number that was forgotten."""
    return text.startswith(_PREFIX)


def known_as(connection: sqlite3.Connection, number: str) -> str:
    """What the journal calls a number: by its pseudonym where it was forgotten, else as it is."""
    found = connection.execute(KEY).fetchone()
    return number if found is None else known_by(connection, found[0], number)


def known_by(connection: sqlite3.Connection, key: bytes, number: str) -> str:
    """The same, for whoever has read the key already."""
    pseudonym = _pseudonym(key, number)
    found = connection.execute(_IS_FORGOTTEN, (pseudonym,)).fetchone()
    return number if found is None else pseudonym


def renaming(connection: sqlite3.Connection) -> Callable[[str], str] | None:
    """The same, for very many numbers; `None` where nobody was forgotten."""
    found = connection.execute(KEY).fetchone()
    names = frozenset(name for (name,) in connection.execute(_ALL_FORGOTTEN))
    if found is None or not names:
        return None
    (key,) = found

    def rename(number: str) -> str:
        pseudonym = _pseudonym(key, number)
        return pseudonym if pseudonym in names else number

    return rename


def new_pseudonym(connection: sqlite3.Connection, number: str) -> str:
    """The pseudonym of a number that is being forgotten."""
    connection.execute(
        "UPDATE erasing SET key = ? WHERE key IS NULL", (secrets.token_bytes(_KEY_BYTES),)
    )
    (key,) = connection.execute(KEY).fetchone()
    return _pseudonym(key, number)


def _pseudonym(key: bytes, number: str) -> str:
    return _PREFIX + hmac.digest(key, number.encode(), "sha256")[:_HASH_BYTES].hex()
