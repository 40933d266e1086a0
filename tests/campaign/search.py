"""Searches all that the installation stores for deleted texts (I12): every table, every key, every log.

Texts of the campaign begin with 13 characters of their own and a number (`crowd.compose`). So all that is kept
is read once, whatever looks like such a text is picked out, and compared with those that were deleted.

Not looked at: PostgreSQL's write-ahead log and the free space of its pages, which it overwrites in its own time.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from psycopg import sql

from tests.harness.postgresql import PostgreSQL
from tests.harness.redis import Redis

TEXT = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4} [0-9]+ ")


def find_deleted(
    deleted: Iterable[str], postgresql: PostgreSQL, database: str, redis: Redis, files: Iterable[Path]
) -> dict[str, str]:
    """Return the deleted texts that were found, and where."""
    wanted = {match.group(): text for text in deleted if (match := TEXT.match(text.encode()))}
    found: dict[str, str] = {}
    for place, content in (*_tables(postgresql, database), *_keys(redis), *_files(files)):
        for match in TEXT.finditer(content):
            if match.group() in wanted:
                found.setdefault(wanted[match.group()], place)
    return found


def _tables(postgresql: PostgreSQL, database: str) -> Iterator[tuple[str, bytes]]:
    with postgresql.connect(database) as connection:
        names = [
            str(name)
            for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        ]
        for name in names:
            with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))) as copy:
                for chunk in copy:
                    yield f"table {name}", bytes(chunk)  # one row each


def _keys(redis: Redis) -> Iterator[tuple[str, bytes]]:
    """Yield every key with its dump, from all databases; a dump holds short texts as they are."""
    with socket.create_connection(("127.0.0.1", redis.port), timeout=10) as connection:
        stream = connection.makefile("rb")

        def ask(*words: bytes) -> list[bytes]:
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))
            return _answer(stream)

        for number in range(2):
            ask(b"SELECT", b"%d" % number)
            for key in ask(b"KEYS", b"*"):
                yield f"Redis key {key!r}", key + b" " + b"".join(ask(b"DUMP", key))


def _answer(stream: BinaryIO) -> list[bytes]:
    """Read one answer of Redis; return the strings in it."""
    head = stream.readline()
    kind, rest = head[:1], head[1:].strip()
    if kind == b"$":
        size = int(rest)
        return [] if size < 0 else [stream.read(size + 2)[:-2]]
    if kind == b"*":
        return [part for _ in range(int(rest)) for part in _answer(stream)]
    return [rest]


def _files(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        yield file.name, file.read_bytes()
