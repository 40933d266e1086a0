"""Batch writes for tests of how batches are driven: they note numbers in a table, and can be hindered anywhere."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from realtime.database.arrays import array_of
from realtime.database.rows import Statement
from realtime.writes.batches import BatchWrite, Decision
from realtime.writes.pipeline import WRITE_SECONDS, Pipeline
from tests.waiting import until

Numbers = BatchWrite[int, Any]
NOTE = "INSERT INTO noted SELECT unnest(%s::int[])"
# Longer than anything here takes: it only turns a wait that nobody ends into a failure.
AT_ONCE = WRITE_SECONDS / 2
# Ends the connection on which it runs.
FALL = "SELECT pg_terminate_backend(pg_backend_pid())"


def noting(
    *reads: str,
    writes: Sequence[str] = (NOTE,),
    meanwhile: Callable[[], object] = lambda: None,
) -> Numbers:
    """A write that answers with what it read, after `meanwhile`, and notes the numbers of its batch."""

    def decide(batch: Sequence[int], found: Sequence[Sequence[Sequence[Any]]]) -> Decision[Any]:
        meanwhile()
        numbers = array_of("integer")(batch)
        return Decision([*found], [Statement(text, [numbers] if "%s" in text else []) for text in writes])

    return BatchWrite(lambda batch, wait: [Statement(text) for text in reads], decide)


async def opened(pipeline: Pipeline) -> int:
    """Wait until it is ready; return its backend."""
    await until(lambda: pipeline.ready, within=10)
    assert pipeline._libpq is not None
    return pipeline._libpq.backend_pid


class Database:
    """The same database on somebody else's connection, with a table of numbers."""

    def __init__(self, other: psycopg.Connection[Any]) -> None:
        self._other = other
        self.execute("CREATE TABLE noted (number int PRIMARY KEY)")

    def execute(self, text: str) -> psycopg.Cursor[Any]:
        return self._other.execute(text)

    @property
    def noted(self) -> list[int]:
        return [number for (number,) in self.execute("SELECT number FROM noted ORDER BY number")]

    @property
    def states(self) -> dict[int, str]:
        """What each backend is doing."""
        return dict(self.execute("SELECT pid, state FROM pg_stat_activity").fetchall())

    def ends(self, backend: int) -> None:
        """End a backend and wait until it is gone."""
        self.execute(f"SELECT pg_terminate_backend({backend}, 5000)")


async def writes_on(pipeline: Pipeline, database: Database) -> None:
    """See that the next batch is written like any other."""
    await opened(pipeline)
    async with asyncio.timeout(AT_ONCE):
        await pipeline.write(noting(), [99])
    assert 99 in database.noted


@contextmanager
def somebody_elses_database() -> Iterator[Database]:
    """Connect to this test's database once more, with an empty table for numbers."""
    parameters = connection.get_connection_params()
    del parameters["cursor_factory"]
    with psycopg.connect(**parameters, autocommit=True) as other:
        database = Database(other)
        yield database
        database.execute("DROP TABLE noted")
