"""The numbered event log: takes sequences, writes events, announces them, and has them rendered.

The only writer of `Event` and of a conversation's counters. Whoever appends holds the conversation's
row lock; sequences are therefore gapless and in commit order. Events are rendered by the app that
knows their kind: it registers a renderer.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from conversations.models import Conversation, Event
from realtime import items
from realtime.bodies import encode
from realtime.door import announce
from realtime.frames import Frame

# (events of one kind group, viewer) -> frame by event id. A viewer of None asks for the frame that suits everybody.
Renderer = Callable[[Sequence[Event], UUID | None], dict[int, Frame]]
MessagesAt = Callable[[Sequence[tuple[UUID, int]], UUID], dict[UUID, Any]]
ReceiptsSince = Callable[[UUID, Sequence[UUID], datetime.datetime], list[Frame]]

PER_VIEWER_KINDS = frozenset({Event.Kind.CONVERSATION_CREATED, Event.Kind.CONVERSATION_UPDATED})

_renderers: dict[str, Renderer] = {}
_messages_at: list[MessagesAt] = []
_receipts_since: list[ReceiptsSince] = []


@dataclass(slots=True)
class Entry:
    """An event on its way into the log.

    `frame` is what every viewer gets live; None for kinds that look different to each viewer.
    `joins` maps those who become members to their history start, `leaves` names those who cease to be.
    """

    event: Event
    conversation: Conversation
    frame: Frame | None = None
    joins: dict[UUID, int] = field(default_factory=dict)
    leaves: list[UUID] = field(default_factory=list)


def take(
    conversation: Conversation,
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
    conversation.last_sequence += 1
    conversation.updated_at = at
    if kind == Event.Kind.NEW_MESSAGE:
        conversation.last_message_sequence = conversation.last_sequence
        conversation.last_activity_at = at
        conversation.message_count += counts_as_unread
    event = Event(
        conversation_id=conversation.id,
        sequence=conversation.last_sequence,
        kind=kind,
        subject_sequence=conversation.last_sequence if subject_sequence is None else subject_sequence,
        message_id=message_id,
        user_id=user_id,
        actor_id=actor_id,
        created_at=at,
    )
    return Entry(event, conversation)


def append(entries: Sequence[Entry]) -> None:
    """Write entries and their conversations' counters, and announce them after the commit."""
    Event.objects.bulk_create([entry.event for entry in entries])
    _save_counters({entry.conversation.id: entry.conversation for entry in entries}.values())
    announce([_announcement(entry) for entry in entries])


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
    return _receipts_since[0](viewer, conversation_ids, since) if _receipts_since and conversation_ids else []


def messages_at(places: Sequence[tuple[UUID, int]], viewer: UUID) -> dict[UUID, Any]:
    """Return the message bodies at (conversation, sequence), by conversation."""
    return _messages_at[0](places, viewer) if _messages_at and places else {}


def rendered(events: Sequence[Event], viewer: UUID | None) -> list[Frame]:
    """Render events for a viewer, in the given order; one set of queries per renderer, however many events."""
    by_renderer: dict[Renderer, list[Event]] = {}
    for event in events:
        by_renderer.setdefault(_renderers[event.kind], []).append(event)
    frames: dict[int, Frame] = {}
    for renderer, group in by_renderer.items():
        frames |= renderer(group, viewer)
    return [frames[event.pk] for event in events]


def _announcement(entry: Entry) -> items.Event:
    return items.Event(
        conversation_id=str(entry.conversation.id),
        sequence=entry.event.sequence,
        text=encode(entry.frame).decode() if entry.frame is not None else None,
        subject_sequence=entry.event.subject_sequence,
        joins={str(user_id): start for user_id, start in entry.joins.items()},
        leaves=[str(user_id) for user_id in entry.leaves],
    )


_COUNTERS = (
    "last_sequence",
    "last_message_sequence",
    "message_count",
    "participant_count",
    "updated_at",
    "last_activity_at",
)


def _save_counters(conversations: Iterable[Conversation]) -> None:
    """Write the counters of many conversations; one pipelined round trip on PostgreSQL."""
    fields = [Conversation._meta.get_field(name) for name in _COUNTERS]
    key = Conversation._meta.pk
    assignments = ", ".join(f'"{field.column}" = %s' for field in fields)
    rows = [
        [
            *(field.get_db_prep_save(getattr(conversation, field.attname), connection) for field in fields),
            key.get_db_prep_save(conversation.id, connection),
        ]
        for conversation in conversations
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f'UPDATE "{Conversation._meta.db_table}" SET {assignments} WHERE "{key.column}" = %s', rows)
