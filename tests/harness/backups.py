"""Backups of a private PostgreSQL, and ways to restore one."""

import shutil
import subprocess
from pathlib import Path

from tests.harness import binaries
from tests.harness.postgresql import PostgreSQL


def base_backup(postgresql: PostgreSQL) -> Path:
    """Copy the data folder of a running server, with the write-ahead log that a restore needs."""
    copy = postgresql.folder / "base_backup"
    _run("pg_basebackup", "-d", postgresql.url("postgres"), "-D", copy, "-c", "fast", server=postgresql)
    return copy


def put_back(copy: Path, postgresql: PostgreSQL, *, as_recovery: bool) -> None:
    """Replace the data folder by the copy, and start.

    :param as_recovery: with the file that the manual asks for; PostgreSQL then begins a new timeline by itself.
    """
    data = postgresql.folder / "data"
    postgresql.stop()
    shutil.rmtree(data)
    copy.rename(data)
    if as_recovery:
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("restore_command = 'false'\n")  # everything needed is in the copy
        (data / "recovery.signal").touch()
    postgresql.start()
    with postgresql.connect() as connection:
        for (recovering,) in iter(lambda: connection.execute("SELECT pg_is_in_recovery()").fetchall()[0], (False,)):
            assert recovering


def dump(postgresql: PostgreSQL, database: str) -> Path:
    """Write the contents of a database to a file."""
    file = postgresql.folder / "dump"
    _run("pg_dump", "-Fc", "-d", postgresql.url(database), "-f", file, server=postgresql)
    return file


def read_in(file: Path, postgresql: PostgreSQL, database: str) -> None:
    """Make the database anew from a dump."""
    postgresql.drop_database(database)
    postgresql.create_database(database)
    _run("pg_restore", "-d", postgresql.url(database), file, server=postgresql)


def _run(program: str, *arguments: str | Path, server: PostgreSQL) -> None:
    owner = server.folder.owner()
    subprocess.run(
        [binaries.postgresql(program), *arguments], cwd=server.folder, user=owner, check=True, capture_output=True
    )
