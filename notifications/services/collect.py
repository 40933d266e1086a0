"""The sweep: finds in the event log what people are to be notified of.

All notifications begin here. Sending a message does nothing for them.
"""

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from conversations.event_kinds import CONVERSATION_CREATED, PARTICIPANT_ADDED, PARTICIPANT_REMOVED
from conversations.models import Event
from messaging.event_kinds import MESSAGE_DELETED, NEW_MESSAGE
from messaging.models import Message, ReceiptChange
from notifications.decision import PushOutcome
from notifications.models import Delivery, FanOut, PushDevice
from notifications.selectors.facts import breaker_of
from notifications.selectors.reading import users_without_unread
from notifications.services import in_app
from notifications.services.progress import new_ids
from realtime.database import clock


def collect_messages() -> None:
    """Queue fan-outs for new messages, and silent pushes for devices that show a deleted message or an old number."""
    with new_ids("events", Event) as span:
        if span is None:
            return
        events = Event.objects.filter(id__gt=span[0], id__lte=span[1])
        new = events.filter(kind=NEW_MESSAGE.name).order_by("id")
        reachable = PushDevice.objects.filter(
            user__participations__conversation_id=OuterRef("conversation_id"), user__participations__left_at=None
        ).exclude(user_id=OuterRef("actor_id"))
        by_people = Message.objects.filter(id=OuterRef("message_id"), sender__isnull=False)
        concerning = by_people.filter(in_app.MENTIONS_OR_REPLIES)
        written = new.filter(Exists(by_people), Exists(reachable) | Exists(concerning)).exclude(
            message_id__in=FanOut.objects.filter(message_id__in=new.values("message_id")).values("message_id")
        )
        delay = datetime.timedelta(seconds=settings.NOTIFICATION_TIMINGS.push_delay)
        FanOut.objects.bulk_create(
            [
                FanOut(
                    message_id=message_id,
                    conversation_id=conversation_id,
                    sequence=sequence,
                    sent_at=sent_at,
                    next_at=sent_at + delay,
                )
                for message_id, conversation_id, sequence, sent_at in written.values_list(
                    "message_id", "conversation_id", "sequence", "created_at"
                )
                if message_id is not None
            ],
            ignore_conflicts=True,
        )
        brought = (PARTICIPANT_ADDED.name, CONVERSATION_CREATED.name)
        in_app.note_added(events.filter(kind__in=brought))
        deleted = events.filter(kind=MESSAGE_DELETED.name)
        _sync_devices([id for id in deleted.values_list("message_id", flat=True) if id is not None])
        _clear_badges(events.filter(kind=PARTICIPANT_REMOVED.name).values("user_id"))


def collect_readers() -> None:
    """Queue badge pushes for devices that show a number although everything was read elsewhere."""
    with new_ids("receipts", ReceiptChange) as span:
        if span is None:
            return
        read = ReceiptChange.objects.filter(id__gt=span[0], id__lte=span[1], kind=ReceiptChange.Kind.READ)
        _clear_badges(read.values("user_id"))


def _clear_badges(user_ids: QuerySet[Any, Any]) -> None:
    """Queue badge pushes for devices of these people that show a number although nothing is unread any more."""
    # Not for browsers: they show no number, and each push must show something.
    stale = (
        PushDevice.objects.select_related("apns", "fcm", "web_push")
        .filter(user_id__in=user_ids, badge__gt=0)
        .exclude(provider=PushDevice.Provider.WEB_PUSH)
    )
    now = clock.now()
    done = users_without_unread({device.user_id for device in stale})
    Delivery.objects.bulk_create(
        [delivery_to(device, Delivery.Kind.BADGE, now) for device in stale if device.user_id in done],
        ignore_conflicts=True,
    )


def _sync_devices(message_ids: Sequence[UUID]) -> None:
    """Queue silent pushes for devices that show these messages, so that the apps fetch that they were deleted."""
    shown = Delivery.objects.filter(message_id__in=message_ids, kind=Delivery.Kind.MESSAGE, outcome=PushOutcome.SENT)
    now = clock.now()
    Delivery.objects.bulk_create([sync_of(delivery, now) for delivery in shown], ignore_conflicts=True)


def sync_of(delivery: Delivery, now: datetime.datetime) -> Delivery:
    """Return the silent push that follows a push whose message was deleted."""
    return Delivery(
        kind=Delivery.Kind.SYNC,
        message_id=delivery.message_id,
        conversation_id=delivery.conversation_id,
        sequence=delivery.sequence,
        user_id=delivery.user_id,
        device_id=delivery.device_id,
        provider=delivery.provider,
        breaker=delivery.breaker,
        decided_at=now,
        next_at=now,
    )


def badge_after(delivery: Delivery, now: datetime.datetime) -> Delivery:
    """Return the badge push that follows a push whose message was read on its way."""
    return Delivery(
        kind=Delivery.Kind.BADGE,
        user_id=delivery.user_id,
        device_id=delivery.device_id,
        provider=delivery.provider,
        breaker=delivery.breaker,
        decided_at=now,
        next_at=now,
    )


def delivery_to(device: PushDevice, kind: str, now: datetime.datetime) -> Delivery:
    """Return a push to a device that is about no message. The device has its provider's row loaded."""
    return Delivery(
        kind=kind,
        user_id=device.user_id,
        device_id=device.pk,
        provider=device.provider,
        breaker=breaker_of(device.provider, getattr(device, device.provider).registration_id),
        decided_at=now,
        next_at=now,
    )
