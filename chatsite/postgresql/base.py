"""Django's backend for PostgreSQL, with times that are read by Python's own parser.

psycopg has a loader for times in C, but Django's loader builds on the one in Python: to read a list of conversations, a
third of the server's time went into it. Django finds a backend by the name of this module.
"""

import datetime
from typing import Any

from django.db.backends.postgresql import base
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.datetime import TimestamptzLoader


class TimeLoader(TimestamptzLoader):
    """Reads a `timestamptz` in the text of `DateStyle` ISO, as an aware time in UTC."""

    # Django asks each loader for it, and would put its own in the place of one that has another.
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
        """Return what psycopg is told, with our loader."""
        parameters: dict[str, Any] = super().get_connection_params()
        parameters["context"] = context = AdaptersMap(parameters["context"])
        context.register_loader("timestamptz", TimeLoader)
        return parameters
