"""The dialer: campaigns over contact lists, on a crash-safe journal.

Needs the extra `dialer`: `pip install 'hamsa-async[dialer]'`.
"""

from typing import TYPE_CHECKING

import hamsa_async.dialer.needs  # noqa: F401 - first: it says what to install
from hamsa_async.dialer.lazily import loading

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = loading(
        __name__,
        {
            "appending": ("Appended",),
            "budget": ("Budget", "Spent"),
            "campaign": ("HAMSA_DEFAULT", "Campaign"),
            "columns": ("Naming",),
            "contact_list": ("ContactList",),
            "contacts": ("Contact", "Row"),
            "dialer": ("Dialer", "Loaded", "Run"),
            "events": ("DialerEvent", "EventKind"),
            "finish": ("Ending", "Finish"),
            "journal": ("Journal", "ReportRow", "SqliteJournal"),
            "machine": ("AttemptState", "ContactState"),
        },
    )

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
