"""What the plain model is made of: dictionaries, lists and numbers."""

from dataclasses import dataclass, field
from typing import Any

Shown = dict[str, Any]
OWN_SETTINGS = {"muted_until": None, "notification_level": "all", "pinned": False, "archived": False}


@dataclass
class Place:
    """A person's place in a conversation; it stays as it was when they leave."""

    role: str
    came: int  # number of the step in which they came, the last time
    first: int  # their number among all who ever came
    start: int  # first sequence that they may see
    may_write: bool = True
    here: bool = True
    delivered: int = 0
    read: int = 0
    own: Shown = field(default_factory=lambda: dict(OWN_SETTINGS))  # what they set for themselves


@dataclass
class Message:
    """A message. `said` is what a repetition of its send must agree in, None once it was deleted."""

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
    """One line of a log; `subject` is the sequence of the message that changed, else its own."""

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
    places: dict[str, Place] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    stirred: tuple[int, int] = (0, 0)  # step of the newest message; orders lists

    @property
    def head(self) -> int:
        """The newest sequence."""
        return len(self.log)

    def members(self) -> list[str]:
        """Return who is in it, in the order of coming."""
        here = [name for name, place in self.places.items() if place.here]
        return sorted(here, key=lambda name: (self.places[name].came, self.places[name].first))


@dataclass
class EventNews:
    """An event went out to those who were members then."""

    conversation: str
    event: Event
    audience: list[str]


@dataclass
class MarkNews:
    """A receipt mark moved; `session` is the one that said so."""

    conversation: str
    kind: str
    person: str
    up_to: int
    newest: int | None  # the newest message that it covers
    audience: list[str]
    session: str | None
