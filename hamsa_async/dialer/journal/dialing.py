"""What each step of a dial writes, as functions of the transaction that it is written in."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from hamsa_async.dialer.events import DialerEvent, EventKind
from hamsa_async.dialer.journal.doubts import settle_doubt
from hamsa_async.dialer.journal.ending import DECLINED, Written, end_call, lapse
from hamsa_async.dialer.journal.others import LIVE, note_calls
from hamsa_async.dialer.journal.pseudonyms import KEY, is_pseudonym, known_as, known_by
from hamsa_async.dialer.journal.records import (
    Barred,
    CallEnd,
    Candidate,
    Held,
    SeenCall,
    Settlement,
    Verdict,
)
from hamsa_async.dialer.journal.ruling import MIN_GAP, Judge, Ruling, history_of
from hamsa_async.dialer.journal.sql import one_of
from hamsa_async.dialer.journal.staging import WITHDRAWN
from hamsa_async.dialer.journal.suppression import suppress_number_of
from hamsa_async.dialer.journal.times import to_millis, to_moment
from hamsa_async.dialer.machine import (
    COUNTED_ATTEMPTS,
    DIALABLE,
    LASTS,
    MAY_HAVE_RUNG,
    OPEN_ATTEMPTS,
    AttemptState,
    ContactState,
    Happening,
    move,
)
from hamsa_async.dialer.opt_out import (
    DNC_FIELD,
    REFUSAL_FIELD,
    asks_not_to_be_called,
    declines,
)
from hamsa_async.dialer.retries import Retries
from hamsa_async.errors import JournalError

LOOK_AGAIN: Final = timedelta(seconds=60)
"""How long a contact is deferred whose number is in somebody's open attempt."""

NUMBER_OPEN: Final = "number_open"
GAP: Final = "min_gap"
EXPIRED: Final = "expired"
DNC: Final = "dnc"
CRASHED: Final = "crashed"
CANCELLED: Final = "cancelled"

# Made once: `json.dumps` with an option makes an encoder each time.
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_GAP_MILLIS: Final = MIN_GAP // timedelta(milliseconds=1)
_LASTS_MILLIS: Final = LASTS // timedelta(milliseconds=1)
_LOOK_AGAIN_MILLIS: Final = LOOK_AGAIN // timedelta(milliseconds=1)

