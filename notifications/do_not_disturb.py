"""Do not disturb: a span of the day, on some days of the week, in the person's time zone."""

import datetime
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class DoNotDisturb:
    """A span from `begins` to `ends` on each of `days`; never, when either is None.

    `days` are the days on which a span begins; 0 is Monday. A span that ends in the morning belongs to the evening
    before. Times are local: when the clocks change, a span is an hour longer or shorter.
    """

    begins: datetime.time | None = None
    ends: datetime.time | None = None
    days: frozenset[int] = EVERY_DAY
    time_zone: str = "UTC"

    def holds_at(self, moment: datetime.datetime) -> bool:
        """Return whether the moment lies within a span; a span with equal `begins` and `ends` lasts a whole day."""
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
    except (KeyError, ValueError, OSError):  # this system does not know the zone that was valid when it was chosen
        return ZoneInfo("UTC")
