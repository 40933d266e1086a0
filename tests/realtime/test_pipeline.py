"""The pipeline to PostgreSQL: what a batch commits, and every way in which its connection can fail it."""

import asyncio
import errno
import logging
import os
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection

from realtime import pipeline as pipeline_module
from realtime.pipeline import Pipeline
from tests.harness.proxy import Direction, Filter, Proxy
from tests.realtime.numbers import FALL, Database, noting, opened

pytestmark = pytest.mark.django_db(transaction=True)

# Longer than anything here takes: it only turns a wait that nobody ends into a failure.
AT_ONCE = pipeline_module.WRITE_SECONDS / 2


async def writes_on(pipeline: Pipeline, database: Database) -> None:
    """See that the next batch is written like any other."""
    await opened(pipeline)
    async with asyncio.timeout(AT_ONCE):
        await pipeline.write(noting(), [99])
    assert 99 in database.noted


# --- Batches ------------------------------------------------------------------------------


async def test_it_reads_decides_and_commits(pipeline: Pipeline, database: Database) -> None:
    decision = await pipeline.write(noting("SELECT 1, 'ä', NULL::int", "SELECT 2 WHERE false"), [1, 2])
    assert decision.answers == [[(1, "ä", None)], []]
    assert database.noted == [1, 2]
    seen = await pipeline.write(noting("SELECT count(*) FROM noted"), [3])
    assert seen.answers == [[(2,)]]


