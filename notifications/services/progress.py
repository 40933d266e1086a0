"""How a table is looked through once, and nothing in it is overlooked.

A row has its id before its transaction commits, so rows become visible out of order. What lies below an id is
complete only when every transaction has ended that was under way when the id was seen: PostgreSQL can tell. SQLite has
one writer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction
from django.db.models import Max, Min

from notifications.models import Progress
from notifications.services.queue import lock
from realtime.rows import on_postgresql

# So many ids are looked at in one go: after a long outage the rest follows, look by look.
SLICE = 20_000


@contextmanager
def looking_through(name: str, table: type[models.Model]) -> Iterator[tuple[int, int] | None]:
    """Look at the rows of a table with ids above one number, up to another, in one transaction with what follows.

    Rows that were seen already are among them for a while. None: somebody else is looking.
    """
    # Before this transaction has an id: all that wrote up to here has a lower one.
    newest = table._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
    with transaction.atomic():
        row = lock(Progress.objects.filter(name=name))
        if row is None:
            yield None
            return
        # Before the rows are read: what began before `oldest` is over, so they are complete.
        oldest, own = _transactions()
        ahead = table._default_manager.filter(pk__gt=row.floor).aggregate(first=Min("pk"))["first"] or row.floor
        # Ids of nobody are skipped; a row that appears late, below the others, takes nothing from what was a candidate.
        upto = max(row.candidate, ahead + SLICE)
        yield row.floor, upto
        newest = min(newest, upto)
        if oldest > row.horizon and not newest <= row.candidate == row.floor:
            row.floor, row.candidate, row.horizon = row.candidate, max(row.candidate, newest), own
            row.save()


def begin_now(name: str, table: type[models.Model]) -> None:
    """Take everything that is in a table as seen, for instance invented data that nobody is to be told of."""
    newest = table._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
    Progress.objects.update_or_create(name=name, defaults={"floor": newest, "candidate": newest})


def _transactions() -> tuple[int, int]:
    """Return the oldest transaction that is under way, and this one."""
    if not on_postgresql():
        return 1, 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_current_xact_id()::text::bigint"
        )
        oldest, own = cursor.fetchone()
    return oldest, own
