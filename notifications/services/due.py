"""What is due, and that Celery was told of it.

The rows are the queue. A hint through the broker may be lost or come twice: then it is given again, or does nothing.
"""

import datetime
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from notifications.models import Breaker, Delivery, Digest, FanOut
from notifications.selectors.breakers import FAILURES_TO_OPEN
from realtime import clock

# A hint that was not followed for so long is given again: the broker may have lost it.
HINT_SECONDS = 20
# As many may be out: more would only wait in the broker, and be given again and again.
HINTS = 2_000


def due_fan_outs() -> list[UUID]:
    """Return the messages whose members are to be decided about now, and note that Celery is told of them."""
    return _hinted(FanOut.objects.all())


def due_deliveries() -> list[UUID]:
    """Return the deliveries to be worked on now, and note that Celery is told of them.

    While a breaker is open, what waits behind it is left alone; after that one is tried.
    """
    now = clock.now()
    failing = Breaker.objects.filter(failures__gte=FAILURES_TO_OPEN)
    probes = [
        id
        for breaker in failing.filter(open_until__lte=now)
        for id in _hinted(Delivery.objects.filter(breaker=breaker.name), most=1)
    ]
    return probes + _hinted(Delivery.objects.exclude(breaker__in=list(failing.values_list("name", flat=True))))


def due_digests() -> list[UUID]:
    """Return the people whose digests are to be sent now, and note that Celery is told of them."""
    return _hinted(Digest.objects.all())


def _hinted(rows: "QuerySet[FanOut] | QuerySet[Delivery] | QuerySet[Digest]", *, most: int = HINTS) -> list[UUID]:
    now = clock.now()
    forgotten = now - datetime.timedelta(seconds=HINT_SECONDS)
    with transaction.atomic():
        most = min(most, HINTS - rows.filter(next_at__lte=now, hinted_at__gte=forgotten).count())
        if most <= 0:
            return []
        due = rows.filter(next_at__lte=now).filter(Q(hinted_at=None) | Q(hinted_at__lt=forgotten))
        ids = list(due.select_for_update(skip_locked=True).order_by("next_at").values_list("pk", flat=True)[:most])
        rows.model._default_manager.filter(pk__in=ids).update(hinted_at=now)
    return ids


def take_back_hints(
    *, fan_outs: Sequence[UUID] = (), deliveries: Sequence[UUID] = (), digests: Sequence[UUID] = ()
) -> None:
    """Forget hints that could not be given: the next sweep tries again."""
    FanOut.objects.filter(pk__in=fan_outs).update(hinted_at=None)
    Delivery.objects.filter(pk__in=deliveries).update(hinted_at=None)
    Digest.objects.filter(pk__in=digests).update(hinted_at=None)
