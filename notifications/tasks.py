"""Background work of notifications. Messages of the queue hold ids; what is to be done stands in the database."""

import datetime
import logging
from collections.abc import Sequence
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from notifications.services import breakers, collect, devices, digests, due, retention
from notifications.services import deliver as delivering
from notifications.services import fan_out as fanning_out
from realtime.database.crash import crash_point

log = logging.getLogger("chatsite.notifications")


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def sweep() -> None:
    """Find what is new and what is due, and hand it out; beat asks for it every second."""
    collect.collect_messages()
    collect.collect_readers()
    crash_point("after_collect")
    fan_outs, deliveries = due.due_fan_outs(), due.due_deliveries()
    if fan_outs:
        crash_point("before_hints")
    try:
        for message_id in fan_outs:
            fan_out.delay(str(message_id))
        _hand_out(deliveries)
    except OperationalError as error:
        log.warning("the broker does not answer: %s", type(error).__name__)
        due.take_back_hints(fan_outs=fan_outs, deliveries=deliveries)


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def fan_out(message_id: str) -> None:
    """Decide whom a message is pushed to, and hand the deliveries out."""
    for deliveries in fanning_out.fan_out(UUID(message_id)):
        crash_point("after_fan_out")
        try:
            _hand_out(deliveries)
        except OperationalError as error:
            log.warning("the broker does not answer: %s", type(error).__name__)
            due.take_back_hints(deliveries=deliveries)


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def deliver(delivery_id: str) -> None:
    """Work on one delivery to one device."""
    delivering.deliver(UUID(delivery_id))


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def sweep_digests() -> None:
    """Find who is to get mail about unread messages, and hand the mails out; beat asks for it."""
    digests.collect_digests()
    waiting = due.due_digests()
    try:
        for user_id in waiting:
            send_digest.delay(str(user_id))
    except OperationalError as error:
        log.warning("the broker does not answer: %s", type(error).__name__)
        due.take_back_hints(digests=waiting)


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def send_digest(user_id: str) -> None:
    """Send one person's mail."""
    digests.send_digest(UUID(user_id))


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def purge() -> None:
    """Delete records that are older than the settings keep them, tokens whose sessions are gone, and old breakers."""
    retention.purge_records(before=timezone.now() - datetime.timedelta(days=settings.DELIVERY_RECORD_DAYS))
    devices.forget_orphans()
    breakers.forget_old()


def _hand_out(deliveries: Sequence[UUID]) -> None:
    """Tell Celery of deliveries, all over one connection.

    :raises OperationalError: the broker is away.
    """
    if not deliveries:
        return
    with deliver.app.producer_or_acquire(None) as producer:
        for delivery_id in deliveries:
            deliver.apply_async((str(delivery_id),), producer=producer)
