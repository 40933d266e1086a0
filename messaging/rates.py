"""The rate limit of messages per user, for sockets and REST of this process together."""

from django.conf import settings

from realtime.socket.rate import Buckets
from realtime.wire.errors import DomainError

_allowances = Buckets()


def take_message(user_id: str) -> None:
    """Take one message from a user's allowance.

    :raises DomainError: `rate_limited`, with the seconds until there is one again.
    """
    limits = settings.LIMITS
    if wait := _allowances.take(user_id, rate=limits.messages_per_second, burst=limits.messages_burst):
        raise DomainError("rate_limited", "Too many messages.", retry_after=wait)
