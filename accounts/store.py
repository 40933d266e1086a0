"""Counters of attempts, shared by all processes through the cache."""

import hashlib
from contextlib import suppress
from typing import NamedTuple

from django.core.cache import cache

from accounts.errors import TooManyAttempts
from realtime.database import clock
from realtime.wire.errors import TryAgain


class Attempt(NamedTuple):
    """An attempt that was counted under a key."""

    key: str

    def take_back(self) -> None:
        """Count it no longer. If the cache is away, it stays counted."""
        with suppress(Exception):
            cache.decr(self.key)


def count_attempt(purpose: str, subject: str, *, most: int, window_seconds: int, name: str) -> Attempt:
    """Count one attempt of `subject` in the current window of time, atomically over all processes.

    :param name: of such attempts, for people: "Too many ...".
    :raises TooManyAttempts: there were `most` attempts in the window already.
    :raises TryAgain: the cache is unavailable. An attempt that cannot be counted is refused.
    """
    now = clock.now().timestamp()
    window = int(now // window_seconds)
    digest = hashlib.sha256(subject.encode()).hexdigest()[:32]
    key = f"attempts:{purpose}:{digest}:{window}"
    try:
        cache.add(key, 0, timeout=window_seconds + 1)
        attempts = cache.incr(key)
    except ValueError:
        attempts = 1  # the window ended between the two calls
    except Exception as error:
        raise TryAgain from error
    if attempts > most:
        raise TooManyAttempts(name, retry_after=(window + 1) * window_seconds - now)
    return Attempt(key)
