"""Points at which a test may kill the process; production refuses the setting outside a test."""

import os
import signal
from collections.abc import Callable

from django.conf import settings

_POINT = settings.CRASH_POINT


def crash_point(name: str, *, first: Callable[[], object] | None = None) -> None:
    """Kill this process at once, as a power cut would, when CHATSITE_CRASH_POINT names this place.

    `first` sends what is only queued, where the place means that it was done.
    """
    if name == _POINT:  # pragma: no cover - nothing outlives it that could say so
        if first is not None:
            first()
        os.kill(os.getpid(), signal.SIGKILL)
