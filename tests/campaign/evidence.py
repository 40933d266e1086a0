"""What a run wrote down, for the checker: the devices' histories, what people did beside, and the database's rows.

Times (`at`, `began`, `ended`) are seconds of one monotonic clock, that of the process which holds all devices.
Ids are UUIDs as text.
"""

from dataclasses import dataclass, field
from typing import Literal

from tests.campaign.history import History

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
    positions: tuple[tuple[str, int, int], ...] = ()  # (user, delivered, read)


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
class ParticipantRow:
    """A participant's row."""

    member: bool
    history_from: int
    delivered: int
    read: int


@dataclass(frozen=True, slots=True)
class ReceiptChangeRow:
    """A receipt's row; `after` is the position that it moved from."""

    conversation_id: str
    user_id: str
    kind: str
    after: int
    up_to: int


@dataclass
class Contents:
    """The rows of the run's conversations. Events are ordered by sequence, receipt changes by id."""

    heads: dict[str, int] = field(default_factory=dict)
    messages: list[MessageRow] = field(default_factory=list)
    events: dict[str, list[EventRow]] = field(default_factory=dict)
    participants: dict[tuple[str, str], ParticipantRow] = field(default_factory=dict)
    receipt_changes: list[ReceiptChangeRow] = field(default_factory=list)


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
