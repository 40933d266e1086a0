"""Where apps register the renderers of their kinds of event, and where messaging registers two functions.

An event refers to what changed and contains no text. It is rendered whenever it is read, in the present state.
"""

import datetime
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from conversations.event_kinds import EventKind
from realtime.registry import NotRegistered
from realtime.wire.frames import EventHidden, Frame


class EventRow(msgspec.Struct):
    """An event as it is in the log; `user_id` is the person whom it is about."""

    id: int
    conversation_id: UUID
    sequence: int
    kind: str
    subject_sequence: int
    message_id: UUID | None
    user_id: UUID | None


# (events, viewer) -> frame by event id. A viewer of None asks for the frame that suits everybody.
Renderer = Callable[[Sequence[EventRow], UUID | None], dict[int, Frame]]
# (event, user ids) -> frame by user id, for those of the users who are members.
MemberRenderer = Callable[[EventRow, Collection[str]], dict[str, Frame]]
MessagesAt = Callable[[Sequence[tuple[UUID, int]], UUID | None], dict[UUID, Any]]
ReceiptsSince = Callable[[UUID, Sequence[UUID], datetime.datetime], list[Frame]]
R = TypeVar("R", bound=Renderer)
M = TypeVar("M", bound=MemberRenderer)
A = TypeVar("A", bound=MessagesAt)
S = TypeVar("S", bound=ReceiptsSince)


class EventRegistry:
    """The kinds of event that this release knows. There is one object of this class: `event_registry`."""

    def __init__(self) -> None:
        self.kinds: dict[str, EventKind] = {}
        self._renderers: dict[str, Renderer] = {}
        self._member_renderers: dict[str, MemberRenderer] = {}
        self._messages_at: MessagesAt | None = None
        self._receipts_since: ReceiptsSince | None = None

    # --- Registering, by decorators -------------------------------------------------------

    def renders(self, *kinds: EventKind) -> Callable[[R], R]:
        """Declare kinds, and that the decorated function renders their events.

        :raises RuntimeError: a kind of this name is declared already.
        """

        def declare(renderer: R) -> R:
            for kind in kinds:
                if kind.name in self.kinds:
                    raise RuntimeError(f"event kind {kind.name} is declared twice")
                self.kinds[kind.name] = kind
                self._renderers[kind.name] = renderer
            return renderer

        return declare

    def renders_for_members(self, *kinds: EventKind) -> Callable[[M], M]:
        """Let the decorated function render an event of a `per_viewer` kind for many members at once."""

        def declare(renderer: M) -> M:
            for kind in kinds:
                self._member_renderers[kind.name] = renderer
            return renderer

        return declare

    def provides_messages(self, messages_at: A) -> A:
        """Let the decorated function give the message at a sequence, for the top of a conversation body."""
        self._messages_at = messages_at
        return messages_at

    def provides_receipts(self, receipts_since: S) -> S:
        """Let the decorated function give the receipts since a moment, for a client that catches up."""
        self._receipts_since = receipts_since
        return receipts_since

    # --- Asking ---------------------------------------------------------------------------

    def rendered(self, events: Sequence[EventRow], viewer: UUID | None) -> list[Frame]:
        """Render events for a viewer, in the given order; one set of queries per renderer, however many events.

        A kind that only a later release knows, whose processes may write already, is rendered as `event_hidden`.
        """
        by_renderer: dict[Renderer, list[EventRow]] = {}
        for event in events:
            by_renderer.setdefault(self._renderers.get(event.kind, _hidden), []).append(event)
        frames: dict[int, Frame] = {}
        for renderer, group in by_renderer.items():
            frames |= renderer(group, viewer)
        return [frames[event.id] for event in events]

    def rendered_for_members(self, event: EventRow, user_ids: Collection[str]) -> dict[str, Frame]:
        """Render an event of a `per_viewer` kind for those of the users who are members.

        :raises NotRegistered: the kind has no renderer for members.
        """
        renderer = self._member_renderers.get(event.kind)
        if renderer is None:
            raise NotRegistered(f"event kind {event.kind}: per_viewer needs event_registry.renders_for_members")
        return renderer(event, user_ids)

    def messages_at(self, positions: Iterable[tuple[UUID, int]], viewer: UUID | None) -> dict[UUID, Any]:
        """Return the message bodies at (conversation, sequence), by conversation.

        :raises NotRegistered: no app provides messages.
        """
        if self._messages_at is None:
            raise NotRegistered("no messages: an app must use event_registry.provides_messages")
        wanted = list(dict.fromkeys(positions))
        return self._messages_at(wanted, viewer) if wanted else {}

    def receipts_since(self, viewer: UUID, conversation_ids: Sequence[UUID], since: datetime.datetime) -> list[Frame]:
        """Return frames for the receipts of these conversations that changed since then.

        :raises NotRegistered: no app provides receipts.
        """
        if self._receipts_since is None:
            raise NotRegistered("no receipts: an app must use event_registry.provides_receipts")
        return self._receipts_since(viewer, conversation_ids, since) if conversation_ids else []


def _hidden(events: Sequence[EventRow], _: UUID | None) -> dict[int, Frame]:
    return {
        event.id: EventHidden(conversation_id=str(event.conversation_id), sequence=event.sequence) for event in events
    }


event_registry = EventRegistry()
