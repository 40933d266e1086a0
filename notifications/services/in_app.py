"""The list in the app: entries for whom something concerns in particular, and their reading."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.selectors import blocked_pairs
from conversations.event_kinds import PARTICIPANT_ADDED
from conversations.models import Conversation, Event, Participant
from messaging.models import Message
from notifications import frames
from notifications.models import Notification
from notifications.selectors.in_app import notification_body, unread_notifications
from realtime.database import clock
from realtime.fanout.door import announce
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.bodies import encode
from realtime.wire.errors import NotFound

Kind = Notification.Kind
# Messages that concern somebody in particular.
CONCERNS_SOMEBODY = Q(reply_to_id__isnull=False) | ~Q(mentions=[])


def note_message(message: Message, members: Collection[UUID]) -> None:
    """Note for those of the members whom a message mentions or answers that it does, and tell their devices.

    The caller has a transaction. Who is kept apart from the sender learns nothing; a mention counts before a reply.
    """
    if message.deleted_at is not None or message.sender_id is None or not message.conversation.notifications_enabled:
        return
    concerned = dict.fromkeys(_answered(message), Kind.REPLY) | dict.fromkeys(_mentioned(message), Kind.MENTION)
    concerned = {user_id: kind for user_id, kind in concerned.items() if user_id in set(members)}
    if not concerned:
        return
    apart = blocked_pairs([message.sender_id])[message.sender_id]
    visible = Participant.objects.filter(
        conversation_id=message.conversation_id,
        user_id__in=concerned.keys() - apart,
        left_at=None,
        history_from__lte=message.sequence,
    )
    _note(
        Notification(
            user_id=user_id,
            kind=concerned[user_id],
            conversation_id=message.conversation_id,
            sequence=message.sequence,
            message_id=message.id,
            actor_id=message.sender_id,
            created_at=message.created_at,
        )
        for user_id in visible.values_list("user_id", flat=True)
    )


def note_added(events: QuerySet[Event]) -> None:
    """Note for those whom somebody else brought into a group that they were; the caller has a transaction."""
    came = [
        (event, user_id)
        for event in events
        for user_id in ([event.user_id] if event.kind == PARTICIPANT_ADDED.name else _founders(event))
    ]
    _note(
        Notification(
            user_id=user_id,
            kind=Kind.ADDED,
            conversation_id=event.conversation_id,
            sequence=event.sequence,
            actor_id=event.actor_id,
            created_at=event.created_at,
        )
        for event, user_id in came
        if user_id is not None and user_id != event.actor_id
    )


def _founders(event: Event) -> list[UUID]:
    """Return who was in a group when it began; nobody for a direct conversation."""
    places = Participant.objects.filter(
        conversation_id=event.conversation_id, conversation__type=Conversation.Type.GROUP, joined_at=event.created_at
    )
    return list(places.values_list("user_id", flat=True))


def read_notifications(*, user_id: UUID, up_to: UUID) -> None:
    """Mark one's notifications up to one as read, and tell all one's devices.

    :raises NotFound: no such notification of this person.
    """
    with transaction.atomic():
        mine = Notification.objects.filter(user_id=user_id)
        if not mine.filter(id=up_to).exists():
            raise NotFound("notification")
        if mine.filter(id__lte=up_to, read_at=None).update(read_at=clock.now()):
            frame = frames.NotificationsRead(up_to=up_to, unread_count=unread_notifications([user_id])[user_id])
            announce([EphemeralEvent(encode(frame).decode(), user_ids=[str(user_id)], droppable=False)])


def purge_notifications(*, before: datetime.datetime) -> int:
    """Delete notifications from before then; return how many."""
    count, _ = Notification.objects.filter(created_at__lt=before).delete()
    return count


def _note(notifications: Iterable[Notification]) -> None:
    """Write those that are new, and announce them after the commit."""
    wanted = list(notifications)
    known = set(
        Notification.objects.filter(
            user_id__in={each.user_id for each in wanted}, sequence__in={each.sequence for each in wanted}
        ).values_list("user_id", "conversation_id", "sequence")
    )
    new = [each for each in wanted if (each.user_id, each.conversation_id, each.sequence) not in known]
    Notification.objects.bulk_create(new, ignore_conflicts=True)
    announce(ephemeral_events_of(new))


def ephemeral_events_of(notifications: Sequence[Notification]) -> list[EphemeralEvent]:
    """Return the frames that tell people's devices of their new notifications."""
    unread = unread_notifications({each.user_id for each in notifications})
    return [
        EphemeralEvent(
            encode(
                frames.NotificationFrame(notification=notification_body(each, None), unread_count=unread[each.user_id])
            ).decode(),
            user_ids=[str(each.user_id)],
            droppable=False,
        )
        for each in notifications
    ]


def _answered(message: Message) -> list[UUID]:
    """Return who wrote the message that this one answers."""
    if message.reply_to_id is None:
        return []
    senders = Message.objects.filter(id=message.reply_to_id, sender__isnull=False).values_list("sender_id", flat=True)
    return [sender_id for sender_id in senders if sender_id is not None]


def _mentioned(message: Message) -> list[UUID]:
    return [UUID(mention["user_id"]) for mention in message.mentions]
