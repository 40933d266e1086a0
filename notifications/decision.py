"""Whether a message is pushed to a device: one pure function with a closed list of outcomes.

Nothing here reads a table, a clock or a setting; `selectors.facts` gathers what the function is given.
"""

import datetime
from dataclasses import dataclass, field
from enum import StrEnum

from notifications.do_not_disturb import DoNotDisturb


class Outcome(StrEnum):
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


# What staff read.
MEANING = {
    Outcome.SEND: "To be sent",
    Outcome.SENT: "Taken by the provider",
    Outcome.NO_PERMISSION: "The person may not see the message any more",
    Outcome.DELETED: "The message was deleted",
    Outcome.EXPIRED: "The message is too old to be news",
    Outcome.TOKEN_DEAD: "The device signed out, or its token is no longer valid",
    Outcome.READ: "The person has read it",
    Outcome.BLOCKED: "One of the two blocks the other",
    Outcome.CONVERSATION_OFF: "The conversation has notifications switched off",
    Outcome.PREFERENCE_OFF: "The person wants no push, or none of this conversation",
    Outcome.MUTED: "The person has muted the conversation",
    Outcome.MENTION_ONLY: "The person wants mentions only, and was not mentioned",
    Outcome.DO_NOT_DISTURB: "The person does not want to be disturbed now",
    Outcome.ACTIVE: "The person is active on a device",
    Outcome.SUPERSEDED: "A newer message of the conversation is pushed instead",
    Outcome.LATER: "The provider does not answer; it is tried again",
    Outcome.REFUSED: "The provider refused it, and another try would not mend that",
}


class Level(StrEnum):
    """What somebody wants to be notified of."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


_STRICTNESS = list(Level)


@dataclass(frozen=True, slots=True)
class Message:
    """What the decision needs of a message and its conversation."""

    sequence: int
    created_at: datetime.datetime
    is_deleted: bool = False
    conversation_notifies: bool = True


@dataclass(frozen=True, slots=True)
class Recipient:
    """What the decision needs of a person. `active_at` is when they last did something on any device."""

    is_member: bool = True
    history_from: int = 1
    last_read_sequence: int = 0
    is_apart: bool = False
    is_mentioned: bool = False
    muted_until: datetime.datetime | None = None
    levels: tuple[Level, ...] = ()
    wants_push: bool = True
    paused_until: datetime.datetime | None = None
    is_busy: bool = False
    do_not_disturb: DoNotDisturb = field(default_factory=DoNotDisturb)
    active_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """What the decision needs of a device. `open_until`: so long its provider's breaker is open."""

    is_signed_in: bool = True
    has_newer: bool = False
    open_until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things count: a message as news, a person as active, and how long an active one is waited for."""

    seconds_to_live: float = 86_400
    active_seconds: float = 60
    active_patience_seconds: float = 900


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome; with `again_at` it is not the last word: decide again then."""

    outcome: Outcome
    again_at: datetime.datetime | None = None


def decide(
    message: Message, recipient: Recipient, device: Device, now: datetime.datetime, patience: Patience
) -> Decision:
    """Decide whether this message is pushed to this device now, or why it is not.

    Somebody active is decided about again once they were quiet for `active_seconds`: they may have walked away
    without seeing it. That is given up when the message is `active_patience_seconds` old.
    """
    if (why_not := _never(message, recipient, device, now, patience)) is not None:
        return Decision(why_not)
    if (why_not := _unwanted(recipient, message, now)) is not None:
        return Decision(why_not)
    if device.has_newer:
        return Decision(Outcome.SUPERSEDED)
    if recipient.active_at is not None:
        quiet_at = recipient.active_at + datetime.timedelta(seconds=patience.active_seconds)
        if quiet_at > now:
            given_up_at = message.created_at + datetime.timedelta(seconds=patience.active_patience_seconds)
            return Decision(Outcome.ACTIVE, quiet_at if quiet_at < given_up_at else None)
    if device.open_until is not None and device.open_until > now:
        return Decision(Outcome.LATER, device.open_until)
    return Decision(Outcome.SEND)


def _never(
    message: Message, recipient: Recipient, device: Device, now: datetime.datetime, patience: Patience
) -> Outcome | None:
    """Return why there is nothing to push, whatever anybody wants."""
    if not recipient.is_member or message.sequence < recipient.history_from:
        return Outcome.NO_PERMISSION
    if message.is_deleted:
        return Outcome.DELETED
    if now - message.created_at > datetime.timedelta(seconds=patience.seconds_to_live):
        return Outcome.EXPIRED
    if not device.is_signed_in:
        return Outcome.TOKEN_DEAD
    if message.sequence <= recipient.last_read_sequence:
        return Outcome.READ
    return None


def _unwanted(recipient: Recipient, message: Message, now: datetime.datetime) -> Outcome | None:
    """Return why this person, or the conversation, does not want it."""
    level = max(recipient.levels, key=_STRICTNESS.index, default=Level.ALL)
    if recipient.is_apart:
        return Outcome.BLOCKED
    if not message.conversation_notifies:
        return Outcome.CONVERSATION_OFF
    if not recipient.wants_push or level is Level.NONE:
        return Outcome.PREFERENCE_OFF
    if recipient.muted_until is not None and recipient.muted_until > now:
        return Outcome.MUTED
    if level is Level.MENTIONS and not recipient.is_mentioned:
        return Outcome.MENTION_ONLY
    paused = recipient.paused_until is not None and recipient.paused_until > now
    if paused or recipient.is_busy or recipient.do_not_disturb.holds_at(now):
        return Outcome.DO_NOT_DISTURB
    return None
