"""Which rows of the queue a sweep enqueues. What an open breaker holds up stays out of the broker."""

import random
from uuid import UUID

from django.db import connection

from notifications.models import Breaker, Delivery, Digest, FanOut
from notifications.selectors.breakers import FAILURES_TO_OPEN
from notifications.services.queue import enqueue
from realtime.database import clock

# At most this many breakers per sweep, chosen at random. Clients name push services, and each service has a breaker.
BREAKERS = 100


def due_fan_outs() -> list[UUID]:
    """Return the messages for which pushes are to be decided now; the caller makes their tasks."""
    return enqueue(FanOut.objects.all())


def due_deliveries() -> list[UUID]:
    """Return the deliveries to be worked on now; the caller makes their tasks.

    Deliveries behind an open breaker are not looked at, however many they are; after its pause one of them is tried.
    """
    now = clock.now()
    open_until = dict(Breaker.objects.filter(failures__gte=FAILURES_TO_OPEN).values_list("name", "open_until"))
    due: list[UUID] = []
    waiting = _waiting_breakers()
    for name in random.sample(waiting, min(len(waiting), BREAKERS)):
        behind = Delivery.objects.filter(breaker=name)
        if name not in open_until:
            due += enqueue(behind)
        elif (until := open_until[name]) is not None and until <= now:
            due += enqueue(behind, most=1)
    return due


def due_digests() -> list[UUID]:
    """Return the people whose digests are to be sent now; the caller makes their tasks."""
    return enqueue(Digest.objects.all())


def _waiting_breakers() -> list[str]:
    """Return the names of breakers with waiting deliveries, by a loose index scan."""
    table = Delivery._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE waiting (breaker) AS ("  # noqa: S608 - a table's name
            f"SELECT min(breaker) FROM {table} WHERE next_at IS NOT NULL UNION ALL "
            f"SELECT (SELECT min(breaker) FROM {table} WHERE next_at IS NOT NULL AND breaker > waiting.breaker) "
            "FROM waiting WHERE breaker IS NOT NULL) SELECT breaker FROM waiting WHERE breaker IS NOT NULL"
        )
        return [name for (name,) in cursor.fetchall()]
