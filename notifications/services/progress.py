"""How a table is looked through once, and nothing in it is overlooked.

A row has its id before its transaction commits, so rows become visible out of order. What lies below an id is
complete only when every transaction has ended that was under way when the id was seen: PostgreSQL can tell. SQLite has
one writer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction
from django.db.models import Max

from notifications.models import Progress
from realtime.rows import on_postgresql


@contextmanager
def looking_through(name: str, table: type[models.Model]) -> Iterator[int | None]:
    """Look at the rows of a table whose id is above the number that this gives, in one transaction with what follows.

    Rows that were seen already are among them for a while. None: somebody else is looking.
    """
    with transaction.atomic():
        row = Progress.objects.select_for_update(skip_locked=True).filter(name=name).first()
        if row is None:
            yield None
            return
        # In this order: all that began before `oldest` is over, so the rows that are read next are complete below it.
        oldest, _ = _transactions()
        yield row.floor
        newest = table._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
        if oldest >= row.horizon and not newest <= row.candidate == row.floor:
            row.floor, row.candidate = row.candidate, max(row.candidate, newest)
            _, row.horizon = _transactions()
            row.save()


def begin_now(name: str, table: type[models.Model]) -> None:
    """Take everything that is in a table as seen, for instance invented data that nobody is to be told of."""
    newest = table._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
    Progress.objects.update_or_create(name=name, defaults={"floor": newest, "candidate": newest})


def _transactions() -> tuple[int, int]:
    """Return the oldest transaction that is under way, and one that is younger than all of them."""
    if not on_postgresql():
        return 0, 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint "
            "FROM pg_current_snapshot() AS s"
        )
        oldest, next_one = cursor.fetchone()
    return oldest, next_one
