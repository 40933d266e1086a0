"""Reads the new rows of a table, each at least once, and knows how far it has got.

A row has its id before its transaction commits, so rows become visible out of order. The rows below an id are complete
only when every transaction that was running when the id was seen has ended: PostgreSQL can tell. SQLite has one writer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction
from django.db.models import Max, Min

from notifications.models import Progress
from notifications.services.queue import lock
from realtime.database.rows import on_postgresql

# At most about so many ids are read at once: after a long outage the rest follows, slice by slice.
SLICE = 20_000


@contextmanager
def new_ids(name: str, table: type[models.Model]) -> Iterator[tuple[int, int] | None]:
    """Yield the span of ids to read, above the first number and up to the second; None if another worker is reading.

    The body runs in the transaction that writes the progress. A row is in the spans of several calls until all rows
    below it are certain to be visible.
    """
    # Before this transaction has an id: every transaction that wrote up to here has a lower one.
    newest = table._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
    with transaction.atomic():
        row = lock(Progress.objects.filter(name=name))
        if row is None:
            yield None
            return
        # Before the rows are read: every transaction before `oldest` has ended, so their rows are visible.
        oldest, own = _transactions()
        ahead = table._default_manager.filter(pk__gt=row.floor).aggregate(first=Min("pk"))["first"] or row.floor
        # Gaps are skipped. The span never ends below the candidate, even if a row appears late below the others.
        upto = max(row.candidate, ahead + SLICE)
        yield row.floor, upto
        newest = min(newest, upto)
        if oldest > row.horizon and not newest <= row.candidate == row.floor:
            row.floor, row.candidate, row.horizon = row.candidate, max(row.candidate, newest), own
            row.save()


def begin_now(name: str, table: type[models.Model]) -> None:
    """Treat all rows of a table as read: for instance generated data that nobody is to be notified of."""
    newest = table._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
    Progress.objects.update_or_create(name=name, defaults={"floor": newest, "candidate": newest})


def _transactions() -> tuple[int, int]:
    """Return the id of the oldest running transaction, and of this one."""
    if not on_postgresql():
        return 1, 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_current_xact_id()::text::bigint"
        )
        oldest, own = cursor.fetchone()
    return oldest, own
