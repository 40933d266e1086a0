"""Whether a message is pushed to a device: one pure function with a closed list of outcomes.

Nothing here reads a table, a clock or a setting; `selectors.facts` gathers the arguments.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from conversations.models import Participant
from notifications.do_not_disturb import DoNotDisturb

Level = Participant.Level


class PushOutcome(StrEnum):
    """What became of the push of one message to one device."""

    SEND = "send"
    SENT = "sent"
    NO_PERMISSION = "no_permission"
    DELETED = "deleted"
    EXPIRED = "expired"
    TOKEN_DEAD = "token_dead"  # noqa: S105 - no password
    READ = "read"
    BLOCKED = "blocked"
    CONVERSATION_OFF = "conversation_off"
    PREFERENCE_OFF = "preference_off"
    MUTED = "muted"
    MENTION_ONLY = "mention_only"
    DO_NOT_DISTURB = "do_not_disturb"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    LATER = "later"
    REFUSED = "refused"


# As the admin shows them.
MEANINGS = {
    PushOutcome.SEND: "To be sent",
    PushOutcome.SENT: "Taken by the provider",
    PushOutcome.NO_PERMISSION: "The person may not see the message any more",
    PushOutcome.DELETED: "The message was deleted",
    PushOutcome.EXPIRED: "The message is too old to be news",
    PushOutcome.TOKEN_DEAD: "The device signed out, or its token is no longer valid",
    PushOutcome.READ: "The person has read it",
    PushOutcome.BLOCKED: "One of the two blocks the other",
    PushOutcome.CONVERSATION_OFF: "The conversation has notifications switched off",
    PushOutcome.PREFERENCE_OFF: "The person wants no push, or none of this conversation",
    PushOutcome.MUTED: "The person has muted the conversation",
    PushOutcome.MENTION_ONLY: "The person wants mentions only, and was not mentioned",
    PushOutcome.DO_NOT_DISTURB: "The person does not want to be disturbed now",
    PushOutcome.ACTIVE: "The person is active on a device",
    PushOutcome.SUPERSEDED: "A newer message of the conversation is pushed instead",
    PushOutcome.LATER: "The provider does not answer; it is tried again",
    PushOutcome.REFUSED: "The provider refused it, and another try would not help",
}


# From the least strict to the strictest.
_LEVELS = list(Level)


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """The facts about a message and its conversation on which the decision depends."""

    sequence: int
    created_at: datetime.datetime
    is_deleted: bool = False
    conversation_notifies: bool = True


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """The facts about a person on which the decision depends.

    `is_blocked`: the person or the sender blocks the other. `levels`: the person's own and the conversation's; the
    strictest holds. `active_at`: when the person last did something on any device.
    """

    is_member: bool = True
    history_from: int = 1
    last_read_sequence: int = 0
    is_blocked: bool = False
    is_mentioned: bool = False
    muted_until: datetime.datetime | None = None
    levels: tuple[Level, ...] = ()
    wants_push: bool = True
    paused_until: datetime.datetime | None = None
    is_busy: bool = False
    do_not_disturb: DoNotDisturb = field(default_factory=DoNotDisturb)
    active_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """The facts about a device on which the decision depends.

    `has_newer`: a newer message of the conversation waits for this device or was sent to it. `open_until`: when the
    breaker of its provider closes.
    """

    is_signed_in: bool = True
    has_newer: bool = False
    open_until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class DecisionTimings:
    """Limits in seconds.

    A message older than `seconds_to_live` is not pushed. A person is active for `active_seconds` after doing something.
    A message waits for an active person until it is `active_wait_seconds` old.
    """

    seconds_to_live: float = 86_400
    active_seconds: float = 60
    active_wait_seconds: float = 900


@dataclass(frozen=True, slots=True)
class PushDecision:
    """An outcome; it is final unless `again_at` says when to decide again."""

    outcome: PushOutcome
    again_at: datetime.datetime | None = None


def decide(
    message: MessageFacts,
    recipient: RecipientFacts,
    device: DeviceFacts,
    now: datetime.datetime,
    timings: DecisionTimings,
) -> PushDecision:
    """Decide whether this message is pushed to this device now, or why it is not.

    For an active person the decision is made again when they have been quiet for `active_seconds`: they may have left
    without seeing the message. A message older than `active_wait_seconds` does not wait for that.
    """
    if (why_not := _never(message, recipient, device, now, timings)) is not None:
        return PushDecision(why_not)
    if (why_not := _unwanted(recipient, message, now)) is not None:
        return PushDecision(why_not)
    if device.has_newer:
        return PushDecision(PushOutcome.SUPERSEDED)
    if recipient.active_at is not None:
        quiet_at = recipient.active_at + datetime.timedelta(seconds=timings.active_seconds)
        if quiet_at > now:
            given_up_at = message.created_at + datetime.timedelta(seconds=timings.active_wait_seconds)
            return PushDecision(PushOutcome.ACTIVE, quiet_at if quiet_at < given_up_at else None)
    if device.open_until is not None and device.open_until > now:
        return PushDecision(PushOutcome.LATER, device.open_until)
    return PushDecision(PushOutcome.SEND)


def strictest(levels: Iterable[Level]) -> Level:
    """Return the level that lets the fewest messages through; ALL if there is none."""
    return max(levels, key=_LEVELS.index, default=Level.ALL)


def _never(
    message: MessageFacts,
    recipient: RecipientFacts,
    device: DeviceFacts,
    now: datetime.datetime,
    timings: DecisionTimings,
) -> PushOutcome | None:
    """Return why the message cannot be pushed, regardless of preferences."""
    if not recipient.is_member or message.sequence < recipient.history_from:
        return PushOutcome.NO_PERMISSION
    if message.is_deleted:
        return PushOutcome.DELETED
    if now - message.created_at > datetime.timedelta(seconds=timings.seconds_to_live):
        return PushOutcome.EXPIRED
    if not device.is_signed_in:
        return PushOutcome.TOKEN_DEAD
    if message.sequence <= recipient.last_read_sequence:
        return PushOutcome.READ
    return None


def _unwanted(recipient: RecipientFacts, message: MessageFacts, now: datetime.datetime) -> PushOutcome | None:
    """Return the preference of the person, or the setting of the conversation, that forbids the push."""
    level = strictest(recipient.levels)
    if recipient.is_blocked:
        return PushOutcome.BLOCKED
    if not message.conversation_notifies:
        return PushOutcome.CONVERSATION_OFF
    if not recipient.wants_push or level is Level.NONE:
        return PushOutcome.PREFERENCE_OFF
    if recipient.muted_until is not None and recipient.muted_until > now:
        return PushOutcome.MUTED
    if level is Level.MENTIONS and not recipient.is_mentioned:
        return PushOutcome.MENTION_ONLY
    paused = recipient.paused_until is not None and recipient.paused_until > now
    if paused or recipient.is_busy or recipient.do_not_disturb.holds_at(now):
        return PushOutcome.DO_NOT_DISTURB
    return None
