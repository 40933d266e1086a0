"""What is due, and that Celery was told of it.

The rows are the queue. A hint through the broker may be lost or come twice: then it is given again, or does nothing.
"""

import datetime
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from notifications.models import Breaker, Delivery, Digest, FanOut
from notifications.selectors.breakers import FAILURES_TO_OPEN
from realtime.database import clock

# A hint that was not followed for so long is given again: the broker may have lost it.
HINT_SECONDS = 20
# Celery is told only of the first that are due, behind each breaker: more would only wait in the broker, be given again
# and again, and keep others waiting. Each second a sweep tells it of as many more as were done.
HINTS = 1_000
# A sweep looks behind so many breakers; anybody's push service has one. Where there are more, chance is fair.
BREAKERS = 100


def due_fan_outs() -> list[UUID]:
    """Return the messages whose members are to be decided about now, and note that Celery is told of them."""
    return _hinted(FanOut.objects.all())


def due_deliveries() -> list[UUID]:
    """Return the deliveries to be worked on now, and note that Celery is told of them.

    While a breaker is open, what waits behind it is left alone, however much it is; after that one is tried.
    """
    now = clock.now()
    open_until = dict(Breaker.objects.filter(failures__gte=FAILURES_TO_OPEN).values_list("name", "open_until"))
    due: list[UUID] = []
    waiting = _waiting_breakers()
    for name in random.sample(waiting, min(len(waiting), BREAKERS)):
        behind = Delivery.objects.filter(breaker=name)
        if name not in open_until:
            due += _hinted(behind)
        elif (until := open_until[name]) is not None and until <= now:
            due += _hinted(behind, most=1)
    return due


def _waiting_breakers() -> list[str]:
    """Return the names of breakers behind which anything waits: found by leaps from one to the next in the index."""
    table = Delivery._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE waiting (breaker) AS ("  # noqa: S608 - a table's name
            f"SELECT min(breaker) FROM {table} WHERE next_at IS NOT NULL UNION ALL "
            f"SELECT (SELECT min(breaker) FROM {table} WHERE next_at IS NOT NULL AND breaker > waiting.breaker) "
            "FROM waiting WHERE breaker IS NOT NULL) SELECT breaker FROM waiting WHERE breaker IS NOT NULL"
        )
        return [name for (name,) in cursor.fetchall()]


def due_digests() -> list[UUID]:
    """Return the people whose digests are to be sent now, and note that Celery is told of them."""
    return _hinted(Digest.objects.all())


def _hinted(rows: QuerySet[Any], *, most: int = HINTS) -> list[UUID]:
    """Of the first that are due, return those that Celery was not told of, and note that it is."""
    now = clock.now()
    forgotten = now - datetime.timedelta(seconds=HINT_SECONDS)
    table = rows.model._default_manager
    first = rows.filter(next_at__lte=now).order_by("next_at").values("pk")[:HINTS]
    with transaction.atomic():
        untold = table.filter(Q(hinted_at=None) | Q(hinted_at__lt=forgotten), pk__in=first).order_by("next_at")
        ids = list(untold.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])
        if ids:
            table.filter(pk__in=ids).update(hinted_at=now)
    return ids


def take_back_hints(
    *, fan_outs: Sequence[UUID] = (), deliveries: Sequence[UUID] = (), digests: Sequence[UUID] = ()
) -> None:
    """Forget hints that could not be given: the next sweep tries again."""
    FanOut.objects.filter(pk__in=fan_outs).update(hinted_at=None)
    Delivery.objects.filter(pk__in=deliveries).update(hinted_at=None)
    Digest.objects.filter(pk__in=digests).update(hinted_at=None)
