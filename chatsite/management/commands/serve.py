"""`manage.py serve`: the production server."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.server.serving import check_port, serve


class Command(BaseCommand):
    """Serves HTTP and the socket with uvicorn; several processes share one port."""

    help = "Serve HTTP and WebSocket with uvicorn."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
        parser.add_argument("--processes", type=int, default=1, help="server processes on the port")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SERVER_ROLE:
            raise CommandError("Start the server with `manage.py serve`: a server has other settings than a command.")
        if settings.EMBEDDED and options["processes"] > 1:
            raise CommandError("The embedded profile is one process; several need PostgreSQL and Redis.")
        try:
            check_port(options["host"], options["port"])
        except OSError as error:
            raise CommandError(
                f"Nothing can be served at {options['host']}:{options['port']} ({error.strerror}). "
                "Another port: --port, or `make run PORT=9000`."
            ) from error
        serve(options["host"], options["port"], options["processes"])