# One look for the usual case: to be called, and nobody has called that number.
_LOOK: Final = (
    "SELECT state, reason, EXISTS (SELECT 1 FROM attempts AS a WHERE a.phone_number ="
    f" contacts.phone_number AND {one_of('a.state', MAY_HAVE_RUNG)}) OR EXISTS (SELECT 1"
    " FROM calls AS k WHERE k.phone_number = contacts.phone_number AND k.attempt IS NULL),"
    " EXISTS (SELECT 1 FROM suppressed AS s WHERE s.phone_number = contacts.phone_number),"
    f" ({KEY}),"
    " (SELECT asked FROM campaigns AS p WHERE p.id = contacts.campaign)"
    " FROM contacts WHERE id = ?"
)
# An attempt may have rung at any moment up to its end.
_RINGS: Final = (
    "SELECT state, coalesce(ended_at, settled_at, intended_at), ends_by FROM attempts"
    f" WHERE phone_number = ? AND {one_of('state', MAY_HAVE_RUNG)}"
)
# Calls of others. One that is ours after all was seen before its answer was written down.
_FOREIGN: Final = (
    "SELECT k.status, k.placed_at, coalesce(k.duration, 0) FROM calls AS k"
    " WHERE k.phone_number = ? AND k.attempt IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.call_id = k.id)"
)
_HOLD: Final = "UPDATE contacts SET state = ?, reason = ?, detail = ?, due_at = ? WHERE id = ?"
_DIAL: Final = (
    f"UPDATE contacts SET state = '{move(ContactState.PENDING, Happening.INTENDED)}',"
    " reason = NULL, detail = NULL, due_at = NULL, call_id = NULL WHERE id = ?"
)
_INTEND: Final = (
    "INSERT INTO attempts (id, campaign, contact, phone_number, state, intended_at, zone,"
    f" zone_source) VALUES (?, ?, ?, ?, '{AttemptState.INTENDED}', ?, ?, ?)"
)
_SETTLE_ATTEMPT: Final = (
    "UPDATE attempts SET state = ?, settled_at = ?, call_id = ?, status = ?, reason = ?,"
    " placed_at = ?, ends_by = ?, server_ahead = ?"
    f" WHERE id = ? AND state = '{AttemptState.INTENDED}'"
)
_SETTLE_CONTACT: Final = (
    "UPDATE contacts SET state = ?, reason = ?, detail = ?, call_id = coalesce(?, call_id),"
    f" due_at = ?, attempts = attempts + ? WHERE id = ? AND state = '{ContactState.DIALING}'"
)
_IS_SUPPRESSED: Final = "SELECT 1 FROM suppressed WHERE phone_number = ?"
_WHOSE: Final = (
    "SELECT p.name, a.state FROM attempts AS a JOIN campaigns AS p ON p.id = a.campaign"
    f" WHERE a.phone_number = ? AND {one_of('a.state', OPEN_ATTEMPTS)}"
)
_ADD_SINGLE: Final = (
    "INSERT INTO contacts (campaign, key, row, phone_number, params, state) SELECT ?, ?,"
    f" coalesce(max(row), 0) + 1, ?, '{{}}', '{ContactState.PENDING}' FROM contacts"
    " WHERE campaign = ? RETURNING id, row"
)
_SINGLE: Final = (
    "SELECT id, row FROM contacts WHERE campaign = ? AND key = ?"
    f" AND state = '{ContactState.PENDING}'"
)
_DROP_SINGLE: Final = (
    f"UPDATE contacts SET state = '{move(ContactState.PENDING, Happening.WITHDRAWN)}',"
    f" reason = '{WITHDRAWN}', due_at = NULL,"
    " detail = 'A single call that was not placed is not tried again.'"
    f" WHERE campaign = ? AND key = ? AND state = '{ContactState.PENDING}'"
)
_INTENDED_SINGLE: Final = (
    "SELECT a.id, c.id, c.row, c.list, c.phone_number FROM attempts AS a"
    " JOIN contacts AS c ON c.id = a.contact WHERE c.campaign = ? AND c.key = ?"
    f" AND a.state = '{AttemptState.INTENDED}'"
)
_NO_RULES: Final = Ruling(allowed=True)
_SUPPRESSED: Final = Ruling(
    allowed=False, reason=DNC, detail="The number is on the do-not-call list (hamsa dnc)."
)
_EVENT: Final = (
    "INSERT INTO events (at, kind, campaign, contact, attempt, data) VALUES (?, ?, ?, ?, ?, ?)"
)


