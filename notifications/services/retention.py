"""How long records are kept."""

import datetime
from uuid import UUID

from django.db.models import QuerySet

from notifications.models import Delivery, FanOut
from notifications.services.in_app import purge_notifications

SLICE = 5_000


def purge_records(*, before: datetime.datetime) -> None:
    """Delete the fan-outs and deliveries from before this time that are done, and the notifications from before it."""
    # Ids sort by time: no index of times is needed, and younger rows are not read.
    for table in (Delivery, FanOut):
        _delete(table._default_manager.filter(pk__lt=_first_id(before), next_at=None))
    purge_notifications(before=before)


def _first_id(moment: datetime.datetime) -> UUID:
    """Return the lowest UUIDv7 of a moment: it begins with the milliseconds."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80)


def _delete(rows: "QuerySet[Delivery] | QuerySet[FanOut]") -> None:
    """Delete rows in slices, the oldest first, so that no statement takes long."""
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE]):
        rows.model._default_manager.filter(pk__in=ids).delete()
