"""What the journal keeps for lists: which one a row is of, its own columns, what a run is told."""

from typing import Final

TABLES: Final = """
    -- The lists that a campaign's rows are of, from 1: a row number is one of its list.
    CREATE TABLE lists (
        campaign INTEGER NOT NULL REFERENCES campaigns (id),
        number INTEGER NOT NULL,
        name TEXT,
        appended INTEGER NOT NULL DEFAULT 0,
        at INTEGER NOT NULL,
        PRIMARY KEY (campaign, number)
    ) WITHOUT ROWID;
    INSERT INTO lists (campaign, number, at)
        SELECT id, 1, created_at FROM campaigns WHERE EXISTS
        (SELECT 1 FROM contacts WHERE contacts.campaign = campaigns.id);
    ALTER TABLE contacts ADD COLUMN list INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX contacts_of_later_lists ON contacts (campaign, phone_number) WHERE list > 1;
    -- What its row says of its turn, negated: the least is called first.
    ALTER TABLE contacts ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE contacts ADD COLUMN max_attempts INTEGER;
    ALTER TABLE contacts ADD COLUMN consent_source TEXT;
    DROP INDEX pending_contacts;
    CREATE INDEX pending_contacts ON contacts (campaign, rank, id) WHERE state = 'pending';
    DROP INDEX deferred_contacts;
    CREATE INDEX deferred_contacts ON contacts (campaign, rank, due_at) WHERE state = 'deferred';
    DROP INDEX retry_contacts;
    CREATE INDEX retry_contacts ON contacts (campaign, rank, due_at) WHERE state = 'retry';
    -- How many contacts were appended: whoever dials looks whether there are more.
    ALTER TABLE campaigns ADD COLUMN appended INTEGER NOT NULL DEFAULT 0;
    -- Why a pause was asked for, where nobody typed it.
    ALTER TABLE campaigns ADD COLUMN asked_reason TEXT;
    -- When the person said in this attempt's call that they do not want it.
    ALTER TABLE attempts ADD COLUMN declined_at INTEGER;
"""
