"""`manage.py check_integrity`: check that every log is gapless and every counter right."""

from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from messaging.integrity import faults

MOST_SHOWN = 100


class Command(BaseCommand):
    """Checks the whole database in one snapshot; exits with 1 if it finds a fault."""

    help = "Check that sequences have no gaps and that heads and counters are right."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            _one_snapshot()
            found = list(islice(faults(), MOST_SHOWN + 1))
        for fault in found[:MOST_SHOWN]:
            self.stdout.write(fault)
        if found:
            more = " at least" if len(found) > MOST_SHOWN else ""
            raise CommandError(f"{more} {len(found)} faults".strip())
        self.stdout.write("All sequences are gapless, all heads and counters are right.")


def _one_snapshot() -> None:
    """Let all queries see one snapshot, so that concurrent writes do not look like faults."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
