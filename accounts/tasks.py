"""Periodic tasks of accounts."""

import datetime

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.services import purge_ended_sessions


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def purge_sessions() -> None:
    """Delete device sessions that ended more than 30 days ago, and browser sessions that expired."""
    purge_ended_sessions(older_than=datetime.timedelta(days=30))
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
