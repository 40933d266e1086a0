"""Big tables without their indices and keys while rows are poured in: building them once is far cheaper.

They come back under the same names and definitions, and PostgreSQL checks every row as it makes them: a
repeated sequence or a message of nobody would end the transaction. Check constraints stay all the time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db.backends.utils import CursorWrapper

# Foreign keys (f) before the primary (p) and unique (u) ones that they lean on.
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
    cursor: CursorWrapper, tables: Sequence[str], tell: Callable[[str, int, int], None]
) -> Iterator[None]:
    """Drop the indices and keys of tables for this block of a transaction; `tell` hears how they come back."""
    cursor.execute(_KEYS, [list(tables)])
    keys = cursor.fetchall()
    cursor.execute(_INDICES, [list(tables)])
    indices = cursor.fetchall()
    for table, name, _ in keys:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indices:
        cursor.execute(f"DROP INDEX {name}")
    yield
    # What is checked at the end of a transaction is checked now: PostgreSQL changes no table that still waits.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    made = [definition for _, definition in indices]
    # Foreign keys sort first and come last.
    made += [f"ALTER TABLE {table} ADD CONSTRAINT {name} {what}" for table, name, what in reversed(keys)]
    for number, statement in enumerate(made):
        tell("indices and keys", number, len(made))
        cursor.execute(statement)
    tell("indices and keys", len(made), len(made))
