"""The numbered event log: takes sequences, writes events, announces them, and has them rendered.

The only writer of `Event` and of a conversation's counters. Whoever appends holds the conversation's
row lock; sequences are therefore gapless and in commit order. Events are rendered by the app that
knows their kind: it registers a renderer.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from conversations.models import Conversation, Event
from realtime.database.rows import Columns, Statement, as_uuid, execute, ids, ids_in, on_postgresql
from realtime.fanout.door import announce
from realtime.wire.announcements import EventAnnouncement
from realtime.wire.bodies import encode
from realtime.wire.frames import EventHidden, Frame

# (events of one kind group, viewer) -> frame by event id. A viewer of None asks for the frame that suits everybody.
Renderer = Callable[[Sequence["EventRow"], UUID | None], dict[int, Frame]]
MessagesAt = Callable[[Sequence[tuple[UUID, int]], UUID | None], dict[UUID, Any]]
ReceiptsSince = Callable[[UUID, Sequence[UUID], datetime.datetime], list[Frame]]

PER_VIEWER_KINDS = frozenset(
    {Event.Kind.CONVERSATION_CREATED, Event.Kind.CONVERSATION_UPDATED, Event.Kind.MY_PLACE_UPDATED}
)

_EVENTS = Columns(
    Event,
    "conversation",
    "sequence",
    "kind",
    "subject_sequence",
    "message_id",
    "user_id",
    "actor_id",
    "created_at",
)
_HEADS = Columns(
    Conversation,
    "id",
    "last_sequence",
    "last_message_sequence",
    "message_count",
    "participant_count",
    "updated_at",
    "last_activity_at",
)

_renderers: dict[str, Renderer] = {}
_messages_at: list[MessagesAt] = []
_receipts_since: list[ReceiptsSince] = []


class Head(msgspec.Struct):
    """The counters of a locked conversation; to load a whole `Conversation` would be too slow for sends."""

    id: UUID
    last_sequence: int
    last_message_sequence: int
    message_count: int
    participant_count: int
    blocked: bool = False
    updated_at: datetime.datetime | None = None
    last_activity_at: datetime.datetime | None = None


class Entry(msgspec.Struct):
    """An event that is being appended.

    `frame` is what every viewer gets live; None for kinds that look different to each viewer.
    `joins` maps users who become members to their history start; `leaves` has users who cease to be members.
    """

    head: Conversation | Head
    sequence: int
    kind: str
    subject_sequence: int
    created_at: datetime.datetime
    message_id: UUID | None
    user_id: UUID | None
    actor_id: UUID | None
    frame: Frame | None = None
    joins: dict[UUID, int] = {}
    leaves: list[UUID] = []


class EventRow(msgspec.Struct):
    """An event as it is in the log; `user_id` is the person whom it is about."""

    id: int
    conversation_id: UUID
    sequence: int
    kind: str
    subject_sequence: int
    message_id: UUID | None
    user_id: UUID | None


def locking_heads(conversation_ids: Iterable[UUID], *, wait: bool) -> Statement:
    """Return the statement that locks conversations, in the order of their ids, and reads their heads (`heads_in`).

    Without `wait`, conversations that another transaction has locked are left out.
    """
    lock = ""
    if on_postgresql():
        # Orders writers like FOR UPDATE, but does not block inserts whose foreign key refers to the row (receipts).
        lock = " FOR NO KEY UPDATE" if wait else " FOR NO KEY UPDATE SKIP LOCKED"
    return Statement(
        "SELECT id, last_sequence, last_message_sequence, message_count, participant_count, blocked "  # noqa: S608
        f"FROM {Conversation._meta.db_table} WHERE {ids_in('id')} ORDER BY id{lock}",
        [ids(conversation_ids)],
    )


def heads_in(rows: Iterable[Sequence[Any]]) -> dict[UUID, Head]:
    """Return the heads from the rows of `locking_heads`."""
    return {head.id: head for head in (Head(as_uuid(id), *counters) for id, *counters in rows)}


def take(
    head: Conversation | Head,
    kind: str,
    *,
    at: datetime.datetime,
    actor_id: UUID | None = None,
    user_id: UUID | None = None,
    message_id: UUID | None = None,
    subject_sequence: int | None = None,
    counts_as_unread: bool = False,
) -> Entry:
    """Take the next sequence of a locked conversation, in memory; `append` writes it.

    `counts_as_unread` marks a new message that a person wrote.
    """
    head.last_sequence = sequence = head.last_sequence + 1
    head.updated_at = at
    if kind == Event.Kind.NEW_MESSAGE:
        head.last_message_sequence = sequence
        head.last_activity_at = at
        head.message_count += counts_as_unread
    return Entry(
        head=head,
        sequence=sequence,
        kind=kind,
        subject_sequence=sequence if subject_sequence is None else subject_sequence,
        created_at=at,
        message_id=message_id,
        user_id=user_id,
        actor_id=actor_id,
    )


def append(entries: Sequence[Entry]) -> None:
    """Write entries and their conversations' counters, and announce them after the commit."""
    execute(appending(entries))
    announce(announcements(entries))


