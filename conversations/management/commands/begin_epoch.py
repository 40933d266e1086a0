"""`manage.py begin_epoch`: after a restore, so that no client takes new events for those that were lost."""

from typing import Any

from django.core.management.base import BaseCommand

from conversations import epoch


class Command(BaseCommand):
    """Begins another epoch of the log, whether the database knows of a restore or not."""

    help = "Begin another epoch of the log: every client drops what it holds and loads it anew. Run it after a restore."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Epoch {epoch.begin()} of the log has begun.")