async def test_what_decides_to_write_nothing_leaves_no_transaction_open(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    await pipeline.write(noting("SELECT 1", writes=()), [1])
    assert database.states[backend] == "idle"


async def test_what_fails_leaves_nothing_behind_and_keeps_the_connection(
    pipeline: Pipeline, database: Database
) -> None:
    backend = await opened(pipeline)
    await pipeline.write(noting(), [1])
    with pytest.raises(psycopg.errors.UniqueViolation):
        await pipeline.write(noting(), [2, 1])
    assert database.noted == [1]
    await writes_on(pipeline, database)
    assert await opened(pipeline) == backend


async def test_a_statement_that_could_not_be_prepared_is_prepared_again(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    later = noting("SELECT number FROM made_later")
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await pipeline.write(later, [1])
    database.execute("CREATE TABLE made_later AS SELECT 7 AS number")
    try:
        assert (await pipeline.write(later, [1])).answers == [[(7,)]]
    finally:
        database.execute("DROP TABLE made_later")
    assert database.noted == [1]
    assert await opened(pipeline) == backend


async def test_a_decision_that_fails_leaves_no_transaction_open(pipeline: Pipeline, database: Database) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await pipeline.write(noting("LOCK TABLE noted", meanwhile=fails), [1])
    assert database.noted == []
    await writes_on(pipeline, database)


# --- Broken connections -------------------------------------------------------------------


async def test_a_connection_that_ends_while_nothing_is_written_is_opened_again(
    pipeline: Pipeline, database: Database
) -> None:
    backend = await opened(pipeline)
    database.ends(backend)
    async with asyncio.timeout(AT_ONCE):
        while pipeline._libpq is not None:
            await asyncio.sleep(0.01)
    assert not pipeline.ready
    assert await opened(pipeline) != backend
    await writes_on(pipeline, database)


async def test_a_connection_that_ends_between_the_trips_fails_the_batch(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(AT_ONCE):
            await pipeline.write(noting("SELECT 1", meanwhile=lambda: database.ends(backend)), [1])
    assert database.noted == []
    await writes_on(pipeline, database)


async def test_a_connection_that_ends_with_a_statement_fails_the_batch(pipeline: Pipeline, database: Database) -> None:
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(AT_ONCE):
            await pipeline.write(noting(FALL), [1])
    assert database.noted == []
    await writes_on(pipeline, database)


async def test_who_closes_it_does_not_let_the_batch_wait(pipeline: Pipeline, database: Database) -> None:
    writing = asyncio.ensure_future(pipeline.write(noting("SELECT pg_sleep(1)"), [1]))
    await asyncio.sleep(0.1)
    pipeline.close()
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(0.5):
            await writing
    assert database.noted == []
    await writes_on(pipeline, database)


# --- Who waits no longer ------------------------------------------------------------------


async def test_a_database_that_takes_too_long_is_not_waited_for(
    pipeline: Pipeline, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "WRITE_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        await pipeline.write(noting("SELECT pg_sleep(1)"), [1])
    assert database.noted == []
    monkeypatch.undo()
    await writes_on(pipeline, database)


@pytest.mark.parametrize("ends", ["with an answer", "with the connection"])
async def test_who_gives_up_at_the_moment_of_the_answer_leaves_nothing_half_done(
    ends: str, pipeline: Pipeline, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    last = {"with an answer": "SELECT 1", "with the connection": FALL}[ends]
    writing = asyncio.ensure_future(pipeline.write(noting("SELECT pg_sleep(0.2)", last), [1]))
    while pipeline._arrival is None:
        await asyncio.sleep(0)
    # The loop comes to both in one turn: first it cancels, then it reads what has come meanwhile.
    asyncio.get_running_loop().call_soon(writing.cancel)
    time.sleep(0.5)  # noqa: ASYNC251 - the loop is busy with something else
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert database.noted == []
    await writes_on(pipeline, database)
    assert not caplog.records


# --- Bad networks -------------------------------------------------------------------------


class DeafAfterAnError(Filter):
    """Lets nothing through to PostgreSQL any more once it has refused a statement."""

    def passes(self, data: bytes, direction: Direction) -> bytes:
        if direction == "down" and b"division by zero" in data:
            self.link.proxy.drop("up")
        return data


class CutAtTheFirstStatement(Filter):
    """Cuts the first connection when it is about to be set up."""

    def passes(self, data: bytes, direction: Direction) -> bytes:
        if direction == "up" and b"TIME ZONE" in data and self.link.proxy.accepted == 1:
            self.link.cut()
            return b""
        return data


@pytest.fixture
def connects_by(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Proxy], Pipeline]]:
    """Makes a pipeline that connects by a proxy."""
    made: list[Pipeline] = []

    def make(proxy: Proxy) -> Pipeline:
        monkeypatch.setitem(connection.settings_dict, "PORT", str(proxy.port))
        made.append(Pipeline())
        return made[-1]

    yield make
    assert all(pipeline._libpq is None for pipeline in made)


def postgresql() -> int:
    return int(connection.settings_dict["PORT"])


async def test_a_database_that_is_away_is_asked_again_until_it_is_there(
    connects_by: Callable[[Proxy], Pipeline],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pipeline_module, "RECONNECT_SECONDS", 0.05)
    async with Proxy(postgresql()) as proxy:
        proxy.refuse()
        pipeline = connects_by(proxy)
        async with asyncio.timeout(10):
            while proxy.accepted < 3:
                assert not pipeline.ready
                await asyncio.sleep(0.01)
        proxy.heal()
        await writes_on(pipeline, database)
        assert proxy.open_connections == 1
        assert {record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING} == {
            "no pipeline to PostgreSQL yet: OperationalError"
        }
        pipeline.close()


async def test_a_connection_that_breaks_while_it_is_set_up_is_opened_again(
    connects_by: Callable[[Proxy], Pipeline], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "RECONNECT_SECONDS", 0.05)
    async with Proxy(postgresql(), filters=CutAtTheFirstStatement) as proxy:
        pipeline = connects_by(proxy)
        await writes_on(pipeline, database)
        assert (proxy.accepted, proxy.open_connections) == (2, 1)
        pipeline.close()


async def test_a_connection_on_which_not_even_a_rollback_ends_is_given_up(
    connects_by: Callable[[Proxy], Pipeline], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy(postgresql(), filters=DeafAfterAnError) as proxy:
        pipeline = connects_by(proxy)
        await opened(pipeline)
        monkeypatch.setattr(pipeline_module, "WRITE_SECONDS", 0.3)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await pipeline.write(noting("SELECT 1/0"), [1])
        assert pipeline._libpq is None
        proxy.heal()
        monkeypatch.setattr(pipeline_module, "WRITE_SECONDS", 5.0)
        await writes_on(pipeline, database)
        pipeline.close()
    assert database.noted == [99]


async def test_a_process_without_a_file_descriptor_left_tries_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "RECONNECT_SECONDS", 0.05)
    left = [OSError(errno.EMFILE, "Too many open files")]
    dup = os.dup

    def scarce(fd: int) -> int:
        if left:
            raise left.pop()
        return dup(fd)

    monkeypatch.setattr(os, "dup", scarce)
    pipeline = Pipeline()
    await writes_on(pipeline, database)
    assert not left
    pipeline.close()


async def test_a_large_batch_goes_out_as_the_network_takes_it(
    connects_by: Callable[[Proxy], Pipeline], database: Database
) -> None:
    async with Proxy(postgresql()) as proxy:
        pipeline = connects_by(proxy)
        await opened(pipeline)
        proxy.silence("up")
        asyncio.get_running_loop().call_later(0.2, proxy.heal)
        decision = await pipeline.write(noting(f"SELECT length('{'x' * 30_000_000}')"), [1])
        assert decision.answers == [[(30_000_000,)]]
        await writes_on(pipeline, database)
        pipeline.close()


async def test_a_connection_that_breaks_while_a_large_batch_goes_out_fails_the_batch(
    connects_by: Callable[[Proxy], Pipeline], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    async with Proxy(postgresql()) as proxy:
        pipeline = connects_by(proxy)
        await opened(pipeline)
        proxy.silence("up")
        loop.call_later(0.2, proxy.cut)
        with pytest.raises(psycopg.OperationalError):
            async with asyncio.timeout(AT_ONCE):
                await pipeline.write(noting(f"SELECT '{'x' * 30_000_000}'"), [1])
        proxy.heal()
        assert database.noted == []
        await writes_on(pipeline, database)
        pipeline.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
