"""Points at which a test may kill the process; production refuses the setting outside a test."""

import os
import signal

from django.conf import settings

_POINT = settings.CRASH_POINT


def crash_point(name: str) -> None:
    """Kill this process at once, as a power cut would, when CHATSITE_CRASH_POINT names this place."""
    if name == _POINT:
        os.kill(os.getpid(), signal.SIGKILL)
