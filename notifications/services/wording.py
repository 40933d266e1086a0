"""What a push says: ids and counts; sender and text only for who asked for them."""

from typing import cast

from django.conf import settings

from messaging.models import Message
from notifications.models import Delivery, PushDevice
from notifications.providers.push import Kind, Push

# Providers take about 4,000 bytes in all, and a phone shows a few lines.
BODY_CODE_POINTS = 300
WORD_FOR: dict[str, str] = {Message.Type.LOCATION: "Location"}


def push_for(delivery: Delivery, device: PushDevice, badge: int, message: Message | None = None) -> Push:
    """Return the push of a delivery; with sender and text of the message, if one is given."""
    token = getattr(device, device.provider)
    data: dict[str, str] = {}
    if delivery.conversation_id is not None:
        data |= {"conversation_id": str(delivery.conversation_id)}
    if delivery.message_id is not None:
        data |= {"message_id": str(delivery.message_id), "sequence": str(delivery.sequence)}
    title, body = _preview(message) if message is not None else (None, None)
    thread = str(delivery.conversation_id) if delivery.conversation_id else None
    return Push(
        id=delivery.pk,
        kind=cast(Kind, delivery.kind),
        token=token.registration_id,
        badge=badge,
        data=data,
        collapse_id=thread if delivery.kind == Delivery.Kind.MESSAGE else None,
        thread_id=thread,
        title=title,
        body=body,
        seconds_to_live=int(settings.NOTIFICATION_PACE.live),
        sandbox=device.sandbox,
        keys=(token.p256dh, token.auth) if device.provider == PushDevice.Provider.WEB_PUSH else None,
    )


def _preview(message: Message) -> tuple[str, str]:
    """Return title and body for who wants to see sender and text."""
    sender = message.sender.shown_name if message.sender is not None else ""
    title = f"{sender} in {message.conversation.name}" if message.conversation.name else sender
    return title, (message.content or WORD_FOR.get(message.message_type, ""))[:BODY_CODE_POINTS]
