"""Which providers fail, as this process knows: it asks the database at most once a second, however many pushes go."""

import time
from collections.abc import Mapping

from notifications.models import Breaker

# After so many failures in a row the breaker opens.
FAILURES_TO_OPEN = 5
KNOWN_FOR_SECONDS = 1.0

# When the database was asked, and its answer. The tuple is replaced as a whole, since threads read it without a lock.
_known: list[tuple[float, Mapping[str, Breaker]]] = [(float("-inf"), {})]


def failing() -> Mapping[str, Breaker]:
    """Return the breakers with failures since the last answer, by name; up to a second old."""
    asked_at, known = _known[0]
    if time.monotonic() - asked_at > KNOWN_FOR_SECONDS:
        asked_at = time.monotonic()
        known = {breaker.name: breaker for breaker in Breaker.objects.filter(failures__gt=0)}
        _known[0] = asked_at, known
    return known


def forget() -> None:
    """Make the next call of `failing` ask the database."""
    _known[0] = float("-inf"), {}
