"""The epoch of the log: the one unbroken history that its sequences belong to.

A database that was restored, or a standby that took over, may lack the end of the log. Sequences that clients know are
then given out again, for other events. So another epoch begins, and clients drop what they hold of the former one.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from accounts.models import new_id
from conversations.models import Epoch
from realtime.database.rows import as_uuid, on_postgresql, one_id

_TABLE = Epoch._meta.db_table


def current() -> str:
    """Return the epoch of now."""
    epoch, _ = read_with("1")
    return epoch


def read_with(columns: str, joins: str = "", parameters: Sequence[Any] = ()) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the epoch, and rows of the tables that are joined to it, in one snapshot.

    The epoch ends where the database's history forked from that in which it began: then another one begins here.
    `joins` must be outer ones. Both texts are SQL of the caller's own.
    """
    held = f"(SELECT epoch FROM {_TABLE} WHERE origin = {_origin()}) AS e"  # noqa: S608 - names only
    while True:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT e.epoch, {columns} FROM {held} {joins}", parameters)  # noqa: S608
            rows = cursor.fetchall()
        if rows:
            return str(as_uuid(rows[0][0])), [row[1:] for row in rows]
        _write(f"WHERE {_TABLE}.origin <> excluded.origin")  # of several who see it, one begins it


def begin() -> str:
    """Begin another epoch and return it: for a restore that the database does not know of."""
    _write()
    return current()


def _write(condition: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_TABLE} (id, epoch, origin) VALUES ({Epoch.ONLY}, %s, {_origin()}) "  # noqa: S608
            f"ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, origin = excluded.origin {condition}",
            [one_id(new_id())],
        )


def _origin() -> str:
    """Return, in SQL, what names the history of this database; it changes by itself when that forks.

    The timeline of PostgreSQL changes when a base backup or a standby begins to take writes, the identifier of the
    cluster, the database or the table when a dump is read in. SQLite has nothing like it.
    """
    if not on_postgresql():
        return "''"
    # The timeline of the newest checkpoint (pg_control_checkpoint) may lag behind that of the log that is written.
    cluster = "(SELECT system_identifier FROM pg_control_system())"
    timeline = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
    database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    return f"concat_ws('/', {cluster}, {timeline}, {database}, '{_TABLE}'::regclass::oid)"
