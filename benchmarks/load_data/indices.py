"""Drops indices and keys of big tables during a bulk insert: building them once afterwards is far cheaper.

They come back under the same names and definitions, and PostgreSQL checks every row as it makes them: a
repeated sequence or a message of nobody would end the transaction. Check constraints stay all the time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db.backends.utils import CursorWrapper

# Foreign keys (f) before the primary (p) and unique (u) keys that they depend on.
_KEYS = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = ANY(%s::regclass[]) AND contype IN ('f', 'p', 'u')
    ORDER BY contype, conname
"""
_INDICES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index WHERE indrelid = ANY(%s::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
    ORDER BY 1
"""


@contextmanager
def without_indices(
    cursor: CursorWrapper, tables: Sequence[str], report: Callable[[str, int, int], None]
) -> Iterator[None]:
    """Drop indices and keys of tables within this block of a transaction; `report` gets the progress of rebuilding."""
    cursor.execute(_KEYS, [list(tables)])
    keys = cursor.fetchall()
    cursor.execute(_INDICES, [list(tables)])
    indices = cursor.fetchall()
    for table, name, _ in keys:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indices:
        cursor.execute(f"DROP INDEX {name}")
    yield
    # Run the deferred checks of constraints now: PostgreSQL cannot alter a table with pending checks.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    made = [definition for _, definition in indices]
    # Foreign keys sort first and come last.
    made += [f"ALTER TABLE {table} ADD CONSTRAINT {name} {what}" for table, name, what in reversed(keys)]
    for number, statement in enumerate(made):
        report("indices and keys", number, len(made))
        cursor.execute(statement)
    report("indices and keys", len(made), len(made))
