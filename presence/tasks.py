"""Background work on the records of connections."""

import datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from presence.services import purge_connections


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def purge() -> None:
    """Delete records that are older than the settings allow."""
    purge_connections(before=timezone.now() - datetime.timedelta(days=settings.DELIVERY_RECORD_DAYS))
