"""`manage.py create_token USERNAME`: print a new bearer token of a person, for scripts and support."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.services import open_session


class Command(BaseCommand):
    """Opens a device session and prints its token, which cannot be read again."""

    help = "Print a new bearer token of a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--device-name", default="create_token")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.named(options["username"])
        if user is None or not user.is_active:
            raise CommandError(f"No active user is called {options['username']}.")
        opened = open_session(user=user, device_name=options["device_name"])
        self.stdout.write(str(opened.token))
