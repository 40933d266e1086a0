"""`manage.py work`: the production worker."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatsite.celery import work


class Command(BaseCommand):
    """Runs Celery's tasks: pushes, mail, removal of old records. Any number of workers may run."""

    help = "Run a Celery worker and its beat (pushes, mail, periodic work)."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ROLE != "worker":
            raise CommandError("Start the worker with `manage.py work`: a worker has other settings than a command.")
        if settings.EMBEDDED:
            raise CommandError("The embedded profile runs its worker in the server: there is nothing to start.")
        sys.exit(work())