class Scribe:
    """Writes a campaign's steps. It opens no transaction; its caller has one.

    Args:
        campaign: The campaign's id.
        name: Its name.
        dnc_field: The field of an outcome that says that the person is not to be called again.
        refusal_field: The one that says that they declined.
    """

    def __init__(
        self,
        campaign: int,
        name: str,
        *,
        dnc_field: str = DNC_FIELD,
        refusal_field: str = REFUSAL_FIELD,
    ) -> None:
        self._campaign = campaign
        self._name = name
        self._dnc_field = dnc_field
        self._refusal_field = refusal_field

    def hold(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidates: Iterable[Candidate],
        judge: Judge | None = None,
    ) -> list[Held]:
        """Judge contacts in their order, and move them, up to the first that may be dialed."""
        held = []
        for candidate in candidates:
            found = self._judged(connection, now, candidate, judge)
            if not isinstance(found, Held):
                break
            held.append(found)
        return held

    def intend(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidate: Candidate,
        attempt_id: str,
        judge: Judge | None = None,
    ) -> DialerEvent | Held:
        """Write down that a contact is about to be dialed, unless a rule holds it."""
        ruling = self._judged(connection, now, candidate, judge)
        if isinstance(ruling, Held):
            return ruling
        return self._write_intent(connection, now, candidate, attempt_id, ruling)

    def intend_single(
        self,
        connection: sqlite3.Connection,
        now: int,
        key: str,
        attempt_id: str,
        phone_number: str,
    ) -> Candidate | Barred:
        """Write down a contact that is about to be dialed, unless a guard bars its number."""
        known = known_as(connection, phone_number)
        if connection.execute(_IS_SUPPRESSED, (known,)).fetchone() is not None:
            return Barred(reason=DNC)
        rule = _number_rule(connection, phone_number, now)
        if rule is not None:
            found = connection.execute(_WHOSE, (phone_number,)).fetchone()
            name, state = found or (None, None)
            return Barred(
                reason=rule[0],
                until=to_moment(rule[1]),
                campaign=name,
                state=None if state is None else AttemptState(state),
            )
        found = connection.execute(_SINGLE, (self._campaign, key)).fetchone()
        if found is None:
            values = (self._campaign, key, phone_number, self._campaign)
            found = connection.execute(_ADD_SINGLE, values).fetchone()
        contact, row = found
        candidate = Candidate(id=contact, row=row, phone_number=phone_number)
        self._write_intent(connection, now, candidate, attempt_id, _NO_RULES)
        return candidate

    def end_single(self, connection: sqlite3.Connection, _now: int, key: str) -> None:
        """Withdraw a single call's contact, if it would be tried again."""
        connection.execute(_DROP_SINGLE, (self._campaign, key))

    def recover_singles(
        self, connection: sqlite3.Connection, now: int, keys: Iterable[str]
    ) -> list[DialerEvent]:
        """Judge single calls that nobody places any more: what was intended may have rung."""
        events = []
        for key in keys:
            lost = connection.execute(_INTENDED_SINGLE, (self._campaign, key)).fetchall()
            events += self._lose(connection, now, lost)
            self.end_single(connection, now, key)
        return events

    def _write_intent(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidate: Candidate,
        attempt_id: str,
        ruling: Ruling,
    ) -> DialerEvent:
        number = candidate.phone_number
        place = (ruling.zone, ruling.zone_source)
        connection.execute(_INTEND, (attempt_id, self._campaign, candidate.id, number, now, *place))
        connection.execute(_DIAL, (candidate.id,))
        return self.event(
            connection, now, EventKind.INTENDED, candidate=candidate, attempt_id=attempt_id
        )

    def _judged(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidate: Candidate,
        judge: Judge | None,
    ) -> Ruling | Held:
        """What the rules say of a contact that may be dialed; else it is moved and held."""
        found = connection.execute(_LOOK, (candidate.id,)).fetchone()
        if found is None or found[0] not in DIALABLE or found[-1] is not None:
            return Held(event=None)  # moved by somebody else, or the campaign is to pause
        state, reason, was_called, is_suppressed, key, _ = found
        expires_at = None if candidate.expires_at is None else to_millis(candidate.expires_at)
        if expires_at is not None and expires_at <= now:
            values = (move(state, Happening.EXPIRED).value, EXPIRED, None, None, candidate.id)
            connection.execute(_HOLD, values)
            kind = EventKind.GIVEN_UP if state == ContactState.RETRY else EventKind.EXPIRED
            data = {"reason": EXPIRED}
            return Held(event=self.event(connection, now, kind, candidate=candidate, data=data))
        if is_suppressed or (
            key is not None and _was_forgotten(connection, key, candidate.phone_number)
        ):
            return self._skip(connection, now, candidate, state, _SUPPRESSED)
        rule = _number_rule(connection, candidate.phone_number, now) if was_called else None
        if rule is not None:
            held = Ruling(allowed=False, reason=rule[0], due_at=to_moment(rule[1]))
            return self._defer(connection, now, candidate, (state, reason), held)
        if judge is None:
            return _NO_RULES
        history = history_of(connection, candidate.phone_number)
        ruling = judge(candidate, history, to_moment(now))
        if ruling.allowed:
            return ruling
        if ruling.due_at is None:
            return self._skip(connection, now, candidate, state, ruling)
        return self._defer(connection, now, candidate, (state, reason), ruling)

    def _skip(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidate: Candidate,
        state: ContactState,
        ruling: Ruling,
    ) -> Held:
        """A rule says never."""
        skipped = move(state, Happening.SKIPPED).value
        connection.execute(_HOLD, (skipped, ruling.reason, ruling.detail, None, candidate.id))
        data = {"reason": ruling.reason}
        kind = EventKind.GIVEN_UP if state == ContactState.RETRY else EventKind.SKIPPED
        return Held(event=self.event(connection, now, kind, candidate=candidate, data=data))

    def _defer(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidate: Candidate,
        before: tuple[ContactState, str | None],
        ruling: Ruling,
    ) -> Held:
        """A rule says later."""
        assert ruling.due_at is not None
        until = ruling.due_at
        # Whoever's time runs out before that is looked at then, to be told so.
        if candidate.expires_at is not None:
            until = min(until, candidate.expires_at)
        deferred = move(before[0], Happening.DEFERRED).value
        values = (deferred, ruling.reason, ruling.detail, to_millis(until), candidate.id)
        connection.execute(_HOLD, values)
        if before == (deferred, ruling.reason):
            return Held(event=None)  # nothing new to tell
        data: dict[str, Any] = {"reason": ruling.reason, "until": until.isoformat()}
        if before[0] == ContactState.RETRY:
            data["again"] = True
        kind = EventKind.DEFERRED
        return Held(event=self.event(connection, now, kind, candidate=candidate, data=data))

    def settle(
        self,
        connection: sqlite3.Connection,
        now: int,
        candidate: Candidate,
        attempt_id: str,
        end: Settlement,
    ) -> DialerEvent:
        """Write down how an attempt ended, and what that means for its contact.

        Raises:
            JournalError: The attempt is not open: somebody else has judged it, who must not.
        """
        returned = end.happening is Happening.RETURNED
        again = returned and candidate.again
        happening = Happening.RETURNED_AGAIN if again else end.happening
        settled = connection.execute(
            _SETTLE_ATTEMPT,
            (
                *(end.state.value, now, end.call_id, end.status, end.reason),
                *(_millis(end.placed_at), _millis(end.ends_by), end.server_ahead, attempt_id),
            ),
        )
        moved = connection.execute(
            _SETTLE_CONTACT,
            (
                move(ContactState.DIALING, happening).value,
                None if returned else end.reason,
                None if returned else end.detail,
                end.call_id,
                now if again else None,
                end.state in COUNTED_ATTEMPTS and not returned,
                candidate.id,
            ),
        )
        if settled.rowcount != 1 or moved.rowcount != 1:
            raise JournalError(
                f"attempt {attempt_id} was settled by somebody else: two dialers run campaign"
                f" {self._name}, which its lock should have prevented"
            )
        data = {
            "call_id": end.call_id,
            "status": end.status,
            "reason": end.reason,
            "detail": end.detail,
            "again": again or None,
        }
        return self.event(
            connection,
            now,
            EventKind(end.happening.value),
            candidate=candidate,
            attempt_id=attempt_id,
            data={name: value for name, value in data.items() if value is not None},
        )

    def end_call(
        self,
        connection: sqlite3.Connection,
        now: int,
        attempt_id: str,
        end: CallEnd,
        retries: Retries,
    ) -> DialerEvent | None:
        """Write down how a placed call ended, if that is not known already."""
        declined = declines(end.result, self._refusal_field)
        wish = DECLINED if declined else None
        if asks_not_to_be_called(end.result, self._dnc_field):
            wish = DNC
        written = end_call(connection, now, attempt_id, end, retries, wish=wish, declined=declined)
        if written is not None and wish is not None:
            written.data[wish] = True
            if wish == DNC:
                suppress_number_of(connection, now, attempt_id)
        return self._tell(connection, now, attempt_id, written)

    def settle_doubt(
        self, connection: sqlite3.Connection, now: int, attempt_id: str, verdict: Verdict
    ) -> DialerEvent | None:
        """Write down what a doubt came to, if it was not settled before."""
        written = settle_doubt(connection, now, attempt_id, verdict)
        return self._tell(connection, now, attempt_id, written)

    def _tell(
        self, connection: sqlite3.Connection, now: int, attempt_id: str, written: Written | None
    ) -> DialerEvent | None:
        if written is None:
            return None
        contact = Candidate(
            id=written.contact, row=written.row, list_number=written.list_number, phone_number=""
        )
        return self.event(
            connection,
            now,
            written.kind,
            candidate=contact,
            attempt_id=attempt_id,
            data=written.data,
        )

    def note_calls(
        self,
        connection: sqlite3.Connection,
        now: int,
        agent_id: str,
        calls: Sequence[SeenCall],
    ) -> list[DialerEvent]:
        """Note calls that others placed; give those that were this campaign's contacts'."""
        taken = note_calls(connection, now, self._campaign, agent_id, calls)
        return [
            event
            for attempt_id, written in taken
            if (event := self._tell(connection, now, attempt_id, written)) is not None
        ]

    def take_back(
        self, connection: sqlite3.Connection, now: int, candidate: Candidate, attempt_id: str
    ) -> DialerEvent | None:
        """Settle an intent whose request was never begun, if it was written at all."""
        written = connection.execute(
            "SELECT 1 FROM attempts WHERE id = ?", (attempt_id,)
        ).fetchone()
        if written is None:
            return None
        end = Settlement(
            state=AttemptState.NOT_SENT, happening=Happening.RETURNED, reason=CANCELLED
        )
        return self.settle(connection, now, candidate, attempt_id, end)

    def recover(self, connection: sqlite3.Connection, now: int) -> list[DialerEvent]:
        """Judge what a process that is gone has left: whatever was intended may have rung."""
        connection.execute(
            "UPDATE runs SET ended_at = ?, ending = 'interrupted', reason = ?"
            " WHERE campaign = ? AND ended_at IS NULL",
            (now, CRASHED, self._campaign),
        )
        lost = connection.execute(
            "SELECT a.id, c.id, c.row, c.list, c.phone_number FROM attempts AS a"
            " INDEXED BY open_attempts JOIN contacts AS c ON c.id = a.contact"
            # The first condition is the index's own, word for word: without it it is not used.
            f" WHERE {one_of('a.state', OPEN_ATTEMPTS)} AND a.state = '{AttemptState.INTENDED}'"
            " AND a.campaign = ? ORDER BY a.id",
            (self._campaign,),
        ).fetchall()
        return self._lose(connection, now, lost)

    def _lose(
        self,
        connection: sqlite3.Connection,
        now: int,
        lost: Iterable[tuple[str, int, int, int, str]],
    ) -> list[DialerEvent]:
        end = Settlement(state=AttemptState.UNKNOWN, happening=Happening.LOST, reason=CRASHED)
        return [
            self.settle(
                connection,
                now,
                Candidate(id=contact, row=row, list_number=of_list, phone_number=number),
                attempt,
                end,
            )
            for attempt, contact, row, of_list, number in lost
        ]

    def event(
        self,
        connection: sqlite3.Connection,
        now: int,
        kind: EventKind,
        *,
        candidate: Candidate | None = None,
        attempt_id: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> DialerEvent:
        """Write down an event, and give it its number."""
        contact = None if candidate is None else candidate.id
        text = _encode(data) if data else None
        number = connection.execute(
            _EVENT, (now, kind.value, self._campaign, contact, attempt_id, text)
        ).lastrowid
        assert number is not None
        return DialerEvent(
            number=number,
            at=to_moment(now),
            kind=kind,
            campaign=self._name,
            row=None if candidate is None else candidate.row,
            list_number=None if candidate is None else candidate.list_number,
            attempt_id=attempt_id,
            data=dict(data or {}),
        )


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)


