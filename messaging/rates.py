"""How many messages a user may send through this process, over its sockets and REST together."""

import threading
from collections import OrderedDict

from django.conf import settings

from realtime.rate import Bucket

# A bucket that was not used for a while is full again: forgetting it changes nothing.
MOST_BUCKETS = 20_000

_buckets: OrderedDict[str, Bucket] = OrderedDict()
_lock = threading.Lock()


def message_wait(user_id: str) -> float:
    """Take one message from the user's allowance: 0, or the seconds until there is one again."""
    with _lock:
        bucket = _buckets.get(user_id)
        if bucket is None:
            limits = settings.LIMITS
            bucket = _buckets[user_id] = Bucket(limits.messages_per_second, limits.messages_burst)
            if len(_buckets) > MOST_BUCKETS:
                _buckets.popitem(last=False)
        else:
            _buckets.move_to_end(user_id)
        return bucket.take()
