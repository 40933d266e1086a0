"""The clock of a process: the database's where the two disagree."""

import datetime
from types import SimpleNamespace

import pytest
from django.utils import timezone

from realtime.database import clock

pytestmark = pytest.mark.django_db

HOUR = datetime.timedelta(hours=1)
NOTHING = datetime.timedelta()


@pytest.fixture(autouse=True)
def _forgotten_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_difference", NOTHING)


def own_clock(monkeypatch: pytest.MonkeyPatch, *, off: datetime.timedelta, answer_takes: datetime.timedelta) -> None:
    """Let the process's clock be wrong, and the next answer of the database take so long by it."""
    waits = iter([NOTHING, answer_takes])
    now = lambda: timezone.now() + off + next(waits, NOTHING)  # noqa: E731
    monkeypatch.setattr(clock, "timezone", SimpleNamespace(now=now))


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_wrong_clock_is_put_right_by_the_databases(off: datetime.timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    own_clock(monkeypatch, off=off, answer_takes=NOTHING)
    clock.look_at_database()
    assert abs(clock.now() - timezone.now()) < clock.AGREEING


def test_an_answer_that_takes_long_says_nothing_about_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    own_clock(monkeypatch, off=HOUR, answer_takes=clock.AGREEING)
    clock.look_at_database()
    assert clock._difference == NOTHING


def test_clocks_that_agree_closely_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    own_clock(monkeypatch, off=clock.AGREEING / 2, answer_takes=NOTHING)
    clock.look_at_database()
    assert clock._difference == NOTHING
