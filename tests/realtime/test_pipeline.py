"""The pipeline to PostgreSQL: what a batch commits, and each way in which its connection can fail."""

import asyncio
import time

import psycopg
import pytest

from realtime.writes import pipeline as pipeline_module
from realtime.writes.pipeline import Pipeline
from tests.realtime.numbers import AT_ONCE, END_CONNECTION, Database, inserting, opened, writes_on
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

# --- Batches ------------------------------------------------------------------------------


async def test_a_batch_reads_decides_and_commits(pipeline: Pipeline, database: Database) -> None:
    decision = await pipeline.write(inserting("SELECT 1, 'ä', NULL::int", "SELECT 2 WHERE false"), [1, 2])
    assert decision.answers == [[(1, "ä", None)], []]
    assert database.inserted == [1, 2]
    seen = await pipeline.write(inserting("SELECT count(*) FROM inserted"), [3])
    assert seen.answers == [[(2,)]]


async def test_a_batch_without_writes_leaves_no_open_transaction(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    await pipeline.write(inserting("SELECT 1", writes=()), [1])
    assert database.states[backend] == "idle"


async def test_a_failed_batch_writes_nothing_and_keeps_the_connection(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    await pipeline.write(inserting(), [1])
    with pytest.raises(psycopg.errors.UniqueViolation):
        await pipeline.write(inserting(), [2, 1])
    assert database.inserted == [1]
    await writes_on(pipeline, database)
    assert await opened(pipeline) == backend


async def test_a_statement_that_failed_to_prepare_is_prepared_again(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    later = inserting("SELECT number FROM made_later")
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await pipeline.write(later, [1])
    database.execute("CREATE TABLE made_later AS SELECT 7 AS number")
    try:
        assert (await pipeline.write(later, [1])).answers == [[(7,)]]
    finally:
        database.execute("DROP TABLE made_later")
    assert database.inserted == [1]
    assert await opened(pipeline) == backend


async def test_a_failing_decision_leaves_no_open_transaction(pipeline: Pipeline, database: Database) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await pipeline.write(inserting("LOCK TABLE inserted", meanwhile=fails), [1])
    assert database.inserted == []
    await writes_on(pipeline, database)


# --- Broken connections -------------------------------------------------------------------


async def test_an_idle_connection_that_ends_is_reopened(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    database.ends(backend)
    await until(lambda: pipeline._libpq is None, within=AT_ONCE)
    assert not pipeline.ready
    assert await opened(pipeline) != backend
    await writes_on(pipeline, database)


async def test_a_connection_lost_between_read_and_write_fails_the_batch(pipeline: Pipeline, database: Database) -> None:
    backend = await opened(pipeline)
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(AT_ONCE):
            await pipeline.write(inserting("SELECT 1", meanwhile=lambda: database.ends(backend)), [1])
    assert database.inserted == []
    await writes_on(pipeline, database)


async def test_a_connection_lost_during_a_statement_fails_the_batch(pipeline: Pipeline, database: Database) -> None:
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(AT_ONCE):
            await pipeline.write(inserting(END_CONNECTION), [1])
    assert database.inserted == []
    await writes_on(pipeline, database)


async def test_closing_the_pipeline_fails_its_batch_at_once(pipeline: Pipeline, database: Database) -> None:
    writing = asyncio.ensure_future(pipeline.write(inserting("SELECT pg_sleep(1)"), [1]))
    await asyncio.sleep(0.1)
    pipeline.close()
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(0.5):
            await writing
    assert database.inserted == []
    await writes_on(pipeline, database)


# --- Timeouts and cancellation ------------------------------------------------------------


async def test_a_write_over_the_time_limit_is_given_up(
    pipeline: Pipeline, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "WRITE_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        await pipeline.write(inserting("SELECT pg_sleep(1)"), [1])
    assert database.inserted == []
    monkeypatch.undo()
    await writes_on(pipeline, database)


@pytest.mark.parametrize("ends", ["with an answer", "with the connection"])
async def test_cancelling_as_the_answer_arrives_writes_nothing(
    ends: str, pipeline: Pipeline, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    last = {"with an answer": "SELECT 1", "with the connection": END_CONNECTION}[ends]
    writing = asyncio.ensure_future(pipeline.write(inserting("SELECT pg_sleep(0.2)", last), [1]))
    while pipeline._arrival is None:
        await asyncio.sleep(0)
    # In one turn, the event loop first cancels and then reads the answer that has arrived meanwhile.
    asyncio.get_running_loop().call_soon(writing.cancel)
    time.sleep(0.5)  # noqa: ASYNC251 - blocks the event loop on purpose
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert database.inserted == []
    await writes_on(pipeline, database)
    assert not caplog.records
