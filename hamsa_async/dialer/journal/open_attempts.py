"""The index that lets a number have one open attempt, limited in words that cost a write little."""

from typing import Final

INDEX: Final = """
    -- With `IN` SQLite built a table of the four states for each attempt that was written, and
    -- two for each that was settled: a third of what the statements of a call cost.
    DROP INDEX open_attempts;
    CREATE UNIQUE INDEX open_attempts ON attempts (phone_number) WHERE (state = 'intended'
        OR state = 'placed' OR state = 'review' OR state = 'unknown');
"""
