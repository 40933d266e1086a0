"""A server process looks through all its objects seldom: after some minutes, or when many connections have ended."""

import gc

from chatsite import garbage
from chatsite.garbage import CLOSED, SECONDS, Collector
from realtime import registry
from tests.clocks import Clock


def test_it_collects_when_time_has_gone_by_and_then_not_at_once_again() -> None:
    clock, collected = Clock(), list[float]()
    begun = clock.now
    collector = Collector(lambda: collected.append(clock.now), clock.monotonic)
    for seconds in (0, SECONDS - 1, SECONDS, SECONDS + 1, 2 * SECONDS):
        clock.now = begun + seconds
        collector.look()
    assert collected == [begun + SECONDS, begun + 2 * SECONDS]


def test_it_collects_when_many_connections_have_ended() -> None:
    clock, collected = Clock(), list[float]()
    collector = Collector(lambda: collected.append(clock.now), clock.monotonic)
    for _ in range(2):
        for _ in range(CLOSED - 1):
            collector.note_closed(object())
        collector.look()
        before = len(collected)
        collector.note_closed(object())
        collector.look()
        assert len(collected) == before + 1


def test_it_takes_the_place_of_pythons_own_rule() -> None:
    collector, thresholds = Collector(), gc.get_threshold()
    listeners, ticks = registry.closed_listeners[:], registry.ticks[:]
    try:
        collector.begin()
        assert gc.get_threshold() == (garbage.YOUNG, garbage.MIDDLE, garbage.NEVER)
        assert gc.get_freeze_count() > 0
        assert registry.closed_listeners == [*listeners, collector.note_closed]
        assert registry.ticks == [*ticks, collector.look]
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        registry.closed_listeners[:], registry.ticks[:] = listeners, ticks
