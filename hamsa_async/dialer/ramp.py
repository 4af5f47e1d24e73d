"""How fast a run may be: a canary, a look at its calls, then a rate that doubles. Pure.

What is wrong with a campaign shows in its first calls: a greeting in the wrong language, a caller
number that nobody's carrier lets through, an account that cannot carry the rate. So few people
are called first, and the rate is earned.
"""

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import attrs

from hamsa_async.dialer.breaker import went_wrong
from hamsa_async.dialer.campaign import Campaign
from hamsa_async.dialer.machine import AttemptState
from hamsa_async.dialer.stage import Stage, fates_in_words
from hamsa_async.models import AgentDetails

CANARY: Final = 5
"""How many calls are the canary, where nothing else is said."""

START_RATE: Final = 1.0
"""Call starts per second, from which on the rate climbs."""

LEAST_RATE: Final = 0.1
"""Call starts per second to which 429s lower the rate at the most: a call each ten seconds."""

MINUTE: Final = 60.0
"""Seconds that must be clean."""

CLEAN_MINUTES: Final = 2
"""How many of them follow the canary, where nobody looks at it."""

_TOO_MANY: Final = 1 / 2  # the share of requests refused, or of calls failed, that is not clean


class Sign(enum.StrEnum):
    """What makes a minute begin again at once. Its value is what is said of it."""

    LIMITED = "the API had too many requests (429)"
    UNKNOWN = "a request may have rung, and it is not known"
    NOT_SENT = "a request could not be sent"


@attrs.define(eq=False)
class _Minute:
    """What happened since a moment."""

    since: float
    placed: int = 0
    refused: int = 0
    ended: int = 0
    wrong: int = 0

    @property
    def trouble(self) -> str | None:
        """Why it is not clean, at its end."""
        if self.refused and self.refused >= _TOO_MANY * (self.placed + self.refused):
            return f"{self.refused} of {self.placed + self.refused} requests were refused"
        if self.wrong and self.wrong >= _TOO_MANY * self.ended:
            return f"{self.wrong} of {self.ended} calls that ended had failed or were cut off"
        return None