def appending(entries: Sequence[Entry]) -> list[Statement]:
    """Return the statements that write entries and their conversations' counters."""
    events = _EVENTS.insert(
        (
            entry.head.id,
            entry.sequence,
            entry.kind,
            entry.subject_sequence,
            entry.message_id,
            entry.user_id,
            entry.actor_id,
            entry.created_at,
        )
        for entry in entries
    )
    heads = _HEADS.update(
        (
            head.id,
            head.last_sequence,
            head.last_message_sequence,
            head.message_count,
            head.participant_count,
            head.updated_at,
            head.last_activity_at,
        )
        for head in {entry.head.id: entry.head for entry in entries}.values()
    )
    return [events, heads]


def announcements(entries: Sequence[Entry]) -> list[EventAnnouncement]:
    """Return the announcements of entries, to be published after their commit."""
    return [
        EventAnnouncement(
            conversation_id=str(entry.head.id),
            sequence=entry.sequence,
            text=encode(entry.frame).decode() if entry.frame is not None else None,
            subject_sequence=entry.subject_sequence,
            joins={str(user_id): start for user_id, start in entry.joins.items()},
            leaves=[str(user_id) for user_id in entry.leaves],
        )
        for entry in entries
    ]


def register_renderer(kinds: Iterable[str], renderer: Renderer) -> None:
    """Name who renders events of these kinds."""
    for kind in kinds:
        _renderers[kind] = renderer


def register_messages_at(messages_at: MessagesAt) -> None:
    """Name who renders the message at a sequence of a conversation, for the top of a conversation body."""
    _messages_at[:] = [messages_at]


def register_receipts_since(receipts_since: ReceiptsSince) -> None:
    """Name who knows which receipt marks moved since a moment, for a client that catches up."""
    _receipts_since[:] = [receipts_since]


def receipts_since(viewer: UUID, conversation_ids: Sequence[UUID], since: datetime.datetime) -> list[Frame]:
    """Return frames for the receipt marks of these conversations that moved since then."""
    return _receipts_since[0](viewer, conversation_ids, since) if conversation_ids else []


def messages_at(sequences: Iterable[tuple[UUID, int]], viewer: UUID | None) -> dict[UUID, Any]:
    """Return the message bodies at (conversation, sequence), by conversation."""
    wanted = list(dict.fromkeys(sequences))
    return _messages_at[0](wanted, viewer) if wanted else {}


def _hidden(events: Sequence[EventRow], _: UUID | None) -> dict[int, Frame]:
    """Show that events happened: of a kind that only a later release knows, whose processes write already."""
    return {
        event.id: EventHidden(conversation_id=str(event.conversation_id), sequence=event.sequence) for event in events
    }


def rendered(events: Sequence[EventRow], viewer: UUID | None) -> list[Frame]:
    """Render events for a viewer, in the given order; one set of queries per renderer, however many events."""
    by_renderer: dict[Renderer, list[EventRow]] = {}
    for event in events:
        by_renderer.setdefault(_renderers.get(event.kind, _hidden), []).append(event)
    frames: dict[int, Frame] = {}
    for renderer, group in by_renderer.items():
        frames |= renderer(group, viewer)
    return [frames[event.id] for event in events]
