"""The dialer: campaigns over contact lists, on a crash-safe journal.

Needs the extra `dialer`: `pip install 'hamsa-async[dialer]'`.
"""

import hamsa_async.dialer.needs  # noqa: F401 - first: it says what to install
from hamsa_async.dialer.appending import Appended
from hamsa_async.dialer.budget import Budget, Spent
from hamsa_async.dialer.campaign import HAMSA_DEFAULT, Campaign
from hamsa_async.dialer.columns import Naming
from hamsa_async.dialer.contact_list import ContactList
from hamsa_async.dialer.contacts import Contact, Row
from hamsa_async.dialer.dialer import Dialer, Loaded, Run
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.finish import Ending, Finish
from hamsa_async.dialer.journal import Journal, ReportRow, SqliteJournal
from hamsa_async.dialer.machine import AttemptState, ContactState

__all__ = [
    "HAMSA_DEFAULT",
    "Appended",
    "AttemptState",
    "Budget",
    "Campaign",
    "Contact",
    "ContactList",
    "ContactState",
    "Dialer",
    "DialerEvent",
    "Ending",
    "EventKind",
    "Finish",
    "Journal",
    "Loaded",
    "Naming",
    "ReportRow",
    "Row",
    "Run",
    "Spent",
    "SqliteJournal",
]
