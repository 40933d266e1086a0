"""Points at which a test can kill the process. Outside tests, production refuses the setting."""

import itertools
import os
import signal
from collections.abc import Callable

from django.conf import settings

# "after_lock": the first time the process reaches this point; "after_lock@30": the thirtieth time.
_POINT, _, _PASSES = settings.CRASH_POINT.partition("@")
_left = itertools.count(int(_PASSES or 1), -1)


def crash_point(name: str, *, first: Callable[[], object] | None = None) -> None:
    """Kill this process with SIGKILL if CHATSITE_CRASH_POINT names this point and the process reaches it often enough.

    `first` is called before: it sends queued statements where the point stands for "they were executed".
    """
    if name == _POINT and next(_left) <= 1:  # pragma: no cover - the process ends here
        if first is not None:
            first()
        os.kill(os.getpid(), signal.SIGKILL)
