"""What Hamsa tells a webhook of a call, as typed values, and how far a call has got by them.

Source: docs.tryhamsa.com/developers/agent-guides/webhook-integration-guide. Field names are
published for `call.ended` only; those of the other events are read where they are as guessed,
and `payload` holds everything as it came.

Public as `hamsa_async.webhooks`, and imported with that only: whoever places calls does without.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from hamsa_async.models._declaring import Value, extra, keys_of
from hamsa_async.models.conversations import Turn


class EventType(enum.StrEnum):
    """What an event tells. An open set: a type that is not in it passes as its text."""

    CALL_STARTED = "call.started"
    CALL_ANSWERED = "call.answered"
    TRANSCRIPTION_UPDATE = "transcription.update"
    TOOL_EXECUTED = "tool.executed"
    CALL_ENDED = "call.ended"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class WebhookEvent(Value, shows=("type", "call_id", "conversation_id", "at")):
    """One event of a call. Of the type itself where the documentation does not name it.

    Every field but `type` may be `None`: events come in two envelopes, and neither has all.
    """

    type: EventType | str
    call_id: str | None = None
    """The call's id by the envelope. Whether it is the id that `call()` gave is not known."""

    conversation_id: str | None = None
    """The conversation's id: `conversations.get` takes it."""

    reference: str | None = None
    """The call's reference: as the secret proved it, else as the event echoes it."""

    at: datetime | None = None
    """When it happened, by the server's clock. Aware."""

    project_id: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    payload: Mapping[str, Any] = attrs.field(factory=dict)
    """What the event carries, as it came: the inner `data` where there are two, together with
    what stands beside it."""

    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CallStarted(WebhookEvent):
    """A call begins. Numbers are whole in the fields, and in no `repr`."""

    to_number: str | None = None
    from_number: str | None = None
    params: Mapping[str, Any] = attrs.field(factory=dict)
    """The `params` that the call was placed with."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CallAnswered(WebhookEvent):
    """Somebody, or something, picked up."""

    ring_duration: float | None = None
    """How long it rang. Its unit is not documented."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TranscriptionUpdate(WebhookEvent):
    """Something was said."""

    speaker: str | None = None
    """`Agent` or `User`, as far as is known."""

    text: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ToolExecuted(WebhookEvent):
    """The agent used one of its tools."""

    tool_name: str | None = None
    input: Any = None
    output: Any = None
    duration: float | None = None
    """How long it took. Its unit is not documented."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CallEnded(WebhookEvent):
    """The call is over. The outcome may still lag by some seconds, and be empty here."""

    recording_url: str | None = None
    """The recording. The link expires."""

    transcription: Sequence[Mapping[str, Any]] = ()
    """As it came: one `{speaker: text}` a turn. See `transcript`."""

    outcome: Mapping[str, Any] = attrs.field(factory=dict)
    """What the call resulted in, with the call's `params` among it."""

    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def transcript(self) -> tuple[Turn, ...]:
        """What was said, in order."""
        return tuple(
            Turn(speaker=speaker, text=str(text))
            for turn in self.transcription
            for speaker, text in keys_of(turn).items()
        )

    @property
    def duration(self) -> timedelta | None:
        """From the call's start to its end, where the event has both."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


class CallStage(enum.IntEnum):
    """How far a call has got, by its events. They come in any order; a call only goes on."""

    UNSEEN = 0
    """No event said anything of it."""
    STARTED = 1
    ANSWERED = 2
    ENDED = 3


# What an event proves. Nothing is said, and no tool used, before somebody answered.
_STAGES: Final[Mapping[str, CallStage]] = {
    EventType.CALL_STARTED: CallStage.STARTED,
    EventType.CALL_ANSWERED: CallStage.ANSWERED,
    EventType.TRANSCRIPTION_UPDATE: CallStage.ANSWERED,
    EventType.TOOL_EXECUTED: CallStage.ANSWERED,
    EventType.CALL_ENDED: CallStage.ENDED,
}


@attrs.frozen(kw_only=True)
class CallProgress:
    """What is known of one call from its events, whatever their order and number.

        progress = CallProgress()
        for event in events:
            progress = progress.after(event)

    An event never takes back what another one told: a late `call.started` gives an ended call
    its start, and the call stays ended.
    """

    stage: CallStage = CallStage.UNSEEN
    answered: bool = False
    """Whether an event says that somebody, or something, answered."""

    ended: CallEnded | None = None
    """The event that tells most of the end, once there is one."""

    def after(self, event: WebhookEvent) -> "CallProgress":
        """Take an event of this call in. One of a type that we do not know changes nothing."""
        stage = _STAGES.get(event.type, CallStage.UNSEEN)
        ended = self.ended
        if isinstance(event, CallEnded) and _tells(event) > _tells(ended):
            ended = event
        return CallProgress(
            stage=max(self.stage, stage),
            answered=self.answered or stage is CallStage.ANSWERED,
            ended=ended,
        )


def _tells(end: CallEnded | None) -> tuple[int, ...]:
    """How much an event says of the end: outcome first, then transcript and recording."""
    if end is None:
        return ()
    return len(end.outcome), len(end.transcription), int(end.recording_url is not None)
