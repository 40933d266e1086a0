"""Which providers fail, as this process knows it: asked of the database once a second, however many pushes go."""

import time
from collections.abc import Mapping

from notifications.models import Breaker

# Failures in a row after which a provider is left alone.
FAILURES_TO_OPEN = 5
KNOWN_FOR_SECONDS = 1.0

# When it was asked, and what was found; replaced as a whole, for threads read it.
_known: list[tuple[float, Mapping[str, Breaker]]] = [(float("-inf"), {})]


def failing() -> Mapping[str, Breaker]:
    """Return the providers that failed since they last answered, by name; up to a second old."""
    asked_at, known = _known[0]
    if time.monotonic() - asked_at > KNOWN_FOR_SECONDS:
        asked_at = time.monotonic()
        known = {breaker.name: breaker for breaker in Breaker.objects.filter(failures__gt=0)}
        _known[0] = asked_at, known
    return known


def forget() -> None:
    """Ask the database the next time."""
    _known[0] = float("-inf"), {}
