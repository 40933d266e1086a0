"""Ends transactions of stopped processes that PostgreSQL considers active.

`idle_in_transaction_session_timeout` counts from the end of a group of statements (the wire protocol's Sync). A
process that stops between the statements of a pipeline, halfway through a large one, or before it took a large
result, leaves a transaction that counts as active, waits for its client and keeps its locks for as long as the
connection lives. No time-out of PostgreSQL before 17 ends it. So the processes that live look for such transactions.
"""

import logging

from django.conf import settings
from django.db import connection

from realtime.database.rows import on_postgresql

log = logging.getLogger("chatsite.abandoned")

# With the second between two looks, as long as `idle_in_transaction_session_timeout`.
ABANDONED_AFTER_SECONDS = 4.0

_END = """
    SELECT count(pg_terminate_backend(pid))
    FROM pg_stat_activity
    WHERE usename = current_user AND datname = current_database() AND application_name = %s
      AND state = 'active' AND wait_event_type = 'Client'
      AND clock_timestamp() - state_change > make_interval(secs => %s)
"""


def end_abandoned_transactions() -> None:
    """End transactions that a server process left unfinished for `ABANDONED_AFTER_SECONDS`. SQLite has none."""
    if not on_postgresql():
        return
    servers = settings.DATABASES["default"]["OPTIONS"]["application_name"]
    with connection.cursor() as cursor:
        cursor.execute(_END, [servers, ABANDONED_AFTER_SECONDS])
        (ended,) = cursor.fetchone()
    if ended:
        log.warning("%d transactions of a process that stands still were ended", ended)
