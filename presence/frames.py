"""Frames and bodies of presence and typing."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from accounts.frames import UserBody
from presence.store import Status
from realtime.wire.bodies import Body, Id, IdText, Request, Time
from realtime.wire.frames import Command, Frame

Chosen = Literal["online", "away", "busy", "invisible"]
# What people see of themselves: others see an invisible person as offline.
OwnStatus = Status | Literal["invisible"]
Activity = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]


class TypingCommand(Command, tag="typing", kw_only=True):
    """I am typing, or have stopped. Repeat it before the lease of 3 s ends."""

    conversation_id: UUID
    is_typing: bool


class PresenceUpdate(Command, tag="presence_update", kw_only=True):
    """How I want to be seen, on all devices."""

    status: Chosen
    activity: Activity | None = None


class StatusBody(Request, kw_only=True):
    """The same over REST."""

    status: Chosen
    activity: Activity | None = None


class Typing(Frame, tag="typing", kw_only=True):
    """Somebody types; it holds for `expires_in` seconds unless it is renewed."""

    conversation_id: IdText
    user_id: IdText
    is_typing: bool
    expires_in: float


class Presence(Frame, tag="presence", kw_only=True):
    """Somebody's presence changed; `last_seen` when they are offline. Only the viewer's own can be `invisible`."""

    user_id: IdText
    status: OwnStatus
    activity: str | None = None
    last_seen: Time | None = None


class PresenceBody(Body, kw_only=True):
    """Presence in a profile. Only the viewer's own can be `invisible`."""

    status: OwnStatus
    activity: str | None
    last_seen: Time | None


class PresenceQuery(Request, kw_only=True):
    """Ids of people, separated by commas."""

    user_ids: str


class PersonPresence(PresenceBody, kw_only=True):
    """The presence of one of several people."""

    user_id: Id


class PresenceList(Body, kw_only=True):
    """The presence of those of the people who share a conversation with the viewer, and the viewer's own."""

    results: list[PersonPresence]


class ProfileBody(UserBody, kw_only=True):
    """A person; `presence` only for those who share a conversation with them."""

    presence: PresenceBody | None
