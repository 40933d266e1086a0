"""When a server process looks for cyclic garbage among all its objects: seldom.

By itself Python does so whenever the objects that survived have become a quarter more. With 5,000 connections that was
every ten seconds, for 0.3 to 0.5 s in which nobody is served. Nearly everything is freed without it, as soon as nothing
refers to it, connections that ended (`lean_protocol`) and requests that were answered (`one_hop`) too. So what is
young is looked through as ever, in portions that hold nobody up (of 5,000 and 50,000 they took up to 13 and 54 ms), and
everything only now and then.
"""

import gc
import time
from collections.abc import Callable

from realtime import registry

# Containers more than before until the young ones are looked through; how often that, until those that survived are.
YOUNG, MIDDLE = 1_000, 5
NEVER = 2**31 - 1
SECONDS = 300.0


class Collector:
    """Looks for garbage among all objects when enough time has gone by."""

    def __init__(self, collect: Callable[[], object] = gc.collect, now: Callable[[], float] = time.monotonic) -> None:
        self._collect, self._now = collect, now
        self._collected_at = now()

    def begin(self) -> None:
        """Take the place of Python's own rule, in a process that has loaded all that it will."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        registry.ticks.append(self.look)

    def look(self) -> None:
        """Collect if it is time to."""
        if self._now() - self._collected_at >= SECONDS:
            self._collect()
            self._collected_at = self._now()


collector = Collector()
