"""What the journal keeps for the ramp: the way to the last word on a campaign's pace."""

from typing import Final

PACES: Final = """
    CREATE INDEX paces ON events (campaign, number) WHERE kind = 'paced';
"""
