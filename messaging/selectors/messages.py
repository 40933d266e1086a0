"""Messages as a viewer sees them: single ones, history and events."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import msgspec
from django.db import connection

from conversations.event_kinds import EventKind
from conversations.event_registry import EventRow, event_registry
from conversations.models import Participant
from conversations.selectors import history_start, participant_of
from messaging import frames
from messaging.event_kinds import MESSAGE_DELETED, MESSAGE_UPDATED, NEW_MESSAGE
from messaging.models import Message
from realtime.database.rows import Columns, as_uuid, ids, ids_in, matching, one_id
from realtime.wire.errors import Invalid, NotFound
from realtime.wire.frames import Frame

_SEQUENCES = Columns(Message, "conversation", "sequence")
# No message has a higher sequence.
_HIGHEST = 2**63 - 1


class Positions(msgspec.Struct):
    """Delivery and read position in a conversation: `mine` of the viewer, `others` the lowest of all other members.

    None: the viewer is not a member, or there are no others.
    """

    mine: tuple[int, int] | None = None
    others: tuple[int, int] | None = None


class ShownMessage(Protocol):
    """What a message body needs: an instance of the model, or a row."""

    id: UUID
    client_message_id: UUID | None
    conversation_id: UUID
    sequence: int
    sender_id: UUID | None
    message_type: Any
    content: str
    metadata: dict[str, Any]
    mentions: list[Any]
    reply_to_id: UUID | None
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None


class MessageRow(msgspec.Struct):
    """A row of the table, read or to be written. The optional columns of a new row are left to the database."""

    id: UUID
    conversation_id: UUID
    sequence: int
    sender_id: UUID | None
    client_message_id: UUID | None
    message_type: frames.Type
    content: str
    metadata: dict[str, Any]
    mentions: list[Any]
    reply_to_id: UUID | None
    payload_digest: UUID | None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None


_ROWS = Columns(Message, *(field.name for field in msgspec.structs.fields(MessageRow)))


def message_body(
    message: ShownMessage, positions: Positions | None = None, viewer: UUID | None = None
) -> frames.MessageBody:
    """Return a message as a viewer sees it; without `positions`, as everybody sees a new one."""
    gone = message.deleted_at is not None
    return frames.MessageBody(
        id=message.id,
        client_message_id=message.client_message_id,
        conversation_id=message.conversation_id,
        sequence=message.sequence,
        sender_user_id=message.sender_id,
        message_type=message.message_type,
        content="" if gone else message.content,
        metadata={} if gone else message.metadata,
        mentions=[] if gone else message.mentions,
        reply_to_id=message.reply_to_id,
        status=_status(message, positions, viewer) if positions is not None else "sent",
        created_at=message.created_at,
        edited_at=message.edited_at,
        deleted_at=message.deleted_at,
    )


def _status(message: ShownMessage, positions: Positions, viewer: UUID | None) -> frames.Status:
    reached = positions.others if message.sender_id is not None and message.sender_id == viewer else positions.mine
    # Former members do not learn the positions of others.
    if reached is None or positions.mine is None:
        return "sent"
    delivered, read = reached
    if read >= message.sequence:
        return "read"
    return "delivered" if delivered >= message.sequence else "sent"


def bodies_for(viewer: UUID | None, messages: Sequence[ShownMessage]) -> list[frames.MessageBody]:
    """Return messages as the viewer sees them; without a viewer, as everybody sees new messages.

    One query reads the positions in all their conversations.
    """
    if viewer is None:
        return [message_body(message) for message in messages]
    positions = _positions_of(viewer, messages)
    return [message_body(message, positions[message.conversation_id], viewer) for message in messages]


def own_message(sender_id: UUID, message_id: UUID) -> frames.MessageBody:
    """Return a message as its sender sees it, even if they have left: a repeated send is always answered."""
    (body,) = bodies_for(sender_id, [Message.objects.get(id=message_id, sender_id=sender_id)])
    return body


def _positions_of(viewer: UUID, messages: Sequence[ShownMessage]) -> dict[UUID, Positions]:
    """Return the positions in the conversations of these messages.

    The others' positions are looked up only where the viewer has sent one of the messages. If anyone has not reached
    the viewer's oldest message here, 0 is returned instead of the minimum: in a large group that person is found at
    once, and the rest of the group is not read.
    """
    # The viewer's own oldest message in each conversation; 0 if there is none: the others' positions are not needed.
    own = dict.fromkeys((message.conversation_id for message in messages), 0)
    for message in messages:
        if message.sender_id == viewer:
            own[message.conversation_id] = min(own[message.conversation_id] or _HIGHEST, message.sequence)
    if not own:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_find_positions(), [*_SEQUENCES.parameters(own.items()), one_id(viewer)])
        return {
            as_uuid(id): Positions(
                mine=None if delivered is None else (delivered, read),
                others=None if others_delivered is None else (others_delivered, others_read),
            )
            for id, delivered, read, others_delivered, others_read in cursor.fetchall()
        }


@cache
def _find_positions() -> str:
    # Nothing in the text comes from outside: names of tables and columns only.
    others = (
        f"FROM {Participant._meta.db_table} AS p WHERE p.conversation_id = r.conversation_id "
        "AND p.left_at IS NULL AND p.user_id <> m.user_id"
    )
    lowest = ", ".join(
        f"CASE WHEN r.sequence = 0 THEN NULL WHEN EXISTS (SELECT 1 {others} AND p.{column} < r.sequence) THEN 0 "
        f"ELSE (SELECT min(p.{column}) {others}) END"
        for column in ("last_delivered_sequence", "last_read_sequence")
    )
    mine = matching(Participant, "m", "m.conversation_id = r.conversation_id AND m.user_id = %s AND m.left_at IS NULL")
    return (
        f"SELECT r.conversation_id, m.last_delivered_sequence, m.last_read_sequence, {lowest} "  # noqa: S608
        f"FROM {_SEQUENCES.source} {mine}"
    )


def visible_message(user_id: UUID, message_id: UUID) -> tuple[Message, Participant]:
    """Return a message that the user may see, and the participant that they are.

    :raises NotFound: there is no such message that the user may see.
    """
    message = Message.objects.filter(id=message_id).first()
    if message is None:
        raise NotFound("message")
    try:
        participant = participant_of(user_id, message.conversation_id)
    except NotFound as error:
        raise NotFound("message") from error
    if message.sequence < participant.history_from:
        raise NotFound("message")
    return message, participant


def history(user_id: UUID, conversation_id: UUID, query: frames.HistoryQuery) -> frames.MessagePage:
    """Return a part of a conversation's history, newest first.

    :raises NotFound: the user is not in the conversation.
    :raises Invalid: more than one of before, after and around.
    """
    if sum(part is not None for part in (query.before, query.after, query.around)) > 1:
        raise Invalid(before="give at most one of before, after and around")
    hidden = history_start(user_id, conversation_id) - 1
    if query.after is not None:
        found = _oldest_above(max(hidden, query.after), conversation_id, query.limit + 1)
        has_more = len(found) > query.limit
        messages = found[: query.limit][::-1]
    elif query.around is not None:
        newer = _oldest_above(max(hidden, query.around), conversation_id, query.limit // 2)
        rest = query.limit - len(newer)
        older = _newest_between(hidden, query.around, conversation_id, rest + 1)
        has_more = len(older) > rest
        messages = newer[::-1] + older[:rest]
    else:
        top = _HIGHEST if query.before is None else query.before - 1
        found = _newest_between(hidden, top, conversation_id, query.limit + 1)
        has_more = len(found) > query.limit
        messages = found[: query.limit]
    return frames.MessagePage(results=bodies_for(user_id, messages), has_more=has_more)


def _oldest_above(sequence: int, conversation_id: UUID, most: int) -> list[MessageRow]:
    """Return messages above a sequence, oldest first."""
    return _part("t.sequence > %s ORDER BY t.sequence", conversation_id, [sequence, most])


def _newest_between(above: int, up_to: int, conversation_id: UUID, most: int) -> list[MessageRow]:
    """Return messages above one sequence and up to another, newest first."""
    condition = "t.sequence > %s AND t.sequence <= %s ORDER BY t.sequence DESC"
    return _part(condition, conversation_id, [above, up_to, most])


def _part(condition: str, conversation_id: UUID, parameters: Sequence[int]) -> list[MessageRow]:
    # Nothing in the text comes from outside: names of tables and columns only.
    found = (
        f"SELECT {_ROWS.of('t')} FROM {Message._meta.db_table} AS t "  # noqa: S608
        f"WHERE t.conversation_id = %s AND {condition} LIMIT %s"
    )
    return [MessageRow(*values) for values in _ROWS.fetch(found, [one_id(conversation_id), *parameters])]


@event_registry.provides_messages
def messages_at(sequences: Sequence[tuple[UUID, int]], viewer: UUID | None) -> dict[UUID, frames.MessageBody]:
    """Return the messages at (conversation, sequence), by conversation."""
    message = matching(Message, "t", "t.conversation_id = r.conversation_id AND t.sequence = r.sequence")
    # Nothing in the text comes from outside: names of tables and columns only.
    found = f"SELECT {_ROWS.of('t')} FROM {_SEQUENCES.source} {message} WHERE t.id IS NOT NULL"  # noqa: S608
    messages = [MessageRow(*values) for values in _ROWS.fetch(found, _SEQUENCES.parameters(sequences))]
    shown = bodies_for(viewer, messages)
    return {message.conversation_id: body for message, body in zip(messages, shown, strict=True)}


# The frame of each kind of event that is about a message.
_FRAMES: dict[EventKind, Callable[..., Frame]] = {
    NEW_MESSAGE: frames.NewMessage,
    MESSAGE_UPDATED: frames.MessageUpdated,
    MESSAGE_DELETED: frames.MessageDeleted,
}
_FRAME_OF = {kind.name: frame for kind, frame in _FRAMES.items()}


def message_frame(kind: str, message: frames.MessageBody, sequence: int) -> Frame:
    """Return the frame of an event about a message."""
    return _FRAME_OF[kind](conversation_id=message.conversation_id, sequence=sequence, message=message)


@event_registry.renders(*_FRAMES)
def render_events(events: Sequence[EventRow], viewer: UUID | None) -> dict[int, Frame]:
    """Render message events with the messages in their current state."""
    wanted = {event.message_id for event in events if event.message_id is not None}
    found = f"SELECT {_ROWS.of('t')} FROM {Message._meta.db_table} AS t WHERE {ids_in('t.id')}"  # noqa: S608
    messages = [MessageRow(*values) for values in _ROWS.fetch(found, [ids(wanted)])]
    shown = bodies_for(viewer, messages)
    by_id = {message.id: body for message, body in zip(messages, shown, strict=True)}
    return {
        event.id: message_frame(event.kind, by_id[event.message_id], event.sequence)
        for event in events
        if event.message_id is not None
    }
