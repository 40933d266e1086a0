"""Breakers: a provider that fails again and again is left alone for a while, and then tried with one push.

Kept in the database, so that all workers know, and a restart forgets nothing.
"""

import datetime

from django.db.models import F, Q

from notifications.models import Breaker
from notifications.selectors.facts import FAILURES_TO_OPEN
from realtime import clock

OPEN_SECONDS = 30.0
# How long the one push that tries it again keeps the others waiting.
PROBE_SECONDS = 20.0


def may_pass(name: str) -> bool:
    """Return whether a push may go to this provider now; of those that come after the pause, one may."""
    failing = Breaker.objects.filter(name=name, failures__gte=FAILURES_TO_OPEN)
    now = clock.now()
    probe_until = now + datetime.timedelta(seconds=PROBE_SECONDS)
    if failing.filter(open_until__lte=now).update(open_until=probe_until):
        return True
    return not failing.exists()


def note_failure(name: str) -> None:
    """Count a failure in a row; enough of them open the breaker."""
    now = clock.now()
    Breaker.objects.get_or_create(name=name, defaults={"changed_at": now})
    Breaker.objects.filter(name=name).update(failures=F("failures") + 1, changed_at=now)
    Breaker.objects.filter(name=name, failures__gte=FAILURES_TO_OPEN).filter(
        Q(open_until=None) | Q(open_until__lt=now + datetime.timedelta(seconds=PROBE_SECONDS + 1))
    ).update(open_until=now + datetime.timedelta(seconds=OPEN_SECONDS))


def note_success(name: str) -> None:
    """Forget the failures of a provider that answers."""
    Breaker.objects.filter(name=name, failures__gt=0).update(failures=0, open_until=None, changed_at=clock.now())
