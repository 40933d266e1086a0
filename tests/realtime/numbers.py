"""Batch writes for tests of the write path: they insert numbers into a table, and can be disturbed at each step."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from realtime.database.arrays import array_of
from realtime.database.rows import Statement
from realtime.writes.batches import BatchDecision, BatchWrite
from realtime.writes.pipeline import WRITE_SECONDS, Pipeline
from tests.waiting import until

Numbers = BatchWrite[int, Any]
INSERT = "INSERT INTO inserted SELECT unnest(%s::int[])"
# Far above what anything here takes: it only turns an endless wait into a failure.
AT_ONCE = WRITE_SECONDS / 2
# Ends the connection on which it runs.
END_CONNECTION = "SELECT pg_terminate_backend(pg_backend_pid())"


def inserting(
    *reads: str,
    writes: Sequence[str] = (INSERT,),
    meanwhile: Callable[[], object] = lambda: None,
) -> Numbers:
    """A write that inserts the numbers of its batch, runs `meanwhile`, and answers with the rows that it read."""

    def decide(batch: Sequence[int], found: Sequence[Sequence[Sequence[Any]]]) -> BatchDecision[Any]:
        meanwhile()
        numbers = array_of("integer")(batch)
        return BatchDecision([*found], [Statement(text, [numbers] if "%s" in text else []) for text in writes])

    return BatchWrite(lambda batch, wait: [Statement(text) for text in reads], decide)


async def opened(pipeline: Pipeline) -> int:
    """Wait until the pipeline is ready; return the id of its backend."""
    await until(lambda: pipeline.ready, within=10)
    assert pipeline._libpq is not None
    return pipeline._libpq.backend_pid


class Database:
    """The test's database through another connection, with a table of numbers."""

    def __init__(self, other: psycopg.Connection[Any]) -> None:
        self._other = other
        self.execute("CREATE TABLE inserted (number int PRIMARY KEY)")

    def execute(self, text: str) -> psycopg.Cursor[Any]:
        return self._other.execute(text)

    @property
    def inserted(self) -> list[int]:
        return [number for (number,) in self.execute("SELECT number FROM inserted ORDER BY number")]

    @property
    def states(self) -> dict[int, str]:
        """The state of each backend by its process id."""
        return dict(self.execute("SELECT pid, state FROM pg_stat_activity").fetchall())

    def ends(self, backend: int) -> None:
        """End a backend and wait until it is gone."""
        self.execute(f"SELECT pg_terminate_backend({backend}, 5000)")


async def writes_on(pipeline: Pipeline, database: Database) -> None:
    """Check that the pipeline writes the next batch."""
    await opened(pipeline)
    async with asyncio.timeout(AT_ONCE):
        await pipeline.write(inserting(), [99])
    assert 99 in database.inserted


@contextmanager
def database_on_another_connection() -> Iterator[Database]:
    """Open another connection to the test's database, and create an empty table of numbers."""
    parameters = connection.get_connection_params()
    del parameters["cursor_factory"]
    with psycopg.connect(**parameters, autocommit=True) as other:
        database = Database(other)
        yield database
        database.execute("DROP TABLE inserted")
