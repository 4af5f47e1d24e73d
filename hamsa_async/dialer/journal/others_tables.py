"""What the journal keeps of calls that others placed, besides what it keeps of its own."""

from typing import Final

OTHERS: Final = """
    -- By whom, and when by the server's clock: a campaign that runs later asks whose they were.
    ALTER TABLE calls ADD COLUMN agent_id TEXT;
    ALTER TABLE calls ADD COLUMN listed_at INTEGER;
"""
