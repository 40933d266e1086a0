"""What a run wrote down, for the checker: one history per device, the database's rows, and what people did.

Times (`at`, `began`, `ended`) are seconds of one monotonic clock, that of the process which holds all devices.
Ids are UUIDs as text. An entry of a history never changes once it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

# Codes after which a client repeats; every other refusal is final (docs/protocol.md, "Errors").
REPEATABLE = frozenset({"rate_limited", "try_again", "server_error"})


class Body(msgspec.Struct, gc=False, frozen=True):
    """A message in a frame, as far as the campaign looks at it."""

    id: str
    sequence: int
    content: str
    sender_user_id: str | None = None
    client_message_id: str | None = None
    deleted_at: str | None = None


class Participant(msgspec.Struct, gc=False, frozen=True):
    """A participant in a frame."""

    user_id: str
    last_read_sequence: int = 0
    last_delivered_sequence: int = 0


class Frame(msgspec.Struct, gc=False, frozen=True):
    """A frame of the server. Devices that were sent the same bytes share one."""

    type: str
    conversation_id: str = ""
    sequence: int = 0
    message: Body | None = None
    participant: Participant | None = None
    user_id: str = ""
    reader_id: str = ""
    up_to_sequence: int = 0
    client_message_id: str | None = None
    message_id: str | None = None
    created_at: str = ""
    duplicate: bool = False
    code: str = ""
    id: str | None = None
    retry_after: float | None = None
    heads: dict[str, int] | None = None
    resync: list[str] | None = None
    heartbeat_interval: float = 0.0
    server_time: str = ""
    epoch: str = ""


# --- Entries of a history, in the order in which they happened ---------------------------------


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
    """`sync_complete` came; `cursors` are the device's own after all that came before it."""

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
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)  # user -> (delivered, read)

    def copy(self) -> Held:
        """Return the same for another device."""
        return Held(self.cursor, self.floor, dict(self.messages), set(self.members), dict(self.marks))


@dataclass
class History:
    """What one device wrote down, and what it holds at the end, after its last `sync`."""

    device: str
    user_id: str
    entries: list[Entry] = field(default_factory=list)
    holds: dict[str, Held] = field(default_factory=dict)
    settled: bool = True  # False for a device that was revoked: what it holds is not compared


# --- What people did beside sending --------------------------------------------------------------

Outcome = Literal["done", "refused", "unknown"]


@dataclass(frozen=True)
class Change:
    """An edit (its new `text`) or a deletion (text "") of a message."""

    began: float
    ended: float
    message_id: str
    text: str
    outcome: Outcome


@dataclass(frozen=True)
class Membership:
    """Somebody was added to a conversation or removed from it."""

    began: float
    ended: float
    conversation_id: str
    user_id: str
    joins: bool
    outcome: Outcome


@dataclass(frozen=True)
class Peek:
    """Somebody looked at a conversation over REST; `texts` is what the answer showed."""

    began: float
    ended: float
    user_id: str
    conversation_id: str
    path: str
    status: int
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Revocation:
    """A device's session was ended; its sockets must be silent `within` so many seconds."""

    at: float
    device: str
    within: float


@dataclass(frozen=True)
class Snapshot:
    """One look into the database, in one statement: a conversation's head, and its events counted."""

    began: float
    conversation_id: str
    head: int
    events: int
    highest: int
    marks: tuple[tuple[str, int, int], ...] = ()  # (user, delivered, read)


# --- The database at the end ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A row of messages; `sender_id` and `client_message_id` are None for what the system wrote."""

    id: str
    conversation_id: str
    sequence: int
    sender_id: str | None
    client_message_id: str | None
    text: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of the event log."""

    sequence: int
    kind: str
    subject: int
    message_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A participant's row."""

    member: bool
    history_from: int
    delivered: int
    read: int


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A receipt's row; `after` is the mark that it moved from."""

    conversation_id: str
    user_id: str
    kind: str
    after: int
    up_to: int


@dataclass
class Contents:
    """The rows of the run's conversations. Events are in the order of their numbers, moves in that of their ids."""

    heads: dict[str, int] = field(default_factory=dict)
    messages: list[MessageRow] = field(default_factory=list)
    events: dict[str, list[EventRow]] = field(default_factory=dict)
    places: dict[tuple[str, str], PlaceRow] = field(default_factory=dict)
    moves: list[MoveRow] = field(default_factory=list)


@dataclass
class Evidence:
    """Everything that the checker looks at."""

    founders: dict[str, set[str]] = field(default_factory=dict)  # conversation -> who was there from the beginning
    histories: list[History] = field(default_factory=list)
    contents: Contents = field(default_factory=Contents)
    changes: list[Change] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    peeks: list[Peek] = field(default_factory=list)
    revocations: list[Revocation] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    deleted_texts: list[str] = field(default_factory=list)
    found_texts: dict[str, str] = field(default_factory=dict)  # deleted text -> where it still was
    integrity_faults: list[str] = field(default_factory=list)  # what the product's own check of its rows says
