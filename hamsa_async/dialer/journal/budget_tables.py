"""What the journal keeps for the budget: what each run was allowed, and how long its calls last."""

from typing import Final

COLUMNS: Final = """
    -- As JSON.
    ALTER TABLE runs ADD COLUMN budget TEXT;
    -- How long a call by the campaign's agent could last.
    ALTER TABLE runs ADD COLUMN longest INTEGER;
"""
