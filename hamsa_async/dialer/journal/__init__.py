"""The journal: the truth about who was called, on disk before anything follows from it."""

from hamsa_async.dialer.journal.protocol import Journal
from hamsa_async.dialer.journal.records import (
    CampaignRecord,
    Identity,
    ListDifference,
    ReportRow,
    RunRecord,
    StagedList,
)
from hamsa_async.dialer.journal.sqlite import SqliteJournal

__all__ = [
    "CampaignRecord",
    "Identity",
    "Journal",
    "ListDifference",
    "ReportRow",
    "RunRecord",
    "SqliteJournal",
    "StagedList",
]
