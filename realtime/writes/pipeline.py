"""One connection to PostgreSQL on the event loop: statements go out together, results come in together.

libpq's pipeline mode through psycopg's own wrapper of libpq (`psycopg.pq`). psycopg's connections add a wait for each
result, and threads or tasks to wait in; that costs more than the statements of a small transaction.
Only for batch writes, one at a time. Everything else uses Django's connections.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from itertools import count
from typing import Any, cast

import psycopg
from django.db import connection
from psycopg import pq
from psycopg.adapt import Transformer

from realtime.database.arrays import BinaryArray
from realtime.database.crash import crash_point
from realtime.database.rows import Statement
from realtime.writes.batches import BatchDecision, BatchWrite, Result, Wanted

log = logging.getLogger("chatsite.pipeline")

Rows = list[tuple[Any, ...]]

# Longer than PostgreSQL's own time-outs (statement_timeout, 2 s) allow for a transaction of two trips.
WRITE_SECONDS = 5.0
RECONNECT_SECONDS = 1.0

_BEGIN, _COMMIT, _ROLLBACK = Statement("BEGIN"), Statement("COMMIT"), Statement("ROLLBACK")


class Pipeline:
    """A connection that is opened in the background, and again when it broke. Used from the event loop only."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._libpq: pq.abc.PGconn | None = None
        # A duplicate of libpq's socket: the loop watches it, and it stays open until it is closed here, even when libpq
        # has lost the connection.
        self._socket = -1
        self._opening: asyncio.Task[None] | None = None
        # Names of the prepared statements of this connection, by their texts.
        self._names: dict[str, bytes] = {}
        self._numbers = count()
        # The trip under way: what was queued (the text of a statement to prepare, None for an execution), the results.
        self._queued: list[str | None] = []
        self._results: list[pq.abc.PGresult] = []
        self._arrival: asyncio.Future[list[Rows]] | None = None

    @property
    def ready(self) -> bool:
        """Whether a batch can be written now. If not, this starts to open the connection."""
        if self._libpq is not None:
            return True
        if self._opening is None or self._opening.done():
            self._opening = asyncio.ensure_future(self._open())
        return False

    async def write(self, write: BatchWrite[Wanted, Result], batch: Sequence[Wanted]) -> BatchDecision[Result]:
        """Write a batch in one transaction, without waiting for locks; return when it is committed.

        :raises psycopg.Error: it was not written; if the connection broke during the commit, perhaps it was.
        :raises TimeoutError: PostgreSQL does not answer; perhaps it was written.
        """
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                self._queue(_BEGIN, *write.reads(batch, False))
                _, *found = await self._trip()
                decision = write.decide(batch, found)
                self._queue(*decision.writes)
                if decision.writes:
                    crash_point("after_insert", first=self._flush)
                crash_point("before_commit", first=self._flush)
                self._queue(_COMMIT)
                await self._trip()
            return decision
        except psycopg.Error:
            await self._roll_back()
            raise
        except BaseException:
            self.close()
            raise

    async def _roll_back(self) -> None:
        """Roll back a failed transaction; close the connection if that fails, too."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                self._queue(_ROLLBACK)
                await self._trip()
        except (psycopg.Error, TimeoutError):
            self.close()

    # --- Round trips ----------------------------------------------------------------------

    def _queue(self, *statements: Statement) -> None:
        libpq = self._libpq
        if libpq is None:
            raise psycopg.OperationalError("the connection is closed")
        for statement in statements:
            name = self._names.get(statement.text)
            if name is None:
                name = self._names[statement.text] = b"batch_%d" % next(self._numbers)
                libpq.send_prepare(name, _numbered(statement.text))
                self._queued.append(statement.text)
            parameters = cast(Sequence[BinaryArray], statement.parameters)  # text is for SQLite
            formats = [pq.Format.BINARY] * len(parameters)
            libpq.send_query_prepared(name, parameters, formats, pq.Format.BINARY)
            self._queued.append(None)

    async def _trip(self) -> list[Rows]:
        """Send what was queued and return the rows of each statement.

        :raises psycopg.Error: of the first statement that failed; those after it were not run.
        """
        assert self._libpq is not None
        self._libpq.pipeline_sync()
        self._flush()
        self._arrival = asyncio.get_running_loop().create_future()
        return await self._arrival

    def _flush(self) -> None:
        assert self._libpq is not None
        if self._libpq.flush():
            asyncio.get_running_loop().add_writer(self._socket, self._flush_rest)

    def _flush_rest(self) -> None:
        assert self._libpq is not None
        if not self._libpq.flush():
            asyncio.get_running_loop().remove_writer(self._socket)

    def _on_readable(self) -> None:
        """Read results; when those of the trip are complete, give them to the task that waits."""
        libpq, arrival = self._libpq, self._arrival
        assert libpq is not None
        try:
            libpq.consume_input()
            while arrival is not None and not libpq.is_busy():
                result = libpq.get_result()
                if result is None:
                    continue  # the end of one statement's results
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._arrive(arrival)
                    return
                self._results.append(result)
        except psycopg.Error as error:
            self.close(error)

    def _arrive(self, arrival: asyncio.Future[list[Rows]]) -> None:
        queued, results = self._queued, self._results
        self._queued, self._results, self._arrival = [], [], None
        error = next((result for result in results if result.status == pq.ExecStatus.FATAL_ERROR), None)
        if arrival.done():
            return  # the waiting task was cancelled
        if error is None:
            arrival.set_result([self._rows(r) for text, r in zip(queued, results, strict=True) if text is None])
            return
        for text in queued:
            if text is not None:  # perhaps PostgreSQL did not get to prepare it
                del self._names[text]
        arrival.set_exception(psycopg.errors.error_from_result(error))

    def _rows(self, result: pq.abc.PGresult) -> Rows:
        if not result.ntuples:
            return []
        loader = Transformer(self._connection)
        loader.set_pgresult(result)
        return loader.load_rows(0, result.ntuples, tuple)

    # --- The connection -------------------------------------------------------------------

    async def _open(self) -> None:
        while self._libpq is None:
            try:
                await self._connect()
            except (psycopg.Error, OSError) as error:
                log.warning("no pipeline to PostgreSQL yet: %s", type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _connect(self) -> None:
        parameters = connection.get_connection_params()
        del parameters["cursor_factory"]
        opened = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
        await opened.execute("SET TIME ZONE 'UTC'")
        # No plan depends on the number of rows: every look-up uses an index.
        await opened.execute("SET plan_cache_mode = force_generic_plan")
        opened.pgconn.enter_pipeline_mode()
        self._socket = os.dup(opened.pgconn.socket)
        self._connection, self._libpq = opened, opened.pgconn
        self._names, self._queued, self._results, self._arrival = {}, [], [], None
        asyncio.get_running_loop().add_reader(self._socket, self._on_readable)

    def close(self, why: psycopg.Error | None = None) -> None:
        """Close the connection and fail the trip under way; `ready` opens a new one."""
        libpq, self._libpq = self._libpq, None
        if libpq is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            os.close(self._socket)
            libpq.finish()
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_exception(why or psycopg.OperationalError("the connection was closed"))


def _numbered(text: str) -> bytes:
    """Return the text of a statement with PostgreSQL's own placeholders ($1, $2, ...)."""
    first, *rest = text.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))).encode()
