"""Where a sweep begins to read, so that it misses no row.

A row gets its id before its transaction commits, so rows become visible out of order. Each sweep therefore begins at
the newest id that an earlier sweep saw, longer ago than any transaction can last.
"""

import time
from collections import deque

# Longer than any transaction can last (statement and idle time-outs).
OVERLAP_SECONDS = 8.0


class LookBack:
    """Where each sweep begins. The first one begins `first` ids back, for rows committed before it."""

    def __init__(self, first: int) -> None:
        self._first = first
        # (monotonic time, newest id then), the oldest first.
        self._looks: deque[tuple[float, int]] = deque()

    def floor(self, newest: int) -> int:
        """Return the id above which to read now; `newest` is the newest visible id."""
        now = time.monotonic()
        if not self._looks:
            self._looks.append((now, max(0, newest - self._first)))
        while len(self._looks) > 1 and self._looks[1][0] < now - OVERLAP_SECONDS:
            self._looks.popleft()
        floor = self._looks[0][1]
        self._looks.append((now, newest))
        return floor
