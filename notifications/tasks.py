"""Background work of notifications. A task carries the id of a row; the row says what is to be done."""

import datetime
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from notifications.models import Delivery, Digest, FanOut
from notifications.models.queue import QueueRow
from notifications.services import breakers, collect, devices, digests, due, queue, retention
from notifications.services import deliver as delivering
from notifications.services import fan_out as fanning_out
from realtime.database.crash import crash_point

log = logging.getLogger("chatsite.notifications")


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def sweep() -> None:
    """Find new messages and due rows, and make their tasks; beat asks for it every `PUSH_SWEEP_SECONDS`."""
    collect.collect_messages()
    collect.collect_readers()
    crash_point("after_collect")
    fan_outs, deliveries = due.due_fan_outs(), due.due_deliveries()
    if fan_outs:
        crash_point("before_tasks")
    _make_tasks((fan_out, FanOut, fan_outs), (deliver, Delivery, deliveries))


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def fan_out(message_id: str) -> None:
    """Decide to which devices a message is pushed, and make the tasks of the deliveries."""
    for deliveries in fanning_out.fan_out(UUID(message_id)):
        crash_point("after_fan_out")
        _make_tasks((deliver, Delivery, deliveries))


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def deliver(delivery_id: str) -> None:
    """Work on one delivery to one device."""
    delivering.deliver(UUID(delivery_id))


@shared_task  # type: ignore[untyped-decorator] # Celery has no types
def sweep_digests() -> None:
    """Find people who are to get mail about unread messages, and make the tasks; beat asks for it."""
    digests.collect_digests()
    _make_tasks((send_digest, Digest, due.due_digests()))


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


def _make_tasks(*batches: tuple[Any, type[QueueRow], Sequence[UUID]]) -> None:
    """Make a task for each row of each batch (task, table, keys), all over one connection.

    If the broker does not answer, the next sweep enqueues all of them again.
    """
    if not any(keys for _, _, keys in batches):
        return
    try:
        with deliver.app.producer_or_acquire(None) as producer:
            for task, _, keys in batches:
                for key in keys:
                    task.apply_async((str(key),), producer=producer)
    except OperationalError as error:
        log.warning("the broker does not answer: %s", type(error).__name__)
        for _, model, keys in batches:
            queue.take_back(model, keys)