@attrs.define(eq=False, kw_only=True)
class Ramp:
    """Decides how fast one run may be, by what becomes of its requests and calls.

    A minute is clean in which no request got a 429, could not be sent or came to be in doubt, and
    in which less than half of the requests were refused and less than half of the calls that
    ended had failed or were cut off. What is not so begins the minute again. A minute without a
    call that was placed proves nothing, and changes nothing.

    All moments are seconds on a clock that only goes forward. Methods that learn something give
    whether anything is different now.

    Args:
        now: When the run begins.
        cap: The rate that it may come to.
        canary: How many calls are the canary; 0: none.
        climbs: Whether the rate climbs, and 429s lower it; else it is `cap` from the start.
        asks: Whether somebody looks at the canary and says `go_on`; else clean minutes do.
        halts: Whether a canary of which half went wrong ends the run, where nobody looks at it.
        minute: How many seconds a minute has.
        why: Why it is as fast as it is at the start, where there is no canary.

    Attributes:
        stage: How far it has got.
        rate: Call starts per second, now.
        reason: Why it is that, in words.
        verdict: Why nobody more is to be called, once that is so.
    """

    now: float
    cap: float
    canary: int = CANARY
    climbs: bool = True
    asks: bool = False
    halts: bool = True
    minute: float = MINUTE
    why: str = ""
    stage: Stage = attrs.field(init=False)
    rate: float = attrs.field(init=False)
    reason: str = attrs.field(init=False)
    verdict: str | None = attrs.field(default=None, init=False)
    _minute: _Minute = attrs.field(init=False)
    _clean: int = attrs.field(default=0, init=False)
    _lowered_at: float | None = attrs.field(default=None, init=False)
    _states: dict[str, str] = attrs.field(factory=dict, init=False)
    _live: set[str] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.rate = min(START_RATE, self.cap) if self.climbs else self.cap
        self._minute = _Minute(self.now)
        if self.canary:
            self.stage = Stage.CANARY
            self.reason = f"the canary: the first {_calls(self.canary)}"
        else:
            self._climb(self.now, self.why)

    # -- what may be done

    @property
    def is_over(self) -> bool:
        """Whether the canary is behind it, or there was none."""
        return self.stage in {Stage.CLIMB, Stage.FULL}

    @property
    def due(self) -> float | None:
        """When `tick` may change something; `None`: at no time."""
        if self.stage is Stage.CLIMB or (self.stage is Stage.LOOK and not self.asks):
            return self._minute.since + self.minute
        return None

    def has_room(self, in_hand: int) -> bool:
        """Whether one more may be begun, where so many are."""
        if self.stage is Stage.CANARY:
            return len(self._states) + in_hand < self.canary
        return self.is_over

    def picture(self) -> Mapping[str, Any]:
        """What is to be told of it, as JSON; the same as long as nothing is different.

        `calls` and `soonest` are there while the canary is looked at: what its calls have come to,
        and when the look can be over.
        """
        told: dict[str, Any] = {
            "stage": self.stage.value,
            "rate": self.rate,
            "cap": self.cap,
            "reason": self.reason,
        }
        if self.stage is not Stage.LOOK:
            return told
        told["calls"] = dict(Counter(self._states.values()))
        if self.asks:
            return {**told, "asks": True}
        left = CLEAN_MINUTES - self._clean
        return {**told, "soonest": self._minute.since + left * self.minute}

    # -- what it learns

    def settled(
        self,
        attempt_id: str,
        state: AttemptState,
        now: float,
        *,
        returned: bool = False,
        limited: bool = False,
        again: bool = False,
    ) -> bool:
        """Take note of what became of a request.

        Args:
            attempt_id: Its attempt.
            state: What it settled as.
            now: When.
            returned: Whether its contact will be called later, since no call was made.
            limited: Whether it got a 429.
            again: Whether the contact was being tried again; such calls may fail.
        """
        if self.stage is Stage.CANARY and not returned:
            self._states[attempt_id] = state.value
        sign = _sign(state, limited=limited)
        if sign is not None:
            return self._begin_again(sign, now)
        if state is AttemptState.PLACED:
            self._minute.placed += 1
            if not again:
                self._live.add(attempt_id)
        elif not returned:
            self._minute.refused += 1
        return self._judge()

    def found(self, attempt_id: str) -> bool:
        """Take note that the call of an attempt in doubt was found."""
        if self.is_over or attempt_id not in self._states:
            return False
        self._states[attempt_id] = AttemptState.PLACED.value
        return self.stage is Stage.LOOK

    def ended(self, attempt_id: str, outcome: str, duration: float | None) -> bool:
        """Take note of how a call ended; those from before this run do not count."""
        if attempt_id not in self._live:
            return False
        self._live.remove(attempt_id)
        wrong = went_wrong(outcome, duration)
        self._minute.ended += 1
        self._minute.wrong += wrong
        if self.is_over or attempt_id not in self._states:
            return False
        if not wrong:
            self._states[attempt_id] = AttemptState.ENDED.value
        else:
            self._states[attempt_id] = "failed" if outcome == "failed" else "cut_off"
        return self._judge() or self.stage is Stage.LOOK

    def look(self, now: float) -> bool:
        """The canary's calls are made, and somebody more is to be called: begin to look."""
        if self.stage is not Stage.CANARY or self.verdict is not None:
            return False
        self.stage = Stage.LOOK
        # Its calls have a look of their own: what they settled as is judged for itself.
        self._minute, self._clean = _Minute(now), 0
        self.reason = (
            "somebody must look at the canary's calls, and say to go on"
            if self.asks
            else f"{CLEAN_MINUTES} clean minutes after the canary"
        )
        return True

    def go_on(self, now: float) -> bool:
        """Somebody has looked at the canary's calls; at other times it means nothing."""
        if self.stage is not Stage.LOOK or self.verdict is not None:
            return False
        self._climb(now, "the canary was passed, as somebody said")
        return True

    def tick(self, now: float) -> bool:
        """Judge a minute that is over."""
        due = self.due
        if due is None or now < due or self.verdict is not None:
            return False
        minute, trouble = self._minute, self._minute.trouble
        # Who looks late has missed minutes in which nothing was learnt.
        self._minute = _Minute(due if now < due + self.minute else now)
        if trouble is not None:
            self._clean = 0
            return self._say(f"the minute began again: {trouble}")
        if self.stage is Stage.LOOK:
            self._clean += 1
            if self._clean == CLEAN_MINUTES:
                self._climb(now, "the canary was passed")
                return True
            return False
        if not minute.placed:
            return False
        self.rate = min(self.rate * 2, self.cap)
        self._climb(self._minute.since, "a clean minute")
        return True

    # -- how

    def _climb(self, now: float, why: str) -> None:
        self._minute, self._clean = _Minute(now), 0
        self._states.clear()
        self.stage = Stage.CLIMB if self.rate < self.cap else Stage.FULL
        self.reason = why

    def _begin_again(self, sign: Sign, now: float) -> bool:
        self._minute, self._clean = _Minute(now), 0
        if sign is Sign.LIMITED and self.climbs and self._may_lower(now):
            self._lowered_at = now
            self.rate = max(self.rate / 2, min(LEAST_RATE, self.cap))
            if self.stage is Stage.FULL:
                self.stage = Stage.CLIMB
            self.reason = sign.value
            self._judge()
            return True
        if self.stage is Stage.CLIMB:
            return self._say(f"the minute began again: {sign}")
        return self._judge()

    def _may_lower(self, now: float) -> bool:
        # Those under way together get their 429s together: that is one, not twenty.
        return self._lowered_at is None or now >= self._lowered_at + self.minute

    def _judge(self) -> bool:
        """See whether half of the canary went wrong, where nobody looks at it."""
        if self.asks or not self.halts or self.is_over or self.verdict is not None:
            return False
        wrong = Counter(self._states.values())
        for fine in (AttemptState.PLACED.value, AttemptState.ENDED.value):
            wrong.pop(fine, None)
        if wrong.total() < _TOO_MANY * self.canary:
            return False
        what = fates_in_words(wrong)
        self.verdict = f"canary: {wrong.total()} of {_calls(self.canary)} went wrong ({what})"
        return True

    def _say(self, reason: str) -> bool:
        if self.reason == reason:
            return False
        self.reason = reason
        return True


