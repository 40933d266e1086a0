"""A message's way: what its sender may know, and what staff may."""

import datetime
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from accounts.models import User
from conversations.models import Conversation
from conversations.selectors import places_now
from messaging.models import Message, ReceiptMove
from messaging.selectors import receipts_of
from messaging.selectors.messages import visible_message
from notifications import frames
from notifications.models import Delivery, FanOut
from realtime import clock
from realtime.errors import NotFound

# A trace is a page to be read; of a larger conversation it shows those for whom there is anything to say.
SHOWN_PEOPLE = 500


@dataclass(slots=True)
class Person:
    """One member in the trace of a message."""

    user: User
    delivered_at: datetime.datetime | None = None
    read_at: datetime.datetime | None = None
    pushes: list[Delivery] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """The way of a message, for staff."""

    message: Message
    conversation: Conversation
    fan_out: FanOut | None
    people: list[Person]


def trace_for_sender(user_id: UUID, message_id: UUID) -> frames.TraceBody:
    """Return what the sender of a message may know of its way.

    :raises NotFound: no such message, or not one that they wrote and may see.
    """
    message, _ = visible_message(user_id, message_id)
    if message.sender_id != user_id:
        raise NotFound("message")
    return frames.TraceBody(
        message_id=message.id,
        sequence=message.sequence,
        stored_at=message.created_at,
        notified_at=_notified_at(message),
        recipients=[
            frames.Reach(user_id=each.user_id, delivered_at=each.delivered_at, read_at=each.read_at)
            for each in receipts_of(user_id, message_id)
        ],
    )


def _notified_at(message: Message) -> datetime.datetime | None:
    """Return when others were notified of a message; the same whether anybody had a device or not."""
    due_at = message.created_at + datetime.timedelta(seconds=settings.NOTIFICATION_PACE.push_delay)
    waits = FanOut.objects.filter(message_id=message.id, next_at__isnull=False).exists()
    return None if waits or clock.now() < due_at else due_at


def trace_for_staff(message_id: UUID) -> Trace | None:
    """Return the way of a message to each person and device; None when there is no such message."""
    message = (
        Message.objects.select_related("conversation", "sender")
        .defer("content", "metadata")
        .filter(id=message_id)
        .first()
    )
    if message is None:
        return None
    pushes: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in Delivery.objects.filter(message_id=message_id).select_related("user").order_by("id"):
        pushes[delivery.user_id].append(delivery)
    moves = ReceiptMove.objects.filter(
        conversation_id=message.conversation_id,
        from_sequence__lt=message.sequence,
        up_to_sequence__gte=message.sequence,
    ).order_by("-id")
    moved = {(move.user_id, move.kind): move.moved_at for move in moves}
    members = places_now(message.conversation_id)[:SHOWN_PEOPLE]
    users = {place.user_id: place.user for place in members if place.user_id != message.sender_id}
    users |= {user_id: of_user[0].user for user_id, of_user in list(pushes.items())[:SHOWN_PEOPLE]}
    return Trace(
        message=message,
        conversation=message.conversation,
        fan_out=FanOut.objects.filter(message_id=message_id).first(),
        people=[
            Person(
                user=user,
                delivered_at=moved.get((user_id, ReceiptMove.Kind.DELIVERED)),
                read_at=moved.get((user_id, ReceiptMove.Kind.READ)),
                pushes=pushes.get(user_id, []),
            )
            for user_id, user in users.items()
        ],
    )
