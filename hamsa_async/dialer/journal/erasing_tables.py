"""What the journal keeps so that a person's data can be erased, and stays so."""

from typing import Final

TABLES: Final = """
    -- What forgotten numbers are hashed with, from the first of them on; and whether every page of
    -- this file was overwritten whenever it was let go, which earlier versions did not see to.
    CREATE TABLE erasing (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        key BLOB,
        overwritten INTEGER NOT NULL
    );
    INSERT INTO erasing (only, overwritten) SELECT 1, user_version = 0 FROM pragma_user_version;
    -- When what the list said of this person beside number and contact_id was erased.
    ALTER TABLE contacts ADD COLUMN erased_at INTEGER;
    -- Of an event of somebody who was forgotten the words of a reason may be taken away, and
    -- nothing else may ever be changed.
    DROP TRIGGER events_are_not_changed;
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
        WHEN new.number IS NOT old.number OR new.at IS NOT old.at OR new.kind IS NOT old.kind
            OR new.campaign IS NOT old.campaign OR new.contact IS NOT old.contact
            OR new.attempt IS NOT old.attempt
            OR new.data IS NOT json_set(old.data, '$.reason', 'forgotten')
            OR NOT EXISTS (SELECT 1 FROM contacts
                WHERE id = old.contact AND phone_number GLOB 'forgotten:*')
        BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
"""
