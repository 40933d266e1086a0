"""What the apps above bring to the socket: commands, frames, and the few questions that the hub asks.

Each app's `socket.py` registers from `AppConfig.ready()`; so the ground floor serves the apps above
without importing them.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from realtime.wire.announcements import EphemeralEvent, EventAnnouncement, RowKey
from realtime.wire.bodies import Request
from realtime.wire.frames import Frame

if TYPE_CHECKING:
    from realtime.fanout.sockets import Socket

Handler = Callable[["Socket", Any], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a socket belongs to."""

    user_id: str
    session_id: str


class Attachment(msgspec.Struct, frozen=True):
    """One conversation of a user as the database has it now."""

    conversation_id: str
    last_sequence: int
    history_from: int


# The epoch of the log, and all conversations of a user in it.
Attachments = tuple[str, list[Attachment]]


@dataclass(slots=True)
class Recent:
    """What happened lately: heads of conversations with new events, and who joined which with what history start.

    `epoch` was that of the log before all this was read.
    """

    epoch: str
    heads: Mapping[str, int]
    joins: Mapping[str, Mapping[str, int]]


class Log(Protocol):
    """The event log, as the hub needs it. All methods are synchronous database work."""

    def attachments(self, user_ids: Sequence[str]) -> Sequence[Attachments]:
        """Return the epoch of the log and all conversations of each user, in one snapshot."""

    def read(self, conversation_id: str, *, after: int, viewers: Collection[str]) -> list[EventAnnouncement]:
        """Return the events above `after`, in order, at most a page, rendered for `viewers`."""

    def recent(self) -> Recent:
        """Return what was committed lately; an overlap between calls is wanted."""


class Authenticator(Protocol):
    """Who is asking? All methods are synchronous database work."""

    def by_tokens(self, tokens: Sequence[str]) -> Sequence[Identity | None]:
        """Return whose bearer tokens these are, in order."""

    def by_cookie(self, cookie: str) -> Identity | None:
        """Return whose browser session the session cookie names, given its value."""

    def ended(self, session_ids: Collection[str]) -> Collection[str]:
        """Return those of the sessions that are no longer valid."""


commands: dict[str, tuple[type[Request], Handler]] = {}
frames: dict[str, type[Frame]] = {}
signed_in_listeners: list[Callable[["Socket"], None]] = []
closed_listeners: list[Callable[["Socket"], None]] = []
# Called for each socket whose user became a member of a conversation while it was connected.
joined_listeners: list[Callable[["Socket"], None]] = []
# Periodic work of a process that has sockets, once a second, on the event loop.
ticks: list[Callable[[], Awaitable[None] | None]] = []
# What a server process writes down when its last connection and request have ended.
last_words: list[Callable[[], Awaitable[None]]] = []
# Durable changes that take no sequence (receipts): each returns what was committed lately, except for
# the row keys that were seen.
recent_ephemeral_events: list[Callable[[Callable[[RowKey], bool]], list[EphemeralEvent]]] = []
# Whether work is under way that a drain must let finish.
busy_checks: list[Callable[[], bool]] = []

_log: list[Log] = []
_authenticator: list[Authenticator] = []


def register_command(kind: type[Request], handler: Handler) -> None:
    """Let `handler` answer frames of `kind`, a tagged struct with an `id`; a type is registered once."""
    tag = tag_of(kind)
    if tag in commands:
        raise RuntimeError(f"command {tag} is registered twice")
    commands[tag] = (kind, handler)


def register_frames(*kinds: type[Frame]) -> None:
    """Name frames that the server may send, for the published schema."""
    for kind in kinds:
        frames[tag_of(kind)] = kind


def register_log(log: Log) -> None:
    """Name the event log; there is one."""
    _log[:] = [log]


def register_authenticator(authenticator: Authenticator) -> None:
    """Name who recognises credentials; there is one."""
    _authenticator[:] = [authenticator]


def log() -> Log:
    """Return the registered event log."""
    return _log[0]


def authenticator() -> Authenticator:
    """Return the registered authenticator."""
    return _authenticator[0]


def tag_of(kind: type[msgspec.Struct]) -> str:
    """Return the value of `type` on the wire."""
    return str(kind.__struct_config__.tag)
