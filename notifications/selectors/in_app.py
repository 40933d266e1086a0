"""The list in the app, as its owner sees it."""

import datetime
from collections.abc import Collection
from typing import cast
from uuid import UUID

from django.db.models import Count, F, OuterRef, QuerySet, Subquery

from conversations.models import Participant
from notifications import frames
from notifications.models import Notification


def notification_page(user_id: UUID, query: frames.NotificationQuery) -> frames.NotificationPage:
    """Return a page of a person's notifications, newest first, of the conversations that they are in."""
    rows = _with_read_position(Notification.objects.filter(user_id=user_id)).order_by("-id")
    if query.cursor is not None:
        rows = rows.filter(id__lt=query.cursor)
    found = list(rows[: query.limit + 1])
    shown = found[: query.limit]
    return frames.NotificationPage(
        results=[notification_body(row, _read_at(row)) for row in shown],
        next=str(shown[-1].id) if len(found) > query.limit else None,
        unread_count=unread_notifications([user_id])[user_id],
    )


def unread_notifications(user_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return each person's number of unread notifications: not read in the list, nor by reading the conversation."""
    unread = (
        _with_read_position(Notification.objects.filter(user_id__in=user_ids, read_at=None))
        .filter(sequence__gt=F("last_read"))
        .order_by()
        .values("user_id")
        .annotate(count=Count("*"))
    )
    return dict.fromkeys(user_ids, 0) | {row["user_id"]: row["count"] for row in unread}


def notification_body(notification: Notification, read_at: datetime.datetime | None) -> frames.NotificationBody:
    """Return a notification as its owner sees it."""
    return frames.NotificationBody(
        id=notification.id,
        kind=cast(frames.NotificationKind, notification.kind),
        conversation_id=notification.conversation_id,
        message_id=notification.message_id,
        sequence=notification.sequence,
        actor_user_id=notification.actor_id,
        created_at=notification.created_at,
        read_at=read_at,
    )


def _with_read_position(notifications: QuerySet[Notification]) -> QuerySet[Notification]:
    """Leave out notifications of conversations that the person is not in; add their read position in the others."""
    participant = Participant.objects.filter(
        conversation_id=OuterRef("conversation_id"), user_id=OuterRef("user_id"), left_at=None
    )
    return notifications.annotate(
        last_read=Subquery(participant.values("last_read_sequence")[:1]),
        last_read_at=Subquery(participant.values("last_read_at")[:1]),
    ).filter(last_read__isnull=False)


def _read_at(row: Notification) -> datetime.datetime | None:
    """Return when a notification was read, in the list or with the conversation."""
    if row.read_at is None and row.sequence <= row.last_read:  # type: ignore[attr-defined]
        return cast(datetime.datetime, row.last_read_at)  # type: ignore[attr-defined]
    return row.read_at
