"""Breakers: after failures in a row nothing is sent to a provider for a while, and then one push tries it again.

They are in the database, so all workers share them and a restart keeps them.
"""

import datetime

from django.db.models import F, Q

from notifications.models import Breaker, PushDevice
from notifications.selectors.breakers import FAILURES_TO_OPEN, failing, forget
from realtime.database import clock

OPEN_SECONDS = 30.0
# How long the others wait for the one push that tries the provider again.
PROBE_SECONDS = 20.0
# Longer than the longest pause of a push: no push still waits when its breaker is deleted.
FORGET_AFTER = datetime.timedelta(hours=2)
# Endpoints are named by clients, and a client may name thousands of hosts. Browsers use some dozens.
MOST_PUSH_SERVICES = 100


def may_pass(name: str) -> bool:
    """Return whether a push may go to this provider now; after the pause of an open breaker, one may."""
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
    # The failure of a push that was sent before the breaker opened does not prolong the pause; that of the probe does.
    probed = Q(open_until=None) | Q(open_until__lte=now + datetime.timedelta(seconds=PROBE_SECONDS))
    Breaker.objects.filter(probed, name=name, failures__gte=FAILURES_TO_OPEN).update(
        open_until=now + datetime.timedelta(seconds=OPEN_SECONDS)
    )
    # The cached list is up to a second old. If it lacked this failure, the next success would not reset the count.
    forget()


def note_success(name: str) -> None:
    """Reset the failures of a provider that answered."""
    if name in failing():
        Breaker.objects.filter(name=name, failures__gt=0).update(failures=0, open_until=None, changed_at=clock.now())


def forget_old() -> None:
    """Delete the breakers that had no failure lately: each sweep reads all of them."""
    Breaker.objects.filter(changed_at__lt=clock.now() - FORGET_AFTER).delete()


def _make_room() -> None:
    """Delete the breakers of the push services that failed longest ago, if there are too many."""
    push_services = Breaker.objects.filter(name__startswith=f"{PushDevice.Provider.WEB_PUSH}:")
    too_many = push_services.order_by("-changed_at", "name").values_list("name", flat=True)[MOST_PUSH_SERVICES:]
    for name in list(too_many):  # one at a time, to lock one row at a time: other processes do the same
        Breaker.objects.filter(name=name).delete()
