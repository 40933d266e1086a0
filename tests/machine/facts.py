"""The data of the plain model: dictionaries, lists and numbers."""

from dataclasses import dataclass, field
from typing import Any

Shown = dict[str, Any]
OWN_SETTINGS = {"muted_until": None, "notification_level": "all", "pinned": False, "archived": False}


@dataclass
class Participant:
    """A participant of a conversation; their data stays unchanged after they leave."""

    role: str
    came: int  # number of the step in which they last joined
    first: int  # their rank among all who ever joined
    start: int  # first sequence that they may see
    may_write: bool = True
    here: bool = True
    delivered: int = 0
    read: int = 0
    own: Shown = field(default_factory=lambda: dict(OWN_SETTINGS))  # their own settings


@dataclass
class Message:
    """A message. A repeated send must equal `said`, which is None after a deletion."""

    sequence: int
    sender: str | None
    type: str
    content: str = ""
    metadata: Shown = field(default_factory=dict)
    reply_to: int | None = None
    client_id: str | None = None
    said: Shown | None = None
    edited: bool = False
    deleted: bool = False


@dataclass
class Event:
    """One event of a log; `subject` is the sequence of the changed message, else its own sequence."""

    sequence: int
    kind: str
    subject: int
    person: str | None = None


@dataclass
class Conversation:
    """A conversation with its whole log."""

    label: str
    type: str
    creator: str
    name: str = ""
    description: str = ""
    participants: dict[str, Participant] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    last_activity: tuple[int, int] = (0, 0)  # step and sequence of the newest message; orders lists

    @property
    def head(self) -> int:
        """The newest sequence."""
        return len(self.log)

    def members(self) -> list[str]:
        """Return the current members in the order of joining."""
        here = [name for name, participant in self.participants.items() if participant.here]
        return sorted(here, key=lambda name: (self.participants[name].came, self.participants[name].first))


@dataclass
class EventNews:
    """A published event; the audience are the members of that moment."""

    conversation: str
    event: Event
    audience: list[str]


@dataclass
class ReceiptNews:
    """A receipt change; `session` is the one that sent the receipt."""

    conversation: str
    kind: str
    person: str
    up_to: int
    newest: int | None  # the newest message that it covers
    audience: list[str]
    session: str | None
