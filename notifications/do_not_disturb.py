"""When somebody does not want to be disturbed: a span of the day, on some days, in their time zone."""

import datetime
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class DoNotDisturb:
    """From one time of the day until another; without the two, never.

    `days` are those on which a span begins, Monday is 0: one that ends in the morning belongs to the evening before.
    Times are those of a clock on the wall there: when the clocks change, a span is an hour longer or shorter.
    """

    begins: datetime.time | None = None
    ends: datetime.time | None = None
    days: frozenset[int] = EVERY_DAY
    time_zone: str = "UTC"

    def holds_at(self, moment: datetime.datetime) -> bool:
        """Return whether the moment lies within a span. A span that ends when it begins lasts a whole day."""
        if self.begins is None or self.ends is None:
            return False
        there = moment.astimezone(_zone(self.time_zone))
        today, yesterday = there.weekday(), (there.weekday() - 1) % 7
        time = there.time()
        if self.begins < self.ends:
            return today in self.days and self.begins <= time < self.ends
        return (today in self.days and time >= self.begins) or (yesterday in self.days and time < self.ends)


@lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # what was a zone when it was chosen, and is none to this system
        return ZoneInfo("UTC")
