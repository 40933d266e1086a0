"""The rate limit of messages per user, for sockets and REST of this process together."""

from django.conf import settings

from realtime.socket.rate import Buckets

_allowances = Buckets()


def message_wait(user_id: str) -> float:
    """Take one message from the user's allowance: 0, or the seconds until there is one again."""
    limits = settings.LIMITS
    return _allowances.take(user_id, rate=limits.messages_per_second, burst=limits.messages_burst)
