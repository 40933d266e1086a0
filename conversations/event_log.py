"""The numbered event log: takes sequences, writes events and announces them.

The only writer of `Event` and of a conversation's counters. The caller of `append` holds the conversation's
row lock; sequences are therefore gapless and in commit order. `event_registry` has events rendered.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from conversations.event_kinds import EventKind
from conversations.models import Conversation, Event
from realtime.database.rows import Columns, Statement, as_uuid, execute, ids, ids_in, on_postgresql
from realtime.fanout.door import announce
from realtime.wire.announcements import EventAnnouncement
from realtime.wire.bodies import encode
from realtime.wire.frames import Frame

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
    kind: EventKind,
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
    if kind.is_message:
        head.last_message_sequence = sequence
        head.last_activity_at = at
        head.message_count += counts_as_unread
    return Entry(
        head=head,
        sequence=sequence,
        kind=kind.name,
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
