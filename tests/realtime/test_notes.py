"""Notes for the database: merged, bounded, kept while it is away."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from realtime.database.notes import Notes
from realtime.wire.errors import TryAgain


class Table:
    """Where notes go; `away` for as long as it is."""

    def __init__(self) -> None:
        self.written: list[list[Any]] = []
        self.error: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def write(self, notes: list[Any]) -> None:
        self.meanwhile()
        if self.error is not None:
            raise self.error
        self.written.append(notes)


@pytest.fixture
def table() -> Table:
    return Table()


def notes_for(table: Table, **options: Any) -> Notes[str, int]:
    return Notes(table.write, **({"merge": max, "most": 100, "seconds": 0} | options))


async def test_notes_of_one_key_are_one(table: Table) -> None:
    notes = notes_for(table)
    for number in (1, 3, 2):
        notes.add("a", number)
    notes.add("b", 9)
    assert table.written == []
    await notes.tick()
    await notes.tick()
    assert table.written == [[3, 9]], "and nothing is written when nothing was noted"


async def test_it_waits_for_its_turn(table: Table) -> None:
    notes = notes_for(table, seconds=60)
    notes.add("a", 1)
    await notes.tick()
    notes.add("a", 2)
    await notes.tick()
    assert table.written == [[1]]
    await notes.flush()
    assert table.written == [[1], [2]], "unless the process ends"


async def test_while_the_database_is_away_notes_wait_and_are_merged_with_newer_ones(table: Table) -> None:
    notes = notes_for(table)
    notes.add("a", 5)
    table.error = OperationalError("away")
    table.meanwhile = lambda: (notes.add("a", 4), notes.add("b", 1))  # type: ignore[assignment, return-value]
    await notes.tick()
    with pytest.raises(TryAgain):
        await notes.flush()
    table.error, table.meanwhile = None, lambda: None
    await notes.tick()
    assert table.written == [[5, 1]]


async def test_of_too_many_the_oldest_are_lost_and_counted(table: Table) -> None:
    notes = notes_for(table, most=3)
    table.error = OperationalError("away")
    for number in range(5):
        notes.add(str(number), number)
        await notes.tick()
    assert (len(notes), notes.lost) == (3, 2)
    table.error = None
    await notes.tick()
    assert table.written == [[2, 3, 4]]


async def test_notes_that_cannot_be_written_at_all_do_not_hinder_later_ones(table: Table) -> None:
    notes = notes_for(table)
    notes.add("a", 1)
    table.error = ValueError("a bug")
    with pytest.raises(ValueError):
        await notes.tick()
    table.error = None
    notes.add("b", 2)
    await notes.tick()
    assert (table.written, notes.lost) == ([[2]], 1)
