"""Test pushes, with which staff find out whether a person's devices can be reached."""

import datetime
from uuid import UUID

from notifications.models import Delivery, PushDevice
from notifications.services.collect import delivery_to
from realtime.database import clock


def trial_pushes(*, user_id: UUID) -> list[Delivery]:
    """Add one test push for each device of a person; return them for the caller to deliver."""
    now = clock.now()
    devices = PushDevice.objects.filter(user_id=user_id).select_related("apns", "fcm", "web_push")
    pushes = [delivery_to(device, Delivery.Kind.TEST, now) for device in devices]
    for push in pushes:
        # The caller delivers them: no sweep is to enqueue them meanwhile.
        push.queued_at = now + datetime.timedelta(hours=1)
    return Delivery.objects.bulk_create(pushes)
