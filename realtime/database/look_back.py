"""How far back a sweep looks, so that it overlooks nothing.

A row has its id before its transaction commits, so rows become visible out of order. Each look therefore begins at the
newest id of a look that lies further back than any transaction may live.
"""

import time
from collections import deque

# Longer than any transaction may live (statement and idle time-outs).
OVERLAP_SECONDS = 8.0


class LookBack:
    """Where each look of one sweep begins. The first reaches `first` ids back, for what was committed before it."""

    def __init__(self, first: int) -> None:
        self._first = first
        # (moment, newest id then), the oldest first.
        self._looks: deque[tuple[float, int]] = deque()

    def floor(self, newest: int) -> int:
        """Return the id above which to look now; `newest` is the newest that is visible."""
        now = time.monotonic()
        if not self._looks:
            self._looks.append((now, max(0, newest - self._first)))
        while len(self._looks) > 1 and self._looks[1][0] < now - OVERLAP_SECONDS:
            self._looks.popleft()
        floor = self._looks[0][1]
        self._looks.append((now, newest))
        return floor
