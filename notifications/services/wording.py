"""The content of a push: ids and counts; sender and text only if the person turned `preview` on."""

from typing import cast

from django.conf import settings

from messaging.models import Message
from notifications.models import Delivery
from notifications.providers.push import Push, PushKind
from notifications.selectors.facts import PushAddress
from notifications.selectors.reading import DeliveryRow

# Providers take about 4,000 bytes in all, and a phone shows a few lines.
BODY_CODE_POINTS = 300
WORD_FOR: dict[str, str] = {Message.Type.LOCATION: "Location"}


def push_for(delivery: Delivery, address: PushAddress, row: DeliveryRow) -> Push:
    """Return the push of a delivery to an address; `row` was read for both."""
    data: dict[str, str] = {}
    if delivery.conversation_id is not None:
        data |= {"conversation_id": str(delivery.conversation_id)}
    if delivery.message_id is not None:
        data |= {"message_id": str(delivery.message_id), "sequence": str(delivery.sequence)}
    shows_message = delivery.kind == Delivery.Kind.MESSAGE
    title, body = _preview(row) if shows_message and row.preview else (None, None)
    thread = str(delivery.conversation_id) if delivery.conversation_id else None
    return Push(
        id=delivery.pk,
        kind=cast(PushKind, delivery.kind),
        token=address.token,
        badge=row.unread,
        data=data,
        collapse_id=thread if shows_message else None,
        thread_id=thread,
        title=title,
        body=body,
        seconds_to_live=int(settings.NOTIFICATION_TIMINGS.live),
        sandbox=address.sandbox,
        keys=address.keys,
    )


def _preview(row: DeliveryRow) -> tuple[str, str]:
    """Return title and body for a person who turned `preview` on."""
    sender = row.sender_name or ""
    title = f"{sender} in {row.conversation_name}" if row.conversation_name else sender
    return title, (row.content or WORD_FOR.get(row.message_type, ""))[:BODY_CODE_POINTS]
