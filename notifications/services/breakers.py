"""Breakers: a provider that fails again and again is left alone for a while, and then tried with one push.

Kept in the database, so that all workers know, and a restart forgets nothing.
"""

import datetime

from django.db.models import F, Q

from notifications.models import Breaker, PushDevice
from notifications.selectors.breakers import FAILURES_TO_OPEN, failing, forget
from realtime.database import clock

OPEN_SECONDS = 30.0
# How long the one push that tries it again keeps the others waiting.
PROBE_SECONDS = 20.0
# Longer than a push waits at most before it is tried again: who did not fail since is waited for by nobody.
FORGET_AFTER = datetime.timedelta(hours=2)
# Endpoints are strangers' addresses, and whoever likes may name thousands of hosts. Those that browsers come with are
# some dozens.
MOST_PUSH_SERVICES = 100


def may_pass(name: str) -> bool:
    """Return whether a push may go to this provider now; of those that come after the pause, one may."""
    known = failing().get(name)
    if known is None or known.failures < FAILURES_TO_OPEN:
        return True
    now = clock.now()
    probe_until = now + datetime.timedelta(seconds=PROBE_SECONDS)
    rows = Breaker.objects.filter(name=name, failures__gte=FAILURES_TO_OPEN)
    return bool(rows.filter(open_until__lte=now).update(open_until=probe_until)) or not rows.exists()


def note_failure(name: str) -> None:
    """Count a failure in a row; enough of them open the breaker."""
    now = clock.now()
    _, is_new = Breaker.objects.get_or_create(name=name, defaults={"changed_at": now})
    if is_new:
        _make_room()
    Breaker.objects.filter(name=name).update(failures=F("failures") + 1, changed_at=now)
    # One that was let through before is no reason to wait longer; the one that tried it again is.
    probed = Q(open_until=None) | Q(open_until__lte=now + datetime.timedelta(seconds=PROBE_SECONDS))
    Breaker.objects.filter(probed, name=name, failures__gte=FAILURES_TO_OPEN).update(
        open_until=now + datetime.timedelta(seconds=OPEN_SECONDS)
    )
    # So that the next success counts: with what was known a second ago, failures between successes would add up.
    forget()


def note_success(name: str) -> None:
    """Forget the failures of a provider that answers."""
    if name in failing():
        Breaker.objects.filter(name=name, failures__gt=0).update(failures=0, open_until=None, changed_at=clock.now())


def forget_old() -> None:
    """Forget the providers that did not fail lately: each sweep looks at those that are known."""
    Breaker.objects.filter(changed_at__lt=clock.now() - FORGET_AFTER).delete()


def _make_room() -> None:
    """Forget the push services that failed longest ago, where there are too many."""
    push_services = Breaker.objects.filter(name__startswith=f"{PushDevice.Provider.WEB_PUSH}:")
    too_many = push_services.order_by("-changed_at", "name").values_list("name", flat=True)[MOST_PUSH_SERVICES:]
    for name in list(too_many):  # one row locked at a time: other processes do the same
        Breaker.objects.filter(name=name).delete()
