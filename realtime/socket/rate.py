"""Token buckets in memory, for limits of one process. Not here: limits that processes share."""

import threading
import time
from collections import OrderedDict


class Bucket:
    """A bucket of `burst` tokens that fills with `rate` tokens a second."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._updated = time.monotonic()

    def wait(self) -> float:
        """Return the seconds until there is a token; 0 when there is one."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._rate

    def take(self) -> float:
        """Take one token: 0 when there was one, else the seconds until there is."""
        wait = self.wait()
        if not wait:
            self._tokens -= 1
        return wait

    def charge(self, tokens: float) -> None:
        """Take tokens, even if there are fewer; the balance never falls below minus `burst`."""
        self.wait()
        self._tokens = max(-self._burst, self._tokens - tokens)


class Buckets:
    """A bucket for each key, safe from any thread.

    Above `most` buckets the least recently used are dropped; their keys start with a full bucket again.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str) -> float:
        """Return the seconds until this key has a token; takes none."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                return 0.0
            self._buckets.move_to_end(key)
            return bucket.wait()

    def take(self, key: str, *, rate: float, burst: float) -> float:
        """Take one token of this key, as `Bucket.take`; the rate and burst of the first use stay."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = Bucket(rate, burst)
                if len(self._buckets) > self._most:
                    self._buckets.popitem(last=False)
            else:
                self._buckets.move_to_end(key)
            return bucket.take()

    def charge(self, key: str, tokens: float) -> None:
        """Take tokens of this key, as `Bucket.charge`, if it has a bucket."""
        with self._lock:
            if bucket := self._buckets.get(key):
                bucket.charge(tokens)
