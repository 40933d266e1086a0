"""The pipeline to PostgreSQL: what a batch commits, and every way in which its connection can fail it."""

import asyncio
import time

import psycopg
import pytest

from realtime.writes import pipeline as pipeline_module
from realtime.writes.pipeline import Pipeline
from tests.realtime.numbers import AT_ONCE, FALL, Database, noting, opened, writes_on
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

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
    await until(lambda: pipeline._libpq is None, within=AT_ONCE)
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