def _was_forgotten(connection: sqlite3.Connection, key: bytes, number: str) -> bool:
    """Whether a number must not be dialed because it was forgotten, or is none any more."""
    return is_pseudonym(number) or known_by(connection, key, number) != number


def _number_rule(
    connection: sqlite3.Connection, phone_number: str, now: int
) -> tuple[str, int] | None:
    """Why a number may not be dialed now, in any campaign of this journal, and until when."""
    rings = connection.execute(_RINGS, (phone_number,)).fetchall()
    foreign = connection.execute(_FOREIGN, (phone_number,)).fetchall()
    if not (rings or foreign):
        return None
    ends = []
    for state, at, ends_by in rings:
        if state == AttemptState.PLACED and ends_by is not None and ends_by <= now:
            lapse(connection, now, phone_number)
            ends.append(ends_by)  # it may have lasted until then
        elif state in OPEN_ATTEMPTS:
            return NUMBER_OPEN, now + _LOOK_AGAIN_MILLIS
        else:
            ends.append(at)
    for status, placed_at, duration in foreign:
        if status == LIVE and placed_at + _LASTS_MILLIS > now:
            return NUMBER_OPEN, now + _LOOK_AGAIN_MILLIS
        ends.append(placed_at + int(duration * 1000))
    free_at = max(ends) + _GAP_MILLIS
    return (GAP, free_at) if free_at > now else None
