"""How long records are kept."""

import datetime

from notifications.models import Breaker, Delivery, FanOut
from notifications.services.in_app import purge_notifications


def purge_records(*, before: datetime.datetime) -> None:
    """Delete what was decided, noted or changed before a moment, and is done."""
    Delivery.objects.filter(decided_at__lt=before, next_at=None).delete()
    FanOut.objects.filter(sent_at__lt=before, next_at=None).delete()
    Breaker.objects.filter(changed_at__lt=before).delete()
    purge_notifications(before=before)
