"""Points at which a test may kill the process; production refuses the setting outside a test."""

import itertools
import os
import signal
from collections.abc import Callable

from django.conf import settings

# "after_lock": the first time that the process passes this point; "after_lock@30": the thirtieth.
_POINT, _, _PASSES = settings.CRASH_POINT.partition("@")
_left = itertools.count(int(_PASSES or 1), -1)


def crash_point(name: str, *, first: Callable[[], object] | None = None) -> None:
    """Kill this process at once, as a power cut would, when CHATSITE_CRASH_POINT names this place and pass.

    `first` sends what is only queued, where the place means that it was done.
    """
    if name == _POINT and next(_left) <= 1:  # pragma: no cover - the process ends here
        if first is not None:
            first()
        os.kill(os.getpid(), signal.SIGKILL)
