"""Django's backend for PostgreSQL with a faster loader of times.

psycopg has a loader in C, but Django's builds on the one in Python: a third of the server's time for a list of
conversations went into it. This loader uses `datetime.fromisoformat`. Django finds a backend by this module's name.
"""

import datetime
from typing import Any

from django.db.backends.postgresql import base
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.datetime import TimestamptzLoader


class TimeLoader(TimestamptzLoader):
    """Reads a `timestamptz` in the text of `DateStyle` ISO, as an aware time in UTC."""

    # Django replaces a loader whose time zone differs from its own.
    timezone = datetime.UTC

    def load(self, data: Buffer) -> datetime.datetime:
        """Return the time.

        :raises psycopg.DataError: Python's calendar does not have it.
        """
        try:
            return datetime.datetime.fromisoformat(str(data, "ascii")).astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            return super().load(data)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return psycopg's parameters, with our loader."""
        parameters: dict[str, Any] = super().get_connection_params()
        parameters["context"] = context = AdaptersMap(parameters["context"])
        context.register_loader("timestamptz", TimeLoader)
        return parameters
