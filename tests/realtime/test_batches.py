"""A batch write on a thread's connection: after any fault all or nothing is written, and the next batch succeeds."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection

from realtime.database.threads import with_connection_care
from realtime.wire.errors import TryAgain
from realtime.writes.batches import transacted
from tests.realtime.numbers import END_CONNECTION, INSERT, Database, Numbers, inserting

pytestmark = pytest.mark.django_db(transaction=True)


def write(numbers: Numbers, *batch: int) -> list[Any]:
    return with_connection_care(transacted, numbers, batch)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_batch_reads_decides_and_commits(database: Database) -> None:
    assert write(inserting("SELECT 1, NULL::int", "SELECT 2 WHERE false"), 1, 2) == [[(1, None)], []]
    assert database.inserted == [1, 2]


def ends_before(database: Database) -> Numbers:
    database.ends(backend())
    return inserting("SELECT 1")


def ends_with_a_read(database: Database) -> Numbers:
    return inserting("SELECT 1", END_CONNECTION, "SELECT 2")


def ends_between_the_trips(database: Database) -> Numbers:
    own_backend = backend()
    return inserting("SELECT 1", meanwhile=lambda: database.ends(own_backend))


def ends_with_a_write(database: Database) -> Numbers:
    return inserting("SELECT 1", writes=[END_CONNECTION, INSERT])


def ends_before_the_commit(database: Database) -> Numbers:
    return inserting("SELECT 1", writes=[INSERT, END_CONNECTION])


@pytest.mark.parametrize(
    "broken",
    [ends_before, ends_with_a_read, ends_between_the_trips, ends_with_a_write, ends_before_the_commit],
    ids=lambda broken: broken.__name__,
)
def test_a_lost_connection_means_try_again_and_then_a_new_one(
    broken: Callable[[Database], Numbers], database: Database
) -> None:
    numbers = broken(database)
    with pytest.raises(TryAgain):
        write(numbers, 1, 2)
    assert database.inserted == []
    assert write(inserting("SELECT 7"), 1, 2) == [[(7,)]]
    assert database.inserted == [1, 2]


def test_a_unique_violation_writes_nothing_of_the_batch(database: Database) -> None:
    write(inserting(), 2)
    with pytest.raises(IntegrityError):
        write(inserting("SELECT 1"), 1, 2)
    assert database.inserted == [2]
    write(inserting(), 1)
    assert database.inserted == [1, 2]
