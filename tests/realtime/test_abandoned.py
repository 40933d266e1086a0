"""Transactions of a stopped process, which PostgreSQL takes for active."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest
from django.db import connection

from realtime.database import abandoned

pytestmark = pytest.mark.django_db(transaction=True)

Opens = Callable[..., "psycopg.Connection[Any]"]
StandsStill = Callable[["psycopg.Connection[Any]"], None]


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opens]:
    """Open connections as server processes do; their transactions count as abandoned after 0.1 s."""
    monkeypatch.setattr(abandoned, "ABANDONED_AFTER_SECONDS", 0.1)
    opened: list[psycopg.Connection[Any]] = []

    def open_one(**others: str) -> psycopg.Connection[Any]:
        parameters = connection.get_connection_params()
        del parameters["cursor_factory"]
        opened.append(psycopg.connect(**parameters | others))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def is_alive(one: psycopg.Connection[Any]) -> bool:
    try:
        one.execute("SELECT 1").fetchall()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def stands_still(opens: Opens) -> Iterator[StandsStill]:
    """Begin a transaction on a connection, read the first result, and send nothing more."""
    with ExitStack() as pipelines:

        def stand_still(one: psycopg.Connection[Any]) -> None:
            pipelines.enter_context(suppress(psycopg.OperationalError))  # leaving an ended one raises
            pipelines.enter_context(one.pipeline())
            one.execute("SELECT 1").fetchall()
            time.sleep(0.2)

        yield stand_still


def test_a_transaction_stopped_within_a_pipeline_is_ended(
    opens: Opens, stands_still: StandsStill, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = opens()
    stands_still(stopped)
    with caplog.at_level(logging.WARNING, logger="chatsite"):
        abandoned.end_abandoned_transactions()
        abandoned.end_abandoned_transactions()
    assert not is_alive(stopped)
    assert [record.getMessage() for record in caplog.records] == [
        "1 transactions of a process that stands still were ended"
    ]


def test_a_transaction_whose_result_is_not_read_is_ended(opens: Opens) -> None:
    stopped = opens()
    stopped.pgconn.send_query(b"SELECT repeat('x', 20000000)")
    time.sleep(0.5)
    abandoned.end_abandoned_transactions()
    result = stopped.pgconn.get_result()
    assert result is not None
    assert result.status == psycopg.pq.ExecStatus.FATAL_ERROR


def test_a_recently_active_transaction_is_kept(
    opens: Opens, stands_still: StandsStill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abandoned, "ABANDONED_AFTER_SECONDS", 60)
    writing = opens()
    stands_still(writing)
    abandoned.end_abandoned_transactions()
    assert is_alive(writing)


def test_idle_working_and_foreign_transactions_are_kept(opens: Opens, stands_still: StandsStill) -> None:
    idle, idle_in_transaction, working, other = opens(), opens(), opens(), opens(application_name="psql")
    idle_in_transaction.execute("SELECT 1")
    stands_still(other)
    work = threading.Thread(target=working.execute, args=["SELECT pg_sleep(0.5)"])
    work.start()
    time.sleep(0.2)
    abandoned.end_abandoned_transactions()
    work.join()
    for each in (idle, idle_in_transaction, working, other):
        assert is_alive(each)
