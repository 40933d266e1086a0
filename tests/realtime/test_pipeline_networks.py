"""The pipeline to PostgreSQL with a bad network, an unreachable database, or no free file descriptor."""

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection

from realtime.writes import pipeline as pipeline_module
from realtime.writes.pipeline import Pipeline
from tests.harness.proxy import Direction, Filter, Proxy
from tests.realtime.numbers import AT_ONCE, Database, inserting, opened, writes_on

pytestmark = pytest.mark.django_db(transaction=True)


class DeafAfterAnError(Filter):
    """Passes nothing more to PostgreSQL after it has refused a statement."""

    def passes(self, data: bytes, direction: Direction) -> bytes:
        if direction == "down" and b"division by zero" in data:
            self.link.proxy.drop("up")
        return data


class CutAtTheFirstStatement(Filter):
    """Cuts the first connection at the first statement of its set-up."""

    def passes(self, data: bytes, direction: Direction) -> bytes:
        if direction == "up" and b"TIME ZONE" in data and self.link.proxy.accepted == 1:
            self.link.cut()
            return b""
        return data


@pytest.fixture
def connects_through(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Proxy], Pipeline]]:
    """Make a pipeline that connects through a proxy."""
    made: list[Pipeline] = []

    def make(proxy: Proxy) -> Pipeline:
        monkeypatch.setitem(connection.settings_dict, "PORT", str(proxy.port))
        made.append(Pipeline())
        return made[-1]

    yield make
    assert all(pipeline._libpq is None for pipeline in made)


def postgresql() -> int:
    return int(connection.settings_dict["PORT"])


async def test_an_unreachable_database_is_retried_until_it_answers(
    connects_through: Callable[[Proxy], Pipeline],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pipeline_module, "RECONNECT_SECONDS", 0.05)
    async with Proxy(postgresql()) as proxy:
        proxy.refuse()
        pipeline = connects_through(proxy)
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


async def test_a_connection_that_breaks_during_set_up_is_reopened(
    connects_through: Callable[[Proxy], Pipeline], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "RECONNECT_SECONDS", 0.05)
    async with Proxy(postgresql(), filters=CutAtTheFirstStatement) as proxy:
        pipeline = connects_through(proxy)
        await writes_on(pipeline, database)
        assert (proxy.accepted, proxy.open_connections) == (2, 1)
        pipeline.close()


async def test_a_connection_whose_rollback_hangs_is_given_up(
    connects_through: Callable[[Proxy], Pipeline], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy(postgresql(), filters=DeafAfterAnError) as proxy:
        pipeline = connects_through(proxy)
        await opened(pipeline)
        monkeypatch.setattr(pipeline_module, "WRITE_SECONDS", 0.3)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await pipeline.write(inserting("SELECT 1/0"), [1])
        assert pipeline._libpq is None
        proxy.heal()
        monkeypatch.setattr(pipeline_module, "WRITE_SECONDS", 5.0)
        await writes_on(pipeline, database)
        pipeline.close()
    assert database.inserted == [99]


async def test_a_connection_without_a_free_file_descriptor_is_retried(
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


async def test_a_large_batch_is_sent_through_a_stalled_network(
    connects_through: Callable[[Proxy], Pipeline], database: Database
) -> None:
    async with Proxy(postgresql()) as proxy:
        pipeline = connects_through(proxy)
        await opened(pipeline)
        proxy.silence("up")
        asyncio.get_running_loop().call_later(0.2, proxy.heal)
        decision = await pipeline.write(inserting(f"SELECT length('{'x' * 30_000_000}')"), [1])
        assert decision.answers == [[(30_000_000,)]]
        await writes_on(pipeline, database)
        pipeline.close()


async def test_a_connection_lost_while_sending_fails_the_batch(
    connects_through: Callable[[Proxy], Pipeline], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    async with Proxy(postgresql()) as proxy:
        pipeline = connects_through(proxy)
        await opened(pipeline)
        proxy.silence("up")
        loop.call_later(0.2, proxy.cut)
        with pytest.raises(psycopg.OperationalError):
            async with asyncio.timeout(AT_ONCE):
                await pipeline.write(inserting(f"SELECT '{'x' * 30_000_000}'"), [1])
        proxy.heal()
        assert database.inserted == []
        await writes_on(pipeline, database)
        pipeline.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
