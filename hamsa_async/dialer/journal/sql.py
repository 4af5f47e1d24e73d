"""What the journal's SQL is put together from, and how a write is made whole."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator


def quoted(states: Iterable[str]) -> str:
    """Write states of ours as a list of SQL literals. Nothing from outside comes this way."""
    return ", ".join(f"'{state}'" for state in sorted(states))


def one_of(column: str, states: Iterable[str]) -> str:
    """Write that a column has one of our states.

    Not by `IN`: with more than two values SQLite makes a table of them each time, also for each
    write to a table with an index that is so limited.
    """
    return f"({' OR '.join(f'{column} = {quoted([state])}' for state in sorted(states))})"


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of it or nothing, with the lock taken first: what is read in it stays true."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo what is open. Where not even that can be written, SQLite does it at the next start."""
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
