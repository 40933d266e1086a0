"""The write-behind buffer: entries are merged, bounded in number, and kept while the database is away."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from realtime.database.write_behind import WriteBehindBuffer
from realtime.wire.errors import TryAgain


class Table:
    """The table behind the buffer; a write raises `error` while it is set."""

    def __init__(self) -> None:
        self.written: list[list[Any]] = []
        self.error: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def write(self, entries: list[Any]) -> None:
        self.meanwhile()
        if self.error is not None:
            raise self.error
        self.written.append(entries)


@pytest.fixture
def table() -> Table:
    return Table()


def buffer_for(table: Table, **options: Any) -> WriteBehindBuffer[str, int]:
    return WriteBehindBuffer(table.write, **({"merge": max, "most": 100, "seconds": 0} | options))


async def test_entries_of_one_key_are_merged(table: Table) -> None:
    buffer = buffer_for(table)
    for number in (1, 3, 2):
        buffer.add("a", number)
    buffer.add("b", 9)
    assert table.written == []
    await buffer.tick()
    await buffer.tick()
    assert table.written == [[3, 9]], "without new entries nothing is written"


async def test_entries_wait_for_the_interval_or_a_flush(table: Table) -> None:
    buffer = buffer_for(table, seconds=60)
    buffer.add("a", 1)
    await buffer.tick()
    buffer.add("a", 2)
    await buffer.tick()
    assert table.written == [[1]]
    await buffer.flush()
    assert table.written == [[1], [2]], "a flush does not wait"


async def test_entries_survive_an_outage_and_merge_with_newer_ones(table: Table) -> None:
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


async def test_a_full_buffer_drops_and_counts_the_oldest_entries(table: Table) -> None:
    buffer = buffer_for(table, most=3)
    table.error = OperationalError("away")
    for number in range(5):
        buffer.add(str(number), number)
        await buffer.tick()
    assert (len(buffer), buffer.lost) == (3, 2)
    table.error = None
    await buffer.tick()
    assert table.written == [[2, 3, 4]]


async def test_unwritable_entries_do_not_block_later_ones(table: Table) -> None:
    buffer = buffer_for(table)
    buffer.add("a", 1)
    table.error = ValueError("a bug")
    with pytest.raises(ValueError):
        await buffer.tick()
    table.error = None
    buffer.add("b", 2)
    await buffer.tick()
    assert (table.written, buffer.lost) == ([[2]], 1)
