"""What is read of messages and receipts, and how messages look to a viewer."""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Subquery

from conversations.models import Conversation, Event, Participant
from conversations.selectors import LISTED_PARTICIPANTS, place_of, places_now
from messaging import frames
from messaging.models import Message, ReceiptMove
from realtime.errors import Invalid, NotFound
from realtime.frames import Frame

Kind = ReceiptMove.Kind


@dataclass(slots=True)
class Marks:
    """How far a conversation was delivered and read: by the viewer, and by all others.

    None: the viewer is not in it, or there are no others.
    """

    mine: tuple[int, int] | None = None
    others: tuple[int, int] | None = None


def message_body(message: Message, marks: Marks | None = None, viewer: UUID | None = None) -> frames.MessageBody:
    """Return a message as a viewer sees it; without marks as everybody sees a new one."""
    gone = message.deleted_at is not None
    return frames.MessageBody(
        id=str(message.id),
        client_message_id=str(message.client_message_id) if message.client_message_id else None,
        conversation_id=str(message.conversation_id),
        sequence=message.sequence,
        sender_user_id=str(message.sender_id) if message.sender_id else None,
        message_type=cast(frames.Type, message.message_type),
        content="" if gone else message.content,
        metadata={} if gone else message.metadata,
        reply_to_id=str(message.reply_to_id) if message.reply_to_id else None,
        status=_status(message, marks, viewer) if marks is not None else "sent",
        created_at=message.created_at,
        edited_at=message.edited_at,
        deleted_at=message.deleted_at,
    )


def _status(message: Message, marks: Marks, viewer: UUID | None) -> frames.Status:
    watermarks = marks.others if message.sender_id is not None and message.sender_id == viewer else marks.mine
    # Who left does not learn any more how far the others are.
    if watermarks is None or marks.mine is None:
        return "sent"
    delivered, read = watermarks
    if read >= message.sequence:
        return "read"
    return "delivered" if delivered >= message.sequence else "sent"


def bodies_for(viewer: UUID, messages: Sequence[Message]) -> list[frames.MessageBody]:
    """Return messages as the viewer sees them; the watermarks of all their conversations in two queries."""
    marks = _marks(viewer, {message.conversation_id for message in messages})
    return [message_body(message, marks[message.conversation_id], viewer) for message in messages]


def own_message(sender_id: UUID, message_id: UUID) -> frames.MessageBody:
    """Return a message to its sender, who may have left since: a repeated send is always answered."""
    (body,) = bodies_for(sender_id, [Message.objects.get(id=message_id, sender_id=sender_id)])
    return body


def _marks(viewer: UUID, conversation_ids: Collection[UUID]) -> dict[UUID, Marks]:
    marks: dict[UUID, Marks] = defaultdict(Marks)
    if not conversation_ids:
        return marks
    places = Participant.objects.filter(conversation_id__in=conversation_ids, left_at=None).order_by()
    others = places.exclude(user_id=viewer).values_list("conversation_id")
    for id, delivered, read in others.annotate(Min("last_delivered_sequence"), Min("last_read_sequence")):
        marks[id].others = (delivered, read)
    mine = places.filter(user_id=viewer)
    for id, delivered, read in mine.values_list("conversation_id", "last_delivered_sequence", "last_read_sequence"):
        marks[id].mine = (delivered, read)
    return marks


def visible_message(user_id: UUID, message_id: UUID) -> tuple[Message, Participant]:
    """Return a message that the user may see, and their place.

    :raises NotFound: no such message, or not theirs to see.
    """
    message = Message.objects.filter(id=message_id).first()
    if message is None:
        raise NotFound("message")
    try:
        place = place_of(user_id, message.conversation_id)
    except NotFound as error:
        raise NotFound("message") from error
    if message.sequence < place.history_from:
        raise NotFound("message")
    return message, place


