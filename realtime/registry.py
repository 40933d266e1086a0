"""Where the apps register what they bring to the socket: commands, listeners, periodic work, and two ports.

So `realtime` serves the apps without importing them. An app registers when its modules are imported, which
`AppConfig.ready` does. The ports are `Log` (what the hub reads) and `Authenticator` (who may sign in).
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from realtime.wire.announcements import EphemeralEvent, EventAnnouncement, RowKey
from realtime.wire.bodies import Request
from realtime.wire.frames import Frame

if TYPE_CHECKING:
    from realtime.fanout.sockets import Socket

Handler = Callable[["Socket", Any], Awaitable[None] | None]
Listener = Callable[["Socket"], None]
Tick = Callable[[], Awaitable[None] | None]
ShutdownHook = Callable[[], Awaitable[None]]
# Returns the announcements of recently committed rows that this process has not seen. The argument returns whether a
# row was seen.
RecentReader = Callable[[Callable[[RowKey], bool]], list[EphemeralEvent]]
H = TypeVar("H", bound=Handler)


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
    """Recent events: the new heads by conversation, and the history starts of new members by conversation and user.

    `epoch` was read first.
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
        """Return the recently committed events; calls overlap on purpose."""

    def current_epoch(self) -> str:
        """Return the epoch of the log."""


class Authenticator(Protocol):
    """Recognises credentials. All methods are synchronous database work."""

    def by_tokens(self, tokens: Sequence[str]) -> Sequence[Identity | None]:
        """Return the identity of each bearer token, in order; None for an invalid one."""

    def by_cookie(self, cookie: str) -> Identity | None:
        """Return the identity of a session cookie, given its value."""

    def ended(self, session_ids: Collection[str]) -> Collection[str]:
        """Return the sessions that are no longer valid."""


@dataclass(frozen=True, slots=True)
class CommandDeclaration:
    """A command: its frame, the function that handles it, and the frames that answer it when it is not refused."""

    frame: type[Request]
    handler: Handler
    answers: Sequence[type[Frame]]


class NotRegistered(RuntimeError):
    """No app has registered this port: the app is not installed, or Django has not started yet."""


class Registry:
    """Everything that the apps have registered. Its one instance is `registry`."""

    def __init__(self) -> None:
        self.commands: dict[str, CommandDeclaration] = {}
        self.signed_in_listeners: list[Listener] = []
        self.joined_listeners: list[Listener] = []
        self.closed_listeners: list[Listener] = []
        self.ticks: list[Tick] = []
        self.shutdown_hooks: list[ShutdownHook] = []
        self.busy_checks: list[Callable[[], bool]] = []
        self.recent_readers: list[RecentReader] = []
        self._log: Log | None = None
        self._authenticator: Authenticator | None = None

    def command(self, frame: type[Request], *, answers: Sequence[type[Frame]] = ()) -> Callable[[H], H]:
        """Declare a command: the decorated function handles frames of this type, `answers` may answer it.

        Without `answers` only a refusal is answered, by an `error`.

        :raises RuntimeError: the command is declared already.
        """

        def declare(handler: H) -> H:
            tag = tag_of(frame)
            if tag in self.commands:
                raise RuntimeError(f"command {tag} is declared twice")
            self.commands[tag] = CommandDeclaration(frame, handler, answers)
            return handler

        return declare

    @property
    def frames(self) -> dict[str, type[Frame]]:
        """Every frame that the server may send, by tag: all subclasses of `Frame`.

        :raises RuntimeError: two have the same tag.
        """
        found: dict[str, type[Frame]] = {}
        for frame in _subclasses(Frame):
            if found.setdefault(tag_of(frame), frame) is not frame:
                raise RuntimeError(f"frame {tag_of(frame)} is declared twice")
        return found

    def on_signed_in(self, listener: Listener) -> None:
        """Call `listener` with each socket after it has signed in."""
        self.signed_in_listeners.append(listener)

    def on_joined(self, listener: Listener) -> None:
        """Call `listener` with each connected socket whose user becomes a member of a conversation."""
        self.joined_listeners.append(listener)

    def on_closed(self, listener: Listener) -> None:
        """Call `listener` with each socket after it has closed, whether it had signed in or not."""
        self.closed_listeners.append(listener)

    def on_tick(self, tick: Tick) -> None:
        """Call `tick` on the event loop of every process with sockets, every `sweep.TICK_SECONDS`."""
        self.ticks.append(tick)

    def on_shutdown(self, hook: ShutdownHook) -> None:
        """Call `hook` when a server process ends, after its last connection and request."""
        self.shutdown_hooks.append(hook)

    def drain_waits_while(self, busy: Callable[[], bool]) -> None:
        """Let a drain wait, before it closes sockets, while `busy` returns true: writes are under way."""
        self.busy_checks.append(busy)

    def sweep_reads(self, reader: RecentReader) -> None:
        """Let each sweep look for durable changes without a sequence (receipts) that this process may have missed."""
        self.recent_readers.append(reader)

    @property
    def log(self) -> Log:
        """The event log.

        :raises NotRegistered: no app has registered one.
        """
        if self._log is None:
            raise NotRegistered("no event log: an app must call registry.register_log when Django starts")
        return self._log

    def register_log(self, log: Log) -> None:
        """Make this the event log; it replaces another."""
        self._log = log

    @property
    def authenticator(self) -> Authenticator:
        """The authenticator, which recognises credentials.

        :raises NotRegistered: no app has registered one.
        """
        if self._authenticator is None:
            raise NotRegistered("no authenticator: an app must call registry.register_authenticator when Django starts")
        return self._authenticator

    def register_authenticator(self, authenticator: Authenticator) -> None:
        """Make this the authenticator; it replaces another."""
        self._authenticator = authenticator


def tag_of(kind: type[msgspec.Struct]) -> str:
    """Return the value of `type` on the wire."""
    return str(kind.__struct_config__.tag)


def _subclasses(kind: type[Frame]) -> Iterator[type[Frame]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


registry = Registry()
