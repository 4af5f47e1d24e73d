"""What the journal keeps for the rules: what the list says of a person, and who is not called."""

from typing import Final

TABLES: Final = """
    -- What the list says of a person's clock and consent.
    ALTER TABLE contacts ADD COLUMN timezone TEXT;
    ALTER TABLE contacts ADD COLUMN consent INTEGER;
    ALTER TABLE contacts ADD COLUMN consent_at INTEGER;
    -- Where the person was taken to be when they were called, and who said so.
    ALTER TABLE attempts ADD COLUMN zone TEXT;
    ALTER TABLE attempts ADD COLUMN zone_source TEXT;
    -- Who is not called, by which source: a register, the operator, the person in a call.
    CREATE TABLE suppressed (
        phone_number TEXT NOT NULL,
        source TEXT NOT NULL,
        since INTEGER NOT NULL,
        -- The import that named it last.
        stamp INTEGER NOT NULL,
        PRIMARY KEY (phone_number, source)
    ) WITHOUT ROWID;
    CREATE INDEX suppressed_by_source ON suppressed (source, stamp);
    CREATE TABLE registers (
        source TEXT PRIMARY KEY,
        dated_at INTEGER NOT NULL,
        imported_at INTEGER NOT NULL
    ) WITHOUT ROWID;
"""
