"""A batch write driven by a thread: whatever breaks, all of it is written or nothing, and the next one goes through."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection

from realtime.database.threads import with_connection_care
from realtime.wire.errors import TryAgain
from realtime.writes.batches import transacted
from tests.realtime.numbers import FALL, NOTE, Database, Numbers, noting

pytestmark = pytest.mark.django_db(transaction=True)


def write(numbers: Numbers, *batch: int) -> list[Any]:
    return with_connection_care(transacted, numbers, batch)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_it_reads_decides_and_commits(database: Database) -> None:
    assert write(noting("SELECT 1, NULL::int", "SELECT 2 WHERE false"), 1, 2) == [[(1, None)], []]
    assert database.noted == [1, 2]


def ends_before(database: Database) -> Numbers:
    database.ends(backend())
    return noting("SELECT 1")


def ends_with_a_read(database: Database) -> Numbers:
    return noting("SELECT 1", FALL, "SELECT 2")


def ends_between_the_trips(database: Database) -> Numbers:
    mine = backend()
    return noting("SELECT 1", meanwhile=lambda: database.ends(mine))


def ends_with_a_write(database: Database) -> Numbers:
    return noting("SELECT 1", writes=[FALL, NOTE])


def ends_before_the_commit(database: Database) -> Numbers:
    return noting("SELECT 1", writes=[NOTE, FALL])


@pytest.mark.parametrize(
    "broken",
    [ends_before, ends_with_a_read, ends_between_the_trips, ends_with_a_write, ends_before_the_commit],
    ids=lambda broken: broken.__name__,
)
def test_a_connection_that_ends_is_an_unsettled_write_and_the_next_has_a_fresh_one(
    broken: Callable[[Database], Numbers], database: Database
) -> None:
    numbers = broken(database)
    with pytest.raises(TryAgain):
        write(numbers, 1, 2)
    assert database.noted == []
    assert write(noting("SELECT 7"), 1, 2) == [[(7,)]]
    assert database.noted == [1, 2]


def test_what_another_has_written_is_refused_as_a_whole(database: Database) -> None:
    write(noting(), 2)
    with pytest.raises(IntegrityError):
        write(noting("SELECT 1"), 1, 2)
    assert database.noted == [2]
    write(noting(), 1)
    assert database.noted == [1, 2]
