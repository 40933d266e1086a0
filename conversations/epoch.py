"""The epoch of the log: an id of the unbroken history of the database to which all sequences belong.

A database that was restored, or a standby that took over, may lack the end of the log. It then gives sequences that
clients know already to other events. So a new epoch begins, and clients drop everything from the old one.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from accounts.models import new_id
from conversations.models import Epoch
from realtime.database.rows import as_uuid, on_postgresql, one_id

_TABLE = Epoch._meta.db_table


def current() -> str:
    """Return the current epoch."""
    epoch, _ = read_with("1")
    return epoch


def read_with(columns: str, joins: str = "", parameters: Sequence[Any] = ()) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the current epoch, and rows of the tables that are joined to it, from one snapshot.

    The epoch ends when the database's history has forked since the epoch began; this function then begins a new one.
    `columns` and `joins` are SQL, never user input; all joins must be outer joins.
    """
    current = f"(SELECT epoch FROM {_TABLE} WHERE origin = {_origin()}) AS e"  # noqa: S608 - names only
    while True:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT e.epoch, {columns} FROM {current} {joins}", parameters)  # noqa: S608
            rows = cursor.fetchall()
        if rows:
            return str(as_uuid(rows[0][0])), [row[1:] for row in rows]
        _write(f"WHERE {_TABLE}.origin <> excluded.origin")  # if several notice it, one of them begins the epoch


def begin() -> str:
    """Begin a new epoch and return it, after a restore that `_origin` cannot notice."""
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
    """Return SQL for a name of this database's history; the name changes by itself when the history forks.

    PostgreSQL changes the timeline when a base backup or a standby begins to accept writes. Restoring a dump changes
    the identifier of the cluster, the database or the table. SQLite has nothing comparable.
    """
    if not on_postgresql():
        return "''"
    # pg_control_checkpoint has the timeline of the newest checkpoint, which may lag behind that of the WAL.
    cluster = "(SELECT system_identifier FROM pg_control_system())"
    timeline = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
    database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    return f"concat_ws('/', {cluster}, {timeline}, {database}, '{_TABLE}'::regclass::oid)"
