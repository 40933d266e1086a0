"""The clock of a process, which follows the database's where the two disagree."""

import datetime
from types import SimpleNamespace

import pytest
from django.utils import timezone

from realtime.database import clock

pytestmark = pytest.mark.django_db

HOUR = datetime.timedelta(hours=1)
NOTHING = datetime.timedelta()


@pytest.fixture(autouse=True)
def _no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_difference", NOTHING)


def own_clock(monkeypatch: pytest.MonkeyPatch, *, off: datetime.timedelta, answer_takes: datetime.timedelta) -> None:
    """Make the process's clock wrong by `off`, and make the next answer of the database take `answer_takes`."""
    waits = iter([NOTHING, answer_takes])
    now = lambda: timezone.now() + off + next(waits, NOTHING)  # noqa: E731
    monkeypatch.setattr(clock, "timezone", SimpleNamespace(now=now))


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_wrong_clock_is_corrected_by_the_database(off: datetime.timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    own_clock(monkeypatch, off=off, answer_takes=NOTHING)
    clock.compare_with_database()
    assert abs(clock.now() - timezone.now()) < clock.AGREEING


def test_a_slow_answer_of_the_database_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    own_clock(monkeypatch, off=HOUR, answer_takes=clock.AGREEING)
    clock.compare_with_database()
    assert clock._difference == NOTHING


def test_a_small_difference_is_not_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    own_clock(monkeypatch, off=clock.AGREEING / 2, answer_takes=NOTHING)
    clock.compare_with_database()
    assert clock._difference == NOTHING
