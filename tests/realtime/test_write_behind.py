"""Records that wait for the database: merged, bounded, kept while it is away."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from realtime.database.write_behind import WriteBehindBuffer
from realtime.wire.errors import TryAgain


class Table:
    """A table that records are written to; `away` while the database is."""

    def __init__(self) -> None:
        self.written: list[list[Any]] = []
        self.error: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def write(self, buffer: list[Any]) -> None:
        self.meanwhile()
        if self.error is not None:
            raise self.error
        self.written.append(buffer)


@pytest.fixture
def table() -> Table:
    return Table()


def buffer_for(table: Table, **options: Any) -> WriteBehindBuffer[str, int]:
    return WriteBehindBuffer(table.write, **({"merge": max, "most": 100, "seconds": 0} | options))


async def test_notes_of_one_key_are_one(table: Table) -> None:
    buffer = buffer_for(table)
    for number in (1, 3, 2):
        buffer.add("a", number)
    buffer.add("b", 9)
    assert table.written == []
    await buffer.tick()
    await buffer.tick()
    assert table.written == [[3, 9]], "and nothing is written when nothing was noted"


async def test_it_waits_for_its_turn(table: Table) -> None:
    buffer = buffer_for(table, seconds=60)
    buffer.add("a", 1)
    await buffer.tick()
    buffer.add("a", 2)
    await buffer.tick()
    assert table.written == [[1]]
    await buffer.flush()
    assert table.written == [[1], [2]], "unless the process ends"


async def test_while_the_database_is_away_notes_wait_and_are_merged_with_newer_ones(table: Table) -> None:
    buffer = buffer_for(table)
    buffer.add("a", 5)
    table.error = OperationalError("away")
    table.meanwhile = lambda: (buffer.add("a", 4), buffer.add("b", 1))  # type: ignore[assignment, return-value]
    await buffer.tick()
    with pytest.raises(TryAgain):
        await buffer.flush()
    table.error, table.meanwhile = None, lambda: None
    await buffer.tick()
    assert table.written == [[5, 1]]


async def test_of_too_many_the_oldest_are_lost_and_counted(table: Table) -> None:
    buffer = buffer_for(table, most=3)
    table.error = OperationalError("away")
    for number in range(5):
        buffer.add(str(number), number)
        await buffer.tick()
    assert (len(buffer), buffer.lost) == (3, 2)
    table.error = None
    await buffer.tick()
    assert table.written == [[2, 3, 4]]


async def test_notes_that_cannot_be_written_at_all_do_not_hinder_later_ones(table: Table) -> None:
    buffer = buffer_for(table)
    buffer.add("a", 1)
    table.error = ValueError("a bug")
    with pytest.raises(ValueError):
        await buffer.tick()
    table.error = None
    buffer.add("b", 2)
    await buffer.tick()
    assert (table.written, buffer.lost) == ([[2]], 1)
