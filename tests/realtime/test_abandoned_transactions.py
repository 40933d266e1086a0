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
from tests.waiting import DEADLINE

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


def wait_until_active(one: psycopg.Connection[Any], waits_for: str) -> None:
    """Wait until PostgreSQL has seen this connection active, and waiting for this kind of event, for 0.1 s."""
    until = time.monotonic() + DEADLINE
    query = """
        SELECT state = 'active' AND wait_event_type = %s AND clock_timestamp() - state_change > interval '0.1 s'
        FROM pg_stat_activity WHERE pid = %s
    """
    with connection.cursor() as cursor:
        while True:
            cursor.execute(query, [waits_for, one.info.backend_pid])
            if cursor.fetchone() == (True,):
                return
            assert time.monotonic() < until, f"the connection is not active and waiting for {waits_for}"
            time.sleep(0.01)


@pytest.fixture
def stands_still(opens: Opens) -> Iterator[StandsStill]:
    """Begin a transaction on a connection, read the first result, and send nothing more."""
    with ExitStack() as pipelines:

        def stand_still(one: psycopg.Connection[Any]) -> None:
            pipelines.enter_context(suppress(psycopg.OperationalError))  # leaving an ended one raises
            pipelines.enter_context(one.pipeline())
            one.execute("SELECT 1").fetchall()
            wait_until_active(one, "Client")

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
    wait_until_active(stopped, "Client")
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

    def sleep() -> None:
        with suppress(psycopg.errors.QueryCanceled):
            working.execute("SELECT pg_sleep(600)")
        working.rollback()

    work = threading.Thread(target=sleep)
    work.start()
    wait_until_active(working, "Timeout")
    abandoned.end_abandoned_transactions()
    working.cancel()
    work.join()
    for each in (idle, idle_in_transaction, working, other):
        assert is_alive(each)
