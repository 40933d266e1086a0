"""One clock for all server processes: the database's.

Times that different processes gave are compared: the `since` of a catch-up with when a receipt moved. A process
whose clock is wrong would overlook what happened at another. So each looks at the database's clock when it starts
and with the sweep, and goes by its own as long as they agree.
"""

import datetime

from django.db import connection
from django.utils import timezone

# A smaller difference may be only the time that the answer took.
AGREEING = datetime.timedelta(seconds=1)

_difference = datetime.timedelta()


def now() -> datetime.datetime:
    """Return the time in UTC, by the database's clock."""
    return timezone.now() + _difference


def compare_with_database() -> None:
    """Compare this process's clock with the database's. SQLite has no clock of its own."""
    global _difference
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        asked = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
        took = timezone.now() - asked
    if took < AGREEING:
        difference = theirs - asked - took / 2
        _difference = difference if abs(difference) > AGREEING else datetime.timedelta()
