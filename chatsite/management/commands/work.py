"""`manage.py work`: the production worker."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatsite.celery import work


class Command(BaseCommand):
    """Works on what Celery brings: pushes, mail, old records. Any number of them may run."""

    help = "Run a Celery worker, and the beat that asks for what is periodic."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ROLE != "worker":
            raise CommandError("Start the worker with `manage.py work`: its settings are others than a command's.")
        if settings.EMBEDDED:
            raise CommandError("The embedded profile works in its server: there is nothing to start.")
        sys.exit(work())
