"""All stored data of an installation as one text, for searches."""

import sqlite3
from pathlib import Path
from typing import Any

import redis

from tests.harness.servers import Site


def everything_in(site: Site) -> str:
    """Return all rows of all tables, and all keys and values of all databases of Redis."""
    return "\n".join([*_tables(site), *_keys(site)])


def _tables(site: Site) -> list[str]:
    if site.profile == "production":
        names = site.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    else:
        names = site.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert len(names) > 10
    return [f"{name}: {_text(row)}" for (name,) in names for row in site.rows(f'SELECT * FROM "{name}"')]  # noqa: S608


def _text(row: tuple[Any, ...]) -> str:
    """Return a row as text; bytes appear as text and as hexadecimal."""
    return " | ".join(
        f"{bytes(value).hex()} {bytes(value).decode(errors='replace')}"
        if isinstance(value, bytes | memoryview)
        else str(value)
        for value in row
    )


def _keys(site: Site) -> list[str]:
    if site.redis is None:
        return []
    return [
        f"redis {number}: {key!r} {_value(client, key)!r}"
        for number in (0, 1)
        for client in [redis.Redis.from_url(site.redis.url(number))]
        for key in client.scan_iter()
    ]


def _value(client: redis.Redis, key: bytes) -> Any:
    match client.type(key):
        case b"string":
            return client.get(key)
        case b"hash":
            return client.hgetall(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"set":
            return client.smembers(key)
        case b"zset":
            return client.zrange(key, 0, -1)
        case kind:
            raise AssertionError(f"{key!r} is a {kind!r}: add a case here that reads it")


def files_of(site: Site) -> list[Path]:
    """Return the files of an embedded installation's database."""
    folder = Path(site.environment["DATA_DIR"])
    return sorted(folder.glob("*.sqlite3*"))


def fold_write_ahead_log(site: Site) -> None:
    """Move the write-ahead log into the database file, as SQLite does when the last process ends."""
    (file, *_) = files_of(site)
    with sqlite3.connect(file, timeout=10) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
