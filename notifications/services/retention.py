"""How long records are kept."""

import datetime

from django.db.models import QuerySet

from notifications.models import Delivery, FanOut
from notifications.services.in_app import purge_notifications

SLICE = 5_000


def purge_records(*, before: datetime.datetime) -> None:
    """Delete what was decided or noted before a moment, and is done."""
    _delete(Delivery.objects.filter(decided_at__lt=before, next_at=None))
    _delete(FanOut.objects.filter(sent_at__lt=before, next_at=None))
    purge_notifications(before=before)


def _delete(rows: "QuerySet[Delivery] | QuerySet[FanOut]") -> None:
    """Delete rows some at a time, the oldest first: ids sort by time, and no statement is to take long."""
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE]):
        rows.model._default_manager.filter(pk__in=ids).delete()