def history(user_id: UUID, conversation_id: UUID, query: frames.HistoryQuery) -> frames.MessagePage:
    """Return a part of a conversation's history, newest first.

    :raises NotFound: not a conversation of this user.
    :raises Invalid: more than one of before, after and around.
    """
    if sum(part is not None for part in (query.before, query.after, query.around)) > 1:
        raise Invalid(before="give at most one of before, after and around")
    place = place_of(user_id, conversation_id)
    visible = Message.objects.filter(conversation_id=conversation_id, sequence__gte=place.history_from)
    if query.after is not None:
        found = list(visible.filter(sequence__gt=query.after).order_by("sequence")[: query.limit + 1])
        has_more = len(found) > query.limit
        messages = found[: query.limit][::-1]
    elif query.around is not None:
        newer = list(visible.filter(sequence__gt=query.around).order_by("sequence")[: query.limit // 2])
        rest = query.limit - len(newer)
        older = list(visible.filter(sequence__lte=query.around).order_by("-sequence")[: rest + 1])
        has_more = len(older) > rest
        messages = newer[::-1] + older[:rest]
    else:
        if query.before is not None:
            visible = visible.filter(sequence__lt=query.before)
        found = list(visible.order_by("-sequence")[: query.limit + 1])
        has_more = len(found) > query.limit
        messages = found[: query.limit]
    return frames.MessagePage(results=bodies_for(user_id, messages), has_more=has_more)


def messages_at(places: Sequence[tuple[UUID, int]], viewer: UUID | None) -> dict[UUID, frames.MessageBody]:
    """Return the messages at (conversation, sequence), by conversation; registered with the event log."""
    wanted = Q(pk__in=[])
    for conversation_id, sequence in places:
        wanted |= Q(conversation_id=conversation_id, sequence=sequence)
    messages = list(Message.objects.filter(wanted))
    shown = _shown(messages, viewer)
    return {message.conversation_id: body for message, body in zip(messages, shown, strict=True)}


def _shown(messages: Sequence[Message], viewer: UUID | None) -> list[frames.MessageBody]:
    """Return messages as a viewer sees them, or without one as everybody sees them when they are new."""
    return [message_body(message) for message in messages] if viewer is None else bodies_for(viewer, messages)


def render_events(events: Sequence[Event], viewer: UUID | None) -> dict[int, Frame]:
    """Render message events as the messages are now; registered with the event log."""
    messages = list(Message.objects.filter(id__in={event.message_id for event in events}))
    shown = _shown(messages, viewer)
    by_id = {message.id: body for message, body in zip(messages, shown, strict=True)}
    frame_of = {
        Event.Kind.NEW_MESSAGE: frames.NewMessage,
        Event.Kind.MESSAGE_UPDATED: frames.MessageUpdated,
        Event.Kind.MESSAGE_DELETED: frames.MessageDeleted,
    }
    return {
        event.pk: frame_of[Event.Kind(event.kind)](
            conversation_id=str(event.conversation_id), sequence=event.sequence, message=by_id[event.message_id]
        )
        for event in events
        if event.message_id is not None
    }


# --- Receipts -----------------------------------------------------------------------------


def receipts_of(user_id: UUID, message_id: UUID) -> list[frames.ReceiptBody]:
    """Return for each other member who may see the message when it was delivered and read.

    :raises NotFound: as `visible_message`.
    """
    message, _ = visible_message(user_id, message_id)
    members = places_now(message.conversation_id).filter(history_from__lte=message.sequence)
    moves = ReceiptMove.objects.filter(
        conversation_id=message.conversation_id,
        from_sequence__lt=message.sequence,
        up_to_sequence__gte=message.sequence,
    )
    at = {(move.user_id, move.kind): move.moved_at for move in moves.order_by("-id")}
    return [
        frames.ReceiptBody(
            user_id=str(member.user_id),
            delivered_at=at.get((member.user_id, Kind.DELIVERED)),
            read_at=at.get((member.user_id, Kind.READ)),
        )
        for member in members
        if member.user_id != message.sender_id
    ]


def with_newest_message(moves: QuerySet[ReceiptMove], viewer: UUID | None = None) -> QuerySet[ReceiptMove]:
    """Add to each move `newest_message_id`, the newest message that it covers.

    With a viewer, only moves that reach into what they may see, and only messages of that.
    """
    covered = Message.objects.filter(
        conversation_id=OuterRef("conversation_id"), sequence__lte=OuterRef("up_to_sequence")
    ).order_by("-sequence")
    if viewer is not None:
        place = Participant.objects.filter(conversation_id=OuterRef("conversation_id"), user_id=viewer, left_at=None)
        moves = moves.annotate(visible_from=Subquery(place.values("history_from"))).filter(
            up_to_sequence__gte=F("visible_from")
        )
        covered = covered.filter(sequence__gte=OuterRef("visible_from"))
    return moves.annotate(newest_message_id=Subquery(covered.values("id")[:1]))


def receipt_frame(move: ReceiptMove) -> frames.MessageDelivered | frames.MessageRead:
    """Return the frame of a move that has its `newest_message_id`."""
    newest = move.newest_message_id  # type: ignore[attr-defined]
    message_id = str(newest) if newest else None
    if move.kind == Kind.READ:
        return frames.MessageRead(
            conversation_id=str(move.conversation_id),
            up_to_sequence=move.up_to_sequence,
            message_id=message_id,
            reader_id=str(move.user_id),
            read_at=move.moved_at,
        )
    return frames.MessageDelivered(
        conversation_id=str(move.conversation_id),
        up_to_sequence=move.up_to_sequence,
        message_id=message_id,
        user_id=str(move.user_id),
        delivered_at=move.moved_at,
    )


def receipts_since(viewer: UUID, conversation_ids: Sequence[UUID], since: datetime.datetime) -> list[Frame]:
    """Return frames for the marks that moved since then, the newest of each person; registered with the event log.

    In conversations larger than a body lists, only for those who got or read a message of the viewer.
    """
    of_mine = Message.objects.filter(
        conversation_id=OuterRef("conversation_id"),
        sender_id=viewer,
        sequence__gt=OuterRef("from_sequence"),
        sequence__lte=OuterRef("up_to_sequence"),
    )
    moves = with_newest_message(
        ReceiptMove.objects.filter(conversation_id__in=conversation_ids, moved_at__gt=since).filter(
            Q(conversation__participant_count__lte=LISTED_PARTICIPANTS) | Q(user_id=viewer) | Exists(of_mine)
        ),
        viewer,
    )
    newest = {(move.conversation_id, move.user_id, move.kind): move for move in moves.order_by("id")}
    found: list[Frame] = [receipt_frame(move) for move in newest.values()]
    mine = [move for move in newest.values() if move.user_id == viewer and move.kind == Kind.READ]
    if mine:
        unread = unread_counts(viewer, [move.conversation_id for move in mine])
        found += [
            frames.ConversationRead(
                conversation_id=str(move.conversation_id),
                up_to_sequence=move.up_to_sequence,
                unread_count=unread[move.conversation_id],
            )
            for move in mine
            if move.conversation_id in unread
        ]
    return found


def unread_counts(user_id: UUID, conversation_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the user's unread messages by conversation."""
    places = Participant.objects.select_related("conversation").filter(
        user_id=user_id, conversation_id__in=list(conversation_ids), left_at=None
    )
    return {place.conversation_id: place.unread_count(place.conversation.message_count) for place in places}


def senders_between(conversation: Conversation, above: int, up_to: int) -> list[str]:
    """Return who wrote the messages above one sequence and up to another."""
    senders = (
        Message.objects.filter(conversation=conversation, sequence__gt=above, sequence__lte=up_to)
        .exclude(sender=None)
        .order_by()
        .values_list("sender_id", flat=True)
        .distinct()
    )
    return [str(sender_id) for sender_id in senders]
