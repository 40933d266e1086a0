"""The rate of a person's own changes through this process: settings that go to all their devices, and blocks."""

from uuid import UUID

from django.conf import settings

from realtime.socket.rate import Buckets
from realtime.wire.errors import DomainError

_allowances = Buckets()


def take_own_change(user_id: UUID) -> None:
    """Take one change from a person's allowance.

    :raises DomainError: `rate_limited`, with the seconds until the next change is allowed.
    """
    limits = settings.LIMITS
    per_second, burst = limits.own_changes_per_minute / 60, limits.own_changes_burst
    if wait := _allowances.take(str(user_id), rate=per_second, burst=burst):
        raise DomainError("rate_limited", "Too many changes; try again later.", retry_after=wait)
