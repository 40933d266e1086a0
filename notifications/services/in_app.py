"""The list in the app: adds mentions, replies and being added to a group, and marks entries as read."""

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

# Messages that mention a person or reply to one.
MENTIONS_OR_REPLIES = Q(reply_to_id__isnull=False) | ~Q(mentions=[])


def note_message(message: Message, members: Collection[UUID]) -> None:
    """Add a notification for each of the members whom a message mentions or replies to, and announce it.

    The caller has a transaction. A person in a blocked pair with the sender gets none; a mention counts before a reply.
    """
    if message.deleted_at is not None or message.sender_id is None or not message.conversation.notifications_enabled:
        return
    replies = dict.fromkeys(_replied_to(message), Notification.Kind.REPLY)
    concerned = replies | dict.fromkeys(_mentioned(message), Notification.Kind.MENTION)
    concerned = {user_id: kind for user_id, kind in concerned.items() if user_id in set(members)}
    if not concerned:
        return
    blocked = blocked_pairs([message.sender_id])[message.sender_id]
    visible = Participant.objects.filter(
        conversation_id=message.conversation_id,
        user_id__in=concerned.keys() - blocked,
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
    """Add a notification for each person whom another one added to a group; the caller has a transaction."""
    added = [
        (event, user_id)
        for event in events
        for user_id in ([event.user_id] if event.kind == PARTICIPANT_ADDED.name else _founders(event))
    ]
    _note(
        Notification(
            user_id=user_id,
            kind=Notification.Kind.ADDED,
            conversation_id=event.conversation_id,
            sequence=event.sequence,
            actor_id=event.actor_id,
            created_at=event.created_at,
        )
        for event, user_id in added
        if user_id is not None and user_id != event.actor_id
    )


def _founders(event: Event) -> list[UUID]:
    """Return the first participants of a group; none for a direct conversation."""
    founders = Participant.objects.filter(
        conversation_id=event.conversation_id, conversation__type=Conversation.Type.GROUP, joined_at=event.created_at
    )
    return list(founders.values_list("user_id", flat=True))


def read_notifications(*, user_id: UUID, up_to: UUID) -> None:
    """Mark a person's notifications up to one of them as read, and announce that to all their devices.

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
    """Delete the notifications from before this time; return how many."""
    count, _ = Notification.objects.filter(created_at__lt=before).delete()
    return count


def _note(notifications: Iterable[Notification]) -> None:
    """Write the notifications that are new, and announce them after the commit."""
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
    """Return the announcements of new notifications, each for its person's devices."""
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


def _replied_to(message: Message) -> list[UUID]:
    """Return the sender of the message that this one replies to, or nobody."""
    if message.reply_to_id is None:
        return []
    senders = Message.objects.filter(id=message.reply_to_id, sender__isnull=False).values_list("sender_id", flat=True)
    return [sender_id for sender_id in senders if sender_id is not None]


def _mentioned(message: Message) -> list[UUID]:
    return [UUID(mention["user_id"]) for mention in message.mentions]
