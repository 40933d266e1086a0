"""What one device wrote down: entries in the order in which they happened, and what it holds at the end.

An entry never changes once it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from tests.campaign.frames import Frame


class Connected(msgspec.Struct, gc=False, frozen=True):
    """A socket was signed in. Sockets of a device are numbered from 1; 0 means REST."""

    at: float
    socket: int
    server: int


class Closed(msgspec.Struct, gc=False, frozen=True):
    """A socket ended; None where no close frame came."""

    at: float
    socket: int
    code: int | None


class Sent(msgspec.Struct, gc=False, frozen=True):
    """A send left the device: the first time or once more."""

    at: float
    socket: int
    conversation_id: str
    client_message_id: str
    text: str


class Acked(msgspec.Struct, gc=False, frozen=True):
    """A send was acknowledged, by `message_ack` or by a 200 or 201."""

    at: float
    client_message_id: str
    conversation_id: str
    message_id: str
    sequence: int
    duplicate: bool


class Refused(msgspec.Struct, gc=False, frozen=True):
    """A send was answered with an error."""

    at: float
    client_message_id: str
    code: str


class Heard(msgspec.Struct, gc=False, frozen=True):
    """A numbered event, or a receipt, typing or presence about a conversation, arrived."""

    at: float
    socket: int
    frame: Frame


class SyncAsked(msgspec.Struct, frozen=True):
    """The device asked for what it missed above these cursors."""

    at: float
    socket: int
    cursors: dict[str, int]


class SyncRefused(msgspec.Struct, gc=False, frozen=True):
    """A sync was answered with an error."""

    at: float
    socket: int


class Synced(msgspec.Struct, frozen=True):
    """`sync_complete` arrived; `cursors` are the device's own at that moment."""

    at: float
    socket: int
    heads: dict[str, int]
    resync: list[str]
    cursors: dict[str, int]


class Loaded(msgspec.Struct, frozen=True):
    """The device loaded a conversation over REST: everything it now holds of it, texts by message id."""

    began: float
    at: float
    conversation_id: str
    cursor: int
    texts: dict[str, str]


Entry = Connected | Closed | Sent | Acked | Refused | Heard | SyncAsked | SyncRefused | Synced | Loaded


@dataclass
class Held:
    """What a device holds of one conversation: messages as sequence -> (id, text)."""

    cursor: int
    floor: int = 1  # everything from here on is held
    messages: dict[int, tuple[str, str]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    positions: dict[str, tuple[int, int]] = field(default_factory=dict)  # user -> (delivered, read)

    def copy(self) -> Held:
        """Return the same for another device."""
        return Held(self.cursor, self.floor, dict(self.messages), set(self.members), dict(self.positions))


@dataclass
class History:
    """What one device wrote down, and what it holds at the end, after its last `sync`."""

    device: str
    user_id: str
    entries: list[Entry] = field(default_factory=list)
    holds: dict[str, Held] = field(default_factory=dict)
    settled: bool = True  # False for a device that was revoked: what it holds is not compared
