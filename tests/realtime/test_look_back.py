"""The look-back window of a sweep: the id from which each look starts."""

import pytest

from realtime.database import look_back
from realtime.database.look_back import LookBack


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(look_back.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("newest", "floor"), [(1000, 800), (150, 0), (0, 0)])
def test_the_first_look_reaches_back_the_given_number_of_ids(newest: int, floor: int) -> None:
    assert LookBack(first=200).floor(newest) == floor


def test_each_look_overlaps_by_the_longest_transaction(clock: list[float]) -> None:
    looks = LookBack(first=0)
    assert looks.floor(10) == 10
    for clock[0], newest, floor in (
        (104.0, 20, 10),
        (108.0, 30, 10),
        (108.1, 40, 10),
        (112.0, 50, 10),
        (112.1, 60, 20),
    ):
        assert looks.floor(newest) == floor


def test_after_a_long_pause_a_look_starts_at_the_last_one(clock: list[float]) -> None:
    looks = LookBack(first=5)
    assert looks.floor(10) == 5
    clock[0] += 3600
    assert looks.floor(30) == 10