def after_call(ramp: Ramp, now: float) -> float:
    """Seconds until the next call, where one is placed now and everything stays clean."""
    ramp.settled(str(now), AttemptState.PLACED, now, again=True)
    moment = now
    if not ramp.has_room(0):
        ramp.look(now)
        while not ramp.is_over and ramp.due is not None:
            moment = ramp.due
            ramp.tick(moment)
    return max(moment - now, 1 / ramp.rate)


@attrs.frozen(kw_only=True)
class Beginning:
    """How a run begins.

    Attributes:
        canary: How many calls are its canary; 0: none.
        climbs: Whether its rate climbs.
        passed: Whether the campaign has passed its canary before, as it is now.
        mark: What a canary of it vouches for.
    """

    canary: int
    climbs: bool
    passed: bool
    mark: str

    @classmethod
    def of(
        cls, campaign: Campaign, agent: AgentDetails, *, passed: object, near: bool
    ) -> "Beginning":
        """Say how a run begins.

        Args:
            campaign: Its settings.
            agent: Its agent.
            passed: The mark of the canary that was passed last, if one was.
            near: Whether the server is on this machine, where nobody's phone rings.
        """
        none = near or campaign.rate is None
        canary = campaign.canary if campaign.canary is not None else 0 if none else CANARY
        mark = mark_of(campaign, agent)
        return cls(
            canary=0 if passed == mark else canary,
            climbs=not none if campaign.ramp is None else campaign.ramp,
            passed=passed == mark,
            mark=mark,
        )


def _sign(state: AttemptState, *, limited: bool) -> Sign | None:
    if limited:
        return Sign.LIMITED
    return {AttemptState.UNKNOWN: Sign.UNKNOWN, AttemptState.NOT_SENT: Sign.NOT_SENT}.get(state)


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def mark_of(campaign: Campaign, agent: AgentDetails) -> str:
    """What a canary vouches for: the agent, what it says, and who calls. Others need their own."""
    said = [
        *(campaign.voice_agent_id, agent.greeting_message, agent.preamble),
        *(list(campaign.callers), dict(campaign.params)),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
