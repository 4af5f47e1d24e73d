"""What the dialer asks of a journal. One protocol, whatever the home.

Every write is durable when it returns: after a crash at any point it is still there.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from hamsa_async.dialer.api import WebhookDelivery
from hamsa_async.dialer.budget import CallsMade
from hamsa_async.dialer.contacts import Row
from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.records import (
    AttemptRow,
    Barred,
    Called,
    CallEnd,
    CampaignRecord,
    Candidate,
    DoubtRecord,
    HeardEvent,
    Held,
    Identity,
    ListRecord,
    OpenCall,
    ReportRow,
    RunRecord,
    SeenCall,
    Settlement,
    StagedAppend,
    StagedList,
    Verdict,
)
from hamsa_async.dialer.journal.ruling import Judge
from hamsa_async.dialer.machine import Asked, ContactState
from hamsa_async.dialer.policy import History
from hamsa_async.dialer.retries import Retries


class ListToAppend(Protocol):
    """A list on its way into a campaign that may be dialed meanwhile."""

    async def add(self, rows: Iterable[Row]) -> None:
        """Read some more of its rows."""

    async def look(self) -> StagedAppend:
        """Tell what is new from what the campaign has, when the list was read to its end."""

    async def take_over(self, name: str | None) -> DialerEvent:
        """Append it under this name, in steps that others can write between.

        Each row is there for good when its step is. What the campaign has by then, by number or
        by contact_id, is left as it is; whoever says not to be called is not called any more.
        """


class Journal(Protocol):
    """The truth about campaigns, contacts and attempts."""

    # -- whose it is

    async def identify(self, identity: Identity) -> None:
        """Make it this server's and project's journal, or check that it is.

        Raises:
            JournalError: It is another's. Nothing was changed.
        """

    # -- campaigns and their lists

    async def campaign(self, name: str) -> CampaignRecord | None:
        """Find a campaign."""

    async def campaigns(self) -> Sequence[CampaignRecord]:
        """All campaigns, oldest first."""

    async def add_campaign(self, name: str, settings: Mapping[str, Any]) -> CampaignRecord:
        """Write down a new campaign, without a list."""

    async def change_settings(self, campaign: int, settings: Mapping[str, Any]) -> None:
        """Give a campaign other settings."""

    async def stage(self, campaign: int, rows: Iterable[Row], *, first: bool) -> None:
        """Read some more rows of a list, beside the campaign; `first` begins a new list."""

    async def staged(self, campaign: int) -> StagedList:
        """Look at the list that was read: duplicates, and what differs from the campaign's."""

    async def unstage(self, campaign: int) -> None:
        """Forget the list that was read, if one was."""

    async def take_over(
        self, campaign: int, settings: Mapping[str, Any], *, name: str | None = None
    ) -> DialerEvent:
        """Make the staged list, of this name, the campaign's, with these settings.

        New rows are added, those gone are withdrawn, and a contact once dialed keeps its record.
        It goes in steps that others can write between; until the last one the campaign is not
        `loaded`.
        """

    def appending(self, campaign: int) -> AbstractAsyncContextManager[ListToAppend]:
        """Begin to append a list; what was not taken over when it is left is forgotten.

        It needs no claim: the campaign's dialer takes the new contacts up.
        """

    async def appended(self, campaign: int) -> int:
        """How many contacts to be called were ever appended to a campaign."""

    async def lists(self, campaign: int) -> Sequence[ListRecord]:
        """The lists that a campaign's rows are of."""

    async def without_from_number(self, campaign: int) -> int:
        """How many contacts that are to be called name no caller number of their own."""

    # -- one campaign, one dialer

    async def claim(self, campaign: CampaignRecord) -> None:
        """Become the campaign's one dialer, until `release` or the process ends.

        Raises:
            CampaignRunningError: Another one is; it says which, and since when.
        """

    async def release(self, campaign: CampaignRecord) -> None:
        """Cease to be."""

    async def is_claimed(self, campaign: CampaignRecord) -> bool:
        """Whether any process dials it now."""

    async def recover(self, campaign: int) -> Sequence[DialerEvent]:
        """After a crash: every attempt that was intended and has no result is unknown.

        Only the campaign's one dialer may ask for it, while it dials nobody.
        """

    async def begin_run(
        self,
        campaign: int,
        *,
        budget: Mapping[str, Any] | None = None,
        longest: timedelta | None = None,
    ) -> tuple[int, DialerEvent]:
        """Write down that this process begins to dial; gives the run's id.

        Args:
            campaign: The campaign.
            budget: What it may spend, as JSON.
            longest: How long a call by its agent can last.
        """

    async def end_run(
        self,
        run: int,
        campaign: int,
        ending: str,
        reason: str | None,
        *,
        appended: int | None = None,
    ) -> DialerEvent | None:
        """Write down how the run ended.

        Gives `None`, with nothing written, where `appended` is not how many contacts were
        appended by now: there is more to dial.
        """

    async def last_run(self, campaign: int) -> RunRecord | None:
        """The campaign's newest run."""

    # -- dialing

    async def pending(self, campaign: int, *, after: int, limit: int) -> Sequence[Candidate]:
        """Contacts to be called, past contact `after`, by their place in the list; of one rank.

        Page after page, all of them are given, rank by rank.
        """

    async def due(
        self, campaign: int, *, now: datetime, limit: int, before: int | None = None
    ) -> Sequence[Candidate]:
        """Contacts of one rank whose time has come: the first rank that has any.

        Those deferred come first, then those to be tried again. With `before`, only of ranks
        before that one.
        """

    async def next_due(
        self,
        campaign: int,
        *,
        freed_by_time: bool = False,
        before: int | None = None,
        after: datetime | None = None,
    ) -> tuple[datetime, str] | None:
        """When the first contact is due that is deferred or tried again, and why it waits.

        With `before`, of those of ranks before that one; with `after`, past that moment.

        With `freed_by_time`, of those that time alone sets free: not where a call to the number
        is unknown, which somebody must settle first.
        """

    async def hold(
        self, campaign: int, candidates: Sequence[Candidate], judge: Judge | None = None
    ) -> Sequence[Held]:
        """Judge contacts as `intend` does, without an intent, up to the first that may be dialed.

        Those before it are moved, in one write; give no more of them than others can wait for.
        """

    def intend(
        self, campaign: int, candidate: Candidate, attempt_id: str, judge: Judge | None = None
    ) -> Awaitable[DialerEvent | Held]:
        """Write down that this contact is about to be dialed, or why it is not.

        The rules are judged in the transaction that writes: the number is not on the
        do-not-call list, no attempt on it is open, in any campaign, the minimum gap since the
        last one that may have rung is over, and `judge` has nothing against it.

        Cancellation:
            It may have been written or not; `take_back` must follow.
        """

    async def history(self, phone_number: str) -> History:
        """What is known of a number, over all campaigns."""

    def called(self, campaign: int) -> AsyncIterator[Called]:
        """The contacts of a campaign that may have been rung, each with all calls to its number."""

    async def contact(self, campaign: int, phone_number: str) -> Candidate | None:
        """The contact of a campaign at a number."""

    async def judge_again(self, campaign: int) -> None:
        """After other rules: whoever the old ones skipped or deferred is judged anew."""

    async def take_back(
        self, campaign: int, candidate: Candidate, attempt_id: str
    ) -> DialerEvent | None:
        """Write down that an intent's request was never begun: it was not sent, provably.

        Gives `None` where the intent was not written, and sees to it that it never will be.
        """

    def settle(
        self, campaign: int, candidate: Candidate, attempt_id: str, end: Settlement
    ) -> Awaitable[DialerEvent]:
        """Write down how an attempt ended, and what that means for its contact.

        It is begun when it is called, and durable when it was awaited.

        Cancellation:
            It is written all the same.
        """

    async def begin_single(self, key: str) -> None:
        """Show others that this process places a single call, until `end_single` or its end.

        Many may be placed at once.
        """

    async def intend_single(
        self, campaign: int, key: str, attempt_id: str, phone_number: str
    ) -> Candidate | Barred:
        """Write down that a number outside any list is about to be dialed, or why it may not be.

        It becomes a contact of the campaign, which has no list; a further attempt of the same
        single call is that contact's. The do-not-call list, open attempts and the minimum gap
        are judged in the transaction that writes, as in `intend`.

        Cancellation:
            It may have been written or not; what was is unknown after `recover_singles`.
        """

    async def end_single(self, campaign: int, key: str) -> None:
        """A single call is not tried again: its contact, if it would be, is withdrawn."""

    async def recover_singles(self, campaign: int) -> Sequence[DialerEvent]:
        """Judge single calls that no process places any more, as `recover` does a campaign's.

        Anybody may ask for it at any time: those that are being placed are left alone.
        """

    async def note(self, campaign: int, kind: EventKind, data: Mapping[str, Any]) -> DialerEvent:
        """Write down something that happened to the run."""

    # -- what becomes of calls

    async def open_calls(self, campaign: int) -> Sequence[OpenCall]:
        """Placed calls whose end was not seen, in the order in which they were placed."""

    async def end_call(
        self, campaign: int, attempt_id: str, end: CallEnd, retries: Retries
    ) -> DialerEvent | None:
        """Write down how a call ended, and whether its contact is tried again.

        Gives `None` where that is known already: what comes late or twice changes nothing.

        Cancellation:
            It is written all the same.
        """

    # -- what webhooks say

    async def put(self, delivery: WebhookDelivery, /) -> None:
        """Keep what a webhook said; one that is there already is not kept twice."""

    async def waiting_events(
        self, campaign: int, *, after: int, limit: int
    ) -> Sequence[HeardEvent]:
        """Events about a campaign's attempts that nobody has acted on, past a number."""

    async def take_events(self, numbers: Iterable[int]) -> None:
        """Write down that events were acted on."""

    # -- others

    async def looked(self) -> tuple[datetime | None, datetime | None]:
        """From when until when the project's calls were looked at, whoever placed them."""

    async def note_looked(self, begin: datetime, end: datetime) -> None:
        """Write down that the project's calls of that time were looked at."""

    async def note_calls(
        self, campaign: int, agent_id: str, calls: Sequence[SeenCall]
    ) -> Sequence[DialerEvent]:
        """Note those of these calls that no attempt of this journal placed.

        They count for the open-attempt rule and the minimum gap. One by the campaign's agent to
        a contact of its that is still to be called becomes an attempt of that contact.
        """

    async def noted_calls(
        self, campaign: int, agent_id: str, since: datetime
    ) -> Sequence[SeenCall]:
        """Calls of others that were noted before, and `note_calls` would take for a contact's.

        They may have been noted when somebody else looked.
        """

    # -- doubt

    async def doubts(self, campaign: int) -> Sequence[DoubtRecord]:
        """The attempts that are unknown or for review, oldest first."""

    async def bound_calls(self, phone_number: str, attempt_id: str) -> frozenset[str]:
        """Ids of calls to a number that belong to other attempts than this one."""

    async def later_calls(self, moment: datetime) -> Mapping[str, datetime]:
        """Some calls that this journal's dialers began then or later, and when."""

    async def note_look(
        self,
        attempt_id: str,
        first_look: Mapping[str, Any] | None,
        evidence: Mapping[str, Any],
    ) -> None:
        """Write down what a look has shown that settles nothing."""

    async def settle_doubt(
        self, campaign: int, attempt_id: str, verdict: Verdict
    ) -> DialerEvent | None:
        """Write down what a doubt came to.

        Gives `None` where it is settled already, or where its call belongs to another attempt.

        Cancellation:
            It is written all the same.
        """

    # -- being told from outside

    async def ask(self, campaign: int, what: Asked | None) -> None:
        """Ask whoever dials a campaign to pause or to stop; `None`: to go on.

        From then on no intent of it is written: what is not at the wire by now never is.
        """

    async def pause(self, campaign: int, reason: str) -> None:
        """Ask for a pause for a reason, as `ask` does, unless something was asked already."""

    async def asked(self, campaign: int) -> Asked | None:
        """What was asked of whoever dials a campaign."""

    async def asked_reason(self, campaign: int) -> str | None:
        """Why a pause was asked for, where no person did."""

    # -- looking

    def attempts(self, campaign: int) -> AsyncIterator[AttemptRow]:
        """Every attempt of a campaign, oldest first, in short reads."""

    async def owner_of(self, call_id: str) -> str | None:
        """The attempt of any campaign that a call belongs to."""

    async def calls_made(
        self, campaign: int, *, since: datetime | None = None, costs: bool = False
    ) -> CallsMade:
        """The attempts of a campaign that became a call, or may have.

        Args:
            campaign: The campaign.
            since: From when on they are counted apart, too.
            costs: Whether to give what is known of their costs, which reads every one of them.
        """

    async def counts(self, campaign: int) -> Mapping[ContactState, int]:
        """Contacts by state; they add up to the rows of the list."""

    async def outcomes(self, campaign: int) -> Mapping[tuple[ContactState, str], int]:
        """Contacts by state and how their last call ended, where one has."""

    async def reasons(self, campaign: int) -> Mapping[tuple[ContactState, str], int]:
        """Contacts by state and reason, where there is one."""

    def rows(self, campaign: int) -> AsyncIterator[ReportRow]:
        """Every row and what became of it, in short reads.

        In the list's order; rows of lists that were accepted later come after those.
        """

    def events(self, *, after: int) -> AsyncIterator[DialerEvent]:
        """Every event past a number, in order, up to the newest."""

    async def last_pace(self, campaign: int) -> DialerEvent | None:
        """The last thing that was said of a campaign's pace."""

    async def back_up(self, target: Path) -> None:
        """Copy the journal, in use or not, to a new file.

        Raises:
            JournalError: The target exists or cannot be written.
        """

    async def problems(self) -> Sequence[str]:
        """Examine the journal; each text is something that is not as it must be."""

    async def aclose(self) -> None:
        """Let go of it, with everything written."""
